"""`--source topic`: the records of another topic become ticks, at least once, through a kill."""

import json
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from tests.conftest import StartScript
from tests.integration.chain import wait_until
from tests.oracle.logs import LogRecord, read_kafka_records
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import decode

MAP = """
symbol = "data.s"
price = "data.p"
timestamp = "data.t"
epoch = "ms"
volume = "data.v"
source = "raw_feed"
"""
SYMBOLS = ("AAPL", "MSFT", "TSLA")


def raw(number: int) -> bytes:
    data = {"s": SYMBOLS[number % 3], "p": f"{100 + number / 100}", "t": 1_767_623_400_000 + number, "v": str(number)}
    return json.dumps({"type": "trade", "data": data}).encode()


def publish(servers: str, topic: str, numbers: range) -> None:
    producer = KafkaProducer(bootstrap_servers=servers.split(","))
    for number in numbers:
        producer.send(topic, b"not json" if number % 100 == 50 else raw(number))
    producer.flush(30)
    producer.close()


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_each_record_becomes_a_tick_at_least_once_even_across_a_kill(
    kafka_servers: str, topic: str, script: StartScript, tmp_path: Path
) -> None:
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    source = f"{topic}-raw"
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers.split(","))
    admin.create_topics([NewTopic(source, num_partitions=3, replication_factor=1)])
    admin.close()
    publish(kafka_servers, source, range(2_000))
    env = {"KAFKA_SERVERS": kafka_servers, "KAFKA_TOPIC": topic}
    flags = ("--source", "topic", "--from-topic", source, "--map", str(tmp_path / "map.toml"))

    def published() -> list[LogRecord]:
        return read_kafka_records(kafka_servers, topic)

    def ticks() -> dict[float, tuple[str, float, int | None]]:
        records = [Entry(each.partition, each.offset, each.key, each.value, 0, 0) for each in published()]
        found, refused = decode(records)
        assert not refused
        assert set(found.sources) <= {"raw_feed"}
        rows = zip(found.volumes.tolist(), found.symbols, found.prices.tolist(), found.seqs, strict=True)
        return {volume: (symbol, price, seq) for volume, symbol, price, seq in rows}

    first = script("stock_producer.py", *flags, env=env)
    wait_until(lambda: len(published()) > 500, "ticks", 60)
    first.kill()
    publish(kafka_servers, source, range(2_000, 3_000))
    second = script("stock_producer.py", *flags, env=env)
    expected = [number for number in range(3_000) if number % 100 != 50]
    wait_until(lambda: len(ticks()) == len(expected), "ticks", 90)
    found = ticks()
    assert sorted(found) == expected
    assert all(found[n][:2] == (SYMBOLS[n % 3], 100 + n / 100) for n in expected)
    places = {(each.partition, each.value): each.offset for each in read_kafka_records(kafka_servers, source)}
    assert {(value, found[n][2]) for n in expected for value in [raw(n)]} == {
        (value, offset) for (_, value), offset in places.items() if value != b"not json"
    }
    second.terminate()
    assert second.wait(20) == 0
    assert "left out of" in second.stderr + first.stderr

    before = len(published())
    third = script("stock_producer.py", *flags, env=env)
    publish(kafka_servers, source, range(3_000, 3_001))
    wait_until(lambda: len(published()) > before, "one more tick", 60)
    assert len(published()) == before + 1, "after a clean stop nothing is published twice"
    third.terminate()
    assert third.wait(20) == 0
