"""The page is usable by keyboard, by screen reader, by touch, with large text and in forced colours."""

import itertools
import re
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, text, wait_for_rows, with_anomaly, written
from tickflow.errors import StoreUnavailable

expect.set_options(timeout=2 * WAIT_MS)

DESKTOP: dict[str, Any] = {"width": 1440}
PHONE: dict[str, Any] = {"width": 400, "height": 860}
DARK = "dark"
STATES: dict[str, tuple[str, dict[str, Any], Sequence[str]]] = {
    # The address, the kind of browser, and the buttons to press one after the other (DARK: the system turns dark).
    "chart, keys, table, period, paused": ("", DESKTOP, (DARK, "#show-keys", "#show-table", "#period-open", "#pause")),
    "candles, percent": ("?symbol=AAPL&candles=1m&scale=percent", DESKTOP, ()),
    "overview": ("?view=overview", DESKTOP, (DARK,)),
    "several": ("?symbol=AAPL&symbols=AAPL,MSFT", DESKTOP, (DARK,)),
    "phone, and its alerts": ("", PHONE, (DARK, "#alerts-open")),
    "320 px": ("", {"width": 320, "height": 700}, ()),
    "landscape": ("", {"width": 844, "height": 390}, ()),
    "forced colours": ("", DESKTOP | {"forced": True}, ()),
}


def turn(page: Page, scheme: Literal["light", "dark"]) -> None:
    """Set the system's colour scheme, and wait until the page follows it."""
    page.emulate_media(color_scheme=scheme)
    until(page, f"document.documentElement.dataset.mantineColorScheme === '{scheme}'")


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(running: Running, visit: Visit, rules: str, state: str) -> None:
    query, kind, pressed = STATES[state]
    with_anomaly(running)
    running.market.history("MSFT", PRICES)
    page = visit(query, **kind)
    until(page, "document.querySelectorAll('.alert, .ag-row, .card').length > 1")
    assert axe.violations(page, rules) == []
    for each in pressed:
        if each == DARK:
            turn(page, "dark")
        else:
            page.locator(each).click()
        assert axe.violations(page, rules) == [], each
        if each == DARK:
            turn(page, "light")
        else:
            page.keyboard.press("Escape")


def test_axe_finds_nothing_serious_in_an_empty_page_or_without_a_store(
    running: Running, visit: Visit, rules: str
) -> None:
    page = visit()
    expect(page.locator("#empty")).to_contain_text("No ticks yet")
    assert axe.violations(page, rules) == []
    running.store.failure = StoreUnavailable("The store is away for this test.")
    expect(page.locator("#fresh")).to_have_text("store down")
    assert axe.violations(page, rules) == []


def test_five_quick_presses_move_five_steps_in_the_visible_order(running: Running, visit: Visit) -> None:
    prices = {"S0": 30.0, "S1": 70.0, "S2": 10.0, "S3": 60.0, "S4": 20.0, "S5": 50.0, "S6": 40.0}
    for symbol, price in prices.items():
        running.market.history(symbol, [price, price])
    page = visit("?symbol=S2")
    until(page, "document.querySelectorAll('#watch .ag-row').length >= 7")
    page.locator("#watch [role=columnheader]", has_text="Last").click()
    expect(page.locator("#watch [role=columnheader]", has_text="Last")).to_have_attribute("aria-sort", "ascending")
    page.locator("#headline-symbol").click()  # moves the focus out of the grid, so that keys act on the page
    page.evaluate("document.activeElement.blur()")
    for _ in range(5):
        page.keyboard.press("ArrowDown", delay=1)
    expect(page.locator("#headline-symbol")).to_have_text("S3")  # five rows down, in the order of prices
    page.locator("#watch [row-id=S0]").first.click()
    expect(page.locator("#headline-symbol")).to_have_text("S0")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#headline-symbol")).to_have_text("S6")  # one row below S0, although S0 was chosen by a click


def test_a_late_report_of_a_row_that_the_page_marked_moves_nothing(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "GOOGL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=AAPL")
    until(page, "document.querySelectorAll('#watch .ag-row').length >= 3")
    page.locator("#watch [row-id=MSFT]").first.click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#headline-symbol")).to_have_text("GOOGL")
    page.evaluate("dash_clientside.set_props('watch', { selectedRows: [{ symbol: 'MSFT' }] })")
    page.wait_for_timeout(500)
    expect(page.locator("#headline-symbol")).to_have_text("GOOGL")


def stops(page: Page, until_id: str, most: int = 60) -> list[str]:
    """The elements that Tab reaches, from the beginning of the page to the element with id `until_id`."""
    page.evaluate("document.activeElement?.blur?.()")
    found: list[str] = []
    while len(found) < most:
        page.keyboard.press("Tab")
        at = page.evaluate("(e => e.id || e.dataset.key || `${e.className} ${e.textContent}`)(document.activeElement)")
        found.append(at)
        if at == until_id:
            break
    return found


def test_a_dozen_tab_stops_lead_to_the_chart_however_many_alerts(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, [*PRICES, 158.0] * 10)
    page = visit("?symbol=AAPL")
    until(page, "document.querySelectorAll('.alert').length > 10")
    found = stops(page, "chart")
    assert found[-1] == "chart"
    assert len(found) <= 12
    page.keyboard.press("Tab")
    until(page, "document.activeElement.id !== 'chart'")
    rest = stops(page, "", most=30)
    assert sum(bool(re.match(r"(AAPL|MSFT),", each)) for each in rest) <= 2, "one stop in the list of alerts"


def test_within_a_toolbar_and_the_list_of_alerts_arrow_keys_move(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [*PRICES, 158.0] * 4)
    page = visit("?symbol=AAPL")
    until(page, "document.querySelectorAll('.alert').length > 2")
    page.locator("#period-open").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#compare")).to_be_focused()
    keys = page.evaluate("[...document.querySelectorAll('.alert [data-key]')].map((each) => each.dataset.key)")
    page.locator(".alert [data-key]").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.key") == keys[1]
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.ack") == keys[1]
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")


def test_skip_links_lead_to_the_chart_the_list_and_the_alerts(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL")
    until(page, "document.querySelectorAll('.alert').length > 0")
    for number, inside in ((1, "#chart"), (2, "#watch"), (3, "#alerts")):
        page.evaluate("document.activeElement.blur()")
        page.locator("[data-skip]").first.focus()
        for _ in range(number - 1):
            page.keyboard.press("Tab")
        expect(page.locator("[data-skip]").nth(number - 1)).to_be_in_viewport()
        page.keyboard.press("Enter")
        until(page, f"document.activeElement.closest({inside!r}) !== null")


def test_a_cursor_by_keys_reads_values_and_finds_anomalies(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    said, chart = page.locator("#cursor-said"), page.locator("#chart")
    assert said.get_attribute("role") == "status"
    chart.focus()
    page.keyboard.press("End")
    expect(said).to_have_text(re.compile(r"^\d\d:\d\d:\d\d, price 150\.00, volume \d+$"))
    page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("price 150.60")
    expect(page.locator("#reading-price")).to_have_text("150.60")
    page.keyboard.press("Home")
    expect(said).to_contain_text("price 150.00")
    page.keyboard.press("n")
    expect(said).to_have_text(re.compile(r"price 158\.40, .*anomaly, high, z \d\.\d\d"))
    page.keyboard.press("ArrowRight")
    expect(said).not_to_contain_text("158.40")
    page.keyboard.press("Shift+N")
    expect(said).to_contain_text("158.40")
    before = page.evaluate(f"{LOOKS}.range[1] - {LOOKS}.range[0]")
    page.keyboard.press("+")
    until(page, f"{LOOKS}.range[1] - {LOOKS}.range[0] < {before} * 0.7")
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    page.keyboard.press("Escape")
    expect(said).to_have_text("")


def test_the_visible_part_of_the_chart_is_available_as_a_table(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.keyboard.press("t")
    expect(page.locator("#table caption")).to_have_text(re.compile("AAPL, .*: rows 1 to 100 of 120$"))
    rows = page.locator("#table tr:has(td)")
    expect(rows).to_have_count(100)
    assert [float(cell) for cell in page.locator("#table tr td:nth-child(2)").all_inner_texts()] == pytest.approx(
        [price + (8 if i == 60 else 0) for i, price in enumerate(PRICES[:100])]
    )
    expect(rows.nth(60)).to_contain_text("yes")
    page.locator("#table").get_by_role("button", name="Later").click()
    expect(rows).to_have_count(20)
    page.keyboard.press("Escape")
    expect(page.locator("#table")).to_be_hidden()


def test_the_grid_is_named(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    until(page, "document.querySelectorAll('#watch .ag-row').length > 0")
    expect(
        page.get_by_role("grid", name="Watch list").or_(page.get_by_role("treegrid", name="Watch list"))
    ).to_have_count(1)


def test_the_count_of_alerts_is_announced_at_most_once_per_minute(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit()
    wait_for_rows(page, 0)
    page.evaluate("""() => {
        window.said = [];
        const status = [...document.querySelectorAll("#alerts [role=status]")];
        const heard = new MutationObserver((all) => window.said.push(...all.map(({ target }) => target.textContent)));
        for (const each of status) heard.observe(each, { childList: true, characterData: true, subtree: true });
    }""")
    for count in (1, 2, 3):
        running.market.tick("AAPL", *PRICES[:20], 140.0)
        expect(page.locator("#alerts .alerts-count")).to_have_text(f"{count} new")
    assert page.evaluate("window.said.length") <= 1
    assert page.evaluate("window.tickflow.alerts.pace.ms") == 60_000
    other = visit()
    other.evaluate("window.tickflow.alerts.pace.ms = 0")
    running.market.tick("AAPL", *PRICES[:20], 140.0)
    expect(other.locator("#alerts .alerts-said")).to_have_text("4 new alerts")


SMALL = """[...document.querySelectorAll("button, select, input, a[href]")]
  .filter((each) => each.offsetParent && !each.closest(".skips, [role=radiogroup]") && !each.matches("[type=radio]"))
  .map((each) => [each.id || each.className, each.getBoundingClientRect()])
  .filter(([, { width, height }]) => width && (width < 23.9 || height < 23.9))
  .map(([name, { width, height }]) => `${name} ${width} x ${height}`)"""
RADIOS = """[...document.querySelectorAll("[role=radiogroup] label")].filter((each) => each.offsetParent)
  .map((each) => each.getBoundingClientRect()).filter(({ width, height }) => width < 23.9 || height < 23.9).length"""


@pytest.mark.parametrize("width", [320, 400, 1440])
def test_every_target_is_24_px_large(running: Running, visit: Visit, width: int) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL", width=width)
    wait_for_rows(page, 0)
    until(page, "document.querySelectorAll('.alert').length > 0")
    assert page.evaluate(SMALL) == []
    assert page.evaluate(RADIOS) == 0


@pytest.mark.parametrize(("width", "height", "least"), [(320, 700, 180), (844, 390, 110)])
def test_there_is_room_for_the_price_on_the_smallest_screens(
    running: Running, visit: Visit, width: int, height: int, least: int
) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL", width=width, height=height)
    wait_for_rows(page, 0)
    until(page, f"Boolean({LOOKS}.shape)")
    panel = page.evaluate(f"{LOOKS}.shape.panels.y")
    assert panel["bottom"] - panel["top"] >= least
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("#chart").bounding_box()
    assert box is not None
    assert width == 320 or box["y"] < 0.4 * height
    value = page.locator("#symbol").evaluate("(input) => input.scrollWidth <= input.clientWidth")
    assert value, "the symbol is not cut"


def test_text_at_200_percent_grows_everywhere_and_nothing_is_cut(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    page.add_init_script("addEventListener('DOMContentLoaded', () => document.documentElement.style.fontSize = '200%')")
    page.reload()
    wait_for_rows(page, 0)
    until(page, "document.querySelectorAll('#watch .ag-row').length > 0")
    until(page, "parseFloat(getComputedStyle(document.querySelector('#watch .ag-cell')).fontSize) === 26")
    assert {font for text, _, _, font in written(page) if re.fullmatch(r"\d\d:\d\d.*", text)} == {"22px"}
    for column in ("symbol", "price", "change"):
        cell = page.locator(f"#watch [role=row][row-id=AAPL] [col-id={column}]").first
        until(
            page,
            f"""(({{ scrollWidth, clientWidth }}) => scrollWidth <= clientWidth + 1)(
            document.querySelector("#watch [row-id=AAPL] [col-id={column}]"))""",
        )
        expect(cell).to_be_in_viewport(ratio=1)
    panels = page.evaluate(f"Object.values({LOOKS}.shape.panels).map(({{ top, bottom }}) => [top, bottom])")
    assert all(after[0] - before[1] >= 30 for before, after in itertools.pairwise(panels)), "room for titles"


def test_forced_colours_frame_the_choice_and_colour_the_chart(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL", forced=True)
    wait_for_rows(page, 0)
    style = "getComputedStyle(document.querySelector({!r})).outlineStyle"
    for chosen in ("#range label[data-active]", ".chip[aria-pressed=true]", "#watch .ag-row-selected"):
        until(page, f"document.querySelector({chosen!r}) !== null")
        assert page.evaluate(style.format(chosen)) == "solid", chosen
    paper = page.evaluate("document.querySelector('#chart .js-plotly-plot').layout.paper_bgcolor")
    canvas = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == canvas
    assert text(page, "#headline-price") == "150.00"
