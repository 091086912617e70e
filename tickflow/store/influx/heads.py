"""Finds the symbols that have newer points from the rows of the last seconds, for a fifth of what it takes InfluxDB to
return the last point of every symbol.

Such rows do not show a tick whose time is long past. But the offsets of a partition show whether a point may be
missing: if every offset from the last known one on is there, no point up to the highest offset is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
Row = tuple[int, int | None, int | None, str]
"""Time, offset, partition and symbol. While a write becomes visible, its offset or partition may be absent."""
_ROW: Any = tuple[Integer, Integer | None, Integer | None, str]
_ROWS = f'SELECT "offset", "partition", "symbol" FROM "{MEASUREMENT}" WHERE time >= $since LIMIT {MOST_ROWS + 1}'  # noqa: S608 - only our own names are inserted


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

    def read(self, influxql: InfluxQL) -> "tuple[Moments, Heads] | None":
        """What `follow` returns for the rows since `since_ns`."""
        return self.follow(influxql.rows(_ROW, _ROWS, {"since": self.since_ns}))

    def follow(self, rows: Sequence[Row]) -> "tuple[Moments, Heads] | None":
        """The last point of each symbol among these rows, and the heads after them; `None` if a point may be missing.

        >>> heads = Heads({0: 5}, {0: 100})
        >>> heads.follow([(100, 5, 0, "A"), (101, 6, 0, "B"), (103, 7, 0, "A")])
        ({'A': (103, 7), 'B': (101, 6)}, Heads(offsets={0: 7}, times={0: 103}))
        >>> heads.follow([(104, 7, 0, "A")]) is None
        True
        """
        if len(rows) > MOST_ROWS:
            return None
        new: dict[int, set[int]] = {}
        times = dict(self.times)
        moments: Moments = {}
        for time_ns, offset, partition, symbol in rows:
            if offset is None or partition is None:
                continue
            if partition not in self.offsets:
                return None
            times[partition] = max(time_ns, times[partition])
            if offset > self.offsets[partition]:
                new.setdefault(partition, set()).add(offset)
            if (time_ns, offset) > moments.get(symbol, (time_ns, -1)):
                moments[symbol] = time_ns, offset
        if any(max(offsets) - self.offsets[partition] != len(offsets) for partition, offsets in new.items()):
            return None
        return moments, Heads({**self.offsets, **{partition: max(of) for partition, of in new.items()}}, times)
