"""The log of one stack for a test, filled by an ordinary client and read by an independent reader."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from tests.oracle.logs import LogRecord, read_embedded_records, read_kafka_records
from tickflow.process import StopEvent
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

PARTITIONS = 3


class Topics(ABC):
    """The topics of one stack; `env` has the settings of this stack, and `topic` names the tick topic."""

    topic: str
    env: dict[str, str]

    @abstractmethod
    def create(self, topic: str) -> None:
        """Create an empty topic."""

    @abstractmethod
    def send(self, topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> None:
        """Append records, each a key and a value."""

    @abstractmethod
    def records(self, topic: str) -> list[LogRecord]:
        """All records of a topic; empty if it does not exist."""


@dataclass
class KafkaTopics(Topics):
    """The topics of a real Kafka."""

    servers: str
    topic: str

    def __post_init__(self) -> None:
        self.env = {
            "STACK": "kafka",
            "KAFKA_SERVERS": self.servers,
            "KAFKA_TOPIC": self.topic,
            "KAFKA_PARTITIONS": f"{PARTITIONS}",
        }

    def create(self, topic: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.servers.split(","))
        admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
        admin.close()

    def send(self, topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.servers.split(","))
        for key, value in records:
            producer.send(topic, value, key)
        producer.flush(60)
        producer.close()

    def records(self, topic: str) -> list[LogRecord]:
        return read_kafka_records(self.servers, topic)


@dataclass
class EmbeddedTopics(Topics):
    """The topics of one SQLite file."""

    file: Path
    topic: str

    def __post_init__(self) -> None:
        self.env = {"STACK": "embedded", "EMBEDDED_FILE": str(self.file), "KAFKA_TOPIC": self.topic}

    def create(self, topic: str) -> None:
        self.send(topic, ())

    def send(self, topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> None:
        with EmbeddedTickLog(self.file, topic=topic, group="none", retention_days=7, stop=StopEvent()) as log:
            log.connect()
            for key, value in records:
                log.publish(key or b"", value)
            log.flush(60)

    def records(self, topic: str) -> list[LogRecord]:
        if not self.file.exists():
            return []
        try:
            return read_embedded_records(str(self.file), topic)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # a script is about to create it
                return []
            raise
