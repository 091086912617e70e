"""Short series of trades for tests of single detectors, and helpers that run a detector over them."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from tests.metrics.detectors import oracle
from tests.metrics.detectors.oracle import Expected, Trade
from tickflow.metrics.detectors.seconds import Scored, Seconds, View

SECOND_US = 1_000_000


@lru_cache
def busy_day(seed: int = 1, count: int = 800) -> tuple[Trade, ...]:
    """Two symbols that trade about every second: jumps that hold, bad prints, bursts of volume, volatile times."""
    rng = random.Random(seed)
    prices = {"X": 100.0, "Y": 20.0}
    now, restless, made = 1_700_000_000 * SECOND_US, 0, []
    for _ in range(count):
        now += rng.choice((0, 0, 300_000, 700_000, SECOND_US, SECOND_US))
        symbol = rng.choice(("X", "X", "Y"))
        restless = restless - 1 if restless else (40 if rng.random() < 0.01 else 0)
        change = rng.choice((0, 0, 0.01, -0.01)) * (8 if restless else 1)
        if rng.random() < 0.03:
            change = rng.choice((-1, 1)) * prices[symbol] * rng.choice((0.003, 0.01))
        prices[symbol] = round(max(5.0, prices[symbol] + change), 2)
        is_bad = rng.random() < 0.05
        price = round(prices[symbol] * rng.choice((0.97, 0.996, 1.004, 1.02)), 2) if is_bad else prices[symbol]
        size = rng.choice((100, 100, 200, 1_000)) * (20 if restless else 1)
        made.append(Trade(symbol, now, price, size))
    return tuple(made)


@lru_cache
def expected(detector: str, trades: tuple[Trade, ...], least: float = 0.0) -> dict[int, Expected]:
    """The oracle's findings by the tick's number: all after warm-up with a score above 0."""
    said = {at: each[detector] for at, each in enumerate(oracle.scores(trades, least)) if detector in each}
    return {at: one for at, one in said.items() if one.score > 0}


def view_of(seconds: Seconds, trades: Sequence[Trade]) -> View:
    """The view of these trades as the next batch of `seconds`."""
    return seconds.view(
        [each.symbol for each in trades],
        np.array([each.time_us for each in trades], dtype=np.int64),
        np.array([each.price for each in trades], dtype=np.float64),
        np.array([each.volume for each in trades], dtype=np.float64),
    )


def batches(trades: Sequence[Trade], size: int) -> Iterator[tuple[int, Seconds, View]]:
    """Yield each batch's first trade number, the state before the batch, and its view; then advance the state."""
    seconds = Seconds()
    for begin in range(0, len(trades), size):
        view = view_of(seconds, trades[begin : begin + size])
        yield begin, seconds, view
        seconds.keep(view)


def rows(detector: Callable[[View], Scored], trades: Sequence[Trade], size: int) -> dict[int, Expected]:
    """The detector's findings in batches of that size, by the tick's number."""
    found: dict[int, Expected] = {}
    for begin, _, view in batches(trades, size):
        scored = detector(view)
        assert scored.direction.dtype.kind == "i"
        assert sorted(scored.at.tolist()) == scored.at.tolist(), "in log order"
        columns = [column.tolist() for column in scored.columns]
        found |= {begin + at: Expected(*row) for at, *row in zip(*columns, strict=True)}
    return found


def hold_against(found: dict[int, Expected], wanted: dict[int, Expected]) -> None:
    """Assert that the findings equal the oracle's."""
    assert found.keys() == wanted.keys()
    for at, each in wanted.items():
        assert abs(found[at].score - each.score) <= 1e-9 * each.score
        assert found[at][1:] == each[1:]


def seconds_asked_for(method: str, detector: Callable[[View], Scored], trades: Sequence[Trade]) -> set[int]:
    """The traded seconds for which the detector calls the view's expensive `method`, with all trades in one batch."""
    view = view_of(Seconds(), trades)
    asked: set[int] = set()
    whole = getattr(view, method)

    def spy(seconds: np.ndarray) -> object:
        asked.update(seconds.tolist())
        return whole(seconds)

    setattr(view, method, spy)
    detector(view)
    return asked


def seconds_of(trades: Sequence[Trade], ticks: Iterator[int] | Sequence[int]) -> set[int]:
    """The traded seconds to which these ticks belong, numbered as in a view of all trades."""
    view = view_of(Seconds(), trades)
    places = {int(at): place for place, at in enumerate(view.order)}
    return {int(view.second[places[at]]) for at in ticks}
