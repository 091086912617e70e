"""Helpers for the tests of tick logs: both logs behind one interface, and functions that read as a worker does."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from tests.waiting import until
from tickflow.ticklog.base import Commit, Polled, Position, Record, TickLog
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

DAY = 86_400.0
SECONDS = 60.0
"""The longest that these tests wait for an expected event."""


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1_767_623_400.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Logs(ABC):
    """Opens tick logs on one topic and closes them at the end of the test."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._opened: list[TickLog] = []

    @abstractmethod
    def make(self, group: str = "readers", stop: threading.Event | None = None) -> TickLog:
        """Make a log, not connected yet, for a member of `group`."""

    @abstractmethod
    def drop_before(self, offset: int) -> None:
        """Delete the records before `offset` of partition 0, as retention would."""

    @abstractmethod
    def unreachable(self) -> AbstractContextManager[None]:
        """During the block, new instances cannot reach the log. Must be called before the first instance is opened."""

    def open(self, group: str = "readers") -> TickLog:
        log = self.make(group)
        self._opened.append(log)
        log.connect()
        return log

    def reader(self, group: str = "readers") -> TickLog:
        log = self.open(group)
        log.subscribe()
        return log

    def reused(self) -> TickLog:
        """A reader that has joined; every call returns the same reader."""
        if not self._opened:
            join(self.reader())
        return self._opened[0]

    def close(self) -> None:
        for log in self._opened:
            log.close()


class EmbeddedLogs(Logs):
    def __init__(self, path: Path, topic: str) -> None:
        super().__init__()
        self.path = path
        self.clock = Clock()
        self._topic = topic

    def make(self, group: str = "readers", stop: threading.Event | None = None) -> TickLog:
        return EmbeddedTickLog(
            self.path, topic=self._topic, group=group, retention_days=7, stop=stop or self.stop, clock=self.clock
        )

    def drop_before(self, offset: int) -> None:
        self.clock.now += 8 * DAY
        with self.make() as log:
            log.connect()
            assert offset == log.bounds(0).end, "all that was appended so far expires together"
            log.flush(1)

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("CREATE TABLE locked (x)")
            other.execute("BEGIN EXCLUSIVE")
            yield


class KafkaLogs(Logs):
    def __init__(self, servers: str, topic: str, partitions: int = 1) -> None:
        super().__init__()
        self.servers = servers
        self.topic = topic
        self.partitions = partitions

    def make(self, group: str = "readers", stop: threading.Event | None = None) -> TickLog:
        return KafkaTickLog(
            [self.servers],
            topic=self.topic,
            group=f"{self.topic}-{group}",
            partitions=self.partitions,
            instance_id=None,
            security={},
            stop=stop or self.stop,
        )

    def drop_before(self, offset: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            admin.delete_records({TopicPartition(self.topic, 0): offset})
        finally:
            admin.close()

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        servers, self.servers = self.servers, "127.0.0.1:1"
        yield
        self.servers = servers


class Content(NamedTuple):
    """The content of a record."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def content(record: Record) -> Content:
    return Content(record.key, record.value, tuple(record.headers))


def join(log: TickLog) -> dict[int, int]:
    """Poll until partitions are assigned; return their epochs."""
    assigned: dict[int, int] = {}

    def is_assigned() -> bool:
        assigned.update(log.poll(0.2).assigned)
        return bool(assigned)

    until(is_assigned, "partitions are assigned")
    return assigned


def read(log: TickLog, count: int) -> list[Record]:
    """Poll until `count` records have arrived; return them in order of arrival."""
    records: list[Record] = []

    def is_complete() -> bool:
        polled = log.poll(0.2)
        assert not polled.assigned, "assigned again, though nothing called for it"
        for batch in polled.records.values():
            records.extend(batch)
        return len(records) >= count

    until(is_complete, f"{count} records have come")
    return records


def stray(log: TickLog) -> dict[int, int]:
    """Poll until a partition is out of range; return what the poll reports about it."""
    polls: list[Polled] = []

    def is_out_of_range() -> bool:
        polls.append(log.poll(0.2))
        assert not polls[-1].records
        return bool(polls[-1].out_of_range)

    until(is_out_of_range, "a partition is out of range")
    return dict(polls[-1].out_of_range)


def publish(log: TickLog, *values: bytes, key: bytes = b"AAPL") -> None:
    for value in values:
        log.publish(key, value)
    log.flush(SECONDS)


def at(commit: Commit, epoch: int) -> Position:
    return Position(commit.offset, commit.metadata, epoch)
