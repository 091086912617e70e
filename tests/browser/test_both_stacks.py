"""What readers do with the page, over the whole chain on either stack, the three scripts as processes."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import WAIT_MS, until
from tests.browser.looks import GRAPH, wait_for_rows
from tests.browser.test_chain import free_port, moves
from tests.conftest import StartScript
from tests.integration.chain import EmbeddedChain, KafkaChain

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.influx])])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of a chain of this test's own."""
    if request.param == "embedded":
        return EmbeddedChain(tmp_path / "stocks.db").env
    servers, topic, influx, bucket = map(request.getfixturevalue, ("kafka_servers", "topic", "influx", "bucket"))
    return KafkaChain(servers, topic, influx, bucket).env


@pytest.fixture
def reader(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser profile."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


def test_a_readers_walk_through_the_page(
    env: dict[str, str], script: StartScript, reader: BrowserContext, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    own = {"UPDATE_INTERVAL": "0.5", "PRODUCER_INTERVAL": "0.1", "SIMULATOR_SEED": "7", "ANOMALY_THRESHOLD": "1.5"}
    script("stock_analytics.py", env=env | own)
    script("stock_producer.py", env=env | own)
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env | own).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"{url}?symbol=AAPL")
    moves(page)
    expect(page.locator("#badge")).to_have_text("SIMULATED")

    page.locator("#range").get_by_text("5m", exact=True).click()
    page.locator("[data-option=candles]").click()
    page.locator("[data-option=scale]").click()
    page.locator("#candle-width").select_option("1s")
    as_chosen = f"({GRAPH}?.data?.length === 15) && {GRAPH}.layout.yaxis.ticktext.every((text) => text.includes('%'))"
    until(page, as_chosen)
    page.wait_for_url(re.compile("range=5m.*candles=1s"))
    other = reader.new_page()
    other.goto(page.url)
    until(other, as_chosen)
    expect(other.locator("#headline-note")).to_have_text("in 5m")
    assert other.url == page.url
    lengths = f"{GRAPH}.data[14].x.length"
    until(other, f"{lengths} > {other.evaluate(lengths)}")

    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "shown.csv")
    rows = list(csv.DictReader((tmp_path / "shown.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) >= 2
    assert {(row["symbol"], row["source"]) for row in rows} == {("AAPL", "simulated")}

    page.locator(".alert-ack").first.click()  # of the newest; the next one may be another by then
    page.locator("#alerts .chip", has_text="All").click()
    expect(page.locator(".alert.is-acked")).to_have_count(1)
    acked = page.locator(".alert.is-acked .alert-go").get_attribute("data-key")
    other.locator("#alerts .chip", has_text="All").click()
    seen = f".alert.is-acked [data-key='{acked}']"
    expect(other.locator(seen)).to_have_count(1)
    other.reload()
    wait_for_rows(other, 0)
    other.locator("#alerts .chip", has_text="All").click()
    expect(other.locator(seen)).to_have_count(1)
