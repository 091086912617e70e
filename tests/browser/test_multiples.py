"""Small multiples: several symbols, each with a small chart, on a common time axis."""

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import PRICES, SMALL, with_anomaly
from tickflow.dashboard.drawing import clock

expect.set_options(timeout=WAIT_MS)

LINES = f"{SMALL}.data.filter(({{ mode }}) => mode === 'lines')"


def wait_for_lengths(page: Page, *lengths: int) -> None:
    """Wait until the charts, in their order on the page, have these numbers of rows."""
    until(
        page,
        f"JSON.stringify(({SMALL}?.data || []).filter(({{ mode }}) => mode === 'lines').map(({{ x }}) => x.length))"
        f" === '{list(lengths)}'.replaceAll(' ', '')",
    )


def test_several_symbols_stand_beside_one_another_on_one_time_axis_and_move(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=AAPL")
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    page.keyboard.press("m")
    expect(page.locator("#compare")).to_have_attribute("aria-pressed", "true")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    assert page.evaluate(f"{SMALL}.data[1].x.length") >= 1, "anomalies are marked"
    running.market.tick("AAPL", 151.0, 152.0)
    running.market.tick("MSFT", 153.0)
    wait_for_lengths(page, len(PRICES) + 2, len(PRICES) + 1)
    assert page.evaluate(f"{LINES}.map(({{ y }}) => y.at(-1))") == [152.0, 153.0]
    ranges = page.evaluate(f"['xaxis', 'xaxis2'].map((axis) => JSON.stringify({SMALL}._fullLayout[axis].range))")
    assert ranges[0] == ranges[1]
    expect(page.locator("#multiples-summary")).to_have_text(
        re.compile("AAPL last price 152.00, .*MSFT last price 153.00")
    )
    page.keyboard.press("m")
    expect(page.locator("#headline-price")).to_be_visible()
    until(page, "window.tickflow.chart.looks().picture?.y.price.at(-1) === 152")


def test_many_anomalies_leave_the_prices_in_sight(running: Running, visit: Visit) -> None:
    """Each of the two charts has at most 30 of the 60 marks, the highest and the lowest included; a lane shows where
    all anomalies are.
    """
    prices = [100 + at % 3 + (9 + at / 100 if at % 12 == 0 else 0) for at in range(1_200)]
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, prices, gap=timedelta(milliseconds=500))
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT&range=all")
    until(page, f"{LINES}?.length === 2")
    of = f"((name) => {SMALL}.data.find((each) => each.name === name))"
    stored = running.market.store.anomalies(0, 10_000, ["AAPL"]).price.tolist()
    assert len(stored) >= 90
    drawn = page.evaluate(f"{of}('AAPL anomalies').y")
    assert 10 <= len(drawn) <= 30
    assert {min(stored), max(stored)} <= set(drawn) <= set(stored)
    lane = page.evaluate(f"{of}('AAPL how many').marker.opacity")
    assert max(lane) == 1
    assert 30 <= len(lane) <= 120


def test_a_link_has_the_symbols_and_the_list_adds_to_them(running: Running, visit: Visit, tmp_path: Path) -> None:
    for symbol in ("AAPL", "META", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=MSFT&symbols=MSFT,META&scale=percent")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    assert all(" %" in text for text in page.evaluate(f"{SMALL}.layout.yaxis2.ticktext"))
    page.locator(".watch [role=row]", has_text="AAPL").click()
    wait_for_lengths(page, len(PRICES), len(PRICES), len(PRICES))
    page.get_by_role("button", name="Remove META").click()
    wait_for_lengths(page, len(PRICES), len(PRICES))
    page.wait_for_url(re.compile("symbols=MSFT%2CAAPL"))
    rows = saved(page, tmp_path)
    assert {row["symbol"] for row in rows} == {"MSFT", "AAPL"}
    assert len(rows) == 2 * len(PRICES)


def saved(page: Page, folder: Path) -> list[dict[str, str]]:
    """Save the CSV from the page; return its rows."""
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(folder / "shown.csv")
    return list(csv.DictReader((folder / "shown.csv").read_text(encoding="utf-8").splitlines()))


def test_each_row_and_the_label_name_the_source_of_the_ticks(running: Running, visit: Visit, tmp_path: Path) -> None:
    running.market.history("AAPL", PRICES)
    running.market.feed.source = "replay"
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    running.market.tick("AAPL", 151.0)
    wait_for_lengths(page, len(PRICES) + 1, len(PRICES))
    label = f"{SMALL}.layout.annotations.at(-1).text"
    until(page, f"{label}.startsWith('SIMULATED, REPLAY · ')")
    of = {name: [row["source"] for row in saved(page, tmp_path) if row["symbol"] == name] for name in ("AAPL", "MSFT")}
    assert of == {"AAPL": ["simulated"] * len(PRICES) + ["replay"], "MSFT": ["replay"] * len(PRICES)}


@pytest.mark.parametrize("overlay", ["", "&overlay=1"], ids=["beside one another", "overlay"])
@pytest.mark.parametrize(
    ("timezone", "zone"), [("America/New_York", "exchange"), ("Asia/Tokyo", "exchange"), ("Asia/Tokyo", "utc")]
)
def test_times_are_those_of_the_chosen_zone_in_any_browser(
    running: Running, visit: Visit, timezone: str, zone: str, overlay: str
) -> None:
    """A date axis of Plotly shows a number of milliseconds in the browser's own zone."""
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit(f"?symbol=AAPL&symbols=AAPL,MSFT&zone={zone}{overlay}", timezone=timezone)
    until(page, f"({LINES}).length === 2 && {SMALL}.layout.xaxis.tickvals.length > 1")
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == timezone
    assert page.evaluate(f"{SMALL}.calcdata[0][0].x") == page.evaluate(f"{SMALL}.data[0].x[0]")
    drawn = "window.tickflow.multiples.looks().series.get('AAPL')"
    wall_ms, places = page.evaluate(f"[{drawn}.x[0], {SMALL}.layout.xaxis.tickvals]")
    labels = page.evaluate(f"{SMALL}.layout.xaxis.ticktext")
    (offset_ms,) = clock.wall_ms(np.array([clock.utc_ns(wall_ms)])) - clock.utc_ns(wall_ms) / 10**6
    expected = [datetime.fromtimestamp((at - (offset_ms if zone == "utc" else 0)) / 1000, UTC) for at in places]
    assert [text.split("<br>")[0] for text in labels] == [
        f"{at:%H:%M:%S}"[: len(text.split("<br>")[0])] for at, text in zip(expected, labels, strict=True)
    ]
    assert (page.locator("#multiples .xtick text").first.text_content() or "").startswith(labels[0][:5])
    word = "UTC" if zone == "utc" else "New York"
    assert page.evaluate(f"{SMALL}.layout.annotations.some(({{ text }}) => text.includes('{word}'))")


def test_looking_back_in_one_chart_moves_all_and_stays_until_live(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    first, last = page.evaluate(f"{SMALL}.layout.xaxis.range")
    wanted = [first, (first + last) / 2]
    page.evaluate(f"Plotly.relayout({SMALL}, {{'xaxis.range': {wanted}}})")
    expect(page.locator("#go-live")).to_be_visible()
    running.market.tick("MSFT", 151.0)
    wait_for_lengths(page, len(PRICES), len(PRICES) + 1)
    assert page.evaluate(f"{SMALL}.layout.xaxis.range") == wanted
    page.locator("#go-live").click()
    until(page, f"{SMALL}.layout.xaxis.range[1] > {wanted[1]}")
    expect(page.locator("#go-live")).to_be_hidden()


def test_an_alert_leads_from_the_small_charts_to_its_moment(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=MSFT&symbols=AAPL,MSFT")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    page.locator("#alerts .alert-go", has_text="158.40").click()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    expect(page.locator("#go-live")).to_be_visible()
    assert "symbols=" not in page.url


def test_at_400_px_the_charts_are_stacked(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT", width=400, height=860)
    wait_for_lengths(page, len(PRICES), len(PRICES))
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.evaluate(f"{SMALL}.layout.yaxis2.domain[1] < {SMALL}.layout.yaxis.domain[0]")


def wait_for_head(page: Page, *parts: str) -> None:
    """Wait until the charts' headers contain these parts in this order."""
    pattern = ".*".join(parts)
    until(page, f"/{pattern}/.test(({SMALL}?.layout?.annotations || []).map(({{ text }}) => text).join('|'))")


def test_one_line_at_the_pointers_moment_goes_through_all_charts(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", [2 * price for price in PRICES])
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT")
    wait_for_lengths(page, len(PRICES), len(PRICES))
    place = page.locator("#multiples").bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 0.2 * place["width"], place["y"] + 0.5 * place["height"])
    expect(page.locator(".crosshair")).to_have_count(2)
    first, second = page.locator(".crosshair-label").all_inner_texts()
    moment, price = first.split(" · ")
    other_moment, other_price = second.split(" · ")
    assert price != other_price
    apart = datetime.strptime(moment, "%H:%M:%S") - datetime.strptime(other_moment, "%H:%M:%S")  # noqa: DTZ007
    assert (apart + timedelta(minutes=1)) % timedelta(days=1) < timedelta(minutes=2), "each has ticks of its own"
    under = f"""(() => {{
        const {{ x, y }} = {SMALL}.data[0], at = (t) => new Date(t).toISOString().slice(11, 19);
        return y[x.findIndex((each) => at(each) === '{moment}')];
    }})()"""
    assert price == f"{page.evaluate(under):.2f}"
    before = page.locator(".crosshair").first.bounding_box()
    running.market.tick("MSFT", 301.0)
    wait_for_lengths(page, len(PRICES), len(PRICES) + 1)
    after = page.locator(".crosshair").first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["x"] - after["x"]) < 3, "it stays at the pointer's moment"
    page.mouse.move(10, 500)
    expect(page.locator(".crosshair")).to_have_count(0)


def test_the_small_charts_show_which_symbols_are_stale_or_warming_up(running: Running, visit: Visit) -> None:
    running.market.history("MSFT", PRICES)
    running.market.history("AAPL", PRICES[:7], gap=timedelta(seconds=15))  # slow ticks, but fast enough to stay fresh
    page = visit("?symbol=MSFT&symbols=AAPL,MSFT")
    stale = r"No new tick of MSFT for \d+ s\. If more should come, see whether the producer runs: .*producer\.py"
    warming = r"Warming up: of the 20 ticks that all averages need, AAPL has {}\."
    advice = page.locator("#advice-several")
    expect(advice).to_have_text(re.compile(f"^{stale} {warming.format(7)}$"))
    wait_for_head(page, "AAPL", r"MA20 7\/20", "MSFT", "· stale")
    assert page.evaluate("getComputedStyle(document.querySelector('#multiples')).filter") == "none", "MSFT's line alone"
    assert page.evaluate(f"{LINES}.map(({{ opacity }}) => opacity)") == [1, 0.5]
    running.market.tick("AAPL", 151.0)
    running.market.tick("MSFT", 151.0)
    expect(advice).to_have_text(re.compile(f"^{warming.format(8)}$"))


def test_the_small_charts_say_that_the_market_is_closed(running: Running, visit: Visit) -> None:
    weekend = datetime(2013, 10, 5, 15, tzinfo=UTC)
    running.stop()
    running.start(clock=lambda: int(weekend.timestamp() * 1e9))
    running.market.feed.source = "alpha_vantage"
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&symbols=AAPL")
    wait_for_head(page, "AAPL", "· market closed")
    expect(page.locator("#advice-several")).to_have_text(re.compile("^The market is closed"))


def test_a_link_whose_chosen_symbol_has_no_ticks_shows_the_others(
    running: Running, visit: Visit, tmp_path: Path
) -> None:
    page = visit("?symbol=NONE&symbols=AAPL,NONE")
    expect(page.locator("#empty")).to_have_text("No ticks yet. Start the producer: python stock_producer.py")
    running.market.history("AAPL", PRICES)
    wait_for_lengths(page, len(PRICES), 0)
    wait_for_head(page, "AAPL", "NONE", "no tick in this range")
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#multiples")).to_be_visible()
    running.market.tick("AAPL", 151.0)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    wait_for_lengths(page, len(PRICES) + 1, 0)
    rows = saved(page, tmp_path)
    newest = datetime.fromtimestamp(running.writing.latest().time_ns[0] // 10**6 / 1e3, UTC)
    assert datetime.fromisoformat(rows[-1]["time_utc"]) == newest
    running.market.tick("NONE", 7.0)
    wait_for_lengths(page, len(PRICES) + 1, 1)
