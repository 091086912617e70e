"""Tests of the Kafka adapter while the broker is down, frozen or killed, or refuses the login."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.servers import KafkaServer
from tests.contract.ticklogs import SECONDS, KafkaLogs, at, join, publish, read
from tests.scripts import PROJECT
from tests.waiting import until
from tickflow.errors import LogUnavailable, NotAcknowledged, Stopped
from tickflow.ticklog.base import Bounds, Commit, TickLog
from tickflow.ticklog.kafka.log import KafkaTickLog

pytestmark = pytest.mark.kafka


@pytest.fixture
def own_logs(own_kafka: KafkaServer, topic: str) -> Iterator[KafkaLogs]:
    logs = KafkaLogs(own_kafka.address, topic)
    yield logs
    own_kafka.resume()
    logs.close()


class PasswordKafka(KafkaServer):
    """A broker that requires a login: bob, with the password bob-secret."""

    def _prepare(self) -> list[str]:
        command = super()._prepare()
        properties = self.folder / "server.properties"
        login = 'PlainLoginModule required username="x" password="x" user_bob="bob-secret" user_x="x";'
        properties.write_text(
            properties.read_text()
            .replace(f"PLAINTEXT://127.0.0.1:{self.port}", f"SASL_PLAINTEXT://127.0.0.1:{self.port}")
            .replace("PLAINTEXT:PLAINTEXT", "SASL_PLAINTEXT:SASL_PLAINTEXT")
            + "inter.broker.listener.name=SASL_PLAINTEXT\nsasl.enabled.mechanisms=PLAIN\n"
            + "sasl.mechanism.inter.broker.protocol=PLAIN\nlistener.name.sasl_plaintext.plain.sasl.jaas.config="
            + f"org.apache.kafka.common.security.plain.{login}\n"
        )
        return command


def test_a_refused_login_is_reported_with_its_settings_and_retried(
    kafka_servers: str, tmp_path: Path, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = PasswordKafka(tmp_path / "kafka")

    def log_as(password: str, stop: threading.Event) -> TickLog:
        security = {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "bob",
            "sasl_plain_password": password,
        }
        return KafkaTickLog(
            [server.address], topic=topic, group="g", partitions=1, instance_id=None, security=security, stop=stop
        )

    server.start()
    try:

        def is_said() -> bool:
            time.sleep(0.1)
            return any("login" in line and "KAFKA_SASL_PASSWORD" in line for line in caplog.messages)

        stop = threading.Event()
        with log_as("guessed", stop) as log:
            connecting = threading.Thread(target=_connect_until_stopped, args=(log,))
            connecting.start()
            until(is_said, "the refusal is said")
            stop.set()
            connecting.join()
        assert not any("guessed" in line for line in caplog.messages)
        with log_as("bob-secret", threading.Event()) as log:
            log.connect()
            publish(log, b"1")
            assert log.bounds(0) == Bounds(0, 1)
    finally:
        server.kill()


def _connect_until_stopped(log: TickLog) -> None:
    with pytest.raises(Stopped):
        log.connect()


def test_connecting_waits_for_a_broker_that_starts_later(
    own_kafka: KafkaServer, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    own_kafka.stop()
    caplog.set_level(logging.INFO, "tickflow")
    logs = KafkaLogs(own_kafka.address, topic)
    log = logs.make()
    thread = threading.Thread(target=log.connect)
    thread.start()
    time.sleep(1)
    assert thread.is_alive()
    assert any("connection refused" in line and own_kafka.address in line for line in caplog.messages)
    own_kafka.start()
    thread.join(SECONDS)
    assert not thread.is_alive()
    publish(log, b"1")
    assert log.bounds(0) == Bounds(0, 1)
    log.close()
    logs.close()


def test_a_frozen_broker_blocks_no_call_for_long(own_kafka: KafkaServer, own_logs: KafkaLogs) -> None:
    log = own_logs.reader()
    publish(log, b"1")
    epoch = join(log)[0]
    log.seek(0, 0)
    read(log, 1)

    own_kafka.pause()
    log.publish(b"AAPL", b"2")
    questions: list[Callable[[], object]] = [
        lambda: log.commit({0: at(Commit(1, ""), epoch)}),
        lambda: log.bounds(0),
        lambda: log.committed(0),
    ]
    for question in questions:
        started = time.monotonic()
        with pytest.raises(LogUnavailable, match="KAFKA_SERVERS"):
            question()
        assert time.monotonic() - started < 12
    with pytest.raises(NotAcknowledged, match="KAFKA_SERVERS") as raised:
        log.flush(0.5)
    assert raised.value.count == 1
    with pytest.raises(LogUnavailable, match="KAFKA_SERVERS"):
        log.poll(20)
    started = time.monotonic()
    log.close()
    assert time.monotonic() - started < 14


def test_work_continues_after_a_broker_thaws(own_kafka: KafkaServer, own_logs: KafkaLogs) -> None:
    log = own_logs.reader()
    publish(log, b"1")
    epoch = join(log)[0]
    log.seek(0, 0)
    read(log, 1)
    own_kafka.pause()
    log.publish(b"AAPL", b"2")
    with pytest.raises(NotAcknowledged):
        log.flush(2)
    own_kafka.resume()
    log.flush(SECONDS)
    assert log.acknowledged == 2
    assert [record.value for record in read(log, 1)] == [b"2"]
    assert log.commit({0: at(Commit(2, ""), epoch)}) == frozenset({0})


@pytest.mark.parametrize("letters", [True, False])
def test_a_record_in_flight_as_its_broker_is_killed_is_sent_again(
    own_kafka: KafkaServer, own_logs: KafkaLogs, letters: bool
) -> None:
    """A producer connects without dead letters, and a worker with them: their writers handle errors differently."""
    log = own_logs.make()
    log.connect(letters=letters)
    publish(log, b"1")
    own_kafka.pause()
    log.publish(b"AAPL", b"2")
    with pytest.raises(NotAcknowledged):
        log.flush(1)
    own_kafka.kill()
    own_kafka.start()
    log.publish(b"AAPL", b"3")
    log.flush(SECONDS)
    assert log.acknowledged == 3
    log.close()
    reader = own_logs.reader()
    join(reader)
    reader.seek(0, 0)
    assert [record.value for record in read(reader, 3)] == [b"1", b"2", b"3"]


def test_a_stop_ends_publishing_to_a_frozen_broker(
    own_kafka: KafkaServer, own_logs: KafkaLogs, caplog: pytest.LogCaptureFixture
) -> None:
    log = own_logs.open()
    publish(log, b"first")
    own_kafka.pause()
    for number in range(10_000):
        log.publish(b"AAPL", b"%d" % number)
    threading.Timer(4, own_logs.stop.set).start()
    with pytest.raises(Stopped):
        log.publish(b"AAPL", b"one too many")
    assert any("10,000 records are not confirmed yet" in line for line in caplog.messages)
    with pytest.raises(NotAcknowledged) as raised:
        log.flush(0.1)
    assert raised.value.count == 10_000
    log.close()
    assert any("10,000 records were not acknowledged" in line for line in caplog.messages)


def test_every_record_arrives_once_and_in_order_across_a_killed_broker(
    own_kafka: KafkaServer, own_logs: KafkaLogs
) -> None:
    log = own_logs.reader()
    join(log)
    log.seek(0, 0)
    values = [b"%d" % number for number in range(3_000)]
    for number, value in enumerate(values):
        if number == 1_000:
            own_kafka.kill()
        if number == 2_000:
            own_kafka.start()
        log.publish(b"AAPL", value)
    log.flush(60)
    assert log.acknowledged == 3_000

    records: list[bytes | None] = []

    def is_complete() -> bool:
        try:
            polled = log.poll(0.5)
        except LogUnavailable:
            return False
        if polled.assigned:
            log.seek(0, len(records))
        records.extend(record.value for batch in polled.records.values() for record in batch)
        return len(records) >= 3_000

    until(is_complete, "all records have come")
    assert records == values


LEAVES = """
import sys
from tests.contract.ticklogs import KafkaLogs
log = KafkaLogs(*sys.argv[1:]).open()
log.publish(b"AAPL", b"0")
log.flush(30)
print("ready", flush=True)
sys.stdin.readline()
log.publish(b"AAPL", b"1", wait=False)
"""


def test_a_program_that_ends_without_its_broker_prints_no_traceback(own_kafka: KafkaServer, topic: str) -> None:
    """As a worker does whose alerts still wait for Kafka when its time to stop is over."""
    command = [sys.executable, "-c", LEAVES, own_kafka.address, topic]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        own_kafka.pause()
        try:
            _, words = program.communicate("\n", timeout=60)
        finally:
            own_kafka.resume()
    assert program.returncode == 0
    assert "Traceback" not in words
