"""The formulas: pure, vectorised functions of windows of a symbol's last ticks.

A window here is an array of shape (n, m): m windows side by side, n ticks each, the oldest in row 0. Every value is
computed from its own window alone, by the same additions in the same order, so its bits do not depend on how ticks were
batched. Differences from the oldest value are summed instead of the values: equal prices give a deviation of exactly 0,
and large prices lose no digits.
"""

import numpy as np

from tickflow.arrays import Floats


def mean(window: Floats) -> Floats:
    """The arithmetic mean of each window.

    >>> mean(np.array([[1.0], [2.0], [6.0]])).tolist()
    [3.0]
    """
    oldest = window[0]
    result: Floats = oldest + _sum_of_differences(window, oldest) / len(window)
    return result


def deviation(window: Floats) -> Floats:
    """The sample standard deviation (n - 1) of each window, in two passes: the mean first, then the squares.

    See Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (The American Statistician 37, 1983).

    >>> deviation(np.array([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]])).tolist()
    [1.0, 0.0]
    """
    oldest = window[0]
    mean_difference = _sum_of_differences(window, oldest) / len(window)
    squares = np.zeros_like(oldest)
    for row in window:
        residual = (row - oldest) - mean_difference
        squares += residual * residual
    result: Floats = np.sqrt(squares / (len(window) - 1))
    return result


def z_score(window: Floats, volatility: Floats) -> Floats:
    """The absolute distance of each window's newest value from its mean, in deviations; NaN where the deviation is 0.

    The distance, too, is computed from differences to the oldest value: the mean itself is rounded, which at large
    prices would change the distance by more than 1e-9 of it.

    >>> z_score(np.array([[8.0, 9.0], [10.0, 9.0], [12.0, 9.0]]), np.array([1.0, 0.0])).tolist()
    [2.0, nan]
    """
    oldest = window[0]
    distance: Floats = np.abs((window[-1] - oldest) - _sum_of_differences(window, oldest) / len(window))
    result = np.full_like(distance, np.nan)
    np.divide(distance, volatility, out=result, where=volatility > 0)
    return result


def _sum_of_differences(window: Floats, oldest: Floats) -> Floats:
    # A loop over the n rows: np.sum may add in a different order when the number of columns differs.
    total = np.zeros_like(oldest)
    for row in window[1:]:
        total += row - oldest
    return total
