"""InfluxDB's line protocol: the points as lines of text, each with its tags, fields and time in nanoseconds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from tickflow.metrics.fields import FLAG_FIELDS, FLOAT_FIELDS, INTEGER_FIELDS
from tickflow.metrics.points import MEASUREMENT, Points

TOGETHER = 4_000
"""How many points are turned into lines at a time: each takes a kilobyte of memory in the process."""


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
        for number, at in enumerate(index.tolist()):
            lines[at] = made[number]
    return lines


def _filled(template: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    """The columns as lines of text, each value after its part of the template. A single `join` is the fastest way."""
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
    """For each value of a line, the text in front of it; the first one begins with the line break."""
    values = [f"{name}=|" for name in float_fields] + [f"{name}=|i" for name in INTEGER_FIELDS]
    values += [f"{name}=|" for name in FLAG_FIELDS]
    return f"\n{MEASUREMENT},symbol=|,source=| {','.join(values)} ".split("|")
