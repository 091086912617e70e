"""Tests of an exchange's hours on the page: states, shading, an axis without closed hours, and the named time zone."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, wait_for_rows
from tests.fakes import Feed

expect.set_options(timeout=2 * WAIT_MS)
NEW_YORK = ZoneInfo("America/New_York")
USUAL: dict[str, Any] = {
    "age": 1.5,
    "isPeriod": False,
    "isClosed": False,
    "opens": None,
    "isEnded": False,
    "newest": 1_381_175_999_000,
    "isStale": False,
    "lag": 0,
    "source": "simulated",
    "speed": 1,
}
STATES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "live", "live · 1 s"),
    ({"age": None}, "stale", "stale"),
    ({"age": 75, "isStale": True}, "stale", "stale · 1 m"),
    ({"lag": 999}, "live", "live · 1 s"),
    ({"lag": 12_345}, "behind", "behind · 12,345 records"),
    ({"lag": 12_345, "isStale": True, "age": 9}, "stale", "stale · 9 s"),
    ({"source": "replay", "speed": 59.7}, "live", "replay at 60 ×"),
    ({"source": "replay", "speed": 1.02}, "live", "replay · 1 s"),
    ({"source": "replay", "speed": None}, "live", "replay · 1 s"),
    ({"source": "replay", "speed": 60, "isEnded": True}, "ended", "replay ended · 19:59:59 · Oct 7"),
    ({"isEnded": True, "isPeriod": True, "isStale": True}, "past", "past"),
    ({"isClosed": True, "isStale": True}, "closed", "market closed"),
    (
        {"isClosed": True, "opens": 1_381_397_400_000, "source": "alpha_vantage"},
        "closed",
        "market closed until Oct 10, 09:30 ET",
    ),
]


def three_days(running: Running) -> None:
    """One tick per minute from 09:00 to 17:00 on Wednesday, on the half day after Thanksgiving, and on Monday."""
    feed = Feed(gap=timedelta(minutes=1), source="replay")
    rng = np.random.default_rng(2)
    for day in ("2024-11-27", "2024-11-29", "2024-12-02"):
        feed.now = datetime.fromisoformat(f"{day}T09:00").replace(tzinfo=NEW_YORK).astimezone(UTC)
        running.writing.write(feed.points("SPY", np.round(500 + rng.normal(0, 1, 480), 2).tolist()))
    running.market.report(ticked=True)


@pytest.fixture
def page(running: Running, visit: Visit) -> Page:
    three_days(running)
    page = visit("?symbol=SPY&range=all")
    wait_for_rows(page, 3 * 480 - 1)
    return page


def test_the_word_in_the_header_follows_one_table(page: Page) -> None:
    for known, kind, word in STATES:
        assert page.evaluate("(known) => window.tickflow.states.stateOf(known)", USUAL | known) == {
            "kind": kind,
            "word": word,
        }


def test_the_speed_of_a_replay_is_that_of_its_event_time(page: Page) -> None:
    run = """() => {
      const at = (seconds) => window.tickflow.states.speed(1e15 + seconds * 60e6, 1e9 + seconds * 1000);
      return [at(0), at(2), at(4), at(6), at(30), window.tickflow.states.speed(5, 2e9)];
    }"""
    early, soon, *rates, other = page.evaluate(run)
    assert (early, soon, other) == (None, None, None)
    assert rates == pytest.approx([60, 60, 60])


def test_the_session_is_named_and_closed_hours_are_shaded(page: Page) -> None:
    expect(page.locator("#headline-session")).to_have_text(
        re.compile(r"^Prev\. close 5\d\d\.\d\d|^Prev\. close 49\d\.\d\d")
    )
    expect(page.locator("#headline-session")).to_contain_text("VWAP")
    shaded = page.evaluate("window.tickflow.hours.closed(window.tickflow.chart.looks().range)")
    assert sum(each["isNear"] for each in shaded) >= 6
    assert [each for each in shaded if not each["isNear"]]


def test_closed_hours_can_be_hidden(page: Page) -> None:
    page.locator("[data-option=trading]").click()
    until(page, f"window.tickflow.hours.isTrading() && {LOOKS}.picture.x.length === 390 + 210 + 390")
    assert "trading=1" in page.url
    apart = page.evaluate(
        f"(({{ picture, shape }}) => picture.x.slice(1).map((x, i) => "
        f"shape.panels.y.x(x) - shape.panels.y.x(picture.x[i])))({LOOKS})"
    )
    assert min(apart) > 0
    assert max(apart) < 1.5 * min(apart)
    moments = page.evaluate(
        f"(({{ shape, picture }}) => picture.x.map((x) => shape.ms(shape.panels.y.x(x)) - x))({LOOKS})"
    )
    assert np.abs(moments).max() < 1
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.wheel(0, -300)
    until(page, f"{LOOKS}.picture.covers[0] <= {LOOKS}.range[0] && {LOOKS}.loading === null")
    inside = page.evaluate(f"{LOOKS}.range.every((ms) => window.tickflow.hours.isOpen(ms))")
    assert inside


def test_averages_across_a_night_are_marked(page: Page) -> None:
    first = page.evaluate(
        f"(({{ picture }}) => picture.x.findIndex((x, i) => i && x - picture.x[i - 1] > 3_600_000))({LOOKS})"
    )
    assert first == 480
    nights = "(row) => [5, 10, 20].map((length) => window.tickflow.chart.values(row).isOverNight(length))"
    begin = 480 + 30  # 09:30
    assert page.evaluate(nights, begin + 3) == [True, True, True]
    assert page.evaluate(nights, begin + 7) == [False, True, True]
    assert page.evaluate(nights, begin + 19) == [False, False, False]


def test_the_zone_is_chosen_and_always_named(page: Page) -> None:
    expect(page.locator("#reading-time")).to_have_text("16:59:00 ET")
    page.locator("#zone").select_option("utc")
    expect(page.locator("#reading-time")).to_have_text("21:59:00 UTC")
    assert "zone=utc" in page.url
    page.locator("#zone").select_option("local")
    expect(page.locator("#reading-time")).to_have_text(re.compile(r"^\d\d:59:00 local$"))
    page.locator("#zone").select_option("exchange")
    expect(page.locator("#reading-time")).to_have_text("16:59:00 ET")
    assert "zone" not in page.url


def test_no_number_is_cut_in_the_list(running: Running, visit: Visit) -> None:
    for number, price in enumerate((0.000001139, 0.00123456, 1.5, 228.33, 1_234.56, 125_704.98, 10_365_925.0, 3.2e9)):
        running.market.history(f"S{number}", [price * 0.9] * 20 + [price])
    page = visit("?symbol=S0&range=15m")
    expect(page.locator("#watch .ag-cell[col-id=price]")).to_have_count(8)
    cut = """() => [...document.querySelectorAll("#watch .ag-cell")].filter((cell) => cell.offsetParent &&
      !cell.querySelector("svg") && cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"""
    assert page.evaluate(cut) == []
    assert page.locator("#watch .ag-cell[col-id=price]").first.inner_text() == "0.0₅1139"


@pytest.mark.parametrize("silent_s", [0, 20])
def test_ages_agree_in_header_list_and_foot_line(running: Running, visit: Visit, silent_s: int) -> None:
    running.market.history("AAPL", [150.0] * 20)
    running.market.history("MSFT", [300.0] * 20)
    running.market._processed = time.time_ns() - silent_s * 10**9
    running.market.report()
    page = visit("?symbol=AAPL&range=15m&view=overview")
    expect(page.locator("#watch .ag-cell[col-id=event_us]")).to_have_count(2)
    ages = """() => {
      const seconds = (text) => {
        const [, count, unit] = /(\\d+) ([smh])(?![a-z])/.exec(text) ?? [];
        return Number(count) * { s: 1, m: 60, h: 3600 }[unit];
      };
      const row = document.querySelector("#watch [row-id=AAPL] [col-id=event_us]");
      return [document.getElementById("fresh"), row, document.getElementById("truth")].map(
        (each) => seconds(each.textContent));
    }"""
    for _ in range(3):
        running.market.report()
        page.wait_for_timeout(700)
        found = page.evaluate(ages)
        assert max(found) - min(found) <= (1 if max(found) < 60 else 60), found  # ages change once a second
        assert all(each >= silent_s for each in found), found  # a missing age is NaN
