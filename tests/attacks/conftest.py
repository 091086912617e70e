"""Fixtures for the attacks: the page as a separate process on either stack, with ticks in its store."""

import http.client
import os
import re
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from devtools.influxdb import InfluxServer
from devtools.process import free_port
from tests.conftest import StartScript, starting_scripts
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
    """A dashboard that runs as a process with the settings `env`, and listens on `port`."""

    def __init__(self, port: int, script: Script, store: MetricsStore, folder: Path, env: Mapping[str, str]) -> None:
        self.env = env
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


@pytest.fixture(scope="session")
def embedded_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page on the embedded stack, which the tests of a process share."""
    folder = tmp_path_factory.mktemp("embedded-page")
    with starting_scripts(folder, folder) as script, _embedded(script, folder) as page:
        yield page


STACKS = ["embedded", pytest.param("kafka", marks=pytest.mark.influx)]


@pytest.fixture(params=STACKS)
def page(request: pytest.FixtureRequest, script: StartScript, tmp_path: Path) -> Iterator[Page]:
    with _page(request, script, tmp_path) as page:
        yield page


@contextmanager
def _page(request: pytest.FixtureRequest, script: StartScript, folder: Path, **more: str) -> Iterator[Page]:
    """A page on the stack that the test's parameter names."""
    if request.param == "embedded":
        with _embedded(script, folder, **more) as page:
            yield page
        return
    server: InfluxServer = request.getfixturevalue("influx")
    bucket = f"attacked-{uuid.uuid4().hex[:12]}"
    server.create_bucket(bucket)
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
        yield _started(script, store, env, folder)
    server.delete_bucket(bucket)


class Guarded(NamedTuple):
    """A page that requires signing in, a token for each role, and the cookie of an operator's session."""

    page: Page
    tokens: dict[str, str]
    cookie: str


@pytest.fixture(params=STACKS if FULL else ["embedded"], scope="session")
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A guarded page, which the tests of a process share. The operator signs in before hostile requests do, because
    wrong passwords make further ones from the same address wait.
    """
    folder = tmp_path_factory.mktemp("guarded-page")
    users = folder / "users.json"
    accounts = Accounts(users)
    accounts.add_user(OPERATOR[0], "operator", OPERATOR[1])
    tokens = {role: accounts.add_token(f"the-{role}", role, 1.0) for role in ("viewer", "operator")}
    login = {"AUTH": "users", "AUTH_USERS_FILE": str(users)}
    with starting_scripts(folder, folder) as script, _page(request, script, folder, **login) as page:
        yield Guarded(page, tokens, _signed_in(page))


def _signed_in(page: Page) -> str:
    """The cookie of a new session of the operator."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    form = urllib.parse.urlencode({"name": OPERATOR[0], "password": OPERATOR[1]})
    try:
        connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        cookie = (connection.getresponse().getheader("Set-Cookie") or "").partition(";")[0]
    finally:
        connection.close()
    assert cookie, "the operator is to be signed in"
    return cookie


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
    return Page(port, running, store, folder, env)
