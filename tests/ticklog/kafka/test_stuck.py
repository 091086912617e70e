"""Situations that could block the Kafka adapter silently or for ever."""

import threading
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from devtools.servers import InfluxServer
from tests.contract.ticklogs import KafkaLogs, join, publish, read, stray
from tests.integration.chain import KafkaChain, working
from tests.loaded_settings import load
from tests.waiting import until
from tickflow.errors import LogUnavailable, Stopped
from tickflow.process import StopEvent
from tickflow.stack import open_log
from tickflow.ticklog.base import TickLog
from tickflow.ticklog.kafka import writer as kafka_writer
from tickflow.ticklog.kafka.cluster import Cluster
from tickflow.ticklog.kafka.writer import NOT_FOUND


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


def test_a_missing_compression_library_is_reported_at_each_poll(log: TickLog, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert "partition 0 of " in said[2]
    assert "from offset 0 " in said[2]
    assert [record.value for record in read(log, 2)] == [b"1", b"2"]


def test_a_batch_that_cannot_be_read_is_passed_by_deleting_it_from_the_log(
    log: TickLog, kafka_servers: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(log, b"1")
    join(log)
    log.seek(0, 0)
    with monkeypatch.context() as patched:
        patched.setattr("kafka.codec.has_gzip", lambda: False)
        with pytest.raises(LogUnavailable, match=r"partition 0 of .* from offset 0 .*kafka-delete-records"):
            list(log.read(0, log.bounds(0)))
        KafkaLogs(kafka_servers, topic).drop_before(1)
        assert stray(log) == {0: 0}
    log.seek(0, 1)
    publish(log, b"2")
    assert [record.value for record in read(log, 1)] == [b"2"]


def test_a_missing_dead_letter_topic_does_not_block_the_group(
    influx: InfluxServer, bucket: str, kafka_servers: str, topic: str
) -> None:
    """The worker reports that it waits, and keeps polling, so that a rebalance need not wait for this worker."""
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    chain.env["ALERTS"] = "false"  # their thread connects some time later, and makes the missing topic again
    with working(chain) as worker:
        until(lambda: len(worker.counters.accounts) == 4, "the worker has its partitions")
        admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
        admin.delete_topics([f"{topic}.dlq"])
        until(lambda: f"{topic}.dlq" not in admin.list_topics(), "the dead-letter topic is gone")
        with open_log(load(chain.env), StopEvent()) as other:
            other.connect(create=False)
            producer = KafkaProducer(bootstrap_servers=kafka_servers)
            producer.send(topic, key=b"AAPL", value=b"no tick").get(10)
            producer.close()
            until(lambda: NOT_FOUND in worker.status().held_up_by, "the worker says what holds it up")
            assert f"{topic}.dlq" in worker.status().held_up_by
            other.subscribe()
            assert len(join(other)) == 2
        assert worker.counters.total.refused.total() == 0
        admin.create_topics({f"{topic}.dlq": {"num_partitions": 1, "replication_factor": 1}})
        admin.close()
        until(lambda: worker.counters.total.refused.total() == 1, "the letter is delivered and committed")


class Lost:
    """A producer that never receives its topic's metadata; its third attempt to send asks to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._attempts = 0

    def send(self, topic: str, **record: object) -> None:
        self._attempts += 1
        if self._attempts == 3:
            self._stop.set()
        raise KafkaTimeoutError


def test_a_missing_topic_is_reported_and_a_stop_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(kafka_writer, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(kafka_writer.Writer, "_open", lambda _: Lost(stop))
    writer = kafka_writer.Writer(Cluster(["127.0.0.1:1"], {}, stop), {})
    with pytest.raises(Stopped):
        writer.publish("stock-ticks.dlq", b"AAPL", b"?", ())
    assert f"{kafka_writer.NOT_FOUND} stock-ticks.dlq" in caplog.text
