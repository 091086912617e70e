"""The newest point of each symbol in InfluxDB, kept from one read to the next.

Each read asks for the time and the offset of every symbol's last point, and for the points that are not known yet. It
does not ask for what is newer than some moment: partitions lag behind one another by any length, and a tick may come
with any time of its own. That would not be cheaper either, since what costs InfluxDB is how many series and fields a
query touches, not how much of them it finds: 2,000 symbols take it 50 ms, their whole points 130.

A query that runs beside a write may see a later record of it and not an earlier one of another symbol. Readers that
go by offsets would miss that one for good, so what changed is asked for once more: see `_complete`.

So a point that is stored when a read begins is told by it. Only a point that was written again with other values under
its time and offset (after a change of ANOMALY_THRESHOLD, say) may be told as it was, for `WHOLE_EVERY` seconds at most
or until the symbol's next tick.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tickflow.points import MEASUREMENT, Points
from tickflow.store.influxql import InfluxQL, Integer, named
from tickflow.store.latest import places, replaced
from tickflow.store.point_rows import SELECTED, PointRow, points_of
from tickflow.store.visibility import whole

WHOLE_EVERY = 60.0
ATTEMPTS = 3
MOST_NAMED = 1_000
"""Of more symbols, it is quicker to ask for all and to choose here."""

_Moment: Any = tuple[Integer, Integer]
_MOMENTS = f'SELECT last("offset") FROM "{MEASUREMENT}" GROUP BY "symbol"'  # noqa: S608 - a name of our own


class Latest:
    """What `MetricsStore.latest` says, for all readers of a store. Thread-safe."""

    def __init__(self, influxql: InfluxQL, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._influxql = influxql
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._points = Points.from_rows([])
        self._moments: dict[str, list[tuple[int, int]]] = {}
        self._begun_at = self._whole_at = float("-inf")

    def read(self) -> Points:
        """The newest point of each symbol, in the order of the symbols' names."""
        asked = self._monotonic()
        with self._lock:
            if self._begun_at <= asked:  # else it was read for another reader, since this one asked
                begun = self._monotonic()
                self._read(begun)
                self._begun_at = begun
            return self._points

    def _read(self, begun: float) -> None:
        moments: dict[str, list[tuple[int, int]]] = self._influxql.grouped(_Moment, _MOMENTS)
        changed = [symbol for symbol, moment in moments.items() if self._moments.get(symbol) != moment]
        others = moments.keys() != self._moments.keys()
        if others or begun - self._whole_at >= WHOLE_EVERY or len(changed) > MOST_NAMED:
            self._points = of(self._influxql)
            self._whole_at = begun
        elif changed:
            self._take_in(changed)
        self._moments = moments
        if changed:
            self._complete()

    def _complete(self) -> None:
        """Take in the points that precede one of those known in its partition's log, and showed later."""
        for _ in range(ATTEMPTS):
            place = places(self._points)
            newest: dict[int, int] = {}
            for partition, offset in zip(self._points.partition.tolist(), self._points.offset.tolist(), strict=True):
                newest[partition] = max(offset, newest.get(partition, -1))
            moments: dict[str, list[tuple[int, int]]] = self._influxql.grouped(_Moment, _MOMENTS)
            late = [
                symbol
                for symbol, moment in moments.items()
                if symbol in place
                and self._moments[symbol] != moment
                and moment[0][1] <= newest[int(self._points.partition[place[symbol]])]
            ]
            if not late:
                break
            self._take_in(late)
            self._moments |= {symbol: moments[symbol] for symbol in late}

    def _take_in(self, symbols: Sequence[str]) -> None:
        place = places(self._points)
        newer = of(self._influxql, symbols)
        known = [at for at, symbol in enumerate(newer.symbol) if symbol in place]
        self._points = replaced(self._points, place, newer.take(known))


def of(influxql: InfluxQL, symbols: Sequence[str] | None = None) -> Points:
    """The newest point of each of these symbols, by default of all, in the order of their names."""
    condition, params = named(symbols if symbols is None or len(symbols) <= MOST_NAMED else None)
    query = (
        f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE {condition} '  # noqa: S608 - names of our own, values are bound
        'GROUP BY "symbol" ORDER BY time DESC LIMIT 1'
    )
    wanted = None if symbols is None else frozenset(symbols)

    def read() -> tuple[Points, int]:
        rows = [row for row in influxql.rows(PointRow, query, params) if wanted is None or row[1] in wanted]
        return points_of(sorted(rows, key=lambda row: str(row[1])))

    return whole(read)
