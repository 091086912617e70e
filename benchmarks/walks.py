"""The simulated random walks that judge the detectors; their law and the true deviation of each step are known."""

from dataclasses import dataclass

import numpy as np

from tickflow.arrays import Floats, Ints

DAY = 23_400
"""The number of traded seconds in a session."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Ticks as columns; `deviation` is the true standard deviation of each log return, which only an oracle knows."""

    name: str
    time_us: Ints
    price: Floats
    volume: Floats
    deviation: Floats


def _student(rng: np.random.Generator, freedom: int, count: int) -> Floats:
    """Draws from Student's t distribution, scaled to variance 1."""
    result: Floats = rng.standard_t(freedom, count) / np.sqrt(freedom / (freedom - 2))
    return result


def _volumes(rng: np.random.Generator, count: int) -> Floats:
    result: Floats = np.ceil(rng.lognormal(5.0, 1.0, count))
    return result


def _seconds(count: int) -> Ints:
    return np.arange(count, dtype=np.int64) * 1_000_000 + 1_577_836_800_000_000  # Wednesday, 1 January 2020


def _walk(name: str, rng: np.random.Generator, returns: Floats, deviation: Floats) -> Walk:
    price = 100.0 * np.exp(np.cumsum(returns))
    return Walk(name, _seconds(len(returns)), price, _volumes(rng, len(returns)), deviation)


def gaussian(rng: np.random.Generator, count: int, deviation: float = 2e-4) -> Walk:
    """A walk with independent normal returns."""
    return _walk("gaussian", rng, deviation * rng.standard_normal(count), np.full(count, deviation))


def garch(rng: np.random.Generator, count: int, deviation: float = 2e-4) -> Walk:
    """A GARCH(1,1) walk with t(5) innovations: alpha 0.05, beta 0.94."""
    shocks = _student(rng, 5, count)
    alpha, beta = 0.05, 0.94
    omega = deviation**2 * (1 - alpha - beta)
    variance, returns, deviations = deviation**2, np.empty(count), np.empty(count)
    for at in range(count):
        deviations[at] = variance**0.5
        returns[at] = deviations[at] * shocks[at]
        variance = omega + alpha * returns[at] ** 2 + beta * variance
    return _walk("garch_t5", rng, returns, deviations)


def _stochastic(rng: np.random.Generator, count: int, deviation: float) -> Floats:
    """Deviations whose logarithm is an AR(1) process (half-life 20 minutes), times a U-shaped intraday pattern."""
    decay = 0.5 ** (1 / 1_200)
    noise = rng.standard_normal(count) * 0.5 * np.sqrt(1 - decay**2)
    level, logs = 0.0, np.empty(count)
    for at in range(count):
        level = decay * level + noise[at]
        logs[at] = level
    part = (np.arange(count) % DAY) / DAY
    shape = 0.6 + 1.6 * (2 * part - 1) ** 2
    result: Floats = deviation * shape * np.exp(logs)
    return result


def stochastic(rng: np.random.Generator, count: int, deviation: float = 2e-4) -> Walk:
    """A walk with stochastic volatility, a U-shaped intraday pattern and normal innovations."""
    deviations = _stochastic(rng, count, deviation)
    return _walk("stochastic_u", rng, deviations * rng.standard_normal(count), deviations)


def stochastic_heavy(rng: np.random.Generator, count: int, deviation: float = 2e-4) -> Walk:
    """A walk with stochastic volatility, a U-shaped intraday pattern and t(4) innovations."""
    deviations = _stochastic(rng, count, deviation)
    return _walk("stochastic_u_t4", rng, deviations * _student(rng, 4, count), deviations)


def cents(rng: np.random.Generator, count: int, deviation: float = 2e-4) -> Walk:
    """A walk of prices in whole cents that bounce between bid and ask; several trades may share an instant."""
    middle = 20.0 * np.exp(np.cumsum(0.5 * deviation * rng.standard_normal(count)))
    side = rng.choice((-0.5, 0.5), count)
    price = np.maximum(np.round(middle + 0.01 * side, 2), 0.01)
    gaps = np.where(rng.random(count) < 0.45, 0, rng.integers(1, 1_600_000, count) // 1_000 * 1_000)
    time_us = 1_577_836_800_000_000 + np.cumsum(gaps)
    # The deviation of a printed step comes from the mid price, the bounce and the rounding.
    seen = np.sqrt((0.5 * deviation) ** 2 + (0.01**2 / 2 + 0.01**2 / 6) / middle**2)
    return Walk("cents", time_us, price, _volumes(rng, count), seen)


WALKS = (gaussian, garch, stochastic, stochastic_heavy, cents)
