"""The rows of the last minutes in memory, so that a refresh of many symbols does not read them from InfluxDB again.

For the overview, each refresh needs the first price and the number of anomalies in the range for every symbol that has
ticked, and each new anomaly with the flag of the point before it. For 200 of 2,000 symbols these four queries take
InfluxDB about 150 ms of its cores, to return what it has returned before.

`Latest` follows the newest rows and proves that it has missed none (see `heads`). While it does, `Recent` adds these
rows to those that it has read once, in the background. As soon as a row may be missing it forgets everything, and the
store answers from InfluxDB until the rows have been read again. So an answer from memory is the answer that InfluxDB
would give, with the exception that `latest` states for rewritten points.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.errors import StoreError
from tickflow.metrics.fields import Flags
from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.store.influx.influxql import InfluxQL, Integer
from tickflow.store.influx.latest import Listener

LONGEST_NS = 2 * 3_600 * 10**9
"""A range that begins longer than this before the newest point is left to InfluxDB."""
LEAST_NS = 20 * 60 * 10**9
"""At least this much time is read: enough for the page's default range."""
MOST_ROWS = 300_000
"""The maximum number of rows in memory: about 8 MB. InfluxDB takes about 1 s to return them."""
MOST_FLAGGED = 5_000
SETTLED_SECONDS = 1.0
"""How long after the last possibly missed row the rows are read: by then every part of an earlier write is visible."""
AGAIN_SECONDS = 10.0
"""How long to wait after rows could not be read, or were too many."""

_ROWS = f'SELECT "price", "is_anomaly", "symbol" FROM "{MEASUREMENT}" WHERE time >= $since LIMIT {MOST_ROWS + 1}'  # noqa: S608 - only our own name is inserted
_ROW: Any = tuple[Integer, float | None, bool | None, str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows from `begin_ns` on, in time order; `which` is the index of a row's symbol in `names`. Two points of one
    symbol with the same time, which need two sources, count as one.

    `flagged` has the anomalies among them, as complete points from `flagged_ns` on.
    """

    begin_ns: int
    names: dict[str, int]
    time_ns: Ints
    which: Ints
    price: Floats
    is_anomaly: Flags
    flagged_ns: int
    flagged: Points

    def with_points(self, points: Points) -> "Rows":
        """These rows and those of `points`; a point replaces the row with its symbol and time."""
        if not len(points):
            return self
        if points.time_ns.min() < self.begin_ns:
            return self.with_points(points.take(np.flatnonzero(points.time_ns >= self.begin_ns)))
        names = self.names | {
            name: len(self.names) + at for at, name in enumerate(sorted(set(points.symbol) - self.names.keys()))
        }
        which = np.array([names[symbol] for symbol in points.symbol], dtype=np.int64)
        settled = int(np.searchsorted(self.time_ns, points.time_ns.min()))
        # The sort is stable, so of rows with the same time and symbol the last one is that of `points`.
        columns = [
            np.concatenate([old[settled:], new])
            for old, new in (
                (self.time_ns, points.time_ns),
                (self.which, which),
                (self.price, points.price),
                (self.is_anomaly, points.is_anomaly),
            )
        ]
        order = np.lexsort((columns[1], columns[0]))
        times, symbols = columns[0][order], columns[1][order]
        stays = np.append((times[1:] != times[:-1]) | (symbols[1:] != symbols[:-1]), True)
        tails = [column[order][stays] for column in columns]
        time_ns, which, price, is_anomaly = (
            np.concatenate([old[:settled], tail])
            for old, tail in zip((self.time_ns, self.which, self.price, self.is_anomaly), tails, strict=True)
        )
        return replace(
            self,
            names=names,
            time_ns=time_ns,
            which=which,
            price=price,
            is_anomaly=is_anomaly,
            flagged=_with_flagged(self.flagged, points),
        )

    def later(self, begin_ns: int) -> "Rows":
        """The rows from `begin_ns` on."""
        at = int(np.searchsorted(self.time_ns, begin_ns))
        return replace(
            self,
            begin_ns=begin_ns,
            time_ns=self.time_ns[at:],
            which=self.which[at:],
            price=self.price[at:],
            is_anomaly=self.is_anomaly[at:],
            flagged_ns=max(begin_ns, self.flagged_ns),
            flagged=self.flagged.take(np.flatnonzero(self.flagged.time_ns >= begin_ns)),
        )

    def first_prices(self, since_ns: int, symbols: Sequence[str] | None) -> dict[str, float]:
        """See `MetricsStore.first_prices`."""
        at = int(np.searchsorted(self.time_ns, since_ns))
        first = np.full(len(self.names), np.nan)
        first[self.which[at:][::-1]] = self.price[at:][::-1]  # of several prices for one symbol the last one stays
        found = {symbol: float(first[at]) for symbol, at in self._named(symbols)}
        return {symbol: price for symbol, price in found.items() if price == price}

    def anomaly_counts(self, since_ns: int, symbols: Sequence[str] | None) -> dict[str, int]:
        """See `MetricsStore.anomaly_counts`."""
        at = int(np.searchsorted(self.time_ns, since_ns))
        counts = np.bincount(self.which[at:][self.is_anomaly[at:]], minlength=len(self.names))
        found = {symbol: int(counts[at]) for symbol, at in self._named(symbols)}
        return {symbol: count for symbol, count in found.items() if count}

    def _named(self, symbols: Sequence[str] | None) -> Iterable[tuple[str, int]]:
        """These symbols (all by default) and their indices, without unknown symbols."""
        if symbols is None:
            return self.names.items()
        return [(symbol, self.names[symbol]) for symbol in symbols if symbol in self.names]

    def anomalies(self, since_ns: int, count: int, symbols: Sequence[str] | None) -> Points:
        """See `MetricsStore.anomalies`."""
        inside = np.flatnonzero(self.flagged.time_ns >= since_ns)
        if symbols is not None:
            wanted = frozenset(symbols)
            inside = np.array([at for at in inside.tolist() if self.flagged.symbol[at] in wanted], dtype=np.int64)
        return self.flagged.take(inside[max(0, len(inside) - count) :])

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool | None]:
        """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly; `None` if
        it is not in memory.
        """
        # NumPy sorts 16-bit numbers in linear time.
        keys = self.which.astype(np.uint16) if len(self.names) < 2**16 else self.which
        order = np.argsort(keys, kind="stable")
        wanted = [self.names.get(symbol, len(self.names)) for symbol, _ in moments]
        bounds = (np.searchsorted(keys[order], wanted, side).tolist() for side in ("left", "right"))
        found: list[bool | None] = []
        for (_, time_ns), begin, end in zip(moments, *bounds, strict=True):
            own = order[begin:end]
            at = int(np.searchsorted(self.time_ns[own], time_ns))
            found.append(bool(self.is_anomaly[own[at - 1]]) if at else None)
        return found


def _with_flagged(flagged: Points, points: Points) -> Points:
    new = points.take(np.flatnonzero(points.is_anomaly))
    new = new.take(np.argsort(new.time_ns, kind="stable"))
    if not len(flagged) or points.time_ns.min() > flagged.time_ns[-1]:
        return Points.joined([flagged, new]) if len(new) else flagged
    settled = int(np.searchsorted(flagged.time_ns, points.time_ns.min()))
    came = set(zip(points.symbol, points.time_ns.tolist(), strict=True))
    tail = flagged.take(slice(settled, len(flagged)))
    rows = enumerate(zip(tail.symbol, tail.time_ns.tolist(), strict=True))
    tail = Points.joined([tail.take([at for at, row in rows if row not in came]), new])
    return Points.joined([flagged.take(slice(0, settled)), tail.take(np.argsort(tail.time_ns, kind="stable"))])


class Recent(Listener):
    """The rows of the last minutes; each answer is `None` if they do not suffice. Thread-safe."""

    def __init__(
        self,
        influxql: InfluxQL,
        flagged: Callable[[int, int], Points],
        monotonic: Callable[[], float] = time.monotonic,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._influxql = influxql
        self._flagged = flagged
        self._monotonic = monotonic
        self._most_rows = most_rows
        self._lock = threading.Lock()
        self._rows: Rows | None = None
        self._newest_ns: int | None = None
        self._came: list[Points] | None = None
        self._turn = 0
        self._asked_at = float("-inf")
        self._began_at = float("inf")
        self.loading: threading.Thread | None = None

    def lost(self) -> None:
        """From now on, points may be missed."""
        with self._lock:
            self._turn += 1
            self._rows = self._came = self._newest_ns = None

    def began(self, points: Points) -> None:
        """From now on, every new point comes to `took`; `points` are the newest of each symbol."""
        self.lost()
        with self._lock:
            self._newest_ns = int(points.time_ns.max())
            self._began_at = self._monotonic()

    def took(self, points: Points) -> None:
        """These points are new."""
        with self._lock:
            if self._newest_ns is None or not len(points):
                return
            self._newest_ns = max(self._newest_ns, int(points.time_ns.max()))
            if self._came is not None:
                self._came.append(points)
            if self._rows is not None:
                self._rows = self._bounded(self._rows.with_points(points))

    @property
    def rows(self) -> Rows | None:
        """The rows in memory, if any."""
        with self._lock:
            return self._rows

    def since(self, since_ns: int) -> Rows | None:
        """The rows, if all from `since_ns` on are there. Otherwise they are read in the background, if they are
        recent.
        """
        with self._lock:
            if self._rows is not None and since_ns >= self._rows.begin_ns:
                return self._rows
            newest, now = self._newest_ns, self._monotonic()
            is_settled = now - self._began_at >= SETTLED_SECONDS and now - self._asked_at >= AGAIN_SECONDS
            if newest is not None and newest - since_ns <= LONGEST_NS and is_settled and self._came is None:
                self._asked_at = now
                self._came = []
                since_ns = min(since_ns, newest - LEAST_NS)
                self.loading = threading.Thread(
                    target=self._load, args=(self._turn, since_ns), name="recent", daemon=True
                )
                self.loading.start()
        return None

    def _load(self, turn: int, since_ns: int) -> None:
        rows = None
        try:
            with suppress(StoreError):  # the refreshes themselves fail with the same error
                rows = self._read(since_ns)
        finally:
            with self._lock:
                if turn == self._turn:
                    came, self._came = self._came or [], None
                    if rows is not None:
                        for points in came:
                            rows = rows.with_points(points)
                        self._rows = self._bounded(rows)
                        self._asked_at = float("-inf")

    def _read(self, since_ns: int) -> Rows | None:
        # The anomalies first: the point before each of them is then among the rows.
        flagged = self._flagged(since_ns, MOST_FLAGGED)
        is_cut = len(flagged) == MOST_FLAGGED
        # A row without one of the fields is not completely visible yet; it comes to `took` later.
        found = [row for row in self._influxql.rows(_ROW, _ROWS, {"since": since_ns}) if None not in row]
        if len(found) > self._most_rows:
            return None
        times, prices, flags, symbols = list(zip(*found, strict=True)) or [()] * 4
        names = {name: at for at, name in enumerate(sorted(set(symbols)))}
        return Rows(
            begin_ns=since_ns,
            names=names,
            time_ns=np.array(times, dtype=np.int64),
            which=np.array([names[symbol] for symbol in symbols], dtype=np.int64),
            price=np.array(prices, dtype=np.float64),
            is_anomaly=np.array(flags, dtype=np.bool_),
            flagged_ns=int(flagged.time_ns[0]) + 1 if is_cut else since_ns,
            flagged=flagged,
        )

    def _bounded(self, rows: Rows) -> Rows:
        """The rows without the oldest half if they are too many."""
        if len(rows.time_ns) <= self._most_rows:
            return rows
        return rows.later(int(rows.time_ns[len(rows.time_ns) // 2]))
