"""Thresholds from recorded days: for each symbol, the threshold that produces as many alerts as its budget allows."""

import math
from dataclasses import dataclass

import numpy as np

from tickflow.alerts.budget import poisson_interval
from tickflow.arrays import Floats, Ints

LEAST_EXPECTED = 20.0
"""With fewer expected alerts a threshold would be a guess: even 20 alerts determine their rate only to within 45 %."""
MARGIN = 0.25
"""How far below the budget a threshold is calibrated, in standard deviations of the number of alerts in the record.

The budget promises an upper limit, but if n recorded scores exceed a threshold, on average n + 1 scores exceed it in a
new record of the same length. With this margin and a record of 40 alerts, the average is 0.97 of the budget.
"""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold with its 95 % interval from `low` to `high`, and the number of `alerts` that it produces."""

    value: float
    low: float
    high: float
    alerts: int


def episodes_above(threshold: float, time_us: Ints, scores: Floats, gap_us: int = 60_000_000) -> int:
    """How many episodes the scores above a threshold form; an episode ends after `gap_us` without such a score.

    >>> episodes_above(5.0, np.array([0, 1, 61_000_001]), np.array([6.0, 7.0, 9.0]))
    2
    """
    times = time_us[scores > threshold]
    return int(len(times) > 0) + int(np.count_nonzero(np.diff(times) >= gap_us))


def threshold_for(expected: float, time_us: Ints, scores: Floats) -> Threshold | None:
    """The threshold that produces at most `expected` episodes in as much new data as was recorded; `None` if too few
    are expected.

    `scores` (in time order) are the recorded scores above a floor. If fewer than `expected` episodes exceed the floor,
    the floor is returned.
    """
    if expected < LEAST_EXPECTED:
        return None
    allowed = expected - MARGIN * math.sqrt(expected)
    fewest, most = poisson_interval(round(allowed))
    value = reaching(allowed, time_us, scores)
    return Threshold(
        value,
        reaching(most, time_us, scores),
        reaching(fewest, time_us, scores),
        episodes_above(value, time_us, scores),
    )


def reaching(count: float, time_us: Ints, scores: Floats) -> float:
    """The lowest threshold such that it and all higher ones produce at most `count` episodes."""
    levels = np.unique(scores)
    if not len(levels):
        return 0.0
    floor = float(np.nextafter(levels[0], 0))
    # As the threshold falls, there are more episodes until they merge, so the number can cross `count` more than once:
    # the highest crossing is the answer.
    step = max(1, len(scores) // 4_000)
    from_top = levels[::-1]
    previous = 0
    for at in range(0, len(from_top), step):
        if episodes_above(float(from_top[at]), time_us, scores) > count:
            low, high = previous, at
            while high - low > 1:
                middle = (low + high) // 2
                if episodes_above(float(from_top[middle]), time_us, scores) > count:
                    high = middle
                else:
                    low = middle
            return float(from_top[low])
        previous = at
    return floor
