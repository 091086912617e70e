"""`bad_print`: a lone trade far from the price, reversed by the next trade; about the data, not the market.

The previous tick lay outside the price range of the three traded seconds before its own, and this tick is back inside.
The score is the distance of the previous tick from that range, in usual moves (see `move`). The tick that returns is
flagged; `price` is the price of the print.
"""

import numpy as np

from tickflow.arrays import Bools, Floats, Ints
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.detectors.move import usual_move
from tickflow.metrics.detectors.seconds import Scored, View


def score(view: View, floor: float = 0.0, least: float = 0.0) -> Scored:
    """The ticks that follow a print which lay outside the range by at least `least` (0.001 is 0.1 %) and by more than
    `floor` usual moves.
    """
    first, second, third, fourth = view.closes_before
    # If the print and the return are in the same second, the range is that of the three seconds before this one.
    high, low = np.maximum(np.maximum(first, second), third), np.minimum(np.minimum(first, second), third)
    highest, lowest = np.maximum(view.high, view.prior), np.minimum(view.low, view.prior)
    seconds = np.flatnonzero(view.ready & _outside(highest, lowest, high, low, least))
    ticks = view.ticks_of(seconds)
    ticks = ticks[(ticks > view.first[view.second[ticks]]) | ~view.is_new[view.second[ticks]]]
    at = view.second[ticks]
    prints = np.where(ticks > view.first[at], view.price[ticks - 1], view.prior[at])
    within = _of(view, ticks, prints, high[at], low[at], floor, least, 0)
    # If the print was the last trade of its second, the return is the first tick of a new second.
    high, low = np.maximum(np.maximum(second, third), fourth), np.minimum(np.minimum(second, third), fourth)
    at = np.flatnonzero(view.is_new & view.ready & _outside(first, first, high, low, least))
    across = _of(view, view.first[at], first[at], high[at], low[at], floor, least, 1)
    if not len(across):
        return within
    return Scored.of(*(np.concatenate(pair) for pair in zip(within.columns, across.columns, strict=True)))


def _outside(highest: Floats, lowest: Floats, high: Floats, low: Floats, least: float) -> Bools:
    result: Bools = (highest > high * (1 + least)) | (lowest < low * (1 - least))
    return result


def _of(
    view: View, ticks: Ints, prints: Floats, high: Floats, low: Floats, floor: float, least: float, ago: int
) -> Scored:
    """Score the prints before `ticks`; `ago` is how many traded seconds before its tick each print was made."""
    if not len(ticks):
        return Scored.nothing()
    price = view.price[ticks]
    is_high = prints > high
    is_back = (price <= high) & (price >= low) & (is_high | (prints < low))
    reference = np.where(is_high, high, low)
    kept = np.flatnonzero(is_back & (np.abs(prints - reference) >= reference * least))
    if not len(kept):
        return Scored.nothing()
    rows = view.closed_prices(view.second[ticks[kept]])
    usual = usual_move(rows[:, 1 - ago : rows.shape[1] - ago])
    distance = np.abs(log(prints[kept]) - log(reference[kept]))
    scores = np.zeros(len(kept))
    np.divide(distance, usual, out=scores, where=usual > 0)
    above = scores > floor
    kept = kept[above]
    direction: Ints = np.where(is_high[kept], 1, -1)
    return Scored.of(view.order[ticks[kept]], scores[above], direction, prints[kept], reference[kept])
