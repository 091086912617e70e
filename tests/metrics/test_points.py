"""Tests of points as columns and rows, and of their identity."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.point_examples import MORNING, Row, a_row, bits, points_of, rows
from tests.records import body, entry
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points, point_time
from tickflow.metrics.windows import Windows
from tickflow.ticks.tick import decode

END_OF_TIME_US = 9_214_646_400_000_000  # the first microsecond of 2262


@given(rows())
def test_rows_and_points_convert_both_ways(made: list[Row]) -> None:
    points = Points.from_rows(made)
    assert len(points) == len(made)
    assert points.rows() == made
    assert bits(Points.from_rows(points.rows())) == bits(points)


def test_no_rows_give_no_points_but_every_column() -> None:
    none = Points.from_rows([])
    assert len(none) == 0
    assert none.rows() == []
    assert [str(column.dtype) for column in (none.price, none.volume, none.is_anomaly)] == [
        "float64",
        "float64",
        "bool",
    ]
    assert none.symbol == []


def test_an_absent_value_is_nan_in_a_column_and_none_in_a_row() -> None:
    points = points_of(a_row(ma_5=None))
    assert math.isnan(points.ma_5[0])
    assert not math.isnan(points.price[0])
    assert points.rows()[0] == a_row(ma_5=None)


@given(st.data(), rows())
def test_take_picks_by_index_in_the_order_requested(data: st.DataObject, made: list[Row]) -> None:
    index = data.draw(st.lists(st.integers(0, len(made) - 1), max_size=30)) if made else []
    points = points_of(*made)
    assert points.take(index).rows() == [made[i] for i in index]
    assert points.take(np.array(index, dtype=np.int64)).rows() == [made[i] for i in index]


@given(st.lists(rows(max_size=5), min_size=1, max_size=5))
def test_joined_is_all_parts_in_order(parts: list[list[Row]]) -> None:
    joined = Points.joined([points_of(*part) for part in parts])
    assert joined.rows() == [row for part in parts for row in part]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("xy"), st.integers(0, 3)), max_size=6))
def test_points_with_equal_symbol_source_and_time_repeat_themselves(made: list[tuple[str, str, int]]) -> None:
    points = points_of(*(a_row(symbol=symbol, source=source, time_ns=time_ns) for symbol, source, time_ns in made))
    assert points.repeat_themselves() == (len(set(made)) < len(made))


@given(st.integers(0, END_OF_TIME_US - 1), st.integers(0, 2**62))
def test_a_points_time_keeps_the_events_time_and_fits_into_64_bits(time_us: int, offset: int) -> None:
    time_ns = int(point_time(np.array([time_us]), np.array([offset]))[0])
    slot = 1_000_000 if time_us % 1000 == 0 else 1_000
    assert time_ns == time_us * 1000 + offset % slot
    assert time_ns // slot == time_us * 1000 // slot
    assert 0 <= time_ns < 2**63 - 1


@given(st.integers(0, END_OF_TIME_US - 1), st.integers(0, 2**62), st.integers(1, 999_999))
def test_ticks_of_one_instant_differ_within_slot_consecutive_offsets(time_us: int, offset: int, ahead: int) -> None:
    slot = 1_000_000 if time_us % 1000 == 0 else 1_000
    pair = point_time(np.array([time_us, time_us]), np.array([offset, offset + ahead % slot]))
    assert (pair[0] == pair[1]) == (ahead % slot == 0)


@pytest.mark.parametrize(("time_us", "slot"), [(MORNING // 1000, 1_000_000), (MORNING // 1000 + 1, 1_000)])
def test_beyond_slot_offsets_the_times_repeat(time_us: int, slot: int) -> None:
    times = point_time(np.array([time_us, time_us]), np.array([3, 3 + slot]))
    assert times[0] == times[1]


def test_points_of_ticks_have_their_own_columns_their_metrics_and_their_place_in_the_log() -> None:
    records = [
        entry(body(price=5 + at, volume=at, source="replay", change_percent=0.5), offset=2**53 + 1 + at)
        for at in range(6)
    ]
    ticks, refused = decode(records)
    assert refused == []
    metrics = measure(Windows().advance(ticks), 2.0)
    points = Points.of(3, ticks, metrics)
    assert len(points) == 6
    assert (points.symbol, points.source) == (ticks.symbols, ticks.sources)
    assert points.offset.tolist() == list(range(2**53 + 1, 2**53 + 7))
    assert points.partition.tolist() == [3] * 6
    assert points.partition.dtype == np.int64
    assert points.time_ns.tolist() == point_time(ticks.time_us, ticks.offsets).tolist()
    assert (points.price.tolist(), points.volume.tolist()) == (ticks.prices.tolist(), ticks.volumes.tolist())
    assert points.change_percent.tolist() == [0.5] * 6
    assert points.ma_5.tolist()[4:] == metrics["ma_5"].tolist()[4:]
    assert points.is_anomaly.tolist() == metrics["is_anomaly"].tolist()


def test_every_other_point_is_taken_whole() -> None:
    points = points_of(*(a_row(price=float(at + 1), offset=at) for at in range(6)))
    picked = points.take(slice(None, None, 2))
    assert picked.rows() == points.rows()[::2]


def test_rows_and_columns_that_lack_something_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        Points.from_rows([a_row(), (*a_row(), 1)])
    with pytest.raises(ValueError, match="zip"):
        Points.from_columns([[] for _ in range(3)])
    uneven = points_of(a_row(), a_row())
    with pytest.raises(ValueError, match="zip"):
        replace(uneven, symbol=["AAPL"]).rows()


def test_joining_a_single_part_returns_it() -> None:
    part = points_of(a_row())
    assert Points.joined([part]) is part
    joined = Points.joined([part, points_of(a_row(symbol="B", partition=2))])
    assert (type(joined.symbol), joined.symbol, joined.partition.tolist()) == (list, ["AAPL", "B"], [0, 2])
    assert joined.partition.dtype == np.int64


def test_three_points_of_one_identity_repeat_themselves_whatever_lies_between() -> None:
    rows = [a_row(), a_row(symbol="B"), a_row(time_ns=MORNING + 1)]
    assert not points_of(*rows).repeat_themselves()
    assert points_of(*rows, a_row()).repeat_themselves()
    assert not points_of().repeat_themselves()


def test_rows_are_of_plain_values() -> None:
    (row,) = points_of(a_row(ma_5=None)).rows()
    assert {type(value) for value in row} <= {str, int, float, bool, type(None)}


def test_points_by_partition_are_those_of_each_in_order() -> None:
    assert [part.rows() for part in points_of(a_row(partition=4)).by_partition()] == [[a_row(partition=4)]]
    mixed = points_of(*(a_row(partition=number, offset=at) for at, number in enumerate([2, 2, 0, 7, 7, 7])))
    parts = mixed.by_partition()
    assert [part.partition.tolist() for part in parts] == [[2, 2], [0], [7, 7, 7]]
    assert Points.joined(parts).rows() == mixed.rows()
