"""A natural logarithm that has the same bits on every machine.

NumPy's logarithm gives different bits on different processors, and C libraries differ in the last bit. This one only
adds, multiplies and divides, which IEEE 754 rounds in exactly one way, so two workers on different machines raise the
same alerts with the same scores.
"""

import math

import numpy as np

from tickflow.arrays import Floats

_LN2_HIGH = 6.93147180369123816490e-01  # its last 32 bits are 0, so its product with an integer up to 2**11 is exact
_LN2_LOW = 1.90821492927058770002e-10
_TERMS = tuple(2.0 / (2 * power + 1) for power in range(11, 0, -1))


def log(values: Floats) -> Floats:
    """The natural logarithm of each value (above 0), within two units in the last place.

    ln(m · 2**e) = e · ln 2 + 2 artanh(f), with f = (m - 1) / (m + 1) and m between √½ and √2.

    >>> log(np.array([1.0, 2.0, 1e12])).tolist() == [0.0, np.log(2.0), np.log(1e12)]
    True
    """
    mantissa, exponent = np.frexp(values)
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = (exponent - low).astype(np.float64)
    fraction = (mantissa - 1.0) / (mantissa + 1.0)
    square = fraction * fraction
    series = square * _TERMS[0]
    series += _TERMS[1]
    for term in _TERMS[2:]:  # in place, which takes half the time of new arrays
        series *= square
        series += term
    tail: Floats = fraction * (square * series) + exponent * _LN2_LOW
    result: Floats = exponent * _LN2_HIGH + (2.0 * fraction + tail)
    return result


def exp(value: float) -> float:
    """The exponential of a number between -700 and 700, with the same bits on every machine.

    >>> exp(0.0), abs(exp(1.0) - 2.718281828459045) < 1e-15
    (1.0, True)
    """
    whole = round(value * 1.4426950408889634)
    rest = (value - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = 1.0
    for divisor in range(17, 0, -1):
        series = 1.0 + series * rest / divisor
    return math.ldexp(series, whole)
