"""Fixtures for the attacks: the page as a separate process on either stack, with ticks in its store."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtools.influxdb import InfluxServer
from devtools.process import free_port
from tests.conftest import StartScript
from tests.fakes import Feed
from tests.scripts import Script
from tickflow.dashboard.accounts import Accounts
from tickflow.store.base import MetricsStore
from tickflow.store.influx.store import InfluxStore
from tickflow.store.sqlite.store import EmbeddedStore

TICKS = 200
"""How many ticks each symbol has, before the last one of AAPL."""
OPERATOR = ("otto", "other words of otto")
FULL = os.environ.get("TICKFLOW_ATTACKS") == "full"


class Page:
    """A dashboard that runs as a process and listens on `port`."""

    def __init__(self, port: int, script: Script, store: MetricsStore, folder: Path) -> None:
        self.folder = folder
        self.port = port
        self.script = script
        self.store = store
        self.url = f"http://127.0.0.1:{port}/"

    @property
    def memory_mb(self) -> float:
        """The resident memory of the process."""
        status = Path(f"/proc/{self.script.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]  # the line is always there


def fill(store: MetricsStore) -> None:
    """Write points of three symbols; AAPL has an anomaly.

    The points come from a replay, so the exchange's hours apply to them, and drawing them loads the calendar, which
    takes 20 MB once. Otherwise the page would load it 5 s after its start.
    """
    feed = Feed(source="replay")
    for symbol in ("AAPL", "MSFT", "TSLA"):
        store.write(feed.points(symbol, [100.0 + at % 3 for at in range(TICKS)]))
    store.write(feed.points("AAPL", [200.0]))


@pytest.fixture
def embedded_page(script: StartScript, tmp_path: Path) -> Iterator[Page]:
    with _embedded(script, tmp_path) as page:
        yield page


STACKS = ["embedded", pytest.param("kafka", marks=pytest.mark.influx)]


@pytest.fixture(params=STACKS)
def page(request: pytest.FixtureRequest, script: StartScript, tmp_path: Path) -> Iterator[Page]:
    with _page(request, script, tmp_path) as page:
        yield page


@contextmanager
def _page(request: pytest.FixtureRequest, script: StartScript, tmp_path: Path, **more: str) -> Iterator[Page]:
    """A page on the stack that the test's parameter names."""
    if request.param == "embedded":
        with _embedded(script, tmp_path, **more) as page:
            yield page
        return
    server: InfluxServer = request.getfixturevalue("influx")
    bucket: str = request.getfixturevalue("bucket")
    store = InfluxStore(server.url, token=server.token, org=server.org, bucket=bucket, stop=threading.Event())
    env = {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": server.token,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_BUCKET": bucket,
        **more,
    }
    with store:
        fill(store)
        yield _started(script, store, env, tmp_path)


@pytest.fixture(params=STACKS if FULL else ["embedded"])
def guarded_page(
    request: pytest.FixtureRequest, script: StartScript, tmp_path: Path
) -> Iterator[tuple[Page, dict[str, str]]]:
    """A page that requires signing in, and a token for each role."""
    accounts = Accounts(tmp_path / "users.json")
    accounts.add_user(OPERATOR[0], "operator", OPERATOR[1])
    tokens = {role: accounts.add_token(f"the-{role}", role, 1.0) for role in ("viewer", "operator")}
    with _page(request, script, tmp_path, AUTH="users", AUTH_USERS_FILE=str(tmp_path / "users.json")) as page:
        yield page, tokens


@contextmanager
def _embedded(script: StartScript, folder: Path, **more: str) -> Iterator[Page]:
    file = folder / "stocks.db"
    with EmbeddedStore(file, retention_days=7, stop=threading.Event()) as store:
        store.connect()
        fill(store)
        yield _started(script, store, {"STACK": "embedded", "EMBEDDED_FILE": str(file), **more}, folder)


def _started(script: StartScript, store: MetricsStore, env: dict[str, str], folder: Path) -> Page:
    port = free_port()
    running = script("stock_dashboard.py", env={**env, "DASHBOARD_PORT": str(port)})
    running.wait_for("The page is at")
    time.sleep(1)  # until the page has connected to its store: answers before that would be valid, but test less
    return Page(port, running, store, folder)
