"""`bad_print` agrees with the oracle, and scores only the needed seconds."""

import pytest

from tests.metrics.detectors.examples import (
    SECOND_US,
    busy_day,
    expected,
    hold_against,
    rows,
    seconds_asked_for,
    seconds_of,
)
from tests.metrics.detectors.oracle import Trade
from tickflow.metrics.detectors import bad_print


@pytest.mark.parametrize("size", [800, 61])
@pytest.mark.parametrize(("floor", "least"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.005), (1.0, 0.01)])
def test_each_tick_matches_the_oracle(floor: float, least: float, size: int) -> None:
    wanted = {at: each for at, each in expected("bad_print", busy_day(), least).items() if each.score > floor}
    assert {each.direction for each in wanted.values()} == {-1, 1}, "the day reaches both directions"
    hold_against(rows(lambda view: bad_print.score(view, floor, least), busy_day(), size), wanted)


def test_by_default_no_finding_is_left_out() -> None:
    hold_against(rows(bad_print.score, busy_day(), 400), expected("bad_print", busy_day()))


CALM = [Trade("A", number * SECOND_US, 100 + 0.01 * (number % 2), 1.0) for number in range(60)]


@pytest.mark.parametrize(
    ("after_us", "price", "back", "direction", "reference"),
    [
        (0, 101.0, 100.0, 1, 100.01),  # bad print and return lie in one second, which began with a good price
        (0, 99.0, 100.01, -1, 100.0),
        (300_000, 101.0, 100.0, 1, 100.01),
        (SECOND_US, 101.0, 100.01, 1, 100.01),  # the return begins a new second
        (SECOND_US, 99.0, 100.0, -1, 100.0),
    ],
)
@pytest.mark.parametrize("size", [200, 61, 1])
def test_a_lone_print_is_found_at_its_return(
    after_us: int, price: float, back: float, direction: int, reference: float, size: int
) -> None:
    begin = 60 * SECOND_US
    first = [Trade("A", begin, 100.0, 1.0)] if after_us < SECOND_US else []
    day = [*CALM, *first, Trade("A", begin + 1, price, 1.0), Trade("A", begin + 1 + after_us, back, 1.0)]
    ((at, found),) = rows(bad_print.score, day, size).items()
    assert (at, found.direction, found.price, found.reference) == (len(day) - 1, direction, price, reference)


def test_a_print_that_opens_its_second_is_compared_with_the_seconds_before() -> None:
    day = [*CALM, Trade("A", 60 * SECOND_US, 101.0, 1.0), Trade("A", 60 * SECOND_US + 5, 100.0, 1.0)]
    ((at, found),) = rows(bad_print.score, day, 200).items()
    assert (at, found.price, found.reference) == (61, 101.0, 100.01)


def test_a_price_that_stays_away_is_not_a_bad_print() -> None:
    day = [*CALM, *(Trade("A", (60 + number) * SECOND_US, 101.0, 1.0) for number in range(5))]
    assert rows(bad_print.score, day, 200) == {}


def test_seconds_without_a_price_outside_the_range_are_skipped() -> None:
    assert seconds_asked_for("ticks_of", bad_print.score, CALM + CALM) == set()
    asked = seconds_asked_for("ticks_of", lambda view: bad_print.score(view, 0.0, 0.005), busy_day())
    found = seconds_of(busy_day(), list(expected("bad_print", busy_day(), 0.005)))
    assert asked
    assert len(asked) <= 3 * len(found)
