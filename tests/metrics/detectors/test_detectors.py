"""The detectors agree with an oracle that works tick by tick, and find the same in any division into batches."""

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.metrics.detectors import oracle
from tests.metrics.detectors.oracle import Trade
from tickflow.metrics.detectors import bad_print, move, volatility, volume
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.detectors.seconds import Scored, Seconds, View

FLOORS = {"move": 1.0, "volume": 1.5, "volatility": 1.5, "bad_print": 1.0}
LEAST = 0.0004
DETECTORS: dict[str, Callable[[View], Scored]] = {
    "move": lambda view: move.score(view, FLOORS["move"], LEAST),
    "volume": lambda view: volume.score(view, FLOORS["volume"]),
    "volatility": lambda view: volatility.score(view, FLOORS["volatility"]),
    "bad_print": lambda view: bad_print.score(view, FLOORS["bad_print"], LEAST),
}
Row = tuple[int, float, int, float, float]


def trades(seed: int, count: int = 4_000, fractions: bool = False) -> list[Trade]:
    """Trades of four symbols, with quiet and busy times, jumps that hold, lone bad prints, bursts and late ticks."""
    rng = random.Random(seed)
    symbols = ["BUSY", "CENT", "SLOW", "JUMP"]
    prices = dict(zip(symbols, (100.0, 12.34, 3000.0, 50.0), strict=True))
    now, wild, made = 1_700_000_000_000_000, 0, []
    for _ in range(count):
        now += rng.choice((0, 1_000, 150_000, 400_000, 1_100_000))
        symbol = rng.choices(symbols, (10, 5, 1, 5))[0]
        wild = wild - 1 if wild else (120 if rng.random() < 0.002 else 0)
        change = rng.choice((0, 0, 0, 0.01, -0.01)) * (6 if wild else 1)
        if symbol == "JUMP" and rng.random() < 0.01:
            change = rng.choice((-1, 1)) * prices[symbol] * 0.01
        prices[symbol] = round(max(1.0, prices[symbol] + change), 2)
        price = round(prices[symbol] * rng.choice((0.97, 1.02)), 2) if rng.random() < 0.01 else prices[symbol]
        size = rng.choice((100, 100, 200, 1_000)) * (20 if wild else 1)
        late = 3_000_000 if rng.random() < 0.02 else 0
        made.append(Trade(symbol, now - late, price, size + 0.1 if fractions else size))
    return made


def found(trades: Sequence[Trade], cuts: Sequence[int]) -> dict[str, list[Row]]:
    """The findings of each detector in batches of these sizes (the last size repeats)."""
    seconds, at, rows = Seconds(), 0, {name: list[Row]() for name in DETECTORS}
    sizes = list(cuts)
    while at < len(trades):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        part = trades[at : at + size]
        view = seconds.view(
            [each.symbol for each in part],
            np.array([each.time_us for each in part]),
            np.array([each.price for each in part]),
            np.array([each.volume for each in part], dtype=np.float64),
        )
        for name, detector in DETECTORS.items():
            columns = [column.tolist() for column in detector(view).columns]
            rows[name] += [(at + row[0], *row[1:]) for row in zip(*columns, strict=True)]
        seconds.keep(view)
        at += len(part)
    return rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", list(DETECTORS))
def test_each_detector_matches_the_oracle(name: str, seed: int) -> None:
    made = trades(seed, fractions=seed == 3)
    got = {at: row for at, *row in found(made, [701])[name]}
    wanted = {at: each[name] for at, each in enumerate(oracle.scores(made, LEAST)) if name in each}
    wanted = {at: expected for at, expected in wanted.items() if expected.score > FLOORS[name]}
    assert len(wanted) >= 15, "the trades are to reach the case"
    assert got.keys() == wanted.keys()
    for at, expected in wanted.items():
        assert got[at][0] == pytest.approx(expected.score, rel=1e-9)
        assert tuple(got[at][1:]) == expected[1:]


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("cuts", [[1_500, 1], [700, 2, 3, 11], [1_000, 1, 1, 300]])
def test_the_bits_do_not_depend_on_the_batches(cuts: list[int], fractions: bool) -> None:
    made = trades(11, 2_500, fractions)
    whole = found(made, [len(made)])
    assert all(map(len, whole.values()))
    assert {name: list(map(repr, rows)) for name, rows in found(made, cuts).items()} == {
        name: list(map(repr, rows)) for name, rows in whole.items()
    }


def test_the_floor_leaves_out_what_lies_under_it_and_nothing_else() -> None:
    made = trades(5)
    whole = found(made, [500])
    floors = dict(FLOORS)
    FLOORS.update(dict.fromkeys(FLOORS, 4.0))
    try:
        above = found(made, [500])
    finally:
        FLOORS.update(floors)
    assert above == {name: [row for row in rows if row[1] > 4.0] for name, rows in whole.items()}
    assert sum(map(len, above.values())) > 0


def test_a_lone_spike_raises_no_move_and_is_a_bad_print() -> None:
    calm = [Trade("A", number * 1_000_000, 100 + 0.01 * (number % 2), 100) for number in range(80)]
    spike = [*calm, Trade("A", 80_000_000, 105.0, 100), Trade("A", 81_000_000, 100.0, 100)]
    assert not found(spike, [100])["move"]
    ((at, score, direction, price, reference),) = found(spike, [100])["bad_print"]
    assert (at, direction, price, reference) == (81, 1, 105.0, 100.01)
    assert score > 100


def test_a_move_is_found_in_the_second_in_which_it_held() -> None:
    calm = [Trade("A", number * 1_000_000, 100 + 0.01 * (number % 2), 100) for number in range(80)]
    held = [
        *calm,
        Trade("A", 80_000_000, 100.5, 100),
        Trade("A", 80_900_000, 100.5, 100),
        Trade("A", 81_000_000, 100.4, 1),
    ]
    ((at, _, direction, price, reference),) = found(held, [100])["move"]
    assert (at, direction, price, reference) == (82, 1, 100.4, 100.01)


def test_a_price_that_never_moved_has_no_usual_move() -> None:
    flat = [Trade("A", number * 1_000_000, 100.0, 100) for number in range(80)]
    jump = [Trade("A", (80 + number) * 1_000_000, 101.0, 100) for number in range(3)]
    assert not found([*flat, *jump], [100])["move"]


def test_nothing_is_found_in_an_empty_batch() -> None:
    seconds = Seconds()
    nothing = np.zeros(0)
    view = seconds.view([], np.zeros(0, np.int64), nothing, nothing)
    assert [len(detector(view)) for detector in DETECTORS.values()] == [0, 0, 0, 0]
    seconds.keep(view)
    assert seconds.size == 0


def test_the_logarithm_is_within_two_units_of_the_last_place() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([np.exp(rng.uniform(-20, 28, 50_000)), 1 + rng.uniform(-1e-3, 1e-3, 50_000)])
    wanted = np.array([math.log(value) for value in values])
    assert np.all(np.abs(log(values) - wanted) <= 2 * np.spacing(np.abs(wanted)) + 1e-19)
    assert np.array_equal(log(values)[::7], log(np.ascontiguousarray(values[::7])))
    assert np.array_equal(log(values[::7]), log(values)[::7])
