"""A real Chromium on a page that is served from a real embedded store, which the test fills."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import BrowserContext, Page, Playwright

from config import Settings
from devtools.process import free_port, is_taken
from stock_dashboard import StockDashboard
from tests.browser import axe
from tests.browser.profiles import Profiles
from tests.fakes import Breakable, Feed, a_status
from tests.forms import in_full
from tests.integration.chain import EmbeddedChain, KafkaChain
from tickflow.store.base import WorkerStatus
from tickflow.store.sqlite.acks import EmbeddedAcks
from tickflow.store.sqlite.rules import EmbeddedRules
from tickflow.store.sqlite.steering import EmbeddedSteering
from tickflow.store.sqlite.store import EmbeddedStore
from tickflow.store.steering import ReplayState

UPDATE_INTERVAL = 0.5
WAIT_MS = 60_000
PORT = free_port()
"""One port for all dashboards that this process serves, because Chromium caches compiled scripts by URL."""
PACKED: dict[str, bytes] = {}
"""Compressed scripts by path, shared by all dashboards of this process: their content never differs."""


def until(page: Page, expression: str) -> None:
    """Wait until `expression` is true in the page.

    Playwright's `wait_for_function` needs `eval`, which the page's Content-Security-Policy forbids.
    """
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)


def page_port() -> int:
    """Return `PORT`, or a different free port if `PORT` is taken."""
    return free_port() if is_taken(PORT) else PORT


class Market:
    """Fills a store with points and a worker's status, as producer and worker would.

    Event times are current times or, for a replay, times on `day`.
    """

    def __init__(self, store: EmbeddedStore, day: datetime | None = None) -> None:
        self.store = store
        self.replays = day is not None
        begin = datetime.now(UTC) if day is None else day
        self.feed = Feed(start=begin, source="replay" if self.replays else "simulated")
        self._shift = begin - datetime.now(UTC)
        self._processed: int | None = None
        self._status: WorkerStatus | None = None
        self.lives = True
        self._lock = threading.Lock()

    def history(self, symbol: str, prices: list[float], gap: timedelta = timedelta(seconds=1)) -> None:
        """Store past ticks, `gap` apart, the last of them about now."""
        self.feed.now = self._now() - gap * len(prices)
        self.feed.gap = gap
        self.store.write(self.feed.points(symbol, prices))
        self.report(ticked=True)

    def tick(self, symbol: str, *prices: float, ago: timedelta = timedelta()) -> None:
        """Store ticks that start at the current time (or `ago`), a millisecond apart."""
        self.feed.now, self.feed.gap = self._now() - ago, timedelta(milliseconds=1)
        self.store.write(self.feed.points(symbol, list(prices)))
        self.report(ticked=True)

    def wait(self, time: timedelta) -> None:
        """Move the market's clock forward by `time`."""
        self._shift += time

    def report(self, *, ticked: bool = False, held_up_by: str = "", notice: str = "") -> None:
        """Store the worker's status, as a worker does every 2 s."""
        now = time.time_ns()
        if ticked:
            self._processed = now
        newest = int(self.feed.now.timestamp() * 1e9)
        status = a_status(
            now_ns=now, processed_ns=self._processed, newest_ns=newest, held_up_by=held_up_by, notice=notice
        )
        with self._lock:
            self._status = status
            self.store.write_status(status)

    def report_again(self) -> None:
        """While the worker lives, renew its last status with the current time, so slow tests do not find it silent."""
        with self._lock:
            if self._status is not None and self.lives:
                self._status = replace(self._status, written_at=time.time_ns())
                self.store.write_status(self._status)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._shift


class Running:
    """A served dashboard and its store."""

    def __init__(self, path: Path, **settings: object) -> None:
        self._settings = settings
        self._port = page_port()
        self._path = path
        self.writing = EmbeddedStore(path, retention_days=7, stop=threading.Event())
        self.writing.connect()
        self.market = Market(self.writing)
        self._over = threading.Event()
        self._replay: ReplayState | None = None
        self._reports = threading.Thread(target=self._report)
        self.start()
        self._reports.start()

    def start(self, clock: Callable[[], int] = time.time_ns) -> None:
        """Serve the dashboard; a restart after `stop` uses the same address."""
        self._stop = threading.Event()
        reading = EmbeddedStore(self._path, retention_days=7, stop=self._stop)
        self.store = Breakable(reading)
        always = {"dashboard_port": self._port, "update_interval": UPDATE_INTERVAL, "stack": "embedded"}
        settings = Settings.model_validate({**always, **self._settings})
        self.acks = EmbeddedAcks(self._path, retention_days=7, stop=self._stop)
        self.steering = EmbeddedSteering(self._path, stop=self._stop)
        self.rules = EmbeddedRules(self._path, stop=self._stop)
        dashboard = StockDashboard(
            settings,
            stop=self._stop,
            store=self.store,
            acks=self.acks,
            rules=self.rules,
            steering=self.steering,
            clock=clock,
        )
        dashboard.packed._kept = PACKED
        self.url = dashboard.url
        self._thread = threading.Thread(target=dashboard.run)
        self._thread.start()

    def reports(self, state: ReplayState) -> None:
        """From now on, a producer reports this state of its replay each second."""
        self._replay = state

    def _report(self) -> None:
        while not self._over.wait(1):
            self.market.report_again()
            if self._replay is not None:
                self.steering.report(msgspec.structs.replace(self._replay, written_ns=time.time_ns()))

    def close(self) -> None:
        """Stop serving for good, and close the store."""
        self._over.set()
        self._reports.join()
        self.stop()
        self.writing.close()

    def stop(self) -> None:
        """Stop serving."""
        self._stop.set()
        self._thread.join()


ON_KAFKA = (pytest.mark.kafka, pytest.mark.influx)
kafka_in_full = pytest.mark.parametrize(
    "env", ["embedded", pytest.param("kafka", marks=[*ON_KAFKA, in_full])], indirect=True
)
"""Marks a test that runs on Kafka and InfluxDB in `make full` alone: `make test` has other tests of both stacks' pages,
and the contract tests of both stores.
"""


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=ON_KAFKA)])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of this test's own chain, on each stack in turn."""
    if request.param == "embedded":
        return EmbeddedChain(tmp_path / "stocks.db").env
    servers, topic, influx, bucket = map(request.getfixturevalue, ("kafka_servers", "topic", "influx", "bucket"))
    return KafkaChain(servers, topic, influx, bucket).env


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "stocks.db")
    yield running
    running.close()


@pytest.fixture
def ticking(running: Running) -> Iterator[Callable[[], None]]:
    """`ticking()` makes AAPL tick four times per second until it is called again or the test ends."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def tick() -> None:
        price = 150.0
        while not over.wait(0.25):
            price += 0.05
            running.market.tick("AAPL", price)

    def toggle() -> None:
        if threads:
            over.set()
            threads.pop().join()
            over.clear()
        else:
            threads.append(threading.Thread(target=tick))
            threads[0].start()

    yield toggle
    if threads:
        toggle()


class Visit:
    """Opens pages, and collects their errors and their requests to other hosts, which must never occur."""

    def __init__(self, profiles: Profiles, running: Running) -> None:
        self._profiles = profiles
        self._running = running
        self._visits = 0
        self.expected: tuple[str, ...] = ()
        self.errors: list[str] = []
        self.elsewhere: list[str] = []

    def __call__(
        self,
        query: str = "",
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        permissions: Sequence[str] = (),
        forced: bool = False,
        ready: str = "document.getElementById('fresh')?.dataset.kind",
        script: str = "",
        timezone: str = "",
    ) -> Page:
        """Open a page in its own browser profile; return it once it shows the store's state (or `ready` is true).
        `script` runs in it before its own scripts. `timezone` is that of the browser; by default, that of this machine.
        """
        context = self._profiles.profile(self._visits)
        self._visits += 1
        if permissions:
            context.grant_permissions(list(permissions))
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light", forced_colors="active" if forced else "none"
        )
        page.on("console", lambda message: self._error(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._error(str(error)))
        page.on("request", lambda request: self._requested(request.url))
        if timezone:
            context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": timezone})
        if script:
            page.add_init_script(script)
        page.goto(self._running.url + query)
        until(page, ready)
        return page

    def _error(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.errors.append(text)

    def _requested(self, url: str) -> None:
        if not url.startswith((self._running.url, "data:", "blob:")):
            self.elsewhere.append(url)


@pytest.fixture(scope="session")
def profiles(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profiles]:
    """The browser profiles that the tests of this process share."""
    profiles = Profiles(playwright, tmp_path_factory.mktemp("profiles"), timeout_ms=WAIT_MS)
    yield profiles
    profiles.close()


@pytest.fixture
def port() -> int:
    """The port for a dashboard that the test starts as a process."""
    return page_port()


@pytest.fixture
def reader(profiles: Profiles, port: int) -> Iterator[BrowserContext]:
    """The browser profile of a reader who visits that dashboard."""
    yield profiles.profile(0)
    profiles.clear(f"http://127.0.0.1:{port}/")


@pytest.fixture
def visit(profiles: Profiles, running: Running) -> Iterator[Visit]:
    """`visit("?symbol=AAPL")` opens the page; the test fails if the page logs an error or contacts a different host."""
    visit = Visit(profiles, running)
    yield visit
    profiles.clear(running.url)
    assert visit.errors == []
    assert visit.elsewhere == []


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's source."""
    reason = "axe-core needs npm, and a registry that npm reaches"
    try:
        return axe.source(tmp_path_factory.mktemp("axe"))
    except (OSError, subprocess.SubprocessError):
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
