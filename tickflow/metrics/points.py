"""Points: what is stored per tick in `stock_metrics`, its identity, and its line protocol.

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
import numpy.typing as npt
import orjson

from tickflow.arrays import Ints
from tickflow.metrics.fields import FLAG_FIELDS, FLOAT_FIELDS, INTEGER_FIELDS, NAMES, TABLE, TICK_COLUMNS, Columns, Kind
from tickflow.metrics.measures import Metrics
from tickflow.ticks.tick import TickBatch

MEASUREMENT = "stock_metrics"
TOGETHER = 4_000
"""How many points are turned into lines at a time: each takes a kilobyte of memory meanwhile."""

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
        return cls(**values)  # type: ignore[arg-type]  # by name, of the type that the table says

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
        return cls(**values)  # type: ignore[arg-type]  # by name, of the type that the loop above gave it

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All points of `parts` (at least one part), in order."""
        if len(parts) == 1:
            return parts[0]
        values: dict[str, object] = {}
        for name in NAMES:
            columns = [getattr(part, name) for part in parts]
            values[name] = list(chain(*columns)) if _KINDS[name] is Kind.TAG else np.concatenate(columns)
        return cls(**values)  # type: ignore[arg-type]  # by name, of the type of its parts

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
        return Points(**picked)  # type: ignore[arg-type]  # by name, each of its own type

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
    """The time of a point in ns: the event's time in us, and its record's offset below that time's resolution.

    >>> point_time(np.array([1_000_000, 1_000_001]), np.array([5_000_007, 5_007])).tolist()
    [1000000007, 1000001007]
    """
    slot = np.where(time_us % 1000 == 0, 1_000_000, 1_000)
    result: Ints = time_us * 1000 + offset % slot
    return result


def to_lines(points: Points) -> list[str]:
    """The points as InfluxDB line protocol, one line per point, in their order, without line ends.

    Of the characters that line protocol escapes in tags, a symbol can only have blanks and equals signs. Floats are
    written with the fewest digits that give back the same bits. See docs.influxdata.com, "Line protocol".
    """
    if len(points) > TOGETHER:
        starts = range(0, len(points), TOGETHER)
        return [line for at in starts for line in to_lines(points.take(slice(at, at + TOGETHER)))]
    # Points with the same absent fields share a template, which is filled column by column: this is several times
    # faster than building each line from its fields. orjson writes the numbers of a column in a tenth of repr's time.
    lines = [""] * len(points)
    kind_of = np.zeros(len(points), dtype=np.int64)  # one bit per float field: whether it is present
    for bit, name in enumerate(FLOAT_FIELDS):
        kind_of |= ~np.isnan(getattr(points, name)) << np.int64(bit)
    for kind in set(kind_of.tolist()):
        index = np.flatnonzero(kind_of == kind)
        names = [name for bit, name in enumerate(FLOAT_FIELDS) if kind >> bit & 1]
        alike = points if len(index) == len(points) else points.take(index)
        columns = [
            _escaped(alike.symbol),
            alike.source,
            *(_texts(getattr(alike, name)) for name in (*names, *INTEGER_FIELDS, *FLAG_FIELDS, "time_ns")),
        ]
        made = _filled(_template(names), columns)
        if alike is points:
            return made
        for at, line in zip(index.tolist(), made, strict=True):
            lines[at] = line
    return lines


def _filled(template: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    """The columns as rows of text, each value after its part of the template. A single `join` is the fastest way."""
    count, step = len(columns[0]), 2 * len(columns)
    pieces = [""] * (count * step)
    for number, (word, column) in enumerate(zip(template, columns, strict=True)):
        pieces[2 * number :: step] = [word] * count
        pieces[2 * number + 1 :: step] = column
    pieces[0] = pieces[0].removeprefix("\n")
    return "".join(pieces).split("\n")


def _escaped(symbols: Sequence[str]) -> Sequence[str]:
    """The symbols as line protocol writes them in a tag; most have nothing to escape."""
    odd = {each: each.replace("=", "\\=").replace(" ", "\\ ") for each in set(symbols) if "=" in each or " " in each}
    return [odd.get(each, each) for each in symbols] if odd else symbols


def _texts(column: npt.NDArray[np.generic]) -> list[str]:
    """Each value as JSON writes it, which is also how line protocol writes it; none may be NaN."""
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")


def _template(float_fields: Sequence[str]) -> list[str]:
    """For each value of a line, the text in front of it; the first text begins with the line break."""
    values = [f"{name}=|" for name in float_fields] + [f"{name}=|i" for name in INTEGER_FIELDS]
    values += [f"{name}=|" for name in FLAG_FIELDS]
    return f"\n{MEASUREMENT},symbol=|,source=| {','.join(values)} ".split("|")
