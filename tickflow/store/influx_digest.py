"""A long range in few of its points, from InfluxDB: it goes over them, and few rows leave it.

Within GROUP BY time(), top() and bottom() alone leave a point its own time; other selectors give that of the step. See
docs.influxdata.com, "InfluxQL selector functions".
"""

from typing import Any

import numpy as np

from tickflow.points import MEASUREMENT, Points
from tickflow.store.digest import MAX_ANOMALIES, Digest, digest, step_width
from tickflow.store.influxql import InfluxQL
from tickflow.store.point_rows import SELECTED, points_of
from tickflow.store.visibility import whole

_WITHIN = f'FROM "{MEASUREMENT}" WHERE "symbol" = $symbol AND time >= $since AND time < $until'
_SELECTORS = ('top("price", 1)', 'bottom("price", 1)')


def read(influxql: InfluxQL, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
    """The digest of the symbol's points from `since_ns` on, before `until_ns`, in that many steps."""
    params = {"symbol": symbol, "since": since_ns, "until": until_ns}
    first: list[list[Any]] = influxql.rows(f'SELECT "price" {_WITHIN} ORDER BY time LIMIT 1', params)
    if not first:
        return Digest(Points.from_rows([]), np.array([], dtype=np.int64), 0, cut=False)
    width = step_width(first[0][0], until_ns, steps)
    by_step = f"GROUP BY time({width}ns) fill(none)"
    queries = [
        f'SELECT sum("volume"), count("price") {_WITHIN} {by_step}',
        f'SELECT {SELECTED} {_WITHIN} AND "is_anomaly" = true ORDER BY time DESC LIMIT {MAX_ANOMALIES}',
        *(f"SELECT {SELECTED} {_WITHIN} ORDER BY time {order} LIMIT 1" for order in ("ASC", "DESC")),
        *(f"SELECT {selector}, {SELECTED} {_WITHIN} {by_step}" for selector in _SELECTORS),
    ]
    sums: list[Any] = []

    def chosen() -> tuple[Points, int]:
        sums[:], *selected = influxql.each(queries, params)
        rows: dict[tuple[Any, Any], list[Any]] = {}
        for number, found in enumerate(selected):
            for row in found:
                if number > 2:  # the value by which it was chosen stands second
                    row = [row[0], *row[2:]]
                rows[row[0], row[2]] = row  # a point is known by its time and source
        return points_of([rows[key] for key in sorted(rows)])

    points = whole(chosen)
    return digest(points, width, [tuple(row) for row in sums])
