"""Tests of the line protocol of points: fields keep every bit, tags are escaped, and absent fields are left out."""

import re

import pytest
from hypothesis import given

from tests.point_examples import MORNING, Row, a_row, points_of, rows
from tickflow.metrics.fields import FIELDS
from tickflow.metrics.points import MEASUREMENT
from tickflow.store.influx import lines as module
from tickflow.store.influx.lines import to_lines

LINE = re.compile(
    r"(?P<measurement>\w+),symbol=(?P<symbol>[^, ]+),source=(?P<source>\w+) (?P<fields>\S+) (?P<time>\d+)"
)


def parsed(line: str) -> tuple[str, dict[str, str], int]:
    """The series, the fields as text, and the time of a line of line protocol."""
    found = LINE.fullmatch(line)
    assert found is not None
    pairs = [pair.split("=") for pair in found["fields"].split(",")]
    named = dict(pairs)
    assert len(named) == len(pairs)
    return f"{found['measurement']},{found['symbol']},{found['source']}", named, int(found["time"])


def value_of(text: str) -> object:
    """The value of a field's text by the rules of line protocol."""
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


@given(rows())
def test_a_line_gives_back_every_field_with_its_bits_and_no_absent_one(made: list[Row]) -> None:
    points = points_of(*made)
    lines = to_lines(points)
    assert len(lines) == len(made)
    for line, row in zip(lines, made, strict=True):
        series, fields, time_ns = parsed(line)
        symbol, source, expected_time, *values = row
        expected = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
        assert series == f"{MEASUREMENT},{symbol},{source}"
        assert time_ns == expected_time
        assert {name: repr(value_of(text)) for name, text in fields.items()} == {
            name: repr(value) for name, value in expected.items()
        }


def test_the_whole_line_of_a_full_point_and_of_one_in_warm_up() -> None:
    names = ("price", "change_percent", "ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score")
    floats = {name: 0.5 + i for i, name in enumerate(names)} | {"volume": 7.0}
    full = a_row(**floats, partition=2, offset=9, is_anomaly=True)
    assert to_lines(points_of(full, a_row(symbol="BRK.B", price=167.0))) == [
        "stock_metrics,symbol=AAPL,source=simulated price=0.5,change_percent=1.5,ma_5=2.5,ma_10=3.5,ma_20=4.5,"
        "volatility=5.5,vol_avg_5=6.5,vol_avg_10=7.5,z_score=8.5,volume=7.0,partition=2i,offset=9i,is_anomaly=true "
        f"{MORNING}",
        "stock_metrics,symbol=BRK.B,source=simulated price=167.0,volume=100.0,partition=0i,offset=0i,is_anomaly=false "
        f"{MORNING}",
    ]


def test_a_whole_float_is_written_as_a_float_so_that_its_field_never_changes_its_type() -> None:
    assert "price=1000000000000.0," in to_lines(points_of(a_row(price=1e12)))[0]


@pytest.mark.parametrize(
    ("symbol", "tag"),
    [("ES=F", "ES\\=F"), ("AAPL  240119C", "AAPL\\ \\ 240119C"), ("A B=C", "A\\ B\\=C"), ("^GSPC", "^GSPC")],
)
def test_a_tag_has_its_blanks_and_equals_signs_escaped_beside_symbols_without_any(symbol: str, tag: str) -> None:
    lines = to_lines(points_of(a_row(), a_row(symbol=symbol), a_row(symbol="BRK.B"), a_row(symbol=symbol)))
    assert [line.split(",source=")[0] for line in lines] == [
        f"stock_metrics,symbol={each}" for each in ("AAPL", tag, "BRK.B", tag)
    ]


@pytest.mark.parametrize("together", [1, 2, 3, 7, 8])
def test_the_lines_of_many_points_are_those_of_each(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points = points_of(*(a_row(price=float(at + 1), ma_5=None if at % 3 else 4.5, offset=at) for at in range(7)))
    wanted = [to_lines(points.take([at]))[0] for at in range(7)]
    assert len(set(wanted)) == 7
    monkeypatch.setattr(module, "TOGETHER", together)
    sizes = []
    template = module._template

    def spied(names: list[str]) -> list[str]:
        sizes.append(names)
        return template(names)

    monkeypatch.setattr(module, "_template", spied)
    assert to_lines(points) == wanted
    parts = [range(at, min(at + together, 7)) for at in range(0, 7, together)]
    assert len(sizes) == sum(len({at % 3 == 0 for at in part}) for part in parts), "a template per form and part"


def test_no_points_have_no_lines() -> None:
    assert to_lines(points_of()) == []


def test_a_slice_of_points_has_the_lines_of_those_points() -> None:
    points = points_of(*(a_row(price=float(at + 1), offset=at) for at in range(6)))
    assert to_lines(points.take(slice(None, None, 2))) == to_lines(points)[::2]


def test_columns_of_unequal_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        module._filled(["\na=", " b="], [["1"]])
