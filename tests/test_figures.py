"""Tests of `tickflow/figures.py`, which formats numbers for people."""

import math

import pytest

from tickflow.figures import price


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5000"), (1e-6, "0.000001000"), (9_999_999.999, "10,000,000.00"), (0.0, "0.00"), (math.nan, "–")],
)
def test_prices_have_the_digits_that_their_size_needs(value: float, shown: str) -> None:
    assert price(value) == shown
