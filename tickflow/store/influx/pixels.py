"""Time ranges for the page, from InfluxDB: all points if they are few, else columns that InfluxDB aggregates."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.store.influx.influxql import InfluxQL, Integer
from tickflow.store.influx.point_rows import SELECTED, PointRow, points_of
from tickflow.store.influx.series import Series
from tickflow.store.influx.visibility import whole
from tickflow.store.pixels import MEASURES, Pixels, strength

_FLAGGED = '"is_anomaly" = true'
_PRICES = 'first("price"), max("price"), min("price"), last("price"), sum("volume"), count("price")'
_PriceRow: Any = tuple[Integer, float, float, float, float, float, Integer]
_OneRow: Any = tuple[Integer, float]
_CountRow: Any = tuple[Integer, Integer]
_StrengthRow: Any = tuple[Integer, float | None]
_PARTS = [MEASURES[at::2] for at in (0, 1)]
"""The measures are requested in two queries, which InfluxDB answers in parallel on one core each."""


def _row_of(measures: Sequence[str]) -> Any:
    return tuple[(Integer, *[float | None] * 2 * len(measures))]  # type: ignore[misc]


def pixels(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
    """The symbol's points in [`since_ns`, `until_ns`), in columns `width_ns` wide."""
    within = series.within
    strength_of = f'SELECT abs("price" / "ma_10" - 1) AS "strength" {within} AND {_FLAGGED}'
    by_step = f"GROUP BY time({width_ns}ns) fill(none)"
    ranges = [", ".join(f'min("{name}"), max("{name}")' for name in part) for part in _PARTS]
    prices, counts, strengths, *measured = influxql.together(
        [
            (_PriceRow, f"SELECT {_PRICES} {within} {by_step}"),
            (_CountRow, f'SELECT count("is_anomaly") {within} AND {_FLAGGED} {by_step}'),
            (
                _StrengthRow,
                f'SELECT max("strength") FROM ({strength_of}) WHERE time >= $since AND time < $until {by_step}',  # noqa: S608
            ),
            *((_row_of(part), f"SELECT {each} {within} {by_step}") for part, each in zip(_PARTS, ranges, strict=True)),
        ],
        series.bound(since=since_ns, until=until_ns),
    )
    anomalies, strengths_of = dict(counts), dict(strengths)
    of_part = [{row[0]: row[1:] for row in rows} for rows in measured]
    absent = [(None,) * 2 * len(part) for part in _PARTS]
    names = [(part, at) for part, members in enumerate(_PARTS) for at in range(len(members))]
    places = {_PARTS[part][at]: (part, 2 * at) for part, at in names}
    rows = []
    for time_ns, *others in prices:
        found = [values.get(time_ns, none) for values, none in zip(of_part, absent, strict=True)]
        ranges_of = [found[part][at + side] for part, at in (places[name] for name in MEASURES) for side in (0, 1)]
        rows.append((time_ns, *others, anomalies.get(time_ns, 0), strengths_of.get(time_ns), *ranges_of))
    return Pixels.from_rows(rows)


def counts(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, width_ns: int) -> dict[int, int]:
    """The number of the symbol's points in each step of `width_ns`, in [`since_ns`, `until_ns`)."""
    middle_ns = since_ns + (until_ns - since_ns) // width_ns // 2 * width_ns
    by_step = f"GROUP BY time({width_ns}ns) fill(none)"
    halves = [
        (_CountRow, f'SELECT count("price") {series.between(begin, end)} {by_step}')
        for begin, end in (("since", "middle"), ("middle", "until"))
    ]
    bound = series.bound(since=since_ns, middle=middle_ns, until=until_ns)
    return dict(itertools.chain(*influxql.together(halves, bound)))


def at_most(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, most: int) -> Points | None:
    """The symbol's points in [`since_ns`, `until_ns`), or `None` if there are more than `most`."""
    params = series.bound(since=since_ns, until=until_ns, most=most + 1)
    # InfluxDB finds one field of one row in a few ms; to read all fields of 2,000 rows and discard them would take 0.2
    # s.
    if influxql.rows(_OneRow, f'SELECT "price" {series.within} LIMIT 1 OFFSET {most}', params):
        return None
    query = f"SELECT {SELECTED} {series.within} LIMIT $most"
    points = whole(lambda: points_of(influxql.rows(PointRow, query, params)), excused=influxql.excused)
    return None if len(points) > most else points


def strongest(influxql: InfluxQL, series: Series, spans: Sequence[tuple[int, int]]) -> Points:
    """The strongest anomaly of each time range that has one."""
    if not spans:
        return Points.from_rows([])
    # First the time of each, from three fields; then all fields of that point alone. To read all fields of all
    # anomalies of a month takes twice as long.
    params = series.bound()
    queries = []
    for at, (since, until) in enumerate(spans):
        inner = f'SELECT abs("price" / "ma_10" - 1) AS "strength" {series.between(f"since{at}", f"until{at}")}'
        queries.append(f'SELECT max("strength") FROM ({inner} AND {_FLAGGED})')  # noqa: S608 - only our own names are inserted
        params |= {f"since{at}": since, f"until{at}": until}
    times = [rows[0][0] for rows in influxql.each(_OneRow, queries, params) if rows]
    flagged = f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE {series.condition} AND {_FLAGGED}'  # noqa: S608
    queries = [f"{flagged} AND time = $at{number}" for number in range(len(times))]
    params = series.bound(**{f"at{number}": time_ns for number, time_ns in enumerate(times)})
    found = []
    for rows in influxql.each(PointRow, queries, params):
        points, _ = points_of(rows)
        if len(points):  # sources may share a time
            found.append(points.take([int(np.argmax(strength(points)))]))
    return Points.joined(found) if found else Points.from_rows([])


def first_time(influxql: InfluxQL, series: Series) -> int | None:
    """The time of the symbol's first stored point, in ns since 1970."""
    query = f'SELECT first("price") FROM "{MEASUREMENT}" WHERE {series.condition}'  # noqa: S608 - only our own names are inserted
    rows = influxql.rows(tuple[Integer, float], query, series.bound())
    return rows[0][0] if rows else None
