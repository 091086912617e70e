"""The watch list never cuts off a name."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import PRICES

expect.set_options(timeout=2 * WAIT_MS)

ORDER = """[...document.querySelectorAll("#watch [role=row][row-id]")]
  .sort((a, b) => a.getAttribute("row-index") - b.getAttribute("row-index")).map((row) => row.getAttribute("row-id"))"""
"""The symbols of the watch list in the order shown."""
CUT = """[...document.querySelectorAll("#watch .ag-cell")].filter((cell) => cell.offsetParent &&
  [cell, ...cell.querySelectorAll("*")].some((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth))
  .map((cell) => cell.textContent)"""


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
    stage, side = page.locator("#stage").bounding_box(), list_.bounding_box()
    assert stage is not None
    assert side is not None
    assert stage["x"] == pytest.approx(side["x"] + side["width"], abs=2), "the chart makes room"
