"""Tests of the page in a real chain of scripts that run as processes, on both stores."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from devtools.process import free_port
from devtools.servers import Influxd, InfluxServer
from devtools.tokens import make_tokens
from tests.browser.conftest import WAIT_MS, until
from tests.conftest import StartScript
from tests.fakes import Feed
from tickflow.store.influx.store import InfluxStore

expect.set_options(timeout=WAIT_MS)

SAID_MS = 10_000
"""How soon the page has to report that its token is revoked, and to resume once the token is valid again."""
SHOWN = "window.tickflow?.chart?.looks().picture?.x.length ?? 0"


def moves(page: Page) -> None:
    """Wait until the displayed price has changed twice."""
    for _ in range(2):
        shown = page.locator("#headline-price").inner_text()
        expect(page.locator("#headline-price")).not_to_have_text(shown)


@contextmanager
def thirty_ticks(server: InfluxServer) -> Iterator[tuple[InfluxStore, Feed]]:
    """A store that holds thirty ticks of AAPL, at 150 to 179, and the feed of further ones."""
    with InfluxStore(
        server.url, token=server.token, org=server.org, bucket="stock_data", stop=threading.Event()
    ) as store:
        store.connect()
        feed = Feed()
        store.write(feed.points("AAPL", [150.0 + number for number in range(30)]))
        yield store, feed


@pytest.fixture
def open_page(chromium: Browser) -> Callable[[str], Page]:
    def open_at(url: str) -> Page:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        return page

    return open_at


@pytest.mark.slow
def test_prices_move_go_stale_without_a_producer_and_move_again(
    script: StartScript, tmp_path: Path, open_page: Callable[[str], Page]
) -> None:
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db"), "UPDATE_INTERVAL": "0.5"}
    port = free_port()
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env).wait_for("The page is at")
    page = open_page(f"http://127.0.0.1:{port}/")
    expect(page.locator("#empty")).to_have_text(re.compile("No ticks yet"))
    script("stock_analytics.py", env=env)
    producer = script("stock_producer.py", env=env)
    moves(page)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    expect(page.locator("#badge")).to_have_text("SIMULATED")
    producer.kill()
    expect(page.locator("#fresh")).to_have_text(re.compile(r"stale · \d+ s"))
    expect(page.locator("#banner")).to_be_hidden()
    script("stock_producer.py", env=env)
    moves(page)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    page.close()


def test_influxdb_stops_and_starts_under_an_open_page(
    script: StartScript, own_influx: Influxd, open_page: Callable[[str], Page]
) -> None:
    server = own_influx.server
    port = free_port()
    flags = ("--influxdb-url", server.url, "--influxdb-org", server.org, "--influxdb-bucket", "stock_data")
    env = {"INFLUXDB_TOKEN": server.token, "UPDATE_INTERVAL": "0.5"}
    running = script("stock_dashboard.py", "--dashboard-port", str(port), *flags, env=env)
    running.wait_for("The page is at")
    with thirty_ticks(server) as (store, feed):
        page = open_page(f"http://127.0.0.1:{port}/")
        expect(page.locator("#headline-price")).to_have_text("179.00")
        until(page, f"({SHOWN}) === 30")
        own_influx.kill()
        expect(page.locator("#fresh")).to_have_text("store down")
        expect(page.locator("#banner")).to_have_text(re.compile("InfluxDB at .* Trying again"))
        own_influx.start()
        store.write(feed.points("AAPL", [190.0]))
        expect(page.locator("#headline-price")).to_have_text("190.00")
        expect(page.locator("#fresh")).not_to_have_text("store down")
        until(page, f"({SHOWN}) === 31")
        page.close()


def test_the_token_is_revoked_under_an_open_page_and_given_back(
    script: StartScript, own_influx: Influxd, open_page: Callable[[str], Page]
) -> None:
    server = own_influx.server
    port = free_port()
    token, identity = make_tokens(server, "stock_data")["page"]

    def become(status: str) -> None:
        server.call("PATCH", f"/api/v2/authorizations/{identity}", {"status": status})

    env = {"INFLUXDB_URL": server.url, "INFLUXDB_ORG": server.org, "INFLUXDB_TOKEN": token, "UPDATE_INTERVAL": "0.5"}
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env).wait_for("The page is at")
    with thirty_ticks(server) as (store, feed):
        page = open_page(f"http://127.0.0.1:{port}/")
        until(page, f"({SHOWN}) === 30")
        become("inactive")
        expect(page.locator("#banner")).to_have_text(
            re.compile(r"InfluxDB does not know the token .* set INFLUXDB_TOKEN to a valid token"), timeout=SAID_MS
        )
        assert page.evaluate(SHOWN) == 30, "what is drawn stays"
        become("active")
        store.write(feed.points("AAPL", [190.0]))
        expect(page.locator("#headline-price")).to_have_text("190.00", timeout=SAID_MS)
        expect(page.locator("#banner")).not_to_have_text(re.compile("token"))
        until(page, f"({SHOWN}) === 31")
        page.close()
