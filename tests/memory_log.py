"""A tick log in memory whose consumer group the test controls, to provoke what real brokers do only at random."""

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence

from tickflow.errors import LogUnavailable, NotAcknowledged
from tickflow.ticklog.base import Bounds, Commit, Entry, GroupView, Headers, Polled, Position, Record, TickLog


class MemoryTopic:
    """Partitions of entries, the group's commits, and the dead letters; shared by the members of a test's group."""

    def __init__(self, partitions: int) -> None:
        self.entries: dict[int, list[Entry]] = {number: [] for number in range(partitions)}
        self.ends = dict.fromkeys(range(partitions), 0)
        self.starts = dict.fromkeys(range(partitions), 0)
        self.commits: dict[int, Commit] = {}
        self.letters: list[tuple[bytes | None, bytes | None, Headers]] = []

    def append(self, partition: int, key: bytes | None, value: bytes | None, skip: int = 0) -> None:
        """Append a record after leaving out `skip` offsets."""
        offset = self.ends[partition] + skip
        self.entries[partition].append(Entry(partition, offset, key, value, 0, 0))
        self.ends[partition] = offset + 1

    def drop(self, partition: int, count: int) -> None:
        """Delete the oldest `count` records, as retention would."""
        start = min(self.starts[partition] + count, self.ends[partition])
        self.starts[partition] = start
        self.entries[partition] = [each for each in self.entries[partition] if each.offset >= start]


class MemoryReceipt:
    """Whether a dead letter was acknowledged, was refused, or was too large."""

    is_acknowledged = is_refused = is_too_large = False


class MemoryLog(TickLog):
    """A member of the group. `give` and `take` change its assignment at its next poll; each of `troubles` fails a call.

    A trouble is `commit_fails`, `commit_unsure` (committed, but not confirmed), `commit_refused` or `letters_fail`.
    """

    def __init__(self, topic: MemoryTopic, at_a_time: int = 3) -> None:
        self.topic = "memory"
        self.where = "the log of this test"
        self.stop = threading.Event()
        self.troubles: deque[str] = deque()
        self._shared = topic
        self._at_a_time = at_a_time
        self._epoch = 0
        self._epochs: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._changes: deque[tuple[str, int]] = deque()
        self._unflushed: list[tuple[bytes | None, bytes | None, Headers]] = []
        self._receipts: list[MemoryReceipt] = []

    def give(self, partition: int) -> None:
        self._changes.append(("give", partition))

    def take(self, partition: int) -> None:
        self._changes.append(("take", partition))

    def connect(self, *, create: bool = True, letters: bool = True) -> None:
        pass

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        topic: str | None = None,
        wait: bool = True,
    ) -> None:
        assert topic == self.dead_letter_topic
        self._unflushed.append((key, value, headers))

    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> "MemoryReceipt":
        self.publish(key, value, headers=headers, topic=topic)
        self._receipts.append(MemoryReceipt())
        return self._receipts[-1]

    def flush(self, timeout: float) -> None:
        letters, self._unflushed = self._unflushed, []
        receipts, self._receipts = self._receipts, []
        fails = self._trouble("letters_fail")
        for receipt in receipts:
            receipt.is_acknowledged, receipt.is_refused = not fails, fails
        if fails:
            raise NotAcknowledged(len(letters), "as the test asked")
        self._shared.letters += letters

    @property
    def acknowledged(self) -> int:
        return len(self._shared.letters)

    def subscribe(self) -> None:
        pass

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        before = dict(self._epochs)
        while self._changes:
            kind, partition = self._changes.popleft()
            self._epochs.pop(partition, None)
            self._places.pop(partition, None)
            if kind == "give":
                self._epoch += 1
                self._epochs[partition] = self._epoch
        polled = Polled(
            revoked=frozenset(n for n, epoch in before.items() if self._epochs.get(n) != epoch),
            assigned={n: epoch for n, epoch in self._epochs.items() if before.get(n) != epoch},
        )
        records: dict[int, list[Record]] = {}
        for partition, place in [] if paused else list(self._places.items()):
            if not self._shared.starts[partition] <= place <= self._shared.ends[partition]:
                polled.out_of_range = {**polled.out_of_range, partition: place}
                continue
            held = [each for each in self._shared.entries[partition] if each.offset >= place][: self._at_a_time]
            if held:
                records[partition] = list(held)
                self._places[partition] = held[-1].offset + 1
        polled.records = records
        polled.more = any(records[n][-1].offset + 1 < self._shared.ends[n] for n in records)
        return polled

    def seek(self, partition: int, offset: int) -> None:
        self._places[partition] = offset

    def bounds(self, partition: int, topic: str | None = None) -> Bounds:
        if topic == self.dead_letter_topic:
            return Bounds(0, len(self._shared.letters))
        return Bounds(self._shared.starts[partition], self._shared.ends[partition])

    def partitions(self, topic: str | None = None) -> list[int]:
        return [0] if topic == self.dead_letter_topic else list(self._shared.entries)

    def read(self, partition: int, stretch: Bounds, topic: str | None = None) -> Iterator[Sequence[Record]]:
        entries = self._shared.entries[partition]
        if topic == self.dead_letter_topic:
            letters = enumerate(self._shared.letters)
            entries = [Entry(0, n, key, value, 0, headers=headers) for n, (key, value, headers) in letters]
        for entry in entries:
            if stretch.start <= entry.offset < stretch.end:
                yield [entry]

    def committed(self, partition: int) -> Commit | None:
        return self._shared.commits.get(partition)

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        if self._trouble("commit_fails"):
            raise LogUnavailable("as the test asked")
        if self._trouble("commit_refused"):
            return frozenset()
        current = {n: at for n, at in positions.items() if self._epochs.get(n) == at.epoch}
        self._shared.commits |= {n: Commit(at.offset, at.metadata) for n, at in current.items()}
        if self._trouble("commit_unsure"):
            raise LogUnavailable("as the test asked")
        return frozenset(current)

    def lag(self) -> dict[int, int]:
        lags: dict[int, int] = defaultdict(int)
        for partition, place in self._places.items():
            lags[partition] = self._shared.ends[partition] - place
        return dict(lags)

    def group_view(self) -> GroupView:
        return GroupView("unknown")

    def ends(self) -> dict[int, int]:
        return {partition: self._shared.ends[partition] for partition in self._places}

    def close(self) -> None:
        pass

    def _trouble(self, name: str) -> bool:
        if self.troubles and self.troubles[0] == name:
            self.troubles.popleft()
            return True
        return False
