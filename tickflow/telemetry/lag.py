"""How far a worker is behind, in seconds: the age of the oldest uncommitted record, by its append time.

A number of records means little without the rate at which they arrive. The age is exact if the worker has read the
record; for unread records it is known as soon as `look_up` or the next poll brings the first of them.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Stretch(NamedTuple):
    """Records of one poll: the append time of the first (ms since 1970), and the offset after the last."""

    append_ms: int
    next_offset: int


@dataclass(slots=True)
class _Partition:
    assignment: object
    committed: int
    looked_up_ms: int | None = None
    caught_up_ms: int | None = None
    in_flight: deque[Stretch] = field(default_factory=deque)


class LagClock:
    """The append time of the oldest uncommitted record of each partition; `now_ms` is the wall clock.

    >>> lag = LagClock()
    >>> lag.follow({0: ("first assignment", 100)})
    >>> lag.read(0, Stretch(append_ms=5_000, next_offset=110))
    >>> lag.seconds(0, end=120, now_ms=9_000)
    4.0
    >>> lag.commit(0, 120, now_ms=9_500)
    >>> lag.seconds(0, end=120, now_ms=10_000)
    0.0
    """

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def follow(self, assigned: Mapping[int, tuple[object, int]]) -> None:
        """Adopt the assignment: by partition, the committed offset and a token that changes with each assignment."""
        for partition in self._partitions.keys() - assigned.keys():
            del self._partitions[partition]
        for partition, (assignment, committed) in assigned.items():
            known = self._partitions.get(partition)
            if known is None or known.assignment != assignment:
                self._partitions[partition] = _Partition(assignment, committed)

    def read(self, partition: int, stretch: Stretch) -> None:
        """Note the records of a poll; records before the committed offset, which only fill windows, do not count."""
        known = self._partitions.get(partition)
        if known is not None and stretch.next_offset > known.committed:
            known.in_flight.append(stretch)

    def commit(self, partition: int, committed: int, now_ms: int) -> None:
        """Record that the group has committed the partition up to the offset `committed`."""
        known = self._partitions.get(partition)
        if known is None:
            return
        known.committed = committed
        known.looked_up_ms = None
        while known.in_flight and known.in_flight[0].next_offset <= committed:
            known.in_flight.popleft()
        known.caught_up_ms = now_ms

    def grow(self, partition: int, end: int) -> None:
        """Note that the log holds records up to `end` though the loop has not asked for them: if it has read none of
        the uncommitted ones, the append time of the first has to be looked up.
        """
        known = self._partitions.get(partition)
        if known is not None and end > known.committed and not known.in_flight:
            known.caught_up_ms = None

    def look_up(self, partition: int, committed: int, append_ms: int) -> None:
        """Note the append time of the record at the committed offset, as the log returned it."""
        known = self._partitions.get(partition)
        if known is not None and known.committed == committed:
            known.looked_up_ms = append_ms

    def unknown(self) -> list[tuple[int, int]]:
        """The partitions whose oldest uncommitted record has an unknown append time, each with its committed offset."""
        return [
            (partition, known.committed)
            for partition, known in list(self._partitions.items())
            if not known.in_flight and known.looked_up_ms is None and known.caught_up_ms is None
        ]

    def seconds(self, partition: int, end: int, now_ms: int) -> float | None:
        """The age of the oldest uncommitted record; 0 if there is none, `None` while unknown."""
        known = self._partitions.get(partition)
        if known is None or end <= known.committed:
            return None if known is None else 0.0
        if known.in_flight:
            since = known.in_flight[0].append_ms
        elif known.looked_up_ms is not None:
            since = known.looked_up_ms
        elif known.caught_up_ms is not None:
            since = known.caught_up_ms  # every uncommitted record was appended after the commit that caught up
        else:
            return None
        return max(now_ms - since, 0) / 1000
