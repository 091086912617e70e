"""Twenty viewers of one server refresh every 2 s: does any refresh finish later than the next one is due?

Viewers are threads of this process that make the page's HTTP requests. For comparison, the plain way sends whole
figures each time.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

import orjson
import urllib3

from benchmarks.bench import Bench, table
from benchmarks.site import Site
from benchmarks.stores import STACKS, History, opened, settings_of
from tickflow.dashboard.drawing import ids
from tickflow.store.base import MetricsStore

VIEWERS = 20
REFRESHES = 15
INTERVAL_SECONDS = 2.0


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"viewers": VIEWERS, "interval_s": INTERVAL_SECONDS}
    rows: list[tuple[str, ...]] = [("20 viewers, every 2 s", "median ms", "p95 ms", "slowest ms", "later than 2 s")]
    for stack in STACKS:
        settings = settings_of(bench, stack, "viewers", UPDATE_INTERVAL=str(INTERVAL_SECONDS))
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
    """Let all symbols tick once a second during the block."""
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
    """Statistics over all refreshes of all viewers, in ms, and how many were late."""
    viewers = [Viewer(url, names[at % len(names)], begins=at / VIEWERS * INTERVAL_SECONDS) for at in range(VIEWERS)]
    with ThreadPoolExecutor(VIEWERS) as pool:
        times = sorted(chain.from_iterable(pool.map(lambda each: each.watch(whole), viewers)))
    return {
        "median": round(statistics.median(times), 1),
        "p95": round(times[int(0.95 * len(times))], 1),
        "slowest": round(times[-1], 1),
        "late": sum(each > INTERVAL_SECONDS * 1000 for each in times),
    }


class Viewer:
    """An open page without a browser.

    It posts to each callback the values that the page declares (`/_dash-dependencies`); an unknown value ends the run.
    """

    def __init__(self, url: str, symbol: str, *, begins: float, patient: bool = False) -> None:
        self._patient = patient
        self.slow = 0
        """How many answers said that the store was too slow; only a patient viewer goes on after one."""
        self._begins = begins
        self._url = url
        self._pool = urllib3.PoolManager(maxsize=1, retries=False)
        self._values: dict[str, object] = {f"{ids.VIEW}.data": {"symbol": symbol, "range": "15m"}}
        self._values |= dict.fromkeys(f"{name}.data" for name in (ids.REBUILD, ids.WATCHED, ids.DRAWN, ids.ALERTED))

    def watch(self, whole: bool, refreshes: int = REFRESHES, interval: float = INTERVAL_SECONDS) -> list[float]:
        """Open the page, then refresh it every `interval` seconds; return the ms of each refresh."""
        time.sleep(self._begins)
        self._callbacks = {each["output"]: each for each in orjson.loads(self._sent("GET", "_dash-dependencies"))}
        self._take(self._ask(ids.DRAWING))
        times = []
        due = time.monotonic()
        for number in range(refreshes):
            due += interval
            time.sleep(max(0.0, due - time.monotonic()))
            self._values[f"{ids.REFRESH}.data"] = number
            answer = self._ask(ids.DRAWING if whole else ids.DELTA)
            # If the server asks for a new drawing, request it at once.
            self._take(self._ask(ids.DRAWING) if answer.get("rebuild") else answer)
            # The time counts from the moment when the refresh was due: one that had to wait for the previous one is
            # late too.
            times.append((time.monotonic() - due) * 1000)
        return times

    @property
    def rows(self) -> int:
        """The number of rows in the chart."""
        drawn = self._values[f"{ids.DRAWN}.data"]
        return int(drawn["rows"]) if isinstance(drawn, dict) else 0

    def _take(self, answer: dict[str, Any]) -> None:
        """Keep the parts of an answer that the next refresh must send."""
        if self._patient and "state" not in answer:  # the view was not drawn, since the store was too slow
            answer = self._ask(ids.DRAWING)
        if answer["state"]["down"]:
            if not self._patient:
                raise RuntimeError(answer["state"]["down"])
            self.slow += 1
            return
        before = {} if "picture" in answer else self._values[f"{ids.DRAWN}.data"]
        self._values[f"{ids.DRAWN}.data"] = {**cast("dict[str, Any]", before), **answer.get("drawn", {})}
        self._values[f"{ids.WATCHED}.data"] = answer["watch"]["cursors"]
        if "alerts" in answer:
            self._values[f"{ids.ALERTED}.data"] = answer["alerts"]["stamp"]

    def _ask(self, output: str) -> dict[str, Any]:
        callback = self._callbacks[f"{output}.data"]
        inputs, states = (
            [{**each, "value": self._values[f"{each['id']}.{each['property']}"]} for each in callback[side]]
            for side in ("inputs", "state")
        )
        body = {
            "output": callback["output"],
            "outputs": {"id": output, "property": "data"},
            "inputs": inputs,
            "changedPropIds": [f"{inputs[0]['id']}.{inputs[0]['property']}"],
            "state": states,
        }
        data: dict[str, Any] = orjson.loads(self._sent("POST", "_dash-update-component", orjson.dumps(body)))
        answer: dict[str, Any] = data["response"][output]["data"]
        return answer

    def _sent(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        answer = self._pool.request(method, self._url + path, body=body, headers=headers)
        if answer.status != 200:
            raise RuntimeError(f"the page answers {answer.status}: {answer.data[:300]!r}")
        return answer.data
