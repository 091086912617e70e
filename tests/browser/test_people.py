"""Tests of the page's keyboard shortcuts and of its CSV."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import PRICES, wait_for_rows, with_anomaly

expect.set_options(timeout=WAIT_MS)


def test_tab_leaves_even_a_long_watch_list(running: Running, visit: Visit) -> None:
    for number in range(30):
        running.market.history(f"S{number}", PRICES[:2])
    page = visit("?symbol=S0")
    until(page, "document.querySelectorAll('.ag-row').length > 5")
    page.locator(".watch [role=row] [role=gridcell]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    until(page, "!document.activeElement.closest('#watch') && document.activeElement !== document.body")
    page.keyboard.press("Shift+Tab")
    until(page, "document.activeElement.closest('#watch') !== null")


def test_it_is_usable_with_the_keyboard_alone(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.keyboard.press("1")
    expect(page.locator("#headline-note")).to_have_text("in 5m")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_text("Paused")
    page.keyboard.press("l")
    expect(page.locator("#pause")).to_have_text("Pause")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("the symbol before or after")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    for symbol in ("AAPL", "MSFT") * 3:  # repeated, since a bug appeared every second time
        page.keyboard.press("/")
        expect(page.locator("#symbol")).to_be_focused()
        page.keyboard.type(symbol[:3])
        expect(page.locator("[role=option][data-combobox-selected]")).to_have_text(symbol)
        page.keyboard.press("Enter")
        expect(page.locator("#headline-symbol")).to_have_text(symbol)
    width = page.evaluate("document.querySelector('#chart').clientWidth")
    page.keyboard.press("w")
    expect(page.locator("#alerts")).to_be_hidden()
    until(page, f"document.querySelector('#chart .main-svg').clientWidth > {width} + 250")
    page.keyboard.press("w")
    expect(page.locator("#alerts")).to_be_visible()
    page.keyboard.press("o")
    until(page, "document.body.dataset.view === 'overview'")


def test_the_full_screen_chart_still_names_the_source(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    expect(page.locator("#badge-full")).to_be_hidden()
    width = page.evaluate("document.querySelector('#chart').clientWidth")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement?.id === 'chart-section'")
    expect(page.locator("#badge-full")).to_have_text("SIMULATED")
    until(page, f"document.querySelector('#chart .main-svg').clientWidth > {width}")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement === null")


def test_the_visible_rows_can_be_saved_as_csv(running: Running, visit: Visit, tmp_path: Path) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "shown.csv")
    rows = list(csv.DictReader((tmp_path / "shown.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["price"]) for row in rows] == pytest.approx(
        [p + (8 if i == 60 else 0) for i, p in enumerate(PRICES)]
    )
    assert rows[60]["is_anomaly"] == "true"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", rows[0]["time_utc"])
    assert (rows[0]["ma_5"], rows[0]["symbol"], rows[0]["source"]) == ("", "AAPL", "simulated")


def test_the_theme_in_a_link_applies_to_readers_who_chose_none(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&theme=dark", scheme="light")
    scheme = "document.documentElement.dataset.mantineColorScheme"
    until(page, f"{scheme} === 'dark'")
    page.locator("#theme").get_by_title("Light theme").click()
    until(page, f"{scheme} === 'light'")
    page.goto(page.url.replace("theme=light", "theme=dark"))
    until(page, f"document.getElementById('fresh')?.dataset.kind && {scheme} === 'light'")
