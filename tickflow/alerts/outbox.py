"""The outbox: messages are written before they are sent, so that neither a crash nor a dead channel loses one.

A message goes to each channel once. Only if the notifier is killed after a receiver has answered and before the answer
is recorded does the message go out a second time, with the same id.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tickflow.alerts.alert import Alert, decode, encode
from tickflow.sqlite import open_database

KEPT_SECONDS = 30 * 86_400
"""How long sent messages are remembered; within this time no alert is sent twice."""

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, alert BLOB NOT NULL, arrived REAL NOT NULL, message TEXT)
        WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS alerts_waiting ON alerts (arrived) WHERE message IS NULL;
    CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, alert BLOB NOT NULL, written REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS deliveries (
        channel TEXT NOT NULL, message TEXT NOT NULL, state TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (channel, message)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (channel, at) WHERE state = 'waiting';
"""


class Message(NamedTuple):
    """A message that a channel has not received yet; `written` in seconds since 1970."""

    id: str
    alert: Alert
    written: float


class Outbox:
    """The tables of the outbox in a separate file, for one thread. Raises what `open_database` raises."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._database = open_database(path, stop, _SCHEMA)
        self._database.execute("PRAGMA synchronous = FULL")

    def take(self, alerts: Iterable[Alert], now: float) -> None:
        """Add alerts that have arrived; ignore alerts that are known already."""
        rows = [(each.message_id, encode(each), now) for each in alerts]
        self._together("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, NULL)", rows)

    def arrived(self, before: float) -> list[Alert]:
        """The alerts without a message that arrived before the time `before`, oldest first."""
        query = "SELECT alert FROM alerts WHERE message IS NULL AND arrived < ? ORDER BY arrived, id"
        return [decode(row[0]) for row in self._database.execute(query, (before,))]

    def write(self, message: Alert, members: Sequence[Alert], channels: Sequence[str], now: float) -> None:
        """Write one message about these alerts for all channels, in one transaction."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute(
            "INSERT OR IGNORE INTO messages VALUES (?, ?, ?)", (message.message_id, encode(message), now)
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO deliveries VALUES (?, ?, 'waiting', ?)",
            [(channel, message.message_id, now) for channel in channels],
        )
        self._database.executemany(
            "UPDATE alerts SET message = ? WHERE id = ?", [(message.message_id, each.message_id) for each in members]
        )
        self._database.execute("COMMIT")

    def skip(self, alerts: Iterable[Alert]) -> None:
        """Record that these alerts get no message."""
        self._together("UPDATE alerts SET message = '' WHERE id = ?", [(each.message_id,) for each in alerts])

    def waiting(self, channel: str) -> list[Message]:
        """The messages that the channel has not received yet, oldest first."""
        query = (
            "SELECT messages.id, alert, written FROM deliveries JOIN messages ON messages.id = message "
            "WHERE channel = ? AND state = 'waiting' ORDER BY written, messages.id"
        )
        return [Message(name, decode(alert), at) for name, alert, at in self._database.execute(query, (channel,))]

    def backlog(self, channel: str) -> tuple[int, float]:
        """How many messages wait for the channel, and when the oldest of them was written; 0 if none waits."""
        query = (
            "SELECT count(*), coalesce(min(written), 0.0) FROM deliveries JOIN messages ON messages.id = message "
            "WHERE channel = ? AND state = 'waiting'"
        )
        count, oldest = self._database.execute(query, (channel,)).fetchone()
        return count, oldest

    def settle(self, channel: str, messages: Iterable[str], state: str, now: float) -> None:
        """Note the outcome of messages: `sent at` (on its own), `sent along` (together with another) or `given up`."""
        rows = [(state, now, channel, each) for each in messages]
        self._together("UPDATE deliveries SET state = ?, at = ? WHERE (channel, message) = (?, ?)", rows)

    def count(self, channel: str, state: str, since: float = 0.0) -> int:
        """How many messages of a channel have been in the state `state` since the time `since`."""
        query = "SELECT count(*) FROM deliveries WHERE channel = ? AND state = ? AND at >= ?"
        return int(self._database.execute(query, (channel, state, since)).fetchone()[0])

    def forget(self, now: float) -> None:
        """Delete messages that were settled a month ago."""
        old = now - KEPT_SECONDS
        self._database.execute("DELETE FROM deliveries WHERE state != 'waiting' AND at < ?", (old,))
        self._database.execute(
            "DELETE FROM messages WHERE written < ? AND id NOT IN (SELECT message FROM deliveries)", (old,)
        )
        self._database.execute("DELETE FROM alerts WHERE message IS NOT NULL AND arrived < ?", (old,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _together(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, rows)
            self._database.execute("COMMIT")
