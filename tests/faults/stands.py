"""The two stacks of the fault suite: how to read them independently, and where their load goes."""

import sqlite3
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import closing, suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from tests import oracle
from tests.faults.load import EmbeddedSink, KafkaSink, Sink
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain


class Stand(Chain):
    """A chain, with everything that the fault suite reads in addition to the chain's points."""

    name: str
    topic: str

    @abstractmethod
    def all_records(self, topic: str) -> list[oracle.LogRecord]:
        """Every record of a topic with all its parts; empty if the topic does not exist."""

    @abstractmethod
    def uncommitted(self) -> int | None:
        """How many records of the tick topic the group has not committed; `None` while unknown."""

    @abstractmethod
    def worker_times(self) -> list[float]:
        """The times that workers wrote into the store by their own clocks, in seconds since 1970."""

    @abstractmethod
    def sink(self, clock: Callable[[], float] = time.time) -> Sink:
        """A new sink for the load."""


class KafkaStand(KafkaChain, Stand):
    """The stack with Kafka and InfluxDB."""

    name = "Kafka"

    def all_records(self, topic: str) -> list[oracle.LogRecord]:
        return oracle.read_kafka_records(self.servers, topic)

    def uncommitted(self) -> int | None:
        with suppress(KafkaError):
            reader = KafkaConsumer(
                bootstrap_servers=self.servers, group_id=self.env["KAFKA_GROUP"], enable_auto_commit=False
            )
            try:
                places = [TopicPartition(self.topic, n) for n in reader.partitions_for_topic(self.topic) or ()]
                ends = reader.end_offsets(places)
                return sum(int(end) - int(reader.committed(place) or 0) for place, end in ends.items())
            finally:
                reader.close(autocommit=False)
        return None

    def worker_times(self) -> list[float]:
        times = oracle.status_times_influx(self.influx.url, self.influx.token, self.bucket)
        return [time_ns / 1e9 for time_ns in times]

    def again(self) -> "KafkaStand":
        """A stand on the same topic with a new group and a new bucket."""
        bucket = f"{self.bucket}-again"
        self.influx.create_bucket(bucket)
        made = KafkaStand(self.servers, self.topic, self.influx, bucket)
        made.env["KAFKA_GROUP"] = bucket
        return made

    def sink(self, clock: Callable[[], float] = time.time) -> Sink:
        return KafkaSink(self.servers, self.topic)


class EmbeddedStand(EmbeddedChain, Stand):
    """The embedded stack, on one SQLite file."""

    name = "embedded"
    topic = "stock-ticks"

    def all_records(self, topic: str) -> list[oracle.LogRecord]:
        return oracle.read_embedded_records(str(self.file), topic)

    def uncommitted(self) -> int | None:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(self.file)) as database:
            ends = dict(database.execute("SELECT name, next FROM log_topics"))
            commits = dict(database.execute("SELECT topic, offset FROM log_commits"))
            return int(ends[self.topic]) - int(commits.get(self.topic, 0)) if self.topic in ends else 0
        return None

    def worker_times(self) -> list[float]:
        with closing(sqlite3.connect(self.file)) as database:
            return [ms / 1e3 for (ms,) in database.execute("SELECT DISTINCT appended_ms FROM store_points")]

    def sink(self, clock: Callable[[], float] = time.time) -> Sink:
        return EmbeddedSink(self.file, self.topic, clock)
