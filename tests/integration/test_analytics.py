"""Tests of the worker script as users experience it: bad input, signals, documented edits, servers that start late."""

import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from devtools.process import free_port
from devtools.servers import Influxd, InfluxServer, KafkaServer
from tests.conftest import StartScript
from tests.edits import EditedCopy
from tests.integration.chain import EmbeddedChain, KafkaChain, wait_until
from tests.malformed import corpus
from tickflow.process import StopEvent
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
from tickflow.verbs import dead_letters as letters


def tick(symbol: str = "AAPL", **fields: object) -> bytes:
    values = {"symbol": symbol, "price": 187.5, "timestamp": "2026-01-05T14:30:00Z", "volume": 100, **fields}
    return json.dumps(values).encode()


def publish(path: Path, *values: bytes, key: bytes = b"AAPL") -> None:
    with EmbeddedTickLog(path, topic="stock-ticks", group="none", retention_days=7, stop=StopEvent()) as log:
        log.connect()
        for value in values:
            log.publish(key, value)
        log.flush(10)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedChain:
    return EmbeddedChain(tmp_path / "stocks.db")


@pytest.mark.kafka
@pytest.mark.influx
def test_the_whole_corpus_goes_to_the_dead_letters_with_its_reasons_and_stops_nothing(
    script: StartScript, kafka_servers: str, topic: str, influx: InfluxServer, bucket: str
) -> None:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    worker = script("stock_analytics.py", env=chain.env)
    worker.wait_for("is ours", 30)
    bad = corpus()
    with KafkaTickLog(
        [kafka_servers], topic=topic, group="none", partitions=4, instance_id=None, security={}, stop=StopEvent()
    ) as log:
        log.connect()
        for number, case in enumerate(bad):
            log.publish(b"AAPL", tick(price=100 + number))
            log.publish(case.key, case.value)
        log.flush(30)
        chain.wait_for_points(len(bad), 30)
        sent = {
            (partition, record.offset): (record.key, record.value)
            for partition in log.partitions()
            for portion in log.read(partition, log.bounds(partition, topic))
            for record in portion
        }
        found: dict[tuple[int, int], letters.Letter] = {}

        def read() -> bool:
            found.update({(each.partition, each.offset): each for each in letters.read(log) if each is not None})
            return len(found) >= len(bad)

        wait_until(read, f"{len(bad)} dead letters", 30)
    assert {place: (each.key, each.value) for place, each in found.items()}.items() <= sent.items()
    wanted = Counter((case.key, case.value, case.reason) for case in bad)
    assert Counter((each.key, each.value, each.reason) for each in found.values()) == wanted
    assert {each.stage for each in found.values()} == {"VALUE_CONVERTER"}
    listing = script("stock_analytics.py", "dead-letters", "--limit", "1000", env=chain.env)
    assert listing.wait(20) == 0, listing.output
    assert f"{len(bad):,} records refused" in listing.stdout
    for (partition, offset), each in found.items():
        assert re.search(rf" {partition}/{offset}  {each.reason} ", listing.stdout)
    for reason, count in Counter(case.reason for case in bad).items():
        assert re.search(rf"^ +{count}  {reason}$", listing.stdout, re.MULTILINE)
    worker.terminate()
    assert worker.wait(15) == 0, worker.output
    assert f"{len(bad):,} records refused" in worker.stdout
    assert "all accounted for" in worker.stdout
    points = chain.stored()
    assert sorted(points["price"]) == [100.0 + number for number in range(len(bad))]


def test_sigusr1_asks_for_the_summary_and_sigterm_ends_with_one(script: StartScript, embedded: EmbeddedChain) -> None:
    publish(embedded.file, *[tick(price=100 + number) for number in range(7)])
    worker = script("stock_analytics.py", env=embedded.env | {"UPDATE_INTERVAL": "0.2"})
    embedded.wait_for_points(7, 20)
    worker.process.send_signal(signal.SIGUSR1)
    worker.wait_for("Summary after", 10)
    row = next(line for line in worker.stdout.splitlines() if line.startswith("AAPL  "))
    assert re.match(r"AAPL +7 +106.00 +100.00 +106.00 +▲ \+6.00 % +7/10 +0 +0 +0", row), row
    worker.wait_for("MA20      7/20", 10)
    worker.terminate()
    assert worker.wait(15) == 0
    assert worker.stdout.count("Summary after") == 2
    assert "\x1b[" not in worker.output


def test_status_shows_the_workers_reports(script: StartScript, embedded: EmbeddedChain) -> None:
    before = script("stock_analytics.py", "status", env=embedded.env)
    assert before.wait(20) == 1
    assert "no worker of the group stock-analytics runs" in before.stdout
    publish(embedded.file, tick(), b"nonsense")
    worker = script("stock_analytics.py", env=embedded.env)
    embedded.wait_for_points(1, 20)

    def said() -> bool:
        after = script("stock_analytics.py", "status", env=embedded.env)
        after.wait(20)
        return (
            "refused 50% of 2 records" in after.stdout
            and "0 records to read, 1 ticks accepted, 1 refused, 0 expired" in after.stdout
        )

    wait_until(said, "status of the worker", 20)
    worker.terminate()
    assert worker.wait(15) == 0


def test_dead_letters_are_listed_beside_a_running_worker(script: StartScript, embedded: EmbeddedChain) -> None:
    def listed(*flags: str) -> str:
        listing = script("stock_analytics.py", "dead-letters", *flags, env=embedded.env)
        assert listing.wait(20) == 0, listing.output
        return listing.stdout

    before = script("stock_analytics.py", "dead-letters", env=embedded.env)
    assert before.wait(20) == 0
    assert "no record was refused" in before.stdout
    publish(embedded.file, tick(), b"nonsense", b"\x1b[2J", tick(price=0))
    worker = script("stock_analytics.py", env=embedded.env)
    embedded.wait_for_points(1, 20)
    wait_until(lambda: "2  not_json" in listed(), "dead letters", 20)
    shown = listed("--limit", "2")
    assert "3 records refused" in shown
    assert re.search(r" 0/2  not_json +AAPL +4  ", shown), "its place, reason, key and bytes"
    assert " 0/1  not_json " not in shown, "the newest two only"
    assert "\\x1b[2J" in shown
    worker.terminate()
    assert worker.wait(15) == 0


def test_the_pasted_threshold_flags_the_right_ticks(
    script: StartScript, embedded: EmbeddedChain, tmp_path: Path
) -> None:
    copy = EditedCopy(tmp_path / "edited")
    copy.paste("tickflow/metrics/detectors/zscore.py", "is_anomaly = z_score > 1.5")
    prices = [100.0, 101.0] * 20 + [103.0, 100.5, 100.0, 102.0, 99.0, 104.0]
    publish(embedded.file, *[tick(price=price) for price in prices])
    worker = script(copy.script("stock_analytics.py"), env=embedded.env)
    embedded.wait_for_points(len(prices), 20)
    worker.terminate()
    assert worker.wait(15) == 0, worker.output
    points = embedded.stored()
    assert (points["is_anomaly"] == (points["z_score"] > 1.5)).all()
    assert ((points["z_score"] > 1.5) & (points["z_score"] <= 2.0)).any(), "the prices were to tell 1.5 from 2.0"


def test_the_pasted_price_history_is_used(script: StartScript, embedded: EmbeddedChain, tmp_path: Path) -> None:
    copy = EditedCopy(tmp_path / "edited")
    copy.paste("stock_analytics.py", "self.price_history = defaultdict(lambda: deque(maxlen=200))")
    publish(embedded.file, *[tick(price=100 + number) for number in range(16)])
    lengths: list[int] = []
    for name in ("stock_analytics.py", copy.script("stock_analytics.py")):
        worker = script(name, env=embedded.env | {"HISTORY_SIZE": "3", "KAFKA_GROUP": f"g{len(lengths)}"})
        worker.wait_for("is ours", 20)
        worker.wait_for("16 ticks", 20)
        worker.terminate()
        assert worker.wait(15) == 0, worker.output
        row = next(line for line in worker.stdout.splitlines() if line.startswith("AAPL  "))
        lengths.append(len(row.split()[-1]))
    assert lengths == [3, 16], "the sparkline in the summary is drawn from price_history"


@pytest.mark.kafka
@pytest.mark.influx
def test_started_before_the_servers_all_three_wait_and_continue(
    script: StartScript, tmp_path: Path, kafka_servers: str, influx: InfluxServer
) -> None:
    kafka = KafkaServer(tmp_path / "late-kafka", port=free_port())
    influxd = Influxd(tmp_path / "late-influxdb", port=free_port())
    chain = KafkaChain(kafka.address, "stock-ticks", influxd.server, "stock_data")
    worker = script("stock_analytics.py", env=chain.env)
    producer = script("stock_producer.py", "--ticks", "20", "--interval", "0.1", env=chain.env)
    page = script("stock_dashboard.py", env=chain.env | {"DASHBOARD_PORT": str(free_port())})
    worker.wait_for("INFLUXDB_URL", 20)
    producer.wait_for("KAFKA_SERVERS", 20)
    try:
        influxd.start()
        worker.wait_for("KAFKA_SERVERS", 20)
        kafka.start()
        assert producer.wait(60) == 0, producer.output
        chain.wait_for_points(7 * 20, 60)
        assert page.is_running, page.output
        for one in (worker, page):
            one.terminate()
            assert one.wait(15) == 0, one.output
        assert chain.verdict().equal
    finally:
        kafka.kill()
        influxd.kill()


@pytest.mark.kafka
@pytest.mark.influx
def test_sigterm_while_the_store_is_away_ends_with_a_sentence_and_loses_nothing(
    script: StartScript, kafka_servers: str, topic: str, own_influx: Influxd
) -> None:
    chain = KafkaChain(kafka_servers, topic, own_influx.server, "stock_data")
    worker = script("stock_analytics.py", env=chain.env)
    worker.wait_for("is ours", 30)
    own_influx.kill()
    producer = script("stock_producer.py", "--ticks", "30", "--interval", "0", env=chain.env)
    assert producer.wait(30) == 0, producer.output
    worker.wait_for("held up", 30)
    worker.terminate()
    assert worker.wait(15) == 0, worker.output
    assert "stopped while held up" in worker.stderr
    assert "Traceback" not in worker.output
    assert "0 ticks accepted, 0 stored" in worker.stdout
    assert "accounts: 0 offsets committed" in worker.stdout
    own_influx.start()
    worker = script("stock_analytics.py", env=chain.env)
    chain.wait_for_points(7 * 30, 60)
    worker.terminate()
    assert worker.wait(15) == 0, worker.output
    verdict = chain.verdict()
    assert verdict.equal, verdict
