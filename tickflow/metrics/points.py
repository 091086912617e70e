"""Points: what is stored per tick in `stock_metrics`, and its identity.

The identity of a point is (symbol, source, time). Its time is the event time, with the log position in the digits below
the event's resolution, so that ticks of one instant do not overwrite each other while a rewrite of the same record
overwrites itself. It is unique while the ticks of one symbol and one instant lie within `slot` consecutive offsets of
their partition (a million for times of whole milliseconds, else a thousand).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.fields import NAMES, TABLE, TICK_COLUMNS, Columns, Kind
from tickflow.metrics.measures import Metrics
from tickflow.ticks.tick import TickBatch

MEASUREMENT = "stock_metrics"
_KINDS = {each.name: each.kind for each in TABLE}
_TYPES = {Kind.FLOAT: np.float64, Kind.INTEGER: np.int64, Kind.TIME: np.int64, Kind.BOOLEAN: np.bool_}


@dataclass(frozen=True, slots=True)
class Points(Columns):
    """Points as columns of equal length, which the table in `tickflow/metrics/fields.py` declares."""

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def of(cls, partition: int | Ints, ticks: TickBatch, metrics: Metrics) -> Self:
        """The points of ticks and their metrics; `partition` is one number for all ticks, or one per tick."""
        values: dict[str, object] = {name: getattr(ticks, column) for name, column in TICK_COLUMNS.items()}
        values |= metrics.columns
        values |= {
            "time_ns": point_time(ticks.time_us, ticks.offsets),
            "partition": np.full(len(ticks), partition, dtype=np.int64),
            "offset": ticks.offsets,
        }
        return cls(**values)  # type: ignore[arg-type]  # each by name, with the type in the table

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[object]]) -> Self:
        """Points from rows in the order of this class's attributes; `None` where a float field is absent."""
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * len(NAMES)
        return cls.from_columns(columns)

    @classmethod
    def from_columns(cls, columns: Iterable[Sequence[object]]) -> Self:
        """Points from columns in the order of this class's attributes; `None` where a float field is absent."""
        values: dict[str, object] = {}
        for name, column in zip(NAMES, columns, strict=True):
            kind = _KINDS[name]
            # `None` becomes NaN in a float, false in a flag.
            values[name] = list(column) if kind is Kind.TAG else np.array(column, dtype=_TYPES[kind])
        return cls(**values)  # type: ignore[arg-type]  # each by name, with its type from the loop above

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All points of `parts` (at least one part), in order."""
        if len(parts) == 1:
            return parts[0]
        values: dict[str, object] = {}
        for name in NAMES:
            columns = [getattr(part, name) for part in parts]
            values[name] = list(chain(*columns)) if _KINDS[name] is Kind.TAG else np.concatenate(columns)
        return cls(**values)  # type: ignore[arg-type]  # each by name, with the type of its parts

    def rows(self) -> list[tuple[object, ...]]:
        """One tuple per point, in the order of the attributes; plain Python values, `None` where a field is absent."""
        columns: list[Sequence[object]] = []
        for name in NAMES:
            values = getattr(self, name)
            if _KINDS[name] is Kind.FLOAT:
                columns.append([None if value != value else value for value in values.tolist()])
            else:
                columns.append(values if isinstance(values, list) else list(values.tolist()))
        return list(zip(*columns, strict=True))

    def take(self, index: Sequence[int] | Ints | slice) -> "Points":
        """The points at `index`, in the order of `index`."""
        picked: dict[str, object] = {}
        for name in NAMES:
            values = getattr(self, name)
            if isinstance(values, list) and not isinstance(index, slice):
                picked[name] = [values[i] for i in index]
            else:
                picked[name] = values[index]
        return Points(**picked)  # type: ignore[arg-type]  # each by name, with its own type

    def by_partition(self) -> list["Points"]:
        """These points divided by partition, in order. The points of each partition must be consecutive."""
        ends = [*(np.flatnonzero(np.diff(self.partition)) + 1).tolist(), len(self)]
        return [self.take(slice(begin, end)) for begin, end in zip([0, *ends], ends, strict=False)]

    def repeat_themselves(self) -> bool:
        """Whether two of the points have the same identity, so that the later one overwrites the earlier one."""
        times, counts = np.unique(self.time_ns, return_counts=True)
        alike = np.flatnonzero(np.isin(self.time_ns, times[counts > 1])).tolist()  # usually there are none
        return len({(self.symbol[at], self.source[at], int(self.time_ns[at])) for at in alike}) < len(alike)


def point_time(time_us: Ints, offset: Ints) -> Ints:
    """The time of a point in ns: the event's time, with the record's offset in the digits below the event's resolution.

    >>> point_time(np.array([1_000_000, 1_000_001]), np.array([5_000_007, 5_007])).tolist()
    [1000000007, 1000001007]
    """
    slot = np.where(time_us % 1000 == 0, 1_000_000, 1_000)
    result: Ints = time_us * 1000 + offset % slot
    return result
