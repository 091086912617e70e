"""What every tick log can do, in Kafka's terms: records, partitions, offsets, groups, commits.

A log is written with `publish` and `flush`, and read as a member of a consumer group with `subscribe`, `poll`, `seek`
and `commit`. Two adapters implement it: `kafka/` and `sqlite/`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

import msgspec

from tickflow.errors import Stopped

LOG_APPEND_TIME = 1
"""The `timestamp_type` of a record whose time the log set when it appended the record."""

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One record as the log returns it; the attributes are those of kafka-python's ConsumerRecord.

    `timestamp` is in milliseconds since 1970: the log's own append time if `timestamp_type` is `LOG_APPEND_TIME`,
    otherwise the producer's time.
    """

    @property
    def partition(self) -> int: ...  # noqa: D102 - documented in ConsumerRecord, which the class docstring names
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def timestamp_type(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Headers: ...  # noqa: D102


# One struct is created per record. Creating it takes a sixth of the time of a named tuple, and with `gc=False` the
# garbage collector skips it: it cannot be part of a cycle.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """A plain `Record`, for logs whose client has no record class of its own."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    timestamp_type: int = LOG_APPEND_TIME
    headers: Headers = ()


class Oversized(Entry, frozen=True, gc=False):
    """Replaces the records of a batch that would unpack to more than `bound` bytes. Its offset is that of the first of
    these records; `records` is how many there are.

    `packed` is the compressed size of the batch in the log.
    """

    records: int = 0
    packed: int = 0
    bound: int = 0


class Commit(NamedTuple):
    """What the group stores for a partition: the next offset to read, and up to 4,096 bytes of metadata."""

    offset: int
    metadata: str


class Position(NamedTuple):
    """A commit to make; it is valid only while `epoch` is the partition's current assignment.

    `life` counts how often the topic was recreated during that assignment; the log's reader checks it.
    """

    offset: int
    metadata: str
    epoch: int
    life: int = 0


class Bounds(NamedTuple):
    """The offsets that a partition holds: from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """A consumer group as the log itself sees it, whether or not the group's workers report to the store.

    `state`: `stable`, `rebalancing`, `empty` (no member) or `unknown` (no such group, or no such topic). `members` are
    the names of all members, `owners` names the member that owns each partition. `bounds` has every partition of the
    topic.
    """

    state: str
    members: Sequence[str] = ()
    owners: Mapping[int, str] = field(default_factory=dict)
    committed: Mapping[int, Commit] = field(default_factory=dict)
    bounds: Mapping[int, Bounds] = field(default_factory=dict)

    @property
    def lag(self) -> dict[int, int]:
        """How many records each partition has after the commit; without a commit, all its records."""
        return {
            number: max(end - max(self.committed[number].offset if number in self.committed else 0, start), 0)
            for number, (start, end) in self.bounds.items()
        }


@dataclass(slots=True)
class Polled:
    """The result of one `poll`.

    `revoked` partitions belong to this member no longer: drop their state. `assigned` partitions (with the epoch of
    this assignment) are new, and the position of `out_of_range` partitions is an offset that the log does not hold:
    both return nothing before a `seek`. `more` says whether the log held further records, as last known. `read_up_to`
    has the offset reached by each partition that was read further than its last returned record: the offsets in between
    hold no record that counts (only transaction markers and records of aborted transactions).
    """

    records: Mapping[int, Sequence[Record]] = field(default_factory=dict)
    assigned: Mapping[int, int] = field(default_factory=dict)
    revoked: frozenset[int] = frozenset()
    out_of_range: Mapping[int, int] = field(default_factory=dict)
    more: bool = False
    read_up_to: Mapping[int, int] = field(default_factory=dict)


class Receipt(Protocol):
    """The state of one published record: acknowledged, refused, or neither yet."""

    @property
    def is_acknowledged(self) -> bool:
        """Whether the log has confirmed the record."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether the log will never confirm the record: the caller has to publish it again."""
        ...

    @property
    def is_too_large(self) -> bool:
        """Whether the log refused the record because it is too large."""
        ...


class TickLog(ABC):
    """A topic of ticks, its dead-letter topic, and one consumer group's position in it.

    It connects in `connect`, not in the constructor. Setting `stop` ends every wait with `Stopped`. Not thread-safe:
    one thread uses a log.
    """

    topic: str
    stop: threading.Event
    where: str
    """The log and the setting that names it, for messages."""

    @property
    def dead_letter_topic(self) -> str:
        """The topic for refused records."""
        return f"{self.topic}.dlq"

    @property
    def topic_id(self) -> str:
        """Distinguishes the tick topic from a later topic of the same name; empty if the log has no such id.

        When it changes while a member is reading, all partitions are assigned again.
        """
        return ""

    @property
    def holdup(self) -> str:
        """What keeps the log from returning records that it holds, as a sentence; empty if nothing does."""
        return ""

    @abstractmethod
    def connect(self, *, create: bool = True, letters: bool = True) -> None:
        """Wait until the log answers, and create missing topics. Raises `Stopped`.

        With `create=False` nothing is created: enough for `partitions`, `bounds`, `read` and `committed`. With
        `letters=False` (for a producer) the dead-letter topic is left alone: a producer needs no permission for it.
        Records that the log rejects for lack of a permission are then sent again until the permission is granted.
        """

    @abstractmethod
    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        topic: str | None = None,
        wait: bool = True,
    ) -> None:
        """Publish one record (to `topic`, by default the tick topic); wait while the log cannot take it.

        Raises `Stopped` if asked to stop while waiting, and `NotAcknowledged` once after the log refused an earlier
        record. With `wait=False`, raises `LogUnavailable` after half a second instead; the record was then not taken.
        """

    @abstractmethod
    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> Receipt:
        """Publish one record as `publish` does with `wait=False`; the receipt shows its state."""

    @property
    def largest_letter(self) -> int | None:
        """How many bytes the key, value and headers of a dead letter may have in total; `None` if there is no limit."""
        return None

    def make_topic(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None:  # noqa: B027 - not abstract: some logs need no further topic
        """Create another topic if it is missing; `configs` are topic settings of Kafka. Raises `LogUnavailable`."""

    @abstractmethod
    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until the log has confirmed all records. Raises `NotAcknowledged`."""

    @property
    @abstractmethod
    def acknowledged(self) -> int:
        """How many published records the log has confirmed so far."""

    @abstractmethod
    def subscribe(self) -> None:
        """Join the consumer group of the tick topic."""

    @abstractmethod
    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        """Wait at most `timeout` seconds for records and changes of the assignment; while `paused`, no records are
        returned.

        Raises `LogUnavailable` when the log cannot be read at present.
        """

    @abstractmethod
    def seek(self, partition: int, offset: int) -> None:
        """Continue to read at `offset`."""

    @abstractmethod
    def bounds(self, partition: int, topic: str | None = None) -> Bounds:
        """The offsets that the partition (of `topic`, by default the tick topic) holds now. Raises `LogUnavailable`."""

    @abstractmethod
    def partitions(self, topic: str | None = None) -> list[int]:
        """The partitions of the topic, in order; empty without such a topic. Raises `LogUnavailable`."""

    @abstractmethod
    def read(self, partition: int, stretch: Bounds, topic: str | None = None) -> Iterator[Sequence[Record]]:
        """The records in a range of offsets, in portions, without joining the group or disturbing it.

        Records that the log does not hold, or loses during the read, are left out. Raises `LogUnavailable`, `Stopped`.
        """

    @abstractmethod
    def committed(self, partition: int) -> Commit | None:
        """The group's last commit for the partition, or `None`. Raises `LogUnavailable`."""

    @abstractmethod
    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        """Commit the positions whose epoch is still current; return the partitions that were committed.

        Raises `LogUnavailable`.
        """

    @abstractmethod
    def lag(self) -> dict[int, int]:
        """How many records lie between the read position and the end of each assigned partition, as last known."""

    @abstractmethod
    def group_view(self) -> GroupView:
        """The group as the log knows it, read without joining; takes a few seconds at most. Raises `LogUnavailable`."""

    @abstractmethod
    def ends(self) -> dict[int, int]:
        """The offset after the last record of each assigned partition, as last known."""

    @abstractmethod
    def close(self) -> None:
        """Leave the group and close all connections, within a few seconds."""

    def check_stop(self) -> None:
        """Raise `Stopped` if the process was asked to stop."""
        if self.stop.is_set():
            raise Stopped(f"asked to stop while waiting for {self.where}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
