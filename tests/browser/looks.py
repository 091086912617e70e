"""Helpers of the browser tests that read the chart's rows and its visible time range."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Running, until

Ticking = Callable[[], None]
"""The type of the fixture `ticking`."""
GRAPH = "document.querySelector('#chart .js-plotly-plot')"
"""JavaScript for the element in which Plotly draws the chart's frame."""
LOOKS = "window.tickflow.chart.looks()"
"""JavaScript for what the chart shows: the picture, the time range, the marks, the panels and their axes."""
TICKS = "(window.tickflow?.chart?.view.picture ? window.tickflow.chart.view.drawn.total : 0)"
SMALL = "document.querySelector('#multiples .js-plotly-plot')"
PRICES = [150 + (i % 7) * 0.1 for i in range(120)]


def drawn(page: Page) -> int:
    """The number of ticks that the chart shows, whether single or in columns or candles."""
    count: int = page.evaluate(TICKS)
    return count


def column(page: Page, name: str) -> list[float]:
    """The values of a column of the drawn picture, such as `price`, `volume` or `ma_5_low`."""
    return page.evaluate(f"{LOOKS}.picture.y.{name}")  # type: ignore[no-any-return]  # a list of numbers


def seen(page: Page) -> list[float]:
    """Wait for a chart; return its visible time range in ms."""
    until(page, f"Boolean({LOOKS}.range)")
    return page.evaluate(f"{LOOKS}.range")  # type: ignore[no-any-return]  # a list of two numbers


def wait_for_rows(page: Page, more_than: int) -> None:
    until(page, f"{TICKS} > {more_than}")


def wait_for_refreshes(page: Page, count: int = 5) -> None:
    """Wait until the chart has been extended `count` times; ticks must arrive during the wait."""
    for _ in range(count):
        wait_for_rows(page, drawn(page))


def written(page: Page) -> list[tuple[str, float, float, str]]:
    """The texts of the chart as it is painted now, each with its left end and its baseline in px, and its font size."""
    found: list[tuple[str, float, float, str]] = page.evaluate("""() => {
      const found = [], pen = CanvasRenderingContext2D.prototype, write = pen.fillText;
      pen.fillText = function (text, x, y) {
        const share = { center: 0.5, right: 1 }[this.textAlign] ?? 0;
        found.push([text, x - share * this.measureText(text).width, y, this.font.match(/[\\d.]+px/)[0]]);
        write.call(this, text, x, y);
      };
      window.tickflow.chart.again();
      pen.fillText = write;
      return found;
    }""")
    return found


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def with_anomaly(running: Running, symbol: str = "AAPL") -> None:
    """Store a history with one outlier, a minute before the last tick."""
    running.market.history(symbol, [price + (8 if i == 60 else 0) for i, price in enumerate(PRICES)])
