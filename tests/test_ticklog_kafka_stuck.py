"""What could hold the Kafka adapter up without a word, or without an end."""

import threading
from collections.abc import Iterator

import pytest
from kafka.admin import KafkaAdminClient

from tests.contract.ticklogs import KafkaLogs, join, publish, read, until
from tickflow.errors import LogUnavailable, Stopped
from tickflow.ticklog.base import TickLog

pytestmark = pytest.mark.kafka


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


def test_a_topic_that_is_gone_is_said_and_the_wait_for_it_ends_with_a_stop(
    log: TickLog, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def send() -> None:
        try:
            log.publish(b"AAPL", b"1", topic=f"{log.topic}.gone")
        except Stopped:
            ended.set()

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    until(lambda: not ended.wait(0.1) and f"where the topic {log.topic}.gone is kept" in caplog.text, "it is said")
    log.stop.set()
    assert ended.wait(5)
