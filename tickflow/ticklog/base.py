"""What every tick log can do, in the terms of Kafka: records, partitions, offsets, groups, commits.

A log is written with `publish` and `flush`, and read as a member of a consumer group with `subscribe`, `poll`,
`seek` and `commit`. Two adapters implement it: `kafka.py` and `embedded.py`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

import msgspec

from tickflow.errors import Stopped

LOG_APPEND_TIME = 1
"""The `timestamp_type` of a record whose time was given by the log itself when it was appended."""

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One record as the log returns it; the attributes are those of kafka-python's ConsumerRecord.

    `timestamp` is in milliseconds since 1970: the log's own append time if `timestamp_type` is `LOG_APPEND_TIME`,
    else whatever the producer claimed.
    """

    @property
    def partition(self) -> int: ...  # noqa: D102 - named by the class docstring's source
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


# One is made for every record. A struct is made in a sixth of a named tuple's time, and without `gc` none of them is
# looked through by the garbage collector, which finds no cycle in what lies in them.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """A plain `Record`, for logs whose client brings none of its own."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    timestamp_type: int = LOG_APPEND_TIME
    headers: Headers = ()


class Oversized(Entry, frozen=True, gc=False):
    """Stands, at the first of their offsets, for the `records` of a batch that unpacks to more than `bound` bytes.

    `packed` is the size of the batch as it lies in the log.
    """

    records: int = 0
    packed: int = 0
    bound: int = 0


class Commit(NamedTuple):
    """What a group keeps for a partition: the next offset to read, and up to 4,096 bytes of metadata."""

    offset: int
    metadata: str


class Position(NamedTuple):
    """A commit to be made, valid only while the partition's assignment still has this `epoch`.

    `life` is for whoever reads: how often the topic was made anew under that assignment.
    """

    offset: int
    metadata: str
    epoch: int
    life: int = 0


class Bounds(NamedTuple):
    """The offsets a partition holds: from `start`, up to but without `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """A consumer group as the log itself knows it, whether its workers report or not.

    `state`: `stable`, `rebalancing`, `empty` (no member) or `unknown` (no such group, or no such topic). `members` are
    the names of all members, `owners` names the one that has a partition. `bounds` has every partition of the topic.
    """

    state: str
    members: Sequence[str] = ()
    owners: Mapping[int, str] = field(default_factory=dict)
    committed: Mapping[int, Commit] = field(default_factory=dict)
    bounds: Mapping[int, Bounds] = field(default_factory=dict)

    @property
    def lag(self) -> dict[int, int]:
        """By partition, the records between the committed offset (else the start of the log) and its end."""
        return {
            number: max(end - max(self.committed[number].offset if number in self.committed else 0, start), 0)
            for number, (start, end) in self.bounds.items()
        }


@dataclass(slots=True)
class Polled:
    """What one `poll` brought.

    `revoked` partitions are gone: drop their state. `assigned` ones (with the epoch of this assignment) are new,
    `out_of_range` ones stand at an offset that the log does not hold: both need a `seek` before they deliver. `more`
    says whether the log held more behind these records, as last heard. `read_up_to` names the partitions that are
    read on past their last record, or without one, and from where: what lies before holds no record that counts
    (Kafka's own markers, records of aborted transactions).
    """

    records: Mapping[int, Sequence[Record]] = field(default_factory=dict)
    assigned: Mapping[int, int] = field(default_factory=dict)
    revoked: frozenset[int] = frozenset()
    out_of_range: Mapping[int, int] = field(default_factory=dict)
    more: bool = False
    read_up_to: Mapping[int, int] = field(default_factory=dict)


class Receipt(Protocol):
    """What became of one record that was handed to the log: acknowledged, refused, or neither yet."""

    @property
    def is_acknowledged(self) -> bool:
        """Whether the log has confirmed it."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether it will never be confirmed: it has to be handed over again."""
        ...

    @property
    def is_too_large(self) -> bool:
        """Whether it was refused for its size."""
        ...


class TickLog(ABC):
    """A topic of ticks, its dead-letter topic beside it, and one consumer group's view of it.

    Connects in `connect`, not in the constructor. `stop` is the event that ends every wait inside (`Stopped`).
    Not thread-safe: one thread uses a log.
    """

    topic: str
    stop: threading.Event
    where: str
    """For messages: what it is and which setting names it."""

    @property
    def dead_letter_topic(self) -> str:
        """The topic for refused records."""
        return f"{self.topic}.dlq"

    @property
    def topic_id(self) -> str:
        """What tells the tick topic from a later one of the same name; empty where the log knows none.

        When it changes under a member, all partitions are assigned anew.
        """
        return ""

    @property
    def holdup(self) -> str:
        """What keeps the log from handing out records that it holds, in a sentence; empty when nothing does."""
        return ""

    @abstractmethod
    def connect(self, *, create: bool = True) -> None:
        """Wait until the log answers, and create its topics where they are missing. Raises `Stopped`.

        Without `create` nothing is made: enough for `partitions`, `bounds`, `read` and `committed`.
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
        """Hand over one record (to `topic`, by default the tick topic); blocks while the log cannot take it.

        Raises `Stopped` if asked to stop while blocked, `NotAcknowledged` once the log refused an earlier record.
        Without `wait` raises `LogUnavailable` after half a second in place of blocking: it was not handed over.
        """

    @abstractmethod
    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> Receipt:
        """Hand over one record as `publish` does without `wait`; the receipt says what becomes of it."""

    @property
    def largest_letter(self) -> int | None:
        """How many bytes of key, value and headers the dead-letter topic takes; `None` where any number."""
        return None

    @abstractmethod
    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until the log confirmed all records. Raises `NotAcknowledged`."""

    @property
    @abstractmethod
    def acknowledged(self) -> int:
        """How many published records the log has confirmed so far."""

    @abstractmethod
    def subscribe(self) -> None:
        """Join the consumer group of the tick topic."""

    @abstractmethod
    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        """Wait at most `timeout` seconds for records and changes of the assignment; no records while `paused`.

        Raises `LogUnavailable` when the log cannot be read for now.
        """

    @abstractmethod
    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`."""

    @abstractmethod
    def bounds(self, partition: int, topic: str | None = None) -> Bounds:
        """The offsets that the partition (of `topic`, by default the tick topic) holds now. Raises `LogUnavailable`."""

    @abstractmethod
    def partitions(self, topic: str | None = None) -> list[int]:
        """The partitions of the topic, in order; none if there is no such topic. Raises `LogUnavailable`."""

    @abstractmethod
    def read(self, partition: int, stretch: Bounds, topic: str | None = None) -> Iterator[Sequence[Record]]:
        """The records within a stretch of offsets, in portions, without joining the group or disturbing it.

        What the log does not hold, or loses meanwhile, is left out. Raises `LogUnavailable`, `Stopped`.
        """

    @abstractmethod
    def committed(self, partition: int) -> Commit | None:
        """The group's last commit for the partition, or `None`. Raises `LogUnavailable`."""

    @abstractmethod
    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        """Commit those positions whose epoch is still current; the partitions that were committed come back.

        Raises `LogUnavailable`.
        """

    @abstractmethod
    def lag(self) -> dict[int, int]:
        """By assigned partition, how many records lie between the read position and the end, as last heard."""

    @abstractmethod
    def group_view(self) -> GroupView:
        """The group as the log knows it, without joining it, in a few seconds at most. Raises `LogUnavailable`."""

    @abstractmethod
    def ends(self) -> dict[int, int]:
        """By assigned partition, the offset after its last record, as last heard."""

    @abstractmethod
    def close(self) -> None:
        """Leave the group and let go of all connections, within a few seconds."""

    def check_stop(self) -> None:
        """Raise `Stopped` if the process was asked to stop."""
        if self.stop.is_set():
            raise Stopped(f"asked to stop while waiting for {self.where}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
