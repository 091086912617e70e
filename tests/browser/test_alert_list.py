"""The alerts: new, acknowledged for all, and leading to their moment."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import GRAPH, PRICES, seen, with_anomaly

expect.set_options(timeout=WAIT_MS)


def test_an_alert_is_acknowledged_for_good_and_for_all(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page, other = visit(), visit("?symbol=AAPL")
    row = page.locator("#alerts .alert").first
    expect(row).to_contain_text("AAPL▲ high")
    expect(row).to_contain_text("158.40 vs MA10 15")
    count = page.locator("#alerts .alert").count()
    page.get_by_role("button", name=re.compile("^Ack: AAPL high")).first.click()
    expect(page.locator("#alerts .alert")).to_have_count(count - 1)
    running.market.tick("AAPL", 150.3)
    expect(other.locator("#alerts .alert")).to_have_count(count - 1)
    page.reload()
    until(page, "document.querySelectorAll('#alerts .chip').length > 0")
    expect(page.locator("#alerts .alert")).to_have_count(count - 1)
    page.locator("#alerts .chip", has_text="All").click()
    expect(page.locator("#alerts .alert.is-acked")).to_have_count(1)


def test_an_alert_leads_to_its_moment_in_the_chart(running: Running, visit: Visit) -> None:
    with_anomaly(running, "MSFT")
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    page.locator("#alerts .alert-go", has_text="158.40").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    expect(page.locator("#go-live")).to_be_visible()
    first, last = seen(page)
    moment = page.evaluate(f"{GRAPH}.data[0].x[{GRAPH}.data[0].y.findIndex((price) => price > 157)]")
    assert (first + last) / 2 == pytest.approx(moment)


def test_an_anomaly_that_comes_is_a_new_alert_without_losing_the_place(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#alerts .alerts-none")).to_have_text("No anomaly yet.")
    running.market.tick("AAPL", 140.0)
    expect(page.locator("#alerts .alert")).to_have_count(1)
    expect(page.locator("#alerts .alerts-count")).to_have_text("1 new")
    expect(page.locator("#alerts .alert")).to_contain_text("▼ low")


def test_at_400_px_the_alerts_are_a_sheet_with_a_count(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit(width=400, height=860)
    expect(page.locator("#alerts-open")).to_have_text(re.compile(r"Alerts \d"))
    page.locator("#alerts-open").click()
    expect(page.locator("#sheet .alert").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.keyboard.press("Escape")
    expect(page.locator("#sheet")).to_be_hidden()
