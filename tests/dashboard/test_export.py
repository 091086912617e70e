"""The page's CSV conforms to RFC 4180, writes numbers as numbers, and has no cell that could be a formula."""

import csv
import io
import re

import pytest

from tests.dashboard.serving import served
from tests.fakes import MemoryStore
from tests.point_examples import MORNING, SECOND, a_row, points_of
from tickflow.dashboard import export
from tickflow.dashboard.drawing import clock, traces

DAY_MS = 86_400_000
BEGIN = int(clock.wall_ms(points_of(a_row(time_ns=MORNING)).time_ns)[0]) - DAY_MS
PATH = f"/ticks.csv?symbol={{}}&from={BEGIN}&to={BEGIN + 2 * DAY_MS}"

HARMFUL = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


def csv_of(store: MemoryStore, symbol: str = "AAPL") -> str:
    with served(store=store) as page:
        status, headers, body = page.ask("GET", PATH.format(symbol))
    assert status == 200
    assert headers["Content-Type"].startswith("text/csv")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    return body.decode()


def test_lines_end_by_rfc_4180_and_a_cell_with_a_comma_a_quote_or_a_line_end_is_quoted() -> None:
    store = MemoryStore()
    odd = 'a,"b"\r\nc'
    store.write(points_of(a_row(source=odd), a_row(time_ns=MORNING + SECOND)))
    text = csv_of(store)
    first = text.split("\r\n", 1)[0]
    assert first == ",".join(traces.CSV)
    assert text.endswith("\r\n")
    assert '"a,""b""\r\nc"' in text
    assert not re.search(r"(?<!\r)\n", text), "no line feed alone"
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["source"] for row in rows] == [odd, "simulated"]


@pytest.mark.parametrize("text", HARMFUL)
def test_a_text_that_begins_a_formula_is_made_harmless(text: str) -> None:
    store = MemoryStore()
    store.write(points_of(a_row(source=text)))
    (row,) = csv.DictReader(io.StringIO(csv_of(store), newline=""))
    assert row["source"] == f"'{text}"


@pytest.mark.parametrize("text", HARMFUL)
def test_a_foreign_symbol_that_begins_a_formula_is_made_harmless(text: str) -> None:
    store = MemoryStore()
    store.write(points_of(a_row(symbol=text)))
    whole = "".join(export.lines(store, text, 0, MORNING + SECOND))
    (row,) = csv.DictReader(io.StringIO(whole, newline=""))
    assert row["symbol"] == f"'{text}"


def test_negative_numbers_stay_numbers() -> None:
    store = MemoryStore()
    store.write(points_of(a_row(price=187.125, volume=0.5)))
    (row,) = csv.DictReader(io.StringIO(csv_of(store), newline=""))
    assert (row["price"], row["volume"]) == ("187.125", "0.5")
    assert export._cell(-1.5) == -1.5


@pytest.mark.parametrize("symbol", HARMFUL)
def test_symbols_that_begin_a_formula_cannot_be_requested(symbol: str) -> None:
    with served(store=MemoryStore()) as page:
        status, _, _ = page.ask("GET", PATH.format("%" + "%".join(f"{byte:02x}" for byte in symbol.encode())))
    assert status == 400
