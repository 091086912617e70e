"""Helpers of the browser tests: the rows of the chart and the visible time range."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Running, until

Ticking = Callable[[], None]
"""The fixture `ticking`."""
GRAPH = "document.querySelector('#chart .js-plotly-plot')"
"""What Plotly draws of the chart: its axes."""
LOOKS = "window.tickflow.chart.looks()"
"""What is painted: the picture, the time range, the marks, the places of the panels."""
TICKS = "(window.tickflow?.chart?.view.picture ? window.tickflow.chart.view.drawn.total : 0)"
SMALL = "document.querySelector('#multiples .js-plotly-plot')"
PRICES = [150 + (i % 7) * 0.1 for i in range(120)]


def drawn(page: Page) -> int:
    """How many ticks the chart shows, one by one or in columns or candles."""
    count: int = page.evaluate(TICKS)
    return count


def column(page: Page, name: str) -> list[float]:
    """A column of the drawn picture: `price`, `volume`, `ma_5_low` …"""
    return page.evaluate(f"{LOOKS}.picture.y.{name}")  # type: ignore[no-any-return]  # numbers


def seen(page: Page) -> list[float]:
    """The visible time range in ms, once there is a chart."""
    until(page, f"Boolean({LOOKS}.range)")
    return page.evaluate(f"{LOOKS}.range")  # type: ignore[no-any-return]  # two numbers


def wait_for_rows(page: Page, more_than: int) -> None:
    until(page, f"{TICKS} > {more_than}")


def wait_for_refreshes(page: Page, count: int = 5) -> None:
    """Wait until the chart has been extended this many times, which happens while ticks come."""
    for _ in range(count):
        wait_for_rows(page, drawn(page))


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def with_anomaly(running: Running, symbol: str = "AAPL") -> None:
    """A history whose 60th tick, a minute before the last, is an outlier."""
    running.market.history(symbol, [price + (8 if i == 60 else 0) for i, price in enumerate(PRICES)])
