"""A transactional producer of confluent-kafka, since kafka-python's producer and consumer could share a mistake."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from confluent_kafka import Producer

Records = Sequence[tuple[bytes | None, bytes | None]]


class Transactions:
    """Writes transactions of one producer into one partition of a topic."""

    def __init__(self, servers: str, topic: str, partition: int = 0) -> None:
        self._topic = topic
        self._partition = partition
        self._producer = Producer(
            {"bootstrap.servers": servers, "transactional.id": f"test-{uuid.uuid4().hex}", "linger.ms": 0}
        )
        self._producer.init_transactions(30)

    @contextmanager
    def open(self, ending: Literal["commit", "abort"]) -> Iterator["Transactions"]:
        """Hold a transaction open during the block, then commit or abort it."""
        self._producer.begin_transaction()
        yield self
        (self._producer.commit_transaction if ending == "commit" else self._producer.abort_transaction)(30)

    def send(self, *records: tuple[bytes | None, bytes | None]) -> None:
        """Write records; they are in the log when this returns."""
        for key, value in records:
            self._producer.produce(self._topic, key=key, value=value, partition=self._partition)
        assert self._producer.flush(30) == 0

    def write(self, ending: Literal["commit", "abort"], *records: tuple[bytes | None, bytes | None]) -> None:
        """Write records in one separate transaction."""
        with self.open(ending):
            self.send(*records)
