"""`volatility` agrees with the oracle, computes the ratio of returns, and scores only the needed seconds."""

import math
import statistics

import numpy as np
import pytest

from tests.metrics.detectors.examples import (
    busy_day,
    expected,
    hold_against,
    rows,
    seconds_asked_for,
    seconds_of,
)
from tickflow.metrics.detectors import volatility


@pytest.mark.parametrize("size", [800, 61])
@pytest.mark.parametrize("floor", [0.0, 1.5, 4.0])
def test_each_tick_matches_the_oracle(floor: float, size: int) -> None:
    wanted = {at: each for at, each in expected("volatility", busy_day()).items() if each.score > floor}
    assert len(wanted) >= 15, "the day reaches the case"
    hold_against(rows(lambda view: volatility.score(view, floor), busy_day(), size), wanted)


def test_by_default_no_score_above_zero_is_left_out() -> None:
    hold_against(rows(volatility.score, busy_day(), 400), expected("volatility", busy_day()))


@pytest.mark.parametrize(("floor", "most"), [(0.0, 1.35), (1.5, 1.6), (4.0, 2.5)])
def test_few_seconds_below_the_floor_are_scored(floor: float, most: float) -> None:
    asked = seconds_asked_for("closed_prices", lambda view: volatility.score(view, floor), busy_day())
    reached = seconds_of(
        busy_day(), [at for at, each in expected("volatility", busy_day()).items() if each.score > floor]
    )
    assert reached <= asked
    assert len(asked) <= most * len(reached)


def test_a_score_at_the_floor_is_left_out() -> None:
    whole = rows(volatility.score, busy_day(), 800)
    at, each = max(whole.items(), key=lambda one: one[1].score)
    assert at not in rows(lambda view: volatility.score(view, each.score), busy_day(), 800)


def by_hand(returns: list[float]) -> float:
    """The score, computed by its definition."""
    cut = 5 * statistics.fmean(returns)
    before, last = ([min(each, cut) for each in part] for part in (returns[:39], returns[39:]))
    return math.log(statistics.fmean(last) / statistics.fmean(before)) / 0.2


def test_the_ratio_compares_the_last_twenty_returns_with_the_39_before_them() -> None:
    returns = np.abs(np.random.default_rng(4).normal(0.0, 1e-3, (4, 59)))
    returns[1, 45] = 0.5  # an outlier, which is cut
    returns[2, 3] = 0.5
    assert volatility.ratio(returns) == pytest.approx([by_hand(row) for row in returns.tolist()])


def test_without_a_move_on_one_side_the_ratio_is_zero() -> None:
    quiet_before, quiet_now, always = np.zeros(59), np.zeros(59), np.full(59, 0.01)
    quiet_before[39:], quiet_now[:39] = 0.01, 0.01
    assert volatility.ratio(np.array([quiet_before, quiet_now, always])).tolist() == [0.0, 0.0, 0.0]
