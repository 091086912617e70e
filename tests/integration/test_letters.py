"""Each refused record of any size reaches the dead-letter topic once, before its offset is committed."""

import hashlib
import io
import threading

import pytest
from confluent_kafka import Producer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from devtools.servers import InfluxServer
from stock_analytics import StockAnalyticsEngine
from tests import oracle
from tests.integration.chain import KafkaChain, wait_until, working
from tests.loaded_settings import load
from tickflow.process import StopEvent

pytestmark = pytest.mark.kafka
BROKER_DEFAULT = 1_048_588


@pytest.fixture
def chain(kafka_servers: str, topic: str, influx: InfluxServer, bucket: str) -> KafkaChain:
    """A chain whose topic has one partition, and whose dead-letter topic has the broker's default size limit."""
    one = KafkaChain(kafka_servers, topic, influx, bucket)
    one.env["KAFKA_PARTITIONS"] = "1"
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1} for name in (topic, f"{topic}.dlq")})
    admin.close()
    return one


def produce(chain: KafkaChain, *values: bytes, compression: str = "none") -> None:
    producer = Producer(
        {
            "bootstrap.servers": chain.servers,
            "compression.type": compression,
            "message.max.bytes": 100_000_000,
            "linger.ms": 50,
        }
    )
    for value in values:
        producer.produce(chain.topic, key=b"AAPL", value=value)
    assert producer.flush(30) == 0


def letters(chain: KafkaChain) -> list[oracle.LogRecord]:
    return oracle.read_kafka_records(chain.servers, f"{chain.topic}.dlq")


def assert_cut(letter: oracle.LogRecord, value: bytes) -> None:
    headers = dict(letter.headers)
    assert letter.value == value[:65_536]
    assert headers["tickflow.value.bytes"] == b"%d" % len(value)
    assert headers["tickflow.value.sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert (letter.key, headers["tickflow.key.bytes"]) == (b"AAPL", b"4")
    assert headers["__connect.errors.exception.message"] == b"too_large"


@pytest.mark.parametrize(("size", "compression"), [(1_048_400, "none"), (3_000_000, "gzip")])
def test_an_oversized_first_bad_record_is_not_lost(chain: KafkaChain, size: int, compression: str) -> None:
    value = b" " * size
    produce(chain, b"no tick", value, compression=compression)
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts and worker.counters.accounts[0].committed == 2, "commit")
        whole, cut = letters(chain)
        assert (whole.value, dict(whole.headers).get("tickflow.value.bytes")) == (b"no tick", None)
        assert_cut(cut, value)
        assert worker.counters.total.refused == {"not_json": 1, "too_large": 1}


def test_a_letter_that_is_too_large_for_the_broker_is_cut_and_the_others_are_sent_once(chain: KafkaChain) -> None:
    """The topic's limit was lowered after the worker had asked for it."""
    admin = KafkaAdminClient(bootstrap_servers=chain.servers)
    large = b"x" * 500_000
    stop, worker = StopEvent(), None
    worker = StockAnalyticsEngine(load(chain.env), stop=stop, out=io.StringIO())
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        produce(chain, b"first")
        wait_until(lambda: worker.counters.accounts[0].committed == 1, "commit of the first")
        resource = ConfigResource(ConfigResourceType.TOPIC, f"{chain.topic}.dlq", {"max.message.bytes": "100000"})
        admin.alter_configs([resource])
        produce(chain, *[b"%d" % number for number in range(8)], large, *[b"%d" % number for number in range(8, 16)])
        wait_until(lambda: worker.counters.accounts[0].committed == 18, "commit of all")
    finally:
        stop.set()
        thread.join(20)
        admin.close()
    found = letters(chain)
    offsets = [int(dict(letter.headers)["__connect.errors.offset"]) for letter in found]
    assert sorted(set(offsets)) == list(range(18))
    cut = next(letter for letter in found if dict(letter.headers)["__connect.errors.offset"] == b"9")
    assert_cut(cut, large)
    assert len(offsets) == 18
