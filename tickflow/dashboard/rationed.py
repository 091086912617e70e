"""Limits the load of the page's requests on the store: 5 s per request, 5,000 rows per read, four reads at a time over
all requests.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tickflow.errors import Overloaded, StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.base import MetricsStore, Totals, WorkerStatus, Written
from tickflow.store.candles import Candles
from tickflow.store.deadline import DEADLINE, seconds_left
from tickflow.store.digest import Digest, Outline
from tickflow.store.pixels import Pixels
from tickflow.ticks.probe import PROBE

WORK_SECONDS = 5.0
MAX_ROWS = 5_000
MOST_SHOWN = 10_000
"""The maximum number of symbols that the page shows: the first by name. Another program may have stored any number of
them.
"""
READS_AT_ONCE = 4


class Rationed(MetricsStore):
    """A store for the page's requests. `begin` is called when a request arrives, `end` when it is answered.

    Probes are left out of all lists; whenever all symbols have been read, `shown` is called with the event time of the
    newest probe, in ns. Downloads use `whole`, which leaves out no source of a symbol.
    """

    def __init__(self, store: MetricsStore, shown: Callable[[int], None] = lambda _: None) -> None:
        self.stop = store.stop
        self.where = store.where
        self._store = store.bounded()
        self._unbounded = store
        self._shown = shown
        self._has_probe = False
        self._turns = threading.BoundedSemaphore(READS_AT_ONCE)

    @property
    def whole(self) -> "Rationed":
        """The same store with the same limits, except that it leaves out no source of a symbol."""
        other = copy.copy(self)
        other._store = self._unbounded
        return other

    @staticmethod
    def begin() -> None:
        """Start the time limit of this thread's request: `WORK_SECONDS` from now."""
        DEADLINE.set(time.monotonic() + WORK_SECONDS)

    @staticmethod
    def end() -> None:
        """End the time limit: what this thread does next belongs to no request."""
        DEADLINE.set(None)

    @contextmanager
    def _turn(self) -> Iterator[MetricsStore]:
        """The store for one read, as soon as fewer than `READS_AT_ONCE` reads are running."""
        if not self._turns.acquire(timeout=seconds_left(WORK_SECONDS)):
            raise Overloaded("The page is busy with other requests. Try again in a few seconds.")
        before = DEADLINE.get()
        if before is None:  # a download has no time limit: it reads for as long as the client takes data
            DEADLINE.set(time.monotonic() + WORK_SECONDS)
        try:
            yield self._store
        finally:
            DEADLINE.set(before)
            self._turns.release()

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """See `MetricsStore.points`; without `most`, more than `MAX_ROWS` rows are refused, not cut silently."""
        with self._turn() as store:
            found = store.points(symbol, since_ns, until_ns, MAX_ROWS + 1 if most is None else min(most, MAX_ROWS))
        if len(found) > MAX_ROWS:
            raise StoreUnavailable(f"More than {MAX_ROWS:,} rows of {symbol} were requested at once.")
        return found

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        """See `MetricsStore.newest`."""
        with self._turn() as store:
            return store.newest(symbol, min(count, MAX_ROWS), until_ns)

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        """See `MetricsStore.latest`; the result has at most `MOST_SHOWN` symbols."""
        with self._turn() as store:
            if symbols is not None:
                return store.latest(symbols[:MOST_SHOWN], until_ns=until_ns)
            found = store.latest(most=MOST_SHOWN if most is None else min(most, MOST_SHOWN), until_ns=until_ns)
        self._has_probe = PROBE in found.symbol
        if not self._has_probe:
            return found
        self._shown(int(found.time_ns[found.symbol.index(PROBE)]))
        return found.take([at for at, symbol in enumerate(found.symbol) if symbol != PROBE])

    def symbol_count(self) -> int:
        """See `MetricsStore.symbol_count`."""
        with self._turn() as store:
            return store.symbol_count() - self._has_probe

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """See `MetricsStore.count`."""
        with self._turn() as store:
            return store.count(symbol, since_ns, until_ns)

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        """See `MetricsStore.first_prices`."""
        with self._turn() as store:
            return store.first_prices(since_ns, symbols, until_ns)

    def first_prices_and_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None
    ) -> tuple[dict[str, float], dict[str, int]]:
        """See `MetricsStore.first_prices_and_counts`."""
        with self._turn() as store:
            return store.first_prices_and_counts(since_ns, symbols)

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """See `MetricsStore.last_prices`."""
        with self._turn() as store:
            return store.last_prices(since_ns, until_ns, symbols)

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        """See `MetricsStore.totals`."""
        with self._turn() as store:
            return store.totals(symbol, since_ns, until_ns)

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """See `MetricsStore.keeps`."""
        return self._store.keeps(time_ns, appended_ms)

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        """See `MetricsStore.anomalies`."""
        with self._turn() as store:
            return store.anomalies(since_ns, min(count, MAX_ROWS), symbols, until_ns)

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """See `MetricsStore.preceded`."""
        with self._turn() as store:
            return store.preceded(moments)

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        """See `MetricsStore.anomaly_counts`."""
        with self._turn() as store:
            return store.anomaly_counts(since_ns, symbols, until_ns)

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """See `MetricsStore.trends`."""
        with self._turn() as store:
            return store.trends(since_ns, until_ns, steps)

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """See `MetricsStore.digest`."""
        with self._turn() as store:
            return store.digest(symbol, since_ns, until_ns, steps)

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """See `MetricsStore.outline`."""
        with self._turn() as store:
            return store.outline(symbol, since_ns, until_ns, steps)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """See `MetricsStore.candles`."""
        with self._turn() as store:
            return store.candles(symbol, since_ns, until_ns, width_ns)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """See `MetricsStore.pixels`."""
        with self._turn() as store:
            return store.pixels(symbol, since_ns, until_ns, width_ns)

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        """See `MetricsStore.at_most`."""
        with self._turn() as store:
            return store.at_most(symbol, since_ns, until_ns, min(most, MAX_ROWS))

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        """See `MetricsStore.strongest`."""
        with self._turn() as store:
            return store.strongest(symbol, spans)

    def first_time(self, symbol: str) -> int | None:
        """See `MetricsStore.first_time`."""
        with self._turn() as store:
            return store.first_time(symbol)

    def sources_left_out(self, symbol: str) -> int:
        """See `PageQueries.sources_left_out`."""
        with self._turn() as store:
            return store.sources_left_out(symbol)

    def statuses(self) -> list[WorkerStatus]:
        """See `MetricsStore.statuses`."""
        with self._turn() as store:
            return store.statuses()

    def connect(self) -> None:
        """See `MetricsStore.connect`."""
        self._store.connect()

    def close(self) -> None:
        """See `MetricsStore.close`."""
        self._store.close()

    def write(self, points: Points) -> Written:
        """See `MetricsStore.write`."""
        return self._store.write(points)

    def write_status(self, status: WorkerStatus) -> None:
        """See `MetricsStore.write_status`."""
        self._store.write_status(status)
