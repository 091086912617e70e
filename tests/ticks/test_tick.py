"""Ticks up to the limits of each rule are accepted; `decode` takes any bytes and never raises."""

import dataclasses
import json
import math
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.malformed import corpus
from tests.records import APPENDED_MS, CREATE_TIME, GOOD, body, entry, raw, reason
from tests.symbols import ODD_SYMBOLS, any_symbol
from tickflow.ticklog.base import Entry, Oversized
from tickflow.ticks import tick as tick_module
from tickflow.ticks.tick import (
    END_YEAR_US,
    MAX_RECORD_BYTES,
    SYMBOL_CHARACTERS,
    Limits,
    Reason,
    Refused,
    Tick,
    TickBatch,
    decode,
    encode,
    epoch_us,
    from_text,
    is_source,
    is_symbol,
)


def accept(value: bytes, key: bytes = b"AAPL") -> TickBatch:
    """Decode one record, which must be accepted; return its batch."""
    ticks, refused = decode([entry(value, key)])
    assert [one.reason for one in refused] == []
    return ticks


@pytest.mark.parametrize("name", ["volume", "change_percent", "source", "producer", "seq"])
def test_null_in_an_optional_field_means_absent(name: str) -> None:
    with_null, without = accept(body(**{name: None})), accept(body())
    for column in ("volumes", "sources", "producers", "seqs"):
        assert list(getattr(with_null, column)) == list(getattr(without, column))
    assert math.isnan(with_null.change_percent[0])


def test_defaults_of_optional_fields() -> None:
    ticks = accept(body())
    assert ticks.volumes.tolist() == [0]
    assert ticks.sources == ["unknown"]
    assert math.isnan(ticks.change_percent[0])
    assert ticks.producers == [None]
    assert ticks.seqs == [None]
    assert sum(ticks.naive) == 0


def test_the_last_of_duplicate_keys_counts() -> None:
    assert accept(body()[:-1] + b',"price":5}').prices.tolist() == [5.0]


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    assert accept(body(exchange={"name": ["ä", None, 1e300]})).prices.tolist() == [187.5]


@pytest.mark.parametrize("literal", ["187.5", "1875e-1", "1.875E2", "0.01875e+4", "187.50000"])
def test_a_number_may_have_any_json_form(literal: str) -> None:
    assert accept(raw("price", literal)).prices.tolist() == [187.5]


@pytest.mark.parametrize("price", [1e-9, 1, 1e12])
def test_prices_at_their_limits_are_accepted(price: float) -> None:
    assert accept(body(price=price)).prices.tolist() == [float(price)]


@pytest.mark.parametrize("volume", [0, 1, 2**53 - 1, 0.0015, 5e-324, 1.5, 2**53 - 1.0])
def test_volumes_at_their_limits_are_accepted(volume: float) -> None:
    assert accept(body(volume=volume)).volumes.tolist() == [volume]


@pytest.mark.parametrize("symbol", ["A", "BRK.B", "BF-B", "0700.HK", "aapl", ".", *ODD_SYMBOLS])
def test_symbols_that_are_accepted(symbol: str) -> None:
    assert accept(body(symbol=symbol), symbol.encode()).symbols == [symbol]
    assert is_symbol(symbol)


def test_a_symbol_of_one_character_too_many_is_refused_and_not_cut() -> None:
    longest = "A" * SYMBOL_CHARACTERS
    longer, key = body(symbol=longest + "A"), longest.encode()
    assert accept(body(symbol=longest), key).symbols == [longest]
    assert [reason(longer, key), reason(longer, key + b"A")] == [Reason.SYMBOL_INVALID] * 2
    assert not is_symbol(longest + "A")


@pytest.mark.parametrize("source", ["simulated", "alpha_vantage", "replay", "my_feed_2", "a" * 32])
def test_sources_that_are_accepted(source: str) -> None:
    assert accept(body(source=source)).sources == [source]


def test_seq_and_producer_change_nothing_else_and_any_integer_from_0_is_a_seq() -> None:
    ticks = accept(body(producer="x" * 64, seq=10**15))
    assert (ticks.producers, ticks.seqs) == (["x" * 64], [10**15])


@pytest.mark.parametrize(
    ("text", "moment", "naive"),
    [
        ("2026-01-05T14:30:00Z", datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 0),
        ("2026-01-05t14:30:00z", datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 0),
        ("2026-01-05T09:30:00-05:00", datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 0),
        ("2026-01-05T14:30:00", datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 1),
        ("2013-10-07T13:30:00.007Z", datetime(2013, 10, 7, 13, 30, 0, 7000, tzinfo=UTC), 0),
        ("2013-10-07T13:30:00.0000014Z", datetime(2013, 10, 7, 13, 30, 0, 1, tzinfo=UTC), 0),
        ("2013-10-07T13:30:00.0000016Z", datetime(2013, 10, 7, 13, 30, 0, 2, tzinfo=UTC), 0),
        ("2013-10-07T13:30:00.999999999Z", datetime(2013, 10, 7, 13, 30, 1, tzinfo=UTC), 0),
        ("2013-12-31T23:59:59.9999999Z", datetime(2014, 1, 1, tzinfo=UTC), 0),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC), 0),
        ("1969-12-31T19:00:00-05:00", datetime(1970, 1, 1, tzinfo=UTC), 0),
        ("1969-12-31T23:59:59.9999996Z", datetime(1970, 1, 1, tzinfo=UTC), 0),
    ],
)
def test_times_that_are_accepted(text: str, moment: datetime, naive: int) -> None:
    ticks = accept(body(timestamp=text))
    assert ticks.time_us.tolist() == [epoch_us(moment)]
    assert ticks.naive == [bool(naive)]


ANY_MOMENT = st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31)) | st.datetimes(  # noqa: DTZ001
    datetime(1970, 1, 2),  # noqa: DTZ001 - a day later, so that no zone leads to a time before 1970
    datetime(2261, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=11))]),
)


@given(st.lists(ANY_MOMENT, min_size=1, max_size=6))
@example([datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, 999_999, UTC)])
@example([datetime(1970, 1, 1, tzinfo=UTC), datetime(2261, 12, 31, 23, 59, 59, 999_999, UTC)])
@example([datetime(2026, 1, 5), datetime(2026, 1, 5, tzinfo=UTC)])  # noqa: DTZ001
def test_times_of_a_batch_are_exact_however_far_apart_they_lie(moments: list[datetime]) -> None:
    values = [encode(Tick("AAPL", 5.0, moment)) for moment in moments]
    ticks, refused = decode([Entry(0, at, b"AAPL", value, 0, CREATE_TIME) for at, value in enumerate(values)])
    assert refused == []
    assert ticks.time_us.tolist() == [epoch_us(moment) for moment in moments]
    assert ticks.naive == [moment.tzinfo is None for moment in moments]


def test_the_last_microsecond_of_2261_is_accepted() -> None:
    record = entry(body(timestamp="2261-12-31T23:59:59.999999Z"), appended_ms=END_YEAR_US // 1000)
    ticks, refused = decode([record])
    assert refused == []
    assert ticks.time_us.tolist() == [END_YEAR_US - 1]


def test_a_time_may_be_five_minutes_ahead_of_the_append_time_to_the_microsecond() -> None:
    assert reason(body(timestamp="2026-01-05T14:35:01.000000Z")) is None
    assert reason(body(timestamp="2026-01-05T14:35:01.000001Z")) == Reason.TIMESTAMP_FUTURE


def test_the_producers_own_time_is_ignored() -> None:
    record = Entry(0, 0, b"AAPL", body(timestamp="2200-01-01T00:00:00Z"), 0, CREATE_TIME)
    ticks, refused = decode([record], Limits(max_age_us=1))
    assert (len(ticks), refused) == (1, [])


def test_the_age_limit_is_optional_and_counts_from_the_append_time() -> None:
    limits = Limits(max_age_us=1_000_000)
    assert reason(body(timestamp="2026-01-05T14:30:00.000000Z"), limits=limits) is None
    assert reason(body(timestamp="2026-01-05T14:29:59.999999Z"), limits=limits) == Reason.TIMESTAMP_TOO_OLD
    assert reason(body(timestamp="2013-10-07T13:30:00.007Z")) is None


def test_a_record_of_exactly_the_limit_is_accepted() -> None:
    assert accept(body().ljust(MAX_RECORD_BYTES)).prices.tolist() == [187.5]
    assert reason(body(), limits=Limits(max_record_bytes=len(body()))) is None
    assert reason(body(), limits=Limits(max_record_bytes=len(body()) - 1)) == Reason.TOO_LARGE


@pytest.mark.parametrize("brackets", ["[" * 99 + "]" * 99, "[" + "{}," * 97 + "{}]"])
def test_a_hundred_brackets_are_accepted_and_one_more_is_not(brackets: str) -> None:
    value = raw("note", brackets)
    assert value.count(b"[") + value.count(b"{") == 100
    assert reason(value) is None
    assert reason(value.replace(b'"symbol"', b'"[":0,"symbol"')) == Reason.NESTING


def test_brackets_in_text_count_too() -> None:
    assert reason(body(note="[" * 99)) is None
    assert reason(body(note="[" * 100)) == Reason.NESTING


def test_refused_and_accepted_keep_their_order_and_their_records() -> None:
    records = [entry(body() if n % 3 else b"?", offset=n) for n in range(9)]
    ticks, refused = decode(records)
    assert [one.record.offset for one in refused] == [0, 3, 6]
    assert ticks.offsets.tolist() == [1, 2, 4, 5, 7, 8]
    assert [record.offset for record in ticks.records] == [1, 2, 4, 5, 7, 8]
    assert [ticks.after(offset) for offset in (0, 2, 3, 8, 9)] == [0, 1, 2, 5, 6]


def columns(ticks: TickBatch) -> dict[str, tuple[str, list[object]]]:
    """Each column's type and values, with NaN as None."""
    found = {}
    for name in TickBatch.__slots__:
        column = getattr(ticks, name)
        kind = column.dtype.name if isinstance(column, np.ndarray) else type(column).__name__
        values = column.tolist() if isinstance(column, np.ndarray) else column
        found[name] = (kind, [None if value != value else value for value in values])
    return found


def test_batches_are_joined_in_their_order_column_by_column() -> None:
    records = [
        entry(body(price=float(n), volume=n / 2, timestamp=f"2026-01-05T14:30:0{n}Z", seq=n, producer="p"), offset=n)
        for n in range(1, 8)
    ]
    whole, _ = decode(records)
    parts = [decode(records[begin:end])[0] for begin, end in ((0, 2), (2, 3), (3, 3), (3, 7))]
    assert columns(TickBatch.joined(parts)) == columns(whole)
    assert TickBatch.joined(parts[:1]) is parts[0]


def test_no_records_give_an_empty_batch() -> None:
    ticks, refused = decode([])
    assert (len(ticks), refused) == (0, [])
    assert {column.dtype.name for column in (ticks.prices, ticks.volumes, ticks.change_percent)} == {"float64"}
    assert {column.dtype.name for column in (ticks.offsets, ticks.time_us)} == {"int64"}


TEXTS = ("SPY", "167.41", "2013-10-07T13:30:00.007Z", "100.5", "replay")


def test_texts_give_their_tick() -> None:
    moment = datetime(2013, 10, 7, 13, 30, 0, 7_000, tzinfo=UTC)
    assert from_text(*TEXTS) == Tick("SPY", 167.41, moment, 100.5, source="replay")


@pytest.mark.parametrize(
    ("at", "text", "wanted"),
    [
        (0, "ÄPFEL", Reason.SYMBOL_INVALID),
        (0, "A\n", Reason.SYMBOL_INVALID),
        (1, "", Reason.PRICE_TYPE),
        (1, "12,5", Reason.PRICE_TYPE),
        (1, "1e999", Reason.PRICE_RANGE),
        (1, "0", Reason.PRICE_RANGE),
        (2, "10/07/2013", Reason.TIMESTAMP_INVALID),
        (2, "1969-12-31T23:59:59Z", Reason.TIMESTAMP_RANGE),
        (3, "none", Reason.VOLUME_TYPE),
        (3, "-1", Reason.VOLUME_RANGE),
        (4, "My feed", Reason.SOURCE_INVALID),
    ],
)
def test_texts_are_refused_with_the_reason_of_their_record(at: int, text: str, wanted: Reason) -> None:
    changed = [text if number == at else given for number, given in enumerate(TEXTS)]
    assert from_text(*changed) is wanted


def test_the_first_reason_in_the_order_of_price_time_volume_counts() -> None:
    assert from_text("SPY", "x", "y", "z", "replay") is Reason.PRICE_TYPE
    assert from_text("SPY", "1", "y", "z", "replay") is Reason.TIMESTAMP_INVALID


def test_a_time_given_as_text_may_lie_in_the_future() -> None:
    assert isinstance(from_text("SPY", "1", "2261-01-01T00:00:00Z", "1", "replay"), Tick)


def test_a_source_has_no_more_than_32_small_letters_digits_and_underscores() -> None:
    assert [is_source(text) for text in ("a" * 32, "a_1", "a" * 33, "A", "", "a\n")] == [True, True, *[False] * 4]


def test_picked_ticks_keep_every_column_in_the_order_requested() -> None:
    records = [entry(body(price=5 + n, volume=n, seq=n, producer=f"p{n}"), offset=n) for n in range(4)]
    ticks, _ = decode(records)
    picked = ticks.take([3, 1])
    assert (picked.offsets.tolist(), picked.prices.tolist(), picked.volumes.tolist()) == ([3, 1], [8, 6], [3, 1])
    assert (picked.seqs, picked.producers, picked.records) == ([3, 1], ["p3", "p1"], [records[3], records[1]])
    assert len(picked) == 2


def test_good_batches_take_the_fast_decoder_and_doubtful_ones_the_strict_one() -> None:
    good = [entry(body(), offset=n) for n in range(3)]
    assert tick_module._read_together(good, Limits()) is not None
    last = {
        "tombstone": entry(None),
        "too large": entry(body(note="x" * 300)),
        "nested": entry(body(note="[" * 100)),
        "not ASCII": entry(body(note="é").replace(b"\\u00e9", "é".encode())),
        "no JSON": entry(b"?"),
        "price": entry(body(price=1e13)),
        "low price": entry(body(price=1e-10)),
        "volume": entry(body(volume=-1)),
        "year": entry(body(timestamp="1969-12-31T23:59:59Z")),
        "future": entry(body(timestamp="2026-01-05T14:36:02Z")),
        "old": entry(body(timestamp="2026-01-05T13:00:00Z")),
        "key": entry(body(), b"MSFT"),
        "source": entry(body(source="A")),
        "producer": entry(body(producer="")),
        "seq": entry(body(seq=-1)),
    }
    limits = Limits(max_record_bytes=250, max_age_us=600_000_000)
    assert {name for name, each in last.items() if tick_module._read_together([*good, each], limits)} == set()
    assert tick_module._read_together([], limits) is None


AT_THE_EDGE = {
    "least price": entry(body(price=1e-9)),
    "largest price": entry(body(price=1e12)),
    "first moment": entry(body(timestamp="1970-01-01T00:00:00Z")),
    "last moment": entry(body(timestamp="2261-12-31T23:59:59.999999Z"), appended_ms=END_YEAR_US // 1000),
    "no volume": entry(body(volume=0)),
    "largest volume": entry(body(volume=2**53 - 1)),
    "shortest producer": entry(body(producer="x")),
    "longest producer": entry(body(producer="x" * 64)),
    "first seq": entry(body(seq=0)),
    "five minutes ahead": entry(body(timestamp="2026-01-05T14:35:01Z")),
    "most brackets": entry(body(note="[" * 99)),
    "largest record": entry(body().ljust(MAX_RECORD_BYTES)),
}


@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_values_at_a_limit_are_accepted_by_both_decoders(name: str) -> None:
    record = AT_THE_EDGE[name]
    assert tick_module._read_together([record], Limits()) is not None
    assert not isinstance(tick_module._read(record, Limits()), Reason)


@pytest.mark.parametrize(("text", "fits"), [("2026-01-05T14:30:00Z", True), ("2026-01-05T14:29:59.999999Z", False)])
def test_a_tick_of_exactly_the_greatest_age_is_accepted_by_both_decoders(text: str, fits: bool) -> None:
    record, limits = entry(body(timestamp=text)), Limits(max_age_us=1_000_000)
    assert (tick_module._read_together([record], limits) is not None) == fits
    assert isinstance(tick_module._read(record, limits), Reason) != fits


@pytest.mark.parametrize("appended_ms", [APPENDED_MS, END_YEAR_US // 1000 - 1_000_000])
@pytest.mark.parametrize(
    ("microseconds", "fits"), [(-1, False), (0, True), (5 * 60 * 1_000_000, True), (5 * 60 * 1_000_000 + 1, False)]
)
def test_the_log_time_decides_to_the_microsecond_up_to_the_last_year(
    microseconds: int, fits: bool, appended_ms: int
) -> None:
    # A float cannot represent every whole number of microseconds up to 2261.
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=appended_ms, microseconds=microseconds)
    record, limits = entry(body(timestamp=moment.isoformat()), appended_ms=appended_ms), Limits(max_age_us=0)
    assert (tick_module._read_together([record], limits) is not None) == fits
    assert isinstance(tick_module._read(record, limits), Reason) != fits


def test_without_a_log_time_the_rules_about_age_and_future_do_not_apply() -> None:
    record = Entry(0, 0, b"AAPL", body(timestamp="2200-01-01T00:00:00Z"), 0, CREATE_TIME)
    limits = Limits(max_age_us=1)
    assert tick_module._read_together([record, record], limits) is not None
    assert tick_module._read_together([record, entry(body())], limits) is None, "mixed: one by one"


def test_good_ticks_never_reach_the_strict_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_module, "_read", None)
    ticks, refused = decode([entry(body(price=5)), entry(body(change_percent=1))])
    assert (ticks.prices.tolist(), refused) == ([5.0, 187.5], [])
    assert {column.dtype for column in (ticks.prices, ticks.volumes, ticks.change_percent)} == {np.dtype(np.float64)}
    assert {column.dtype for column in (ticks.offsets, ticks.time_us)} == {np.dtype(np.int64)}


def test_an_oversized_batch_has_its_own_reason() -> None:
    _, refused = decode([Oversized(0, 0, None, None, APPENDED_MS)])
    assert [one.reason for one in refused] == [Reason.BATCH_TOO_LARGE]


zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
first, last = datetime(1970, 1, 3), datetime(2261, 12, 29)  # noqa: DTZ001 - times without a zone are tested too
times = st.datetimes(first, last) | st.datetimes(first, last, timezones=zones)
ticks_strategy = st.builds(
    Tick,
    symbol=any_symbol,
    price=st.floats(1e-9, 1e12),
    timestamp=times,
    volume=st.none() | st.integers(0, 2**53 - 1) | st.floats(0, 2**53, exclude_max=True),
    change_percent=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    source=st.none() | st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True),
    producer=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="[{"), min_size=1, max_size=64),
    seq=st.none() | st.integers(0, 2**63 - 1),
)


@given(ticks_strategy)
def test_an_encoded_tick_decodes_to_itself(tick: Tick) -> None:
    ticks, refused = decode([Entry(0, 7, tick.symbol.encode(), encode(tick), 0, CREATE_TIME)])
    assert [one.reason for one in refused] == []
    assert ticks.symbols == [tick.symbol]
    assert ticks.prices.tolist() == [tick.price]
    assert ticks.time_us.tolist() == [epoch_us(tick.timestamp)]
    assert ticks.volumes.tolist() == [tick.volume or 0]
    assert ticks.sources == [tick.source or "unknown"]
    assert (ticks.producers, ticks.seqs) == ([tick.producer], [tick.seq])
    change = ticks.change_percent[0]
    assert math.isnan(change) if tick.change_percent is None else change == tick.change_percent
    assert ticks.naive == [tick.timestamp.tzinfo is None]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["symbol", "price", "timestamp", "volume", "change_percent", "source", "producer", "seq"])
almost = st.dictionaries(fields, json_values, max_size=3).map(lambda changes: json.dumps({**GOOD, **changes}).encode())
cut = st.tuples(st.integers(0, 60), st.binary(max_size=3)).map(lambda at: body()[: at[0]] + at[1] + body()[at[0] + 1 :])
anything = st.none() | st.binary(max_size=60) | almost | cut | st.just(body())


@given(st.lists(st.tuples(anything, st.none() | st.just(b"AAPL") | st.binary(max_size=3)), max_size=12), st.data())
def test_the_decision_about_any_bytes_does_not_depend_on_batches(
    pairs: list[tuple[bytes | None, bytes | None]], data: st.DataObject
) -> None:
    records = [entry(value, key, offset=offset) for offset, (value, key) in enumerate(pairs)]
    ticks, refused = decode(records)
    assert sorted([record.offset for record in ticks.records] + [one.record.offset for one in refused]) == list(
        range(len(records))
    )
    assert all(one.reason in set(Reason) for one in refused)
    middle = data.draw(st.integers(0, len(records)))
    (first, refused_first), (second, refused_second) = decode(records[:middle]), decode(records[middle:])
    assert refused_first + refused_second == refused
    assert first.naive + second.naive == ticks.naive
    for name in ("symbols", "sources", "producers", "seqs"):
        assert getattr(first, name) + getattr(second, name) == getattr(ticks, name)
    for name in ("offsets", "time_us", "prices", "volumes", "change_percent"):
        both = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(both, getattr(ticks, name))


EDGES: dict[str, list[object]] = {
    "price": [1e-9, 9e-10, 1e12, 1.1e12],
    "timestamp": [
        *("2026-01-05T14:30:00Z", "2026-01-05T14:29:59.999999Z", "2026-01-05T14:35:01", "2026-01-05T14:35:01.000001Z"),
        *("1969-12-31T23:59:59.999999Z", "2261-12-31T23:59:59.999999Z", "2262-01-01T00:00:00Z"),
    ],
    "volume": [None, 0, -1, -0.0, 0.0015, -5e-324, 2**53 - 1, 2**53 - 0.5, 2**53, 2**63, True, "1"],
    "change_percent": [None, -0.5],
    "source": [None, "", "replay", "Replay"],
    "producer": [None, "", "é", "x" * 64, "x" * 65],
    "seq": [None, 0, -1, 10**30],
    "note": ["[" * 99, "[" * 100, "x" * 300],
}
edges = st.sampled_from([(name, value) for name, found in EDGES.items() for value in found])
bodies = st.lists(edges, max_size=2).map(lambda changes: body(**dict(changes)))
values = st.one_of(*[bodies] * 9, st.sampled_from([case.value for case in corpus() if len(case.value or b"") < 1_000]))


@pytest.mark.parametrize("name", ["symbol", "source"])
def test_very_long_texts_are_not_cached(name: str) -> None:
    longs = [entry(body(**{name: f"{'x' * 50_000}{number}"})) for number in range(200)]
    decode([entry(body())])
    tracemalloc.start()
    try:
        _, refused = decode(longs)
        assert len(refused) == len(longs)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@given(
    st.lists(st.tuples(values, st.sampled_from([b"AAPL"] * 9 + [b"MSFT", None]), st.sampled_from([0, 1])), max_size=4),
    st.sampled_from([Limits(), Limits(max_age_us=1_000_000), Limits(max_record_bytes=300)]),
)
@example([(body(timestamp="2262-01-01T00:00:00Z"), b"AAPL", CREATE_TIME)], Limits())
@example([(body(note="x" * length), b"AAPL", CREATE_TIME) for length in (0, 300)], Limits(max_record_bytes=300))
@example([(body(timestamp="2026-01-05T14:29:59.999999Z"), b"AAPL", 1)], Limits(max_age_us=1_000_000))
@settings(max_examples=500)
def test_ticks_are_read_the_same_way_beside_a_refused_record(
    found: list[tuple[bytes | None, bytes | None, int]], limits: Limits
) -> None:
    # If no record is refused, all are read together, by different code.
    records = [Entry(0, n, key, value, APPENDED_MS, kind) for n, (value, key, kind) in enumerate(found)]
    refused_one = Entry(0, len(found), None, None, APPENDED_MS)
    together, refused = decode(records, limits)
    apart, refused_apart = decode([*records, refused_one], limits)
    assert [*refused, Refused(refused_one, Reason.TOMBSTONE)] == refused_apart
    for column in dataclasses.fields(TickBatch):
        np.testing.assert_array_equal(getattr(together, column.name), getattr(apart, column.name))
