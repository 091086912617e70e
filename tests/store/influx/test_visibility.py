"""The store recognises half-visible points and waits for the rest; if this never comes, it returns them unchanged."""

from dataclasses import replace

import numpy as np
import pytest

from tests.metrics.test_formulas import record
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.store.influx import visibility
from tickflow.store.influx.visibility import ATTEMPTS, Excused, Row, looks_half_written, whole
from tickflow.ticks.tick import decode


def points(count: int = 40, symbol: str = "A") -> Points:
    ticks, _ = decode([record(3 * number, symbol, 100 + number * number % 7) for number in range(count)])
    return Points.of(0, ticks, measure(Windows().advance(ticks), 2.0))


def test_whole_points_look_whole_through_the_warm_up_and_with_equal_prices() -> None:
    assert not looks_half_written(points())
    ticks, _ = decode([record(number, "A", 5.0) for number in range(30)])
    assert not looks_half_written(Points.of(0, ticks, measure(Windows().advance(ticks), 2.0)))
    assert not looks_half_written(points(0))


@pytest.mark.parametrize("name", ["ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score"])
def test_each_field_that_is_not_visible_yet_is_noticed(name: str) -> None:
    column = getattr(points(), name).copy()
    column[-1] = np.nan
    assert looks_half_written(replace(points(), **{name: column}))


def test_points_of_a_version_without_a_field_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    older = replace(points(30), ma_5=np.full(30, np.nan))
    excused = Excused()
    pauses: list[float] = []
    assert whole(lambda: (older, []), pauses.append, excused=excused) is older
    assert len(pauses) == ATTEMPTS
    assert excused.fields == {"ma_5": {0: 87}}
    assert whole(lambda: (older, []), pauses.append, excused=excused) is older
    assert len(pauses) == ATTEMPTS, "and not again"
    later = points(40)
    mixed = Points.joined([older, later.take(slice(30, None))])
    assert not looks_half_written(mixed, excused)
    column = mixed.ma_5.copy()
    column[-1] = np.nan
    assert looks_half_written(replace(mixed, ma_5=column), excused), "a point of this version is still waited for"
    assert looks_half_written(replace(mixed, partition=mixed.partition + 1), excused), "each partition by itself"


def test_another_symbol_source_or_partition_may_warm_up_again() -> None:
    joined = Points.joined([points(), points(5, "B")])
    assert not looks_half_written(joined)
    again = points(5)
    assert not looks_half_written(Points.joined([points(), replace(again, source=["other"] * 5)]))
    assert not looks_half_written(Points.joined([points(), replace(again, partition=np.ones(5, dtype=np.int64))]))


def test_reading_waits_until_the_points_are_whole_but_not_for_ever() -> None:
    half = replace(points(), ma_20=np.full(40, np.nan), z_score=np.full(40, np.nan))
    answers: list[tuple[Points, list[Row]]] = [(points(39), [(5, "A", "x")]), (half, []), (points(), [])]
    pauses: list[float] = []
    assert len(whole(lambda: answers.pop(0), pauses.append)) == 40
    assert len(pauses) == 2
    pauses.clear()
    assert whole(lambda: (half, []), pauses.append) is half
    assert len(pauses) == ATTEMPTS


def test_rows_of_another_program_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "MOST_ROWS", 3)
    excused = Excused()
    pauses: list[float] = []

    def waited(*times: int) -> int:
        pauses.clear()
        foreign: list[Row] = [(at, "A", "telegraf") for at in times]
        assert len(whole(lambda: (points(), foreign), pauses.append, excused=excused)) == 40
        return len(pauses)

    assert waited(5) == ATTEMPTS
    assert waited(5) == 0
    assert waited(5, 6) == ATTEMPTS, "the new one"
    assert waited(6) == waited() == 0
    waited(7, 8)
    assert list(excused.rows) == [(at, "A", "telegraf") for at in (6, 7, 8)]
