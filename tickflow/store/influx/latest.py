"""The newest point of each symbol in InfluxDB, cached between reads.

Each read requests the time and the offset of the last point of every symbol, then the points that the cache lacks. For
2,000 symbols the times take 50 ms, the complete points would take 130 ms.

A query that runs during a write may see one of its later records and miss an earlier record of another symbol. A reader
that continues from the highest offset would never see the missed record. So the points are read exactly at the times
that the first query returned, and the times are requested again until no point is missing that precedes a found point
in the log of its partition.

With many symbols, the page's reads find the changed symbols in the rows of the last seconds, which takes a fifth of the
time, and read all new points of these symbols. Partitions may lag behind one another by any amount, and a tick may have
any time: so the rows are enough only if no point is missing that precedes one of them in its partition (see `heads`).
Points of other partitions and of other times are seen when the times are requested, every `ASK_EVERY_SECONDS`. If there
was one, the reads of the next minute request the times too. A `Listener` learns every new point while none is missing.

Otherwise a read returns every point that was stored when the read began; if a later point of the same symbol arrives
meanwhile, the next read returns that one. There is one exception: a point that was rewritten with different values at
the same time and offset (say after a change of ANOMALY_THRESHOLD) may be returned in its old form until the symbol's
next tick or for at most `WHOLE_EVERY_SECONDS` seconds.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tickflow.errors import StoreError, StoreUnavailable
from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.store.deadline import is_over
from tickflow.store.influx.heads import Came, Heads, Moments
from tickflow.store.influx.influxql import MOST_NAMED, InfluxQL, Integer, Value, named
from tickflow.store.influx.point_rows import SELECTED, PointRow, points_of
from tickflow.store.influx.visibility import Row, whole
from tickflow.store.latest import places, replaced

WHOLE_EVERY_SECONDS = 60.0
ATTEMPTS = 3
ASK_EVERY_SECONDS = 10.0
SOME = 200
"""With at least this many symbols, the page's reads look at the rows of the last seconds."""
MANY = 3_000
SLOW_SECONDS = 0.3
"""With more than `MANY` symbols, or after a read that took longer than `SLOW_SECONDS`, readers do not wait: see
`Latest.read`.
"""

STATEMENTS = 100
"""The maximum number of symbols whose points are read in one request."""

_MomentRow: Any = tuple[Integer, Integer]
_MOMENTS = f'SELECT last("offset") FROM "{MEASUREMENT}" GROUP BY "symbol"'  # noqa: S608 - only our own name is inserted


class Listener:
    """Learns which points are new; this one ignores them."""

    def lost(self) -> None:
        """From now on, points may be missed."""

    def began(self, points: Points) -> None:
        """From now on, every new point comes to `took`; `points` are the newest of each symbol."""

    def took(self, points: Points) -> None:
        """These points are new."""


class Latest:
    """The answer to `MetricsStore.latest`, shared by all readers of a store. Thread-safe.

    `most`: only the first `most` symbols.
    """

    def __init__(
        self,
        influxql: InfluxQL,
        monotonic: Callable[[], float] = time.monotonic,
        most: int | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._most = most
        self._listener = listener or Listener()
        self._is_complete = False
        self._behind: threading.Thread | None = None
        self._influxql = influxql
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._points = Points.from_rows([])
        self._place: dict[str, int] = {}
        self._moments: Moments = {}
        self._took = self._whole_took = 0.0
        self._begun_at = self._whole_at = self._asked_at = float("-inf")
        self._follow_from = float("-inf")
        self._heads = Heads()
        self._failure: StoreError | None = None

    def read(self) -> Points:
        """The newest point of each symbol, ordered by symbol.

        If only the first `most` symbols are wanted, and reads take long (or a full read is due and the last one took
        long), it returns the result of the last read and starts a new read in the background.
        """
        if self._most is None:
            return self._read_now()
        if len(self._points) > MANY or self._took > SLOW_SECONDS or self._is_long_read_due():
            self._read_behind()
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return self._points
        try:
            return self._read_now()
        except StoreUnavailable:
            if is_over():
                self._read_behind()  # without the time limit of this request, since the result also serves later ones
            raise

    def _is_long_read_due(self) -> bool:
        return self._whole_took > SLOW_SECONDS and self._monotonic() - self._whole_at >= WHOLE_EVERY_SECONDS

    def _read_behind(self) -> None:
        if self._behind is None or not self._behind.is_alive():
            self._behind = threading.Thread(target=self._try, name="latest", daemon=True)
            self._behind.start()

    def _try(self) -> None:
        with suppress(StoreError):
            self._read_now()

    def _read_now(self) -> Points:
        asked = self._monotonic()
        with self._lock:
            if self._begun_at <= asked:  # otherwise another reader has read the points while this one waited
                begun = self._monotonic()
                self._failure = None
                try:
                    self._read(begun)
                except StoreError as error:
                    self._failure = error
                    self._asked_at = float("-inf")  # what a read took in before it failed may lack points
                self._begun_at = begun
                self._took = self._monotonic() - begun
            if self._failure is not None:  # also for the readers that waited: they need not query again
                raise self._failure.with_traceback(None)
            return self._points

    def _read(self, begun: float) -> None:
        if self._is_followed(begun):
            if self._follow() and (begun - self._asked_at < ASK_EVERY_SECONDS or self._is_confirmed(begun)):
                return
            self._follow_from = begun + ASK_EVERY_SECONDS
        self._is_complete = False
        self._listener.lost()
        if self._moments:
            moments = self._ask()
            self._asked_at = begun
            changed = [symbol for symbol, moment in moments.items() if self._moments.get(symbol) != moment]
            if any(moments[symbol][0] < self._heads.since_ns for symbol in changed):
                self._follow_from = begun + WHOLE_EVERY_SECONDS
            others = moments.keys() != self._moments.keys()
            if others or begun - self._whole_at >= WHOLE_EVERY_SECONDS or len(changed) > MOST_NAMED:
                self._take_whole(begun, moments)
            else:
                self._take_in(moments, changed)
            self._moments = moments
        else:
            self._asked_at = begun
            changed = self._take_first(begun)
        for _ in range(ATTEMPTS if changed else 0):
            late = self._late(moments := self._ask())
            self._take_in(moments, late)
            self._moments |= {symbol: moments[symbol] for symbol in late}
            if not late:
                break
        self._heads = Heads.of(self._points)

    def _take_whole(self, begun: float, moments: Moments) -> None:
        self._points = self._at(moments)
        self._place = places(self._points)
        self._whole_at = begun
        self._whole_took = self._monotonic() - begun

    def _take_first(self, begun: float) -> list[str]:
        """Take in the newest points, where nothing is known yet: without requesting their times before, which for
        10,000 symbols takes InfluxDB half a second.
        """
        self._points = of(self._influxql, slimit=self._slimit)
        self._place = places(self._points)
        times, offsets = self._points.time_ns.tolist(), self._points.offset.tolist()
        self._moments = dict(zip(self._points.symbol, zip(times, offsets, strict=True), strict=True))
        self._whole_at = begun
        self._whole_took = self._monotonic() - begun
        return list(self._points.symbol)

    def _is_followed(self, begun: float) -> bool:
        """Whether the rows of the last seconds may be enough for this read."""
        return (
            self._most is not None
            and len(self._points) >= SOME
            and begun - self._whole_at < WHOLE_EVERY_SECONDS
            and begun >= self._follow_from
        )

    def _follow(self) -> bool:
        """Take in what the rows of the last seconds show; `False` if a point or a symbol may be missing."""
        partitions = dict(zip(self._points.symbol, self._points.partition.tolist(), strict=True))
        came = self._heads.read(self._influxql, partitions, self._moments)
        if came is None or len(came.symbols) > MOST_NAMED:
            return False
        if came.symbols:
            new = self._heads.between(self._came(came), came.heads)
            if new is None:
                return False
            self._take_new(new)
            if self._is_complete:
                self._listener.took(new)
        self._heads = came.heads  # only now: if a query failed, these points would not be read again
        if not self._is_complete:
            # What a full read finds are last points: a late tick may have a higher offset than all of them. From here
            # on, the heads have the highest offset of each partition.
            self._is_complete = True
            self._listener.began(self._points)
        return True

    def _came(self, came: Came) -> Points:
        """All points of the symbols that have new ones, from the first new one on, in time order."""
        condition, params = named(sorted(came.symbols))
        query = f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE {condition} AND time >= $since'  # noqa: S608 - only our own names are inserted; values are bound
        params |= {"since": came.since_ns}
        return whole(lambda: points_of(self._influxql.rows(PointRow, query, params)), excused=self._influxql.excused)

    def _take_new(self, new: Points) -> None:
        """Put the last of the new points of each symbol in the place of an older one."""
        last: dict[str, int] = {}
        for at, moment in enumerate(zip(new.symbol, new.time_ns.tolist(), new.offset.tolist(), strict=True)):
            symbol, time_ns, offset = moment
            if (time_ns, offset) > self._moments[symbol]:
                self._moments[symbol] = time_ns, offset
                last[symbol] = at
        self._points = replaced(self._points, self._place, new.take(list(last.values())))

    def _is_confirmed(self, begun: float) -> bool:
        """Whether the last points of all symbols are those that were taken in, except for points that came since."""
        moments = self._ask()
        self._asked_at = begun
        partitions = self._points.partition.tolist()
        return moments.keys() == self._moments.keys() and all(
            moment == self._moments[symbol]
            or (moment[0] >= self._heads.since_ns and moment[1] > self._heads.offsets[partitions[self._place[symbol]]])
            for symbol, moment in moments.items()
        )

    def _late(self, moments: Moments) -> list[str]:
        """The symbols whose last point is not cached although a later record of the same partition is."""
        partitions = self._points.partition.tolist()
        known: dict[int, int] = {}
        for partition, offset in zip(partitions, self._points.offset.tolist(), strict=True):
            known[partition] = max(offset, known.get(partition, -1))
        return [
            symbol
            for symbol, moment in moments.items()
            if self._moments.get(symbol) != moment
            and symbol in self._place
            and moment[1] <= known[partitions[self._place[symbol]]]
        ]

    def _take_in(self, moments: Moments, symbols: Sequence[str]) -> None:
        """Read the points of `symbols` at the times in `moments`; in the cache they replace the older points of these
        symbols.
        """
        if symbols:
            newer = self._at(moments, symbols)
            known = [at for at, symbol in enumerate(newer.symbol) if symbol in self._place]
            self._points = replaced(self._points, self._place, newer.take(known))

    def _ask(self) -> Moments:
        found = self._influxql.grouped(_MomentRow, _MOMENTS + self._slimit)
        return {symbol: rows[0] for symbol, rows in found.items() if rows}

    def _at(self, moments: Moments, symbols: Sequence[str] | None = None) -> Points:
        """The points of `symbols` (all by default) at the times in `moments`, ordered by symbol."""
        if not moments:
            return Points.from_rows([])
        wanted = moments if symbols is None else {symbol: moments[symbol] for symbol in symbols}
        until = max(time_ns for time_ns, _ in wanted.values()) + 1
        found = of(self._influxql, symbols, until_ns=until, slimit=self._slimit if symbols is None else "")
        rows = zip(found.symbol, found.time_ns.tolist(), found.offset.tolist(), strict=True)
        right = {symbol: at for at, (symbol, *moment) in enumerate(rows) if wanted.get(symbol) == tuple(moment)}
        others = [symbol for symbol in sorted(wanted) if symbol not in right]
        if not others:
            return found
        # These symbols have a newer point by now, which is older than the last point of another symbol.
        parts = [found.take(list(right.values()))]
        parts += [
            self._exactly({symbol: wanted[symbol] for symbol in others[start : start + STATEMENTS]})
            for start in range(0, len(others), STATEMENTS)
        ]
        points = Points.joined(parts)
        return points.take(sorted(range(len(points)), key=lambda at: points.symbol[at]))

    @property
    def _slimit(self) -> str:
        """The clause that limits a query to the first symbols by name: InfluxDB sorts series by their tags."""
        return "" if self._most is None else f" SLIMIT {self._most}"

    def _exactly(self, moments: Moments) -> Points:
        params: dict[str, Value] = {f"s{i}": symbol for i, symbol in enumerate(moments)}
        params |= {f"t{i}": time_ns for i, (time_ns, _) in enumerate(moments.values())}
        queries = [
            f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE "symbol" = $s{i} AND time = $t{i} '  # noqa: S608 - only our own names are inserted; values are bound
            f'AND "offset" = {offset} LIMIT 1'
            for i, (_, offset) in enumerate(moments.values())
        ]
        return whole(
            lambda: points_of([row for rows in self._influxql.each(PointRow, queries, params) for row in rows]),
            excused=self._influxql.excused,
        )


def of(
    influxql: InfluxQL, symbols: Sequence[str] | None = None, until_ns: int | None = None, slimit: str = ""
) -> Points:
    """The newest point before `until_ns` of each of these symbols (all by default), ordered by symbol."""
    condition, params = named(symbols)
    if until_ns is not None:
        condition, params = f"{condition} AND time < $until", params | {"until": until_ns}
    query = (
        f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE {condition} '  # noqa: S608 - only our own names are inserted; values are bound
        f'GROUP BY "symbol" ORDER BY time DESC LIMIT 1{slimit}'
    )
    wanted = None if symbols is None else frozenset(symbols)

    def read() -> tuple[Points, list[Row]]:
        rows = [row for row in influxql.rows(PointRow, query, params) if wanted is None or row[1] in wanted]
        return points_of(sorted(rows, key=lambda row: str(row[1])))

    return whole(read, excused=influxql.excused)
