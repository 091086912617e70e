"""Commands and states of steered replays on the embedded stack: two tables in the SQLite file."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tickflow.store.sqlite.per_call import PerCall
from tickflow.store.steering import MOST_COMMANDS, KeptCommand, ReplayState, SteeringStore, kept_command

MOST_KEPT, MOST_RUNS = 1_000, 100
"""How many commands and states are kept; the oldest are deleted first."""
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS store_commands (
        made_ns INTEGER NOT NULL, id TEXT NOT NULL, run TEXT NOT NULL, command TEXT NOT NULL, made_by TEXT NOT NULL,
        PRIMARY KEY (made_ns, id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS store_replays (
        run TEXT PRIMARY KEY, written_ns INTEGER NOT NULL, state TEXT NOT NULL
    ) WITHOUT ROWID;
"""


class EmbeddedSteering(SteeringStore):
    """Keeps commands and states of replays in the tables. Thread-safe: each call opens its own connection."""

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._file = PerCall(path, stop, _SCHEMA)

    def ask(self, kept: KeptCommand) -> None:  # noqa: D102 - documented in SteeringStore
        row = (kept.made_ns, kept.id, kept.run, kept.command.encode(), kept.made_by)
        self._change(
            ("INSERT OR REPLACE INTO store_commands (made_ns, id, run, command, made_by) VALUES (?, ?, ?, ?, ?)", row),
            (
                "DELETE FROM store_commands WHERE made_ns < "
                "(SELECT made_ns FROM store_commands ORDER BY made_ns DESC LIMIT 1 OFFSET ?)",
                (MOST_KEPT - 1,),
            ),
        )

    def commands(self, run: str) -> Sequence[KeptCommand]:  # noqa: D102
        query = (
            "SELECT run, id, command, made_ns, made_by FROM store_commands WHERE run = ? ORDER BY made_ns DESC LIMIT ?"
        )
        rows = self._rows(query, (run, MOST_COMMANDS))
        return [kept for row in rows[::-1] if (kept := kept_command(*row)) is not None]

    def report(self, state: ReplayState) -> None:  # noqa: D102
        row = (state.run, state.written_ns, state.encode())
        self._change(
            ("INSERT OR REPLACE INTO store_replays (run, written_ns, state) VALUES (?, ?, ?)", row),
            (
                "DELETE FROM store_replays WHERE written_ns < "
                "(SELECT written_ns FROM store_replays ORDER BY written_ns DESC LIMIT 1 OFFSET ?)",
                (MOST_RUNS - 1,),
            ),
        )

    def state(self) -> ReplayState | None:  # noqa: D102
        rows = self._rows("SELECT state FROM store_replays ORDER BY written_ns DESC LIMIT 1", ())
        try:
            return ReplayState.parse(rows[0][0]) if rows else None
        except msgspec.DecodeError:  # written by another version
            return None

    def close(self) -> None:
        """Do nothing: no connection stays open between calls."""

    def _change(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        with self._file.open() as connection:
            try:
                for statement in statements:
                    connection.execute(*statement)
            except sqlite3.Error as error:
                raise self._file.failure(error) from error

    def _rows(self, query: str, bound: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._file.open() as connection:
            try:
                return connection.execute(query, bound).fetchall()
            except sqlite3.Error as error:
                raise self._file.failure(error) from error
