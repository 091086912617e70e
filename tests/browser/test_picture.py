"""Tests of the chart as a picture: the content of the saved file and of the printed sheet."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Running, Visit, until
from tests.browser.looks import LOOKS, PRICES, SMALL, wait_for_rows, with_anomaly

WRITTEN = """() => {
    window.written = [];
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
      if (!this.canvas.isConnected) window.written.push(text);
      return write.call(this, text, ...where);
    };
}"""
"""JavaScript that records the texts drawn on canvases outside the document, such as that of the saved picture."""


def saved(page: Page) -> tuple[str, Image.Image, str]:
    """Save the picture; return the file's name, the image, and the texts written above the chart."""
    page.evaluate(WRITTEN)
    with page.expect_download() as download:
        page.locator("#png").click()
    image = Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("RGB")
    return download.value.suggested_filename, image, " ".join(page.evaluate("window.written"))


def colors(image: Image.Image, top: float, bottom: float) -> set[tuple[int, ...]]:
    """The colours between two heights of the image, given as shares from the top."""
    part = image.crop((0, round(top * image.height), image.width, round(bottom * image.height)))
    found = part.getcolors(part.width * part.height)
    return {color for _, color in found or []}  # type: ignore[misc]  # the colours of an RGB image are tuples


def test_a_saved_picture_says_symbol_period_source_and_time_and_has_the_line(running: Running, visit: Visit) -> None:
    with_anomaly(running)
    page = visit("?symbol=AAPL")
    wait_for_rows(page, 0)
    name, image, texts = saved(page)
    assert re.fullmatch(r"AAPL-\d{4}-\d\d-\d\d-\d{4}\.png", name)
    assert re.search(
        r"AAPL 150\.00 .*\d\d:\d\d:\d\d – \d\d:\d\d:\d\d ET · range 15m · source SIMULATED · exported .* UTC",
        re.sub(r"\s+", " ", texts),
    )
    width, height = page.evaluate(f"(({{ width, height }}) => [width, height])({SHOWN})")
    assert image.width == 2 * width
    assert image.height > 2 * height + 60, "there is room for the texts above the chart"
    assert (168, 50, 138) in colors(image, 0.1, 0.6), "the mark of the anomaly"
    assert (91, 102, 117) in colors(image, 0, 0.1) | colors(image, 0.9, 1), "the texts"
    assert page.evaluate("document.querySelector('#chart .brush-data').width") == page.evaluate(
        "document.querySelector('#chart').clientWidth"
    ), "the screen's canvas is as before"


SHOWN = "document.querySelector('#chart .js-plotly-plot')._fullLayout"


def test_a_saved_picture_of_compare_names_all_symbols(running: Running, visit: Visit) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit("?symbol=AAPL&symbols=AAPL,MSFT")
    until(page, f"{SMALL}?.querySelectorAll('.scatterlayer .trace').length > 1")
    name, image, texts = saved(page)
    assert name.startswith("AAPL-MSFT-")
    assert "AAPL, MSFT" in texts
    assert "source SIMULATED" in texts
    width, height = image.size
    inside = image.crop((round(0.05 * width), round(0.2 * height), round(0.4 * width), round(0.85 * height)))
    assert min(sum(color) for color in colors(inside, 0, 1)) < 480, "the line of the price, pale where it is stale"


def test_a_picture_of_a_phone_has_all_of_its_texts(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL", width=400, height=860)
    wait_for_rows(page, 0)
    page.evaluate("window.widths = []")
    page.evaluate("""() => {
      const write = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        if (!this.canvas.isConnected) window.widths.push(x + this.measureText(text).width);
        return write.call(this, text, x, y);
      };
    }""")
    _, image, texts = saved(page)
    assert "exported" in texts
    assert max(page.evaluate("window.widths")) <= image.width / 2


@pytest.mark.parametrize("query", ["?symbol=AAPL", "?symbol=AAPL&symbols=AAPL,MSFT"])
def test_on_paper_are_the_chart_its_readings_and_a_caption_and_no_buttons(
    running: Running, visit: Visit, query: str
) -> None:
    for symbol in ("AAPL", "MSFT"):
        running.market.history(symbol, PRICES)
    page = visit(query, scheme="dark")
    several = "symbols" in query
    until(page, f"Boolean({SMALL}?.querySelector('.trace'))" if several else f"Boolean({LOOKS}.shape)")
    figure = page.locator(".figure-multiples" if several else ".figure:not(.figure-multiples)")
    before = figure.bounding_box()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    caption = page.locator("#caption")
    expect(caption).to_be_visible()
    expect(caption).to_have_text(re.compile(r"^AAPL.* ET · range 15m · source SIMULATED · exported .* UTC$"))
    shown = """[...document.querySelectorAll("button, select, input, [role=grid], .alerts")]
      .filter((each) => each.offsetParent && !each.matches(".switch")).map((each) => each.id || each.className)"""
    assert page.evaluate(shown) == []
    if not several:
        expect(page.locator("#headline-price")).to_have_text("150.00")
        expect(page.locator("#reading-volume")).to_be_visible()
    after = figure.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] / after["height"] == pytest.approx(before["width"] / before["height"], rel=0.01)
    assert after["width"] <= 1041
    paper = f"document.querySelector('#{'multiples' if several else 'chart'} .js-plotly-plot').layout.paper_bgcolor"
    assert page.evaluate(paper) == "#ffffff"
    sheet = page.pdf(prefer_css_page_size=True)
    assert sheet.count(b"/Type /Page\n") == 1, "one sheet"
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(paper) == "#14181e"
    expect(caption).to_be_hidden()
