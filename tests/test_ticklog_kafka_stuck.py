"""What could hold the Kafka adapter up without a word, or without an end."""

import threading
from collections.abc import Iterator

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from tests.contract.ticklogs import KafkaLogs, join, publish, read
from tickflow.errors import LogUnavailable, Stopped
from tickflow.ticklog import kafka_writer
from tickflow.ticklog.base import TickLog
from tickflow.ticklog.kafka_cluster import Cluster


@pytest.fixture
def log(kafka_servers: str, topic: str) -> Iterator[TickLog]:
    """A reader of a topic whose records the broker compresses."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    wanted = {"num_partitions": 1, "replication_factor": 1, "configs": {"compression.type": "gzip"}}
    admin.create_topics({topic: wanted})
    admin.close()
    logs = KafkaLogs(kafka_servers, topic)
    yield logs.reader()
    logs.close()


def test_a_compression_that_is_not_installed_is_said_at_each_poll_until_it_is(
    log: TickLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(log, b"1", b"2")
    join(log)
    log.seek(0, 0)
    said: list[str] = []

    def poll() -> None:
        while len(said) < 3:
            try:
                log.poll(0.5)
            except LogUnavailable as error:
                said.append(str(error))

    with monkeypatch.context() as patched:
        patched.setattr("kafka.codec.has_gzip", lambda: False)
        polling = threading.Thread(target=poll, daemon=True)
        polling.start()
        polling.join(10)
        assert len(said) == 3
    assert "gzip" in said[2]
    assert [record.value for record in read(log, 2)] == [b"1", b"2"]


class Lost:
    """A producer that is never told where its topic is kept; its third attempt asks to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._attempts = 0

    def send(self, topic: str, **record: object) -> None:
        self._attempts += 1
        if self._attempts == 3:
            self._stop.set()
        raise KafkaTimeoutError


def test_a_topic_that_cannot_be_found_is_said_and_the_wait_for_it_ends_with_a_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(kafka_writer, "PATIENCE", 0.0)
    monkeypatch.setattr(kafka_writer.Writer, "_open", lambda _: Lost(stop))
    writer = kafka_writer.Writer(Cluster(["127.0.0.1:1"], {}, stop), {})
    with pytest.raises(Stopped):
        writer.publish("stock-ticks.dlq", b"AAPL", b"?", ())
    assert "where the topic stock-ticks.dlq is kept is not known" in caplog.text
