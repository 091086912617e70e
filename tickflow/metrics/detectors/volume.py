"""`volume`: a burst of trading over ten traded seconds.

The score compares the mean of ln(1 + volume) of the last ten observations, including the running one, with that of the
fifty before: it is their difference in sample standard deviations of the fifty (at least 0.3), times the square root of
ten.
"""

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.detectors.seconds import OBSERVATIONS, VOLUME, VOLUME_SQUARED, Scored, View

LAST, BEFORE = 10, 50
LEAST_DEVIATION = 0.3
_ROOT = 3.1622776601683795
_SLACK = 1e-6
"""A margin larger than the rounding error of the running sums, so that no tick that could reach the floor is skipped.
"""


def score(view: View, floor: float = 0.0) -> Scored:
    """The ticks whose score exceeds `floor`; `price` is the tick's price, `reference` the last price of the previous
    traded second.
    """
    nine, before, all_of_them = (view.sum_before(VOLUME, lag) for lag in (1, LAST, OBSERVATIONS))
    short = (view.log_volume + nine - before) / LAST
    mean = (before - all_of_them) / BEFORE
    squares = view.sum_before(VOLUME_SQUARED, LAST) - view.sum_before(VOLUME_SQUARED, OBSERVATIONS)
    variance = squares / BEFORE - mean * mean
    spread = np.sqrt(np.maximum(variance * (BEFORE / (BEFORE - 1)), LEAST_DEVIATION**2))
    within_reach = short - mean > floor * spread / _ROOT * (1 - _SLACK) - _SLACK
    seconds = np.flatnonzero(view.ready & within_reach)
    if not len(seconds):
        return Scored.nothing()
    closed = view.closed_volumes(seconds)
    usual, deviation = usual_volume(closed)
    counts = view.end[seconds] - view.first[seconds]
    ticks, of = view.ticks_of(seconds), np.repeat(np.arange(len(seconds)), counts)
    scores = (_shorts(closed, of, view.volume[ticks]) - usual[of]) / deviation[of] * _ROOT
    above = scores > floor
    kept = ticks[above]
    nothing: Ints = np.zeros(len(kept), dtype=np.int64)
    before_it = view.closes_before[0][view.second[kept]]
    return Scored.of(view.order[kept], scores[above], nothing, view.price[kept], before_it)


def usual_volume(closed: Floats) -> tuple[Floats, Floats]:
    """The mean and the deviation of ln(1 + volume) over the fifty observations before the last ten; `closed` has shape
    (k, 59).
    """
    before = np.ascontiguousarray(closed[:, :BEFORE])
    mean = before.sum(axis=1) / BEFORE
    residual = before - mean[:, None]
    deviation = np.sqrt((residual * residual).sum(axis=1) / (BEFORE - 1))
    return mean, np.maximum(deviation, LEAST_DEVIATION)


def excess(view: View, ticks: Ints) -> Floats:
    """How far the mean of ln(1 + volume) over the last ten traded seconds exceeds the usual one, at ticks of the view;
    NaN in warm-up. Its exponential is the volume as a multiple of the usual volume.
    """
    result = np.full(len(ticks), np.nan)
    ready = np.flatnonzero(view.ready[view.second[ticks]])
    seconds, of = np.unique(view.second[ticks[ready]], return_inverse=True)
    closed = view.closed_volumes(seconds)
    result[ready] = _shorts(closed, of, view.volume[ticks[ready]]) - usual_volume(closed)[0][of]
    return result


def _shorts(closed: Floats, of: Ints, volumes: Floats) -> Floats:
    """The mean of ln(1 + volume) over the last ten observations at ticks: the running one has `volumes` so far, the
    nine before it are in the rows `of` of `closed`.
    """
    sums = np.ascontiguousarray(closed[:, -(LAST - 1) :]).sum(axis=1)
    result: Floats = (sums[of] + log(1.0 + volumes)) / LAST
    return result
