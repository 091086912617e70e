"""Standing rules on the embedded stack: the tables `store_rules` and `store_rule_changes` in the SQLite file."""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tickflow.alerts.standing import Change, StandingRule
from tickflow.store.rules import RuleStore
from tickflow.store.sqlite.per_call import PerCall

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS store_rules (
        id TEXT NOT NULL, made_ns INTEGER NOT NULL, text TEXT NOT NULL, made_by TEXT NOT NULL, removed INTEGER NOT NULL,
        PRIMARY KEY (made_ns, id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS store_rule_changes (
        workers TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL, begins INTEGER NOT NULL,
        rule TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (workers, "partition", rule, begins)
    ) WITHOUT ROWID;
"""


class EmbeddedRules(RuleStore):
    """Rules and changes in the tables. Thread-safe: each call opens its own connection."""

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._file = PerCall(path, stop, _SCHEMA)

    def keep(self, rule: StandingRule) -> None:  # noqa: D102 - documented in RuleStore
        self._run(
            "INSERT OR REPLACE INTO store_rules (id, made_ns, text, made_by, removed) VALUES (?, ?, ?, ?, ?)",
            astuple(rule),
        )

    def rules(self) -> Sequence[StandingRule]:  # noqa: D102
        rows = self._run("SELECT id, made_ns, text, made_by, removed FROM store_rules ORDER BY made_ns, id")
        return [StandingRule(number, made_ns, text, by, bool(removed)) for number, made_ns, text, by, removed in rows]

    def note(self, workers: str, changes: Iterable[Change]) -> None:  # noqa: D102
        for change in changes:
            self._run(
                'INSERT OR REPLACE INTO store_rule_changes (workers, "partition", "offset", begins, rule, text) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                (workers, *change),
            )

    def changes(self, workers: str) -> Sequence[Change]:  # noqa: D102
        rows = self._run(
            'SELECT "partition", "offset", begins, rule, text FROM store_rule_changes WHERE workers = ? '
            'ORDER BY "partition", "offset", begins',
            (workers,),
        )
        return [Change(number, offset, bool(begins), *rest) for number, offset, begins, *rest in rows]

    def begun(self) -> Collection[str]:  # noqa: D102
        return {rule for (rule,) in self._run("SELECT DISTINCT rule FROM store_rule_changes WHERE begins")}

    def check(self) -> None:
        """Do nothing: whoever may read the file may write to it."""

    def close(self) -> None:
        """Do nothing: no connection stays open between calls."""

    def _run(self, statement: str, bound: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._file.open() as connection:
            try:
                return connection.execute(statement, bound).fetchall()
            except sqlite3.Error as error:
                raise self._file.failure(error) from None
