"""Candles of a time range in the embedded file: SQLite computes them from the points."""

import sqlite3

from tickflow.store.candles import Candles

_CANDLES = """
    SELECT step,
        (SELECT price FROM store_points WHERE symbol = :symbol AND time_ns = first LIMIT 1), high, low,
        (SELECT price FROM store_points WHERE symbol = :symbol AND time_ns = last LIMIT 1), volume, ticks
    FROM (
        SELECT time_ns / :width * :width AS step, min(time_ns) AS first, max(time_ns) AS last,
            max(price) AS high, min(price) AS low, sum(volume) AS volume, count(*) AS ticks
        FROM store_points WHERE symbol = :symbol AND time_ns >= :since AND time_ns < :until GROUP BY step
    ) ORDER BY step
"""


def read(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
    """Candles `width_ns` wide, from the symbol's points in [`since_ns`, `until_ns`)."""
    bound = {"symbol": symbol, "since": since_ns, "until": until_ns, "width": width_ns}
    return Candles.from_rows(connection.execute(_CANDLES, bound).fetchall())
