"""Acknowledgements, layouts and backtests on the embedded stack: tables in the SQLite file."""

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from tickflow.alerts.kept import Kept, decoded, encode
from tickflow.store.acks import MAX_BACKTESTS, Ack, AckStore, Layout
from tickflow.store.base import DAY_NS
from tickflow.store.sqlite.per_call import PerCall

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS store_acks (
        symbol TEXT NOT NULL, "partition" INTEGER NOT NULL, first_offset INTEGER NOT NULL, time_ns INTEGER NOT NULL,
        acked_ns INTEGER NOT NULL, PRIMARY KEY (symbol, "partition", first_offset, time_ns)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS store_layouts (name TEXT PRIMARY KEY, query TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS store_backtests (made_ms INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
_COLUMNS = 'symbol, "partition", first_offset, time_ns, acked_ns'


class EmbeddedAcks(AckStore):
    """Acknowledgements in the table `store_acks`; those older than `retention_days` are deleted.

    Thread-safe: each call opens its own connection, which is cheap enough for rare calls.
    """

    def __init__(self, path: Path, *, retention_days: float, stop: threading.Event) -> None:
        self._file = PerCall(path, stop, _SCHEMA)
        self._retention_ns = int(retention_days * DAY_NS)

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements, all or none of them."""
        with self._file.open() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    f"INSERT OR REPLACE INTO store_acks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                    [astuple(ack) for ack in acks],
                )
                oldest = max((ack.acked_ns for ack in acks), default=0) - self._retention_ns
                connection.execute("DELETE FROM store_acks WHERE acked_ns < ?", (oldest,))
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def withdraw(self, acks: Sequence[Ack]) -> None:
        """Delete the acknowledgements, all or none of them."""
        with self._file.open() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    'DELETE FROM store_acks WHERE (symbol, "partition", first_offset, time_ns) = (?, ?, ?, ?)',
                    [astuple(ack)[:4] for ack in acks],
                )
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""
        query = f"SELECT {_COLUMNS} FROM store_acks WHERE time_ns >= ? ORDER BY time_ns, symbol"  # noqa: S608
        with self._file.open() as connection:
            try:
                return [Ack(*row) for row in connection.execute(query, (since_ns,))]
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def keep_layout(self, layout: Layout, now_ns: int) -> None:
        """Store the layout, or remove it."""
        with self._file.open() as connection:
            try:
                if layout.query:
                    connection.execute("INSERT OR REPLACE INTO store_layouts VALUES (?, ?)", tuple(layout))
                else:
                    connection.execute("DELETE FROM store_layouts WHERE name = ?", (layout.name,))
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def layouts(self) -> list[Layout]:
        """All layouts, ordered by name."""
        with self._file.open() as connection:
            try:
                return [
                    Layout(*row) for row in connection.execute("SELECT name, query FROM store_layouts ORDER BY name")
                ]
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def keep_backtest(self, kept: Kept) -> None:
        """Store the backtest, and remove the oldest ones beyond `MAX_BACKTESTS`."""
        with self._file.open() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                row = (kept.made_ms, encode(kept).decode())
                connection.execute("INSERT OR REPLACE INTO store_backtests VALUES (?, ?)", row)
                connection.execute(
                    "DELETE FROM store_backtests WHERE made_ms <= "
                    "(SELECT made_ms FROM store_backtests ORDER BY made_ms DESC LIMIT 1 OFFSET ?)",
                    (MAX_BACKTESTS,),
                )
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def remove_backtest(self, made_ms: int) -> None:
        """Remove the backtest that was made at `made_ms`, if there is one."""
        with self._file.open() as connection:
            try:
                connection.execute("DELETE FROM store_backtests WHERE made_ms = ?", (made_ms,))
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def backtests(self) -> list[Kept]:
        """The kept backtests, newest first."""
        with self._file.open() as connection:
            try:
                rows = connection.execute("SELECT body FROM store_backtests ORDER BY made_ms DESC").fetchall()
            except sqlite3.Error as error:
                raise self._file.failure(error) from error
        return decoded(body for (body,) in rows)

    def close(self) -> None:
        """Do nothing: no connection stays open between calls."""
