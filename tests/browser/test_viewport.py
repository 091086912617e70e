"""While a reader zooms and drags a real day, the chart shows what is stored for the visible range, on each stack."""

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, Page, expect

from benchmarks.stores import opened
from tests import real_day
from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, wait_for_rows
from tests.browser.test_both_stacks import saved, stored
from tests.conftest import StartScript
from tickflow.metrics.points import Points

__all__ = ["stored"]

expect.set_options(timeout=2 * WAIT_MS)
MOST = 40_000
SETTLED = (
    f"(({{ picture, range, loading }}) => loading === null && picture.covers[0] <= range[0] + 1 && "
    f"(window.tickflow.chart.view.drawn.follows || picture.covers[1] >= range[1] - 1))({LOOKS})"
)
IN_SIGHT = f"""(({{ picture, range }}) => {{
  const inside = picture.x.map((x) => x >= range[0] && x + picture.width_ms <= range[1]);
  const of = (name) => picture.y[name]?.filter((_, i) => inside[i]);
  const prices = [...(of("price") ?? of("high")), ...(of("price") ?? of("low"))];
  return {{
    kind: picture.kind,
    first: picture.x[inside.indexOf(true)],
    last: picture.x[inside.lastIndexOf(true)] + picture.width_ms,
    ticks: picture.kind === "ticks" ? of("price").length : of("ticks").reduce((a, b) => a + b, 0),
    volume: of("volume").reduce((a, b) => a + b, 0),
    high: Math.max(...prices),
    low: Math.min(...prices),
  }};
}})({LOOKS})"""


def check(page: Page, points: Points, times: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    """Compare the visible part with a recomputation from all ticks; return which kind of picture it is."""
    until(page, f"(window.tickflow.chart.refine(), {SETTLED})")  # wait until the page has all data that it needs
    seen = page.evaluate(IN_SIGHT)
    if seen["first"] is None:
        begin, end = page.evaluate(f"{LOOKS}.range")
        assert not ((times > begin) & (times < end)).any()
        return str(seen["kind"])
    inside = (times >= seen["first"]) & (times < seen["last"] + (1e-3 if seen["kind"] == "ticks" else 0))
    assert seen["ticks"] == inside.sum()
    assert seen["volume"] == points.volume[inside].sum()
    assert (seen["high"], seen["low"]) == (points.price[inside].max(), points.price[inside].min())
    return str(seen["kind"])


def test_wheel_and_drag_request_the_data_that_become_visible(
    stored: dict[str, str], script: StartScript, reader: BrowserContext, port: int, tmp_path: Path
) -> None:
    points = real_day.points("SPY", MOST)
    with opened(stored) as (store, _):
        for start in range(0, len(points), 5_000):
            store.write(points.take(slice(start, start + 5_000)))
    script("stock_dashboard.py", "--dashboard-port", str(port), env=stored).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{port}/?symbol=SPY&range=all")
    wait_for_rows(page, len(points) - 1)
    offset = page.evaluate("window.tickflow.chart.view.drawn.offsets[0][1]")
    times = points.time_ns / 1e6 + offset
    kinds = {check(page, points, times)}
    box = page.locator("#chart").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.8 * box["width"], box["y"] + 100
    page.mouse.move(x, y)
    for _ in range(5):
        page.mouse.wheel(0, -700)
        kinds.add(check(page, points, times))
        page.mouse.down()
        page.mouse.move(x + 150, y, steps=5)
        page.mouse.up()
        page.mouse.move(x, y)
        kinds.add(check(page, points, times))
    begin, end = page.evaluate(f"{LOOKS}.range")
    inside = (times >= math.ceil(begin)) & (times <= math.floor(end))
    rows = saved(page, tmp_path / "sight.csv")
    assert abs(len(rows) - inside.sum()) <= 2, "the bounds are rounded to the millisecond"
    page.mouse.wheel(0, 9_000)
    kinds.add(check(page, points, times))
    assert "columns" in kinds
    if len(points) == MOST:  # only if the real day's file is available
        assert kinds == {"columns", "ticks"}


def test_a_page_at_rest_requests_each_picture_once(running: Running, visit: Visit) -> None:
    """The picture begins with the first tick of the range, which is later than the range itself."""
    running.market.history("AAPL", [150.0] * 100, timedelta(seconds=70))
    running.market.history("AAPL", [150.0 + number % 7 for number in range(3_000)])
    page = visit(ready="window.tickflow?.chart.view.picture")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "look.data" in (request.post_data or "") else None)
    page.goto(running.url + "?symbol=AAPL&range=1h")
    until(page, f"{LOOKS}?.picture?.kind === 'columns'")
    page.wait_for_timeout(3_000)
    begin, end = page.evaluate(f"{LOOKS}.range")
    assert len(asked) <= 2
    assert 1.04 * 3_600_000 < end - begin < 1.06 * 3_600_000
    covers, first = page.evaluate(f"[{LOOKS}.picture.covers[0], {LOOKS}.picture.x[0]]")
    assert covers < first, "this test needs a picture whose first tick is later than the time range that was read"


def test_a_range_longer_than_the_data_is_drawn_per_pixel_at_once(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", [150.0 + number % 7 for number in range(3_000)])
    page = visit(ready="window.tickflow?.chart.view.picture")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "look.data" in (request.post_data or "") else None)
    page.goto(running.url + "?symbol=AAPL&range=1d")
    until(page, f"{LOOKS}?.picture?.kind === 'columns'")
    page.wait_for_timeout(2_000)
    column, (begin, end) = page.evaluate(f"[{LOOKS}.picture.width_ms, {LOOKS}.range]")
    pixel = (end - begin) / page.evaluate("document.getElementById('chart').clientWidth")
    assert 0.5 * pixel < column < 1.5 * pixel
    assert len(asked) == 0
