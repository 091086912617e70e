"""The partitions that are a worker's own for now, each with its windows, and how it gets and loses them.

A partition that is assigned is restored: read from the oldest offset its windows need, silently up to the
committed offset, and only then emitted. One that is revoked is forgotten.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tickflow.backoff import Saying
from tickflow.counters import Arrivals, Counters
from tickflow.errors import LogUnavailable
from tickflow.restore import RestorePlan, plan, to_metadata
from tickflow.ticklog.base import Polled, Position, Record, TickLog
from tickflow.windows import Windows

logger = logging.getLogger("tickflow.analytics")


@dataclass(slots=True)
class Assigned:
    """A partition while it is ours: its windows, and the offset from which on its points are written."""

    epoch: int
    emit_from: int
    restore_from: int
    windows: Windows = field(default_factory=Windows)
    arrivals: Arrivals = field(default_factory=Arrivals)

    def position(self, next_offset: int) -> Position:
        """What to commit once everything before `next_offset` is stored and refused."""
        return Position(next_offset, to_metadata(next_offset, self.windows.oldest), self.epoch)


class Assignments(Mapping[int, Assigned]):
    """The worker's partitions, by number, kept in step with what each poll reports."""

    def __init__(self, log: TickLog, counters: Counters) -> None:
        self._log = log
        self._counters = counters
        self._ours: dict[int, Assigned] = {}
        self._unplaced: dict[int, int] = {}
        self._restoring = Saying(logger, every=5.0)

    def __getitem__(self, partition: int) -> Assigned:
        return self._ours[partition]

    def __iter__(self):  # type: ignore[no-untyped-def]  # Iterator[int], from Mapping
        return iter(self._ours)

    def __len__(self) -> int:
        return len(self._ours)

    def follow(self, polled: Polled) -> None:
        """Take over what a poll said of the assignment.

        Raises `LogUnavailable` when the log cannot say where to begin; the next call tries again.
        """
        for partition in polled.revoked:
            self._ours.pop(partition, None)
            self._unplaced.pop(partition, None)
        self._unplaced |= polled.assigned
        for partition, epoch in list(self._unplaced.items()):
            del self._unplaced[partition]
            try:
                self._adopt(partition, epoch)
            except LogUnavailable:
                self._unplaced[partition] = epoch  # last in line: the others are not to wait for it
                raise
        for partition, position in polled.out_of_range.items():
            self._relocate(partition, position)

    def is_restoring(self, partition: int, records: Sequence[Record]) -> bool:
        """Whether the partition's replay goes on past these records; says how far it is."""
        ours = self._ours[partition]
        done, to_do = records[-1].offset + 1 - ours.restore_from, ours.emit_from - ours.restore_from
        if done < to_do:
            self._restoring(f"restoring the windows of partition {partition}: {done:,} of {to_do:,} records")
            return True
        return False

    def _adopt(self, partition: int, epoch: int) -> None:
        commit = self._log.committed(partition)
        begin = plan(commit, self._log.bounds(partition))
        self._ours[partition] = Assigned(epoch, begin.emit_from, begin.seek)
        self._count(partition, begin)
        self._log.seek(partition, begin.seek)
        logger.info("partition %d is ours: reading from %s", partition, _described(begin))

    def _relocate(self, partition: int, position: int) -> None:
        ours = self._ours.get(partition)
        if ours is None:
            return
        bounds = self._log.bounds(partition)
        if position > bounds.end:
            note = f"position {position:,} lies past the end at {bounds.end:,}: the topic was made anew, from its start"
            begin = RestorePlan(bounds.start, bounds.start, note=note)
        else:
            lost = max(bounds.start - max(position, ours.emit_from), 0)
            cold = max(min(bounds.start, ours.emit_from) - position, 0)
            note = f"the log's retention overran this worker: {lost:,} records were lost, {cold:,} to replay are gone"
            begin = RestorePlan(bounds.start, max(bounds.start, ours.emit_from), lost, cold, note)
        # Begun anew, as a restart would: no value may depend on whether one fell into the gap.
        ours.windows, ours.arrivals = Windows(), Arrivals()
        ours.emit_from, ours.restore_from = begin.emit_from, begin.seek
        self._count(partition, begin)
        self._log.seek(partition, begin.seek)

    def _count(self, partition: int, begin: RestorePlan) -> None:
        self._counters.lost += begin.lost
        self._counters.cold += begin.cold
        if begin.note:
            logger.warning("partition %d: %s", partition, begin.note)


def _described(begin: RestorePlan) -> str:
    if begin.seek == begin.emit_from:
        return f"{begin.seek:,}"
    return f"{begin.emit_from:,}, after a replay of {begin.emit_from - begin.seek:,} records for its windows"
