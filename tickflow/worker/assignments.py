"""The partitions that a worker owns at present, each with its windows.

An assigned partition is restored: the worker continues from the newest checkpoint, or reads from the oldest offset that
the windows need; it writes nothing up to the committed offset, and writes points after it. The state of a revoked
partition is set aside: a rebalance takes all partitions from all workers and gives most of them back. If nobody else
has committed in between, the worker continues with the state that it set aside.
"""

import logging
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from tickflow.alerts.desk import Begin, Desk, Watched
from tickflow.backoff import Saying
from tickflow.errors import LogUnavailable
from tickflow.metrics.windows import WINDOW_SPAN, Windows
from tickflow.ticklog.base import Bounds, Commit, Polled, Position, Record, TickLog
from tickflow.ticks.names import Names
from tickflow.ticks.tick import Limits
from tickflow.worker import kept
from tickflow.worker.arrivals import Arrivals
from tickflow.worker.counters import Counters, Tally
from tickflow.worker.restore import RestorePlan, plan, to_metadata

SET_ASIDE_SECONDS = 60.0
"""How long the state of a revoked partition is kept, unless an assignment without it comes first."""

logger = logging.getLogger("tickflow.worker")


@dataclass(slots=True)
class Assigned:
    """A partition that this worker owns: its windows, and the offset from which its points are written.

    All points at or after offset `since` come from this version of the computation.
    """

    epoch: int
    emit_from: int
    restore_from: int
    read_up_to: int
    windows: Windows
    topic_id: str
    names: Names
    since: int = 0
    life: int = 0
    arrivals: Arrivals = field(default_factory=Arrivals)

    def position(self, next_offset: int) -> Position:
        """The position to commit once every record before `next_offset` is stored or in the dead-letter topic."""
        metadata = to_metadata(next_offset, self.windows.oldest, self.windows.span, self.topic_id, self.since)
        return Position(next_offset, metadata, self.epoch, self.life)

    def consume(self, records: Sequence[Record], end: int, tally: Tally) -> None:
        """Count the records from `emit_from` to `end`, and the offsets between them that hold no record."""
        consumed = len(records) - bisect_left(records, self.emit_from, key=attrgetter("offset"))
        tally.consumed += consumed
        tally.skipped += max(end - max(self.emit_from, self.read_up_to), 0) - consumed
        self.read_up_to = end


class Planned(NamedTuple):
    """The plan for a partition, and the commit and the bounds from which it was made."""

    commit: Commit | None
    bounds: Bounds
    plan: RestorePlan

    def begun(self, own: Commit | None, span: int, topic_id: str) -> Commit:
        """The commit that stands for the start of writing until this worker's first commit.

        Another program may commit past records that this worker has not stored yet: the next assignment then begins
        here again.
        """
        emit_from = self.plan.emit_from
        for each in (own, self.commit) if self.plan.foreign else (self.commit, own):
            if each is not None and each.offset == emit_from:
                return each
        return Commit(emit_from, to_metadata(emit_from, self.plan.seek, span, topic_id, self.plan.since))


@dataclass(frozen=True, slots=True)
class SetAside:
    """The state of a revoked partition: its windows, the watch of its alerts, and when it was revoked."""

    assigned: Assigned
    watched: Watched | None
    at: float

    def is_as_committed(self, commit: Commit | None, own: Commit | None, bounds: Bounds, topic_id: str) -> bool:
        """Whether this state matches `commit`: the commit is `own` (this worker's last one), the worker read nothing
        past it, and the topic is the same and still holds its offset.
        """
        return (
            commit is not None
            and commit == own
            and self.assigned.read_up_to == commit.offset
            and bounds.start <= commit.offset <= bounds.end
            and self.assigned.topic_id == topic_id
        )


class Assignments(Mapping[int, Assigned]):
    """The worker's partitions by number, updated from each poll."""

    def __init__(
        self,
        log: TickLog,
        counters: Counters,
        span: int = WINDOW_SPAN,
        desk: Desk | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._log = log
        self._desk = desk
        self._limits = limits or Limits()
        self._span = span
        self._counters = counters
        self._ours: dict[int, Assigned] = {}
        self._unplaced: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._committed: dict[int, Commit] = {}
        self._set_aside: dict[int, SetAside] = {}
        self._restoring = Saying(logger, every=5.0)

    def __getitem__(self, partition: int) -> Assigned:
        return self._ours[partition]

    def __iter__(self):  # type: ignore[no-untyped-def]  # returns an Iterator[int], as Mapping declares
        return iter(self._ours)

    def __len__(self) -> int:
        return len(self._ours)

    def holds(self, partition: int, position: Position) -> bool:
        """Whether this worker still owns the partition by the assignment from which `position` comes, and the topic is
        the same.
        """
        ours = self._ours.get(partition)
        return ours is not None and (ours.epoch, ours.life) == (position.epoch, position.life)

    def follow(self, polled: Polled) -> None:
        """Follow the changes of the assignment that a poll reports.

        Raises `LogUnavailable` when the log does not answer and the start position is unknown; the next call tries
        again.
        """
        if polled.revoked or polled.assigned:
            logger.debug("rebalance: revoked %s, assigned %s", sorted(polled.revoked), sorted(polled.assigned))
        for partition in polled.revoked:
            self._put_aside(partition)
            self._unplaced.pop(partition, None)
            self._lost.pop(partition, None)
        self._counters.drop(polled.revoked)
        self._unplaced |= polled.assigned
        self._place()
        if polled.assigned or self._set_aside:
            limit = time.monotonic() if polled.assigned else time.monotonic() - SET_ASIDE_SECONDS
            self._set_aside = {number: each for number, each in self._set_aside.items() if each.at > limit}
        for partition, position in polled.out_of_range.items():
            self._relocate(partition, position)

    def is_restoring(self, partition: int, end: int) -> bool:
        """Whether the replay that fills the windows has not finished by offset `end`; logs its progress."""
        ours = self._ours[partition]
        done, to_do = end - ours.restore_from, ours.emit_from - ours.restore_from
        if done < to_do:
            self._restoring(f"restoring the windows of partition {partition}: {done:,} of {to_do:,} records")
            return True
        return False

    def note_commit(self, partition: int, position: Position) -> None:
        """Remember this worker's last commit of a partition, to distinguish it from another program's commit."""
        self._committed[partition] = Commit(position.offset, position.metadata)

    def take_split(self, partition: int) -> dict[str, int]:
        """The symbols that are new to this partition and already known in another partition of this worker, each with
        that other partition.

        Each of the two partitions then computes averages over only a part of the symbol's ticks.
        """
        return {
            symbol: number
            for symbol in self._ours[partition].names.take_new()
            for number, other in self._ours.items()
            if number != partition and symbol in other.names.known
        }

    def take_lost(self) -> dict[int, int]:
        """How many records were lost since the last call, by partition; the next commit must be past them."""
        lost, self._lost = self._lost, {}
        return lost

    def _place(self) -> None:
        """Choose where reading starts in each partition without a position, in the order of `_unplaced` up to the first
        one for which the log does not answer. Raises `LogUnavailable` if there is such a one.
        """
        topic_id = self._log.topic_id
        planned: dict[int, Planned] = {}
        silent: LogUnavailable | None = None
        for partition, epoch in list(self._unplaced.items()):
            try:
                found = self._planned(partition, topic_id)
            except LogUnavailable as error:
                del self._unplaced[partition]
                self._unplaced[partition] = epoch  # last in the queue: the other partitions must not wait for it
                silent = error
                break
            if isinstance(found, SetAside):
                del self._unplaced[partition]
                self._go_on(partition, epoch, found)
            else:
                planned[partition] = found
        # With the commits known, one read of the alerts' states finds the newest state that each of them allows.
        begins = self._with_alerts({number: (each.plan, each.bounds) for number, each in planned.items()}, topic_id)
        for partition, begin in begins.items():
            level = logging.INFO if planned[partition].commit is None else logging.WARNING
            self._committed[partition] = planned[partition].begun(self._committed.get(partition), self._span, topic_id)
            self._adopt(partition, self._unplaced.pop(partition), begin, topic_id, level)
        if silent is not None:
            raise silent

    def _planned(self, partition: int, topic_id: str) -> Planned | SetAside:
        """The plan for a partition or, if nobody has committed since it was set aside, the state that was."""
        commit, bounds = self._log.committed(partition), self._log.bounds(partition)
        own, before = self._committed.get(partition), self._set_aside.pop(partition, None)
        if before is not None and before.is_as_committed(commit, own, bounds, topic_id):
            return before
        return Planned(commit, bounds, plan(commit, bounds, self._span, topic_id, own))

    def _adopt(self, partition: int, epoch: int, begin: RestorePlan, topic_id: str, level: int) -> None:
        begin, windows, arrivals = self._kept(partition, begin)
        self._ours[partition] = Assigned(
            *(epoch, begin.emit_from, begin.seek, begin.seek, windows, topic_id, self._names(partition), begin.since),
            arrivals=arrivals,
        )
        self._counters.open(partition, begin.emit_from - begin.lost)
        self._counters.accounts[partition].tally.foreign += begin.foreign
        self._count(partition, begin, level)
        self._log.seek(partition, begin.seek)
        place = {"partition": partition, "offset": begin.emit_from, "epoch": epoch}
        logger.info("partition %d is ours: reading from offset %s", partition, _described(begin), extra=place)

    def _put_aside(self, partition: int) -> None:
        ours = self._ours.pop(partition, None)
        watched = self._desk.release(partition) if self._desk else None
        # If the watch has failed there is none to set aside, and only a restore can start it again.
        if ours is not None and (watched is not None or not self._desk):
            self._set_aside[partition] = SetAside(ours, watched, time.monotonic())

    def _go_on(self, partition: int, epoch: int, before: SetAside) -> None:
        offset = before.assigned.read_up_to
        self._ours[partition] = replace(before.assigned, epoch=epoch, emit_from=offset, restore_from=offset)
        if self._desk and before.watched:
            self._desk.take_back(partition, before.watched)
        self._counters.open(partition, offset)
        self._log.seek(partition, offset)
        place = {"partition": partition, "offset": offset, "epoch": epoch}
        logger.info("partition %d is ours again: reading on from offset %s", partition, f"{offset:,}", extra=place)

    def _relocate(self, partition: int, position: int) -> None:
        ours = self._ours.get(partition)
        if ours is None:
            return
        bounds = self._log.bounds(partition)
        if position > bounds.end:
            note = f"position {position:,} lies past the end at {bounds.end:,}: a new topic; reading from its start"
            begin = RestorePlan(bounds.start, bounds.start, note=note)
            self._counters.open(partition, bounds.start)
            ours.life += 1
            ours.since = 0
        else:
            lost = max(bounds.start - max(position, ours.emit_from), 0)
            cold = max(min(bounds.start, ours.emit_from) - position, 0)
            note = f"the log deleted records before they were read: {lost:,} lost, and {cold:,} that the windows need"
            begin = RestorePlan(bounds.start, max(bounds.start, ours.emit_from), lost, cold, note)
        begin = self._with_alerts({partition: (begin, bounds)}, self._log.topic_id)[partition]
        # The windows are restored as after a restart, so that no value depends on whether the worker restarted during
        # the gap.
        ours.windows, ours.arrivals = Windows(self._span), Arrivals()
        ours.names = self._names(partition)
        ours.emit_from, ours.restore_from, ours.read_up_to = begin.emit_from, begin.seek, begin.seek
        self._count(partition, begin)
        self._log.seek(partition, begin.seek)

    def _with_alerts(self, plans: Mapping[int, tuple[RestorePlan, Bounds]], topic_id: str) -> Mapping[int, RestorePlan]:
        """The plans, each with an earlier start of reading if the alerts need one."""
        if self._desk is None or not plans:
            return {number: begin for number, (begin, _) in plans.items()}
        begins = {number: Begin(begin.emit_from, begin.seek, at.start) for number, (begin, at) in plans.items()}
        seeks = self._desk.adopt(begins, topic_id)
        for number in plans:
            self._desk.follow_windows(number, partial(self._save_windows, number))
        return {number: replace(begin, seek=seeks[number]) for number, (begin, _) in plans.items()}

    def _kept(self, partition: int, begin: RestorePlan) -> tuple[RestorePlan, Windows, Arrivals]:
        """The windows and arrivals of the alerts' checkpoint, with a plan that reads on from there. Without such a
        checkpoint, and if the plan reports missing records, they are empty and the plan is unchanged: the values then
        agree with the plan's note.
        """
        offset, state = self._desk.take_windows(partition) if self._desk else (0, b"")
        if state and not begin.cold:
            try:
                windows, arrivals = kept.from_bytes(state, offset, self._span)
            except ValueError as error:
                logger.debug("partition %d: the windows are read from the log: %s", partition, error)
            else:
                return replace(begin, seek=offset), windows, arrivals
        return begin, Windows(self._span), Arrivals()

    def _save_windows(self, partition: int, offset: int) -> bytes:
        """The state of a partition's windows after all records before `offset`; empty if the windows are not at that
        offset.
        """
        ours = self._ours.get(partition)
        if ours is None or ours.read_up_to != offset:
            return b""
        return kept.to_bytes(offset, ours.windows, ours.arrivals)

    def _names(self, partition: int) -> Names:
        """The known names, started from the alerts' state; the replay adds the names that it reads."""
        if self._desk is None:
            return Names(self._limits)
        names = Names(self._limits, self._desk.names(partition))
        self._desk.follow_names(partition, names.known)
        return names

    def _count(self, partition: int, begin: RestorePlan, level: int = logging.WARNING) -> None:
        if begin.lost:
            self._lost[partition] = self._lost.get(partition, 0) + begin.lost
        self._counters.accounts[partition].tally.cold += begin.cold
        if begin.note:
            logger.log(level, "partition %d: %s", partition, begin.note)


def _described(begin: RestorePlan) -> str:
    if begin.seek == begin.emit_from:
        return f"{begin.seek:,}"
    return f"{begin.emit_from:,}, after {begin.emit_from - begin.seek:,} records before it that fill the windows"
