"""The CSV that the browser itself writes conforms to RFC 4180, and none of its cells is a formula."""

import csv
import io

from playwright.sync_api import Browser

from tickflow.dashboard.modules import ASSETS

ROWS = [
    ["symbol", "price", "change"],
    ["=1+1", -1.5, "-2"],
    ['a,"b"', 0.1, "@x"],
    ["\tx", 5, "\rx"],
    ["+1", -3, "line\nfeed"],
    ["BRK.B", 1e-7, ""],
]


def test_texts_are_quoted_and_harmless_while_numbers_stay_numbers(chromium: Browser) -> None:
    page = chromium.new_page()
    try:
        text = page.evaluate(
            "async ([code, rows]) => (await import(`data:text/javascript,${encodeURIComponent(code)}`)).csv(rows)",
            [(ASSETS / "csv.js").read_text(encoding="utf-8"), ROWS],
        )
    finally:
        page.close()
    assert text.endswith("\r\n")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["symbol", "price", "change"],
        ["'=1+1", "-1.5", "'-2"],
        ['a,"b"', "0.1", "'@x"],
        ["'\tx", "5", "'\rx"],
        ["'+1", "-3", "line\nfeed"],
        ["BRK.B", "1e-7", ""],
    ]
