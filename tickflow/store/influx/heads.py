"""Finds the symbols that have newer points from the rows of the last seconds, for a fifth of what it takes InfluxDB to
return the last point of every symbol.

Such rows do not show a tick whose time is long past. But the offsets of a partition show whether a point may be
missing: if every offset from the last known one on is there, no point up to the highest offset is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.store.influx.influxql import InfluxQL, Integer

OVERLAP_NS = 2 * 10**9
"""How far before the newest known point the rows begin, since ticks may come out of order."""
TOGETHER_NS = 60 * 10**9
"""A partition whose newest point is older than that of another by more than this is not followed."""
MOST_ROWS = 5_000

Moments = dict[str, tuple[int, int]]
"""For each symbol, the time and the offset of its last point."""
Row = tuple[int, int | None, int | None, str]
"""Time, offset, partition and symbol. While a write becomes visible, its offset or partition may be absent."""
_ROW: Any = tuple[Integer, Integer | None, Integer | None, str]
_ROWS = f'SELECT "offset", "partition", "symbol" FROM "{MEASUREMENT}" WHERE time >= $since LIMIT {MOST_ROWS + 1}'  # noqa: S608 - only our own names are inserted


@dataclass(slots=True)
class Heads:
    """For each partition, the highest offset and the newest time among known points."""

    offsets: dict[int, int]
    times: dict[int, int]

    @classmethod
    def of(cls, points: Points) -> "Heads":
        """The heads of these points."""
        heads = cls({}, {})
        for partition in np.unique(points.partition).tolist():
            own = points.partition == partition
            heads.offsets[partition] = int(points.offset[own].max())
            heads.times[partition] = int(points.time_ns[own].max())
        return heads

    @property
    def since_ns(self) -> int:
        """The time from which on all rows are read; there must be a point."""
        newest = max(self.times.values())
        return min(time for time in self.times.values() if newest - time <= TOGETHER_NS) - OVERLAP_NS

    def read(self, influxql: InfluxQL) -> Moments | None:
        """The last point of each symbol that has rows since `since_ns`; `None` if a point may be missing."""
        return self.follow(influxql.rows(_ROW, _ROWS, {"since": self.since_ns}))

    def follow(self, rows: Sequence[Row]) -> Moments | None:
        """What these rows show, and move on to them; `None`, and stay, if a point may be missing.

        >>> heads = Heads({0: 5}, {0: 100})
        >>> heads.follow([(100, 5, 0, "A"), (101, 6, 0, "B"), (103, 7, 0, "A")])
        {'A': (103, 7), 'B': (101, 6)}
        >>> heads.follow([(104, 9, 0, "A")]) is None
        True
        """
        new: dict[int, set[int]] = {}
        times: dict[int, int] = {}
        moments: Moments = {}
        for time_ns, offset, partition, symbol in rows:
            if offset is None or partition is None:
                continue
            new.setdefault(partition, set())
            times[partition] = max(time_ns, times.get(partition, time_ns))
            if offset > self.offsets.get(partition, -1):
                new[partition].add(offset)
            if (time_ns, offset) > moments.get(symbol, (time_ns, -1)):
                moments[symbol] = time_ns, offset
        if len(rows) > MOST_ROWS:
            return None
        for partition, offsets in new.items():
            if partition not in self.offsets or (offsets and max(offsets) - self.offsets[partition] != len(offsets)):
                return None
        for partition, offsets in new.items():
            self.offsets[partition] = max(offsets, default=self.offsets[partition])
            self.times[partition] = max(times[partition], self.times[partition])
        return moments
