"""The address names the view, Back and Forward return to views, and a bare address opens the last view."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, seen, wait_for_rows, with_anomaly
from tickflow.alerts.alert import Alert, link
from tickflow.dashboard.drawing import clock
from tickflow.errors import StoreUnavailable

expect.set_options(timeout=2 * WAIT_MS)
SORTED = "window.tickflow.watch.sorted()"


def see(page: Page, share: tuple[float, float]) -> list[float]:
    """Zoom to a part of the visible time range, as a gesture does; return the new range."""
    first, last = seen(page)
    wanted = [first + (last - first) * part for part in share]
    page.evaluate(f"window.tickflow.chart.see(...{wanted})")
    until(page, "location.search.includes('zoom=')")
    return wanted


def test_the_address_holds_zoom_pause_sort_filter_and_the_kind_of_alerts(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    until(page, "document.querySelectorAll('#watch .ag-row').length > 1")
    wanted = see(page, (0.2, 0.6))
    page.locator("#pause").click()
    page.locator("#alerts .chip", has_text="All").click()
    page.locator("#alerts .chip", has_text="Only AAPL").click()
    page.locator("#watch [role=columnheader]", has_text="Last").click()
    until(
        page, "['paused=1', 'alerts=all', 'only=1', 'sort=price%3Aasc'].every((one) => location.search.includes(one))"
    )
    for again in (visit(page.url.split("/")[-1]), page):
        again.reload()
        wait_for_rows(again, 0)
        until(again, f"{SORTED} === 'price:asc'")
        assert seen(again) == pytest.approx(wanted, abs=2)
        expect(again.locator("#pause")).to_have_text("Paused")
        expect(again.locator("#alerts .chip[aria-pressed=true]")).to_have_text(["All", "Only AAPL"])
    page.locator("#go-live").click()
    until(page, "!/zoom|paused/.test(location.search)")


def test_back_and_forward_lead_through_earlier_views(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", [400.0, 401.0])
    page = visit("?symbol=AAPL&range=15m")
    wait_for_rows(page, 0)
    page.locator(".watch [role=row]", has_text="MSFT").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.wait_for_timeout(1_100)  # faster steps would count as one place
    page.locator("#range").get_by_text("1h", exact=True).click()
    expect(page.locator("#headline-note")).to_have_text("in 1h")
    page.wait_for_timeout(1_100)
    page.locator("[data-option=candles]").click()
    until(page, f"{LOOKS}.picture.kind === 'candles'")
    page.go_back()
    until(page, f"{LOOKS}.picture.kind === 'ticks'")
    expect(page.locator("#headline-note")).to_have_text("in 1h")
    page.go_back()
    expect(page.locator("#headline-note")).to_have_text("in 15m")
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    page.go_back()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    assert "symbol=AAPL&range=15m" in page.url
    page.go_forward()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    until(page, "location.search.includes('symbol=MSFT')")


def test_a_bare_address_opens_the_last_view(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=MSFT&range=1h&candles=1m")
    wait_for_rows(page, 0)
    wanted = see(page, (0.3, 0.7))
    page.goto(running.url)
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    until(page, f"{LOOKS}.picture?.kind === 'candles'")
    until(page, f"{LOOKS}.range[0] < {wanted[0]} + 2 && {LOOKS}.range[0] > {wanted[0]} - 2")
    page.goto(running.url + "?symbol=AAPL")
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    wait_for_rows(page, 0)
    assert page.evaluate(f"{LOOKS}.picture.kind") == "ticks"


@pytest.mark.parametrize("ago", [timedelta(minutes=100), timedelta(days=160)], ids=["today", "other side of the year"])
def test_the_link_of_a_message_leads_to_its_moment(running: Running, visit: Visit, ago: timedelta) -> None:
    """Half a year away, New York's offset to UTC may differ from that of the newest tick."""
    running.market.history("AAPL", PRICES, gap=ago / 100)
    raised_ns = time.time_ns() - int(ago.total_seconds()) * 10**9
    alert = Alert("AAPL", "move", raised_ns, 11.0, 8.0, 101.0, 100.0, 1.0, 1, raised_ns, 0, 7)
    page = visit(link("", alert).lstrip("/"))
    wall_ms = float(clock.wall_ms(np.array([raised_ns]))[0])
    until(page, f"{LOOKS}.range?.[0] < {wall_ms} && {wall_ms} < {LOOKS}.range[1]")
    begin, end = seen(page)
    assert end - begin <= 300_000 + 1
    until(page, "/zoom=/.test(location.search) && !/at=/.test(location.search)")


@pytest.mark.parametrize("kind", ["zoom", "at"])
def test_a_link_to_a_part_of_a_long_range_shows_each_tick_of_it(running: Running, visit: Visit, kind: str) -> None:
    """No tick comes meanwhile: a refresh would request the part as well."""
    running.market.history("AAPL", [100.0 + at % 7 for at in range(6_000)])
    middle_ns = time.time_ns() - 3_000 * 10**9
    (wall_ms,) = clock.wall_ms(np.array([middle_ns])).tolist()
    begin, end = (datetime.fromtimestamp(wall_ms / 1000 + by, UTC).isoformat()[:19] for by in (-60, 60))
    page = visit(
        f"?symbol=AAPL&range=6h&{kind}=" + (f"{begin}.000_{end}.000" if kind == "zoom" else f"{middle_ns // 10**6}")
    )
    until(page, f"{LOOKS}.picture?.kind === 'ticks'")
    first, last = seen(page)
    in_sight = page.evaluate(f"{LOOKS}.picture.x.filter((at) => at >= {first} && at < {last}).length")
    assert in_sight == pytest.approx((last - first) / 1000, abs=2)


def test_another_symbol_is_shown_at_the_same_time(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    wanted = see(page, (0.2, 0.6))
    page.locator(".watch [role=row]", has_text="MSFT").click()
    expect(page.locator("#headline-symbol")).to_have_text("MSFT")
    until(page, "window.tickflow.chart.view.drawn.symbol === 'MSFT'")
    assert seen(page) == pytest.approx(wanted, abs=2)


def test_the_tab_shows_price_and_change(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    expect(page).to_have_title("AAPL 150.00 0.00 % · Tickflow")
    running.market.tick("AAPL", 163.21)
    expect(page).to_have_title("AAPL 163.21 ▲ +8.81 % · Tickflow")


def test_a_layout_is_shared_by_all_readers_and_can_be_saved_and_loaded(
    running: Running, visit: Visit, tmp_path: Path
) -> None:
    running.market.history("AAPL", PRICES)
    running.market.history("MSFT", PRICES)
    page, other = visit("?symbol=MSFT&range=1h&candles=1m"), visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    page.locator("#show-layouts").click()
    page.locator(".layout-name").fill("Minutes of MSFT")
    page.get_by_role("button", name="Keep for all readers").click()
    expect(page.locator(".layout-list li")).to_have_count(1)
    expect(page.locator(".layout-list li")).to_contain_text("Minutes of MSFT")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    download.value.save_as(tmp_path / "layouts.json")
    (layout,) = json.loads((tmp_path / "layouts.json").read_text(encoding="utf-8"))["layouts"]
    assert layout["name"] == "Minutes of MSFT"
    assert re.search("symbol=MSFT&range=1h&candles=1m", layout["query"])
    wait_for_rows(other, 0)
    other.locator("#show-layouts").click()
    other.get_by_role("button", name="Minutes of MSFT", exact=True).click()
    expect(other.locator("#headline-symbol")).to_have_text("MSFT")
    until(other, f"{LOOKS}.picture?.kind === 'candles'")
    page.get_by_role("button", name="Remove Minutes of MSFT").click()
    expect(page.locator(".layout-list")).to_have_text("None is kept yet.")
    page.locator("#layouts input[type=file]").set_input_files(tmp_path / "layouts.json")
    expect(page.locator(".layout-list li")).to_contain_text("Minutes of MSFT")


def test_the_page_shows_why_a_layout_was_not_saved(
    running: Running, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("The layouts are away for this test.")

    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    monkeypatch.setattr(running.acks, "keep_layout", away)
    page.locator("#show-layouts").click()
    page.locator(".layout-name").fill("Mine")
    page.get_by_role("button", name="Keep for all readers").click()
    expect(page.locator(".layout-trouble")).to_have_text("The layouts are away for this test.")
