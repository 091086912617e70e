"""Tests of the budget: hypothesis tries to break its bound."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tickflow.alerts import budget as budgets
from tickflow.alerts.budget import CAP, DAY_US, FLOOR, GAIN, Budget, parse, poisson_interval, weekday_us
from tickflow.alerts.episodes import Episodes, Flag, Stretch
from tickflow.metrics.detectors.logarithm import exp

BUDGETS = st.one_of(
    st.floats(0.01, 50).map(Budget), st.integers(1, 100_000).map(lambda ticks: Budget(1 / ticks, per_tick=True))
)
STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(0, 4 * DAY_US), st.sampled_from([59_999_999, 60_000_001, DAY_US])),
        st.one_of(st.floats(0, 200), st.sampled_from([CAP, math.nextafter(CAP, 0), 1e300, FLOOR, 8.0])),
    ),
    max_size=200,
)


def said(budget: Budget, start: float, steps: list[tuple[int, float]], begin_us: int) -> tuple[int, float]:
    """The number of alerts, including repeats, that a sequence of scores raises, and the budget time that elapses."""
    episodes = Episodes(0, budget, thresholds={("move", "A"): start})
    now, count, first = begin_us, 0, None
    saying: dict[tuple[str, int], int] = {}
    for number, (step, score) in enumerate(steps):
        now += step
        first = now if first is None else first
        flag = Flag(0, "move", score, 0, 1.0, 1.0, number, number, None)
        counted = number  # each step is one counted tick
        stretch = Stretch("A", np.array([now]), np.array([1.0]), 1.0, counted, first)
        for each in episodes.take(stretch, [flag]):
            saying[each.detector, each.time_ns] = each.said
    count = sum(saying.values())
    elapsed = budget.elapsed(0, len(steps)) if budget.per_tick else budget.elapsed(first or now, now)
    return count, elapsed


@settings(max_examples=400, deadline=None)
@given(BUDGETS, st.floats(FLOOR, CAP), STEPS, st.integers(0, 40_000 * DAY_US))
@example(
    Budget(1.0), FLOOR, [(60_000_001, 1e300)] * 200, 0
)  # an enormous score at each moment at which an episode may open
@example(Budget(50.0), FLOOR, [(DAY_US // 50, 1e300)] * 200, 0)
@example(Budget(1.0, per_tick=True), FLOOR, [(60_000_001, 1e300)] * 200, 0)
def test_no_sequence_of_scores_breaks_the_bound(
    budget: Budget, start: float, steps: list[tuple[int, float]], begin_us: int
) -> None:
    count, elapsed = said(budget, start, steps, begin_us)
    assert count <= budget.rate * elapsed + math.log(CAP / FLOOR) / GAIN + 1 + 1e-9


def test_the_bound_is_tight_to_within_one_alert() -> None:
    """The bound is tight: the worst sequence comes within one alert of it."""
    count, elapsed = said(Budget(1.0), FLOOR, [(60_000_001, 1e300)] * 200, 0)
    assert count >= elapsed + Budget(1.0).constant - 1.0


@settings(max_examples=200)
@given(st.integers(0, 60_000 * DAY_US), st.integers(0, 30 * DAY_US))
def test_time_counts_on_weekdays(since: int, length: int) -> None:
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    days = 0.0
    at, until = since, since + length
    while at < until:
        end = min((at // DAY_US + 1) * DAY_US, until)
        if (begin + timedelta(microseconds=at)).weekday() < 5:
            days += end - at
        at = end
    assert weekday_us(until) - weekday_us(since) == days


@given(st.floats(-30, 30))
def test_the_exponential_is_as_exact_as_the_librarys(value: float) -> None:
    assert exp(value) == pytest.approx(math.exp(value), rel=1e-15)


@given(st.integers(0, 300))
def test_the_interval_has_its_stated_coverage(count: int) -> None:
    low, high = poisson_interval(count)
    tail = [math.exp(k * math.log(high) - high - math.lgamma(k + 1)) for k in range(count + 1)]
    assert math.fsum(tail) == pytest.approx(0.025, abs=1e-6)
    assert low <= count <= high


@pytest.mark.parametrize("text", ["", "0", "-1", "1/0", "1/", "a", "1/2.5", "1e9", "10001", "1 / 2", "１"])
def test_a_text_that_is_not_a_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="per symbol and trading day"):
        parse(text)


def test_off_leaves_the_calibrated_threshold_unchanged() -> None:
    episodes = Episodes(0, Budget(1.0), follows=False, thresholds={("move", "A"): 9.0})
    for number in range(50):
        flag = Flag(0, "move", 9.5, 0, 1.0, 1.0, number, number, None)
        (alert,) = (
            each
            for each in episodes.take(Stretch("A", np.array([number * 61_000_000]), np.ones(1), 1.0, 0, 0), [flag])
            if each.time_ns == number
        )
        assert alert.threshold == pytest.approx(9.0)
    assert budgets.exceeds(9.5, budgets.start(0, 9.0))
