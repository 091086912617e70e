"""Alerts on the embedded stack: the table `store_anomalies` in the one SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from tickflow.alerts.alert import BOOLEANS, FLOATS, INTEGERS, Alert
from tickflow.store.alerts import AlertStore
from tickflow.store.sqlite.per_call import PerCall

MOST_ROWS = 200_000
"""The maximum number of alerts that are kept; the oldest are deleted first."""

COLUMNS = ("symbol", "detector", "time_ns", *FLOATS, *INTEGERS, *BOOLEANS, "members")
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
# As on InfluxDB, an unknown value leaves the stored one unchanged. No declared types: REAL would turn -0.0 into 0.
_SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS store_anomalies (
        symbol TEXT NOT NULL, detector TEXT NOT NULL, time_ns INTEGER NOT NULL,
        {", ".join(f'"{name}"' for name in (*FLOATS, *INTEGERS, *BOOLEANS))}, members TEXT,
        PRIMARY KEY (symbol, detector, time_ns)
    );
    CREATE INDEX IF NOT EXISTS store_anomalies_time ON store_anomalies (time_ns);
"""
_WRITE = (
    f"INSERT INTO store_anomalies ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608 - only our own names are inserted
    "ON CONFLICT (symbol, detector, time_ns) DO UPDATE SET "
    + ", ".join(f'"{name}" = coalesce(excluded."{name}", "{name}")' for name in COLUMNS[3:])
)


class EmbeddedAlerts(AlertStore):
    """Alerts in the table `store_anomalies`. Thread-safe: each call opens its own connection, since calls are rare."""

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._file = PerCall(path, stop, _SCHEMA)
        self.where = self._file.where

    def write(self, alerts: Sequence[Alert]) -> None:
        """Store the alerts, all or none of them."""
        if not alerts:
            return
        with self._file.open() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_WRITE, [[getattr(each, name) for name in COLUMNS] for each in alerts])
                newest = "SELECT max(rowid) FROM store_anomalies"
                connection.execute(f"DELETE FROM store_anomalies WHERE rowid <= ({newest}) - ?", (MOST_ROWS,))  # noqa: S608
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def mark_notified(self, alerts: Sequence[Alert], *, sent: bool = True) -> None:
        """Record that messages about these alerts were sent or abandoned."""
        with self._file.open() as connection:
            try:
                connection.executemany(
                    "UPDATE store_anomalies SET notified = ? WHERE (symbol, detector, time_ns) = (?, ?, ?)",
                    [(int(sent), *each.key) for each in alerts],
                )
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def alerts(  # noqa: D102 - documented in AlertStore
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        conditions = ["time_ns >= ?"]
        values: list[int | str] = [since_ns]
        if until_ns is not None:
            conditions.append("time_ns < ?")
            values.append(until_ns)
        if symbols is not None:
            conditions.append("symbol IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(symbols)))
        query = (
            f"SELECT {_NAMES} FROM store_anomalies WHERE {' AND '.join(conditions)} "  # noqa: S608 - only our own names are inserted
            "ORDER BY time_ns DESC, symbol DESC, detector DESC LIMIT ?"
        )
        with self._file.open() as connection:
            try:
                rows = connection.execute(query, (*values, -1 if count is None else count)).fetchall()
            except sqlite3.Error as error:
                raise self._file.failure(error) from error
        return [_alert(row) for row in reversed(rows)]

    def close(self) -> None:
        """Do nothing: no connection stays open between calls."""


def _alert(row: Sequence[object]) -> Alert:
    values = dict(zip(COLUMNS, row, strict=True))
    values |= {name: bool(values[name]) for name in BOOLEANS if values[name] is not None}
    return Alert(**values)  # type: ignore[arg-type]  # each by name, with the type that was written
