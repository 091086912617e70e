"""Reads ranges of any topic without a group: no group notices, and nothing is committed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.structs import TopicPartition

from tickflow.errors import LogUnavailable
from tickflow.ticklog.base import Bounds, Record
from tickflow.ticklog.kafka.cluster import READING, UNREADABLE, Cluster
from tickflow.ticklog.kafka.internals import forget_bootstrap, position, read_records_by, topic_id
from tickflow.ticklog.kafka.records import MAX_BATCH_BYTES, Budget, QuickRecords
from tickflow.ticklog.kafka.topics import check_rights

REQUEST_MS = 5_000
PATIENCE_SECONDS = 15.0
"""How long a read may go without any record before it fails, in seconds."""


class Scanner:
    """Reads ranges with a consumer without a group, which connects at the first request."""

    def __init__(self, cluster: Cluster, batch_bytes: int = MAX_BATCH_BYTES) -> None:
        self._cluster = cluster
        self._budget = Budget(batch_bytes)
        self._consumer: Any = None

    def topic_id(self, topic: str) -> str:
        """The topic's id, once its partitions were asked for; empty before, and if Kafka gave it none."""
        return "" if self._consumer is None else topic_id(self._consumer, topic)

    def partitions(self, topic: str) -> list[int]:
        """See `TickLog.partitions`."""
        with self._asking() as consumer:
            found = sorted(consumer.partitions_for_topic(topic) or ())
            if not found:
                check_rights(self._cluster, topic)
            return found

    def bounds(self, topic: str, partition: int) -> Bounds:
        """See `TickLog.bounds`."""
        place = TopicPartition(topic, partition)
        with self._asking() as consumer:
            start = consumer.beginning_offsets([place], timeout_ms=REQUEST_MS)[place]
            return Bounds(start, consumer.end_offsets([place], timeout_ms=REQUEST_MS)[place])

    def read(self, topic: str, partition: int, stretch: Bounds) -> Iterator[Sequence[Record]]:
        """See `TickLog.read`."""
        place = TopicPartition(topic, partition)
        at = stretch.start
        last_news = time.monotonic()
        while at < stretch.end:
            if self._cluster.stop.is_set():
                raise self._cluster.stopped()
            with self._asking() as consumer:
                # Checked each time: between two portions the caller may read another range.
                if consumer.assignment() != {place}:
                    consumer.assign([place])
                if position(consumer, place) != at:
                    consumer.seek(place, at)
                self._budget.renew()
                try:
                    records: Sequence[Record] = consumer.poll(timeout_ms=200).get(place, ())
                except UNREADABLE as error:
                    raise LogUnavailable(self._cluster.unreadable(place, at, error)) from error
                except OffsetOutOfRangeError:
                    bounds = self.bounds(topic, partition)
                    if not at < bounds.start < stretch.end:
                        return  # retention deleted the rest
                    records = ()
                    consumer.seek(place, bounds.start)
                reached = consumer.position(place, timeout_ms=REQUEST_MS)
            if reached != at:
                at, last_news = reached, time.monotonic()
            elif time.monotonic() - last_news > PATIENCE_SECONDS:
                raise LogUnavailable(
                    f"{self._cluster.where} does not deliver partition {partition} of {topic} from offset {at:,} on: "
                    "perhaps a producer has left a transaction open there"
                )
            wanted = [record for record in records if record.offset < stretch.end]
            if wanted:
                yield wanted

    def close(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=1_000)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        if self._consumer is None:
            self._consumer = self._cluster.open(KafkaConsumer, group_id=None, **READING)
            forget_bootstrap(self._consumer)
            read_records_by(self._consumer, partial(QuickRecords, self._budget), lambda: self._budget.left <= 0)
        try:
            yield self._consumer
        except KafkaError as error:
            raise self._cluster.failure(error) from error
