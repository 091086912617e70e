"""The page in Chromium on a real day: opening, wheel and drag, a replay at 60 times its speed, a routine refresh.

The cost is the time of the page's main thread, by Chromium's clock, minus the time that an idle page uses.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.bench import Bench, table
from benchmarks.site import Site
from benchmarks.stores import History, opened, settings_of
from benchmarks.visitor import DRAWN, Visitor
from tests import real_day
from tests.fakes import a_status
from tickflow.metrics.points import Points
from tickflow.store.base import MetricsStore

LIMITS = {
    "open s": 1.0,
    "open bytes": 60_000,
    "wheel ms": 50,
    "drag ms": 50,
    "refined ms": 250,
    "replay busy %": 15,
    "refresh ms": 40,
}
SYMBOL = "SPY"
ROUNDS = 8
WARM_UP = 3
"""How often a browser opens the page before it counts as warm: by then it has kept the compiled scripts."""
REST_MS = 1_500
SPEED = 60
REPLAY_SECONDS = 20.0
STEP_SECONDS = 0.5
INTERVAL = 2.0
REFINED = """
    window.moved = 0;
    window.refined = null;
    addEventListener("wheel", () => {
      const before = window.tickflow.chart.looks().picture;
      window.moved = performance.now();
      const look = () => {
        if (window.tickflow.chart.looks().picture !== before) window.refined = performance.now() - window.moved;
        else if (performance.now() - window.moved < 5000) requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, true);
"""
"""Records how many ms it takes, after a notch of the wheel, to draw the new time range in full; it looks each frame."""


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"limits": LIMITS}
    day = real_day.points()
    figures["trades"] = len(day)
    settings = settings_of(bench, "embedded", "real-day", UPDATE_INTERVAL=str(INTERVAL))
    with opened(settings) as (store, _), Site(settings, bench.folder) as site:
        for at in range(0, len(day), 20_000):
            store.write(day.take(slice(at, at + 20_000)))
        report(store, int(day.time_ns[-1]))
        figures |= _opening(f"{site.url}?symbol={SYMBOL}&range=1d")
        figures |= _moving(f"{site.url}?symbol={SYMBOL}&range=1d")
    figures |= _replay(bench, day)
    figures |= _routine(bench)
    print(table([("a real day in Chromium", "measured", "wanted"), *_rows(figures)]))
    return figures


def _rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(name, f"{figures[name]:,}", f"{limit:,}") for name, limit in LIMITS.items()]


def report(store: MetricsStore, newest_ns: int) -> None:
    """Write the status of a worker that has nothing left to read."""
    now = time.time_ns()
    store.write_status(a_status(now_ns=now, processed_ns=now, newest_ns=newest_ns))


def _opening(url: str) -> dict[str, float]:
    """The medians of several openings by a warm browser."""
    with Visitor() as visitor:
        for _ in range(WARM_UP):
            opening(visitor, url)
        found = [opening(visitor, url) for _ in range(ROUNDS // 2)]
    return {name: round(statistics.median(each[name] for each in found), 2) for name in found[0]}


def opening(visitor: Visitor, url: str) -> dict[str, float]:
    """Open the page in a new tab; return the seconds until the day is drawn, the bytes transferred, and the CPU time of
    the browser's processes that draw it.
    """
    received: list[float] = []

    def listen() -> None:
        visitor.devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        visitor.devtools.send("Network.enable")

    before = visitor.renderers()
    visitor.open(url, before=listen)
    seconds = visitor.drawn()
    spent = sum(seconds - before.get(process, 0) for process, seconds in visitor.renderers().items())
    visitor.page.wait_for_timeout(300)
    visitor.page.close()
    return {"open s": round(seconds, 3), "open bytes": sum(received), "open cpu ms": round(1000 * spent)}


def _moving(url: str) -> dict[str, float]:
    """The main thread's ms per step of the wheel and per move of a drag, and the ms until a refined picture."""
    with Visitor() as visitor:
        visitor.open(url)
        visitor.until(DRAWN)
        visitor.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        visitor.page.wait_for_timeout(3_000)
        box = visitor.page.locator("#chart").bounding_box()
        assert box is not None
        x, y = box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"]
        mouse = visitor.page.mouse
        mouse.move(x, y)
        steps = [-120 if number % 8 < 6 else 240 for number in range(ROUNDS)]
        wheels = []
        for step in steps:
            # each step is compared with an idle page just before it: other work on the machine comes and goes
            idle = _task(visitor, lambda: None)
            wheels.append(_task(visitor, partial(mouse.wheel, 0, step)) - idle)
        visitor.page.evaluate(REFINED)  # not before: its frames would count as a cost of the wheel
        refined = []
        for step in steps:
            visitor.page.evaluate("window.refined = null")
            mouse.wheel(0, step)
            visitor.page.wait_for_timeout(REST_MS)
            if (found := visitor.page.evaluate("window.refined")) is not None:
                refined.append(found)

        def drag() -> None:
            mouse.down()
            for step in range(1, 11):
                mouse.move(x + 12 * step, y)
            mouse.up()
            mouse.move(x, y)

        rests = [_task(visitor, lambda: None) for _ in range(ROUNDS // 2)]
        drags = [(_task(visitor, drag) - rest) / 10 for rest in rests]
    return {
        "wheel ms": round(statistics.median(wheels), 1),
        "wheel slowest ms": round(max(wheels), 1),
        "drag ms": round(statistics.median(drags), 1),
        "refined ms": round(statistics.median(refined), 1),
        "refined slowest ms": round(max(refined), 1),
    }


def _task(visitor: Visitor, act: Callable[[], None]) -> float:
    """Run `act`; return the milliseconds that the main thread was busy until `REST_MS` after it."""
    before = visitor.work()["TaskDuration"]
    act()
    visitor.page.wait_for_timeout(REST_MS)
    return (visitor.work()["TaskDuration"] - before) * 1000


def _replay(bench: Bench, day: Points) -> dict[str, float]:
    """How busy the main thread is, in percent, while the day plays at 60 times its speed."""
    settings = settings_of(bench, "embedded", "replay-day", UPDATE_INTERVAL=str(INTERVAL))
    order = np.argsort(day.time_ns, kind="stable")
    times = day.time_ns[order]
    middle = int(times[len(times) // 2])
    with opened(settings) as (store, _), Site(settings, bench.folder) as site, Visitor() as visitor:
        at = int(np.searchsorted(times, middle))
        for begin in range(0, at, 20_000):
            store.write(day.take(order[begin : min(at, begin + 20_000)]))
        report(store, middle)
        visitor.open(f"{site.url}?symbol={SYMBOL}&range=1h")
        visitor.until(DRAWN)
        visitor.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        visitor.page.wait_for_timeout(3_000)
        before, begun = visitor.work()["TaskDuration"], time.monotonic()
        for step in itertools.count(1):
            due = begun + step * STEP_SECONDS
            visitor.page.wait_for_timeout(max(0.0, (due - time.monotonic()) * 1000))
            until = int(np.searchsorted(times, middle + int((time.monotonic() - begun) * SPEED * 1e9)))
            if until > at:
                store.write(day.take(order[at:until]))
                report(store, int(times[until - 1]))
                at = until
            if due - begun >= REPLAY_SECONDS:
                break
        share = 100 * (visitor.work()["TaskDuration"] - before) / (time.monotonic() - begun)
    return {"replay busy %": round(share, 1)}


def _routine(bench: Bench) -> dict[str, float]:
    """The main thread's time for a refresh after all seven symbols have ticked, and for a refresh without new ticks."""
    settings = settings_of(bench, "embedded", "routine", UPDATE_INTERVAL=str(INTERVAL))
    history = History(7, 900)
    with opened(settings) as (store, _), Site(settings, bench.folder) as site, Visitor() as visitor:
        history.fill(store)
        visitor.open(f"{site.url}?symbol={history.names[0]}&range=15m")
        visitor.until(DRAWN)
        visitor.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        visitor.page.wait_for_timeout(5_000)
        idle = _refreshes(visitor, lambda: None)
        busy = _refreshes(visitor, lambda: history.turn(store, history.names))
    return {"refresh ms": round(busy - idle, 1), "refresh at rest ms": round(idle, 1)}


def _refreshes(visitor: Visitor, act: Callable[[], None]) -> float:
    """Call `act` before each refresh; return the main thread's milliseconds per refresh."""
    before, begun = visitor.work()["TaskDuration"], visitor.refreshes()["answered"]
    while visitor.refreshes()["answered"] < begun + ROUNDS:
        act()
        visitor.page.wait_for_timeout(INTERVAL * 1000)
    return (visitor.work()["TaskDuration"] - before) * 1000 / (visitor.refreshes()["answered"] - begun)
