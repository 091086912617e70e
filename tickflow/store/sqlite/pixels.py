"""Time ranges for the page, from the embedded file: all points if they are few, else columns that SQLite aggregates."""

import sqlite3
from collections.abc import Sequence

from tickflow.metrics.points import Points
from tickflow.store.pixels import MEASURES, Pixels, combined, joined, level_for
from tickflow.store.sqlite import rollups
from tickflow.store.sqlite.latest import COLUMNS

_WITHIN = "FROM store_points WHERE symbol = :symbol AND time_ns >= :since AND time_ns < :until"
_STRENGTH = "abs(price / ma_10 - 1)"
_RANGES = ", ".join(f"min({name}) AS {name}_low, max({name}) AS {name}_high" for name in MEASURES)
_PIXELS = f"""
    SELECT step, (SELECT price FROM store_points WHERE symbol = :symbol AND time_ns = first LIMIT 1), high, low,
        (SELECT price FROM store_points WHERE symbol = :symbol AND time_ns = last ORDER BY source DESC LIMIT 1),
        volume, ticks, anomalies,
        strength, {", ".join(f"{name}_low, {name}_high" for name in MEASURES)}
    FROM (
        SELECT time_ns / :width * :width AS step, min(time_ns) AS first, max(time_ns) AS last, max(price) AS high,
            min(price) AS low, sum(volume) AS volume, count(*) AS ticks, sum(is_anomaly) AS anomalies,
            max(CASE WHEN is_anomaly THEN {_STRENGTH} END) AS strength, {_RANGES}
        {_WITHIN} GROUP BY step
    ) ORDER BY step
"""  # noqa: S608 - only our own names are inserted
_STRONGEST = f"SELECT {COLUMNS} {_WITHIN} AND is_anomaly = 1 ORDER BY {_STRENGTH} DESC, time_ns LIMIT 1"


def pixels(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
    """The symbol's points in [`since_ns`, `until_ns`), in columns `width_ns` wide."""
    level = level_for(width_ns)
    if level is None:
        return _of_points(connection, symbol, since_ns, until_ns, width_ns)
    parts, gaps = rollups.pieces(connection, symbol, since_ns, until_ns, level)
    parts += [_of_points(connection, symbol, since, until, level) for since, until in gaps]
    return combined(joined(parts), width_ns)


def _of_points(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
    bound = {"symbol": symbol, "since": since_ns, "until": until_ns, "width": width_ns}
    return Pixels.from_rows(connection.execute(_PIXELS, bound).fetchall())


def at_most(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
    """The symbol's points in [`since_ns`, `until_ns`), or `None` if there are more than `most`."""
    bound = {"symbol": symbol, "since": since_ns, "until": until_ns, "most": most}
    # SQLite counts past 2,000 points in less than a millisecond; to read them and discard them would take tens.
    if connection.execute(f"SELECT 1 {_WITHIN} LIMIT 1 OFFSET :most", bound).fetchone():
        return None
    query = f"SELECT {COLUMNS} {_WITHIN} ORDER BY time_ns LIMIT :most + 1"
    rows = connection.execute(query, bound).fetchall()
    return None if len(rows) > most else Points.from_rows(rows)


def strongest(connection: sqlite3.Connection, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
    """The strongest anomaly of each time range that has one."""
    found = (
        connection.execute(_STRONGEST, {"symbol": symbol, "since": since, "until": until}).fetchone()
        for since, until in spans
    )
    return Points.from_rows(row for row in found if row is not None)


def first_time(connection: sqlite3.Connection, symbol: str) -> int | None:
    """The time of the symbol's first stored point, in ns since 1970."""
    found = connection.execute("SELECT min(time_ns) FROM store_points WHERE symbol = ?", (symbol,)).fetchone()[0]
    return None if found is None else int(found)
