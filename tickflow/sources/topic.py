"""A source that turns the records of another topic into ticks, as a map describes.

Delivery is at least once: an offset of the other topic is committed, in its own consumer group, only when the
ticks of all records before it are acknowledged. After a crash the records since the last commit are published again.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

from tickflow.backoff import Saying
from tickflow.errors import LogUnavailable
from tickflow.sources.base import Wait
from tickflow.sources.mapping import Mapping, Unmapped
from tickflow.ticklog.base import Position, TickLog
from tickflow.ticks.tick import Tick

POLL_SECONDS = 0.25
SHOWN = 5
"""Only this many of the records that the map cannot turn into ticks are logged individually; the others are counted."""

logger = logging.getLogger("tickflow.producer")


class TopicSource:
    """The ticks of the records of `log`'s topic, which the source reads as a member of a group; `seq` is a record's
    offset.
    """

    def __init__(self, log: TickLog, mapping: Mapping) -> None:
        self.symbols: Sequence[str] = ()
        self.unmapped: Counter[str] = Counter()
        self._log = log
        self._mapping = mapping
        self._epochs: dict[int, int] = {}
        self._unplaced: dict[int, int] = {}
        self._taken: dict[int, Position] = {}
        self._trouble = Saying(logger)
        self._no_ticks = Saying(logger)

    @property
    def what(self) -> str:
        """The description of this source in the first log line."""
        return f"the records of the topic {self._log.topic} as ticks, at least once"

    def batches(self, wait: Wait) -> Iterator[Sequence[Tick]]:
        """The ticks of the records as they arrive, without end."""
        self._log.connect(create=False)
        self._log.subscribe()
        while True:
            ticks: list[Tick] = []
            try:
                ticks = self._poll()
                self._trouble.over(f"the topic {self._log.topic} is read again")
            except LogUnavailable as error:
                self._trouble(f"the topic {self._log.topic} cannot be read: {error}")
            if ticks:
                yield ticks
            elif wait(0):  # the poll has already waited; this call only flushes the ticks
                return

    def acknowledged(self) -> None:
        """Commit the offset after the last record whose ticks are acknowledged."""
        if not self._taken:
            return
        try:
            for partition in self._log.commit(self._taken):
                del self._taken[partition]
        except LogUnavailable as error:
            self._trouble(f"the offset in the topic {self._log.topic} cannot be committed: {error}")

    def progress(self) -> str:
        """A phrase that says how many records were left out."""
        left_out = self.unmapped.total()
        return f"{left_out:,} records of {self._log.topic} are not ticks by the map" if left_out else ""

    def close(self) -> None:
        """Leave the group."""
        self._log.close()

    def _poll(self) -> list[Tick]:
        polled = self._log.poll(POLL_SECONDS)
        for partition in polled.revoked:
            for known in (self._epochs, self._unplaced, self._taken):
                known.pop(partition, None)
        self._unplaced |= polled.assigned
        for partition, epoch in list(self._unplaced.items()):
            self._place(partition)
            self._epochs[partition] = epoch
            del self._unplaced[partition]
        for partition in polled.out_of_range:
            start = self._log.bounds(partition).start
            logger.warning(
                "the position in partition %d of %s is gone: reading from offset %d", partition, self._log.topic, start
            )
            self._log.seek(partition, start)
        ticks: list[Tick] = []
        for partition, records in polled.records.items():
            if partition not in self._epochs or not records:
                continue
            for record in records:
                try:
                    ticks.append(self._mapping.tick(record.key, record.value, record.offset))
                except Unmapped as error:
                    self._leave_out(partition, record.offset, str(error))
            self._taken[partition] = Position(records[-1].offset + 1, "", self._epochs[partition])
        return ticks

    def _place(self, partition: int) -> None:
        bounds, commit = self._log.bounds(partition), self._log.committed(partition)
        begin = bounds.start if commit is None else max(commit.offset, bounds.start)
        if commit is not None and commit.offset < bounds.start:
            lost = bounds.start - commit.offset
            logger.warning(
                "%s records of partition %d of %s were gone before they were read",
                f"{lost:,}",
                partition,
                self._log.topic,
            )
        if begin > bounds.end:
            logger.warning(
                "the topic %s was created again: reading partition %d from its start", self._log.topic, partition
            )
            begin = bounds.start
        self._log.seek(partition, begin)

    def _leave_out(self, partition: int, offset: int, reason: str) -> None:
        self.unmapped[reason] += 1
        place = f"partition {partition}, offset {offset}"
        if self.unmapped.total() <= SHOWN:
            logger.warning("left out of %s, %s: %s", self._log.topic, place, reason)
        else:
            self._no_ticks(
                f"{self.unmapped.total():,} records of {self._log.topic} left out so far, now {place}: {reason}"
            )
