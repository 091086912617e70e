"""Rows of points in InfluxQL: the columns to select, and the points from the rows."""

from collections.abc import Sequence
from typing import Any

from tickflow.metrics.fields import ALWAYS, FLAG_FIELDS, FLOAT_FIELDS, INTEGER_FIELDS, NAMES
from tickflow.metrics.points import Points
from tickflow.store.influx.influxql import Integer
from tickflow.store.influx.visibility import Row

_COLUMNS = [name for name in NAMES if name != "time_ns"]
_ALWAYS = [_COLUMNS.index(name) + 1 for name in ("source", *ALWAYS)]
SELECTED = ", ".join(f'"{name}"' for name in _COLUMNS)  # quoted, since `offset` is a keyword
"""The columns of a point after its time, in the order of `Points`."""

_TYPES = {
    **dict.fromkeys(FLOAT_FIELDS, float | None),
    **dict.fromkeys(INTEGER_FIELDS, Integer | None),
    **dict.fromkeys(FLAG_FIELDS, bool | None),
}
PointRow: Any = tuple[(Integer, *(_TYPES.get(name, str | None) for name in _COLUMNS))]  # type: ignore[misc]
"""The type of a row of points: the point's time, then its columns, each of which may be absent."""


def points_of(rows: Sequence[tuple[Any, ...]]) -> tuple[Points, list[Row]]:
    """The points in these rows, and the identities of the rows that are not complete points.

    A row that lacks a field that every point has is left out: InfluxDB does not show the complete point yet, or another
    program wrote it.
    """
    points = [row for row in rows if None not in (row[at] for at in _ALWAYS)]
    columns: list[Sequence[Any]] = list(zip(*points, strict=True)) or [()] * (len(_COLUMNS) + 1)
    time_ns, *others = columns
    named = dict(zip(_COLUMNS, others, strict=True))
    ordered = [named["symbol"], named["source"], time_ns, *(named[name] for name in _COLUMNS[2:])]
    if len(points) == len(rows):
        return Points.from_columns(ordered), []
    return Points.from_columns(ordered), [row[:3] for row in rows if None in (row[at] for at in _ALWAYS)]
