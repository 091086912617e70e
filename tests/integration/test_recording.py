"""A recording of a real Kafka topic is complete even if the recorder is killed; its replay produces the same ticks and
points.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

import tickflow
from devtools.servers import InfluxServer
from tests.conftest import StartScript
from tests.integration.chain import KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.oracle.logs import read_kafka_records
from tests.scripts import PROJECT
from tests.test_recording import MORNING, a_tick, numbers_of
from tickflow.process import StopEvent
from tickflow.stack import open_store
from tickflow.ticks.tick import encode

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.influx,
    # kafka-python leaves the socket of a refused connection open.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
PARTITIONS = 4
PROGRAM = """
import os, sys
from pathlib import Path
from tests.loaded_settings import load
from tickflow.process import StopEvent
from tickflow.recording import Recorder
from tickflow.stack import open_log
stop = StopEvent()
stop.listen()
with open_log(load(dict(os.environ)), stop) as log:
    log.connect(create=False)
    Recorder(log, Path(sys.argv[1]), portion_ticks=40, portion_seconds=0.05).run()
"""


@pytest.fixture
def other_bucket(influx: InfluxServer) -> Iterator[str]:
    """A new bucket besides `bucket`."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    influx.create_bucket(name)
    yield name
    influx.delete_bucket(name)


def create(servers: str, *topics: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1) for topic in topics])
    admin.close()


def publish(servers: str, topic: str, numbers: range) -> None:
    producer = KafkaProducer(bootstrap_servers=servers.split(","))
    for number in numbers:
        tick = a_tick(number)
        producer.send(topic, encode(tick), tick.symbol.encode())
    producer.flush(30)
    producer.close()


def meant(value: bytes | None) -> dict[str, Any]:
    """The content of a record, with volume 0 if it has none."""
    found: dict[str, Any] = json.loads(value or b"")
    return {"volume": 0.0} | found


@pytest.mark.timeout(300)
def test_a_recording_with_kills_replays_the_same_ticks_and_points_bit_for_bit(
    kafka_servers: str, topic: str, influx: InfluxServer, bucket: str, other_bucket: str, script: StartScript,
    tmp_path: Path,
) -> None:  # fmt: skip
    again = f"{topic}-again"
    create(kafka_servers, topic, again)
    publish(kafka_servers, topic, range(400))
    first = KafkaChain(kafka_servers, topic, influx, bucket)
    folder = tmp_path / "rec"

    def files() -> int:
        return len(list(folder.glob("[!.]*/*/*.parquet")))

    env = first.env | {"PATH": "/usr/bin:/bin"}
    for start in (400, 700):
        before = files()
        recorder = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], cwd=PROJECT, env=env)
        try:
            wait_until(lambda before=before: files() > before, "new file", 90)  # type: ignore[misc]
        finally:
            recorder.kill()
            recorder.wait()
        publish(kafka_servers, topic, range(start, start + 300))
    last = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], cwd=PROJECT, env=env)
    try:
        wait_until(lambda: len(tickflow.read(folder)) == 1_000, "whole recording", 90)
        last.terminate()
        assert last.wait(60) == 0
    finally:
        last.kill()
        last.wait()
    assert numbers_of(tickflow.read(folder)) == list(range(1_000))

    second = KafkaChain(kafka_servers, again, influx, other_bucket)
    flags = ("--source", "replay", "--replay-file", str(folder), "--replay-speed", "max")
    replay = script("stock_producer.py", *flags, env=second.env)
    assert replay.wait(120) == 0, replay.output
    logs = [read_kafka_records(kafka_servers, each) for each in (topic, again)]
    ticks = [{(each.partition, each.offset): (each.key, meant(each.value)) for each in log} for log in logs]
    assert len(ticks[0]) == 1_000
    assert ticks[0] == ticks[1]
    stored = []
    for chain in (first, second):
        with working(chain):
            chain.wait_for_points(1_000)
        stored.append(chain.stored())
    assert {"source", "change_percent", "partition", "offset"} <= set(stored[0].reset_index().columns)
    pd.testing.assert_frame_equal(stored[0], stored[1], check_exact=True)
    with open_store(load(first.env), StopEvent()) as store:
        begin, end = MORNING + timedelta(seconds=100), MORNING + timedelta(seconds=900)
        table = tickflow.read(store, ["BRK.B", "..X"], begin, end, form="arrow").to_pylist()
        assert len(tickflow.read(store)) == 1_000
    meaning = {(row["symbol"], row["time"]): row for row in table}
    assert len(table) == len(meaning) == 400
    for row in table:
        number = round((row["time"] - MORNING).total_seconds())
        tick = a_tick(number)
        assert (row["symbol"], row["price"], row["source"]) == (tick.symbol, tick.price, tick.source)
        assert (row["volume"], row["change_percent"]) == (tick.volume or 0, tick.change_percent)
