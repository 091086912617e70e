"""Price lines become rules: a running worker begins to apply them, and the page lists what they raise."""

import contextlib
import re
import time

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from devtools.process import ServerError
from tests.browser import axe
from tests.browser.conftest import WAIT_MS, Running, Visit
from tests.browser.looks import PRICES, wait_for_rows
from tests.conftest import StartScript
from tests.integration.test_alerts import publish
from tests.loaded_settings import load
from tests.metrics.detectors.oracle import Trade
from tickflow.process import StopEvent
from tickflow.stack import open_log

expect.set_options(timeout=WAIT_MS)

RULE = "AAPL price > 151"


def trade(price: float, ago: float = 0.0) -> Trade:
    return Trade("AAPL", round((time.time() - ago) * 1e6), price, 100)


def test_a_drawn_line_becomes_a_rule_and_the_tick_that_crosses_it_an_alert(
    env: dict[str, str], script: StartScript, reader: BrowserContext, port: int, request: pytest.FixtureRequest
) -> None:
    own = env | {"UPDATE_INTERVAL": "0.5"}
    script("stock_analytics.py", env=own)
    script("stock_dashboard.py", "--dashboard-port", str(port), env=own).wait_for("The page is at")
    log = open_log(load(env), StopEvent())
    log.connect()
    publish(log, [trade(150.0 + number % 2 / 100, 60.0 - number) for number in range(60)])
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{port}/?symbol=AAPL&lines=151")
    wait_for_rows(page, 59)
    page.locator("#show-levels").click()
    page.get_by_role("button", name="Make a rule of the line at 151").click()
    expect(page.locator(".rule-text")).to_have_value(RULE)
    page.get_by_role("button", name="Raise alerts").click()
    expect(page.locator(".rules-list li")).to_contain_text(RULE)
    expect(page.locator(".rules-list li span")).to_have_text(f"{RULE} (local)")  # a worker has begun to apply it
    page.get_by_role("button", name="Close").click()

    publish(log, [trade(150.5), trade(151.5)])
    listed = page.locator(".alerts-list .worth")
    expect(listed).to_have_count(1)
    expect(listed).to_contain_text("price > 151")
    log.close()
    if "INFLUXDB_BUCKET" in env:
        with contextlib.suppress(ServerError):
            request.getfixturevalue("influx").delete_bucket(f"{env['INFLUXDB_BUCKET']}_rules")


def stand(page: Page, *texts: str) -> None:
    expect(page.locator(".rules-list li span")).to_have_text(
        [re.compile(f"^{re.escape(text)} \\(.*no worker has taken it up yet\\)$") for text in texts]
    )


def test_a_rule_is_edited_refused_removed_and_brought_back(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page, other = visit("?symbol=AAPL&lines=100"), visit("?symbol=AAPL")
    for each in (page, other):
        wait_for_rows(each, 0)
        each.locator("#show-levels").click()
    expect(page.locator(".rules-list li")).to_have_text("None stands.")
    page.get_by_role("button", name="Make a rule of the line at 100").click()
    text = page.locator(".rule-text")
    expect(text).to_have_value("AAPL price < 100")
    text.fill("AAPL prize < 100")
    text.press("Enter")
    expect(page.locator(".rules .layout-trouble")).to_contain_text("at character 6, 'prize': expected price")
    expect(text).to_have_value("AAPL prize < 100")
    text.fill("AAPL price <= 99.5")
    text.press("Enter")
    stand(page, "AAPL price <= 99.5")
    expect(page.locator(".rules .layout-trouble")).to_have_text("")
    expect(text).to_have_value("")

    other.get_by_role("button", name="Close").click()
    other.locator("#show-levels").click()
    other.get_by_role("button", name="Remove the rule AAPL price <= 99.5").click()
    expect(other.locator(".rules-list li")).to_have_text("None stands.")
    assert [each.removed for each in running.rules.rules()] == [True]
    other.locator(".rules-undo").get_by_role("button", name="Undo").click()
    stand(other, "AAPL price <= 99.5")
    expect(other.locator(".rules-undo")).to_be_hidden()
    assert [each.removed for each in running.rules.rules()] == [True, False]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_the_dialog_is_for_everybody(running: Running, visit: Visit, rules: str, width: int, scheme: str) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&lines=100_151.25", width=width, scheme=scheme)
    wait_for_rows(page, 0)
    page.locator("#show-levels").click()
    for text in ("AAPL price < 100", "BRK.B volume_15m > 12.5x"):
        page.locator(".rule-text").fill(text)
        page.locator(".rule-text").press("Enter")
        expect(page.locator(".rules-list")).to_contain_text(text)
    page.get_by_role("button", name="Remove the rule AAPL price < 100").click()
    expect(page.locator(".rules-undo")).to_be_visible()
    assert axe.violations(page, rules) == []
    small = page.evaluate(
        """[...document.querySelectorAll('#levels :is(button, input)')].filter((each) => {
             const { width, height } = each.getBoundingClientRect();
             return width < 24 || height < 24;
           }).map((each) => each.className)"""
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#levels").evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
