"""Tests of odd prices and volumes on the axes and in the list."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, wait_for_rows

expect.set_options(timeout=2 * WAIT_MS)


def test_a_logarithmic_axis_holds_a_price_that_became_ten_times_as_large(running: Running, visit: Visit) -> None:
    running.market.history("SPIKE", [60.0] * 30 + [600.0] * 30)
    page = visit("?symbol=SPIKE&log=1")
    wait_for_rows(page, 0)
    until(page, f"{LOOKS}.axes?.yaxis.type === 'log'")
    top, bottom = page.evaluate(f"(({{ top, bottom, y }}) => [y(600) - top, bottom - y(60)])({LOOKS}.shape.panels.y)")
    assert top > 0
    assert bottom > 0
    assert page.evaluate(f"Math.min(...{LOOKS}.axes.yaxis.tickvals)") > 50


def test_the_labels_of_a_constant_price_differ_and_no_volume_is_a_thousandth(running: Running, visit: Visit) -> None:
    running.market.history("CONST", [10.0] * 60)
    page = visit("?symbol=CONST")
    wait_for_rows(page, 0)
    until(page, f"({LOOKS}.axes?.yaxis.ticktext ?? []).length > 2")
    labels = [label for label in page.evaluate(f"{LOOKS}.axes.yaxis.ticktext") if label]
    assert len(labels) == len(set(labels)) > 1
    assert page.evaluate("[0, 0.5, 999, 1e4, 9.27e8, 1e9].map(window.tickflow.words.volume)") == [
        *("0", "1", "999", "10.0 k", "927 M", "1.0 B")
    ]


def test_a_change_that_reads_zero_has_no_colour_and_no_arrow(running: Running, visit: Visit) -> None:
    running.market.history("STILL", [100.0] * 30 + [99.997])
    page = visit("?symbol=STILL")
    change = page.locator("#watch [row-id=STILL] [col-id=change]")
    expect(change).to_have_text("0.00 %")
    assert "down" not in (change.get_attribute("class") or "")
    expect(page.locator("#headline-change")).to_have_text("0.00 %")
    assert "down" not in (page.locator("#headline-change").get_attribute("class") or "")


def test_no_number_of_the_axis_stands_under_the_tag_of_the_price(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    until(page, f"Boolean({LOOKS}.axes?.yaxis.tickvals)")
    near = page.evaluate(f"""(({{ axes, shape }}) => {{
      const {{ tickvals, ticktext }} = axes.yaxis, {{ y }} = shape.panels.y, tag = y(150);
      return tickvals.map((at, i) => [Math.abs(y(at) - tag), ticktext[i]]);
    }})({LOOKS})""")
    assert any(away < 16 for away, _ in near), "a round price lies under the tag"
    assert all(text == "" for away, text in near if away < 16)


@pytest.mark.parametrize("width", [1440, 400])
def test_the_way_back_to_the_newest_tick_moves_nothing(running: Running, visit: Visit, width: int) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL", width=width)
    wait_for_rows(page, 0)
    until(page, f"Boolean({LOOKS}.shape)")
    places = (
        "['.kinds', '#readout', '#chart'].map((part) => document.querySelector(part).getBoundingClientRect().toJSON())"
    )
    before = page.evaluate(places)
    page.evaluate(f"(([from, to]) => window.tickflow.chart.see(from, (from + to) / 2))({LOOKS}.range)")
    expect(page.locator("#go-live")).to_be_visible()
    assert page.evaluate(places) == before
    page.locator("#go-live").click()
    expect(page.locator("#go-live")).to_be_hidden()
