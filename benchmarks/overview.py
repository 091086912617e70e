"""The overview of 2,000 symbols, a tenth of which tick between two refreshes: the work of server and browser; and of
20,000 symbols: the wait for the first prices.
"""

import time
from datetime import timedelta
from typing import Any

from benchmarks.bench import Bench, table
from benchmarks.page import Reader
from benchmarks.site import Site
from benchmarks.stores import STACKS, History, opened, settings_of
from benchmarks.visitor import Visitor

SYMBOLS = 2_000
SHARE = 10
TICKS = 30
GAP = timedelta(seconds=20)
"""The time between two ticks of a symbol in the history."""
ROUNDS = 20
INTERVAL_SECONDS = 2.0
SETTLED_SECONDS = 6.0
PAUSE_SECONDS = 1.0
"""The embedded store reads more right after a burst, so each round waits this long before its 200 ticks."""
LIMITS = {"server ms": 20, "InfluxDB ms": 50, "browser ms": 100, "first prices s": 5}
MANY = 20_000
MANY_TICKS = 2
PRICED = "/\\d/.test(document.querySelector('#watch .ag-row [col-id=price]')?.textContent)"
ROWS = "document.querySelectorAll('#watch .ag-row').length > 10"
WORK = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"limits": LIMITS}
    rows: list[tuple[str, ...]] = [
        ("2,000 symbols, a tenth ticks", "open ms", "ms", "of it own cpu", "slowest ms", "bytes", "gzip")
    ]
    for stack in STACKS:
        history = History(SYMBOLS, TICKS, gap=GAP)
        with opened(settings_of(bench, stack, "overview")) as (store, acks):
            history.fill(store)
            time.sleep(SETTLED_SECONDS)
            reader = Reader(store, acks, {"symbol": history.names[0], "range": "15m", "overview": True})
            for name, whole in (("changes", False), ("whole", True)):
                times = {"open": round(reader.opened_ms, 1)}
                times |= reader.rounds(history, history.names[::SHARE], ROUNDS, whole=whole, pause=PAUSE_SECONDS)
                figures[f"{stack}, {name}"] = times
                rows.append((f"{stack}, {name}", *(f"{value:,}" for value in times.values())))
    print(table(rows))
    figures["browser"] = _browser(bench)
    print("; ".join(f"{name}: {value}" for name, value in figures["browser"].items()))
    figures["first prices s"] = {stack: _first_prices(bench, stack) for stack in STACKS}
    print("first prices of 20,000 symbols:", *(f"{name} {s} s;" for name, s in figures["first prices s"].items()))
    return figures


def _first_prices(bench: Bench, stack: str) -> float:
    """The seconds from a visitor's request, to a server that has just started, until the overview has prices of 20,000
    symbols.
    """
    settings = settings_of(bench, stack, "overview-many")
    with opened(settings) as (store, _):
        History(bench.of(MANY, MANY // 10), MANY_TICKS, gap=GAP).fill(store)
    time.sleep(SETTLED_SECONDS)
    with Site(settings, bench.folder) as site, Visitor() as visitor:
        visitor.open(f"{site.url}?view=overview")
        visitor.until(PRICED)
        return round(float(visitor.page.evaluate("performance.now()")) / 1000, 1)


def _browser(bench: Bench) -> dict[str, Any]:
    """The cost of a refresh in the page, by Chromium's clock of its main thread, minus the cost of an idle page."""
    history = History(SYMBOLS, TICKS, gap=GAP)
    settings = settings_of(bench, "embedded", "overview-browser", UPDATE_INTERVAL=str(INTERVAL_SECONDS))
    with opened(settings) as (store, _), Site(settings, bench.folder) as site, Visitor() as visitor:
        history.fill(store)
        visitor.open(f"{site.url}?view=overview")
        visitor.until(ROWS)
        visitor.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        visitor.page.wait_for_timeout(5_000)
        idle = _spent(visitor, lambda: None)
        busy = _spent(visitor, lambda: history.turn(store, history.names[::SHARE]))
        errors = visitor.errors
    return {
        "task ms": round(busy["TaskDuration"] - idle["TaskDuration"], 1),
        "script and layout ms": round(sum(busy[name] - idle[name] for name in WORK), 1),
        "task ms at rest": round(idle["TaskDuration"], 1),
        "errors": errors,
    }


def _spent(visitor: Visitor, turn: Any) -> dict[str, float]:
    """The mean milliseconds of work per refresh over `ROUNDS` refreshes, by kind."""
    before, begun = visitor.work(), visitor.refreshes()["answered"]
    while visitor.refreshes()["answered"] < begun + ROUNDS:
        turn()
        visitor.page.wait_for_timeout(INTERVAL_SECONDS * 1000)
    count = visitor.refreshes()["answered"] - begun
    after = visitor.work()
    return {name: (after[name] - before[name]) * 1000 / count for name in after}
