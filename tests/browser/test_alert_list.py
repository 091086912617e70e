"""The list of alerts: new ones appear, an acknowledgement counts for all readers, a click leads to its moment."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, seen, wait_for_rows, with_anomaly
from tickflow.errors import StoreUnavailable

expect.set_options(timeout=WAIT_MS)


def test_an_acknowledgement_is_permanent_and_shared_by_all_readers(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page, other = visit(), visit("?symbol=AAPL")
    row = page.locator("#alerts .alert").first
    expect(row).to_contain_text("AAPL▲ high")
    expect(row).to_contain_text("158.40 vs MA10 15")
    count = page.locator("#alerts .alert").count()
    page.get_by_role("button", name=re.compile("^Seen: AAPL high")).first.click()
    expect(page.locator("#alerts .alert")).to_have_count(count - 1)
    running.market.tick("AAPL", 150.3)
    expect(other.locator("#alerts .alert")).to_have_count(count - 1)
    page.reload()
    until(page, "document.querySelectorAll('#alerts .chip').length > 0")
    expect(page.locator("#alerts .alert")).to_have_count(count - 1)
    page.locator("#alerts .chip", has_text="All").click()
    expect(page.locator("#alerts .alert.is-acked")).to_have_count(1)


def test_seen_can_be_undone_at_once_and_later_for_all_readers(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page, other = visit(), visit("?symbol=AAPL")
    rows, count = page.locator("#alerts .alert"), "document.querySelectorAll('#alerts .alert').length"
    until(page, f"{count} > 0")
    before = rows.count()
    page.get_by_role("button", name=re.compile("^Seen: AAPL high")).first.click()
    expect(page.locator(".alerts-undo")).to_contain_text("AAPL ▲ high marked as seen.")
    until(other, f"{count} === {before - 1}")
    page.locator(".alerts-undo button").click()
    expect(page.locator(".alerts-undo")).to_be_hidden()
    until(page, f"{count} === {before}")
    until(other, f"{count} === {before}")
    assert running.acks.acknowledged(0) == []
    page.get_by_role("button", name=re.compile("^Seen: AAPL high")).first.click()
    until(page, f"{count} === {before - 1}")
    other.locator("#alerts .chip", has_text="All").click()
    other.get_by_role("button", name=re.compile("^Undo: AAPL high")).click()
    until(page, f"{count} === {before}")
    assert running.acks.acknowledged(0) == []


def test_mark_all_as_seen_asks_first_since_it_acts_for_all_and_can_be_undone(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [*PRICES, 158.0] * 3)
    page = visit()
    count = "document.querySelectorAll('#alerts .alert').length"
    until(page, f"{count} > 2")
    before = page.evaluate(count)
    page.get_by_role("button", name="Mark all as seen").click()
    question = page.get_by_role("dialog", name=f"Mark {before} alerts as seen?")
    expect(question).to_contain_text("for all readers")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    assert page.evaluate(count) == before
    assert running.acks.acknowledged(0) == []
    page.get_by_role("button", name="Mark all as seen").click()
    question.get_by_role("button", name="Mark as seen").click()
    until(page, f"{count} === 0")
    assert len(running.acks.acknowledged(0)) == before
    page.locator(".alerts-undo button").click()
    until(page, f"{count} === {before}")
    assert running.acks.acknowledged(0) == []


def test_a_click_on_an_alert_shows_its_moment_in_the_chart(running: Running, visit: Visit) -> None:
    with_anomaly(running, "MSFT")
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    page.locator("#alerts .alert-go", has_text="158.40").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    expect(page.locator("#go-live")).to_be_visible()
    first, last = seen(page)
    moment = page.evaluate(f"{LOOKS}.marks.find(({{ price }}) => price > 157).x")
    assert (first + last) / 2 == pytest.approx(moment)


def test_a_new_alert_does_not_move_the_list_under_the_reader(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#alerts .alerts-none")).to_have_text("No anomaly yet.")
    running.market.tick("AAPL", 140.0)
    expect(page.locator("#alerts .alert")).to_have_count(1)
    expect(page.locator("#alerts .alerts-count")).to_have_text("1 new")
    expect(page.locator("#alerts .alert")).to_contain_text("▼ low")


def test_an_alert_stays_under_the_pointer_while_others_arrive(running: Running, visit: Visit) -> None:
    for symbol in ("MSFT", "AAPL"):
        running.market.history(symbol, [*PRICES, 158.0] * 10)  # more alerts than the list can show at once
    page = visit()
    row = page.locator("#alerts .alert").first
    row.locator(".alert-ack").hover()
    page.evaluate("window.row = document.querySelector('#alerts .alert')")
    place = "window.row.getBoundingClientRect().top"
    before = page.evaluate(place)
    count = page.locator("#alerts .alert").count()
    running.market.tick("MSFT", *PRICES[:20], 158.0)
    until(page, f"document.querySelectorAll('#alerts .alert').length > {count}")
    page.wait_for_timeout(300)
    assert page.evaluate("window.row.isConnected")
    assert page.evaluate(place) == pytest.approx(before, abs=1)


def test_in_a_short_list_a_click_acts_on_the_row_that_was_pressed(running: Running, visit: Visit) -> None:
    with_anomaly(running, "AAPL")
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=MSFT")
    mine = page.locator("#alerts .alert", has_text="158.40")
    mine.locator(".alert-go").hover()
    before = mine.bounding_box()
    count = page.locator("#alerts .alert").count()
    running.market.tick("MSFT", *PRICES[:20], 140.0)
    expect(page.locator("#alerts .alert")).to_have_count(count + 1)
    assert mine.bounding_box() == pytest.approx(before, abs=1)
    page.mouse.down()
    page.wait_for_timeout(100)
    page.evaluate(
        "document.querySelector('.alerts-list').style.transform = 'translateY(-60px)'"
    )  # has the same effect as moving the pointer
    page.mouse.up()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    page.evaluate("document.querySelector('.alerts-list').style.transform = ''")
    page.mouse.move(900, 500)
    expect(page.locator("#alerts .alert").first).to_contain_text("MSFT")
    until(page, "document.querySelector('.alerts-list').scrollTop === 0")


def test_an_acknowledgement_belongs_to_the_row_that_was_pressed(running: Running, visit: Visit) -> None:
    with_anomaly(running, "AAPL")
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=MSFT")
    page.locator("#alerts .alert", has_text="158.40").locator(".alert-ack").hover()
    page.mouse.down()
    count = page.locator("#alerts .alert").count()
    running.market.tick("AAPL", 158.0)  # a new episode arrives while the button is down
    running.market.tick("MSFT", *PRICES[:20], 140.0)
    expect(page.locator("#alerts .alert")).to_have_count(count + 2)
    page.mouse.up()
    expect(page.locator("#alerts .alert", has_text="158.40")).to_have_count(0)
    expect(page.locator("#alerts .alert")).to_have_count(count + 1)


def test_the_list_reports_when_acknowledgements_are_unknown(
    running: Running, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("The acknowledgements are away for this test.")

    with_anomaly(running)
    with monkeypatch.context() as patch:
        patch.setattr(running.acks, "acknowledged", away)
        page = visit()
        expect(page.locator(".alerts-trouble")).to_have_text(
            "Which alerts have been seen is not known for now: The acknowledgements are away for this test."
        )
        expect(page.locator("#alerts .alert").first).to_be_visible()
        running.market.report()  # on a slow machine, the worker may count as silent by now
        expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator(".alerts-trouble")).to_be_hidden()


def test_a_page_in_the_background_notifies_of_a_new_alert(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit(permissions=["notifications"])
    wait_for_rows(page, 0)
    expect(page.locator(".alerts-bell")).to_be_hidden()
    page.evaluate(
        """() => {
            window.shown = [];
            window.Notification = class extends window.Notification {
                constructor(title, options) {
                    super(title, options);
                    this.onshow = () => window.shown.push(`${title}: ${options.body}`);
                }
            };
        }"""
    )
    running.market.tick("AAPL", 140.0)
    expect(page.locator("#alerts .alert")).to_have_count(1)
    running.market.tick("AAPL", 150.0, 150.1, 150.2, 150.0, 150.1, 150.2)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => true })"
    )  # a headless browser treats all pages as visible
    running.market.tick("AAPL", 163.0)
    until(page, "window.shown.length === 1")
    (hint,) = page.evaluate("window.shown")
    assert re.fullmatch(r"AAPL ▲ high: z \d\.\d\d · 163\.00 vs MA10 15\d\.\d\d", hint)


def test_a_reader_who_was_never_asked_can_enable_notifications(running: Running, visit: Visit) -> None:
    page = visit()
    running.market.history("AAPL", PRICES)
    expect(page.locator(".alerts-bell")).to_have_text("Notify me")


def test_at_400_px_the_alerts_are_a_sheet_with_a_count(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit(width=400, height=860)
    expect(page.locator("#alerts-open")).to_have_text(re.compile(r"Alerts \d"))
    page.locator("#alerts-open").click()
    expect(page.locator("#sheet .alert").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.keyboard.press("Escape")
    expect(page.locator("#sheet")).to_be_hidden()
