"""The digest of a long range in the embedded file: SQLite scans the points, and only a few rows are returned."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tickflow.metrics.points import Points
from tickflow.store.digest import MAX_ANOMALIES, Digest, Outline, digest, step_width
from tickflow.store.sqlite.latest import COLUMNS

_WITHIN = "FROM store_points WHERE symbol = :symbol AND time_ns >= :since AND time_ns < :until"
_ENDS = f"SELECT min(time_ns), max(time_ns) {_WITHIN}"
_SUMS = f"SELECT time_ns / :width * :width AS step, sum(volume), count(*) {_WITHIN} GROUP BY step ORDER BY step"
# In a query with a single min() or max(), SQLite takes the other columns from the row that has this value. See
# sqlite.org/lang_select.html, "Bare columns in an aggregate query".
_EXTREMES = f"SELECT {{extreme}}(price), time_ns {_WITHIN} GROUP BY time_ns / :width"
_ANOMALIES = (
    "SELECT time_ns FROM store_points WHERE is_anomaly = 1 AND +symbol = :symbol AND time_ns >= :since "
    "AND time_ns < :until ORDER BY time_ns DESC LIMIT :most"
)
_AT = f"SELECT {COLUMNS} FROM store_points WHERE symbol = ? AND time_ns = ? ORDER BY source"  # noqa: S608


_OUTLINED_AT = (
    "SELECT time_ns, price, is_anomaly, source FROM store_points WHERE symbol = ? AND time_ns = ? ORDER BY source"
)


def read(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
    """The digest of the symbol's points in [`since_ns`, `until_ns`), in `steps` equal steps."""
    bound = {"symbol": symbol, "since": since_ns, "until": until_ns}
    times, width = _chosen(connection, bound, steps)
    if not times:
        return Digest(Points.from_rows([]), np.array([], dtype=np.float64), 0, cut=False)
    sums = connection.execute(_SUMS, bound | {"width": width}).fetchall()
    return digest(Points.from_rows(_rows_at(connection, _AT, symbol, times)), width, sums)


def outline(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
    """The outline of what `read` returns for the same arguments."""
    times, _ = _chosen(connection, {"symbol": symbol, "since": since_ns, "until": until_ns}, steps)
    return Outline.from_rows(list(_rows_at(connection, _OUTLINED_AT, symbol, times)))


def _chosen(connection: sqlite3.Connection, bound: dict[str, Any], steps: int) -> tuple[list[int], int]:
    """The times of the points of the digest, and the width of its steps."""
    first, last = connection.execute(_ENDS, bound).fetchone()
    if first is None:
        return [], 1
    width = step_width(first, bound["until"], steps)
    bound = bound | {"width": width, "most": MAX_ANOMALIES}
    times = {first, last}
    for extreme in ("max", "min"):
        times.update(row[1] for row in connection.execute(_EXTREMES.format(extreme=extreme), bound))
    times.update(row[0] for row in connection.execute(_ANOMALIES, bound))
    return sorted(times), width


def _rows_at(connection: sqlite3.Connection, query: str, symbol: str, times: Sequence[int]) -> Iterator[Any]:
    return (row for time in times for row in connection.execute(query, (symbol, time)).fetchall())
