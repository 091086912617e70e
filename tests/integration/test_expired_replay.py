"""A replay whose ticks InfluxDB's retention would all drop asks for --yes first."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devtools.servers import InfluxServer
from tests.conftest import StartScript
from tests.oracle.logs import read_kafka_records

pytestmark = [pytest.mark.kafka, pytest.mark.influx]
HEADER = "timestamp,symbol,price,volume\n"
OLD = "2013-10-07T13:30:00Z,SPY,167.41,100\n2013-10-07T13:30:01Z,SPY,167.42,100\n"


@pytest.fixture
def hour_bucket(influx: InfluxServer) -> Iterator[str]:
    """A bucket that keeps points for an hour."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    influx.create_bucket(name, retention=3600)
    yield name
    influx.delete_bucket(name)


@pytest.mark.parametrize(
    ("rows", "flags", "is_asked"),
    [
        (OLD, (), True),
        (OLD, ("--yes",), False),
        (OLD, ("--shift-to", "now"), False),
        (OLD + "{now},SPY,167.43,100\n", (), False),
    ],
)
def test_a_replay_whose_ticks_are_all_too_old_needs_yes(
    script: StartScript,
    influx: InfluxServer,
    kafka_servers: str,
    topic: str,
    hour_bucket: str,
    tmp_path: Path,
    rows: str,
    flags: tuple[str, ...],
    is_asked: bool,
) -> None:
    file = tmp_path / "old.csv"
    file.write_text(HEADER + rows.format(now=datetime.now(UTC).isoformat()), encoding="utf-8")
    env = {
        "KAFKA_SERVERS": kafka_servers,
        "KAFKA_TOPIC": topic,
        "INFLUXDB_URL": influx.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "INFLUXDB_BUCKET": hour_bucket,
    }
    run = script(
        *("stock_producer.py", "--source", "replay", "--replay-file", str(file), "--replay-speed", "max", *flags),
        env=env,
    )
    assert run.wait(60) == (2 if is_asked else 0), run.output
    if is_asked:
        assert (
            f"ticks that the bucket {hour_bucket!r} keeps: all 2 ticks, of 2013-10-07 to 2013-10-07, are" in run.stderr
        )
        assert "by --yes" in run.stderr
    assert len(read_kafka_records(kafka_servers, topic)) == (0 if is_asked else rows.count("\n"))
