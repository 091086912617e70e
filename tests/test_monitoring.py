"""Tests of `monitoring/`: promtool checks the rules, servers answer the boards' queries, and faults cause alerts."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaProducer

from devtools.process import free_port
from devtools.servers import Influxd, InfluxServer
from tests.conftest import StartScript, unavailable
from tests.integration.chain import KafkaChain, wait_until
from tests.scripts import PROJECT

MONITORING = PROJECT / "monitoring"
BOARDS = sorted((MONITORING / "grafana" / "boards").glob("*.json"))
RULES: list[dict[str, Any]] = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"][0]["rules"]
SECONDS = {"s": 1, "m": 60, "h": 3600}


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        unavailable(f"{name} is not installed (Debian: prometheus)")
    return found


def promtool(*arguments: str) -> None:
    done = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, cwd=MONITORING, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def targets(kind: str) -> list[str]:
    """Every query of the boards to data sources of that kind."""
    found = [
        target["expr"] if kind == "prometheus" else target["query"]
        for board in BOARDS
        for panel in json.loads(board.read_text())["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == kind
    ]
    assert len(found) > 8
    return found


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")


def test_each_alert_is_tested_once_firing() -> None:
    tests = yaml.safe_load((MONITORING / "rules_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def test_each_alert_says_what_to_do() -> None:
    for rule in RULES:
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"].endswith(".")


def test_the_two_boards_have_distinct_ids_and_provisioned_sources() -> None:
    boards = [json.loads(board.read_text()) for board in BOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 2
    sources = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/tickflow.yml").read_text())["datasources"]
    for board in boards:
        assert {panel["datasource"]["uid"] for panel in board["panels"]} <= {source["uid"] for source in sources}
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        assert all(panel["description"].endswith(".") for panel in board["panels"])


def test_every_influxql_query_of_the_boards_is_answered(influx: InfluxServer, bucket: str) -> None:
    def ask(query: str) -> Mapping[str, Any]:
        parameters = urllib.parse.urlencode({"db": bucket, "q": query})
        request = urllib.request.Request(
            f"{influx.url}/query?{parameters}", headers={"Authorization": f"Token {influx.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            result: Mapping[str, Any] = json.load(answer)["results"][0]
        return result

    now = time.time_ns()
    fields = "price=5,ma_5=5,ma_10=5,ma_20=5,volume=1,volatility=1,z_score=3,is_anomaly=true"
    line = f"stock_metrics,symbol=A {fields} {now}".encode()
    write = f"{influx.url}/api/v2/write?" + urllib.parse.urlencode({"org": influx.org, "bucket": bucket})
    urllib.request.urlopen(urllib.request.Request(write, line, {"Authorization": f"Token {influx.token}"})).close()
    for query in targets("influxdb"):
        filled = query.replace("$timeFilter", "time > now() - 1h").replace("$__interval", "10s").replace("$symbol", "A")
        assert "$" not in filled
        assert ask(filled).get("series"), query


class Prometheus:
    """Debian's Prometheus with the project's rules, whose time spans are shortened to seconds."""

    def __init__(self, folder: Path, scraped: Mapping[str, int], *, disk_bytes: str = "50e9") -> None:
        rules = (MONITORING / "rules.yml").read_text().replace("> 50e9", f"> {disk_bytes}")
        rules = re.sub(r"for: \d+[smh]", "for: 1s", rules)
        rules = re.sub(r"\[5m\]", "[10s]", rules).replace("[10m]", "[30s]").replace("[1h]", "[5m]")
        rules = rules.replace("tickflow_lag_seconds) > 60", "tickflow_lag_seconds) > 5")
        rules = rules.replace("[2m]", "[10s]").replace("[10s])) > 5", "[10s])) > 1")
        rules = rules.replace("tickflow_outbox_oldest_seconds) > 900", "tickflow_outbox_oldest_seconds) > 5")
        (folder / "rules.yml").write_text(rules)
        jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{p}"]}]} for job, p in scraped.items()]
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                tool("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=error",
            ]
        )

    def firing(self) -> set[str]:
        try:
            alerts = self._get("/api/v1/alerts")["alerts"]
        except OSError:
            return set()
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["result"]
        return found

    def wait_for(self, alert: str) -> None:
        wait_until(lambda: alert in self.firing(), f"alert {alert}", 120)

    def wait_for_no(self, alert: str) -> None:
        wait_until(lambda: alert not in self.firing(), f"end of the alert {alert}", 120)

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def chain(kafka_servers: str, topic: str, own_influx: Influxd) -> KafkaChain:
    return KafkaChain(kafka_servers, topic, own_influx.server, "stock_data")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_alerts_fire_by_their_causes_and_the_boards_find_their_metrics(
    script: StartScript, chain: KafkaChain, own_influx: Influxd, tmp_path: Path
) -> None:
    worker_port, producer_port, notifier_port = free_port(), free_port(), free_port()
    scraped = {"worker": worker_port, "producer": producer_port, "influxdb": own_influx.port}
    scraped["notifier"] = notifier_port
    nobody = f"json://127.0.0.1:{free_port()}/"
    chain.env |= {"ALERT_RULES": "* volume_5s > 1", "ALERT_MIN_MOVE": "0", "ALERT_URLS": nobody}
    chain.env["ALERT_OUTBOX"] = str(tmp_path / "outbox.db")
    flags = ("--interval", "0.2", "--probe", "0.2", "--metrics-port", str(producer_port))
    producer = script("stock_producer.py", *flags, env=chain.env)
    worker = script("stock_analytics.py", "--metrics-port", str(worker_port), env=chain.env)
    script("stock_analytics.py", "notify", "--metrics-port", str(notifier_port), env=chain.env)
    chain.wait_for_points(50)
    prometheus = Prometheus(tmp_path, scraped)
    try:
        wait_until(
            lambda: prometheus.firing() <= {"TickflowOutboxWaits"} and bool(_found(prometheus, "tickflow_ready")),
            "a quiet start",
        )
        wait_until(lambda: bool(_found(prometheus, "rate(tickflow_points_stored_total[10s]) > 0")), "a rate")
        publisher = KafkaProducer(bootstrap_servers=chain.servers)
        for _ in range(200):
            publisher.send(chain.topic, b"no tick")  # without a key
        publisher.flush()
        publisher.close()
        for alert in ("TickflowRefusedShare", "TickflowOutboxWaits"):
            prometheus.wait_for(alert)
        for expression in targets("prometheus"):
            if "page" not in expression and "restore" not in expression:
                assert prometheus.query(re.sub(r"\[\d+m\]", "[30s]", expression)), expression
        own_influx.pause()
        for alert in ("TickflowHeldUp", "TickflowBehind"):
            prometheus.wait_for(alert)
        own_influx.resume()
        prometheus.wait_for("TickflowProbeLate")
        prometheus.wait_for_no("TickflowHeldUp")
        producer.terminate()
        prometheus.wait_for("TickflowFeedDead")
        worker.kill()
        prometheus.wait_for("TickflowWorkerLost")
    finally:
        own_influx.resume()
        prometheus.close()


def _found(prometheus: Prometheus, expression: str) -> list[Any]:
    try:
        return prometheus.query(expression)
    except OSError:
        return []
