"""Anomalies of the embedded store, read from the index over anomalies only."""

import json
import sqlite3
from collections.abc import Sequence

from tickflow.metrics.points import Points
from tickflow.store.sqlite.latest import COLUMNS

_BEFORE = "SELECT is_anomaly FROM store_points WHERE symbol = ? AND time_ns < ? ORDER BY time_ns DESC LIMIT 1"


def newest(
    connection: sqlite3.Connection, since_ns: int, until_ns: int, count: int, symbols: Sequence[str] | None
) -> Points:
    """The newest `count` anomalies of these symbols (`None`: all) in [`since_ns`, `until_ns`), in time order."""
    among, names = _among(symbols)
    query = (
        f"SELECT {COLUMNS} FROM store_points WHERE is_anomaly = 1 AND time_ns >= ? AND time_ns < ? {among} "  # noqa: S608
        "ORDER BY time_ns DESC LIMIT ?"
    )
    rows = connection.execute(query, (since_ns, until_ns, *names, max(0, count))).fetchall()
    return Points.from_rows(rows[::-1])


def preceded(connection: sqlite3.Connection, moments: Sequence[tuple[str, int]]) -> list[bool]:
    """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""
    found = [connection.execute(_BEFORE, moment).fetchone() for moment in moments]
    return [row is not None and bool(row[0]) for row in found]


def counts(
    connection: sqlite3.Connection, since_ns: int, until_ns: int, symbols: Sequence[str] | None
) -> dict[str, int]:
    """The number of anomalies of each of these symbols (`None`: all) in [`since_ns`, `until_ns`); symbols without one
    are left out.
    """
    among, names = _among(symbols)
    # The plus sign keeps SQLite from scanning all points in the order of symbols.
    query = (
        "SELECT symbol, count(*) FROM store_points "  # noqa: S608 - only our own names are inserted; values are bound
        f"WHERE is_anomaly = 1 AND time_ns >= ? AND time_ns < ? {among} GROUP BY +symbol"
    )
    return dict(connection.execute(query, (since_ns, until_ns, *names)).fetchall())


def _among(symbols: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """An SQL condition that a point belongs to one of these symbols (`None`: no condition), and the values that it
    binds. The plus sign keeps SQLite on the index over anomalies.
    """
    if symbols is None:
        return "", ()
    return "AND +symbol IN (SELECT value FROM json_each(?))", (json.dumps(symbols),)
