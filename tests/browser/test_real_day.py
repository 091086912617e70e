"""A real day's trades in a real browser: what is drawn is what is stored, at any zoom."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests import real_day
from tests.browser.conftest import WAIT_MS, Running, Visit, until
from tests.browser.looks import LOOKS, wait_for_rows
from tickflow.metrics.points import Points

expect.set_options(timeout=2 * WAIT_MS)
TOPS = f"""(({{ shape, picture, range }}) => {{
  const {{ left, right, top, bottom, y }} = shape.panels.y4;
  const canvas = document.querySelector("#chart .brush-data");
  const {{ data, width }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  // closed hours are shaded more lightly, and the threshold is a line of its own
  const isPainted = (px, row) => data[4 * (row * width + px) + 3] > 50 && Math.abs(row - y(2)) > 2;
  const color = (px, at) => [...data.slice(4 * (Math.round(y(at)) * width + px)).slice(0, 3)];
  const tops = [];
  for (let px = left; px < right; px++) {{
    let row = Math.floor(top);
    while (row < bottom && !isPainted(px, row)) row++;
    tops.push(row);
  }}
  const high = left + tops.findIndex((row) => row < y(2.6));
  const colors = [0.5, 2.5].map((at) => color(high, at));
  return {{ picture, range, left, right, tops, two: y(2), zero: y(0), colors }};
}})((document.documentElement.style.setProperty("--grid", "transparent"), window.tickflow.chart.again(), {LOOKS}))"""
"""JavaScript for the highest painted row of each pixel column of the |z| panel, drawn without a grid, the rows of two
values, and the colours below and above the threshold.
"""
COVERED = f"(({{ picture, range }}) => picture.covers[0] <= range[0] && picture.covers[1] >= range[1])({LOOKS})"


def stored(running: Running, symbol: str, most: int = 60_000) -> Points:
    """Write the symbol's first `most` trades of the day to the page's store; return their points."""
    points = real_day.points(symbol, most)
    for at in range(0, len(points), 20_000):
        running.writing.write(points.take(slice(at, at + 20_000)))
    running.market.report(ticked=True)
    return points


def walls(page: Page, points: Points) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The points' times by the page's wall clock, in ms."""
    offset = page.evaluate("window.tickflow.chart.view.drawn.offsets[0][1]")
    result: np.ndarray[tuple[int], np.dtype[np.float64]] = points.time_ns / 1e6 + offset
    return result


def test_zoomed_into_a_real_day_every_stored_tick_is_drawn_and_saved(
    running: Running, visit: Visit, tmp_path: Path
) -> None:
    points = stored(running, "SPY")
    page = visit("?symbol=SPY&range=all")
    wait_for_rows(page, len(points) - 1)
    assert page.evaluate(f"{LOOKS}.picture.kind") == "columns"
    assert page.evaluate(f"{LOOKS}.picture.y.volume.reduce((a, b) => a + b)") == points.volume.sum()
    assert page.evaluate("window.tickflow.chart.marked()") == points.is_anomaly.sum()
    assert 5 < page.evaluate(f"{LOOKS}.marks.length") <= 60
    times = walls(page, points)
    middle = len(points) // 2
    begin, end = math.floor(times[middle]) - 1, math.ceil(times[middle + 700]) + 1
    page.evaluate(f"window.tickflow.chart.see({begin}, {end}); window.tickflow.chart.refine()")
    until(page, f"{LOOKS}.picture.kind === 'ticks' && {COVERED}")
    inside = (times > begin) & (times < end)
    assert page.evaluate("window.tickflow.chart.ticksInSight()") == inside.sum()
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "ticks.csv")
    rows = list(csv.DictReader((tmp_path / "ticks.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["price"]) for row in rows] == points.price[inside].tolist()


def test_the_panel_of_z_shows_the_highest_of_each_pixel(running: Running, visit: Visit) -> None:
    points = stored(running, "SPY", most=20_000)
    page = visit("?symbol=SPY&range=all")
    wait_for_rows(page, len(points) - 1)
    until(page, f"{LOOKS}.picture.kind === 'columns' && {LOOKS}.shape !== null")
    drawn = page.evaluate(TOPS)
    times, z = walls(page, points), np.nan_to_num(points.z_score, nan=-1.0)
    picture, left, (begin, end) = drawn["picture"], drawn["left"], drawn["range"]
    highest = np.full(len(drawn["tops"]), -1.0)
    for at, high in zip(picture["x"], picture["y"]["z_score_high"], strict=True):
        bounds = np.array([at, at + picture["width_ms"]])
        most = z[slice(*np.searchsorted(times, bounds))].max()
        assert (high is None) if most < 0 else (high == pytest.approx(most, abs=1e-3))
        first, last = (
            np.floor((bounds - begin) / (end - begin) * (drawn["right"] - left) + left + 0.5).astype(int) - left
        )
        last = max(last, first + 1)
        highest[first:last] = np.maximum(highest[first:last], most)
    rows = drawn["zero"] + (drawn["two"] - drawn["zero"]) / 2 * highest
    apart = (highest > 0.2) & (np.abs(rows - drawn["two"]) > 4)
    assert apart.sum() > 100
    assert np.abs(np.array(drawn["tops"]) - rows)[apart].max() <= 1.5
    below, above = drawn["colors"]
    assert below != above, "what lies above the threshold has its own colour"


def test_an_ended_replay_is_shown_as_neutral_and_not_faded(running: Running, visit: Visit) -> None:
    stored(running, "AIG", most=500)
    page = visit("?symbol=AIG&range=all")
    wait_for_rows(page, 0)
    for _ in range(40):
        running.market.report()  # the worker reports that it has no backlog
        if page.locator("#fresh").inner_text().startswith("replay ended"):
            break
        page.wait_for_timeout(500)
    expect(page.locator("#fresh")).to_contain_text("Oct 7")
    assert page.evaluate("getComputedStyle(document.querySelector('#chart')).filter") == "none"
    expect(page.locator("#advice")).to_be_hidden()
