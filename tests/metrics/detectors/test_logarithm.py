"""Logarithm and exponential are close to the exact values, and have the same bits on every machine."""

import hashlib
import math

import numpy as np
import pytest

from tickflow.arrays import Floats
from tickflow.metrics.detectors.logarithm import exp, log

RNG = np.random.default_rng(1)
VALUES = np.concatenate([np.exp(RNG.uniform(-20, 28, 5_000)), 1 + RNG.uniform(-1e-3, 1e-3, 5_000)])
EXPONENTS = RNG.uniform(-700, 700, 2_000)


def test_the_logarithm_is_within_two_units_of_the_last_place() -> None:
    wanted = np.array([math.log(value) for value in VALUES])
    assert np.all(np.abs(log(VALUES) - wanted) <= 2 * np.spacing(np.abs(wanted)) + 1e-19)


def test_the_logarithm_of_one_is_zero_and_of_powers_of_two_exact_to_the_last_place() -> None:
    assert log(np.array([1.0])).tolist() == [0.0]
    powers = np.arange(-1000, 1000)
    wanted = np.array([math.log(2) * int(power) for power in powers])
    values: Floats = 2.0 ** powers.astype(np.float64)
    assert np.all(np.abs(log(values) - wanted) <= np.spacing(np.abs(wanted)))


def test_logarithms_are_floats_of_64_bits() -> None:
    assert log(VALUES[:3]).dtype == np.float64


def test_the_logarithm_does_not_depend_on_the_form_of_the_array() -> None:
    assert np.array_equal(log(VALUES)[::7], log(np.ascontiguousarray(VALUES[::7])))
    assert np.array_equal(log(VALUES[::7]), log(VALUES)[::7])
    assert log(VALUES[:6].reshape(2, 3)).tolist() == log(VALUES[:6]).reshape(2, 3).tolist()


def test_the_exponential_is_within_a_few_units_of_the_last_place() -> None:
    for value in EXPONENTS.tolist():
        wanted = math.exp(value)
        assert abs(exp(value) - wanted) <= 4 * math.ulp(wanted)


@pytest.mark.parametrize("value", [0.0, 1e-300, -1e-300])
def test_the_exponential_of_almost_nothing_is_one(value: float) -> None:
    assert exp(value) == 1.0


def digest(values: list[float]) -> str:
    return hashlib.sha256(np.array(values).tobytes()).hexdigest()[:16]


def test_the_bits_are_those_of_every_other_machine() -> None:
    # The inputs are quotients of whole numbers, which IEEE 754 rounds in one way; NumPy's functions may differ by
    # machine.
    values = [(number * 7_919 % 10_007 + 1) / (number * 104_729 % 997 + 1) for number in range(2_000)]
    assert digest(log(np.array(values)).tolist()) == "1d9aa49da960e401"
    assert digest([exp(value / 15 - 300) for value in values]) == "2aba10459c019e31"


def test_the_bits_hold_where_the_series_ends_last_and_at_the_root_of_a_half() -> None:
    edges = (np.arange(400_000) + 141_000_000) / 100_000_000  # mantissas that need all terms of the series
    assert digest(log(edges).tolist()) == "2514160417ea878f"
    assert log(np.array([0.7071067811865476, 1.4142135623730951])).tolist() == [-0.3465735902799726, 0.3465735902799727]
