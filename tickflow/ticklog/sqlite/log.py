"""The tick log in one SQLite file: one partition, for one machine.

Any number of processes may append; one at a time reads for a group, and a second one waits for it.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import LogUnavailable, NotAcknowledged
from tickflow.sqlite import is_passing, unusable
from tickflow.ticklog.base import Bounds, Commit, GroupView, Headers, Polled, Position, Receipt, Record, TickLog
from tickflow.ticklog.sqlite.file import PARTITION, LogFile, Membership, Published

MAX_BUFFERED_RECORDS = 10_000
WRITE_AT_RECORDS, WRITE_AFTER_SECONDS = 500, 0.05
"""`publish` writes its buffer once it holds this many records, or once its oldest record is this many seconds old."""

_LOOK_SECONDS, _JOIN_SECONDS, _WRITE_AGAIN_SECONDS = 0.02, 0.2, 0.5
_SWEEP_SECONDS, _SWEEP_CHUNKS = 60.0, 5
_CLOSE_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class EmbeddedTickLog(TickLog):
    """A tick log in the file `path`, which it shares with the store of the embedded stack.

    Records are deleted `retention_days` after they were appended. `clock` gives seconds since 1970. `publish` writes
    its buffer only when it is full or old: call `flush` after the last record of a round.
    """

    def __init__(
        self,
        path: Path,
        *,
        topic: str,
        group: str,
        retention_days: float,
        stop: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.topic = topic
        self.stop = stop
        self.where = f"the file {path.absolute()} (EMBEDDED_FILE)"
        self._path = path
        self._group = group
        self._retention_ms = round(retention_days * 86_400_000)
        self._clock = clock
        self._file: LogFile | None = None
        self._buffer: list[Published] = []
        self._oldest = 0.0
        self._write_again_at = 0.0
        self._acknowledged = 0
        self._writing = Saying(_logger)
        self._swept_at: float | None = None
        self._membership = Membership(path, group)
        self._joining = Saying(_logger)
        self._subscribed = False
        self._epoch = 0
        self._position: int | None = None
        self._strayed: int | None = None
        self._end = 0

    def connect(self, *, create: bool = True, letters: bool = True) -> None:  # noqa: D102 - documented in TickLog, like all below
        if self._file is None:
            self._file = LogFile(self._path, self.stop)

    def publish(  # noqa: D102
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        topic: str | None = None,
        wait: bool = True,
    ) -> None:
        while len(self._buffer) >= MAX_BUFFERED_RECORDS:
            problem = self._write()
            if problem is not None:
                self.check_stop()
                if not wait:
                    raise LogUnavailable(f"{self.where}: {problem}")
                self._writing(f"waiting for {self.where}: {problem}; {len(self._buffer):,} records are not written yet")
                sleep(self.stop, _JOIN_SECONDS)
        now = time.monotonic()
        if not self._buffer:
            self._oldest = now
        self._buffer.append(Published(topic or self.topic, key, value, tuple(headers)))
        due = len(self._buffer) >= WRITE_AT_RECORDS or now - self._oldest >= WRITE_AFTER_SECONDS
        if due and now >= self._write_again_at and self._write() is not None:
            self._write_again_at = time.monotonic() + _WRITE_AGAIN_SECONDS

    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> Receipt:  # noqa: D102
        self.publish(key, value, headers=headers, topic=topic, wait=False)
        return _Buffered(self, self._acknowledged + len(self._buffer))

    def flush(self, timeout: float) -> None:  # noqa: D102
        deadline = time.monotonic() + timeout
        for delay in Backoff(first=0.05, longest=1.0):
            problem = self._write()
            if problem is None:
                break
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotAcknowledged(len(self._buffer), f"{self.where}: {problem}", refused=0)
            self._writing(f"waiting for {self.where}: {problem}; {len(self._buffer):,} records are not written yet")
            time.sleep(min(delay, left))  # a stop must not end this sleep: the buffered records would be lost
        self._sweep()

    @property
    def acknowledged(self) -> int:  # noqa: D102
        return self._acknowledged

    def subscribe(self) -> None:  # noqa: D102
        self._subscribed = True

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:  # noqa: D102
        deadline = time.monotonic() + timeout
        if self._subscribed and not self._membership.is_held:
            return self._join(deadline)
        self._sweep()
        polled = Polled()
        read_at = None
        while not (polled.records or polled.out_of_range):
            with self._asking() as file:
                changes = file.changes()
                if not paused and changes != read_at:
                    polled = self._read(file)
                    read_at = changes
            left = deadline - time.monotonic()
            if left <= 0 or (not polled.records and sleep(self.stop, min(_LOOK_SECONDS, left))):
                break
        if self._strayed is not None:
            polled.out_of_range = {PARTITION: self._strayed}
        return polled

    def seek(self, partition: int, offset: int) -> None:  # noqa: D102
        if partition == PARTITION and self._membership.is_held:
            self._position, self._strayed = int(offset), None

    def bounds(self, partition: int, topic: str | None = None) -> Bounds:  # noqa: D102
        with self._asking() as file:
            bounds = file.bounds(topic or self.topic)
        if topic is None:
            self._end = bounds.end
        return bounds

    def partitions(self, topic: str | None = None) -> list[int]:  # noqa: D102
        return [PARTITION] if self.bounds(PARTITION, topic or self.topic).end else []

    def read(  # noqa: D102
        self, partition: int, stretch: Bounds, topic: str | None = None
    ) -> Iterator[Sequence[Record]]:
        at = stretch.start
        while at < stretch.end:
            self.check_stop()
            with self._asking() as file:
                entries = file.read(topic or self.topic, at)
            wanted = [entry for entry in entries if entry.offset < stretch.end]
            if not wanted:
                return
            yield wanted
            at = wanted[-1].offset + 1

    def committed(self, partition: int) -> Commit | None:  # noqa: D102
        with self._asking() as file:
            return file.committed(self._group, self.topic)

    def group_view(self) -> GroupView:  # noqa: D102
        with self._asking() as file:
            committed, bounds = file.committed(self._group, self.topic), file.bounds(self.topic)
        is_taken = Membership(self._path, self._group).is_taken()
        return GroupView(
            state="stable" if is_taken else "empty",
            members=("worker",) if is_taken else (),
            owners={PARTITION: "worker"} if is_taken else {},
            committed={} if committed is None else {PARTITION: committed},
            bounds={PARTITION: bounds},
        )

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:  # noqa: D102
        position = positions.get(PARTITION)
        if position is None or not self._membership.is_held or position.epoch != self._epoch:
            return frozenset()
        with self._asking() as file:
            file.commit(self._group, self.topic, Commit(int(position.offset), position.metadata))
        return frozenset({PARTITION})

    def lag(self) -> dict[int, int]:  # noqa: D102
        if self._position is None or self._strayed is not None:
            return {}
        with suppress(LogUnavailable):  # on failure, use the last known end
            self.bounds(PARTITION)
        return {PARTITION: max(self._end - self._position, 0)}

    def ends(self) -> dict[int, int]:  # noqa: D102
        return {} if self._position is None else {PARTITION: self._end}

    def close(self) -> None:  # noqa: D102
        self._membership.release()
        self._position = None
        if self._file is None:
            return
        try:
            self.flush(_CLOSE_SECONDS)
        except NotAcknowledged as error:
            _logger.error("%s", error)
        finally:
            self._file.close()
            self._file = None

    def _join(self, deadline: float) -> Polled:
        while not self._membership.acquire():
            self._joining(f"another worker of the group {self._group} reads {self.where}: waiting until it ends")
            left = deadline - time.monotonic()
            if left <= 0 or sleep(self.stop, min(_JOIN_SECONDS, left)):
                return Polled()
        self._joining.over(f"no other worker reads {self.where} any more")
        self._epoch += 1
        return Polled(assigned={PARTITION: self._epoch})

    def _read(self, file: LogFile) -> Polled:
        if self._position is None or self._strayed is not None:
            return Polled()
        entries = file.read(self.topic, self._position)
        if entries:
            held = entries[0].offset == self._position
        else:
            bounds = file.bounds(self.topic)
            held = bounds.start <= self._position <= bounds.end
        if not held:
            self._strayed = self._position
            return Polled(out_of_range={PARTITION: self._position})
        if not entries:
            return Polled()
        self._position = entries[-1].offset + 1
        # `more` is not set: writing a batch while the next one is computed would take a third longer here, since SQLite
        # releases Python's lock at every row.
        return Polled(records={PARTITION: entries})

    def _write(self) -> str | None:
        """Write the buffer in one transaction; return the reason if that is not possible for now. Raises
        `SettingError`.
        """
        if not self._buffer:
            return None
        try:
            self._opened().append(self._buffer, self._clock)
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(self._path, error) from error
            return str(error)
        self._acknowledged += len(self._buffer)
        self._buffer.clear()
        self._writing.over(f"{self.where} accepts records again")
        return None

    def _sweep(self) -> None:
        """Delete expired records, a few at a time; the next poll deletes more."""
        now = self._clock()
        if self._swept_at is not None and abs(now - self._swept_at) < _SWEEP_SECONDS:
            return
        before_ms = int(now * 1000) - self._retention_ms
        try:
            for topic in (self.topic, self.dead_letter_topic, f"{self.topic}.alerts"):
                for _ in range(_SWEEP_CHUNKS):
                    if not self._opened().sweep(topic, before_ms):
                        break
                else:
                    return
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(self._path, error) from error
        self._swept_at = now

    @contextmanager
    def _asking(self) -> Iterator[LogFile]:
        try:
            yield self._opened()
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(self._path, error) from error
            raise LogUnavailable(f"{self.where}: {error}") from error

    def _opened(self) -> LogFile:
        if self._file is None:
            raise RuntimeError("connect() was not called")
        return self._file


class _Buffered:
    """The receipt of a record: records are written in order, so a record's number among all published records shows
    whether it was written.
    """

    is_refused = is_too_large = False

    def __init__(self, log: EmbeddedTickLog, number: int) -> None:
        self._log = log
        self._number = number

    @property
    def is_acknowledged(self) -> bool:
        return self._log.acknowledged >= self._number
