"""Tests of the Kafka adapter beyond the contract: groups, refusals, existing topics."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions
from kafka.cluster import ClusterMetadata
from kafka.structs import TopicPartition

from tests.contract.ticklogs import SECONDS, KafkaLogs, at, join, publish, read
from tests.waiting import until
from tickflow.errors import NotAcknowledged, SettingError
from tickflow.ticklog.base import Bounds, Commit, TickLog
from tickflow.ticklog.kafka import linger, reader
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticklog.kafka.topics import DEFAULT_LIMIT_BYTES, HEADROOM_BYTES

pytestmark = pytest.mark.kafka

SYMBOLS = [b"AAPL", b"GOOGL", b"MSFT", b"AMZN", b"TSLA", b"NVDA", b"META", b"IBM"]


@pytest.fixture
def logs(kafka_servers: str, topic: str) -> Iterator[KafkaLogs]:
    logs = KafkaLogs(kafka_servers, topic, partitions=4)
    yield logs
    logs.close()


class Member:
    """A reader that follows its assignment as a worker does, and reads each partition from the start."""

    def __init__(self, log: TickLog) -> None:
        self.log = log
        self.epochs: dict[int, int] = {}
        self.revoked: set[int] = set()
        self.seen: list[tuple[int, int]] = []

    def has(self, count: int) -> bool:
        """Poll once; return whether the member then has `count` partitions."""
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
        assert time.monotonic() - started < 8
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
    assert limit >= DEFAULT_LIMIT_BYTES + HEADROOM_BYTES


def test_an_existing_topic_is_used_unchanged_with_a_warning_about_producers_times(
    logs: KafkaLogs, caplog: pytest.LogCaptureFixture
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=logs.servers)
    admin.create_topics({logs.topic: {"num_partitions": 2, "configs": {"max.message.bytes": "2000000"}}})
    admin.close()
    log = logs.open()
    assert sum("message.timestamp.type=CreateTime" in line for line in caplog.messages) == 1
    assert settings_of(logs.servers, logs.topic)["message.timestamp.type"] == "CreateTime"
    assert int(settings_of(logs.servers, log.dead_letter_topic)["max.message.bytes"]) >= 2_000_000 + HEADROOM_BYTES
    log.subscribe()
    assert set(join(log)) == {0, 1}


def test_a_compacted_topic_causes_a_warning(logs: KafkaLogs, caplog: pytest.LogCaptureFixture) -> None:
    admin = KafkaAdminClient(bootstrap_servers=logs.servers)
    admin.create_topics({logs.topic: {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}})
    admin.close()
    logs.open()
    assert sum("is compacted (cleanup.policy=compact)" in line for line in caplog.messages) == 1


def test_several_programs_may_create_the_topics_at_once(logs: KafkaLogs) -> None:
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
    publish(log, b"x" * (DEFAULT_LIMIT_BYTES - 1_000))
    log.publish(b"AAPL", b"x" * DEFAULT_LIMIT_BYTES)
    with pytest.raises(NotAcknowledged, match=r"1 records .* larger than its topic accepts") as raised:
        log.flush(SECONDS)
    assert raised.value.count == 1
    log.flush(SECONDS)
    publish(log, b"good")

    log.publish(b"AAPL", b"x" * DEFAULT_LIMIT_BYTES)
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
    with pytest.raises(NotAcknowledged, match=r"1 records .* larger than its topic accepts"):
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


def test_a_poll_returns_at_most_the_set_number_of_records_and_whether_more_wait(logs: KafkaLogs) -> None:
    publish(logs.open(), b"1", b"2", b"3", b"4", b"5")
    options: dict[str, Any] = {"partitions": 4, "instance_id": None, "security": {}, "stop": logs.stop}
    with KafkaTickLog([logs.servers], topic=logs.topic, group="g", batch_records=2, **options) as log:
        log.connect()
        log.subscribe()
        for partition in join(log):
            log.seek(partition, 0)
        found: list[tuple[int, bool]] = []
        while sum(count for count, _ in found) < 5:
            polled = log.poll(0.5)
            if polled.records:
                found.append((sum(map(len, polled.records.values())), polled.more))
    assert max(count for count, _ in found) == 2
    assert (found[0][1], found[-1][1]) == (True, False)


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_records_of_any_compression_are_read(logs: KafkaLogs, compression: str) -> None:
    log = logs.reader()
    for partition in join(log):
        log.seek(partition, 0)
    producer = KafkaProducer(bootstrap_servers=logs.servers, compression_type=compression)
    producer.send(logs.topic, b"a tick" * 100, key=b"AAPL", partition=0).get(10)
    producer.close()
    (record,) = read(log, 1)
    assert (record.key, record.value) == (b"AAPL", b"a tick" * 100)


def test_no_client_makes_the_broker_create_a_topic(logs: KafkaLogs) -> None:
    """Most brokers would create the topic with a single partition, and keep the timestamps that producers set."""
    log = logs.reader()
    publish(log, b"1")
    log.partitions()
    assert isinstance(log, KafkaTickLog)
    clients = [
        log._reader._consumer._client,
        log._scanner._consumer._client,
        log._connected()._producer._sender._client,
    ]
    requests = [client.cluster.metadata_request() for client in clients]
    assert [request.allow_auto_topic_creation for request in requests] == [False] * 3


def test_a_topic_recreated_in_the_poll_that_revoked_its_partition_is_not_read(logs: KafkaLogs) -> None:
    log = logs.reader()
    assert len(join(log)) == 4
    assert isinstance(log, KafkaTickLog)
    reader = log._reader
    reader._rebalances.on_partitions_revoked({TopicPartition(logs.topic, number) for number in range(4)})
    reader._consumer._subscription.assign_from_subscribed([])
    reader.topic_id = "that of an earlier one"
    polled = log.poll(0.2)
    assert polled.revoked == frozenset(range(4))
    assert polled.assigned == {}
    assert log.lag() == {}


def test_a_new_client_requests_topics_at_once(logs: KafkaLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python would pause first, twice: once in `subscribe` and once in `partitions`. In about half of all cases a
    request of its own comes before that of `subscribe`, which then has to pause after all; so one of many must do
    without a pause.
    """
    logs.open("makers").close()  # makes the topics
    pause, seconds = 3.0, []
    monkeypatch.setitem(ClusterMetadata.DEFAULT_CONFIG, "retry_backoff_ms", 1000 * pause)
    for _ in range(15):
        begun = time.monotonic()
        assert logs.reader().partitions() == [0, 1, 2, 3]
        seconds.append(time.monotonic() - begun)
        if seconds[-1] < pause:
            break
    assert min(seconds) < pause


def test_a_rebalance_may_outlast_a_poll(logs: KafkaLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python loses track of a pending rejoin that new metadata requested."""
    log = logs.reader()
    join(log)
    slow_joins(log, monkeypatch, seconds=1)
    add_a_partition(logs, log)
    assert len(join(log)) == 5


def test_a_rebalance_may_end_between_two_polls(logs: KafkaLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python throws the result away and joins again; here that would never end."""
    log = logs.reader()
    join(log)
    joins = slow_joins(log, monkeypatch, seconds=0.5)
    add_a_partition(logs, log)
    assigned: dict[int, int] = {}
    deadline = time.monotonic() + 20
    while not assigned and time.monotonic() < deadline:
        before = len(joins)
        assigned = dict(log.poll(0.2).assigned)
        if len(joins) > before:
            time.sleep(1.5)  # long enough for the join to end
    assert len(assigned) == 5
    assert len(joins) == 1


def slow_joins(log: TickLog, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Make each assignment of the group take `seconds`; the list grows with each."""
    assert isinstance(log, KafkaTickLog)
    coordinator = log._reader._consumer._coordinator
    assign = coordinator._perform_assignment
    joins: list[float] = []

    def assign_slowly(*arguments: object) -> object:
        joins.append(time.monotonic())
        time.sleep(seconds)
        return assign(*arguments)

    monkeypatch.setattr(coordinator, "_perform_assignment", assign_slowly)
    return joins


def add_a_partition(logs: KafkaLogs, log: TickLog) -> None:
    """Give the topic a fifth partition, and make the reader ask for the topic's partitions."""
    assert isinstance(log, KafkaTickLog)
    admin = KafkaAdminClient(bootstrap_servers=logs.servers)
    admin.create_partitions({logs.topic: NewPartitions(5)})
    until(lambda: len(admin.describe_topics([logs.topic])[0]["partitions"]) == 5, "the broker tells of 5 partitions")
    admin.close()
    log._reader._consumer._client.cluster.request_update()


@pytest.mark.parametrize(("few", "lingers"), [(1_000, True), (1, False)])
def test_a_poll_after_few_records_begins_a_little_later(
    logs: KafkaLogs, monkeypatch: pytest.MonkeyPatch, few: int, lingers: bool
) -> None:
    pauses: list[float] = []

    def pause(_stop: threading.Event, seconds: float) -> bool:
        pauses.append(seconds)
        return False

    monkeypatch.setattr(linger, "FEW_RECORDS", few)
    monkeypatch.setattr(linger, "SHORTEST_SECONDS", 900.0)
    monkeypatch.setattr(linger, "LONGEST_SECONDS", 900.0)
    member = Member(logs.reader())
    until(lambda: member.has(4), "the member has all partitions")
    monkeypatch.setattr(reader, "sleep", pause)
    member.step()
    assert pauses == [0.0]  # nothing has been read yet
    publish(member.log, b"1")

    def has_read() -> bool:
        member.step()
        return bool(member.seen)

    until(has_read, "the record is read")
    member.step()
    assert (pauses[-1] > 0.0) == lingers


def test_a_poll_at_the_end_of_the_log_returns_all_that_came_in_the_pause_before_it(logs: KafkaLogs) -> None:
    """Kafka's client itself asks ahead while it returns buffered records, and then gets only the first that comes."""
    member = Member(logs.reader())
    until(lambda: member.has(4), "the member has all partitions")

    def has_read(count: int) -> bool:
        member.step()
        return len(member.seen) >= count

    publish(member.log, b"0")
    until(lambda: has_read(1), "the first record is read")
    member.step()  # ends without records, while its request waits at the broker
    publish(member.log, b"1")
    time.sleep(1.0)  # the answer is buffered
    until(lambda: has_read(2), "the buffered record is read")
    for value in (b"2", b"3"):
        publish(member.log, value)
        time.sleep(0.5)
    until(lambda: has_read(3), "the next poll returns records")
    assert len(member.seen) == 4
