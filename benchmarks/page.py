"""The page's refreshes on both stacks, compared with the plain way: sending the whole figure and list at each refresh.

Seven symbols, four panels. The bytes are those of the answer's JSON, and of its gzip over the wire; the milliseconds
are all of the server's work for the answer.
"""

import gzip
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from plotly.io.json import to_json_plotly

from benchmarks.bench import Bench, table
from benchmarks.stores import STACKS, History, opened, settings_of
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.background import Background
from tickflow.dashboard.queries.refresh import Answer, draw, refresh
from tickflow.store.acks import AckStore
from tickflow.store.base import MetricsStore

ROUNDS = 60
TICKS = 900
SYMBOLS = 7
SETTLED_SECONDS = 6.0
"""The wait before measuring, since the embedded store reads more right after a burst."""
LIMITS = {"idle bytes": 2_000, "bytes": 20_000, "embedded ms": 10.0}


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"limits": LIMITS}
    rows: list[tuple[str, ...]] = [("7 symbols, 15 min", "ms", "of it own cpu", "slowest ms", "bytes", "gzip")]
    for stack in STACKS:
        history = History(SYMBOLS, TICKS)
        with opened(settings_of(bench, stack, "page")) as (store, acks):
            history.fill(store)
            time.sleep(SETTLED_SECONDS)
            for name, changed, whole in (("idle", 0, False), ("all tick", SYMBOLS, False), ("whole", SYMBOLS, True)):
                reader = Reader(store, acks, {"symbol": history.names[0], "range": "15m"})
                measured = reader.rounds(history, history.names[:changed], ROUNDS, whole=whole)
                figures[f"{stack}, {name}"] = measured
                rows.append(
                    (f"{stack}, {name}", *(f"{measured[key]:,}" for key in ("ms", "cpu", "slowest", "bytes", "gzip")))
                )
    print(table(rows))
    return figures


class Reader:
    """A browser's side of the protocol: it opens a view, then refreshes with what it received before."""

    def __init__(self, store: MetricsStore, acks: AckStore, view: dict[str, object]) -> None:
        self._store = store
        self._view = view
        self._board = Board(acks)
        self._background = Background()
        self._answer: Answer = {}
        self.opened_ms = self.open()

    def open(self) -> float:
        """Draw the whole view; return the ms that it took."""
        milliseconds = self._timed(
            lambda: draw(
                self._store,
                self._view,
                identity="1",
                threshold=2.0,
                now_ns=time.time_ns(),
                board=self._board,
                background=self._background,
            )
        )
        self._drawn, self._watched = self._answer["drawn"], self._answer["watch"]["cursors"]
        self._stamp = self._answer.get("alerts", {}).get("stamp", 0)
        return milliseconds

    def refresh(self) -> float:
        """Fetch what is new; return the ms that it took."""
        milliseconds = self._timed(
            lambda: refresh(
                self._store,
                self._drawn,
                self._watched,
                now_ns=time.time_ns(),
                board=self._board,
                stamp=self._stamp,
                background=self._background,
            )
        )
        self._drawn = {**self._drawn, **self._answer.get("drawn", {})}
        self._watched = self._answer["watch"]["cursors"]
        self._stamp = self._answer.get("alerts", {}).get("stamp", self._stamp)
        return milliseconds

    def reading(self, names: Sequence[str]) -> float:
        """Read every point of these symbols, as the plain way does at each refresh; return the ms that it took."""
        begun = time.perf_counter()
        for name in names:
            self._store.points(name, 0)
        return (time.perf_counter() - begun) * 1000

    def rounds(
        self, history: History, names: Sequence[str], rounds: int, *, whole: bool = False, pause: float = 0.0
    ) -> dict[str, Any]:
        """In each round, let those symbols tick, then refresh (with `whole`: draw everything again); return the
        figures.
        """
        times, processor, sizes, packed = [], [], [], []
        for _ in range(rounds):
            time.sleep(pause)
            if names:
                history.turn(self._store, names)
            begun = time.thread_time()
            times.append(self.open() if whole else self.refresh())
            processor.append((time.thread_time() - begun) * 1000)
            text = to_json_plotly(self._answer).encode()
            sizes.append(len(text))
            packed.append(len(gzip.compress(text, 6)))
        return {
            "ms": round(statistics.median(times), 2),
            "cpu": round(statistics.median(processor), 2),
            "slowest": round(max(times), 2),
            "bytes": int(statistics.median(sizes)),
            "gzip": int(statistics.median(packed)),
        }

    def _timed(self, work: Callable[[], Answer]) -> float:
        begun = time.perf_counter()
        self._answer = work()
        to_json_plotly(self._answer)
        return (time.perf_counter() - begun) * 1000
