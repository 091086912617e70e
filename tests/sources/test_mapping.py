"""A map turns foreign JSON records into ticks, or refuses them with a reason."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflow.errors import SettingError
from tickflow.sources.mapping import Mapping, Unmapped
from tickflow.ticks.tick import Tick, epoch_us

PLAIN: dict[str, Any] = {"symbol": "s", "price": "p", "timestamp": "t"}
TIME = "2026-01-05T14:30:00.123456Z"
TIME_US = 1_767_623_400_123_456


def tick(table: dict[str, Any], record: object, key: bytes | None = None) -> Tick:
    return Mapping.of(PLAIN | table).tick(key, json.dumps(record).encode(), 7)


def test_nested_paths_arrays_text_numbers_and_a_constant() -> None:
    table = {
        "symbol": {"constant": "BTC-USD"},
        "price": "data.trades.1.p",
        "timestamp": "data.at",
        "volume": "data.v",
        "change_percent": "data.c",
        "source": "my_feed",
    }
    found = tick(table, {"data": {"trades": [{"p": "1"}, {"p": "187.5"}], "at": TIME, "v": "1e2", "c": "-1.5"}})
    assert (found.symbol, found.price, found.volume, found.change_percent) == ("BTC-USD", 187.5, 100, -1.5)
    assert (epoch_us(found.timestamp), found.source, found.seq) == (TIME_US, "my_feed", 7)


def test_the_symbol_may_be_the_records_key() -> None:
    assert tick({"symbol": {"key": True}}, {"p": 1, "t": TIME}, b"AAPL").symbol == "AAPL"
    with pytest.raises(Unmapped, match="symbol_invalid"):
        tick({"symbol": {"key": True}}, {"p": 1, "t": TIME})


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("s", 1_767_623_400.123456),
        ("s", "1767623400.123456"),
        ("ms", 1_767_623_400_123.456),
        ("us", TIME_US),
        ("ns", TIME_US * 1000 + 400),
        ("ns", str(TIME_US * 1000)),
    ],
)
def test_every_unit_of_an_epoch(unit: str, number: object) -> None:
    assert epoch_us(tick({"epoch": unit}, {"s": "A", "p": 1, "t": number}).timestamp) == TIME_US


def test_a_text_time_without_a_zone_needs_a_zone_in_the_map() -> None:
    record = {"s": "A", "p": 1, "t": "2026-01-05T09:30:00.123456"}
    with pytest.raises(Unmapped, match="has no zone; set timezone in the map"):
        tick({}, record)
    assert epoch_us(tick({"timezone": "America/New_York"}, record).timestamp) == TIME_US


def test_an_absent_volume_stays_absent() -> None:
    assert tick({}, {"s": "A", "p": 1, "t": TIME}).volume is None
    assert tick({"volume": "v"}, {"s": "A", "p": 1, "t": TIME, "v": None}).volume == 0


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([1], "no text at s"),
        ({"s": 5, "p": 1, "t": TIME}, "no text at s"),
        ({"s": "A", "p": "much", "t": TIME}, "no number at p"),
        ({"s": "A", "p": True, "t": TIME}, "no number at p"),
        ({"s": "A", "p": math.inf, "t": TIME}, "not_json"),
        ({"s": "A", "p": "1e999999", "t": TIME}, "no number at p"),
        ({"s": "A", "p": "nan", "t": TIME}, "no number at p"),
        ({"s": "A", "p": 0, "t": TIME}, "price_range"),
        ({"s": "A", "p": 1, "t": 1_767_623_400}, "set epoch in the map"),
        ({"s": "A", "p": 1, "t": "5.1.2026"}, "not RFC 3339"),
        ({"s": "A", "t": TIME}, "no number at p"),
        ({"s": "=A", "p": 1, "t": TIME}, "symbol_invalid"),
    ],
)
def test_a_record_that_does_not_map_to_a_tick_gives_a_reason(record: object, words: str) -> None:
    with pytest.raises(Unmapped, match=words):
        tick({}, record)


@pytest.mark.parametrize("number", [10**30, "-1e30", 1e39])
def test_an_epoch_beyond_all_years_is_refused(number: object) -> None:
    with pytest.raises(Unmapped, match=r"not a time in s|timestamp_range"):
        tick({"epoch": "s"}, {"s": "A", "p": 1, "t": number})


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_any_bytes_give_a_tick_or_an_unmapped_error(value: bytes) -> None:
    for table in ({"epoch": "ms"}, {}):
        with contextlib.suppress(Unmapped):
            Mapping.of(PLAIN | table).tick(None, value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symbol = 's'", "price must be a path"),
        ("nonsense", "Expected"),
        ("symbol = 's'\nprice = 'p'\ntimestamp = 't'\nepoch = 'h'", "epoch is one of s, ms, us, ns"),
        ("symbol = 's'\nprice = 'p'\ntime = 't'", "unknown key time; known are symbol"),
        ("symbol = { constant = '=A' }\nprice = 'p'\ntimestamp = 't'", "'=A' is not a symbol"),
        ("symbol = { constant = 'A', key = true }\nprice = 'p'\ntimestamp = 't'", "symbol is a path"),
        ("symbol = 's'\nprice = 'p'\ntimestamp = 't'\ntimezone = 'Mars'", "'Mars' is not a time zone"),
        ("symbol = 's'\nprice = 'p'\ntimestamp = 't'\nsource = 'My feed'", "source is 1 to 32"),
    ],
)
def test_an_error_in_a_map_names_file_and_mistake(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=words) as caught:
        Mapping.read(file)
    assert str(file) in str(caught.value)
    with pytest.raises(SettingError, match="No such file"):
        Mapping.read(tmp_path / "none.toml")
