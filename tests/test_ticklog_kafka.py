"""What holds for the Kafka adapter beyond the contract: groups, failures of the broker, topics as they are found."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from devtools.servers import KafkaServer
from tests.contract.ticklogs import SECONDS, KafkaLogs, at, join, publish, read, until
from tickflow.errors import LogUnavailable, NotAcknowledged, SettingError, Stopped
from tickflow.ticklog.base import Bounds, Commit, TickLog
from tickflow.ticklog.kafka import KafkaTickLog
from tickflow.ticklog.kafka_topics import DEFAULT_LIMIT, HEADROOM

pytestmark = pytest.mark.kafka

SYMBOLS = [b"AAPL", b"GOOGL", b"MSFT", b"AMZN", b"TSLA", b"NVDA", b"META", b"IBM"]


@pytest.fixture
def logs(kafka_servers: str, topic: str) -> Iterator[KafkaLogs]:
    logs = KafkaLogs(kafka_servers, topic, partitions=4)
    yield logs
    logs.close()


@pytest.fixture
def own_logs(own_kafka: KafkaServer, topic: str) -> Iterator[KafkaLogs]:
    logs = KafkaLogs(own_kafka.address, topic)
    yield logs
    own_kafka.resume()
    logs.close()


class Member:
    """A reader that follows its assignment as the engine does, each partition from its start."""

    def __init__(self, log: TickLog) -> None:
        self.log = log
        self.epochs: dict[int, int] = {}
        self.revoked: set[int] = set()
        self.seen: list[tuple[int, int]] = []

    def has(self, count: int) -> bool:
        """Whether it has that many partitions, after another poll."""
        self.step()
        return len(self.epochs) == count

    def step(self) -> None:
        polled = self.log.poll(0.2)
        for partition in polled.revoked:
            del self.epochs[partition]
        self.revoked |= polled.revoked
        for partition, epoch in polled.assigned.items():
            assert partition not in self.epochs
            self.epochs[partition] = epoch
            self.log.seek(partition, 0)
        for partition, records in polled.records.items():
            assert partition in self.epochs
            self.seen += [(partition, record.offset) for record in records]


def test_partitions_move_to_a_second_member_and_back(logs: KafkaLogs) -> None:
    first = Member(logs.reader())
    until(lambda: first.has(4), "the first member has all partitions")
    before = dict(first.epochs)

    second = Member(logs.reader())

    def is_shared() -> bool:
        first.step()
        second.step()
        return len(first.epochs) == 2 and len(second.epochs) == 2

    until(is_shared, "each member has two partitions")
    assert first.revoked == set(range(4))
    assert set(first.epochs) | set(second.epochs) == set(range(4))
    assert not set(first.epochs.values()) & set(before.values())
    stale = {number: at(Commit(0, "stale"), epoch) for number, epoch in before.items()}
    assert first.log.commit(stale) == frozenset()
    current = {number: at(Commit(0, "current"), epoch) for number, epoch in first.epochs.items()}
    assert first.log.commit(stale | current) == frozenset(first.epochs)

    second.log.close()
    until(lambda: first.has(4), "the first member has all partitions again")
    assert {first.log.committed(number) for number in range(4)} == {Commit(0, "current"), None}


def test_members_read_every_record_after_a_rebalance_in_the_middle(logs: KafkaLogs) -> None:
    first = Member(logs.reader())
    for number in range(4_000):
        first.log.publish(SYMBOLS[number % len(SYMBOLS)], b"%d" % number)
    first.log.flush(SECONDS)
    until(lambda: first.has(4) and len(first.seen) > 0, "the first member reads")
    second = Member(logs.reader())

    def is_all_read() -> bool:
        first.step()
        second.step()
        return len(set(first.seen) | set(second.seen)) == 4_000 and len(second.epochs) == 2

    until(is_all_read, "everything was read")


def test_a_restarted_static_member_has_its_partitions_back_at_once(logs: KafkaLogs) -> None:
    def member() -> TickLog:
        log = KafkaTickLog(
            [logs.servers], topic=logs.topic, group="g", partitions=4, instance_id="one", security={}, stop=logs.stop
        )
        log.connect()
        log.subscribe()
        return log

    with member() as log:
        assert len(join(log)) == 4
    started = time.monotonic()
    with member() as again:
        epochs = join(again)
        assert len(epochs) == 4
        assert time.monotonic() - started < 4
        with member() as usurper:
            join(usurper)
            with pytest.raises(SettingError, match="KAFKA_INSTANCE_ID is 'one'"):
                again.commit({number: at(Commit(0, ""), epoch) for number, epoch in epochs.items()})


def settings_of(servers: str, topic: str) -> dict[str, str]:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {name: entry["value"] for name, entry in found["topic"][topic].items()}
    finally:
        admin.close()


def test_missing_topics_are_made_with_the_brokers_time_and_room_for_dead_letters(logs: KafkaLogs) -> None:
    log = logs.open()
    assert [log.bounds(number) for number in range(4)] == [Bounds(0, 0)] * 4
    assert settings_of(logs.servers, logs.topic)["message.timestamp.type"] == "LogAppendTime"
    limit = int(settings_of(logs.servers, log.dead_letter_topic)["max.message.bytes"])
    assert limit >= DEFAULT_LIMIT + HEADROOM


def test_an_existing_topic_is_taken_as_it_is_and_producers_times_are_warned_of(
    logs: KafkaLogs, caplog: pytest.LogCaptureFixture
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=logs.servers)
    admin.create_topics({logs.topic: {"num_partitions": 2, "configs": {"max.message.bytes": "2000000"}}})
    admin.close()
    log = logs.open()
    assert sum("message.timestamp.type=CreateTime" in line for line in caplog.messages) == 1
    assert settings_of(logs.servers, logs.topic)["message.timestamp.type"] == "CreateTime"
    assert int(settings_of(logs.servers, log.dead_letter_topic)["max.message.bytes"]) >= 2_000_000 + HEADROOM
    log.subscribe()
    assert set(join(log)) == {0, 1}


def test_several_may_make_the_topics_at_once(logs: KafkaLogs) -> None:
    members = [logs.make() for _ in range(4)]
    threads = [threading.Thread(target=log.connect) for log in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    for log in members:
        publish(log, b"1")
        log.close()
    assert sum(logs.open().bounds(number).end for number in range(4)) == 4


def test_a_record_too_large_for_its_topic_is_reported_once_and_does_not_stop_the_others(logs: KafkaLogs) -> None:
    log = logs.open()
    publish(log, b"x" * (DEFAULT_LIMIT - 1_000))
    log.publish(b"AAPL", b"x" * DEFAULT_LIMIT)
    with pytest.raises(NotAcknowledged, match=r"1 records .* larger than its topic takes") as raised:
        log.flush(SECONDS)
    assert raised.value.count == 1
    log.flush(SECONDS)
    publish(log, b"good")

    log.publish(b"AAPL", b"x" * DEFAULT_LIMIT)
    with pytest.raises(NotAcknowledged):
        log.publish(b"AAPL", b"not handed over")
    publish(log, b"handed over")
    assert log.acknowledged == 3


def test_a_record_that_the_broker_refuses_is_reported_once_and_does_not_stop_the_others(logs: KafkaLogs) -> None:
    log = logs.open()
    publish(log, b"1")
    admin = KafkaAdminClient(bootstrap_servers=logs.servers)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, logs.topic, {"max.message.bytes": "1000"})])
    admin.close()

    log.publish(b"AAPL", b"x" * 2_000)
    with pytest.raises(NotAcknowledged, match=r"1 records .* larger than its topic takes"):
        log.flush(SECONDS)
    publish(log, b"2", b"3")
    assert log.acknowledged == 3
    log.publish(b"AAPL", b"x" * 2_000)
    until(lambda: log.bounds(0).end >= 0 and _is_refused(log), "the refusal is reported by a later publish")
    publish(log, b"4")


def _is_refused(log: TickLog) -> bool:
    try:
        log.publish(b"AAPL", b"on the way")
    except NotAcknowledged:
        return True
    return False


def test_the_lag_counts_what_comes_while_paused(logs: KafkaLogs) -> None:
    logs.partitions = 1
    log = logs.reader()
    publish(log, b"1", b"2")
    join(log)
    log.seek(0, 0)
    read(log, 2)
    publish(log, b"3", b"4", b"5")

    def is_known() -> bool:
        assert not log.poll(0.5, paused=True).records
        return log.lag() == {0: 3}

    until(is_known, "the lag is 3")
    assert [record.value for record in read(log, 3)] == [b"3", b"4", b"5"]
    assert log.lag() == {0: 0}


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    garbage = tmp_path / "ca.pem"
    garbage.write_text("no certificate")
    for option, path in [("ssl_cafile", tmp_path / "missing"), ("ssl_cafile", garbage), ("ssl_certfile", garbage)]:
        log = KafkaTickLog(
            ["127.0.0.1:1"],
            topic="t",
            group="g",
            partitions=1,
            instance_id=None,
            security={"security_protocol": "SSL", option: str(path)},
            stop=threading.Event(),
        )
        with pytest.raises(SettingError, match=f"KAFKA_{option.upper()}"):
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


def test_a_frozen_broker_holds_nothing_up_for_long(own_kafka: KafkaServer, own_logs: KafkaLogs) -> None:
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
        assert time.monotonic() - started < 6
    with pytest.raises(NotAcknowledged, match="KAFKA_SERVERS") as raised:
        log.flush(0.5)
    assert raised.value.count == 1
    with pytest.raises(LogUnavailable, match="KAFKA_SERVERS"):
        log.poll(20)
    started = time.monotonic()
    log.close()
    assert time.monotonic() - started < 7


def test_a_thawed_broker_is_worked_with_as_before(own_kafka: KafkaServer, own_logs: KafkaLogs) -> None:
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


def test_a_stop_ends_publishing_to_a_frozen_broker(
    own_kafka: KafkaServer, own_logs: KafkaLogs, caplog: pytest.LogCaptureFixture
) -> None:
    log = own_logs.open()
    publish(log, b"first")
    own_kafka.pause()
    threading.Timer(4, own_logs.stop.set).start()
    for number in range(10_000):
        log.publish(b"AAPL", b"%d" % number)
    with pytest.raises(Stopped):
        log.publish(b"AAPL", b"one too many")
    assert any("10,000 records are not confirmed yet" in line for line in caplog.messages)
    with pytest.raises(NotAcknowledged) as raised:
        log.flush(0.1)
    assert raised.value.count == 10_000
    log.close()
    assert any("10,000 records were not acknowledged" in line for line in caplog.messages)


def test_every_record_arrives_once_and_in_order_over_a_killed_broker(
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
