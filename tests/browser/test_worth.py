"""Alerts worth reading on the page: grouped by symbol, strongest first; readers snooze and mute them for everybody."""

import threading
import time

from playwright.sync_api import expect

from config import Settings
from stock_dashboard import StockDashboard
from tests.browser.conftest import PACKED, UPDATE_INTERVAL, WAIT_MS, Running, Visit
from tests.browser.looks import PRICES
from tickflow.alerts.alert import Alert
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.store.sqlite.mutes import EmbeddedMutes

expect.set_options(timeout=WAIT_MS)


def serve_with_alerts(running: Running) -> EmbeddedAlerts:
    """Serve the page again, now with the tables of alerts and mutes."""
    running.stop()
    running._stop = threading.Event()
    alerts = EmbeddedAlerts(running._path, stop=running._stop)
    mutes = EmbeddedMutes(running._path, stop=running._stop)
    settings = Settings(dashboard_port=running._port, update_interval=UPDATE_INTERVAL, stack="embedded")
    dashboard = StockDashboard(
        settings, stop=running._stop, store=running.store, acks=running.acks, alerts=alerts, mutes=mutes
    )
    dashboard.packed._kept = PACKED
    running._thread = threading.Thread(target=dashboard.run)
    running._thread.start()
    return alerts


def moved(symbol: str, score: float, lasted: bool | None = None) -> Alert:
    at = time.time_ns() - 5 * 10**9
    return Alert(symbol, "move", at, score, 8.0, 101.0, 100.0, 1.0, 1, at, 0, int(score), budget=1.0, lasted=lasted)


def test_todays_alerts_come_first_and_are_muted_for_all(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [*PRICES, 158.0])
    running.market.history("MSFT", PRICES)
    alerts = serve_with_alerts(running)
    alerts.write([moved("MSFT", 9.0), moved("AAPL", 11.0, True), moved("AAPL", 10.0, False)])
    page, other = visit("?symbol=MSFT"), visit()
    heads = page.locator("#alerts .alert-group")
    expect(heads).to_have_count(2)
    expect(heads.first).to_contain_text("AAPL2 alerts · 1 lasted · 1 came back")
    expect(page.locator("#alerts .worth").first).to_contain_text("11 usual moves")
    expect(page.locator("#alerts .worth").first).to_contain_text("At most 1 a day for this symbol.")
    page.get_by_role("button", name="Snooze AAPL for an hour").click()
    expect(other.locator("#alerts .worth.is-acked")).to_have_count(2)
    other.locator("#alerts .mutes summary").click()
    expect(other.locator("#alerts .mutes-list li")).to_contain_text("AAPL until")
    other.get_by_role("button", name="Undo: AAPL until").click()
    expect(page.locator("#alerts .worth.is-acked")).to_have_count(0)
    page.locator("#alerts .worth .alert-go").first.click()
    expect(page.locator("#headline-symbol")).to_have_text("AAPL")
    page.locator("#alerts .chip", has_text="All flags").click()
    expect(page.locator("#alerts .alert:not(.worth)").first).to_contain_text("AAPL")


def test_a_mute_by_pattern_and_size_is_made_in_the_page(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    alerts = serve_with_alerts(running)
    alerts.write([moved("AAPL", 9.0)])
    page = visit()
    page.locator("#alerts .mutes summary").click()
    form = page.locator("#alerts .mutes-form")
    form.locator("[name=pattern]").fill("A*")
    form.locator("[name=minutes]").select_option("0")
    form.locator("[name=below]").fill("1.5")
    form.get_by_role("button", name="Mute").click()
    expect(page.locator("#alerts .mutes-list li")).to_contain_text("A* below 1.5 %")
    expect(page.locator("#alerts .worth.is-acked")).to_have_count(1)
