"""Tests of the metrics and health of the scripts, which run as processes, while their servers are down."""

import http.client
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from devtools.process import free_port
from devtools.servers import Influxd, InfluxServer, KafkaServer
from tests.conftest import StartScript, unavailable
from tests.integration.chain import EmbeddedChain, KafkaChain, wait_until
from tests.loaded_settings import load
from tests.scripts import PROJECT
from tickflow.dashboard.rationed import Rationed
from tickflow.stack import open_store
from tickflow.telemetry.page import PageTelemetry
from tickflow.ticks.probe import PROBE
from tickflow.version import VERSION


def get(port: int, path: str) -> tuple[int, str, float]:
    """Send a GET request; return the status, the body, and the seconds it took. The status is 0 if nobody listens."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), time.monotonic() - begun
    except OSError:
        return 0, "", 0.0
    finally:
        connection.close()


def readiness(port: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(port, "/health/ready")[1] or "{}")
    return found


def values(port: int, name: str) -> dict[str, float]:
    """The values of one metric by its labels."""
    found = re.findall(rf"^{name}(?:\{{([^}}]*)\}})? (\S+)$", get(port, "/metrics")[1], re.MULTILINE)
    return {label: float(value) for label, value in found}


def ready(port: int) -> Callable[[], bool]:
    return lambda: get(port, "/health/ready")[0] == 200


def promtool_says(text: str) -> str:
    tool = shutil.which("promtool")
    if tool is None:
        unavailable("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{VERSION}"' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")


def test_all_three_scripts_report_and_promtool_finds_no_fault(script: StartScript, tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    ports = {name: free_port() for name in ("stock_analytics.py", "stock_producer.py", "stock_dashboard.py")}
    more = {"stock_producer.py": ("--interval", "0.2"), "stock_dashboard.py": ("--port", str(free_port()))}
    for name, port in ports.items():
        script(name, *more.get(name, ()), "--metrics-port", str(port), env=chain.env)
    for name, port in ports.items():
        wait_until(ready(port), f"readiness of {name}")
    worker, producer = ports["stock_analytics.py"], ports["stock_producer.py"]
    wait_until(lambda: sum(values(worker, "tickflow_points_stored_total").values()) >= 50, "50 stored points")
    assert sum(values(producer, "tickflow_ticks_sent_total").values()) >= 50
    wait_until(lambda: values(worker, "tickflow_symbols") == {"": 7.0}, "7 symbols")
    assert values(worker, "tickflow_live") == {"": 1.0}
    for name, port in ports.items():
        assert promtool_says(get(port, "/metrics")[1]) == "", name


def test_a_worker_reports_an_absent_store_at_once(
    script: StartScript, kafka_servers: str, topic: str, own_influx: Influxd
) -> None:
    chain = KafkaChain(kafka_servers, topic, own_influx.server, "stock_data")
    port, page = free_port(), free_port()
    script("stock_producer.py", "--interval", "0.2", env=chain.env)
    script("stock_analytics.py", "--metrics-port", str(port), env=chain.env)
    script("stock_dashboard.py", "--port", str(free_port()), "--metrics-port", str(page), env=chain.env)
    wait_until(ready(port), "readiness")
    wait_until(ready(page), "readiness of the page")
    own_influx.pause()
    try:
        wait_until(lambda: readiness(port).get("state") == "waiting_for_store", "the store's absence")
        wait_until(lambda: readiness(page).get("state") == "waiting_for_store", "the store's absence on the page")
        took = sorted(get(each, "/health/ready")[2] for each in (port, page) for _ in range(20))
        assert get(port, "/health/ready")[0] == get(page, "/health/ready")[0] == 503
        assert get(port, "/health/live")[0] == get(page, "/health/live")[0] == 200
        assert took[len(took) // 2] < 0.2
        assert "InfluxDB" in readiness(port)["sentence"]
        wait_until(lambda: sum(values(port, "tickflow_lag_records").values()) > 0, "lag")
        assert max(values(port, "tickflow_lag_seconds").values()) > 0
        assert values(port, "tickflow_held_up")['by="waiting_for_store"'] == 1.0
    finally:
        own_influx.resume()
    wait_until(ready(port), "readiness again")
    wait_until(ready(page), "readiness of the page again")


def test_a_producer_that_is_blocked_in_publish_is_live_and_not_ready(
    script: StartScript, topic: str, own_kafka: KafkaServer
) -> None:
    """The producer pauses after each round; after four rounds the log accepts no more ticks until some are
    acknowledged. It stays live: a restart would lose the ticks that are not acknowledged.
    """
    port = free_port()
    symbols = ",".join(f"S{number}" for number in range(2_500))
    env = {"STACK": "kafka", "KAFKA_SERVERS": own_kafka.address, "KAFKA_TOPIC": topic, "SYMBOLS": symbols}
    producer = script("stock_producer.py", "--interval", "1", "--metrics-port", str(port), env=env)
    wait_until(lambda: values(port, "tickflow_ticks_sent_total").get("", 0) >= 2_500, "a round of ticks")
    own_kafka.pause()
    try:
        wait_until(lambda: readiness(port).get("state") == "waiting_for_log", "word that the log is away", 30)
        assert get(port, "/health/live")[0] == 200
        overdue = re.compile("no answer for .* ticks are not acknowledged")
        wait_until(lambda: overdue.search(readiness(port)["sentence"]) is not None, "word that publishing hangs", 60)
        assert [get(port, f"/health/{name}")[0] for name in ("ready", "live")] == [503, 200]
    finally:
        own_kafka.resume()
    wait_until(ready(port), "readiness again")
    assert get(port, "/health/live")[0] == 200
    producer.terminate()
    assert producer.wait() == 0, producer.output


def test_the_lag_agrees_with_the_broker(
    script: StartScript, kafka_servers: str, topic: str, influx: InfluxServer, bucket: str, tmp_path: Path
) -> None:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    port = free_port()
    flags = ("--simulator-seed", "1", "--start-time", "2026-01-05T14:30:00Z", "--interval", "0", "--ticks", "2000")
    assert script("stock_producer.py", *flags, env=chain.env).wait() == 0
    script("stock_analytics.py", "--metrics-port", str(port), env=chain.env)
    places = [TopicPartition(topic, number) for number in range(4)]
    client = KafkaConsumer(bootstrap_servers=kafka_servers, group_id=chain.env["KAFKA_GROUP"], enable_auto_commit=False)
    try:
        wait_until(lambda: sum(values(port, "tickflow_points_stored_total").values()) == 14_000, "14,000 points")
        wait_until(lambda: set(values(port, "tickflow_lag_records").values()) == {0.0}, "no lag")
        ends = client.end_offsets(places)
        committed = {place.partition: client.committed(place) or 0 for place in places}
    finally:
        client.close()
    found = {int(label[11:-1]): value for label, value in values(port, "tickflow_end_offset").items()}
    assert found == {place.partition: end for place, end in ends.items()}
    offsets = {int(label[11:-1]): value for label, value in values(port, "tickflow_committed_offset").items()}
    assert offsets == committed
    assert set(values(port, "tickflow_lag_seconds").values()) == {0.0}


@pytest.mark.parametrize("stack", ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.influx])])
def test_a_probe_is_measured_to_the_store_and_is_in_no_list(
    script: StartScript, stack: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db") if stack == "embedded" else request.getfixturevalue("kafka_chain")
    port = free_port()
    script("stock_producer.py", "--interval", "60", "--probe", "0.2", env=chain.env)
    worker = script("stock_analytics.py", "--metrics-port", str(port), "--summary-interval", "1", env=chain.env)
    wait_until(lambda: values(port, "tickflow_probe_stored_seconds_count").get("", 0) >= 10, "10 stored probes")
    mean = (
        values(port, "tickflow_probe_stored_seconds_sum")[""] / values(port, "tickflow_probe_stored_seconds_count")[""]
    )
    assert 0 < mean < 30
    wait_until(lambda: "AAPL" in worker.output, "a summary")
    assert PROBE not in worker.output
    stored = chain.stored()
    assert (stored[stored.symbol == PROBE].source == "probe").all()
    assert (stored.symbol == PROBE).sum() >= 10
    with open_store(load(chain.env), threading.Event()) as store:
        store.connect()
        shown: list[int] = []
        rationed = Rationed(store, shown.append)
        listed = rationed.latest()
        assert PROBE not in listed.symbol
        assert len(listed) == 7 == rationed.symbol_count()
        assert shown == [store.latest([PROBE]).time_ns[0]] or shown[0] < store.latest([PROBE]).time_ns[0]


def test_a_probe_is_measured_to_the_page_only_where_the_page_was_read_just_before() -> None:
    now, wall = 0.0, 0
    telemetry = PageTelemetry(VERSION, lambda: now, lambda: wall)

    def measured() -> list[float]:
        found = telemetry.registry.get_sample_value
        return [found(f"tickflow_probe_shown_seconds_{part}") or 0.0 for part in ("count", "sum")]

    telemetry.shown(1_000_000_000)  # the first probe seen may have been there for any length of time
    assert measured() == [0, 0]
    now, wall = 2.0, 3_500_000_000
    telemetry.shown(1_000_000_000)
    assert measured() == [0, 0]
    telemetry.shown(3_000_000_000)
    assert measured() == [1, 0.5]
    now, wall = 60.0, 63_000_000_000
    telemetry.shown(50_000_000_000)
    assert measured() == [1, 0.5]
