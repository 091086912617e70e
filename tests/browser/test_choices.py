"""A reader's choices of symbol, range, period, view and theme are kept in the address, at every width."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import UPDATE_INTERVAL, WAIT_MS, Market, Running, Visit, until
from tests.browser.looks import (
    GRAPH,
    LOOKS,
    PRICES,
    SMALL,
    TICKS,
    Ticking,
    drawn,
    wait_for_refreshes,
    wait_for_rows,
    with_anomaly,
)

expect.set_options(timeout=WAIT_MS)

FRAMES = """
    window.shown = new Set();
    const see = () => {
      if (document.body) window.shown.add(document.documentElement.dataset.mantineColorScheme);
      requestAnimationFrame(see);
    };
    see();
"""
"""Collects the colour scheme of each frame."""


def test_a_click_in_the_watch_list_chooses_a_symbol_and_changes_the_address(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", [400.0, 401.0])
    page = visit()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    page.locator(".watch [role=row]", has_text="MSFT").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.locator("#range").get_by_text("1h", exact=True).click()
    page.wait_for_url(re.compile(r"\?symbol=MSFT&range=1h"))
    again = visit("?symbol=MSFT&range=1h")
    expect(again.locator("#headline-symbol")).to_have_text("MSFT")
    expect(again.locator("#headline-note")).to_have_text("in 1h")
    expect(again.locator("#symbol")).to_have_value("MSFT")


@pytest.mark.parametrize("query", ["?symbol=%3Cscript%3E&range=2y", "?symbol=A%27--", "?range[]=5m"])
def test_an_invalid_address_opens_the_default_page(running: Running, visit: Visit, query: str) -> None:
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
    until(page, f"{TICKS} > 0")
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"
    assert page.evaluate(paper) != light
    page.locator("#theme").get_by_title("System theme").click()
    until(page, f"{paper} === {light!r}")


def test_no_frame_shows_another_theme_than_the_chosen_one(running: Running, visit: Visit, ticking: Ticking) -> None:
    running.market.history("AAPL", PRICES)
    ticking()
    page = visit("?theme=dark", scheme="light")
    page.add_init_script(FRAMES)
    page.reload()
    wait_for_refreshes(page, 2)
    assert page.evaluate("[...window.shown]") == ["dark"]


def test_the_page_is_named_and_described_for_screen_readers(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    assert page.evaluate("document.documentElement.lang") == "en"
    for landmark in ("banner", "navigation", "main"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("textbox", name="Symbol").or_(page.get_by_role("combobox", name="Symbol"))).to_be_visible()
    expect(page.locator("#summary")).to_have_text(re.compile(r"AAPL, range 15m: 120 ticks, last price 150.00 at"))
    assert page.locator("figure").first.get_attribute("aria-labelledby") == "summary"


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


ORDER = """[...document.querySelectorAll("#watch .ag-center-cols-container [role=row], #watch [role=row][row-id]")]
  .sort((one, other) => one.getAttribute("row-index") - other.getAttribute("row-index"))
  .map((row) => row.getAttribute("row-id")).filter((id, i, all) => all.indexOf(id) === i).join()"""
"""The symbols of the watch list in their current order."""


def test_a_sorted_or_filtered_list_keeps_to_its_rule_as_prices_move(running: Running, visit: Visit) -> None:
    for symbol, price in (("AAPL", 100.0), ("MSFT", 300.0), ("NVDA", 200.0)):
        running.market.history(symbol, [price])
    page = visit("?view=overview")
    last = page.locator("#watch [role=columnheader]", has_text="Last")
    last.click()
    expect(last).to_have_attribute("aria-sort", "ascending")
    until(page, f"({ORDER}) === 'AAPL,NVDA,MSFT'")
    running.market.tick("AAPL", 250.0)
    until(page, f"({ORDER}) === 'NVDA,AAPL,MSFT'")
    running.market.tick("NVDA", 350.0)
    until(page, f"({ORDER}) === 'AAPL,MSFT,NVDA'")
    page.evaluate("dash_ag_grid.getApi('watch').setFilterModel({ volume: { type: 'greaterThan', filter: 500 } })")
    until(page, f"({ORDER}) === ''")
    running.writing.write(running.market.feed.points("MSFT", [330.0], volume=900))
    running.market.report(ticked=True)
    until(page, f"({ORDER}) === 'MSFT'")


def test_a_paused_page_stands_still_and_shows_how_far_behind_it_is(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_text("Paused")
    page.wait_for_timeout(int(2 * UPDATE_INTERVAL * 1000))
    running.market.tick("AAPL", 161.0)
    expect(page.locator("#headline-price")).to_have_text("161.00")
    expect(page.locator("#fresh")).to_have_text("paused")
    expect(page.locator("#go-live")).to_have_text(re.compile(r"\d+ s behind, go live"))
    assert drawn(page) == len(PRICES)
    page.locator("#go-live").click()
    wait_for_rows(page, len(PRICES))
    expect(page.locator("#go-live")).to_be_hidden()
    expect(page.locator("#pause")).to_have_text("Pause")


def test_a_period_is_shown_and_kept_in_the_address(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&range=15m&from=2013-10-07T09:44:00&to=2013-10-07T09:44:30")
    wait_for_rows(page, 0)
    assert 25 <= drawn(page) <= 30
    expect(page.locator("#headline-note")).to_have_text("Oct 7, 2013, 09:44:00 – 09:44:30 ET")
    market.report(ticked=True)
    expect(page.locator("#fresh")).to_have_text("past")
    assert "from=2013-10-07T09%3A44%3A00" in page.url
    expect(page.locator("#range .mantine-SegmentedControl-indicator")).to_be_hidden()  # a period replaces the range
    page.locator("#range").get_by_text("15m", exact=True).click()  # the same range as before the period
    wait_for_rows(page, 100)
    assert "from=" not in page.url
    expect(page.locator("#range .mantine-SegmentedControl-indicator")).to_be_visible()


def test_headline_compare_and_list_have_the_price_and_the_change_of_a_period(running: Running, visit: Visit) -> None:
    market = Market(running.writing, day=datetime(2013, 10, 7, 13, 45, tzinfo=UTC))
    market.history("AAPL", [round(100 + 1.1 * i, 2) for i in range(120)])
    page = visit("?symbol=AAPL&symbols=AAPL&from=2013-10-07T09:44:00&to=2013-10-07T09:44:30")
    until(page, f"{SMALL}?.data?.[0]?.x?.length > 20")
    first, last = page.evaluate(f"[0, -1].map((at) => {SMALL}.data[0].y.at(at))")
    change = f"▲ +{100 * (last / first - 1):.2f} %"
    assert page.evaluate(f"{SMALL}.layout.annotations[0].text").startswith(f"<b>AAPL</b>  {last:.2f}  {change}")
    summary = f"Small charts, Oct 7, 2013, 09:44:00 – 09:44:30 ET: AAPL last price {last:.2f}, change {change}."
    expect(page.locator("#multiples-summary")).to_have_text(summary)
    page.locator("#compare").click()
    expect(page.locator("#headline-price")).to_have_text(f"{last:.2f}")
    expect(page.locator("#headline-change")).to_have_text(change)
    expect(page.locator("#summary")).to_have_text(
        re.compile(
            rf"^AAPL, Oct 7, 2013, 09:44:00 – 09:44:30 ET: .* last price {last:.2f} .*change {re.escape(change)}"
        )
    )
    row = page.locator(".watch [role=row]", has_text="AAPL")
    expect(row).to_contain_text(f"{last:.2f}")
    expect(row).to_contain_text(change)
    market.report(ticked=True)
    expect(page.locator("#truth")).to_have_text(re.compile("^Last tick drawn Oct 7, 2013, 09:44:"))
    page.locator("#go-live").click()
    expect(page.locator("#truth")).to_have_text(re.compile("^Last tick Oct 7, 2013, 09:4"))
    expect(page.locator("#headline-price")).to_have_text("230.90")


def test_a_period_beyond_all_possible_times_shows_everything(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES, gap=timedelta(seconds=30))
    page = visit("?symbol=AAPL&range=5m&from=1900-01-01T00:00&to=9999-12-31T23:59")
    wait_for_rows(page, 0)
    assert drawn(page) == len(PRICES)
    view = "window.tickflow.chart.view"
    assert page.evaluate(f"String({view}.drawn.period) === String(window.tickflow.options.state.period)")


def test_a_period_without_ticks_offers_a_way_back(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&from=2013-10-07T09:44:00&to=2013-10-07T09:44:30")
    expect(page.locator("#empty")).to_have_text(re.compile("No ticks of AAPL in this period"))
    expect(page.locator("#headline-price")).to_have_text("")
    expect(page.locator("#period-open")).to_be_visible()
    page.locator("#go-live").click()
    wait_for_rows(page, 0)
    assert "from=" not in page.url
    expect(page.locator("#empty")).to_be_hidden()


def test_a_period_is_chosen_in_a_dialog(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.locator("#period-open").click()
    page.locator("#period button[type=submit]").click()
    page.wait_for_url(re.compile("from="))
    page.locator("#period-open").click()
    until(page, "!location.search.includes('from=')")


def test_candles_move_with_the_ticks_and_match_the_store(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&candles=1m")
    wait_for_rows(page, 0)
    running.market.tick("AAPL", 171.0, 170.0)
    wait_for_rows(page, len(PRICES) + 1)
    candles = page.evaluate(
        f"(({{open, high, low, close}}) => [close.length, high.at(-1), close.at(-1)])({LOOKS}.picture.y)"
    )
    assert candles[1:] == [171.0, 170.0]
    live = page.evaluate(f"(({{open, high, low, close}}) => [open, high, low, close])({LOOKS}.picture.y)")
    page.reload()
    wait_for_rows(page, len(PRICES) + 1)
    assert page.evaluate(f"(({{open, high, low, close}}) => [open, high, low, close])({LOOKS}.picture.y)") == live


def test_a_link_reproduces_the_view(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.locator("[data-option=candles]").click()
    page.locator("[data-option=scale]").click()
    page.locator("[data-option=log]").click()
    page.locator("[data-trace=MA10]").click()
    view = "window.tickflow.chart.view"
    as_chosen = f"{LOOKS}.axes?.yaxis.type === 'log' && {view}.picture.kind === 'candles' && {view}.hidden.has('MA10')"
    until(page, as_chosen)
    again = visit(page.url.split("/")[-1])
    until(again, as_chosen)
    texts = [text for text in again.evaluate(f"{LOOKS}.axes.yaxis.ticktext") if text]  # some labels are empty
    assert texts
    assert all(" %" in text for text in texts)
