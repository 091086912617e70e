"""`move` agrees with the oracle, computes the usual move, and scores only the needed seconds."""

import numpy as np
import pytest

from tests.metrics.detectors import oracle
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
from tickflow.metrics.detectors import move


@pytest.mark.parametrize("size", [800, 61])
@pytest.mark.parametrize(("floor", "least"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.0004), (1.0, 0.003)])
def test_each_tick_matches_the_oracle(floor: float, least: float, size: int) -> None:
    wanted = {at: each for at, each in expected("move", busy_day(), least).items() if each.score > floor}
    assert {each.direction for each in wanted.values()} == {-1, 1}, "the day reaches both directions"
    hold_against(rows(lambda view: move.score(view, floor, least), busy_day(), size), wanted)


def test_by_default_no_finding_is_left_out() -> None:
    hold_against(rows(move.score, busy_day(), 400), expected("move", busy_day()))


@pytest.mark.parametrize("least", [0.0, 0.0004, 0.003])
def test_only_seconds_that_may_hold_a_move_are_scored(least: float) -> None:
    asked = seconds_asked_for("closed_prices", lambda view: move.score(view, 0.0, least), busy_day())
    assert asked == seconds_of(busy_day(), list(expected("move", busy_day(), least)))


def of_closes(closes: list[float], floor: float = 0.0, least: float = 0.0) -> list[tuple[int, float, int]]:
    """The findings of `move` in a series of these closes, one per second."""
    day = [Trade("A", number * SECOND_US, price, 1.0) for number, price in enumerate(closes)]
    found = rows(lambda view: move.score(view, floor, least), day, len(day))
    return [(at, each.score, each.direction) for at, each in found.items()]


CALM = [100.0, 100.01] * 29 + [100.0, 100.01]


@pytest.mark.parametrize(("held", "direction"), [(100.02, 1), (99.99, -1)])
def test_a_price_just_outside_the_base_has_moved_and_one_at_its_edge_has_not(held: float, direction: int) -> None:
    assert [(at, way) for at, _, way in of_closes([*CALM, held, held])] == [(61, direction)]
    edge = 100.01 if direction > 0 else 100.0
    assert of_closes([*CALM, held, edge]) == []
    assert of_closes([*CALM, edge, held]) == []


@pytest.mark.parametrize("level", [1.0, 100.0])
def test_the_usual_move_is_the_oracles(level: float) -> None:
    rng = np.random.default_rng(3)
    logs = np.log(level + np.cumsum(rng.choice([0.0, 0.01, -0.01], (20, 58)), axis=1))
    wanted = [oracle.usual_move(row.tolist()) for row in logs]
    assert move.usual_move(logs) == pytest.approx(wanted, rel=1e-12)


def test_the_usual_move_of_a_price_that_hardly_moved_is_half_its_smallest_step() -> None:
    logs = np.zeros((3, 58))
    logs[0, 1:] = 0.01  # only one step, long ago
    logs[1, 1:], logs[1, 2:] = 0.01, 0.03  # two steps: 1 % and 2 %
    assert move.usual_move(logs).tolist() == [0.005, 0.005, 0.0]


def test_a_second_in_which_the_price_came_back_has_not_held() -> None:
    day = [Trade("A", number * SECOND_US, price, 1.0) for number, price in enumerate([*CALM, 100.5])]
    day += [Trade("A", 61 * SECOND_US + number, price, 1.0) for number, price in enumerate((100.6, 100.0, 100.4))]
    found = rows(move.score, day, len(day))
    assert {at: (each.price, each.reference) for at, each in found.items()} == {
        61: (100.6, 100.01),
        63: (100.4, 100.01),
    }
    held, last = (float(np.log(price / 100.01)) for price in (100.5, 100.4))
    assert found[63].score == pytest.approx(found[61].score * last / held), "the nearer of the held prices counts"


@pytest.mark.parametrize(("base", "held"), [([100.0, 96.0], 150.0), ([100.0, 104.0], 50.0)])
def test_a_move_of_exactly_the_least_size_counts_but_a_score_at_the_floor_does_not(
    base: list[float], held: float
) -> None:
    closes = [*base * 30, held, held]
    ((at, score, _),) = of_closes(closes, least=0.5)
    assert at == 61
    assert of_closes(closes, floor=score) == []
    assert of_closes([*base * 30, held, held - (held - 100.0) / 100], least=0.5) == []


def test_a_price_that_never_moved_before_has_no_usual_move_and_no_score() -> None:
    assert of_closes([100.0] * 60 + [101.0] * 2) == []
