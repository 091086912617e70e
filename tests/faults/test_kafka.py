"""Kafka is down or frozen, the network is cut, or retention has removed the log's beginning."""

import re
import time
from pathlib import Path

import pandas as pd
import pytest
from kafka import KafkaAdminClient, TopicPartition

from tests import oracle
from tests.conftest import StartScript
from tests.faults.case import WRAPPER, often
from tests.faults.conftest import MakeCase, ProxiedKafka
from tests.faults.stands import KafkaStand
from tests.faults.test_influx import through
from tests.integration.chain import wait_until


@pytest.mark.full
@pytest.mark.parametrize(
    ("what", "begin", "end"),
    [
        ("stopped", "stop", "start"),
        ("killed and away", "kill", "start"),
        ("frozen", "pause", "resume"),
    ],
)
def test_the_broker(
    case: MakeCase,
    kafka_stand: KafkaStand,
    fault_kafka: ProxiedKafka,
    script: StartScript,
    tmp_path: Path,
    what: str,
    begin: str,
    end: str,
) -> None:
    """A producer is also stopped during the fault: it ends and reports the ticks that were not acknowledged."""
    seconds = often(4, 20)
    one = case(f"Kafka {what} for {seconds} s", kafka_stand)
    journal = tmp_path / "journal"
    env = kafka_stand.env | {"FAULT_JOURNAL": str(journal)}
    producer = script(WRAPPER, "journal", "--interval", "0.01", env=env)
    wait_until(lambda: bool(oracle.read_journal(journal)), "acknowledgement", 30)

    def begin_and_stop_the_producer() -> None:
        getattr(fault_kafka, begin)()
        producer.terminate()
        one.stops += 1

    def see_it_ended_and_end() -> None:
        code = producer.wait(5)
        assert code == ("not acknowledged" in producer.stderr), producer.output
        getattr(fault_kafka, end)()

    through(one, begin_and_stop_the_producer, see_it_ended_and_end, seconds)
    one.journal += oracle.read_journal(journal)
    one.finish(1)


@pytest.mark.full
@pytest.mark.parametrize("what", ["cut", "hold"])
def test_the_network_between_a_worker_and_the_broker(
    case: MakeCase, kafka_stand: KafkaStand, fault_kafka: ProxiedKafka, what: str
) -> None:
    """The fault outlasts the session timeout: the second worker takes over before the first one comes back."""
    times = often(1, 3)
    words = {"cut": "cut off", "hold": "swallowed"}[what]
    one = case(f"connections of one of two workers to Kafka {words} for 13 s", kafka_stand)
    env = {"KAFKA_SERVERS": fault_kafka.proxied}
    first = one.worker(env=env)
    for worker in (first, one.worker()):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for number in range(times):
        one.pause(0.5, 1.5)
        getattr(fault_kafka.proxy, what)()
        one.pause(13, 13)
        if number == times - 1:
            first = one.relieve(first, env=env)
        fault_kafka.proxy.mend()
        one.recover()
    one.finish(times)


def test_retention_overruns_a_stopped_worker(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """The gap is reported exactly, and metrics after it are computed as if the log began there."""
    one = case("retention overran a stopped worker", kafka_stand)
    worker = one.worker()
    worker.wait_for("is ours", 30)
    one.load.pause(1)
    one.load.go_on()
    one.pause(2, 2)
    one.recover()
    one.load.pause()
    one.end_workers()
    before = kafka_stand.all_records(kafka_stand.topic)
    one.load.go_on()
    one.pause(2, 2)
    one.load.pause()
    full = kafka_stand.all_records(kafka_stand.topic)
    committed, ends = _ends(before), _ends(full)
    cut = {number: (committed.get(number, 0) + end) // 2 for number, end in ends.items()}
    admin = KafkaAdminClient(bootstrap_servers=kafka_stand.servers)
    admin.delete_records({TopicPartition(kafka_stand.topic, number): at for number, at in cut.items()})
    admin.close()
    early = one.worker()
    worker = one.relieve(early)
    one.load.go_on()
    one.recover()
    one.load.end()
    after = kafka_stand.all_records(kafka_stand.topic)
    assert {record.partition: record.offset for record in reversed(after)} == cut
    parts = [oracle.expected(before), oracle.expected(after)]
    expected = oracle.Expected(
        pd.concat([part.points for part in parts], ignore_index=True), {**parts[0].letters, **parts[1].letters}
    )
    one.finish(1, expected)
    # A partition's line appears twice if its first worker stopped before it could commit.
    reported = dict(re.findall(r"partition (\d+): ([\d,]+) records were lost", early.stderr + worker.stderr))
    lost = {number: at - committed.get(number, 0) for number, at in cut.items()}
    assert {int(number): int(count.replace(",", "")) for number, count in reported.items()} == lost
    assert sum(lost.values()) > 0


def _ends(records: list[oracle.LogRecord]) -> dict[int, int]:
    return {record.partition: record.offset + 1 for record in sorted(records, key=lambda each: each.offset)}


def test_two_runs_over_one_topic_give_the_same_digest(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """Different batches, a different number of workers and different faults produce the same bits."""
    one = case("two runs over one topic, with other workers, batches and faults: the same digest", kafka_stand)
    named = {name: one.worker(env={"KAFKA_INSTANCE_ID": name}) for name in "ab"}
    for worker in named.values():
        worker.wait_for("is ours", 30)
    times = often(2, 10)
    for number in range(times):
        assert one.load.is_alive()
        one.pause(0.2, 2.0)
        name, left = one.random.sample("ab", 2)
        one.kill(named[name])
        if number == 0:
            named[left] = one.relieve(named[left], env={"KAFKA_INSTANCE_ID": left})
        named[name] = one.worker(env={"KAFKA_INSTANCE_ID": name})
    one.end()
    first = one.judge()
    again = kafka_stand.again()
    other = case(one.fault, again)
    begun = time.monotonic()
    small = other.worker("small-batches")
    small.wait_for("is ours", 30)
    small = other.relieve(small, "small-batches")
    other.wait_for_commits()
    other.stop(small)
    other.seconds = time.monotonic() - begun
    other.journal = one.journal
    other.stops += one.stops
    second = other.finish(times)
    assert first.equal, first
    assert first.points.digest == second.points.digest
