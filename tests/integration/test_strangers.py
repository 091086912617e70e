"""Foreign programs in the workers' group are kept out; their commits are recognised, and undone where possible."""

import logging
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as Place

from devtools.servers import InfluxServer
from tests.integration.chain import KafkaChain, wait_until, working

pytestmark = pytest.mark.kafka


@pytest.fixture
def chain(kafka_servers: str, topic: str, influx: InfluxServer, bucket: str) -> KafkaChain:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    chain.env["KAFKA_PARTITIONS"] = "1"
    return chain


@pytest.fixture
def stranger(chain: KafkaChain) -> Iterator[Consumer]:
    """A librdkafka consumer that uses the workers' group, like `kcat -G`."""
    consumer = Consumer(
        {
            "bootstrap.servers": chain.servers,
            "group.id": chain.env["KAFKA_GROUP"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    yield consumer
    consumer.close()


def send(chain: KafkaChain, numbers: range) -> None:
    producer = KafkaProducer(bootstrap_servers=chain.servers)
    for number in numbers:
        value = b'{"symbol":"AAPL","price":%d,"timestamp":"2026-01-05T14:%02d:%02dZ"}' % (
            100 + number,
            *divmod(number, 60),
        )
        producer.send(chain.topic, key=b"AAPL", value=value)
    producer.flush()
    producer.close()


def forge(chain: KafkaChain, offset: int, metadata: str) -> None:
    """Commit an offset for the group as a foreign program; no worker may run."""
    consumer = KafkaConsumer(
        bootstrap_servers=chain.servers, group_id=chain.env["KAFKA_GROUP"], enable_auto_commit=False
    )
    consumer.assign([Place(chain.topic, 0)])
    consumer.commit({Place(chain.topic, 0): OffsetAndMetadata(offset, metadata, -1)})
    consumer.close(autocommit=False)


def test_a_foreign_consumer_gets_no_tick_beside_a_worker(chain: KafkaChain, stranger: Consumer) -> None:
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        stranger.subscribe([chain.topic])
        send(chain, range(60))
        codes = set()
        for _ in range(20):
            message = stranger.poll(0.5)
            if message is not None:
                error = message.error()
                assert error is not None, "a tick went to the stranger"
                codes.add(error.code())
        assert codes <= {KafkaError.INCONSISTENT_GROUP_PROTOCOL}
        wait_until(lambda: worker.counters.total.stored == 60, "all ticks")
    assert chain.verdict().equal


def test_a_worker_reports_a_foreign_member_of_its_group(chain: KafkaChain, stranger: Consumer) -> None:
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the topic")
    stranger.subscribe([chain.topic])
    wait_until(lambda: stranger.poll(0.2) is None and bool(stranger.assignment()), "the stranger's partition")
    with working(chain) as worker:
        wait_until(lambda: "is not a worker of this version" in worker.status().held_up_by, "words on the stranger")
        assert "KAFKA_GROUP" in worker.status().held_up_by


def test_foreign_commits_made_while_the_worker_was_stopped_are_reported_and_counted(
    chain: KafkaChain, stranger: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    send_all = range(20)
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        send(chain, send_all)
        wait_until(lambda: worker.counters.total.stored == 20, "20 ticks")
    send(chain, range(20, 60))
    stranger.commit(offsets=[TopicPartition(chain.topic, 0, 60)], asynchronous=False)
    with caplog.at_level(logging.WARNING), working(chain) as worker:
        wait_until(lambda: worker.counters.total.foreign == 1, "the foreign commit")
        assert worker.status().foreign == 1
    assert "the commit at 60 (without metadata) was made by an operator" in caplog.text


@pytest.mark.parametrize(
    "metadata", ["[" * 4_024, "{" * 4_096, '{"v":3,"restore":-5}', "\x00\x1b[2J", '{"v":3,"restore":0,"since":99}']
)
def test_a_worker_starts_from_any_commit(chain: KafkaChain, metadata: str) -> None:
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        send(chain, range(30))
        wait_until(lambda: worker.counters.total.stored == 30, "30 ticks")
    forge(chain, 10, metadata)
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts and worker.counters.accounts[0].committed == 30, "all again")
    assert chain.verdict().equal
