"""The consuming side of the Kafka adapter: a group member that reads each partition only from the position that the
caller sets.

The assignment changes only inside `KafkaConsumer.poll`. The listener notes the change, and the same poll acts on it:
each assignment has a new epoch, and a partition is paused from its assignment until the first `seek`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from tickflow.backoff import sleep
from tickflow.errors import LogUnavailable, SettingError
from tickflow.ticklog.base import Bounds, Commit, Polled, Position, Record
from tickflow.ticklog.kafka import internals
from tickflow.ticklog.kafka.cluster import METADATA_MS, READING, UNREADABLE, Cluster
from tickflow.ticklog.kafka.linger import Linger, is_few
from tickflow.ticklog.kafka.membership import Membership
from tickflow.ticklog.kafka.rebalances import Rebalances
from tickflow.ticklog.kafka.records import MAX_BATCH_BYTES, Budget, QuickRecords
from tickflow.ticklog.kafka.transactions import OpenTransactions

REQUEST_MS = 5_000
"""The longest time that one request to the cluster may take."""

SHORTEST_POLL_MS, LONGEST_POLL_MS = 200, 500
"""The shortest and the longest time, in milliseconds, that one `KafkaConsumer.poll` may wait: with shorter polls a
member may never complete its join, and longer polls delay a stop.
"""

SILENCE_SECONDS = 5.0
"""After this many seconds without any answer, send the cluster a request, to see whether it still answers."""

_PROBE_MS = 2_000
_CLOSE_MS = 3_000

_NOTHING = Polled()
_NOT_OURS_NOW = (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError)


class WorkersAlone(RangePartitionAssignor):  # type: ignore[misc]  # kafka-python has no types
    """Kafka's range assignor under a name that no other program offers.

    All members of a group must offer one name in common. Under `range`, any consumer started with the group's name
    would take partitions, and commit ticks that nobody has stored.
    """

    name = "tickflow-range"


class Reader:
    """A member of a consumer group of one topic."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        group: str,
        instance_id: str | None,
        batch_records: int,
        client_id: str = "tickflow",
        batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._client_id = client_id
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._instance_id = instance_id
        self._batch_records = batch_records
        self._budget = Budget(batch_bytes)
        self._consumer: Any = None
        self._rebalances = Rebalances()
        self._membership = Membership(cluster, group, instance_id)
        self.topic_id = ""
        self._epoch = 0
        self._epochs: dict[int, int] = {}
        self._unplaced: set[int] = set()
        self._strayed: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._transactions = OpenTransactions(cluster.where, self._stable_ends)
        self._paused = False
        self._last_news = 0.0
        self._linger = Linger()
        self._ahead: internals.ReadAhead
        self._not_before = 0.0

    @property
    def holdup(self) -> str:
        """See `TickLog.holdup`."""
        return self._transactions.holdup

    def subscribe(self) -> None:
        """Join the group; later polls bring the assignment. Waits until the topic exists."""
        consumer = self._opened()
        consumer.subscribe(topics=[self._topic], listener=self._rebalances)
        internals.forget_bootstrap(consumer)
        # A group leader that learns the topic's partitions only while it assigns them would assign them twice in a row.
        self._cluster.patiently(consumer.topics)
        self._membership.look()
        self._last_news = time.monotonic()

    def poll(self, timeout: float, paused: bool) -> Polled:
        """See `TickLog.poll`."""
        consumer = self._opened()
        self._pause(paused)
        sleep(self._cluster.stop, max(self._not_before - time.monotonic(), 0.0))
        deadline = time.monotonic() + timeout
        while True:
            left_ms = (deadline - time.monotonic()) * 1000
            wait_ms = int(min(max(left_ms, SHORTEST_POLL_MS), LONGEST_POLL_MS))
            polled = self._poll_once(consumer, wait_ms)
            if polled != _NOTHING:
                self._last_news = time.monotonic()
                break
            if time.monotonic() - self._last_news > SILENCE_SECONDS:
                self._probe(consumer)
            if time.monotonic() >= deadline or self._cluster.stop.is_set():
                break
        records = sum(map(len, polled.records.values()))
        wait = self._linger.seconds(records, is_all=not polled.more)
        self._not_before = time.monotonic() + (wait if self._ahead.has_asked else 0.0)  # newer records may wait already
        if not paused:
            self._transactions.watch(self._places, self._known_ends())
        polled.out_of_range = dict(self._strayed)
        return polled

    def seek(self, partition: int, offset: int) -> None:
        """See `TickLog.seek`; does nothing for a partition that is no longer ours (the next poll reports it)."""
        if partition not in self._epochs:
            return
        place = TopicPartition(self._topic, partition)
        self._consumer.seek(place, int(offset))
        self._places[partition] = int(offset)
        self._unplaced.discard(partition)
        self._strayed.pop(partition, None)
        if not self._paused:
            self._consumer.resume(place)

    def bounds(self, partition: int) -> Bounds:
        """See `TickLog.bounds`."""
        consumer, place = self._opened(), TopicPartition(self._topic, partition)
        with self._asking():
            start = consumer.beginning_offsets([place], timeout_ms=REQUEST_MS)[place]
            end = internals.ends_of_all(consumer, [place], REQUEST_MS)[place]
        self._ends[partition] = end
        return Bounds(start, end)

    def committed(self, partition: int) -> Commit | None:
        """See `TickLog.committed`."""
        consumer, place = self._opened(), TopicPartition(self._topic, partition)
        with self._asking():
            # The second request is needed: kafka-python may answer the first one with a late, outdated response that it
            # kept.
            consumer.committed(place, timeout_ms=REQUEST_MS)
            found = consumer.committed(place, metadata=True, timeout_ms=REQUEST_MS)
        return None if found is None else Commit(found.offset, found.metadata or "")

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        """See `TickLog.commit`."""
        current = {number: at for number, at in positions.items() if self._epochs.get(number) == at.epoch}
        if not current:
            return frozenset()
        offsets = {
            TopicPartition(self._topic, number): OffsetAndMetadata(int(at.offset), at.metadata, -1)
            for number, at in current.items()
        }
        with self._asking():
            try:
                self._consumer.commit(offsets, timeout_ms=REQUEST_MS)
            except _NOT_OURS_NOW:
                return frozenset()
        return frozenset(current)

    def lag(self) -> dict[int, int]:
        """See `TickLog.lag`; partitions without a position yet are left out."""
        lags = {}
        ends = self._known_ends()
        for partition in self._epochs.keys() - self._unplaced:
            place = TopicPartition(self._topic, partition)
            try:
                # no request is sent: the partition has a position
                position = self._consumer.position(place, timeout_ms=0)
            except LogTruncationError as error:
                self._stray(self._truncated(error))
                continue
            lags[partition] = max(ends.get(partition, 0) - position, 0)
        return lags

    def ends(self) -> dict[int, int]:
        """See `TickLog.ends`; partitions whose end is unknown are left out."""
        return self._known_ends()

    def close(self) -> None:
        """Leave the group, within about 3 s."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            self._epochs.clear()
            internals.leave_when_closed(consumer)
            self._membership.stop_looking()
            try:
                consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
            finally:
                self._membership.close()

    def _opened(self) -> Any:
        if self._consumer is None:
            self._consumer = self._cluster.open(
                KafkaConsumer,
                group_id=self._group,
                group_instance_id=self._instance_id,
                client_id=self._client_id,
                # Eager: the cooperative assignor gives partitions to members that have already lost their membership.
                partition_assignment_strategy=[WorkersAlone],
                session_timeout_ms=10_000,
                heartbeat_interval_ms=300,
                max_poll_interval_ms=600_000,
                metadata_max_age_ms=METADATA_MS,
                **{**READING, "max_poll_records": self._batch_records},
            )
            internals.keep_finished_joins(self._consumer)
            internals.read_records_by(
                self._consumer, partial(QuickRecords, self._budget), lambda: self._budget.left <= 0
            )
            self._ahead = internals.ReadAhead(self._consumer, self._are_few)
        return self._consumer

    def _poll_once(self, consumer: Any, wait_ms: int) -> Polled:
        found: Mapping[TopicPartition, list[Record]] = {}
        strayed: Mapping[TopicPartition, int] = {}
        internals.remember_to_rejoin(consumer)
        self._budget.renew()
        self._ahead.has_asked = False
        try:
            with self._asking():
                found = consumer.poll(timeout_ms=wait_ms)
                if not found and not internals.may_see(consumer, self._topic):
                    raise TopicAuthorizationFailedError(self._topic)
        except NoOffsetForPartitionError:
            pass  # partitions that this poll itself assigned: the caller has to set their positions first
        except OffsetOutOfRangeError as error:
            strayed = error.args[0]
        except LogTruncationError as error:
            strayed = self._truncated(error)
        except LogUnavailable as error:
            dropped = internals.drop_unreadable(consumer)
            if dropped is None or not isinstance(error.__cause__, UNREADABLE):
                raise
            words = self._cluster.unreadable(*dropped, error.__cause__)
            raise LogUnavailable(words) from error
        polled = Polled()
        polled.revoked, polled.assigned = self._follow()
        polled.out_of_range = self._stray(strayed)
        # Records of a partition without a position are dropped: the next seek decides where to start.
        polled.records = {
            place.partition: records
            for place, records in found.items()
            if place.partition in self._epochs and place.partition not in self._unplaced
        }
        polled.read_up_to = self._moved(polled.records)
        polled.more = self._has_more(
            {TopicPartition(self._topic, number): records for number, records in polled.records.items()}
        )
        return polled

    def _has_more(self, found: Mapping[TopicPartition, Sequence[Record]]) -> bool:
        """Whether the log had more records behind these when it returned them."""
        return any(
            (self._consumer.highwater(place) or 0) > records[-1].offset + 1
            for place, records in found.items()
            if records
        )

    def _are_few(self, found: Mapping[TopicPartition, Sequence[Record]]) -> bool:
        return is_few(sum(map(len, found.values())), is_all=not self._has_more(found))

    def _moved(self, records: Mapping[int, Sequence[Record]]) -> dict[int, int]:
        """Note the read positions; return those that moved past the last returned record, or moved though no record was
        returned.
        """
        moved = {}
        for number, place in self._places.items():
            position = internals.position(self._consumer, TopicPartition(self._topic, number))
            if position is None or position == place:
                continue
            self._places[number] = position
            if number not in records or position > records[number][-1].offset + 1:
                moved[number] = position
        return moved

    def _follow(self) -> tuple[frozenset[int], dict[int, int]]:
        before = dict(self._epochs)
        for kind, partitions in self._rebalances.take():
            self._renew(partitions, is_ours=kind == "assigned")
            if kind == "assigned":
                self._membership.note(self._consumer.group_metadata().member_id)
        if self._was_recreated():  # the topic was recreated while this member used it; there may be no rebalance
            self._renew(list(self._epochs), is_ours=True)
        revoked = frozenset(number for number, epoch in before.items() if self._epochs.get(number) != epoch)
        assigned = {number: epoch for number, epoch in self._epochs.items() if before.get(number) != epoch}
        for partition in assigned:
            # Any position will do: without one, every poll would fail until the caller has set all positions.
            self._consumer.seek(TopicPartition(self._topic, partition), 0)
            self._silence(partition)
        return revoked, assigned

    def _renew(self, partitions: Iterable[int], *, is_ours: bool) -> None:
        """Forget the state of the partitions; if they are ours, each starts a new epoch."""
        for partition in partitions:
            self._epochs.pop(partition, None)
            self._ends.pop(partition, None)
            self._places.pop(partition, None)
            self._strayed.pop(partition, None)
            self._unplaced.discard(partition)
            if is_ours:
                self._epoch += 1
                self._epochs[partition] = self._epoch

    def _was_recreated(self) -> bool:
        """Whether the topic was recreated since the last poll; remembers its new id."""
        known, self.topic_id = self.topic_id, internals.topic_id(self._consumer, self._topic) or self.topic_id
        return known not in ("", self.topic_id)

    def _stray(self, strayed: Mapping[TopicPartition, int]) -> dict[int, int]:
        """Pause the partitions whose position lies outside the log; return the newly found ones."""
        new = {
            place.partition: offset
            for place, offset in strayed.items()
            if place.partition in self._epochs and place.partition not in self._unplaced
        }
        for partition in new:
            self._ends.pop(partition, None)
            self._places.pop(partition, None)
            self._silence(partition)
        self._strayed |= new
        return new

    def _truncated(self, error: LogTruncationError) -> dict[TopicPartition, int]:
        return {place: self._consumer.position(place, timeout_ms=0) for place in error.divergent_offsets}

    def _silence(self, partition: int) -> None:
        self._unplaced.add(partition)
        self._consumer.pause(TopicPartition(self._topic, partition))

    def _pause(self, paused: bool) -> None:
        if paused == self._paused:
            return
        self._paused = paused
        places = [TopicPartition(self._topic, number) for number in self._epochs.keys() - self._unplaced]
        change = self._consumer.pause if paused else self._consumer.resume
        change(*places)

    def _known_ends(self) -> dict[int, int]:
        """The ends of the partitions that have a position, as last known."""
        return {
            number: max(self._consumer.highwater(TopicPartition(self._topic, number)) or 0, self._ends.get(number, 0))
            for number in self._epochs.keys() - self._unplaced
        }

    def _stable_ends(self, numbers: Iterable[int]) -> dict[int, int]:
        places = [TopicPartition(self._topic, number) for number in numbers]
        with self._asking():
            found = self._opened().end_offsets(places, timeout_ms=_PROBE_MS)  # the last stable offset
        return {place.partition: end for place, end in found.items()}

    def _probe(self, consumer: Any) -> None:
        """Request the ends: this distinguishes an idle topic from an unreachable cluster, and keeps the lag correct
        while paused.
        """
        places = [TopicPartition(self._topic, number) for number in self._epochs or (0,)]
        with self._asking():
            ends = internals.ends_of_all(consumer, places, _PROBE_MS)
        self._ends |= {place.partition: end for place, end in ends.items()}
        self._last_news = time.monotonic()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError):
            raise
        except FencedInstanceIdError:
            expected = f"a name that no other worker of the group {self._group} has: another one runs under it"
            raise SettingError("KAFKA_INSTANCE_ID", self._instance_id, expected) from None
        except KafkaError as error:
            is_blind = isinstance(error, KafkaTimeoutError) and not internals.may_see(self._consumer, self._topic)
            cause = TopicAuthorizationFailedError(self._topic) if is_blind else error
            raise self._cluster.failure(cause) from error
