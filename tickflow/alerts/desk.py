"""The alerts of one worker: watches over its partitions, and a thread that stores and publishes their alerts.

The worker's loop calls `adopt`, `take`, `passed`, `look`, `committed`, `release` and `take_back`; only `adopt` waits
for a server, and none of them raises. The thread stores alerts, publishes them to `<topic>.alerts` and keeps
checkpoints, retrying for ever. It stores a checkpoint of a partition only once all earlier alerts are stored and
published and the checkpoint's offset is committed. So after a crash the replay from the newest checkpoint raises any
missing alert again, bit for bit the same. Nothing is stored before the replay has reached the committed offset: the
store may hold later forms of these alerts, and a worker that is stopped during its replay must not replace them by
earlier ones. An open alert that has only counted more flagged ticks is stored and published again at most every
`COUNT_SECONDS`, but always before a checkpoint, in a pause of its partition, and at the end of the worker. The thread
reads the standing rules every two seconds; the loop begins and ends them at the tick that a watch processes next, and
the thread stores this before any alert or checkpoint that follows.

Moves of many symbols at once are stored as one more alert, a market move. Its members may be alerts of
other workers, so each worker looks for market moves in the store, some seconds after it stored a move, and all of them
write the same point.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from tickflow.alerts import market
from tickflow.alerts.alert import MARKET, MOVE, Alert, encode
from tickflow.alerts.checkpoint import Checkpoint, Checkpoints, Fits
from tickflow.alerts.standing import Change, StandingRule
from tickflow.alerts.watch import Terms, Watch
from tickflow.backoff import Backoff, Saying
from tickflow.errors import (
    LogUnavailable,
    NotAcknowledged,
    Stopped,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    TickflowError,
)
from tickflow.metrics.windows import WINDOW_SPAN
from tickflow.store.alerts import AlertStore
from tickflow.store.rules import RuleStore
from tickflow.ticklog.base import TickLog
from tickflow.ticks.tick import TickBatch

CHECKPOINT_SECONDS = 10.0
"""Seconds between two checkpoints of a partition. A restart reads again at most the ticks of about this time."""
HOLD_SECONDS, HOLD_TICKS = 0.25, 4_000
"""Accepted ticks of a partition are collected for `HOLD_SECONDS`, or until there are `HOLD_TICKS`, before they are
passed to the watch.

Any batch, however small, costs the watch about a millisecond: 1.1 µs per tick in batches of 1,000, 0.55 in batches of
4,000. Alerts do not depend on how ticks are batched.
"""
FIRST_SECONDS = 1.0
"""The first checkpoint of a partition is stored after this many seconds, since without any checkpoint a restart reads a
million records.
"""
FLUSH_SECONDS = 5.0
COMPANY_SECONDS = 6.0
"""How many seconds a stored move waits for moves of other workers before this worker looks for a market move."""
CLOSE_SECONDS = 5.0
COUNT_SECONDS = 5.0
"""How often at most, in seconds, a partition's alerts are written that have only counted more flagged ticks.

Under a rule that always holds, 500 busy symbols would otherwise write 2,000 alerts per second.
"""
RULES_EVERY = 2.0
"""Seconds between two reads of the standing rules."""

logger = logging.getLogger("tickflow.alerts")

Key = tuple[str, str, int]


class Begin(NamedTuple):
    """Where a partition begins: the worker reads it from `seek` to fill its windows, and writes points from `committed`
    on. `start` is the first offset in the log.
    """

    committed: int
    seek: int
    start: int

    def reaches(self, checkpoint: Checkpoint, topic_id: str) -> bool:
        """Whether the log has every record from the checkpoint to `committed`."""
        is_of_topic = not topic_id or checkpoint.topic_id in ("", topic_id)
        return is_of_topic and self.start <= checkpoint.offset <= self.committed


@dataclass(slots=True)
class Watched:
    """A partition: its watch, the ticks that wait for it, and its alerts and checkpoints that are still pending.

    `is_replayed`: the watch has reached the committed offset. All records before `read_up_to` were read. The watch
    applies the standing `rules`; the changes in `unnoted` are not stored yet. `windows` is the state of the windows in
    the checkpoint that the watch was resumed from; `save_windows` returns the present one.

    `written` has the open alerts as they were last stored and published; those in `counting` have only counted more
    flagged ticks since, and wait until `next_count`. `is_quiet`: no tick has come for twice `HOLD_SECONDS`.
    """

    watch: Watch
    topic_id: str
    is_replayed: bool
    pending: dict[Key, Alert] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    committed: int = 0
    next_checkpoint: float = 0.0
    prepared: float = 0.0
    kept: int = -1
    raised_at: float = 0.0
    held: list[TickBatch] = field(default_factory=list)
    next_look: float = 0.0
    read_up_to: int = 0
    rules: Sequence[StandingRule] = ()
    unnoted: list[Change] = field(default_factory=list)
    windows: bytes = b""
    save_windows: Callable[[int], bytes] = lambda _: b""
    written: dict[Key, Alert] = field(default_factory=dict)
    counting: dict[Key, Alert] = field(default_factory=dict)
    next_count: float = 0.0
    is_quiet: bool = False

    @property
    def is_behind(self) -> bool:
        """Whether the watch has yet to process some of the records that were read."""
        return self.watch.offset < self.read_up_to

    def note_changed(self, alerts: Sequence[Alert]) -> None:
        """Take new and changed alerts: they are pending, except those that have only counted more ticks."""
        for alert in alerts:
            known = self.written.get(alert.key)
            if known is not None and alert.key not in self.pending and replace(known, ticks=alert.ticks) == alert:
                self.counting[alert.key] = alert
            else:
                self.counting.pop(alert.key, None)
                self.pending[alert.key] = alert

    def stop_counting(self, now: float) -> None:
        """Make all changed alerts pending."""
        self.pending |= self.counting
        self.counting.clear()
        self.next_count = now + COUNT_SECONDS

    def note_written(self, alerts: Mapping[Key, Alert]) -> None:
        """Record that these alerts are stored and published: they are no longer pending, unless more than their number
        of ticks has changed since.
        """
        for key, alert in alerts.items():
            newest = self.pending.pop(key, alert)
            if alert.closed is None:
                self.written[key] = alert
            else:
                self.written.pop(key, None)
            if newest is not alert:
                self.note_changed([newest])


@dataclass(slots=True)
class Moves:
    """Stored moves that have not been searched for market moves yet: their earliest and latest time, and when their
    wait began.

    A checkpoint that was prepared before `raised_at` includes none of their ticks.
    """

    first_ns: int
    last_ns: int
    since: float
    raised_at: float


class Desk:
    """The alerts of one worker.

    `newest` finds for each partition the newest checkpoint that a given test accepts; the loop calls it.
    `open_checkpoints` opens the store of checkpoints and the log to publish to; the thread calls it, and the event
    passed to it ends their waits. `count_symbols` counts the symbols of all partitions, which decides how many of them
    make a market move. `rules` has the standing rules; for the id of a topic, `workers_of` gives the name under which
    the workers of this group store the offsets at which rules begin and end.
    """

    def __init__(
        self,
        terms: Terms,
        store: AlertStore,
        *,
        newest: Callable[[Fits], Mapping[int, Checkpoint]],
        open_checkpoints: Callable[[threading.Event], tuple[Checkpoints, TickLog | None]],
        count_symbols: Callable[[], int] = lambda: 1,
        rules: RuleStore | None = None,
        workers_of: Callable[[str], str] = str,
        every: float = CHECKPOINT_SECONDS,
        company: float = COMPANY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.terms = terms
        self._count_symbols = count_symbols
        self._company = company
        self._moves: Moves | None = None
        self._store = store
        self._rule_store = rules
        self._workers_of = workers_of
        self._rules: Sequence[StandingRule] = ()
        self._rules_due = 0.0
        self._reading_rules = Saying(logger)
        self._newest = newest
        self._open_checkpoints = open_checkpoints
        self._opened: tuple[Checkpoints, TickLog | None] | None = None
        self._every = every
        self._clock = clock
        self._watched: dict[int, Watched] = {}
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._ended = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._saying = Saying(logger)
        self.raised = 0
        """The number of alerts raised since the start, including those of replays."""
        self.trouble = ""
        """Why alerts cannot be stored or published at present, as a sentence; empty if they can be."""

    @property
    def waiting(self) -> int:
        """How many alerts are not stored and published yet."""
        with self._lock:
            return sum(len(each.pending) for each in self._watched.values())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def adopt(self, begins: Mapping[int, Begin], topic_id: str) -> Mapping[int, int]:
        """Watch partitions; return the offset at which the reading of each must start.

        The checkpoints and the standing rules are read once, for all of them. Raises `LogUnavailable` when they cannot
        be read at present; then none of the partitions is watched.
        """
        changes = self._changes(topic_id)
        fits = {number: partial(begin.reaches, topic_id=topic_id) for number, begin in begins.items()}
        try:
            found = self._newest(fits)
        except LogUnavailable:
            raise
        except Stopped:
            logger.debug("partitions %s: asked to stop before the state of their alerts was read", sorted(begins))
            return {number: begin.seek for number, begin in begins.items()}  # the loop ends before it reads them
        except (TickflowError, ValueError, OSError) as error:
            logger.warning("partitions %s: alerts begin without their state: %s", sorted(begins), error)
            found = {}
        return {
            number: self._watch(number, begin, topic_id, found.get(number), changes) for number, begin in begins.items()
        }

    def _watch(
        self, partition: int, begin: Begin, topic_id: str, found: Checkpoint | None, changes: Sequence[Change]
    ) -> int:
        """Watch a partition, from the state in the checkpoint on if there is one; return the offset at which reading
        must start.
        """
        watch = Watch(partition, self.terms, changes)
        if found is not None:
            try:
                watch = Watch.resumed(partition, self.terms, found.state, changes)
                if watch.offset != found.offset:
                    raise ValueError(f"it belongs to offset {watch.offset}, not to {found.offset}")
            except ValueError as error:
                logger.warning("partition %d: alerts begin without their state: %s", partition, error)
                watch, found = Watch(partition, self.terms, changes), None
        if found is None:
            # Without a checkpoint, start as far back as any window can reach.
            place = max(begin.start, begin.committed - WINDOW_SPAN)
            if place > begin.start:
                logger.warning(
                    "partition %d: no stored state of the alerts before offset %s: the replay begins %s records before "
                    "it, and its alerts may differ from those before the restart",
                    *(partition, f"{begin.committed:,}", f"{begin.committed - place:,}"),
                )
        else:
            place = found.offset
        with self._lock:
            self._watched[partition] = Watched(
                watch,
                topic_id,
                watch.offset >= begin.committed,
                committed=begin.committed,
                kept=watch.offset,
                next_checkpoint=self._clock() + min(self._every, FIRST_SECONDS),
                windows=b"" if found is None else found.windows,
            )
        return min(begin.seek, place)

    def _changes(self, topic_id: str) -> Sequence[Change]:
        """The offsets at which standing rules begin and end in each partition. Raises `LogUnavailable`."""
        if self._rule_store is None:
            return ()
        try:
            return self._rule_store.changes(self._workers_of(topic_id))
        except StoreUnavailable as error:
            raise LogUnavailable(f"the standing rules cannot be read: {error}") from error
        except StoreMisconfigured as error:
            logger.warning("alerts begin without standing rules: %s", error)
            return ()

    def names(self, partition: int) -> Mapping[str, Collection[str]]:
        """The known symbols and sources in the stored state of an adopted partition."""
        ours = self._watched.get(partition)
        return {} if ours is None else ours.watch.names

    def take_windows(self, partition: int) -> tuple[int, bytes]:
        """The state of the windows that was stored with the state of an adopted partition, and the offset of both; only
        the first call returns it. It is empty if none was stored.
        """
        ours = self._watched.get(partition)
        if ours is None:
            return 0, b""
        state, ours.windows = ours.windows, b""
        return ours.watch.offset, state

    def follow_windows(self, partition: int, save: Callable[[int], bytes]) -> None:
        """Store the state of the windows that `save` returns for an offset with each later state of the partition."""
        ours = self._watched.get(partition)
        if ours is not None:
            ours.save_windows = save

    def follow_names(self, partition: int, known: Mapping[str, Collection[str]]) -> None:
        """Store the names `known`, to which the caller keeps adding, with each later state of the partition."""
        ours = self._watched.get(partition)
        if ours is not None:
            ours.watch.names = known

    def release(self, partition: int) -> Watched | None:
        """Forget a partition and return its state, for `take_back`. The partition's next owner raises the pending
        alerts again.
        """
        with self._lock:
            return self._watched.pop(partition, None)

    def take_back(self, partition: int, watched: Watched) -> None:
        """Resume the watch over a partition that was released, if nothing was read from it since."""
        with self._lock:
            self._watched[partition] = watched
        self._work.set()

    def take(self, partition: int, ticks: TickBatch) -> None:
        """Pass accepted ticks to the partition's watch, which processes them within `HOLD_SECONDS` (see `look`)."""
        ours = self._watched.get(partition)
        if ours is None or not len(ticks):
            return
        ours.held.append(ticks)
        if sum(map(len, ours.held)) >= HOLD_TICKS or self._clock() >= ours.next_look:
            self._look(partition, ours)

    def passed(self, partition: int, end: int) -> None:
        """Record that all records of the partition before `end` were read, and that `take` has received their ticks."""
        ours = self._watched.get(partition)
        if ours is not None:
            ours.read_up_to = end

    def look(self) -> None:
        """Have the watches process the ticks that have waited long enough, and prepare the checkpoints that are due;
        the loop calls this in each iteration, when windows and watches have received the same ticks.
        """
        for partition, ours in list(self._watched.items()):
            if ours.is_replayed and ours.rules is not self._rules:
                self._take_up(ours)
            now = self._clock()
            is_unread = bool(ours.held) or ours.is_behind
            is_due = ours.is_replayed and ours.checkpoint is None and now >= ours.next_checkpoint
            is_due = is_due and (is_unread or ours.watch.offset > ours.kept)
            if is_due or (is_unread and now >= ours.next_look):
                self._look(partition, ours, is_checkpoint_due=is_due)
            elif ours.counting and not ours.is_quiet and now >= ours.next_look + HOLD_SECONDS:
                ours.is_quiet = True
                self._work.set()

    def _take_up(self, ours: Watched) -> None:
        """Begin and end standing rules at the tick that the watch processes next."""
        ours.rules = self._rules
        with self._lock:
            ours.unnoted += ours.watch.take_up(ours.rules)
        self._work.set()

    def _look(self, partition: int, ours: Watched, *, is_checkpoint_due: bool = False) -> None:
        """Pass the waiting ticks to the watch. A failure ends the alerts of the partition, not the loop."""
        held, ours.held = ours.held, []
        ours.is_quiet = not held
        begun = self._clock()
        ours.next_look = begun + HOLD_SECONDS
        try:
            changed = ours.watch.advance(TickBatch.joined(held)) if held else []
            ours.watch.skip_to(ours.read_up_to)
            with self._lock:
                if changed:
                    ours.raised_at = ours.raised_at if ours.pending else begun
                    ours.note_changed(changed)
                ours.is_replayed = ours.is_replayed or ours.watch.offset >= ours.committed
            if ours.pending and ours.is_replayed:
                self._work.set()
            self.raised += sum(each.offset >= held[0].offsets[0] for each in changed)
            if is_checkpoint_due:
                self._prepare(partition, ours)
        except Exception:
            logger.exception("partition %d: no alerts until the next start; everything else continues", partition)
            self.release(partition)

    def committed(self, partition: int, offset: int) -> None:
        """Record that everything before `offset` is committed: a checkpoint up to that offset may be stored."""
        ours = self._watched.get(partition)
        if ours is not None:
            ours.committed = offset
            if ours.checkpoint is not None and ours.checkpoint.offset <= offset:
                self._work.set()

    def close(self) -> None:
        """Finish pending alerts, store a last checkpoint, and end the thread, within a few seconds."""
        for partition, ours in list(self._watched.items()):
            if ours.held or ours.is_behind:
                self._look(partition, ours)
            if ours.watch.offset == ours.committed:
                self._prepare(partition, ours)
        self._closing.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                logger.warning("%d alerts are not stored yet: the next start raises them again", self.waiting)
        self._ended.set()

    def _prepare(self, partition: int, ours: Watched) -> None:
        if ours.watch.offset > ours.kept:
            windows = ours.save_windows(ours.watch.offset)
            ours.checkpoint = Checkpoint(partition, ours.watch.offset, ours.topic_id, ours.watch.state(), windows)
            ours.prepared = self._clock()
        ours.next_checkpoint = self._clock() + self._every

    def _run(self) -> None:
        backoff = Backoff(longest=5.0)
        while True:
            self._work.wait(1.0)
            self._work.clear()
            is_last = self._closing.is_set()
            if not is_last:
                self._read_rules()
            try:
                self._carry_out(is_last=is_last)
                backoff = Backoff(longest=5.0)
                self.trouble = ""
                self._saying.over("alerts are stored and published again")
            except Stopped:
                break
            except TickflowError as error:  # this includes settings that the cluster cannot meet while a broker is down
                self.trouble = str(error)
                self._saying(f"alerts wait: {error}")
                if not is_last:
                    self._closing.wait(next(backoff))
                    self._work.set()
            except Exception as error:  # the thread must not end silently
                self.trouble = str(error)
                logger.exception("alerts wait, after an error in this program")
                if not is_last:
                    self._closing.wait(next(backoff))
                    self._work.set()
            if is_last:
                break
        if self._opened is not None and self._opened[1] is not None:
            self._opened[1].close()
        self._store.close()
        if self._rule_store is not None:
            self._rule_store.close()

    def _read_rules(self) -> None:
        """Read the standing rules for the loop, if a read is due. While reads fail, the rules stay as they are."""
        if self._rule_store is None or self._clock() < self._rules_due:
            return
        self._rules_due = self._clock() + RULES_EVERY
        try:
            rules = tuple(self._rule_store.rules())
            if rules != self._rules:
                self._rule_store.check()  # a change of rules must be stored before the next alerts of its watch
                self._rules = rules
            self._reading_rules.over("standing rules are read again")
        except StoreError as error:
            self._reading_rules(f"changes to standing rules are not applied: {error}")
        except Exception:  # the thread must not end silently
            logger.exception("changes to standing rules are not applied, after an error in this program")

    def _topics(self) -> tuple[Checkpoints, TickLog | None]:
        """The store of checkpoints and the log to publish to. After a start, creating their topics may take seconds."""
        if self._opened is None:
            self._opened = self._open_checkpoints(self._ended)
        return self._opened

    def _carry_out(self, *, is_last: bool) -> None:
        """Store the changes of standing rules, store and publish pending alerts, look for market moves, then store the
        checkpoints that may be stored.
        """
        with self._lock:
            unnoted = [(each, list(each.unnoted)) for each in self._watched.values()]
            due = {
                partition: (each, *self._due(each, is_last=is_last))
                for partition, each in self._watched.items()
                if each.is_replayed
            }
            raised_at = min((each.raised_at for each, pending, _ in due.values() if pending), default=0.0)
        for ours, changes in unnoted:
            if changes and self._rule_store is not None:
                self._rule_store.note(self._workers_of(ours.topic_id), changes)
                with self._lock:
                    del ours.unnoted[: len(changes)]
        alerts = [alert for _, pending, _ in due.values() for alert in pending.values()]
        if alerts:
            self._store.write(alerts)
            self._note_moves(alerts, raised_at)
            _, log = self._topics()
            if log is not None:
                self._publish(log, alerts)
        for ours, pending, _ in due.values():
            with self._lock:
                ours.note_written(pending)
        if self._moves is not None and (is_last or self._clock() >= self._moves.since + self._company):
            self._gather(self._moves)
            self._moves = None
        for partition, (ours, _, checkpoint) in due.items():
            if self._moves is not None and ours.prepared >= self._moves.raised_at:
                continue  # after a crash the replay raises these moves again, and the search is repeated
            if checkpoint is None or self._watched.get(partition) is not ours:
                continue
            self._topics()[0].keep(checkpoint)
            ours.kept = checkpoint.offset
            with self._lock:
                if ours.checkpoint is checkpoint:
                    ours.checkpoint = None

    def _due(self, ours: Watched, *, is_last: bool) -> tuple[dict[Key, Alert], Checkpoint | None]:
        """The alerts of a partition to write now, and the checkpoint that may be stored after them."""
        checkpoint = ours.checkpoint
        if checkpoint is not None and checkpoint.offset > ours.committed:
            checkpoint = None
        if is_last or checkpoint is not None or ours.is_quiet or self._clock() >= ours.next_count:
            ours.stop_counting(self._clock())
        return dict(ours.pending), checkpoint

    def _note_moves(self, alerts: Sequence[Alert], raised_at: float) -> None:
        times = [alert.opened for alert in alerts if alert.detector == MOVE]
        if times:
            known = self._moves or Moves(times[0], times[0], self._clock(), raised_at)
            first_ns, last_ns = min(known.first_ns, *times), max(known.last_ns, *times)
            self._moves = Moves(first_ns, last_ns, known.since, min(known.raised_at, raised_at))

    def _gather(self, moves: Moves) -> None:
        """Find market moves among the alerts of all workers at about the time of these moves, and store them."""
        found = market.around(self._store.alerts, moves.first_ns, moves.last_ns)
        if sum(alert.detector == MOVE for alert in found) >= market.least_members(1):
            gathered = market.gathered([each for each in found if each.symbol != MARKET], self._count_symbols())[0]
            self._store.write(market.settled(gathered, [each for each in found if each.symbol == MARKET]))

    def _publish(self, log: TickLog, alerts: Sequence[Alert]) -> None:
        topic = alerts_topic(log.topic)
        receipts = [log.post(each.id.encode(), encode(each), [], topic) for each in alerts]
        log.flush(FLUSH_SECONDS)
        if not all(receipt.is_acknowledged for receipt in receipts):
            raise NotAcknowledged(len(receipts), f"the topic {topic} did not confirm alerts", 0)


def alerts_topic(topic: str) -> str:
    """The topic of the alerts.

    >>> alerts_topic("stock-ticks")
    'stock-ticks.alerts'
    """
    return f"{topic}.alerts"
