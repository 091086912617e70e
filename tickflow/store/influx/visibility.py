"""Points that InfluxDB shows before they are whole.

A write becomes visible field by field: a query that runs beside it may see a point's price and not yet its volume.
Such a point would pass for one with absent fields. Each of our points says enough of itself to tell: what is there of
it must be what a window of 5, 10 or 20 ticks gives, and a point after a whole one has what that one had.
"""

import time
from collections.abc import Callable

import numpy as np

from tickflow.metrics.points import Points

ATTEMPTS = 6
PAUSE_SECONDS = 0.05
"""So long a write of 5,000 points takes to become visible, at most; waited before each new attempt."""


def whole(read: Callable[[], tuple[Points, int]], sleep: Callable[[float], None] = time.sleep) -> Points:
    """The points that `read` returns, once they look whole; after some attempts as they are.

    `read` returns points, and how many it left out since not even the fields were there that every point has. What
    stays odd is another program's point, or a symbol after a span of silence.
    """
    points, left_out = read()
    for _ in range(ATTEMPTS):
        if not left_out and not looks_half_written(points):
            break
        sleep(PAUSE_SECONDS)
        points, left_out = read()
    return points


def looks_half_written(points: Points) -> bool:
    """Whether a field is absent that its point, or the same symbol's point before it, says must be there."""
    five, ten, twenty = (~np.isnan(ma) for ma in (points.ma_5, points.ma_10, points.ma_20))
    deviates = ~np.isnan(points.volatility)
    odd = (
        (five != ~np.isnan(points.vol_avg_5))
        | (ten != deviates)
        | (ten != ~np.isnan(points.vol_avg_10))
        | (twenty & ~ten)
        | (ten & ~five)
        | ((points.volatility > 0) & np.isnan(points.z_score))
    )
    if odd.any():
        return True
    symbol, source = np.array(points.symbol), np.array(points.source)
    follows = (symbol[1:] == symbol[:-1]) & (source[1:] == source[:-1])
    follows &= (points.partition[1:] == points.partition[:-1]) & (points.offset[1:] > points.offset[:-1])
    carries = ~np.isnan(points.change_percent)
    return any(bool((follows & there[:-1] & ~there[1:]).any()) for there in (five, ten, twenty, carries))
