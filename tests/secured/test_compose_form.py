"""In Compose's secured form, page, Prometheus and Grafana query a real InfluxDB over HTTPS, as its files configure
them.
"""

import json
import os
import ssl
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from devtools.process import free_port
from stock_dashboard import StockDashboard
from tests.fakes import Feed
from tests.integration.chain import wait_until
from tests.loaded_settings import load
from tests.scripts import PROJECT
from tests.secured.certificates import Authority
from tests.secured.conftest import SecretFile
from tests.secured.servers import SecuredInfluxd
from tests.test_compose import SECURED, SERVICES, filled
from tests.test_monitoring import MONITORING, tool
from tickflow.process import StopEvent
from tickflow.stack import open_store

THERE = "https://influxdb:8086"


def given_to(service: str, influx: SecuredInfluxd, authority: Authority) -> dict[str, str]:
    """The environment of a service in the secured form, with the URL and the authority of this test's InfluxDB."""
    both = SERVICES[service].get("environment", {}) | SECURED[service]["environment"]
    here = {THERE: influx.server.url, "https://localhost:8086": influx.server.url}
    here["/run/secrets/ca.pem"] = str(authority.ca)
    known = {key: filled(value) for key, value in both.items() if value is not None}
    return {key: here.get(value, value) for key, value in known.items()}


@pytest.mark.parametrize("service", ["page", "dashboard"])
def test_the_page_reads_by_https(
    service: str,
    secured_influx: SecuredInfluxd,
    authority: Authority,
    secret: SecretFile,
    tmp_path: Path,
) -> None:
    env = given_to(service, secured_influx, authority)
    env |= {"INFLUXDB_TOKEN_FILE": secret(secured_influx.server.token), "AUTH": "none", "DASHBOARD_HOST": "127.0.0.1"}
    env |= {"INFLUXDB_BUCKET": f"of-the-{service}", "AUTH_USERS_FILE": str(tmp_path / "users.json")}
    secured_influx.server.create_bucket(env["INFLUXDB_BUCKET"])
    settings = load(env)
    with open_store(settings, StopEvent()) as store:
        store.connect()
        store.write(Feed().points("AAPL", [100.0, 101.0]))
    page = StockDashboard(settings)
    try:
        page.gate.start().join(60)
        assert page.gate.store.latest().symbol == ["AAPL"]
    finally:
        page.stop.set()
        for each in page.closing:
            each.close()


@pytest.mark.parametrize("trusts", [True, False])
def test_prometheus_watches_influxdb_by_https(
    trusts: bool, secured_influx: SecuredInfluxd, authority: Authority, tmp_path: Path
) -> None:
    (mounted,) = [each for each in SECURED["prometheus"]["volumes"] if ":/etc/prometheus/influxdb.yml:" in each]
    targets = (
        (PROJECT / mounted.partition(":")[0]).read_text().replace("influxdb:8086", f"127.0.0.1:{secured_influx.port}")
    )
    (tmp_path / "influxdb.yml").write_text(targets)
    settings: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    (job,) = [each for each in settings["scrape_configs"] if each["job_name"] == "influxdb"]
    job["file_sd_configs"] = [{"files": [str(tmp_path / "influxdb.yml")]}]
    (tmp_path / "prometheus.yml").write_text(
        yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})
    )
    port = free_port()
    command = [tool("prometheus"), f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    trust = given_to("prometheus", secured_influx, authority) if trusts else {}
    with subprocess.Popen(command, env={**os.environ, **trust}) as running:

        def up() -> list[str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=up", timeout=10) as answer:
                    return [each["value"][1] for each in json.load(answer)["data"]["result"]]
            except OSError:
                return []

        try:
            wait_until(lambda: bool(up()), "first scrape", 60)
            if trusts:
                wait_until(lambda: up() == ["1"], "scrape that succeeds", 60)
            else:
                assert up() == ["0"]
        finally:
            running.kill()


def test_grafanas_source_of_data_is_answered_by_https(secured_influx: SecuredInfluxd, authority: Authority) -> None:
    """The request that Grafana sends to its provisioned data source. Whom Grafana trusts is tested with Prometheus,
    which is written in Go too.
    """
    env = given_to("grafana", secured_influx, authority)
    assert env["SSL_CERT_FILE"] == given_to("prometheus", secured_influx, authority)["SSL_CERT_FILE"]
    sources = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/tickflow.yml").read_text())["datasources"]
    (source,) = [each for each in sources if each["type"] == "influxdb"]
    url = source["url"].replace("$INFLUXDB_URL", env["INFLUXDB_URL"])
    token = source["secureJsonData"]["httpHeaderValue1"].replace("$INFLUXDB_TOKEN", secured_influx.server.token)
    form = urllib.parse.urlencode({"db": "stock_data", "q": "SHOW MEASUREMENTS"}).encode()
    asked = urllib.request.Request(f"{url}/query", form, {source["jsonData"]["httpHeaderName1"]: token})
    trusted = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    with urllib.request.urlopen(asked, timeout=30, context=trusted) as answer:
        assert json.load(answer)["results"][0].get("error") is None
