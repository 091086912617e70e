"""Finds the symbols that have newer points from the rows of the last seconds, for a fifth of what it takes InfluxDB to
return the last point of every symbol.

Such rows do not show a tick whose time is long past. But the offsets of a partition show whether a point may be
missing: if every offset from the last known one on is there, no point up to the highest offset is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.store.influx.influxql import InfluxQL, Integer

OVERLAP_NS = 2 * 10**9
"""How far before the newest known point the rows begin, since ticks may come out of order."""
TOGETHER_NS = 10 * 10**9
"""A partition whose newest point is older than that of another by more than this is quiet, or lags and is not
followed.
"""
MOST_ROWS = 5_000
_FIRST_NS = -(2**63)

Moments = dict[str, tuple[int, int]]
"""For each symbol, the time and the offset of its last point."""
Row = tuple[int, int | None, str]
"""Time, offset and symbol. While a write becomes visible, its offset may be absent."""
_ROW: Any = tuple[Integer, Integer | None, str]
_ROWS = f'SELECT "offset", "symbol" FROM "{MEASUREMENT}" WHERE time >= $since LIMIT {MOST_ROWS + 1}'  # noqa: S608 - only our own names are inserted


@dataclass(frozen=True, slots=True)
class Came:
    """What rows show: `symbols` have new points, all of them at or after `since_ns`; `heads` are those after them."""

    symbols: frozenset[str]
    since_ns: int
    heads: "Heads"


@dataclass(frozen=True, slots=True)
class Heads:
    """For each partition, the highest offset and the newest time among known points."""

    offsets: Mapping[int, int] = field(default_factory=dict)
    times: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, points: Points) -> "Heads":
        """The heads of these points."""
        offsets, times = {}, {}
        for partition in np.unique(points.partition).tolist():
            own = points.partition == partition
            offsets[partition] = int(points.offset[own].max())
            times[partition] = int(points.time_ns[own].max())
        return cls(offsets, times)

    @property
    def since_ns(self) -> int:
        """The time from which on all rows are read; without points, one before all of them."""
        newest = max(self.times.values(), default=_FIRST_NS)
        oldest = min((time for time in self.times.values() if newest - time <= TOGETHER_NS), default=newest)
        return oldest - OVERLAP_NS if self.times else _FIRST_NS

    def read(self, influxql: InfluxQL, partitions: Mapping[str, int], moments: Moments) -> Came | None:
        """What `follow` returns for the rows since `since_ns`."""
        return self.follow(influxql.rows(_ROW, _ROWS, {"since": self.since_ns}), partitions, moments)

    def follow(self, rows: Sequence[Row], partitions: Mapping[str, int], moments: Moments) -> Came | None:
        """What is new among these rows; `None` if a point or a symbol may be missing.

        `partitions` has the partition of each symbol, as last known: reading it with each row would take InfluxDB half
        as long again. If a symbol has moved to another partition, its offset there looks old or leaves a gap. If a
        partition was recreated, its offsets look old too. An offset that looks old tells of something unknown if the
        point is newer than the symbol's last one in `moments`.

        >>> heads, partitions, moments = Heads({0: 5}, {0: 100}), {"A": 0, "B": 0}, {"A": (100, 5), "B": (90, 4)}
        >>> came = heads.follow([(100, 5, "A"), (101, 6, "B"), (103, 7, "A")], partitions, moments)
        >>> sorted(came.symbols), came.since_ns, came.heads
        (['A', 'B'], 101, Heads(offsets={0: 7}, times={0: 103}))
        >>> heads.follow([(104, 7, "A")], partitions, moments) is None
        True
        >>> heads.follow([(104, 0, "A")], partitions, moments) is None
        True
        """
        if len(rows) > MOST_ROWS:
            return None
        new: dict[int, set[int]] = {}
        times = dict(self.times)
        symbols: set[str] = set()
        since_ns = self.since_ns
        for time_ns, offset, symbol in rows:
            partition = partitions.get(symbol)
            if partition is None or partition not in self.offsets:
                return None
            if offset is None:
                continue
            times[partition] = max(time_ns, times[partition])
            if offset > self.offsets[partition]:
                since_ns = min(since_ns, time_ns) if symbols else time_ns
                symbols.add(symbol)
                new.setdefault(partition, set()).add(offset)
            elif (time_ns, offset) > moments[symbol]:
                return None
        if any(max(offsets) - self.offsets[partition] != len(offsets) for partition, offsets in new.items()):
            return None
        heads = Heads({**self.offsets, **{partition: max(of) for partition, of in new.items()}}, times)
        return Came(frozenset(symbols), since_ns, heads)

    def between(self, points: Points, heads: "Heads") -> Points | None:
        """Those of `points` that came after these heads and up to `heads`; `None` if one is missing."""
        before, after = (_per_point(points, each.offsets) for each in (self, heads))
        inside = points.take(np.flatnonzero((points.offset > before) & (points.offset <= after)))
        wanted = sum(offset - self.offsets[partition] for partition, offset in heads.offsets.items())
        found = set(zip(inside.partition.tolist(), inside.offset.tolist(), strict=True))
        return inside if len(found) == len(inside) == wanted else None


def _per_point(points: Points, offsets: Mapping[int, int]) -> Ints:
    """For each point, the offset of its partition; -1 for an unknown partition."""
    return np.array([offsets.get(partition, -1) for partition in points.partition.tolist()], dtype=np.int64)
