"""Readers use the page of the whole chain on each stack, with the three scripts as processes."""

import csv
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from benchmarks.stores import opened
from tests.browser.conftest import WAIT_MS, kafka_in_full, until
from tests.browser.looks import LOOKS, wait_for_rows
from tests.browser.test_chain import moves
from tests.conftest import StartScript
from tests.fakes import Feed
from tickflow.metrics.points import Points
from tickflow.store.influx.series import MOST_SOURCES

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of each stack in turn, with a store but no log."""
    if request.param == "embedded":
        return {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db")}
    server, bucket = map(request.getfixturevalue, ("influx", "bucket"))
    return {
        "STACK": "kafka",
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": server.token,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_BUCKET": bucket,
    }


def acknowledge_one(page: Page) -> None:
    """Acknowledge the first alert of the list; retry if the alert grew before its acknowledgement was stored."""
    for _ in range(5):
        page.locator("#alerts .chip", has_text="New flags").click()  # today's alerts come first and have no Ack
        page.locator(".alert-ack").first.click()
        page.locator("#alerts .chip", has_text="All").click()
        try:
            return expect(page.locator(".alert.is-acked")).to_have_count(1, timeout=WAIT_MS / 4)
        except AssertionError:
            continue
    raise AssertionError("no alert stays acknowledged")


@pytest.mark.slow
@kafka_in_full
def test_a_reader_walks_through_the_page(
    env: dict[str, str], script: StartScript, reader: BrowserContext, port: int, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{port}/"
    own = {"UPDATE_INTERVAL": "0.5", "PRODUCER_INTERVAL": "0.1", "SIMULATOR_SEED": "7", "ANOMALY_THRESHOLD": "1.5"}
    script("stock_analytics.py", env=env | own)
    producer = script("stock_producer.py", env=env | own)
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env | own).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"{url}?symbol=AAPL")
    moves(page)
    expect(page.locator("#badge")).to_have_text("SIMULATED")

    page.locator("#range").get_by_text("5m", exact=True).click()
    page.locator("[data-option=candles]").click()
    page.locator("[data-option=scale]").click()
    page.locator("#candle-width").select_option("1s")
    as_chosen = (
        f"{LOOKS}.picture?.kind === 'candles' && "
        f"{LOOKS}.axes?.yaxis.ticktext.every((text) => text === '' || text.includes('%'))"
    )
    until(page, as_chosen)
    page.wait_for_url(re.compile("range=5m.*candles=1s"))
    other = reader.new_page()
    other.goto(page.url)
    until(other, as_chosen)
    expect(other.locator("#headline-note")).to_have_text("in 5m")
    assert other.url == page.url
    lengths = f"{LOOKS}.picture.x.length"
    until(other, f"{lengths} > {other.evaluate(lengths)}")

    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "shown.csv")
    rows = list(csv.DictReader((tmp_path / "shown.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) >= 2
    assert {(row["symbol"], row["source"]) for row in rows} == {("AAPL", "simulated")}

    producer.terminate()  # newer alerts would push the acknowledged one out of the list within half a minute
    assert producer.wait() == 0, producer.output
    acknowledge_one(page)
    acked = page.locator(".alert.is-acked .alert-go").get_attribute("data-key")
    other.locator("#alerts .chip", has_text="All").click()
    seen = f".alert.is-acked [data-key='{acked}']"
    expect(other.locator(seen)).to_have_count(1)
    other.reload()
    wait_for_rows(other, 0)
    other.locator("#alerts .chip", has_text="All").click()
    expect(other.locator(seen)).to_have_count(1)


BEGIN = datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
"""A Friday; on the Sunday after it, the exchange's clocks are set forward."""
STEP = timedelta(seconds=20)
TICKS = 5_400


def history(symbol: str) -> Points:
    """Two days of a symbol, first replayed and then simulated, with hours of silence between them."""
    feed = Feed(start=BEGIN, gap=STEP, source="replay")
    prices = [100 + (at % 9) * 0.01 + (5 if at == 2_000 else 0) for at in range(TICKS)]
    first = feed.points(symbol, prices[: TICKS // 2])
    feed.source = "simulated"
    feed.now += timedelta(hours=18)
    return Points.joined([first, feed.points(symbol, prices[TICKS // 2 :])])


def wall(points: Points, at: int, seconds: float = 0.0) -> str:
    """The exchange's wall time `seconds` after a point, as the page's address writes it."""
    moment = datetime.fromtimestamp(points.time_ns[at] // 10**6 / 1e3 + seconds, ZoneInfo("America/New_York"))
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def saved(page: Page, path: Path) -> list[dict[str, str]]:
    """Save the CSV from the page; return its rows."""
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(path)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.slow
def test_every_range_shows_its_stored_points(
    stored: dict[str, str], script: StartScript, reader: BrowserContext, port: int, tmp_path: Path
) -> None:
    points = history("A.B-C")
    with opened(stored) as (store, _):
        for start in range(0, len(points), 5_000):
            store.write(points.take(slice(start, start + 5_000)))
        store.write(Feed(start=BEGIN).points("AXB-C", [5.0]))
    url = f"http://127.0.0.1:{port}/?symbol=A.B-C"
    script("stock_dashboard.py", "--dashboard-port", str(port), env=stored).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"{url}&range=1h")
    wait_for_rows(page, 0)
    newest = points.time_ns[-1]
    for name, minutes in (("5m", 5), ("6h", 360), ("1d", 1440), ("all", 10_000)):
        page.locator("#range").get_by_text(name, exact=True).click()
        begin = newest // 10**6 * 10**6 - minutes * 60 * 10**9
        drawn_ = "window.tickflow.chart.view.drawn"
        until(page, f"{drawn_}.range === '{name}' && {drawn_}.total === {(points.time_ns >= begin).sum()}")
    until(page, f"Math.max(...{LOOKS}.picture.y.high) === {points.price.max()}")
    rows = saved(page, tmp_path / "all.csv")
    changes = [at for at, (one, other) in enumerate(pairwise(rows)) if one["source"] != other["source"]]
    assert [(rows[at]["source"], rows[at + 1]["source"]) for at in changes] == [("replay", "simulated")]
    assert rows[changes[0] + 1]["time_utc"].startswith("2026-03-07T23:30:00")
    assert len(rows) == TICKS, "every stored tick, though the chart draws columns"
    assert [float(row["price"]) for row in rows] == points.price.tolist()

    last = TICKS // 2 - 1
    page.goto(f"{url}&from={wall(points, last)}&to={wall(points, last, 1)}")
    wait_for_rows(page, 0)
    (row,) = saved(page, tmp_path / "one.csv")
    moment = datetime.fromtimestamp(points.time_ns[last] // 10**6 / 1e3, UTC)
    assert datetime.fromisoformat(row["time_utc"]).replace(microsecond=0) == moment
    assert (row["source"], float(row["price"])) == ("replay", points.price[last])

    page.goto(f"{url}&from={wall(points, last, 60)}&to={wall(points, last, 660)}")  # during the silence
    expect(page.locator("#empty")).to_have_text(re.compile("No ticks of A.B-C in this period"))
    page.locator("#range").get_by_text("5m", exact=True).click()
    wait_for_rows(page, 10)
    assert "from=" not in page.url


def test_of_very_many_sources_the_chart_counts_those_it_does_not_draw_and_the_download_has_all(
    stored: dict[str, str], script: StartScript, reader: BrowserContext, port: int, tmp_path: Path
) -> None:
    feed = Feed(start=BEGIN, gap=timedelta(seconds=1))
    count, left_out = MOST_SOURCES + 30, 29 if stored["STACK"] == "kafka" else 0
    parts = []
    for at in range(count):
        feed.source = f"run_{at:03}"
        parts.append(feed.points("AAPL", [100.0 + at]))
    with opened(stored) as (store, _):
        store.write(Points.joined(parts))
    script("stock_dashboard.py", "--dashboard-port", str(port), env=stored).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{port}/?symbol=AAPL")
    until(page, f"window.tickflow?.chart?.view.drawn?.total === {count - left_out}")
    note = page.locator("#headline-note")
    expect(note).to_have_text("in 15m · 29 more sources are not drawn" if left_out else "in 15m")
    assert page.evaluate(f"{LOOKS}.picture.y.price.at(-1)") == 100.0 + count - 1, "the newest is among the drawn"
    named = "RUN 000, RUN 001, RUN 002, RUN 003, RUN 004 and 125 more"
    assert page.evaluate("window.tickflow.picture.about().line.split(' · ')").count(f"source {named}") == 1
    assert [row["source"] for row in saved(page, tmp_path / "all.csv")] == [f"run_{at:03}" for at in range(count)]
