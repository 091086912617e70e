"""Tests of the watch list: names that are never cut off, stars, shades, sorted rows, and the overview on a phone."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import PRICES

expect.set_options(timeout=2 * WAIT_MS)

ORDER = """[...new Set([...document.querySelectorAll("#watch [role=row][row-id]")]
  .sort((a, b) => a.getAttribute("row-index") - b.getAttribute("row-index"))
  .map((row) => row.getAttribute("row-id")))]"""
"""The symbols of the watch list in the order shown."""
CUT = """[...document.querySelectorAll("#watch .ag-cell")].filter((cell) => cell.offsetParent &&
  [cell, ...cell.querySelectorAll("*")].some((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth))
  .map((cell) => cell.textContent)"""
STARS = "document.querySelectorAll('#watch .star[aria-pressed=true]').length"
COLOURS = """(symbol) => {
  document.body.dataset.fresh = "live";  // a stale list has no shades
  const cell = document.querySelector(`#watch [row-id=${symbol}] [col-id=change]`);
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  const paint = (color) => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((each) => each / 255);
  };
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const { color, backgroundColor } = getComputedStyle(cell);
  const text = paint(color);
  const under = [token("--paper"), getComputedStyle(cell.closest(".ag-row"), "::before").backgroundColor];
  const ground = [...under, backgroundColor].map(paint).at(-1);
  return { text, ground, shade: Number(/([\\d.]+)%/.exec(cell.style.backgroundColor)?.[1] ?? 0) };
}"""
"""JavaScript for the colour of a change's text, that of what is behind it, and the shade in percent."""


def filled(running: Running, visit: Visit, *symbols: str, query: str = "", width: int = 1440) -> Page:
    """Open a page whose watch list has these symbols."""
    for symbol in symbols:
        running.market.history(symbol, PRICES)
    page = visit(query, width=width)
    until(page, f"({ORDER}).length === {len(symbols)}")
    return page


@pytest.mark.parametrize("width", [1440, 768])
def test_no_name_is_cut_however_long(running: Running, visit: Visit, width: int) -> None:
    page = filled(running, visit, "GOOGL", "BRK.B", width=width)
    until(page, f"String({CUT}) === ''")
    expect(page.locator("#watch [col-id=trend] svg").first).to_be_visible()
    running.market.history("WWWWWWWWWWWWWWWW", [125_704.98] * 50 + [127_000.0])
    until(page, f"({ORDER}).length === 3")
    until(page, f"String({CUT}) === ''")
    name, list_ = page.locator("#watch [row-id=WWWWWWWWWWWWWWWW]"), page.locator(".mantine-AppShell-navbar")
    expect(name.locator("[col-id=change]")).to_be_in_viewport(ratio=1)
    chart, side = page.locator("#chart-section").bounding_box(), list_.bounding_box()
    assert chart is not None
    assert side is not None
    assert chart["x"] == pytest.approx(side["x"] + side["width"], abs=2), "the chart makes room"


def test_starred_symbols_come_first_in_the_readers_order_and_alone_on_demand(running: Running, visit: Visit) -> None:
    prices = {"AAPL": 150.0, "AMZN": 90.0, "GOOGL": 120.0, "MSFT": 300.0}
    for symbol, price in prices.items():
        running.market.history(symbol, [price, price])
    page = visit("?symbol=AMZN")
    until(page, f"({ORDER}).length === 4")
    only = page.get_by_role("button", name="Only starred symbols")
    expect(only).to_be_hidden()
    for symbol in ("MSFT", "AAPL"):
        page.get_by_role("button", name=f"Star {symbol}").click()
    until(page, f"({ORDER}).join() === 'MSFT,AAPL,AMZN,GOOGL'")
    expect(page.locator("#headline-symbol")).to_have_text("AMZN")  # a click on a star chooses nothing
    page.keyboard.press("*")  # the chosen symbol
    until(page, f"({ORDER}).join() === 'MSFT,AAPL,AMZN,GOOGL' && {STARS} === 3")
    page.keyboard.press("Alt+ArrowUp")
    until(page, f"({ORDER}).join() === 'MSFT,AMZN,AAPL,GOOGL'")
    page.locator("#watch [role=columnheader]", has_text="Last").click()
    until(page, f"({ORDER}).join() === 'AMZN,AAPL,MSFT,GOOGL'")
    only.click()
    until(page, f"({ORDER}).join() === 'AMZN,AAPL,MSFT' && location.search.includes('starred=1')")
    page.reload()
    until(page, f"({ORDER}).join() === 'AMZN,AAPL,MSFT'")
    page.get_by_role("button", name="Star AAPL").click()
    until(page, f"({ORDER}).join() === 'AMZN,MSFT'")
    expect(only).to_have_attribute("aria-pressed", "true")
    elsewhere = visit(page.url.split("/")[-1])  # stars stay in the browser, and without any the list has all symbols
    until(elsewhere, f"({ORDER}).length === 4")


def test_a_drag_orders_the_starred_symbols_and_stars_what_has_no_star(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "AMZN", "GOOGL", "MSFT", "TSLA"):
        running.market.history(symbol, [100.0, 101.0])
    page = visit("?symbol=AMZN")
    until(page, f"({ORDER}).length === 5")
    for symbol in ("GOOGL", "MSFT", "TSLA"):
        page.get_by_role("button", name=f"Star {symbol}").click()
    until(page, f"({ORDER}).join() === 'GOOGL,MSFT,TSLA,AAPL,AMZN'")

    def drag(symbol: str, onto: str, share: float, *, drop: bool = True) -> None:
        """Drag a row to a share of another row's height."""
        one, other = (page.locator(f"#watch [row-id={name}] [col-id=symbol]").bounding_box() for name in (symbol, onto))
        assert one is not None
        assert other is not None
        page.mouse.move(one["x"] + 40, one["y"] + one["height"] / 2)
        page.mouse.down()
        page.mouse.move(one["x"] + 45, other["y"] + share * other["height"], steps=5)
        expect(page.locator(".drop-line")).to_be_visible()
        if not drop:
            page.keyboard.press("Escape")
        page.mouse.up()
        expect(page.locator(".drop-line")).to_be_hidden()

    drag("TSLA", "GOOGL", 0.2)
    until(page, f"({ORDER}).join() === 'TSLA,GOOGL,MSFT,AAPL,AMZN'")
    drag("TSLA", "GOOGL", 0.8)
    until(page, f"({ORDER}).join() === 'GOOGL,TSLA,MSFT,AAPL,AMZN'")
    drag("AMZN", "TSLA", 0.8)  # it has no star
    until(page, f"({ORDER}).join() === 'GOOGL,TSLA,AMZN,MSFT,AAPL' && {STARS} === 4")
    drag("GOOGL", "AAPL", 0.9)  # the last place among the starred symbols
    until(page, f"({ORDER}).join() === 'TSLA,AMZN,MSFT,GOOGL,AAPL'")
    drag("GOOGL", "TSLA", 0.2, drop=False)
    expect(page.locator("#headline-symbol")).to_have_text("AMZN")  # a drag chooses nothing
    page.reload()
    until(page, f"({ORDER}).join() === 'TSLA,AMZN,MSFT,GOOGL,AAPL'")
    page.locator("#watch [row-id=MSFT] [col-id=symbol]").click()  # a click still chooses
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_larger_change_has_a_stronger_shade_on_which_text_can_be_read(
    running: Running, visit: Visit, scheme: str
) -> None:
    for symbol, price in {"DOWN": 80.0, "EVEN": 100.0, "SLIGHT": 100.4, "UP": 150.0}.items():
        running.market.history(symbol, [100.0, price])
    page = visit("?symbol=UP", scheme=scheme)
    until(page, f"({ORDER}).length === 4")
    expect(page.locator("#breadth")).to_contain_text("2 rising, 1 falling, 1 unchanged")
    expect(page.locator("#breadth .up")).to_have_text("▲ 2")
    found = {symbol: page.evaluate(COLOURS, symbol) for symbol in ("DOWN", "EVEN", "SLIGHT", "UP")}
    shades = {symbol: each["shade"] for symbol, each in found.items()}
    assert shades["EVEN"] == 0 < shades["SLIGHT"] < shades["UP"] == shades["DOWN"]
    assert found["UP"]["ground"] != found["DOWN"]["ground"]
    for symbol, each in found.items():
        assert contrast(each["text"], each["ground"]) >= 4.5, symbol


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast of two sRGB colours, by the WCAG's definition."""

    def luminance(colour: list[float]) -> float:
        red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_sorted_rows_stand_still_under_the_pointer(running: Running, visit: Visit) -> None:
    for symbol, price in {"AAPL": 100.0, "MSFT": 300.0, "NVDA": 200.0}.items():
        running.market.history(symbol, [price, price])
    page = visit("?symbol=AAPL&sort=price%3Aasc")
    until(page, f"({ORDER}).join() === 'AAPL,NVDA,MSFT'")
    page.locator("#watch [row-id=NVDA]").first.hover()
    running.market.tick("AAPL", 250.0)
    expect(page.locator("#watch [row-id=AAPL] [col-id=price]")).to_have_text("250.00")
    page.wait_for_timeout(500)
    assert page.evaluate(f"({ORDER}).join()") == "AAPL,NVDA,MSFT"
    page.mouse.move(900, 400)
    until(page, f"({ORDER}).join() === 'NVDA,AAPL,MSFT'")


def test_the_overview_at_400_px_filters_by_symbol_and_leads_to_a_chart(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT", "NVDA"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=AAPL", width=400, height=860)
    expect(page.locator("#strip .card")).to_have_count(3)
    page.get_by_role("button", name="All", exact=True).click()
    until(page, f"({ORDER}).length === 3")
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    for column in ("symbol", "price", "change"):
        expect(page.locator(f"#watch [row-id=MSFT] [col-id={column}]")).to_be_in_viewport(ratio=1)
    until(page, f"String({CUT}) === ''")
    page.locator("#filter").fill("A")  # the source SIMULATED also contains this letter
    until(page, f"({ORDER}).join() === 'AAPL,NVDA'")
    page.locator("#watch [row-id=NVDA] [col-id=price]").click()
    expect(page.locator("#headline-symbol")).to_have_text("NVDA")
    expect(page.locator("#chart .main-svg").first).to_be_visible()
    assert "view=" not in page.url
