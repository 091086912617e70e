"""Mutes on the embedded stack: the table `store_mutes` in the SQLite file."""

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from tickflow.alerts.mutes import Mute
from tickflow.store.mutes import MuteStore
from tickflow.store.sqlite.per_call import PerCall

MOST = 1_000
"""The maximum number of mutes that are kept; the oldest are deleted first."""
_NAMES = ", ".join(field.name for field in fields(Mute))
_PLACES = ", ".join("?" * len(fields(Mute)))
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS store_mutes (
        id TEXT NOT NULL, made_ns INTEGER NOT NULL, pattern TEXT NOT NULL, until_ns INTEGER NOT NULL,
        begins_ns INTEGER NOT NULL, detector TEXT NOT NULL, below REAL NOT NULL, closed INTEGER NOT NULL,
        made_by TEXT NOT NULL, undone INTEGER NOT NULL, PRIMARY KEY (made_ns, id)
    ) WITHOUT ROWID;
"""


class EmbeddedMutes(MuteStore):
    """Mutes in the table. Thread-safe: each call opens its own connection."""

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._file = PerCall(path, stop, _SCHEMA)

    def keep(self, mute: Mute) -> None:  # noqa: D102 - documented in MuteStore
        with self._file.open() as connection:
            try:
                connection.execute(f"INSERT OR REPLACE INTO store_mutes ({_NAMES}) VALUES ({_PLACES})", astuple(mute))  # noqa: S608
                connection.execute(
                    "DELETE FROM store_mutes WHERE made_ns < "
                    "(SELECT made_ns FROM store_mutes ORDER BY made_ns DESC LIMIT 1 OFFSET ?)",
                    (MOST - 1,),
                )
            except sqlite3.Error as error:
                raise self._file.failure(error) from None

    def mutes(self) -> Sequence[Mute]:  # noqa: D102 - documented in MuteStore
        with self._file.open() as connection:
            try:
                rows = connection.execute(f"SELECT {_NAMES} FROM store_mutes ORDER BY made_ns, id").fetchall()  # noqa: S608
            except sqlite3.Error as error:
                raise self._file.failure(error) from None
        return [_mute(*row) for row in rows]

    def close(self) -> None:
        """Do nothing: no connection stays open between calls."""


def _mute(*row: object) -> Mute:
    values = dict(zip((field.name for field in fields(Mute)), row, strict=True))
    values |= {name: bool(values[name]) for name in ("closed", "undone")}
    return Mute(**values)  # type: ignore[arg-type]  # each by name, with the type that was written
