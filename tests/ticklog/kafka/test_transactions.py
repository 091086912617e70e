"""Transactions: only committed records are read, and a log line names the producer that blocks a partition."""

from collections.abc import Iterator

import pytest

from devtools.servers import InfluxServer
from tests.contract.ticklogs import KafkaLogs, at, join, publish
from tests.integration.chain import KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.transactions import Transactions
from tests.waiting import until
from tickflow.process import StopEvent
from tickflow.stack import open_log, open_store
from tickflow.ticklog.base import Bounds, Commit, Record, TickLog
from tickflow.ticklog.kafka import transactions
from tickflow.ticks.tick import Limits
from tickflow.verbs.audit import Audit

pytestmark = pytest.mark.kafka

MIXED = 29 + 5
"""The end of the partition after `mixed`: its records and a marker per transaction."""


@pytest.fixture
def logs(kafka_servers: str, topic: str) -> Iterator[KafkaLogs]:
    logs = KafkaLogs(kafka_servers, topic)
    yield logs
    logs.close()


def polled_up_to(log: TickLog, end: int) -> list[Record]:
    """Poll until the position reaches `end`; return the records, without those that are skipped."""
    records: list[Record] = []
    place = 0

    def is_read() -> bool:
        nonlocal place
        polled = log.poll(0.2)
        for batch in polled.records.values():
            records.extend(batch)
            place = batch[-1].offset + 1
        place = polled.read_up_to.get(0, place)
        return place >= end

    until(is_read, f"all before {end} is read")
    assert place == end
    return records


def values(records: list[Record]) -> list[bytes | None]:
    return [record.value for record in records]


def mixed(kafka_servers: str, topic: str, log: TickLog) -> int:
    """Write committed and aborted transactions, interleaved with plain records; return the partition's end."""
    first, second = Transactions(kafka_servers, topic), Transactions(kafka_servers, topic)
    first.write("commit", (b"A", b"1"), (b"A", b"2"))
    with first.open("abort"), second.open("commit"):
        first.send((b"A", b"gone"))
        publish(log, b"3")
        second.send((b"A", b"4"))
        first.send((b"A", b"gone, too"))
        publish(log, b"5")
    first.write("commit", (b"A", b"6"))
    publish(log, b"7")
    second.write("abort", *[(b"A", b"gone at the end")] * 20)
    # The coordinator acknowledges the end of a transaction before the marker of that end is in the partition.
    until(lambda: log.bounds(0).end == MIXED, "the marker of the last transaction is written")
    return MIXED


def test_a_group_reads_committed_records_and_skips_the_rest(kafka_servers: str, topic: str, logs: KafkaLogs) -> None:
    log = logs.reader()
    join(log)
    end = mixed(kafka_servers, topic, log)
    log.seek(0, 0)
    assert values(polled_up_to(log, end)) == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert log.lag() == {0: 0}


def test_a_range_skips_aborted_records_too(kafka_servers: str, topic: str, logs: KafkaLogs) -> None:
    log = logs.reader()
    end = mixed(kafka_servers, topic, log)
    found = [record for portion in log.read(0, Bounds(0, end)) for record in portion]
    assert values(found) == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    middle = found[3].offset
    assert values([record for portion in log.read(0, Bounds(middle, end)) for record in portion]) == values(found[3:])


def test_a_read_that_begins_within_an_aborted_transaction_skips_it(
    kafka_servers: str, topic: str, logs: KafkaLogs
) -> None:
    log = logs.reader()
    join(log)
    with Transactions(kafka_servers, topic).open("abort") as aborted:
        aborted.send((b"A", b"gone"))
        publish(log, b"1")
        aborted.send((b"A", b"gone, too"))
    publish(log, b"2")
    log.seek(0, 1)
    assert values(polled_up_to(log, log.bounds(0).end)) == [b"1", b"2"]


def test_an_open_transaction_blocks_its_partition_and_is_reported(
    kafka_servers: str, topic: str, logs: KafkaLogs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transactions, "PATIENCE_SECONDS", 0.3)
    log = logs.reader()
    join(log)
    publish(log, b"1")
    log.seek(0, 0)
    with Transactions(kafka_servers, topic).open("commit") as one:
        one.send((b"A", b"2"))
        publish(log, b"3", b"4")
        assert values(polled_up_to(log, 1)) == [b"1"]

        def is_said() -> bool:
            assert log.poll(0.2).records == {}
            return bool(log.holdup)

        until(is_said, "the open transaction is said")
        assert "partition 0 at offset 1 (3 offsets behind it wait)" in log.holdup
        assert log.holdup in caplog.text
        assert log.lag() == {0: 3}
        assert log.bounds(0) == Bounds(0, 4)
    assert values(polled_up_to(log, 5)) == [b"2", b"3", b"4"]
    assert log.holdup == ""


def test_a_commit_behind_an_open_transaction_is_not_taken_for_another_topics(
    kafka_servers: str, topic: str, logs: KafkaLogs
) -> None:
    """Such a commit comes from a reader of uncommitted records; bounds include uncommitted records too."""
    log = logs.reader()
    epoch = join(log)[0]
    with Transactions(kafka_servers, topic).open("abort") as one:
        one.send((b"A", b"1"), (b"A", b"2"))
        assert log.commit({0: at(Commit(2, ""), epoch)}) == {0}
        assert log.bounds(0).end == 2


def a_tick(number: int) -> tuple[bytes, bytes]:
    time = f"2026-01-05T14:30:{number % 60:02}Z"
    return b"AAPL", b'{"symbol":"AAPL","price":%d,"timestamp":"%s"}' % (100 + number, time.encode())


def test_the_chain_stores_what_is_committed_and_its_accounts_and_the_audit_agree(
    influx: InfluxServer, bucket: str, kafka_servers: str, topic: str
) -> None:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    chain.env["KAFKA_PARTITIONS"] = "1"
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        Transactions(kafka_servers, topic).write("abort", *[a_tick(number) for number in range(20)])
        Transactions(kafka_servers, topic).write("commit", *[a_tick(number) for number in range(20, 50)])
        Transactions(kafka_servers, topic).write("abort", *[a_tick(number) for number in range(50, 60)])
        end = 20 + 1 + 30 + 1 + 10 + 1
        wait_until(lambda: worker.counters.accounts[0].committed == end, "commit of all, markers included")
        total = worker.counters.total
        assert (total.accepted, total.stored, total.skipped) == (30, 30, 33)
        assert worker.log.lag() == {0: 0}
    settings = load(chain.env)
    with open_log(settings, StopEvent()) as log, open_store(settings, StopEvent()) as store:
        store.connect()
        log.connect(create=False)
        found = Audit(log, store, Limits(), 2.0).run()
    assert found.equal
    assert (found.records, found.expected, found.stored) == (30, 30, 30)
