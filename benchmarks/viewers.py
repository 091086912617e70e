"""Twenty viewers of one server, who refresh every 2 s: whether any refresh comes later than the next is due.

Viewers speak HTTP as the page does, from threads of this process. Beside it the plain way: whole figures each time.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any

import orjson
import urllib3

from benchmarks.bench import Bench, table
from benchmarks.site import Site
from benchmarks.stores import STACKS, History, opened, settings_of
from tickflow.store.base import MetricsStore

VIEWERS = 20
REFRESHES = 15
INTERVAL = 2.0


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"viewers": VIEWERS, "interval_s": INTERVAL}
    rows: list[tuple[str, ...]] = [("20 viewers, every 2 s", "median ms", "p95 ms", "slowest ms", "later than 2 s")]
    for stack in STACKS:
        settings = settings_of(bench, stack, "viewers", UPDATE_INTERVAL=str(INTERVAL))
        history = History(7, 900)
        with opened(settings) as (store, _), Site(settings, bench.folder) as site:
            history.fill(store)
            with _ticking(history, store):
                for name, whole in (("changes", False), ("whole figures", True)):
                    measured = _watched(site.url, history.names, whole)
                    figures[f"{stack}, {name}"] = measured
                    rows.append((f"{stack}, {name}", *(f"{value:,}" for value in measured.values())))
    print(table(rows))
    return figures


@contextmanager
def _ticking(history: History, store: MetricsStore) -> Iterator[None]:
    """All symbols tick once a second."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(1):
            history.turn(store, history.names)

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    over.set()
    thread.join()


def _watched(url: str, names: Sequence[str], whole: bool) -> dict[str, float]:
    """The times of all refreshes of all viewers."""
    viewers = [Viewer(url, names[at % len(names)], begins=at / VIEWERS * INTERVAL) for at in range(VIEWERS)]
    with ThreadPoolExecutor(VIEWERS) as pool:
        times = sorted(chain.from_iterable(pool.map(lambda each: each.watch(whole), viewers)))
    return {
        "median": round(statistics.median(times), 1),
        "p95": round(times[int(0.95 * len(times))], 1),
        "slowest": round(times[-1], 1),
        "late": sum(each > INTERVAL * 1000 for each in times),
    }


class Viewer:
    """One page that is open, without its browser."""

    def __init__(self, url: str, symbol: str, *, begins: float) -> None:
        self._begins = begins
        self._url = f"{url}_dash-update-component"
        self._pool = urllib3.PoolManager(maxsize=1, retries=False)
        self._view = {"symbol": symbol, "range": "15m"}

    def watch(self, whole: bool) -> list[float]:
        """Open the page, then refresh so many times, at a pace of its own; the ms that each took."""
        time.sleep(self._begins)
        answer = self._draw()
        drawn, watched, stamp = answer["drawn"], answer["watch"]["cursors"], answer.get("alerts", {}).get("stamp", 0)
        times = []
        due = time.monotonic()
        for number in range(REFRESHES):
            due += INTERVAL
            time.sleep(max(0.0, due - time.monotonic()))
            if whole:
                self._draw()
            else:
                states = {"drawn": drawn, "watched": watched, "alerted": stamp}
                answer = self._ask("delta", {("refresh", "n_intervals"): number}, states)
                drawn = {**drawn, **answer.get("drawn", {})}
                watched = answer["watch"]["cursors"]
                stamp = answer.get("alerts", {}).get("stamp", stamp)
            # From when it was due: a refresh that had to wait for the one before is late too.
            times.append((time.monotonic() - due) * 1000)
        return times

    def _draw(self) -> dict[str, Any]:
        return self._ask("drawing", {("view", "data"): self._view, ("rebuild", "data"): None}, {})

    def _ask(self, output: str, inputs: dict[tuple[str, str], object], states: dict[str, object]) -> dict[str, Any]:
        body = {
            "output": f"{output}.data",
            "outputs": {"id": output, "property": "data"},
            "inputs": [{"id": name, "property": what, "value": value} for (name, what), value in inputs.items()],
            "changedPropIds": [".".join(name) for name in inputs],
            "state": [{"id": name, "property": "data", "value": value} for name, value in states.items()],
        }
        answer = self._pool.request(
            "POST",
            self._url,
            body=orjson.dumps(body),
            headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
        )
        if answer.status != 200:
            raise RuntimeError(f"the page answers {answer.status}: {answer.data[:300]!r}")
        data: dict[str, Any] = orjson.loads(answer.data)["response"][output]["data"]
        return data
