"""Tests of the chart's tools: crosshair, measuring, price lines, several symbols in one chart."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Market, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, wait_for_rows
from tickflow.alerts.standing import standing

expect.set_options(timeout=2 * WAIT_MS)
CHART = "window.tickflow.chart"


def place_of(page: Page, row: int, price: float) -> tuple[float, float]:
    """The screen coordinates of a row and a price."""
    box = page.locator("#chart").bounding_box()
    assert box is not None
    x, y = page.evaluate(
        f"(({{ shape, picture }}) => [shape.panels.y.x(picture.x[{row}]), shape.panels.y.y({price})])({LOOKS})"
    )
    return box["x"] + x, box["y"] + y


def test_a_drag_with_shift_measures_prices_time_and_volume(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    before = page.evaluate(f"{LOOKS}.range")
    first, last = place_of(page, 20, 150.0), place_of(page, 60, 150.6)
    page.keyboard.down("Shift")
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(*last, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    delta, time, volume = page.evaluate("window.tickflow.tape.said(window.tickflow.chart.view.picture)")
    found = re.fullmatch(r"Δ \+(0\.\d\d) \(\+0\.(\d\d) %\)", delta)
    assert found is not None
    assert float(found[1]) == pytest.approx(0.6, abs=0.03)
    assert time in ("39 s", "40 s", "41 s") or re.fullmatch(r"0 m 4\d s|\d\d s", time)
    assert re.fullmatch(r"volume [\d.]+ ?k? in (39|40|41|42) ticks", volume)
    assert page.evaluate(f"{LOOKS}.range") == before, "a measuring drag moves nothing"
    page.mouse.click(*first)
    assert page.evaluate("window.tickflow.tape.on()") is False
    page.locator("#measure").click()
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(*last, steps=5)
    page.mouse.up()
    assert page.evaluate("window.tickflow.tape.on()")
    expect(page.locator("#measure")).to_have_attribute("aria-pressed", "false")


def test_a_measurement_agrees_with_the_store(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    picture = f"{CHART}.view.picture"
    found = page.evaluate(
        f"window.tickflow.tape.between({picture}, {{ ms: {picture}.x[10], price: 100 }}, "
        f"{{ ms: {picture}.x[19], price: 99 }})"
    )
    volumes = page.evaluate(f"{picture}.y.volume.slice(10, 20)")
    assert found["ticks"] == 10
    assert found["volume"] == sum(volumes)
    assert (found["delta"], found["percent"]) == (-1, pytest.approx(-1.0))


def test_the_cursor_measures_and_sets_a_line_by_keys(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#cursor-said")).to_contain_text("Δ +0.10 (+0.07 %), 1.00 s, volume")
    page.keyboard.press("h")
    expect(page.locator("#cursor-said")).to_have_text("A line at 150.10")
    until(page, "location.search.includes('lines=150.1')")


def test_a_line_is_kept_and_gives_a_rule_that_the_worker_reads(running: Running, visit: Visit) -> None:
    """The rule fires from the side of the last price."""
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.keyboard.down("Alt")
    page.mouse.click(*place_of(page, 60, 150.3))
    page.keyboard.up("Alt")
    until(page, "/lines=150\\.[23]/.test(location.search)")
    page.locator("#show-levels").click()
    page.locator(".level-price").fill("149.5")
    page.get_by_role("button", name="Add a line").click()
    expect(page.locator("#levels > .layout-list li")).to_have_count(2)
    found = []
    for line in page.locator(".level-alert").all():
        line.click()
        found.append(standing(page.locator(".rule-text").input_value()))
    assert [(each.pattern, each.metric, each.operator) for each in found] == [
        ("AAPL", "price", "<"),
        ("AAPL", "price", ">"),
    ]
    assert found[0].limit == 149.5
    page.keyboard.press("Escape")
    page.goto(running.url + "?symbol=AAPL")
    wait_for_rows(page, 0)
    until(page, "location.search.includes('lines=149.5_150.')")
    other = visit("?symbol=AAPL&lines=151.25")
    wait_for_rows(other, 0)
    assert other.evaluate("window.tickflow.levels.of('AAPL')") == [151.25]
    other.locator("#show-levels").click()
    other.get_by_role("button", name="Remove the line at 151.25").click()
    until(other, "!location.search.includes('lines=')")


def test_the_crosshair_has_a_tag_for_the_price_and_one_for_the_time(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.evaluate("""() => {
        window.written = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
            if (this.canvas.classList.contains("brush-cross")) window.written.push(text);
            return write.call(this, text, ...more);
        };
    }""")
    page.mouse.move(*place_of(page, 60, 150.3))
    until(page, "window.written.some((text) => /^150\\.\\d\\d$/.test(text))")
    until(page, "window.written.some((text) => /^\\d\\d:\\d\\d:\\d\\d$/.test(text))")


def test_the_wheel_on_the_axis_scales_prices_and_a_double_click_resets(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    span = f"(({{ y }}) => y[1] - y[0])({CHART}.view.bounds)"
    before, times = page.evaluate(span), page.evaluate(f"{LOOKS}.range")
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 150)
    page.mouse.wheel(0, 400)
    until(page, f"{span} > {before} * 1.3")
    assert page.evaluate(f"{LOOKS}.range") == times
    page.mouse.dblclick(box["x"] + 300, box["y"] + 150)
    until(page, f"Math.abs({span} - {before}) < 1e-9")


def test_the_overlay_counts_from_the_same_start_as_the_watch_list(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [100.0 + i for i in range(60)])
    running.market.history("MSFT", [400.0, *[404.0] * 29])  # the second symbol begins half a minute later
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT&overlay=1")
    cell = "window.tickflow.multiples.looks().cells[0]"
    until(page, f"{cell}?.lines?.length === 2 && {cell}.lines.every(({{ y }}) => y.length > 1)")
    ends = f"{cell}.lines.map(({{ y }}) => y.at(-1))"
    assert page.evaluate(ends) == pytest.approx([59.0, 1.0])
    running.market.tick("AAPL", 150.0)
    until(page, f"Math.abs(({ends})[0] - 50) < 0.001")
    labels = page.locator("#multiples .annotation-text")
    for symbol, change in (("AAPL", "+50.00 %"), ("MSFT", "+1.00 %")):  # the list may lag by one frame
        expect(page.locator(f"#watch [row-id={symbol}] [col-id=change]")).to_have_text(f"▲ {change}")
        expect(labels.filter(has_text=symbol)).to_have_text(f"{symbol} {change}")
    expect(labels.filter(has_text="since")).to_have_text("in percent since the start of the range")
    page.locator("[data-option=overlay]").click()
    until(page, "window.tickflow.multiples.looks().cells.length === 2")


def test_for_a_day_the_overlay_counts_from_the_previous_close(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 19, 0, tzinfo=UTC))
    for symbol, price in (("AIG", 50.0), ("SPY", 200.0)):
        market.history(symbol, [price] * 20)
    market.wait(timedelta(days=1))
    for symbol, price in (("AIG", 51.0), ("SPY", 199.0)):
        market.history(symbol, [price] * 20)
    page = visit("?symbol=AIG&symbols=AIG,SPY&overlay=1&range=1d")
    labels = page.locator("#multiples .annotation-text")
    expect(labels.filter(has_text="since")).to_have_text("in percent since the previous close")
    expect(labels.filter(has_text="AIG")).to_have_text("AIG +2.00 %")
    expect(labels.filter(has_text="SPY")).to_have_text("SPY −0.50 %")


def test_indicators_are_chosen_from_a_menu_drawn_and_kept_in_the_address(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES * 5)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    panels = f"Object.keys({LOOKS}.shape.panels).length"
    assert page.evaluate(panels) == 4
    page.locator("#show-indicators").click()
    page.locator("#indicators").get_by_label("EMA", exact=True).check()
    page.locator("#indicators [data-of=ema]").fill("9")
    page.locator("#indicators").get_by_label("RSI", exact=True).check()
    page.locator("#indicators").get_by_role("button", name="Close").click()
    until(page, "location.search.includes('ind=ema.9%2Crsi')")
    until(page, f"{panels} === 5")
    found = "window.tickflow.indicators.looks()"
    until(page, f"{found}?.lines?.['ema.9']?.line.some((value) => value > 149)")
    assert page.evaluate(f"{LOOKS}.axes.yaxis5.ticktext") == ["30", "50", "70"]
    newest = page.evaluate(f"{found}.at.at(-1)")
    running.market.tick("AAPL", 190.0)
    until(page, f"{found}.at.at(-1) > {newest} || {found}.lines['ema.9'].line.at(-1) > 152")
    again = visit(page.url.split("/")[-1])
    until(again, f"{panels} === 5 && {found}?.lines?.rsi?.line.length > 0")
