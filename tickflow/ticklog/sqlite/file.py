"""The tables of the embedded tick log and the operations on them; errors are those of sqlite3.

`log_topics` assigns the offsets; an offset is never used twice, even after retention has deleted its record.
"""

import hashlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import msgspec

from tickflow.sqlite import is_passing, open_database, unusable
from tickflow.ticklog.base import LOG_APPEND_TIME, Bounds, Commit, Entry, Headers

PARTITION = 0
MAX_READ_RECORDS, MAX_READ_BYTES = 5_000, 16 * 2**20

_SWEEP_RECORDS = 2_000
_FREE_PAGES_KEPT, _FREE_PAGES_GIVEN_BACK = 4_096, 1_024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_topics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL, time_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS log_records (
    topic INTEGER NOT NULL, offset INTEGER NOT NULL, time_ms INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB,
    PRIMARY KEY (topic, offset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_commits (
    consumers TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (consumers, topic, partition)
) WITHOUT ROWID;
"""
_OF_TOPIC = "topic = (SELECT id FROM log_topics WHERE name = ?)"

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode


class Published(NamedTuple):
    """A record that is not appended yet."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class LogFile:
    """The log's tables in the file at `path`, created if missing. Raises what `open_database` raises."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._database = open_database(path, stop, _SCHEMA)

    def append(self, records: Sequence[Published], clock: Callable[[], float]) -> None:
        """Append all records in one transaction, with the time of `clock` (never before that of the previous
        record).
        """
        with self._transaction() as execute:
            now_ms = int(clock() * 1000)
            for topic, group in groupby(sorted(records, key=lambda each: each.topic), lambda each: each.topic):
                execute("INSERT OR IGNORE INTO log_topics (name, next, time_ms) VALUES (?, 0, 0)", (topic,))
                (number, first, last_ms) = execute(
                    "SELECT id, next, time_ms FROM log_topics WHERE name = ?", (topic,)
                ).fetchone()
                time_ms = max(now_ms, last_ms)
                rows = [
                    (
                        number,
                        offset,
                        time_ms,
                        each.key,
                        each.value,
                        _encode_headers(each.headers) if each.headers else None,
                    )
                    for offset, each in enumerate(group, first)
                ]
                self._database.executemany("INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?)", rows)
                execute(
                    "UPDATE log_topics SET next = ?, time_ms = ? WHERE id = ?", (first + len(rows), time_ms, number)
                )

    def read(self, topic: str, offset: int) -> list[Entry]:
        """The records at or after `offset`: at most 5,000 records, and about 16 MiB."""
        found = self._database.execute(
            f"SELECT offset, key, value, time_ms, headers FROM log_records WHERE {_OF_TOPIC} AND offset >= ? "  # noqa: S608 - a constant
            "ORDER BY offset LIMIT ?",
            (topic, offset, MAX_READ_RECORDS),
        )
        entries: list[Entry] = []
        size = 0
        for at, key, value, time_ms, headers in found:
            entries.append(
                Entry(PARTITION, at, key, value, time_ms, LOG_APPEND_TIME, _decode_headers(headers) if headers else ())
            )
            size += len(value or b"")
            if size > MAX_READ_BYTES:
                break
        found.close()
        return entries

    def bounds(self, topic: str) -> Bounds:
        """The offsets that the topic holds; for a topic that was never written, both bounds are 0."""
        row = self._database.execute(
            "SELECT (SELECT min(offset) FROM log_records WHERE topic = id), next FROM log_topics WHERE name = ?",
            (topic,),
        ).fetchone()
        start, end = row or (0, 0)
        return Bounds(end if start is None else start, end)

    def changes(self) -> int:
        """A number that changes when another connection writes to the file."""
        return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def commit(self, group: str, topic: str, commit: Commit) -> None:
        """Store the group's commit."""
        with self._transaction() as execute:
            execute(
                "INSERT OR REPLACE INTO log_commits VALUES (?, ?, ?, ?, ?)",
                (group, topic, PARTITION, commit.offset, commit.metadata),
            )

    def committed(self, group: str, topic: str) -> Commit | None:
        """The group's commit, if there is one."""
        row = self._database.execute(
            "SELECT offset, metadata FROM log_commits WHERE consumers = ? AND topic = ? AND partition = ?",
            (group, topic, PARTITION),
        ).fetchone()
        return None if row is None else Commit(*row)

    def sweep(self, topic: str, before_ms: int) -> bool:
        """Delete some of the records that were appended before `before_ms`; return whether there may be more of them.

        Later records reuse the space; if much of it stays unused, it is returned to the disk.
        """
        oldest = f"SELECT offset, time_ms FROM log_records WHERE {_OF_TOPIC} ORDER BY offset LIMIT ?"  # noqa: S608 - a constant
        first = self._database.execute(oldest, (topic, 1)).fetchone()
        if first is None or first[1] >= before_ms:
            return False
        with self._transaction() as execute:
            (last,) = execute(
                f"SELECT max(offset) FROM ({oldest}) WHERE time_ms < ?",  # noqa: S608 - a constant
                (topic, _SWEEP_RECORDS, before_ms),
            ).fetchone()
            deleted = execute(f"DELETE FROM log_records WHERE {_OF_TOPIC} AND offset <= ?", (topic, last)).rowcount  # noqa: S608
        if self._database.execute("PRAGMA freelist_count").fetchone()[0] > _FREE_PAGES_KEPT:
            self._database.execute(f"PRAGMA incremental_vacuum({_FREE_PAGES_GIVEN_BACK})").fetchall()
        return deleted == _SWEEP_RECORDS

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database.execute
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


class Membership:
    """The membership in a group: a lock that the operating system releases when its holder ends, however it ends.

    The lock is an open transaction on a separate file beside the log's file: on the log's file it would lock out all
    other processes.
    """

    def __init__(self, path: Path, group: str) -> None:
        name = group if re.fullmatch(r"[\w.\-]{1,80}", group, re.ASCII) else hashlib.sha256(group.encode()).hexdigest()
        self._path = path.with_name(f"{path.name}.{name}.lock")
        self._lock: sqlite3.Connection | None = None

    @property
    def is_held(self) -> bool:
        """Whether this instance has the lock."""
        return self._lock is not None

    def acquire(self) -> bool:
        """Take the lock unless another process holds it; return whether this instance holds it now. Raises
        `SettingError`.
        """
        if self._lock is not None:
            return True
        lock = None
        try:
            lock = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if lock is not None:
                lock.close()
            if not is_passing(error):
                raise unusable(self._path, error) from error
            return False
        self._lock = lock
        return True

    def is_taken(self) -> bool:
        """Whether any process has the lock; to find out, this call takes the lock for a moment if it is free. Raises
        `SettingError`.
        """
        try:
            return not self.acquire()
        finally:
            self.release()

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
