import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import UPDATE_INTERVAL, WAIT_MS, Market, Running, Visit, until
from tickflow.errors import StoreUnavailable

GRAPH = "document.querySelector('#chart .js-plotly-plot')"
PRICES = [150 + (i % 7) * 0.1 for i in range(120)]
Ticking = Callable[[], None]

expect.set_options(timeout=WAIT_MS)


def drawn(page: Page) -> int:
    """How many rows the chart shows."""
    count: int = page.evaluate(f"{GRAPH}?.data?.[0]?.x?.length ?? 0")
    return count


def seen(page: Page) -> list[float]:
    """The part of time in sight, in ms."""
    bounds = f"{GRAPH}.layout.xaxis.range.map((b) => typeof b === 'number' ? b : Date.parse(b.replace(' ', 'T') + 'Z'))"
    return page.evaluate(bounds)  # type: ignore[no-any-return]  # two numbers


def wait_for_rows(page: Page, more_than: int) -> None:
    until(page, f"({GRAPH}?.data?.[0]?.x?.length ?? 0) > {more_than}")


def wait_for_refreshes(page: Page, count: int = 5) -> None:
    """Wait until the chart has been extended so many times, as it is while ticks come."""
    for _ in range(count):
        wait_for_rows(page, drawn(page))


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def test_the_price_moves_when_ticks_come(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#headline-price")).to_have_text("150.00")
    wait_for_rows(page, 0)
    assert drawn(page) == len(PRICES)
    running.market.tick("AAPL", 163.21)
    expect(page.locator("#headline-price")).to_have_text("163.21")
    expect(page.locator("#reading-price")).to_have_text("163.21")
    expect(page.locator("#headline-change")).to_have_text("▲ +8.81 %")
    expect(page.locator(".watch [col-id=price]").last).to_have_text("163.21")
    assert drawn(page) == len(PRICES) + 1
    assert page.title() == "Tickflow"


def test_zoom_back_in_time_and_hidden_lines_survive_refreshes(running: Running, visit: Visit, ticking: Ticking) -> None:
    running.market.history("AAPL", PRICES)
    ticking()
    page = visit()
    wait_for_rows(page, len(PRICES))
    page.locator("[data-trace=MA5]").click()
    box = page.locator("#chart .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    for _ in range(4):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(100)
    expect(page.locator("#go-live")).to_be_visible()
    page.wait_for_timeout(1000)
    before = seen(page)
    prices = page.evaluate(f"{GRAPH}.layout.yaxis.range")
    wait_for_refreshes(page)
    assert seen(page) == pytest.approx(before)
    assert page.evaluate(f"{GRAPH}.layout.yaxis.range") == prices
    assert page.evaluate(f"{GRAPH}.data[1].visible") is False
    assert page.locator("[data-trace=MA5]").get_attribute("aria-pressed") == "false"
    page.locator("#go-live").click()
    until(page, f"{GRAPH}.layout.xaxis.range[1] > {before[1]} + 5000")
    assert page.evaluate(f"{GRAPH}.data[1].visible") is False
    expect(page.locator("#go-live")).to_be_hidden()


def test_a_drawing_made_anew_keeps_zoom_and_hidden_lines(running: Running, visit: Visit) -> None:
    """A late tick cannot be added at the end: the figure is drawn again, as the reader had it."""
    running.market.history("AAPL", PRICES)
    page = visit()
    page.locator("[data-trace=MA20]").click()
    first, last = seen(page)
    wanted = [first + (last - first) * part for part in (0.2, 0.6)]
    page.evaluate(f"Plotly.relayout({GRAPH}, {{'xaxis.range': {wanted}}})")
    expect(page.locator("#go-live")).to_be_visible()
    running.market.tick("AAPL", 149.0, ago=timedelta(seconds=10, milliseconds=500))
    wait_for_rows(page, len(PRICES))
    assert seen(page) == pytest.approx(wanted)
    assert page.evaluate(f"{GRAPH}.data[3].visible") is False
    times = page.evaluate(f"{GRAPH}.data[0].x")
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
    assert after[1] >= page.evaluate(f"{GRAPH}.data[0].x.at(-1)")


def test_the_store_goes_and_comes_back_without_a_reload(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#banner")).to_be_hidden()
    page.evaluate("window.stillThere = true")
    running.store.failure = StoreUnavailable("The store is away for this test.")
    expect(page.locator("#banner")).to_have_text("The store is away for this test. Trying again every 0.5 s.")
    expect(page.locator("#fresh")).to_have_text("store down")
    assert drawn(page) == len(PRICES), "the last that is known stays, greyed"
    assert page.evaluate("getComputedStyle(document.querySelector('.figure')).filter") == "grayscale(1)"
    page.locator("#range").get_by_text("5m", exact=True).click()
    expect(page.locator("#empty")).to_have_text("Nothing to show until the store answers.")
    running.store.failure = None
    running.market.tick("AAPL", 152.5)
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#headline-price")).to_have_text("152.50")
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    wait_for_rows(page, 0)
    assert page.evaluate("window.stillThere") is True


def test_it_says_stale_when_ticks_stop_and_live_when_they_go_on(
    running: Running, visit: Visit, ticking: Ticking
) -> None:
    ticking()
    page = visit()
    expect(page.locator("#fresh")).to_have_text(re.compile(r"live · [012] s"))
    ticking()
    running.market.report()
    expect(page.locator("#fresh")).to_have_text(re.compile(r"stale · \d s"), timeout=8_000)
    assert page.evaluate("document.body.dataset.fresh") == "stale"
    running.market.tick("AAPL", 155.0)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))


def test_it_says_when_the_analytics_is_gone_or_held_up(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.report(held_up_by="InfluxDB does not answer")
    page = visit()
    expect(page.locator("#banner")).to_have_text("The analytics waits: InfluxDB does not answer")
    expect(page.locator("#banner")).to_have_text(
        re.compile(r"The analytics has not reported for 1\d s. Start it: python stock_analytics.py"), timeout=20_000
    )


def test_a_dashboard_that_ends_is_told_and_found_again(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    visit.expected = ("ERR_", "server did not respond")  # what the browser and Dash log while it is away
    wait_for_rows(page, 0)
    running.stop()
    expect(page.locator("#fresh")).to_have_text("no answer", timeout=20_000)
    expect(page.locator("#banner")).to_have_text(re.compile("is it still running?"))
    page.locator("#range").get_by_text("5m", exact=True).click()
    running.start()
    running.market.tick("AAPL", 158.0)
    expect(page.locator("#headline-price")).to_have_text("158.00")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#headline-note")).to_have_text("in 5m")  # what was chosen meanwhile is drawn as well


def test_an_empty_store_says_what_to_do_and_is_drawn_when_ticks_come(running: Running, visit: Visit) -> None:
    page = visit()
    expect(page.locator("#empty")).to_have_text("No ticks yet. Start the producer: python stock_producer.py")
    expect(page.locator("#fresh")).to_have_text("no data")
    running.market.tick("AAPL", 150.0)
    wait_for_rows(page, 0)
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")


def test_warm_up_is_counted_not_invented(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [150.0, 151.0, 150.5, 150.0, 151.0, 152.0, 151.0])
    page = visit()
    expect(page.locator("#reading-ma20")).to_have_text("7/20")
    expect(page.locator("#reading-volatility")).to_have_text("7/10")
    expect(page.locator("#reading-ma5")).to_have_text("150.90")
    running.market.tick("AAPL", 151.0)
    expect(page.locator("#reading-ma20")).to_have_text("8/20")


def test_a_replay_of_2013_is_live_and_marked(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES)
    page = visit()
    expect(page.locator("#badge")).to_have_text("REPLAY")
    market.report(ticked=True)  # however long the page took to open
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    expect(page.locator("#truth")).to_have_text(re.compile("Last tick Oct 7, 2013, 09:4"))
    assert "ago" not in text(page, "#truth")


def test_simulated_data_is_marked(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    for width in (1440, 400):
        badge = visit(width=width).locator("#badge")
        expect(badge).to_have_text("SIMULATED")
        expect(badge).to_be_in_viewport(ratio=1)


def test_a_click_in_the_watch_list_chooses_and_the_address_keeps_it(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", [400.0, 401.0])
    page = visit()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    history = page.evaluate("history.length")
    page.locator(".watch [role=row]", has_text="MSFT").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.locator("#range").get_by_text("1h", exact=True).click()
    page.wait_for_url(re.compile(r"\?symbol=MSFT&range=1h"))
    assert page.evaluate("history.length") == history
    again = visit("?symbol=MSFT&range=1h")
    expect(again.locator("#headline-symbol")).to_have_text("MSFT")
    expect(again.locator("#headline-note")).to_have_text("in 1h")
    expect(again.locator("#symbol")).to_have_value("MSFT")


@pytest.mark.parametrize("query", ["?symbol=%3Cscript%3E&range=2y", "?symbol=A%27--", "?range[]=5m"])
def test_an_address_that_makes_no_sense_opens_the_plain_page(running: Running, visit: Visit, query: str) -> None:
    running.market.history("AAPL", PRICES)
    page = visit(query)
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")


def test_two_readers_do_not_disturb_each_other(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", PRICES)
    first, second = visit("?symbol=AAPL"), visit("?symbol=MSFT")
    running.market.tick("AAPL", 160.0)
    running.market.tick("MSFT", 161.0)
    expect(first.locator("#reading-price")).to_have_text("160.00")
    expect(second.locator("#reading-price")).to_have_text("161.00")
    assert (drawn(first), drawn(second)) == (len(PRICES) + 1, len(PRICES) + 1)


def test_at_400_px_nothing_scrolls_sideways_and_the_strip_chooses(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "AMZN", "GOOGL", "META", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit(width=400, height=860)
    wait_for_rows(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.evaluate("window.scrollTo(200, 0)")
    assert page.evaluate("window.scrollX") == 0
    page.locator(".card", has_text="META").click()
    expect(page.locator("#headline-symbol")).to_have_text("META")
    assert page.locator(".card[aria-pressed=true]").inner_text().startswith("META")
    page.locator("#range-narrow").get_by_text("5m", exact=True).click()
    page.wait_for_url(re.compile("range=5m"))


@pytest.mark.parametrize("width", [320, 600, 768, 1024])
def test_no_other_width_scrolls_sideways_either(running: Running, visit: Visit, width: int) -> None:
    running.market.history("AAPL", PRICES)
    page = visit(width=width)
    wait_for_rows(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_pointer_reads_values_in_the_fixed_line_with_utc(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES)
    page = visit()
    newest = text(page, "#reading-time")
    box = page.locator("#chart .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    expect(page.locator("#reading-time")).not_to_have_text(newest)
    eastern, utc = text(page, "#reading-time"), text(page, "#reading-utc")
    assert eastern.endswith(" ET")
    assert int(utc[:2]) - int(eastern[:2]) == 4
    assert page.locator("#chart .hovertext").count() == 0, "no box covers the chart"


def test_the_theme_is_kept_and_the_chart_follows_it(running: Running, visit: Visit, ticking: Ticking) -> None:
    running.market.history("AAPL", PRICES)
    ticking()
    page = visit(scheme="light")
    wait_for_rows(page, len(PRICES))
    paper = f"{GRAPH}.layout.paper_bgcolor"
    light = page.evaluate(paper)
    rows = drawn(page)
    page.locator("#theme").get_by_title("Dark theme").click()
    until(page, f"{paper} !== {light!r}")
    assert drawn(page) >= rows, "and no row is lost"
    wait_for_refreshes(page, 2)
    page.reload()
    until(page, f"({GRAPH}?.data?.[0]?.x?.length ?? 0) > 0")
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"
    assert page.evaluate(paper) != light
    page.locator("#theme").get_by_title("System theme").click()
    until(page, f"{paper} === {light!r}")


def test_the_page_is_named_and_described_for_screen_readers(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    assert page.evaluate("document.documentElement.lang") == "en"
    for landmark in ("banner", "navigation", "main"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("textbox", name="Symbol").or_(page.get_by_role("combobox", name="Symbol"))).to_be_visible()
    expect(page.locator("#summary")).to_have_text(re.compile(r"AAPL, range 15m: 120 ticks, last price 150.00 at"))
    assert page.locator("figure").get_attribute("aria-labelledby") == "summary"


def test_a_long_range_is_thinned_and_keeps_its_anomalies(running: Running, visit: Visit) -> None:
    prices = [150 + (i % 5) * 0.01 + (30 if i == 3_333 else 0) for i in range(8_000)]
    running.market.history("AAPL", prices, gap=timedelta(milliseconds=100))
    page = visit("?symbol=AAPL&range=all")
    expect(page.locator("#headline-note")).to_have_text(re.compile("of 8,000 ticks drawn"))
    assert page.evaluate(f"Math.max(...{GRAPH}.data[0].y)") == 150 + (3_333 % 5) * 0.01 + 30
    assert page.evaluate(f"{GRAPH}.data[7].x.length") >= 1


def test_a_refresh_goes_on_while_the_answers_are_slow(
    running: Running, visit: Visit, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers slower than the interval must not be thrown away one after the other."""
    running.market.history("AAPL", PRICES)
    latest = running.store.latest

    def slow(*arguments: Any) -> Any:
        time.sleep(3 * UPDATE_INTERVAL)
        return latest(*arguments)

    page = visit()
    wait_for_rows(page, 0)
    monkeypatch.setattr(running.store, "latest", slow)
    ticking()
    wait_for_refreshes(page, 2)


def with_anomaly(running: Running, symbol: str = "AAPL") -> None:
    """A history whose 60th tick, a minute before the last, is far off."""
    running.market.history(symbol, [price + (8 if i == 60 else 0) for i, price in enumerate(PRICES)])


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


def test_the_overview_shows_all_columns_filters_and_leads_back(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    running.market.history("MSFT", [400 + (i % 7) * 0.1 for i in range(120)])
    page = visit("?symbol=AAPL&view=overview")
    expect(page.locator(".watch [role=row] [col-id=source]", has_text="SIMULATED")).to_have_count(2)
    row = page.locator(".watch [role=row][row-id=AAPL]")
    expect(row.locator("[col-id=anomalies]")).not_to_have_text("0")
    assert row.locator("polyline").get_attribute("points")
    running.market.tick("AAPL", 171.5)
    expect(row.locator("[col-id=price]")).to_have_text("171.50")
    page.locator("#filter").fill("MS")
    expect(row).to_have_count(0)
    page.locator("#filter").fill("")
    page.get_by_role("button", name="Back to the chart").click()
    expect(page.locator("#chart .main-svg").first).to_be_visible()
    assert "view=" not in page.url
    expect(page.locator(".watch [role=columnheader]")).to_have_count(4)


def test_paused_it_stands_still_and_says_how_far_behind_it_is(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_text("Paused")
    page.wait_for_timeout(int(2 * UPDATE_INTERVAL * 1000))
    running.market.tick("AAPL", 161.0)
    expect(page.locator("#headline-price")).to_have_text("161.00")
    expect(page.locator("#go-live")).to_have_text(re.compile(r"\d+ s behind, go live"))
    assert drawn(page) == len(PRICES)
    page.locator("#go-live").click()
    wait_for_rows(page, len(PRICES))
    expect(page.locator("#go-live")).to_be_hidden()
    expect(page.locator("#pause")).to_have_text("Pause")


def test_a_period_is_shown_as_asked_and_kept_in_the_address(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&range=15m&from=2013-10-07T09:44:00&to=2013-10-07T09:44:30")
    wait_for_rows(page, 0)
    assert 25 <= drawn(page) <= 30
    expect(page.locator("#headline-note")).to_have_text("Oct 7, 2013, 09:44:00 – 09:44:30 ET")
    market.report(ticked=True)
    expect(page.locator("#fresh")).to_have_text(re.compile("live"))
    assert "from=2013-10-07T09%3A44%3A00" in page.url
    page.locator("#go-live").click()
    wait_for_rows(page, 100)
    assert "from=" not in page.url


def test_a_period_is_asked_for_in_a_dialog(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.locator("#period-open").click()
    page.locator("#period button[type=submit]").click()
    page.wait_for_url(re.compile("from="))
    page.locator("#period-open").click()
    until(page, "!location.search.includes('from=')")


def test_candles_move_with_the_ticks_and_are_those_of_the_store(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&candles=1m")
    wait_for_rows(page, 0)
    running.market.tick("AAPL", 171.0, 170.0)
    wait_for_rows(page, len(PRICES) + 1)
    candles = page.evaluate(
        f"(({{x, open, high, low, close}}) => [x.length, high.at(-1), close.at(-1)])({GRAPH}.data[13])"
    )
    assert candles[1:] == [171.0, 170.0]
    live = page.evaluate(f"(({{open, high, low, close}}) => [open, high, low, close])({GRAPH}.data[13])")
    page.reload()
    wait_for_rows(page, len(PRICES) + 1)
    assert page.evaluate(f"(({{open, high, low, close}}) => [open, high, low, close])({GRAPH}.data[13])") == live


def test_a_link_reproduces_what_is_seen(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.locator("[data-option=candles]").click()
    page.locator("[data-option=scale]").click()
    page.locator("[data-option=log]").click()
    page.locator("[data-trace=MA10]").click()
    until(page, f"{GRAPH}.layout.yaxis.type === 'log' && {GRAPH}.data.length === 14 && !{GRAPH}.data[2].visible")
    again = visit(page.url.split("/")[-1])
    until(again, f"{GRAPH}?.layout?.yaxis?.type === 'log' && {GRAPH}.data.length === 14 && !{GRAPH}.data[2].visible")
    assert all(" %" in text for text in again.evaluate(f"{GRAPH}.layout.yaxis.ticktext"))


def test_an_open_page_lets_go_of_what_lies_long_before_its_range(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES, gap=timedelta(seconds=2))
    page = visit("?range=5m&candles=5s")
    wait_for_rows(page, 0)
    assert drawn(page) == len(PRICES)
    # The range and a quarter of it reach 375 s back: the 175 s before the first 200 keep ticks 2 s apart.
    later = datetime.now(UTC) + timedelta(seconds=200)
    running.store.write(running.market.feed.points("AAPL", [163.21], at=later))
    expect(page.locator("#headline-price")).to_have_text("163.21")
    until(page, f"{GRAPH}.data[0].x.length < {len(PRICES)}")
    assert drawn(page) == pytest.approx(88, abs=6)
    assert page.evaluate(f"{GRAPH}.data[9].x.length") == 3 * drawn(page)
    assert page.evaluate(f"{GRAPH}.data[13].x[0]") >= page.evaluate(f"{GRAPH}.data[0].x[0]") - 5_000
    expect(page.locator("#summary")).to_contain_text(f"{drawn(page)} ticks")
