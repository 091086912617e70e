"""Kept backtests on the page: a table per symbol, the curve with its numbers, and links to the alerts' moments."""

import time
from datetime import timedelta

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, wait_for_rows
from tickflow.alerts.kept import CurvePoint, Kept, Raised, Row
from tickflow.dashboard.drawing import clock
from tickflow.errors import StoreUnavailable

expect.set_options(timeout=WAIT_MS)
MINUTE_MS = 60_000


def a_backtest(now_ms: int, source: str = "topic stock-ticks") -> Kept:
    """A backtest of the last two hours with two alerts of MSFT, the newer one 100 minutes ago."""
    raised = [
        Raised("MSFT", now_ms - 110 * MINUTE_MS, "MSFT −0.50 % in 2 s.", False),
        Raised("MSFT", now_ms - 100 * MINUTE_MS, "MSFT +0.42 % in 3 s.", True),
    ]
    row = Row("MSFT", "move", 2, 1, 0.24, 7.22, 1, 2)
    curve = [CurvePoint(0.25, 1, 0.5), CurvePoint(1.0, 2, 1.0), CurvePoint(10.0, 40, 20.0)]
    terms = "move; budget: 1 a day, followed"
    return Kept(now_ms, now_ms - 120 * MINUTE_MS, now_ms, source, terms, 2, 1, 1, [row], raised, curve)


def test_a_kept_backtest_is_read_and_followed_by_keyboard(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES, gap=timedelta(minutes=1))
    now_ms = time.time_ns() // 10**6
    running.acks.keep_backtest(a_backtest(now_ms - 5, "prices.csv"))
    running.acks.keep_backtest(a_backtest(now_ms))
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.get_by_role("button", name="Backtests").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="How often would this have fired?")
    newest = dialog.locator(".backtest[open]")
    expect(newest).to_have_count(1)
    expect(newest.locator("summary")).to_contain_text(": 2 alerts")
    expect(newest).to_contain_text("topic stock-ticks. move; budget: 1 a day, followed. Made ")
    expect(newest.get_by_role("row").nth(1)).to_have_text("MSFTmove22.0 (0.24–7.2)1 of 2")
    expect(newest).to_contain_text("1 symbol without an alert.")
    expect(newest.get_by_role("table", name="Alerts by budget").get_by_role("row").nth(3)).to_have_text("104020.0")
    label = "Alerts per symbol and day by budget: 0.50 at 0.25, 1.0 at 1, 20.0 at 10"
    expect(newest.get_by_role("img", name=label)).to_be_visible()
    page.keyboard.press("Tab")
    expect(newest.get_by_role("link").first).to_be_focused()
    expect(newest.get_by_role("listitem").first).to_contain_text("MSFT +0.42 % in 3 s. Lasted.")
    assert newest.get_by_role("link").first.get_attribute("href") == f"?symbol=MSFT&at={now_ms - 100 * MINUTE_MS}"
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    wall_ms = float(clock.wall_ms(np.array([(now_ms - 100 * MINUTE_MS) * 10**6]))[0])
    until(page, f"{LOOKS}.range?.[0] < {wall_ms} && {wall_ms} < {LOOKS}.range[1]")


def test_a_backtest_is_removed_for_all_readers_or_the_page_says_why_not(
    running: Running, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("The backtests are away for this test.")

    running.market.history("AAPL", PRICES)
    running.acks.keep_backtest(a_backtest(time.time_ns() // 10**6))
    page = visit("?symbol=AAPL")
    page.get_by_role("button", name="Backtests").click()
    with monkeypatch.context() as patch:
        patch.setattr(running.acks, "remove_backtest", away)
        page.get_by_role("button", name="Remove the backtest of").click()
        expect(page.locator("#backtests .layout-trouble")).to_have_text("The backtests are away for this test.")
    page.get_by_role("button", name="Remove the backtest of").click()
    expect(page.locator("#backtests")).to_contain_text("None is kept yet")
    assert running.acks.backtests() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 400])
def test_the_backtests_are_accessible_and_fit(
    running: Running, visit: Visit, rules: str, scheme: str, width: int
) -> None:
    running.market.history("AAPL", PRICES)
    running.acks.keep_backtest(a_backtest(time.time_ns() // 10**6))
    page = visit("?symbol=AAPL", width=width, height=840, scheme=scheme)
    if width == 400:
        page.get_by_role("button", name="Alerts").click()
    page.get_by_role("button", name="Backtests").click()
    expect(page.locator(".backtest[open]")).to_have_count(1)
    assert page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(window.backtests)") <= 0
    assert violations(page, rules) == []
