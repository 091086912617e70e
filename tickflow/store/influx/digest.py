"""The digest of a long range in InfluxDB: InfluxDB scans the points, and only a few rows are transferred.

Within GROUP BY time(), only top() and bottom() keep the time of a point; other selectors return the start of the step.
See docs.influxdata.com, "InfluxQL selector functions".
"""

from typing import Any

import numpy as np

from tickflow.metrics.points import Points
from tickflow.store.digest import MAX_ANOMALIES, Digest, Outline, digest, step_width
from tickflow.store.influx.influxql import InfluxQL, Integer
from tickflow.store.influx.point_rows import SELECTED, PointRow, points_of
from tickflow.store.influx.series import Series
from tickflow.store.influx.visibility import Row, whole

_SELECTORS = ('top("price", 1)', 'bottom("price", 1)')
_ENDS = ("ASC", "DESC")
_PriceRow: Any = tuple[Integer, float | None, bool | None, str | None]
_SumRow: Any = tuple[Integer, float, Integer]
_ChosenRow: Any = tuple[(Integer, float, *PointRow.__args__[1:])]  # type: ignore[misc]
"""A row that top() or bottom() selects: its time, the price that selected it, and the other columns of the point."""


def read(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, steps: int) -> Digest:
    """The digest of the symbol's points in [`since_ns`, `until_ns`), in `steps` equal steps."""
    params = series.bound(since=since_ns, until=until_ns)
    within = series.within
    # InfluxDB takes twice as long in descending order of time, so anomalies are read in ascending order.
    anomalies = f'SELECT {SELECTED} {within} AND "is_anomaly" = true'
    width = 0
    sums: list[tuple[int, float, int]] = []

    def chosen() -> tuple[Points, list[Row]]:
        nonlocal width
        ends = influxql.each(
            PointRow, [f"SELECT {SELECTED} {within} ORDER BY time {order} LIMIT 1" for order in _ENDS], params
        )
        rows: list[Any] = [row for end in ends for row in end]
        sums.clear()
        if rows:
            width = step_width(rows[0][0], until_ns, steps)
            by_step = f"GROUP BY time({width}ns) fill(none)"
            summed, flagged, *extremes = influxql.together(
                [
                    (_SumRow, f'SELECT sum("volume"), count("price") {within} {by_step}'),
                    (PointRow, f"{anomalies} LIMIT {MAX_ANOMALIES}"),
                    *((_ChosenRow, f"SELECT {selector}, {SELECTED} {within} {by_step}") for selector in _SELECTORS),
                ],
                params,
            )
            if len(flagged) == MAX_ANOMALIES:
                flagged = influxql.rows(PointRow, f"{anomalies} ORDER BY time DESC LIMIT {MAX_ANOMALIES}", params)
            sums.extend(summed)
            rows += flagged
            rows += [(row[0], *row[2:]) for found in extremes for row in found]
        return points_of(
            sorted({(row[0], row[2]): row for row in rows}.values(), key=lambda row: (row[0], row[2] or ""))
        )

    points = whole(chosen, excused=influxql.excused)
    if not sums:
        return Digest(points, np.array([], dtype=np.float64), 0, cut=False)
    return digest(points, width, sums)


def outline(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, steps: int) -> Outline:
    """The outline of what `read` returns for the same arguments."""
    params = series.bound(since=since_ns, until=until_ns)
    within = series.within
    selected = f'SELECT "price", "is_anomaly", "source" {within}'
    rows: list[_PriceRow] = [
        row
        for end in influxql.each(_PriceRow, [f"{selected} ORDER BY time {order} LIMIT 1" for order in _ENDS], params)
        for row in end
    ]
    if rows:
        by_step = f"GROUP BY time({step_width(rows[0][0], until_ns, steps)}ns) fill(none)"
        flagged, *extremes = influxql.together(
            [
                (_PriceRow, f'{selected} AND "is_anomaly" = true LIMIT {MAX_ANOMALIES}'),
                *(
                    (_PriceRow, f'SELECT {selector}, "is_anomaly", "source" {within} {by_step}')
                    for selector in _SELECTORS
                ),
            ],
            params,
        )
        if len(flagged) == MAX_ANOMALIES:
            newest = f'{selected} AND "is_anomaly" = true ORDER BY time DESC LIMIT {MAX_ANOMALIES}'
            flagged = influxql.rows(_PriceRow, newest, params)
        rows += [row for found in (flagged, *extremes) for row in found]
    distinct = {(row[0], row[3] or ""): (*row[:3], row[3] or "") for row in rows if row[1] is not None}
    return Outline.from_rows([distinct[key] for key in sorted(distinct)])
