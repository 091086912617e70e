"""Hostile clients that may publish or use the group: nothing is lost, no partition stalls, no worker ends. The suite
can fail: the oracle detects variants of the worker that lack one of its guards.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.structs import OffsetAndMetadata, TopicPartition

from tests import oracle
from tests.faults.case import FULL, Case, often
from tests.faults.conftest import MakeCase
from tests.faults.stands import KafkaStand
from tests.hostile import CODECS, send_blanks, send_headers
from tests.integration.chain import wait_until
from tests.scripts import Script
from tests.transactions import Transactions

MOST_MB = 400
BOUND, BOMB_RECORDS = 2**24, 17
"""The bound on an unpacked batch in these tests, in bytes, and the number of records in a batch that exceeds it; each
record is a million blanks. With snappy, no more of them fit into a megabyte.
"""

MOST_SYMBOLS, MOST_SOURCES = 20, 4
"""How many names the worker accepts in these tests; the load has eight symbols with two sources each."""

Attack = Callable[[Case, KafkaStand], None]


def large_records(_: Case, stand: KafkaStand) -> None:
    """Send two values too large for a dead-letter topic with the default limit; gzip packs one of them to 3 KB."""
    for codec, size in ((None, 1_048_400), ("gzip", 3_000_000)):
        producer = KafkaProducer(
            bootstrap_servers=stand.servers, compression_type=codec, max_request_size=2**30, batch_size=2**29
        )
        producer.send(stand.topic, key=b"AAPL", value=b" " * size).get(30)
        producer.close()


def bombs(one: Case, stand: KafkaStand) -> None:
    """Send batches that unpack to more than the bound, with every codec, and a record with a million empty headers."""
    for codec in CODECS:
        first = send_blanks(stand.servers, stand.topic, codec, 1_000_000, BOMB_RECORDS)
        BOMBS.setdefault(one.fault, set()).add(first)
    send_headers(stand.servers, stand.topic, often(1_000_000, 5_000_000))


def aborted(_: Case, stand: KafkaStand) -> None:
    """Send ticks in a transaction that is aborted, interleaved with a committed one."""
    tick = b'{"symbol":"AAPL","price":1,"timestamp":"2026-01-05T14:30:00Z"}'
    with Transactions(stand.servers, stand.topic).open("abort") as first:
        first.send(*[(b"AAPL", tick)] * 20)
        Transactions(stand.servers, stand.topic).write("commit", (b"AAPL", tick))
        first.send(*[(b"AAPL", tick)] * 20)


def strangers(one: Case, stand: KafkaStand) -> None:
    """Let a console consumer try to join the workers' group."""
    stop = threading.Event()

    def consume() -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": stand.servers,
                "group.id": stand.env["KAFKA_GROUP"],
                "auto.offset.reset": "earliest",
                "auto.commit.interval.ms": 100,
            }
        )
        consumer.subscribe([stand.topic])
        taken = 0
        while not stop.is_set() and taken < 50:
            message = consumer.poll(0.1)
            taken += message is not None and message.error() is None
        consumer.close()
        stop.set()

    thread = threading.Thread(target=consume)
    thread.start()
    stop.wait(10)
    stop.set()
    thread.join()


def names(_: Case, stand: KafkaStand) -> None:
    """Send ticks of a large number of symbols, and from a large number of sources of one symbol."""
    producer = KafkaProducer(bootstrap_servers=stand.servers)
    tick = b'{"symbol":"%s","price":1,"timestamp":"2026-01-05T14:30:00Z","source":"%s"}'
    for number in range(often(1_000, 3_000)):
        symbol = b"FLOOD%d" % number
        producer.send(stand.topic, key=symbol, value=tick % (symbol, b"x"))
        producer.send(stand.topic, key=b"AAPL", value=tick % (b"AAPL", b"s%d" % number))
    producer.flush()
    producer.close()


ATTACKS: dict[str, Attack] = {
    "large_records": large_records,
    "bombs": bombs,
    "aborted": aborted,
    "strangers": strangers,
    "names": names,
}
FAULTS = {
    "large_records": "records that fit no dead letter",
    "bombs": "batches that unpack to far more than their bound",
    "aborted": "aborted transactions",
    "strangers": "a consumer that joins the group",
    "names": "floods of symbols and of sources",
}
KINDS: Sequence[Sequence[str]] = [[each] for each in ATTACKS] if FULL else [list(ATTACKS)]
"""The attacks of each case; the short form has all of them in one case."""
BOMBS: dict[str, set[int]] = {}
"""For each case, the first offset of each bomb in partition 0."""


def peak_mb(worker: Script) -> int:
    """The worker's peak resident memory so far, in MB."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def begun(case: MakeCase, stand: KafkaStand, name: str, variant: str | None) -> tuple[Case, Script]:
    """Start a worker under load, with a dead-letter topic that has a broker's default settings."""
    admin = KafkaAdminClient(bootstrap_servers=stand.servers)
    admin.create_topics({f"{stand.topic}.dlq": {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    env = {"MAX_BATCH_BYTES": str(BOUND), "MAX_SYMBOLS": str(MOST_SYMBOLS), "MAX_SOURCES": str(MOST_SOURCES)}
    one = case(name, stand, env=env)
    BOMBS.pop(name, None)
    worker = one.worker(variant)
    worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    return one, worker


def expected_of(one: Case, stand: KafkaStand) -> oracle.Expected:
    """The expected points and dead letters: a whole bomb is one letter, and only the first names are accepted."""
    records = stand.all_records(stand.topic)
    firsts = BOMBS.get(one.fault, set())
    inside = {first + at for first in firsts for at in range(BOMB_RECORDS)}
    records = [each for each in records if each.partition != 0 or each.offset not in inside]
    nameless = too_many(oracle.expected(records))
    expected = oracle.expected([each for each in records if (each.partition, each.offset) not in nameless])
    letters = {(0, first): (oracle.LogRecord(0, first, None, None), "batch_too_large") for first in firsts}
    for each in records:
        if reason := nameless.get((each.partition, each.offset)):
            letters[each.partition, each.offset] = each, reason
    return oracle.Expected(expected.points, {**expected.letters, **letters})


def too_many(expected: oracle.Expected) -> dict[tuple[int, int], str]:
    """The partitions and offsets of ticks with too many symbols or sources before them in the log, each with the
    reason.
    """
    known: dict[int, dict[str, set[str]]] = {}
    reasons: dict[tuple[int, int], str] = {}
    ordered = expected.points.sort_values(["partition", "offset"])
    for partition, offset, symbol, source in ordered[["partition", "offset", "symbol", "source"]].itertuples(
        index=False
    ):
        symbols = known.setdefault(partition, {})
        if symbol not in symbols and len(symbols) == MOST_SYMBOLS:
            reasons[partition, offset] = "too_many_symbols"
        elif source not in symbols.setdefault(symbol, set()) and len(symbols[symbol]) == MOST_SOURCES:
            reasons[partition, offset] = "too_many_sources"
        else:
            symbols[symbol].add(source)
    return reasons


@pytest.mark.slow
@pytest.mark.parametrize("kinds", KINDS, ids=" ".join)
def test_hostile_records_lose_no_tick_end_no_worker_and_take_little_memory(
    case: MakeCase, kafka_stand: KafkaStand, kinds: Sequence[str]
) -> None:
    name = FAULTS[kinds[0]] if len(kinds) == 1 else "hostile records, transactions and consumers"
    one, worker = begun(case, kafka_stand, name, None)
    times = often(1, 3)
    for _ in range(times):
        for kind in kinds:
            ATTACKS[kind](one, kafka_stand)
            one.recover()
    peak = peak_mb(worker)
    assert worker.is_running
    worker = one.relieve(worker)
    one.recover()
    peak = max(peak, peak_mb(worker))
    one.end()
    one.fault += f": peak memory {peak} MB"
    BOMBS[one.fault] = BOMBS.get(name, set())
    result = one.finish(times * len(kinds), expected_of(one, kafka_stand))
    assert peak < MOST_MB
    assert result.letters.expected > 0


def test_a_worker_starts_despite_a_forged_commit(case: MakeCase, kafka_stand: KafkaStand) -> None:
    one = forged(case, kafka_stand, None)
    one.recover()
    one.finish(1)


def forged(case: MakeCase, stand: KafkaStand, variant: str | None) -> Case:
    one, worker = begun(case, stand, "a commit with 4,024 brackets as metadata", None)
    one.recover()
    one.load.pause()
    one.stop(worker)
    consumer = KafkaConsumer(
        bootstrap_servers=stand.servers, group_id=stand.env["KAFKA_GROUP"], enable_auto_commit=False
    )
    places = [TopicPartition(stand.topic, number) for number in consumer.partitions_for_topic(stand.topic)]
    consumer.assign(places)
    consumer.commit({place: OffsetAndMetadata(consumer.committed(place) or 0, "[" * 4_024, -1) for place in places})
    consumer.close(autocommit=False)
    one.worker(variant)
    one.load.go_on()
    return one


def limit_letters(stand: KafkaStand, most: int) -> None:
    """Set the size limit of the dead-letter topic."""
    admin = KafkaAdminClient(bootstrap_servers=stand.servers)
    changed = {"max.message.bytes": str(most)}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{stand.topic}.dlq", changed)])
    admin.close()


def spoilt(case: MakeCase, stand: KafkaStand, variant: str | None) -> tuple[Case, Script]:
    """Stop a worker, shrink the dead-letter topic's size limit below large letters, and start a new worker."""
    one, worker = begun(case, stand, "a dead-letter topic that is too small", None)
    one.recover()
    one.stop(worker)
    limit_letters(stand, 1_000)
    large_records(one, stand)
    return one, one.worker(variant)


def test_an_unusable_topic_is_named_and_loses_nothing(case: MakeCase, kafka_stand: KafkaStand) -> None:
    one, worker = spoilt(case, kafka_stand, None)
    assert worker.wait(60) == 2
    assert f"max.message.bytes of the topic {kafka_stand.topic}.dlq is '1000'" in worker.stderr
    one.workers.remove(worker)
    limit_letters(kafka_stand, 2**20)
    one.relieve(one.worker())
    one.recover()
    one.end()
    one.finish(1, expected_of(one, kafka_stand))


def test_a_worker_that_ignores_topic_settings_is_found(case: MakeCase, kafka_stand: KafkaStand) -> None:
    one, worker = spoilt(case, kafka_stand, "settings-unchecked")
    worker.wait_for("held up", 60)
    one.load.end()
    assert (one.stand.uncommitted() or 0) > 0
    result = one.judge(expected_of(one, kafka_stand))
    assert result.letters.lost > 0, result
    one.kill(worker)


@pytest.mark.parametrize(
    ("variant", "attack"),
    [
        ("uncommitted", "aborted"),
        pytest.param("letters-forgotten", "large_records", marks=pytest.mark.full),
        pytest.param("unbounded", "bombs", marks=pytest.mark.full),
        ("strangers-followed", "strangers"),
        pytest.param("names-unbounded", "names", marks=pytest.mark.full),
    ],
)
def test_a_worker_without_its_guard_is_found(
    case: MakeCase, kafka_stand: KafkaStand, variant: str, attack: str
) -> None:
    one, _ = begun(case, kafka_stand, f"a seeded bug: {variant}", variant)
    ATTACKS[attack](one, kafka_stand)
    one.recover()
    one.end()
    result = one.judge(expected_of(one, kafka_stand))
    assert not (result.points.equal and result.letters.equal), result


def test_records_taken_by_a_foreign_consumer_are_read_again(case: MakeCase, kafka_stand: KafkaStand) -> None:
    """A foreign consumer joins under the common protocol name; its commits are recognised and ignored."""
    one, worker = begun(case, kafka_stand, "a consumer that gets into the group", "common-protocol")
    strangers(one, kafka_stand)
    one.load.end()
    # The foreign commits may cover everything before the worker has its partitions back; a worker that is stopped then
    # leaves the taken records to the next start.
    wait_until(lambda: one.judge().points.equal, "the points of the taken records", 60)
    one.end()
    result = one.judge()
    assert result.equal, result
    assert "was made by an operator or another program" in worker.stderr


def test_a_worker_that_trusts_any_metadata_ends(case: MakeCase, kafka_stand: KafkaStand) -> None:
    one = forged(case, kafka_stand, "trusting")
    assert one.workers[-1].wait(30) != 0
    one.load.end()
