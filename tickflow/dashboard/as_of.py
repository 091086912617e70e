"""The store as it was at a moment of a steered replay: without the points of that moment and of later ones.

A replay that readers moved back gives out no tick twice, so the store already has the ticks that lie ahead of it.
"""

from collections.abc import Sequence

from tickflow.dashboard.rationed import Rationed
from tickflow.metrics.points import Points
from tickflow.store.base import MetricsStore, Totals, WorkerStatus, Written
from tickflow.store.candles import Candles
from tickflow.store.digest import Digest, Outline
from tickflow.store.pixels import Pixels


class AsOf(MetricsStore):
    """The points of `store` before `moment_ns`; everything else is that of the store.

    `turn` names the jump that led there; it stays the same while the moment moves on from it.
    """

    def __init__(self, store: MetricsStore, moment_ns: int, turn: str = "") -> None:
        self.turn = turn
        self.stop = store.stop
        self.where = store.where
        self.moment_ns = moment_ns
        self._store = store

    @property
    def whole(self) -> "AsOf":
        """See `Rationed.whole`."""
        return AsOf(self._store.whole, self.moment_ns, self.turn) if isinstance(self._store, Rationed) else self

    def _end(self, until_ns: int | None = None) -> int:
        return self.moment_ns if until_ns is None else min(until_ns, self.moment_ns)

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """See `MetricsStore.points`."""
        return self._store.points(symbol, since_ns, self._end(until_ns), most)

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        """See `MetricsStore.newest`."""
        return self._store.newest(symbol, count, self._end(until_ns))

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        """See `MetricsStore.latest`."""
        return self._store.latest(symbols, most, self._end(until_ns))

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """See `MetricsStore.count`."""
        return self._store.count(symbol, since_ns, self._end(until_ns))

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        """See `MetricsStore.first_prices`."""
        return self._store.first_prices(since_ns, symbols, self._end(until_ns))

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """See `MetricsStore.last_prices`."""
        return self._store.last_prices(since_ns, self._end(until_ns), symbols)

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        """See `MetricsStore.totals`."""
        return self._store.totals(symbol, since_ns, self._end(until_ns))

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """See `MetricsStore.keeps`."""
        return self._store.keeps(time_ns, appended_ms)

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        """See `MetricsStore.anomalies`."""
        return self._store.anomalies(since_ns, count, symbols, self._end(until_ns))

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """See `MetricsStore.preceded`."""
        return self._store.preceded([(symbol, self._end(time_ns)) for symbol, time_ns in moments])

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        """See `MetricsStore.anomaly_counts`."""
        return self._store.anomaly_counts(since_ns, symbols, self._end(until_ns))

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """See `MetricsStore.trends`; a trend ends at the moment."""
        end = self._end(until_ns)
        return self._store.trends(since_ns, end, steps) if since_ns < end else {}

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """See `MetricsStore.digest`."""
        return self._store.digest(symbol, since_ns, self._end(until_ns), steps)

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """See `MetricsStore.outline`."""
        return self._store.outline(symbol, since_ns, self._end(until_ns), steps)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """See `MetricsStore.candles`; the last candle has only ticks before the moment."""
        return self._store.candles(symbol, since_ns, self._end(until_ns), width_ns)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """See `MetricsStore.pixels`; the last column has only ticks before the moment."""
        return self._store.pixels(symbol, since_ns, self._end(until_ns), width_ns)

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        """See `MetricsStore.at_most`."""
        return self._store.at_most(symbol, since_ns, self._end(until_ns), most)

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        """See `MetricsStore.strongest`."""
        begun = [(since_ns, self._end(until_ns)) for since_ns, until_ns in spans if since_ns < self.moment_ns]
        return self._store.strongest(symbol, begun)

    def symbol_count(self) -> int:
        """How many symbols there are, also those without a point before the moment."""
        return self._store.symbol_count()

    def first_time(self, symbol: str) -> int | None:
        """See `MetricsStore.first_time`."""
        first = self._store.first_time(symbol)
        return None if first is None or first >= self.moment_ns else first

    def sources_left_out(self, symbol: str) -> int:
        """See `PageQueries.sources_left_out`."""
        return self._store.sources_left_out(symbol)

    def statuses(self) -> list[WorkerStatus]:
        """See `MetricsStore.statuses`."""
        return self._store.statuses()

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
