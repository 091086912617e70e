"""Waits until points are complete, since InfluxDB may show only some of their fields at first.

A write becomes visible field by field: a query that runs at the same time may see a point's price but not yet its
volume. Such a point would be taken for one with absent fields. Whether a point is complete can be deduced: if it has a
field of one window, it must have all fields of that window and of shorter ones, and it must have every field that the
previous point of its symbol had.

Points that an older version wrote lack the fields that were declared later. After one unsuccessful wait, the reader
remembers the offset up to which a field is missing, and no longer waits for the field in points up to that offset. It
also remembers rows that lack a field that every point has: a different program wrote them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tickflow.metrics.fields import MEASURED, TABLE, Flags
from tickflow.metrics.points import Points

ATTEMPTS = 6
PAUSE_SECONDS = 0.05
"""Seconds before each repetition of a read. A write of 5,000 points takes at most this long to become visible."""

MOST_ROWS = 20_000
"""The maximum number of rows of other programs that are remembered; the oldest are forgotten first."""

Row = tuple[object, ...]
"""What identifies a row: its time, symbol and source."""


@dataclass(slots=True)
class Excused:
    """Points and rows that are known to stay incomplete. `fields`: by field and partition, the offset up to which
    points lack the field. `rows`: the rows that are not points.
    """

    fields: dict[str, dict[int, int]] = field(default_factory=dict)
    rows: dict[Row, None] = field(default_factory=dict)


_ALWAYS = {each.name for each in TABLE if each.always}
_WINDOWED = tuple(each for each in MEASURED if each.of in _ALWAYS)
_WINDOWS = sorted({each.window for each in _WINDOWED})
_CARRIED = (*(each.name for each in _WINDOWED if not each.after), "change_percent")
"""The fields that a point must have if the previous point of its symbol had them."""


def whole(
    read: Callable[[], tuple[Points, Sequence[Row]]],
    sleep: Callable[[float], None] = time.sleep,
    *,
    excused: Excused | None = None,
) -> Points:
    """The points that `read` returns; it is called again, a few times at most, until they look complete.

    `read` returns points, and the rows that it left out because they lacked a field that every point has.
    Points that stay incomplete come from another program or an older version, or follow a long silence of their symbol;
    they are noted in `excused`.
    """
    excused = excused or Excused()
    points, left_out = read()
    for _ in range(ATTEMPTS):
        if excused.rows.keys() >= set(left_out) and not looks_half_written(points, excused):
            return points
        sleep(PAUSE_SECONDS)
        points, left_out = read()
    for name, absent in _absent(points, excused).items():
        known = excused.fields.setdefault(name, {})
        for partition in np.unique(points.partition[absent]).tolist():
            offset = int(points.offset[absent & (points.partition == partition)].max())
            known[partition] = max(offset, known.get(partition, -1))
    excused.rows |= dict.fromkeys(left_out)
    for row in list(excused.rows)[: max(0, len(excused.rows) - MOST_ROWS)]:
        excused.rows.pop(row, None)
    return points


def looks_half_written(points: Points, excused: Excused | None = None) -> bool:
    """Whether any point lacks a field that it must have, judged by its other fields and by the previous point of its
    symbol.
    """
    return bool(_absent(points, excused or Excused()))


def _absent(points: Points, excused: Excused) -> dict[str, Flags]:
    """For each field, which points lack it although they must have it; fields that no point lacks are left out."""
    there = {name: ~np.isnan(getattr(points, name)) for name in (*_CARRIED, *(each.name for each in _WINDOWED))}
    full = {n: np.logical_or.reduce([there[each.name] for each in _WINDOWED if each.window >= n]) for n in _WINDOWS}
    expected = {each.name: full[each.window] for each in _WINDOWED}
    for each in _WINDOWED:
        if each.after:  # where the deviation is 0, the score is absent
            expected[each.name] = np.logical_and.reduce([getattr(points, name) > 0 for name in each.after])
    follows = _follows(points)
    found = {}
    for name, is_there in there.items():
        absent = expected.get(name, np.zeros(len(points), dtype=np.bool_)) & ~is_there
        if name in _CARRIED:
            absent[1:] |= follows & is_there[:-1] & ~is_there[1:]
        if absent.any():
            absent &= ~_is_excused(points, excused.fields.get(name, {}))
        if absent.any():
            found[name] = absent
    return found


def _follows(points: Points) -> npt.NDArray[np.bool_]:
    """For each point but the first: whether it has the series and the partition of the point before it, and a later
    offset.
    """
    symbol, source = np.array(points.symbol), np.array(points.source)
    same = (symbol[1:] == symbol[:-1]) & (source[1:] == source[:-1])
    result: Flags = same & (points.partition[1:] == points.partition[:-1]) & (points.offset[1:] > points.offset[:-1])
    return result


def _is_excused(points: Points, up_to: dict[int, int]) -> Flags:
    excused = np.zeros(len(points), dtype=np.bool_)
    for partition, offset in up_to.items():
        excused |= (points.partition == partition) & (points.offset <= offset)
    return excused
