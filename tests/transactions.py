"""A producer with transactions: confluent-kafka's, since a mistake of kafka-python's would be in both its producer and
its consumer.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from confluent_kafka import Producer

Records = Sequence[tuple[bytes | None, bytes | None]]


class Transactions:
    """Transactions of one producer, in one partition of one topic."""

    def __init__(self, servers: str, topic: str, partition: int = 0) -> None:
        self._topic = topic
        self._partition = partition
        self._producer = Producer(
            {"bootstrap.servers": servers, "transactional.id": f"test-{uuid.uuid4().hex}", "linger.ms": 0}
        )
        self._producer.init_transactions(30)

    @contextmanager
    def open(self, ending: Literal["commit", "abort"]) -> Iterator["Transactions"]:
        """A transaction for as long as the block lasts."""
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
