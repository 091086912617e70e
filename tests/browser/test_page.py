"""The chart shows what it should, and keeps the reader's zoom and choices."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS, Market, Running, Visit, until
from tests.browser.looks import (
    LOOKS,
    PRICES,
    Ticking,
    column,
    drawn,
    seen,
    text,
    wait_for_refreshes,
    wait_for_rows,
    written,
)

expect.set_options(timeout=WAIT_MS)


def test_the_price_moves_when_ticks_come(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    expect(page.locator("#headline-price")).to_have_text("150.00")
    assert drawn(page) == len(PRICES)
    running.market.tick("AAPL", 163.21)
    expect(page.locator("#headline-price")).to_have_text("163.21")
    expect(page.locator("#reading-price")).to_have_text("163.21")
    expect(page.locator("#headline-change")).to_have_text("▲ +8.81 %")
    expect(page.locator(".watch [col-id=price]").last).to_have_text("163.21")
    assert drawn(page) == len(PRICES) + 1
    expect(page).to_have_title("AAPL 163.21 ▲ +8.81 % · Tickflow")


def test_the_chart_is_drawn_before_dash_has_run_its_callbacks_and_only_once(running: Running, visit: Visit) -> None:
    """Dash's own way to the first drawing takes a third of the time until then."""
    noting = """
      new MutationObserver(() => {
        if (window.atFirst || !document.querySelector("#chart .js-plotly-plot")) return;
        const picture = window.tickflow.chart.looks().picture;
        window.atFirst = { fresh: document.getElementById("fresh").textContent, picture };
      }).observe(document, { childList: true, subtree: true });
    """
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL", script=noting)
    wait_for_rows(page, 0)
    assert page.evaluate("window.atFirst.fresh") == "connecting"
    assert page.evaluate("document.getElementById('fresh').textContent") != "connecting"
    assert page.evaluate(f"window.atFirst.picture === {LOOKS}.picture"), "Dash's answer draws the chart again"
    assert page.locator("#chart-section.waiting").count() == 0


def test_zoom_back_in_time_and_hidden_lines_survive_refreshes(running: Running, visit: Visit, ticking: Ticking) -> None:
    running.market.history("AAPL", PRICES)
    ticking()
    page = visit()
    wait_for_rows(page, len(PRICES))
    page.locator("[data-trace=MA5]").click()
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    for _ in range(4):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(100)
    expect(page.locator("#go-live")).to_be_visible()
    page.wait_for_timeout(1000)
    before = seen(page)
    prices = page.evaluate(f"{LOOKS}.axes.yaxis.range")
    wait_for_refreshes(page)
    assert seen(page) == pytest.approx(before)
    assert page.evaluate(f"{LOOKS}.axes.yaxis.range") == prices
    assert page.evaluate("window.tickflow.chart.view.hidden.has('MA5')")
    assert page.locator("[data-trace=MA5]").get_attribute("aria-pressed") == "false"
    page.locator("#go-live").click()
    until(page, f"{LOOKS}.range[1] > {before[1]} + 5000")
    assert page.evaluate("window.tickflow.chart.view.hidden.has('MA5')")
    expect(page.locator("#go-live")).to_be_hidden()


def test_each_label_of_an_axis_stands_at_its_value_and_none_is_cut(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    until(page, f"Boolean({LOOKS}.axes)")
    texts = {(text, round(y)): x for text, x, y, _ in written(page)}
    right, places = page.evaluate(f"""(({{ axes, shape }}) => [shape.right, Object.entries(shape.panels).flatMap(
      ([name, {{ y }}]) => {{
        const {{ tickvals, ticktext }} = axes[`yaxis${{name.slice(1)}}`];
        return tickvals.map((at, i) => [ticktext[i], y(at)]);
      }})])({LOOKS})""")
    assert len(places) > 10
    for label, y in places:
        assert texts[(label, round(y + 0.35 * 11))] == right + 1
    # a time at the left edge of the chart would be cut: it has no label, and the others have one
    first, foot = page.evaluate(f"(({{ axes, shape }}) => [axes.xaxis.tickvals[0], shape.bottom])({LOOKS})")
    page.evaluate(f"window.tickflow.chart.see({first}, {first} + 120_000)")
    until(page, f"{LOOKS}.axes.xaxis.tickvals[0] === {LOOKS}.range[0]")
    below = [text for text, _, y, _ in written(page) if y > foot and re.fullmatch(r"\d\d:\d\d(:\d\d)?", text)]
    times = [text.split("<br>")[0] for text in page.evaluate(f"{LOOKS}.axes.xaxis.ticktext")]
    assert below == times[1:]


def test_scroll_selection_and_focus_survive_ten_refreshes(running: Running, visit: Visit, ticking: Ticking) -> None:
    for number in range(20):
        running.market.history(f"S{number:02}", PRICES[:5])
    running.market.history("AAPL", [*PRICES, 158.0] * 6)
    ticking()
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    grid, alerts = "document.querySelector('.watch .ag-body-viewport')", "document.querySelector('.alerts-list')"
    until(page, f"{grid} !== null && {alerts} !== null")
    page.evaluate(f"{grid}.scrollTop = 150; {alerts}.scrollTop = 100")
    page.locator(".alert-go").nth(4).focus()
    page.wait_for_timeout(300)
    state = f"[{grid}.scrollTop, document.activeElement.dataset.key]"
    before, read = page.evaluate(state), page.evaluate(f"{alerts}.scrollTop")
    assert read > 0
    wait_for_refreshes(page, 10)
    assert page.evaluate(state) == before
    assert page.evaluate(f"{alerts}.scrollTop") >= read, "more, by as much as new alerts push it down"
    expect(page.locator(".watch .ag-row-selected")).to_have_attribute("row-id", "AAPL")


def test_a_new_drawing_keeps_zoom_and_hidden_lines(running: Running, visit: Visit) -> None:
    """A late tick cannot be appended, so the figure is redrawn, with the reader's zoom and choices."""
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.locator("[data-trace=MA20]").click()
    first, last = seen(page)
    wanted = [first + (last - first) * part for part in (0.2, 0.6)]
    page.evaluate(f"window.tickflow.chart.see(...{wanted})")
    expect(page.locator("#go-live")).to_be_visible()
    running.market.tick("AAPL", 149.0, ago=timedelta(seconds=10, milliseconds=500))
    wait_for_rows(page, len(PRICES))
    assert seen(page) == pytest.approx(wanted)
    assert page.evaluate("window.tickflow.chart.view.hidden.has('MA20')")
    times = page.evaluate(f"{LOOKS}.picture.x")
    assert times == sorted(times)


def test_the_view_follows_the_newest_tick(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    before = seen(page)
    running.market.feed.now += timedelta(minutes=5)
    running.market.store.write(running.market.feed.points("AAPL", [151.0]))
    running.market.report(ticked=True)
    wait_for_rows(page, len(PRICES))
    after = seen(page)
    assert after[1] > before[1]
    assert after[1] >= page.evaluate(f"{LOOKS}.picture.x.at(-1)")


def test_the_pointer_reads_values_in_the_fixed_line_with_utc(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    newest = text(page, "#reading-time")
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    expect(page.locator("#reading-time")).not_to_have_text(newest)
    eastern, utc = text(page, "#reading-time"), text(page, "#reading-utc")
    assert eastern.endswith(" ET")
    assert int(utc[:2]) - int(eastern[:2]) == 4
    assert page.locator("#chart .hovertext").count() == 0, "no box covers the chart"


def test_a_long_range_is_thinned_but_keeps_its_anomalies(running: Running, visit: Visit) -> None:
    prices = [150 + (i % 5) * 0.01 + (30 if i == 3_333 else 0) for i in range(8_000)]
    running.market.history("AAPL", prices, gap=timedelta(milliseconds=100))
    page = visit("?symbol=AAPL&range=all")
    wait_for_rows(page, 0)
    assert drawn(page) == 8_000
    assert len(column(page, "high")) < 1_500
    assert max(column(page, "high")) == 150 + (3_333 % 5) * 0.01 + 30
    assert page.evaluate(f"{LOOKS}.marks.some(({{ price }}) => price > 180)")


def test_an_open_page_drops_ticks_long_before_its_range(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES, gap=timedelta(seconds=2))
    page = visit("?range=5m")
    wait_for_rows(page, 0)
    assert drawn(page) == len(PRICES)
    # The page keeps 375 s, that is the range and a quarter. The jump takes up 200 s, and 175 s have ticks 2 s apart.
    later = datetime.now(UTC) + timedelta(seconds=200)
    running.store.write(running.market.feed.points("AAPL", [163.21], at=later))
    expect(page.locator("#headline-price")).to_have_text("163.21")
    until(page, f"{LOOKS}.picture.x.length < {len(PRICES)}")
    assert drawn(page) == pytest.approx(80, abs=16), "a slow machine skips more frames"
    assert len(column(page, "volume")) == len(column(page, "ma_5")) == drawn(page)
    expect(page.locator("#summary")).to_contain_text(f"{drawn(page)} ticks")
