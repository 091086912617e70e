"""Fixtures for all tests: real servers, real trades, and the scripts as processes.

Servers are started on free ports, with their own data, once per test run. The environment may name others instead:
`TICKFLOW_TEST_KAFKA` (host:port); `TICKFLOW_TEST_INFLUX_URL`, `_TOKEN` and `_ORG`. A test that needs a server that this
machine cannot run is skipped with the reason; with `CI=true` it fails.
"""

import os
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

import hypothesis
import pytest
from kafka.net.selector import NetworkSelector
from playwright.sync_api import Browser, Playwright, sync_playwright

from devtools.building import NAMES, Server
from devtools.process import ServerError, ServerProcess
from devtools.servers import Influxd, InfluxServer, KafkaServer, is_built, why_not
from scripts.screenshots import CHROMIUM, FLAGS
from tests import trades as trade_files
from tests.scripts import Script
from tickflow.ticklog.kafka.internals import close_with_sockets

# The tests start Python hundreds of times, often in a copy of the project: without bytecode, each start compiles it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# With a deadline, a test would fail on a busy machine.
hypothesis.settings.register_profile("untimed", deadline=None)
# Fewer examples, the same in each run, without shrinking: for a mutant, it only matters whether a test fails.
hypothesis.settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=40,
    derandomize=True,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
hypothesis.settings.load_profile("untimed")

# A test's broker is so short-lived that optimising its code costs more CPU than it saves.
KafkaServer.java_options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# The tests' own clients are plain ones of kafka-python; those of the project do the same by themselves.
NetworkSelector.close = close_with_sockets


def pytest_report_header() -> list[str]:
    return [f"trades: {trade_files.source()}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that it uses, so that `-m "not kafka"` leaves out the tests that need Kafka.

    Tests marked `slow` begin first: one that began last would keep one core busy while the others have nothing to do.
    """
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if used & {"kafka_servers", "own_kafka", "local_servers"}:
            item.add_marker("kafka")
        if "playwright" in used:
            item.add_marker("browser")
        if used & {"influx", "own_influx", "bucket", "local_servers"}:
            item.add_marker("influx")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def unavailable(reason: str) -> NoReturn:
    """Skip the running test for that reason; with `CI=true`, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need(server: Server) -> None:
    """Skip the running test, or with `CI=true` fail it, if this machine cannot run that server."""
    reason = why_not(server)
    if reason is None and not is_built(server):
        reason = f"{NAMES[server]} is not built on this machine yet: python -m devtools.building"
    if reason is not None:
        unavailable(reason)


def _check_kafka(servers: str) -> None:
    host, _, port = servers.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        reason = f"TICKFLOW_TEST_KAFKA is {servers!r}, where no Kafka can be reached: {error}"
    else:
        return
    pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host:port of a real Kafka that all tests share; a test that stops or pauses Kafka must use `own_kafka`."""
    given = os.environ.get("TICKFLOW_TEST_KAFKA")
    if given:
        _check_kafka(given)
        yield given
        return
    need("kafka")
    server = KafkaServer(tmp_path_factory.mktemp("kafka")).start()
    yield server.address
    server.kill()


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A real InfluxDB that all tests share; a test that stops or pauses InfluxDB must use `own_influx`."""
    url = os.environ.get("TICKFLOW_TEST_INFLUX_URL")
    if url:
        token, org = (os.environ[f"TICKFLOW_TEST_INFLUX_{name}"] for name in ("TOKEN", "ORG"))
        given = InfluxServer(url=url.rstrip("/"), org=org, token=token)
        given.call("GET", f"/api/v2/buckets?org={org}")  # raises if these variables are wrong
        yield given
        return
    need("influxdb")
    server = Influxd(tmp_path_factory.mktemp("influxdb")).start()
    yield server.server
    server.kill()


@pytest.fixture(scope="session")
def breakable_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """The server behind `own_kafka`. Its start takes seconds, so all tests of a process share it."""
    need("kafka")
    server = KafkaServer(tmp_path_factory.mktemp("own-kafka")).start()
    yield server
    server.kill()


@pytest.fixture
def own_kafka(breakable_kafka: KafkaServer) -> Iterator[KafkaServer]:
    """A running Kafka that the test may stop, kill, pause and restart. It runs again when the next test begins."""
    yield breakable_kafka
    ensure_running(breakable_kafka)


def ensure_running(server: ServerProcess) -> None:
    """Resume a frozen server; start one that was stopped or killed."""
    try:
        server.resume()
    except ServerError:
        server.start()


@pytest.fixture
def own_influx(tmp_path: Path) -> Iterator[Influxd]:
    """A running InfluxDB for this test alone, with the bucket `stock_data`; its address is `own_influx.server`."""
    need("influxdb")
    server = Influxd(tmp_path / "own-influxdb").start()
    yield server
    server.kill()


@pytest.fixture
def local_servers() -> None:
    """Skips the test if this machine cannot run both servers itself, even if the environment names other servers."""
    need("kafka")
    need("influxdb")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, which drives Debian's Chromium. All tests of a process share it: it can be started only once."""

    if shutil.which(CHROMIUM) is None:
        unavailable("the browser tests need Debian's chromium: apt-get install chromium (or set CHROMIUM to its path)")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests of a process. Each test opens its own context in it, which stores nothing on disk."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def topic() -> str:
    """The name of a topic that does not exist yet."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(influx: InfluxServer) -> Iterator[str]:
    """The name of a new, empty bucket without retention."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    influx.create_bucket(name)
    yield name
    influx.delete_bucket(name)


@pytest.fixture(scope="session")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 6,000 trades in time order: timestamp, symbol, price, volume. The run's header names their source."""
    if trade_files.REAL.is_file():
        return trade_files.REAL
    path = tmp_path_factory.mktemp("trades") / "trades.csv"
    trade_files.write_generated(path)
    return path


class StartScript(Protocol):
    """The type of the fixture `script`, and of what `starting_scripts` gives."""

    def __call__(
        self, name: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Script: ...


@contextmanager
def starting_scripts(folder: Path, files: Path) -> Iterator[StartScript]:
    """Give a function that starts scripts, by default in `folder`; at the end, kill those that still run. Their output
    goes into `files`.
    """
    started: list[Script] = []

    def start(name: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Script:
        place = files / f"{len(started)}-{Path(name).stem}.out"
        ((cwd or folder) / ".env").touch()  # without it, the .env beside the scripts would be read
        started.append(Script(name, arguments, cwd=cwd or folder, env=env or {}, files=place))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.kill()


@pytest.fixture
def script(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartScript]:
    """`script("stock_producer.py", "--interval", "1", env={...}, cwd=...)` starts it, by default in `tmp_path`."""
    with starting_scripts(tmp_path, tmp_path_factory.mktemp("scripts")) as start:
        yield start
