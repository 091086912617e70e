"""`volatility`: prices move more than before, in either direction.

The score is the logarithm of a ratio: the mean absolute return of the last twenty traded seconds over that of the 39
before them. Its unit is the standard deviation that the logarithm has in an unchanged market. Each return is clipped at
five times the mean of all 59, so that a single jump does not count as a change of volatility.
"""

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.detectors.seconds import OBSERVATIONS, RETURN, RETURN_SQUARED, Scored, View

LAST = 20
BEFORE = OBSERVATIONS - 1 - LAST
CUT = 5.0
DEVIATION = 0.2
"""The standard deviation of the log ratio for normally distributed returns, rounded: 0.756 · √(1/20 + 1/39) = 0.21."""
_SLACK = 1e-3


def score(view: View, floor: float = 0.0) -> Scored:
    """The ticks whose score exceeds `floor`; `price` is the tick's price, `reference` the last price of the previous
    traded second.
    """
    last, before, all_of_them = (view.sum_before(RETURN, lag) for lag in (1, LAST, OBSERVATIONS - 1))
    known = view.closes_before[0]
    with np.errstate(divide="ignore", invalid="ignore"):  # in warm-up there is no earlier price
        reach = np.maximum(view.high / known, known / view.low) - 1.0  # an upper bound on the running second's return
        recent = last - before
        short = (recent + reach) / LAST
        earlier = before - all_of_them
        squares = view.sum_before(RETURN_SQUARED, LAST) - view.sum_before(RETURN_SQUARED, OBSERVATIONS - 1)
        # A lower bound on the sum of the earlier returns, each clipped at c: min(r, c) >= r - r² / 4c for any r.
        least = earlier - squares / (4 * CUT * (recent + earlier) / (OBSERVATIONS - 1))
        # Skip a second if even the largest possible recent mean over the least possible earlier one scores too low.
        within_reach = ~(short * (1 + _SLACK) < np.exp(floor * DEVIATION) * least / BEFORE * (1 - _SLACK))
    seconds = np.flatnonzero(view.ready & within_reach & (recent + reach > 0))
    if not len(seconds):
        return Scored.nothing()
    closed = view.closed_prices(seconds)
    returns = np.abs(closed[:, 1:] - closed[:, :-1])
    ticks = view.ticks_of(seconds)
    of = np.repeat(np.arange(len(seconds)), view.end[seconds] - view.first[seconds])
    running = np.abs(log(view.price[ticks]) - closed[of, -1])
    scores = ratio(np.concatenate([returns[of], running[:, None]], axis=1))
    above = scores > floor
    kept = ticks[above]
    nothing: Ints = np.zeros(len(kept), dtype=np.int64)
    return Scored.of(view.order[kept], scores[above], nothing, view.price[kept], known[view.second[kept]])


def ratio(returns: Floats) -> Floats:
    """The score of each row of 59 absolute returns, oldest first; shape (k, 59) to (k,). It is 0 where either mean is
    0.
    """
    cut = np.minimum(returns, (returns.sum(axis=1) / (OBSERVATIONS - 1) * CUT)[:, None])
    before = np.ascontiguousarray(cut[:, :BEFORE]).sum(axis=1) / BEFORE
    last = np.ascontiguousarray(cut[:, BEFORE:]).sum(axis=1) / LAST
    is_known = (before > 0) & (last > 0)
    result = np.zeros(len(returns))
    result[is_known] = log(last[is_known] / before[is_known]) / DEVIATION
    return result
