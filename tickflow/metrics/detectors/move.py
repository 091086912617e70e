"""`move`: the price left the range of the last seconds and stayed outside.

Take the log prices x1 … x60 of the last sixty traded seconds (x60 is the running one). x59 and x60 are the held prices,
x56, x57 and x58 are the base. The score is the distance of the nearer held price from the base's range, in usual moves:
the square root of the exponentially weighted mean square of the returns before the held prices (RiskMetrics' 0.94 per
observation), but at least half of the smallest price step among them. A lone spike scores 0, since only one second of
it is outside.
"""

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.detectors.seconds import Scored, View

DECAY = 0.94
"""The weight of a return in the usual move, as a multiple of the weight of the next newer return. See J. P. Morgan and
Reuters, "RiskMetrics: Technical Document" (4th edition, 1996).
"""
RETURNS = 57
_AGES = np.arange(RETURNS - 1, -1, -1)
# Computed by multiplication alone: `**` may round differently on a different machine.
_WEIGHTS = np.cumprod(np.r_[1.0, np.full(RETURNS - 1, DECAY)])[_AGES]
_TOTAL = float(np.cumsum(_WEIGHTS[::-1])[-1])


def usual_move(logs: Floats) -> Floats:
    """The usual move per traded second, from the log prices of 58 traded seconds, oldest first; shape (k, 58) to (k,).

    The result is 0 where no price changed.

    >>> float(usual_move(np.log(np.tile([[100.0, 101.0]], (1, 29))))[0].round(6))
    0.00995
    """
    returns = np.ascontiguousarray(logs[:, 1:] - logs[:, :-1])
    # Added along the row: a matrix product may add in a different order when the number of rows differs.
    squares = (returns * returns * _WEIGHTS).sum(axis=1) / _TOTAL
    steps = np.abs(returns)
    steps[steps == 0] = np.inf
    step = steps.min(axis=1, initial=np.inf)
    result: Floats = np.maximum(np.sqrt(squares), np.where(np.isinf(step), 0.0, step / 2))
    return result


def score(view: View, floor: float = 0.0, least: float = 0.0) -> Scored:
    """The ticks whose score exceeds `floor` and whose move is at least `least` (0.001 is 0.1 %)."""
    held, second, third, fourth = view.closes_before
    high = np.maximum(np.maximum(second, third), fourth)
    low = np.minimum(np.minimum(second, third), fourth)
    is_up = (held > high) & (view.high > high)
    is_down = (held < low) & (view.low < low)
    if least > 0:
        is_up &= np.minimum(held, view.high) >= high * (1 + least)
        is_down &= np.maximum(held, view.low) <= low * (1 - least)
    seconds = np.flatnonzero((is_up | is_down) & view.ready)
    if not len(seconds):
        return Scored.nothing()
    usual = usual_move(view.closed_prices(seconds)[:, :-1])
    ticks = view.ticks_of(seconds)
    of = np.repeat(np.arange(len(seconds)), view.end[seconds] - view.first[seconds])
    rises = is_up[seconds][of]
    price, before = view.price[ticks], held[seconds][of]
    nearer = np.where(rises, np.minimum(price, before), np.maximum(price, before))
    reference = np.where(rises, high[seconds][of], low[seconds][of])
    part = nearer / reference - 1.0
    is_out = np.where(rises, part > 0, part < 0) & (np.abs(part) >= least) & (usual[of] > 0)
    kept = np.flatnonzero(is_out)
    distance = np.abs(log(nearer[kept]) - log(reference[kept]))
    scores = distance / usual[of[kept]]
    kept = kept[above := scores > floor]
    direction: Ints = np.where(rises[kept], 1, -1)
    return Scored.of(view.order[ticks[kept]], scores[above], direction, price[kept], reference[kept])
