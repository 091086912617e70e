"""A long range in few of its points, from InfluxDB: it goes over them, and few rows leave it.

Within GROUP BY time(), top() and bottom() alone leave a point its own time; other selectors give that of the step. See
docs.influxdata.com, "InfluxQL selector functions".
"""

from typing import Any

import numpy as np

from tickflow.points import MEASUREMENT, Points
from tickflow.store.digest import MAX_ANOMALIES, Digest, digest, step_width
from tickflow.store.influxql import InfluxQL, Integer
from tickflow.store.point_rows import SELECTED, PointRow, points_of
from tickflow.store.visibility import whole

_WITHIN = f'FROM "{MEASUREMENT}" WHERE "symbol" = $symbol AND time >= $since AND time < $until'
_SELECTORS = ('top("price", 1)', 'bottom("price", 1)')
_ChosenRow: Any = tuple[(Integer, float, *PointRow.__args__[1:])]  # type: ignore[misc]
"""A point's row with the value by which it was chosen second."""


def read(influxql: InfluxQL, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
    """The digest of the symbol's points from `since_ns` on, before `until_ns`, in that many steps."""
    params = {"symbol": symbol, "since": since_ns, "until": until_ns}
    first = influxql.rows(tuple[Integer, float], f'SELECT "price" {_WITHIN} ORDER BY time LIMIT 1', params)
    if not first:
        return Digest(Points.from_rows([]), np.array([], dtype=np.int64), 0, cut=False)
    width = step_width(first[0][0], until_ns, steps)
    by_step = f"GROUP BY time({width}ns) fill(none)"
    summing = f'SELECT sum("volume"), count("price") {_WITHIN} {by_step}'
    kept = [
        f'SELECT {SELECTED} {_WITHIN} AND "is_anomaly" = true ORDER BY time DESC LIMIT {MAX_ANOMALIES}',
        *(f"SELECT {SELECTED} {_WITHIN} ORDER BY time {order} LIMIT 1" for order in ("ASC", "DESC")),
    ]
    choosing = [f"SELECT {selector}, {SELECTED} {_WITHIN} {by_step}" for selector in _SELECTORS]
    sums: list[tuple[int, int, int]] = []

    def chosen() -> tuple[Points, int]:
        sums[:] = influxql.rows(tuple[Integer, Integer, Integer], summing, params)
        rows = [row for found in influxql.each(PointRow, kept, params) for row in found]
        rows += [(row[0], *row[2:]) for found in influxql.each(_ChosenRow, choosing, params) for row in found]
        return points_of(
            sorted({(row[0], row[2]): row for row in rows}.values(), key=lambda row: (row[0], row[2] or ""))
        )

    points = whole(chosen)
    return digest(points, width, sums)
