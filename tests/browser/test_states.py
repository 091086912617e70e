"""Tests of the state that the page shows: live, stale, held up, gone, empty, warming up, and the source of its data."""

import itertools
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import UPDATE_INTERVAL, WAIT_MS, Market, Running, Visit, until
from tests.browser.looks import PRICES, Ticking, drawn, text, wait_for_refreshes, wait_for_rows
from tickflow.errors import StoreError, StoreMisconfigured, StoreUnavailable
from tickflow.store.deadline import too_slow

expect.set_options(timeout=WAIT_MS)


def test_the_store_goes_and_comes_back_without_a_reload(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    expect(page.locator("#banner")).to_be_hidden()
    page.evaluate("window.stillThere = true")
    running.store.failure = StoreUnavailable("The store is away for this test.")
    expect(page.locator("#banner")).to_have_text("The store is away for this test. Trying again every 0.5 s.")
    expect(page.locator("#fresh")).to_have_text("store down")
    assert drawn(page) == len(PRICES), "the last that is known stays, greyed"
    assert page.evaluate("getComputedStyle(document.querySelector('#chart')).filter") == "grayscale(1)"
    page.locator("#range").get_by_text("5m", exact=True).click()
    expect(page.locator("#empty")).to_have_text("Nothing to show until the store answers.")
    running.store.failure = None
    running.market.tick("AAPL", 152.5)
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#headline-price")).to_have_text("152.50")
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    wait_for_rows(page, 0)
    assert page.evaluate("window.stillThere") is True


@pytest.mark.parametrize(
    ("failure", "word"),
    [(too_slow(), "store slow"), (StoreMisconfigured("The token was revoked for this test."), "store refuses")],
)
def test_a_store_that_is_slow_or_refuses_is_not_called_down(
    running: Running, visit: Visit, failure: StoreError, word: str
) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    running.store.failure = failure
    expect(page.locator("#fresh")).to_have_text(word)
    expect(page.locator("#banner")).to_contain_text(str(failure))


def test_the_overview_also_shows_that_the_store_is_away(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?view=overview")
    until(page, "document.querySelectorAll('.ag-row').length > 0")
    running.store.failure = StoreUnavailable("The store is away for this test.")
    expect(page.locator("#banner-overview")).to_have_text("The store is away for this test. Trying again every 0.5 s.")
    expect(page.locator("#banner-overview")).to_be_visible()
    page.locator("#overview").click()
    expect(page.locator("#banner-overview")).to_be_hidden()
    expect(page.locator("#banner")).to_be_visible()


def test_the_state_is_stale_when_ticks_stop_and_live_when_they_resume(
    running: Running, visit: Visit, ticking: Ticking
) -> None:
    ticking()
    page = visit()
    expect(page.locator("#fresh")).to_have_text(re.compile(r"live · [012] s"))
    ticking()
    running.market.report()
    expect(page.locator("#fresh")).to_have_text(re.compile(r"stale · \d s"), timeout=8_000)
    expect(page.locator("#advice")).to_have_text(re.compile(r"No new tick of AAPL for \d+ s\. .* stock_producer\.py"))
    assert page.evaluate("document.body.dataset.fresh") == "stale"
    running.market.tick("AAPL", 155.0)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))


def test_a_worker_without_a_tick_since_its_start_gets_advice_on_the_page(running: Running, visit: Visit) -> None:
    running.writing.write(running.market.feed.points("AAPL", PRICES))
    running.market.report()
    page = visit()
    expect(page.locator("#fresh")).to_have_text("stale")
    expect(page.locator("#advice")).to_have_text(
        re.compile(r"^No tick of AAPL since the worker started\. .* stock_producer\.py")
    )


def test_a_running_count_is_not_announced_every_second(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#said")).to_have_text(re.compile(r"No new tick of AAPL for \d+ s\."), timeout=8_000)
    page.evaluate("""() => {
        window.said = [];
        const lively = document.querySelectorAll("[role=alert], [role=status]:not([aria-live=off])");
        const heard = new MutationObserver((all) => window.said.push(...all.map(({ target }) => target.textContent)));
        for (const each of lively) heard.observe(each, { childList: true, characterData: true, subtree: true });
    }""")
    before = text(page, "#advice")
    expect(page.locator("#advice")).not_to_have_text(before)
    assert page.evaluate("window.said") == []


def test_a_page_whose_first_drawing_failed_requests_it_again(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    visit.expected = ("ERR_FAILED", "server did not respond")
    page = visit("?symbol=AAPL")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if not lost and '"drawing.data"' in (route.request.post_data or ""):
            lost.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile("_dash-update-component"), lose)
    page.reload()
    wait_for_rows(page, 0)
    assert len(lost) == 1


def test_a_watch_list_whose_script_failed_to_load_comes_later(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    visit.expected = ("ERR_FAILED",)
    page = visit("?symbol=AAPL")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if len(lost) < 2:
            lost.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile("/dash_ag_grid/dash_ag_grid"), lose)
    page.reload()
    wait_for_rows(page, 0)
    expect(page.locator("#watch .ag-row")).to_have_count(1)
    assert len(lost) == 2


def test_the_page_shows_when_the_worker_is_gone_or_held_up(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.report(held_up_by="InfluxDB does not answer")
    page = visit()
    expect(page.locator("#banner")).to_have_text("The worker waits: InfluxDB does not answer")
    running.market.lives = False
    expect(page.locator("#banner")).to_have_text(
        re.compile(r"No worker has reported for \d+ s. Start it: python stock_analytics.py")
    )


def test_the_page_reports_a_dashboard_that_ended_and_reconnects(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    visit.expected = ("ERR_", "server did not respond")  # errors that the browser and Dash log while the server is down
    wait_for_rows(page, 0)
    running.stop()
    expect(page.locator("#fresh")).to_have_text("no answer", timeout=20_000)
    expect(page.locator("#banner")).to_have_text(re.compile("is it still running?"))
    page.locator("#range").get_by_text("5m", exact=True).click()
    running.start()
    running.market.tick("AAPL", 158.0)
    expect(page.locator("#headline-price")).to_have_text("158.00")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#headline-note")).to_have_text("in 5m")  # a choice made during the outage is drawn too


def test_a_page_without_an_answer_asks_again_as_often_as_it_says(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    visit.expected = ("ERR_", "server did not respond")
    wait_for_rows(page, 0)
    running.stop()
    banner = page.locator("#banner")
    expect(banner).to_have_text(re.compile("has not answered"), timeout=20_000)
    asked: list[float] = []
    page.on("request", lambda request: asked.append(time.monotonic()) if "_dash-update" in request.url else None)
    deadline = time.monotonic() + WAIT_MS / 1000
    while len(asked) < 3:
        assert time.monotonic() < deadline, "the page does not ask again"
        page.wait_for_timeout(200)
    said = re.search(r"asked again every (\d+) s", banner.inner_text())
    assert said is not None
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert sum(gaps) / len(gaps) == pytest.approx(int(said[1]), abs=1.5), gaps


def test_an_empty_store_shows_advice_and_then_the_first_ticks(running: Running, visit: Visit) -> None:
    page = visit()
    expect(page.locator("#empty")).to_have_text("No ticks yet. Start the producer: python stock_producer.py")
    expect(page.locator("#fresh")).to_have_text("no data")
    running.market.tick("AAPL", 150.0)
    wait_for_rows(page, 0)
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")


def test_an_empty_page_shows_the_notice_of_the_worker(running: Running, visit: Visit) -> None:
    running.market.report(notice="all 3,000 records refused, to stock-ticks.dlq (key_missing 3,000).")
    page = visit()
    words = "all 3,000 records refused, to stock-ticks.dlq (key_missing 3,000)."
    expect(page.locator("#empty")).to_have_text(f"No ticks yet. The worker reports: {words}")
    running.market.report(held_up_by="InfluxDB does not answer")
    expect(page.locator("#empty")).to_have_text("No ticks yet. The worker waits: InfluxDB does not answer")
    running.market.report()
    expect(page.locator("#empty")).to_have_text(re.compile("The worker runs and has nothing to read. Start the prod"))


def test_warm_up_is_counted_not_invented(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [150.0, 151.0, 150.5, 150.0, 151.0, 152.0, 151.0])
    page = visit()
    expect(page.locator("#reading-ma_20")).to_have_text("7/20")
    expect(page.locator("#reading-volatility")).to_have_text("7/10")
    expect(page.locator("#reading-ma_5")).to_have_text("150.90")
    running.market.tick("AAPL", 151.0)
    expect(page.locator("#reading-ma_20")).to_have_text("8/20")
    expect(page.locator("#advice")).to_have_text("Warming up: 8 of the 20 ticks have come that all averages need.")


def test_a_replay_of_2013_is_live_and_marked(running: Running, visit: Visit, ticking: Ticking) -> None:
    running.market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#badge")).to_have_text("REPLAY")
    ticking()  # in case the page took long to open
    expect(page.locator("#fresh")).to_have_text(re.compile(r"^replay (· [012] s|at \d+ ×)"))
    expect(page.locator("#fresh")).to_have_attribute("data-kind", "live")
    expect(page.locator("#truth")).to_have_text(re.compile("Last tick Oct 7, 2013, 09:4"))
    assert "ago" not in text(page, "#truth")


def test_a_live_source_is_not_stale_while_its_market_is_closed(running: Running, visit: Visit) -> None:
    weekend = datetime(2013, 10, 5, 15, tzinfo=UTC)
    running.stop()
    running.start(clock=lambda: int(weekend.timestamp() * 1e9))
    running.market.feed.source = "alpha_vantage"
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#badge")).to_have_text("ALPHA VANTAGE")
    expect(page.locator("#fresh")).to_have_text(re.compile("^market closed until "))
    expect(page.locator("#advice")).to_have_text(re.compile("The market is closed"))
    assert page.evaluate("getComputedStyle(document.querySelector('#chart')).filter") == "none"


def test_simulated_data_is_marked(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    for width in (1440, 400):
        badge = visit(width=width).locator("#badge")
        expect(badge).to_have_text("SIMULATED")
        expect(badge).to_be_in_viewport(ratio=1)


def test_the_page_keeps_refreshing_while_answers_are_slow(
    running: Running, visit: Visit, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If every answer takes longer than the interval, the page must not discard them all."""
    running.market.history("AAPL", PRICES)
    latest = running.store.latest

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(3 * UPDATE_INTERVAL)
        return latest(*arguments, **named)

    page = visit()
    wait_for_rows(page, 0)
    monkeypatch.setattr(running.store, "latest", slow)
    ticking()
    wait_for_refreshes(page, 2)
