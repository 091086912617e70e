"""Batches that unpack to gigabytes are refused and skipped as a whole, and cost a worker little memory."""

import threading
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from devtools.servers import InfluxServer
from tests import oracle
from tests.conftest import StartScript
from tests.hostile import CODECS, Codec, send_blanks, send_headers
from tests.integration.chain import KafkaChain, wait_until, working
from tickflow.ticklog.base import Bounds, Oversized
from tickflow.ticklog.kafka.log import KafkaTickLog

pytestmark = pytest.mark.kafka
MOST_MB = 400


@pytest.fixture
def chain(kafka_servers: str, topic: str, influx: InfluxServer, bucket: str) -> KafkaChain:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    chain.env["KAFKA_PARTITIONS"] = "1"
    return chain


def good(chain: KafkaChain, number: int) -> None:
    producer = KafkaProducer(bootstrap_servers=chain.servers)
    value = b'{"symbol":"AAPL","price":%d,"timestamp":"2026-01-05T14:30:%02dZ"}' % (100 + number, number)
    producer.send(chain.topic, key=b"AAPL", value=value, partition=0).get(10)
    producer.close()


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_above_the_bound_becomes_one_letter_and_its_neighbours_are_stored(
    chain: KafkaChain, codec: Codec
) -> None:
    chain.env["MAX_BATCH_BYTES"] = str(2**20)
    with working(chain) as worker:
        wait_until(lambda: 0 in worker.counters.accounts, "the partition")
        good(chain, 1)
        assert send_blanks(chain.servers, chain.topic, codec, 500_000, 3) == 1
        good(chain, 2)
        send_blanks(chain.servers, chain.topic, codec, 500_000, 3)
        wait_until(lambda: worker.counters.accounts[0].committed == 8, "commit past both")
        total = worker.counters.total
        assert (total.accepted, total.stored, total.skipped) == (2, 2, 4)
        assert total.refused == {"batch_too_large": 2}
        assert worker.log.lag() == {0: 0}
        found = [record for portion in worker.log.read(0, Bounds(0, 8)) for record in portion]
        assert [(each.offset, isinstance(each, Oversized)) for each in found] == [
            (0, False),
            (1, True),
            (4, False),
            (5, True),
        ]
        assert [record.offset for portion in worker.log.read(0, Bounds(2, 8)) for record in portion] == [4, 5]
    letters = oracle.read_kafka_records(chain.servers, f"{chain.topic}.dlq")
    headers = dict(letters[0].headers)
    assert (letters[0].key, letters[0].value) == (None, None)
    assert headers["__connect.errors.offset"] == b"1"
    assert headers["__connect.errors.exception.message"] == b"batch_too_large"
    assert (headers["tickflow.batch.records"], headers["tickflow.batch.bound"]) == (b"3", b"1048576")
    assert 0 < int(headers["tickflow.batch.bytes"]) < 200_000


def peak_mb(pid: int) -> float:
    """The peak memory of the process so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_a_gigabyte_of_blanks_and_five_million_headers_cost_a_worker_less_than_400_mb(
    chain: KafkaChain, script: StartScript
) -> None:
    worker = script("stock_analytics.py", env=chain.env)
    worker.wait_for("is ours", 30)
    good(chain, 0)
    send_blanks(chain.servers, chain.topic, "zstd", 1_000_000, 1_000)
    send_blanks(chain.servers, chain.topic, "zstd", 60_000, 1_000)  # a batch just within the bound
    for _ in range(3):
        send_blanks(chain.servers, chain.topic, "zstd", 60_000, 1_000)
        send_blanks(chain.servers, chain.topic, "gzip", 3_000_000, 20)
    send_headers(chain.servers, chain.topic, 5_000_000)
    good(chain, 1)
    end = 1 + 1_000 + 1_000 + 3 * 1_020 + 1 + 1
    log = KafkaTickLog(
        [chain.servers],
        topic=chain.topic,
        group=chain.env["KAFKA_GROUP"],
        partitions=1,
        instance_id=None,
        security={},
        stop=threading.Event(),
    )
    log.connect(create=False)

    def is_committed() -> bool:
        commit = log.committed(0)
        return commit is not None and commit.offset == end

    started = time.monotonic()
    wait_until(is_committed, "commit of all", 120)
    took, peak = time.monotonic() - started, peak_mb(worker.process.pid)
    log.close()
    worker.terminate()
    assert worker.wait(15) == 0
    print(f"peak {peak:.0f} MB, {took:.1f} s")
    assert "all accounted for" in worker.stdout
    assert peak < MOST_MB
