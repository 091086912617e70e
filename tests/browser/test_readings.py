"""Tests of the texts in the chart: the evidence for an anomaly, the four prices of a candle, the days on the axis."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Market, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, text, wait_for_rows, with_anomaly

expect.set_options(timeout=WAIT_MS)


def point_at(page: Page, row: int, aside_px: float = 0) -> None:
    """Move the pointer to a row of the chart, or `aside_px` to the right of it."""
    until(page, f"Boolean({LOOKS}.shape)")
    across = page.evaluate(f"(({{ shape, picture }}) => shape.panels.y.x(picture.x[{row}]))({LOOKS})")
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + across + 40, box["y"] + 150)
    page.mouse.move(box["x"] + across + aside_px, box["y"] + 150)


def test_the_pointer_near_an_anomaly_reads_its_evidence(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit()
    wait_for_rows(page, 0)
    expect(page.locator("#evidence")).to_be_hidden()
    point_at(page, 60, aside_px=4)
    expect(page.locator("#evidence")).to_have_text(
        re.compile(
            r"Anomaly ▲ high · price 158\.40 · MA10 15\d\.\d\d · volatility \d\.\d{3} · \|z\| \d\.\d\d · "
            r"volume × \d\.\d\d · offset 60 of partition 0"
        )
    )
    point_at(page, 20)
    expect(page.locator("#evidence")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1280, 400])
def test_no_value_stands_alone_in_a_line(running: Running, visit: Visit, width: int) -> None:
    running.market.history("AAPL", [12_345.67 + i % 7 for i in range(120)])
    page = visit("?symbol=AAPL", width=width)
    wait_for_rows(page, 0)
    expect(page.locator("#reading-ma_20")).to_contain_text("12,3")
    lines = Counter(
        page.evaluate("""[...document.querySelectorAll("#readout .reading")]
        .filter((each) => each.offsetParent)
        .map((each) => Math.round(each.getBoundingClientRect().bottom / 8))""")
    )
    assert min(lines.values()) > 1, lines
    ma, band = (page.locator(f".reading-of-{name}").bounding_box() for name in ("ma_20", "band"))
    assert ma is not None
    assert band is not None
    assert band["y"] == pytest.approx(ma["y"], abs=6), "beside the averages"


def test_z_stands_beside_another_value_at_any_width_of_a_phone(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [12_345.67 + i % 7 for i in range(120)])
    page = visit("?symbol=AAPL&candles=1m", width=400)
    wait_for_rows(page, 0)
    for width in range(320, 480, 8):
        page.set_viewport_size({"width": width, "height": 800})
        z, volume = (page.locator(f".reading-of-{name}").bounding_box() for name in ("z_score", "volume"))
        assert z is not None
        assert volume is not None
        assert z["y"] == volume["y"], width
        assert z["x"] + z["width"] <= width


def test_with_candles_the_fixed_line_reads_open_high_low_and_close(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&candles=1m")
    wait_for_rows(page, 0)
    newest = page.evaluate(f"['open', 'high', 'low', 'close'].map((side) => {LOOKS}.picture.y[side].at(-1).toFixed(2))")
    expect(page.locator("#reading-c")).to_have_text(newest[3])
    assert [text(page, f"#reading-{side}") for side in "ohlc"] == newest
    expect(page.locator("#reading-price")).to_be_hidden()
    expect(page.locator("#reading-ma_10")).to_be_visible()
    # The averages are those of candles, as the chart draws them, not those of the newest tick.
    count = page.evaluate(f"{LOOKS}.picture.x.length")
    assert count < 5
    expect(page.locator("#reading-ma_5")).to_have_text(f"{count}/5")
    market = Market(running.writing, day=datetime(2013, 10, 8, 13, 45, tzinfo=UTC))
    market.history("MSFT", [100.0 + at for at in range(40)], gap=timedelta(seconds=20))
    page = visit("?symbol=MSFT&candles=1m&range=all")
    wait_for_rows(page, 8)
    mean = page.evaluate(f"{LOOKS}.picture.y.close.slice(-5).reduce((a, b) => a + b) / 5")
    expect(page.locator("#reading-ma_5")).to_have_text(f"{mean:.2f}")


def test_the_time_axis_marks_the_beginning_of_each_day(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 8, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES, gap=timedelta(minutes=10))
    page = visit("?symbol=AAPL&range=1d")
    wait_for_rows(page, 0)
    begins = page.evaluate(f"{LOOKS}.days.map(({{ at }}) => at)")
    (midnight,) = [datetime.fromtimestamp(begin / 1000, UTC) for begin in begins]
    assert (midnight.day, midnight.hour) == (8, 0)
    assert midnight.minute < 10
    assert page.evaluate(f"{LOOKS}.days.map(({{ day }}) => day)") == ["Oct 8"]
