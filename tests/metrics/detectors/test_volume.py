"""`volume` agrees with the oracle, computes multiples of the usual volume, and scores only the needed seconds."""

import math
import statistics

import numpy as np
import pytest

from tests.metrics.detectors.examples import (
    SECOND_US,
    busy_day,
    expected,
    hold_against,
    rows,
    seconds_asked_for,
    seconds_of,
    view_of,
)
from tests.metrics.detectors.oracle import Trade
from tickflow.metrics.detectors import volume
from tickflow.metrics.detectors.seconds import Seconds


@pytest.mark.parametrize("size", [800, 61])
@pytest.mark.parametrize("floor", [0.0, 1.5, 4.0])
def test_each_tick_matches_the_oracle(floor: float, size: int) -> None:
    wanted = {at: each for at, each in expected("volume", busy_day()).items() if each.score > floor}
    assert len(wanted) >= 15, "the day reaches the case"
    hold_against(rows(lambda view: volume.score(view, floor), busy_day(), size), wanted)


def test_by_default_no_score_above_zero_is_left_out() -> None:
    hold_against(rows(volume.score, busy_day(), 400), expected("volume", busy_day()))


@pytest.mark.parametrize("floor", [0.0, 1.5, 4.0])
def test_only_seconds_that_reach_the_floor_are_scored(floor: float) -> None:
    asked = seconds_asked_for("closed_volumes", lambda view: volume.score(view, floor), busy_day())
    reached = [at for at, each in expected("volume", busy_day()).items() if each.score > floor]
    assert asked == seconds_of(busy_day(), reached)


def day_of(volumes: list[float]) -> list[Trade]:
    return [Trade("A", number * SECOND_US, 5.0 + number, size) for number, size in enumerate(volumes)]


def test_a_burst_after_equal_volumes_is_measured_in_the_least_deviation() -> None:
    day = day_of([100.0] * 50 + [300.0] * 10)
    ((at, found),) = rows(volume.score, day, 60).items()
    assert (at, found.price, found.reference) == (59, 64.0, 63.0)
    assert found.score == pytest.approx((math.log1p(300) - math.log1p(100)) / 0.3 * math.sqrt(10))


def test_a_score_at_the_floor_is_left_out_and_the_least_deviation_decides_what_is_scored() -> None:
    day = day_of([100.0] * 50 + [300.0] * 10)
    (found,) = rows(volume.score, day, 60).values()
    assert rows(lambda view: volume.score(view, 8.0), day, 60) == {59: found}
    assert rows(lambda view: volume.score(view, found.score), day, 60) == {}
    assert seconds_asked_for("closed_volumes", lambda view: volume.score(view, 15.0), day) == set()


def test_usual_volume_is_mean_and_sample_deviation_of_the_fifty_before_the_last_ten() -> None:
    logs = np.random.default_rng(2).normal(5.0, 1.0, (3, 59))
    logs[2, :50] = 4.0
    mean, deviation = volume.usual_volume(logs)
    assert mean == pytest.approx([statistics.fmean(row[:50]) for row in logs.tolist()])
    assert deviation == pytest.approx([*(statistics.stdev(row[:50]) for row in logs[:2].tolist()), 0.3])


@pytest.mark.parametrize("size", [60, 7])
def test_the_excess_compares_the_volumes_of_ten_and_of_fifty_seconds(size: int) -> None:
    volumes = [float(90 + number % 21) for number in range(50)] + [float(400 + number) for number in range(10)]
    seconds = Seconds()
    for begin in range(0, 60, size):
        view = view_of(seconds, day_of(volumes)[begin : begin + size])
        last = len(view) - 1
        if begin + size < 60:
            assert math.isnan(volume.excess(view, np.array([last]))[0]), "in warm-up"
            seconds.keep(view)
    logs = [math.log1p(each) for each in volumes]
    wanted = math.exp(statistics.fmean(logs[50:]) - statistics.fmean(logs[:50]))
    assert np.exp(volume.excess(view, np.array([last]))) == pytest.approx([wanted])


def test_the_excess_at_a_tick_counts_the_running_second_up_to_it() -> None:
    day = [*day_of([100.0] * 59), *(Trade("A", 59 * SECOND_US, 5.0, size) for size in (100.0, 300.0))]
    view = view_of(Seconds(), day)
    assert np.exp(volume.excess(view, np.array([59, 60]))) == pytest.approx([1.0, (401 / 101) ** 0.1])
