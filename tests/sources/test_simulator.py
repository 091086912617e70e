import itertools
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.symbols import any_symbol
from tickflow.errors import SettingError
from tickflow.sources.simulator import BLOCK, KNOWN, Injection, Simulator, character_of, stepping_clock
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import Tick, decode, encode

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SEVEN = tuple(KNOWN)


def steps(
    symbols: tuple[str, ...], count: int, *, seed: int = 1, interval: float = 2, **rest: object
) -> list[list[Tick]]:
    simulator = Simulator(
        symbols,
        seed=seed,
        interval=interval,
        clock=stepping_clock(START, interval),
        **rest,  # type: ignore[arg-type]  # the injections, if a test passes any
    )
    return list(itertools.islice(simulator.steps(), count))


def of(symbol: str, rows: list[list[Tick]]) -> list[Tick]:
    return [tick for row in rows for tick in row if tick.symbol == symbol]


def test_equal_seeds_give_equal_ticks_and_other_seeds_different_ones() -> None:
    again = steps(SEVEN, 600)
    assert again == steps(SEVEN, 600)
    assert [tick.price for tick in of("AAPL", again)] != [t.price for t in of("AAPL", steps(SEVEN, 600, seed=2))]


def test_a_symbol_does_not_depend_on_the_symbols_beside_it() -> None:
    assert of("TSLA", steps(SEVEN, 600)) == of("TSLA", steps(("IBM", "TSLA"), 600))


def test_each_step_has_one_tick_per_symbol_at_one_time() -> None:
    for number, row in enumerate(steps(SEVEN, 300)):
        assert [tick.symbol for tick in row] == list(SEVEN)
        assert {tick.timestamp for tick in row} == {START + timedelta(seconds=2 * number)}


@pytest.mark.parametrize("symbol", SEVEN)
def test_prices_start_near_the_known_level(symbol: str) -> None:
    first = of(symbol, steps(SEVEN, 1))[0]
    assert first.price == pytest.approx(KNOWN[symbol].level, rel=0.02)


def test_an_unknown_symbol_always_has_the_same_character() -> None:
    assert character_of("IBM") == character_of("IBM") != character_of("SPY")
    assert 20 <= character_of("IBM").level <= 500


def test_change_percent_is_relative_to_the_runs_first_price() -> None:
    for tick in of("NVDA", steps(SEVEN, 500)):
        assert tick.change_percent == pytest.approx((tick.price / KNOWN["NVDA"].level - 1) * 100, abs=1e-4)


def test_prices_are_in_cents() -> None:
    for tick in of("AAPL", steps(SEVEN, 500)):
        assert tick.price == round(tick.price, 2)


def test_returns_have_heavy_tails_clusters_and_volume_that_moves_with_them() -> None:
    """The stylised facts that the module claims hold over 20,000 steps of each symbol."""
    rows = steps(SEVEN, 20_000)
    for symbol in SEVEN:
        ticks = of(symbol, rows)
        moves = np.diff(np.log([tick.price for tick in ticks]))
        volumes = np.array([tick.volume for tick in ticks][1:], dtype=float)
        size = np.abs(moves)
        assert np.mean((moves / moves.std()) ** 4) > 6, "kurtosis; a plain walk has 3"
        assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.05, "large moves follow large ones"
        assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 0.03, "and nobody can tell their direction"
        assert np.corrcoef(volumes, size)[0, 1] > 0.3, "volume rises with movement"


def test_each_symbol_has_its_own_volatility() -> None:
    rows = steps(SEVEN, 5_000)
    spread = {symbol: np.diff(np.log([tick.price for tick in of(symbol, rows)])).std() for symbol in ("MSFT", "TSLA")}
    assert spread["TSLA"] > 1.8 * spread["MSFT"]


def test_prices_move_visibly_at_two_seconds() -> None:
    prices = [tick.price for tick in of("AAPL", steps(SEVEN, 30))]
    assert len(set(prices)) > 15, "different prices in the first minute"


def test_an_injection_moves_its_symbol_from_its_tick_on_and_no_other() -> None:
    plain = steps(SEVEN, BLOCK + 50)
    for at_tick in (1, 30, BLOCK, BLOCK + 1):
        moved = steps(SEVEN, BLOCK + 50, injections=[Injection("AAPL", 8.0, at_tick)])
        ratios = [new.price / old.price for new, old in zip(of("AAPL", moved), of("AAPL", plain), strict=True)]
        assert ratios[: at_tick - 1] == [1.0] * (at_tick - 1)
        assert ratios[at_tick - 1 :] == pytest.approx([1.08] * (BLOCK + 51 - at_tick), abs=1e-4)
        assert of("MSFT", moved) == of("MSFT", plain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAPL",
        "AAPL:5",
        "AAPL:5:0",
        "AAPL:5:-1",
        "AAPL:x:3",
        "AAPL:5:3.5",
        "AAPL:-100:3",
        "AAPL:nan:3",
        "AAPL:inf:3",
        "=AAPL:5:3",
        ":5:3",
        ":5:3:4",
        "AAPL\n:5:3",
    ],
)
def test_a_bad_injection_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SettingError, match="expected SYMBOL:PERCENT:AT_TICK such as"):
        Injection.parse(text)


def test_times_strictly_increase_although_the_clock_stops_or_goes_back() -> None:
    readings = itertools.chain([10, 10, 10, 5, 20], itertools.repeat(20))
    simulator = Simulator(("AAPL",), seed=1, interval=2, clock=lambda: next(readings))
    times = [row[0].timestamp.microsecond for row in itertools.islice(simulator.steps(), 7)]
    assert times == [10, 11, 12, 13, 20, 21, 22]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    symbol=any_symbol,
    interval=st.sampled_from([0, 0.001, 2, 60, 86_400]),
    percent=st.floats(-99.999999, 10_000),
)
def test_every_tick_is_accepted_by_the_rules(seed: int, symbol: str, interval: float, percent: float) -> None:
    injections = [Injection(symbol, percent, number) for number in (2, 50, 300)]
    rows = steps((symbol,), 2 * BLOCK, seed=seed, interval=interval, injections=injections)
    entries = [Entry(0, n, symbol.encode(), encode(row[0]), 0, timestamp_type=0) for n, row in enumerate(rows)]
    accepted, refused = decode(entries)
    assert refused == []
    assert set(accepted.sources) == {"simulated"}
    assert (np.diff(accepted.time_us) >= 1).all()
    assert accepted.volumes.min() >= 1
    assert all(map(math.isfinite, accepted.change_percent))


def test_the_description_says_simulated_and_names_the_seed() -> None:
    what = Simulator(("AAPL",), seed=77, interval=2).what
    assert "simulated prices, not real ones" in what
    assert "SIMULATOR_SEED=77" in what


def test_steps_are_paced_without_a_burst_after_a_long_sleep() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 5

    assert len(list(Simulator(("AAPL",), seed=1, interval=2).batches(wait))) == 5
    assert waits == pytest.approx([2, 4, 6, 8, 10], abs=0.2), "nobody really waited: each step is due 2 s later"
