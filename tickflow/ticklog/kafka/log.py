"""The tick log in Apache Kafka, by kafka-python."""

import threading
from collections.abc import Iterator, Mapping, Sequence

from tickflow.ticklog.base import Bounds, Commit, GroupView, Headers, Polled, Position, Receipt, Record, TickLog
from tickflow.ticklog.kafka import group, topics
from tickflow.ticklog.kafka.cluster import Cluster
from tickflow.ticklog.kafka.reader import Reader
from tickflow.ticklog.kafka.records import MAX_BATCH_BYTES
from tickflow.ticklog.kafka.scanner import Scanner
from tickflow.ticklog.kafka.topics import AS_THE_BROKERS_DO, NewTopic
from tickflow.ticklog.kafka.writer import Writer


class KafkaTickLog(TickLog):
    """A Kafka topic, its dead-letter topic, and a member of a consumer group.

    `partitions` and `new_topic` apply to topics that are created; a poll returns at most `batch_records`. A batch that
    unpacks to more than `batch_bytes` becomes one `Oversized` instead of its records. `security` holds the settings of
    TLS and SASL under the names of kafka-python's clients. `instance_id` makes the member static: after a restart it
    gets its partitions back at once. `client_id` names the member to the brokers, `topic_setting` is the key of the
    setting that names the topic.
    """

    def __init__(
        self,
        servers: Sequence[str],
        *,
        topic: str,
        group: str,
        partitions: int,
        instance_id: str | None,
        security: Mapping[str, object],
        stop: threading.Event,
        batch_records: int = 20_000,
        client_id: str = "tickflow",
        batch_bytes: int = MAX_BATCH_BYTES,
        new_topic: NewTopic = AS_THE_BROKERS_DO,
        topic_setting: str = "KAFKA_TOPIC",
    ) -> None:
        self.topic = topic
        self._group = group
        self.stop = stop
        self._cluster = Cluster(servers, security, stop, topic_setting)
        self.where = self._cluster.where
        self._partitions = partitions
        self._new_topic = new_topic
        self._reader = Reader(self._cluster, topic, group, instance_id, batch_records, client_id, batch_bytes)
        self._scanner = Scanner(self._cluster, batch_bytes)
        self._writer: Writer | None = None

    @property
    def topic_id(self) -> str:
        """The id that Kafka gave the topic, as this member last knew it. One that does not poll knows it from
        `partitions`.
        """
        return self._reader.topic_id or self._scanner.topic_id(self.topic)

    @property
    def holdup(self) -> str:  # noqa: D102 - documented in TickLog, like all below
        return self._reader.holdup

    def connect(self, *, create: bool = True, letters: bool = True) -> None:  # noqa: D102
        self._cluster.check_security()
        if not create:
            return  # the scanner connects by itself
        dead_letters = self.dead_letter_topic if letters else None
        limits = self._cluster.patiently(
            lambda: topics.prepare(self._cluster, self.topic, dead_letters, self._partitions, self._new_topic)
        )
        self._writer = Writer(self._cluster, limits, patient=not letters)

    def publish(  # noqa: D102
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        topic: str | None = None,
        wait: bool = True,
    ) -> None:
        self._connected().publish(topic or self.topic, key, value, headers, wait)

    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> Receipt:  # noqa: D102
        return self._connected().publish(topic, key, value, headers, wait=False)

    @property
    def largest_letter(self) -> int | None:  # noqa: D102
        return self._connected().largest(self.dead_letter_topic)

    def make_topic(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None:  # noqa: D102
        topics.make(self._cluster, topic, partitions, configs, self._new_topic)

    def flush(self, timeout: float) -> None:  # noqa: D102
        self._connected().flush(timeout)

    @property
    def acknowledged(self) -> int:  # noqa: D102
        return self._connected().acknowledged

    def subscribe(self) -> None:  # noqa: D102
        self._reader.subscribe()

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:  # noqa: D102
        return self._reader.poll(timeout, paused)

    def seek(self, partition: int, offset: int) -> None:  # noqa: D102
        self._reader.seek(partition, offset)

    def bounds(self, partition: int, topic: str | None = None) -> Bounds:  # noqa: D102
        return self._reader.bounds(partition) if topic is None else self._scanner.bounds(topic, partition)

    def partitions(self, topic: str | None = None) -> list[int]:  # noqa: D102
        return self._scanner.partitions(topic or self.topic)

    def read(  # noqa: D102
        self, partition: int, stretch: Bounds, topic: str | None = None
    ) -> Iterator[Sequence[Record]]:
        return self._scanner.read(topic or self.topic, partition, stretch)

    def committed(self, partition: int) -> Commit | None:  # noqa: D102
        return self._reader.committed(partition)

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:  # noqa: D102
        return self._reader.commit(positions)

    def lag(self) -> dict[int, int]:  # noqa: D102
        return self._reader.lag()

    def group_view(self) -> GroupView:  # noqa: D102
        return group.view(self._cluster, self.topic, self._group)

    def ends(self) -> dict[int, int]:  # noqa: D102
        return self._reader.ends()

    def close(self) -> None:  # noqa: D102
        try:
            self._reader.close()
            self._scanner.close()
        finally:
            if self._writer is not None:
                self._writer.close()

    def _connected(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("connect() was not called")
        return self._writer
