"""Tests of signing in, of viewing the page, of what operators may do and viewers may not, and of a session that ends
while its page is open.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import WAIT_MS, Running, Visit
from tests.browser.looks import PRICES, seen, with_anomaly
from tickflow.dashboard import accounts as accounts_module
from tickflow.dashboard.accounts import Accounts

expect.set_options(timeout=2 * WAIT_MS)
VIEWER, OPERATOR = ("vera", "four old words here"), ("otto", "other words of otto")
SIGN_IN = "document.querySelector('#password') !== null"
ACK = re.compile("^Seen: AAPL high")


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    found = Accounts(tmp_path / "users.json")
    found.add_user(VIEWER[0], "viewer", VIEWER[1])
    found.add_user(OPERATOR[0], "operator", OPERATOR[1])
    return found


@pytest.fixture
def running(tmp_path: Path, accounts: Accounts) -> Iterator[Running]:
    assert accounts
    one = Running(tmp_path / "stocks.db", auth="users", auth_users_file=tmp_path / "users.json")
    yield one
    one.close()


@pytest.fixture
def visit(visit: Visit) -> Visit:
    """Allow the error that the browser itself logs for an answer 401 or 403; any other error fails the test."""
    visit.expected = ("the server responded with a status of 40",)
    return visit


def sign_in(page: Page, who: tuple[str, str]) -> None:
    page.get_by_label("Name").fill(who[0])
    page.get_by_label("Password").fill(who[1])
    page.keyboard.press("Enter")


def test_an_open_page_outlives_its_session(running: Running, visit: Visit, accounts: Accounts, rules: str) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL&range=5m", ready=SIGN_IN)
    assert axe.violations(page, rules) == []
    sign_in(page, VIEWER)
    expect(page.locator("#person-name")).to_have_text("vera (viewer)")
    expect(page.locator("#headline-note")).to_have_text("in 5m")
    count = page.locator("#alerts .alert").count()
    page.get_by_role("button", name=ACK).first.click()
    expect(page.locator("#alerts")).to_contain_text("This needs the role operator; you are signed in as a viewer.")
    assert page.locator("#alerts .alert").count() == count
    assert axe.violations(page, rules) == []

    seen(page)  # waits until the chart is drawn
    page.evaluate("window.stillThere = true")
    accounts.add_user(VIEWER[0], "viewer", VIEWER[1])  # a new password ends all sessions
    expect(page.locator("#banner")).to_contain_text("Your session has ended. The page keeps what it shows")
    expect(page.locator("#fresh")).to_have_text("signed out")
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    seen(page)
    assert axe.violations(page, rules) == []

    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in").click()
    again = opened.value
    sign_in(again, OPERATOR)
    expect(again.locator("#person-name")).to_have_text("otto (operator)")
    assert "symbol=AAPL" in again.url
    assert "range=5m" in again.url
    expect(page.locator("#person-name")).to_have_text("otto (operator)")
    expect(page.locator("#banner")).not_to_contain_text("Your session has ended")
    expect(page.locator("#headline-note")).to_have_text("in 5m")
    assert page.evaluate("window.stillThere") is True
    running.market.tick("AAPL", PRICES[-1] + 1)
    expect(page.locator("#headline-price")).to_contain_text(f"{PRICES[-1] + 1:.2f}")
    page.get_by_role("button", name=ACK).first.click()
    expect(page.locator("#alerts .alert")).to_have_count(count - 1)


def test_a_user_signs_in_and_changes_the_password_by_keyboard_and_without_javascript(
    running: Running, visit: Visit
) -> None:
    page = visit(ready=SIGN_IN)
    page.context.new_cdp_session(page).send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.reload()
    sign_in(page, VIEWER)
    expect(page).to_have_url(running.url)
    page.goto(f"{running.url}account")
    expect(page.get_by_text("Signed in as vera.")).to_be_visible()
    page.get_by_label("Current password").focus()
    for typed in (VIEWER[1], "entirely new words", "entirely new words"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("^The new password is set"))


def test_the_name_in_the_header_leads_to_the_account(running: Running, visit: Visit, rules: str) -> None:
    with_anomaly(running)
    for width in (1440, 400):
        page = visit("?symbol=AAPL", ready=SIGN_IN, width=width)
        sign_in(page, VIEWER)
        page.get_by_role("link", name="vera (viewer)").click()
        expect(page.get_by_text("Signed in as vera.")).to_be_visible()
        assert axe.violations(page, rules) == []
        page.get_by_role("link", name="Sign out").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password")).to_be_visible()


def test_another_role_counts_and_shows_while_the_page_is_open(
    running: Running, visit: Visit, tmp_path: Path, rules: str
) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL", ready=SIGN_IN, width=400)
    sign_in(page, VIEWER)
    path = tmp_path / "users.json"
    expect(page.locator("#person-name")).to_have_text("vera (viewer)")
    path.write_text(path.read_text().replace('"viewer"', '"operator"'))
    expect(page.locator("#person-name")).to_have_text("vera (operator)")
    assert axe.violations(page, rules) == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Password")).to_be_visible()
