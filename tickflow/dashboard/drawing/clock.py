"""Exchange time: the chart's axis shows New York's wall clock, and this module is the only one that shifts to it.

Plotly's axes know no time zone. So each time goes to the browser as milliseconds of the exchange's wall clock, beside
`offsets`, by which the browser finds UTC again.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from tickflow.arrays import Floats, Ints

EXCHANGE = "America/New_York"
LABEL = "ET"


def wall_ms(time_ns: Ints) -> Floats:
    """The exchange's wall clock at each moment, in ms since 1970 as if it were UTC.

    >>> wall_ms(np.array([1_381_152_600_000_000_000])).tolist() == [1_381_138_200_000.0]  # 13:30 UTC, 09:30 in New York
    True
    """
    wall = pd.DatetimeIndex(time_ns, tz=UTC).tz_convert(EXCHANGE).tz_localize(None)
    result: Floats = wall.as_unit("ns").asi8 / 1e6
    return result


def utc_ns(wall_ms: float) -> int:
    """The moment, in ns since 1970, of a wall-clock time of the exchange; of one that comes twice, the first.

    >>> utc_ns(1_381_138_200_000.0) == 1_381_152_600_000_000_000
    True
    """
    wall = datetime.fromtimestamp(wall_ms / 1000, UTC).replace(tzinfo=ZoneInfo(EXCHANGE))
    return round(wall.timestamp() * 1000) * 1_000_000


def offsets(first_ns: int, last_ns: int) -> list[tuple[float, int]]:
    """From which wall-clock ms on which offset to UTC (in ms) holds, from `first_ns` to `last_ns`.

    In the hour that a clock set back repeats, the later offset is taken.

    >>> january, july = 1_357_000_000_000_000_000, 1_373_000_000_000_000_000
    >>> [offset // 3_600_000 for _, offset in offsets(january, july)]
    [-5, -4]
    """
    found = [(float(wall_ms(np.array([first_ns]))[0]), _offset_ms(first_ns))]
    at = first_ns
    while (change := _next_change(at, last_ns)) is not None:
        offset = _offset_ms(change)
        found.append((change / 1e6 + offset, offset))
        at = change
    return found


def _offset_ms(time_ns: int) -> int:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone(ZoneInfo(EXCHANGE))
    return int((moment.utcoffset() or timedelta()).total_seconds()) * 1000


def _next_change(at: int, last: int) -> int | None:
    """The first moment after `at` at which the offset is another, to the second; `None`: there is none by `last`."""
    week = 7 * 86_400 * 1_000_000_000
    offset, low = _offset_ms(at), at
    while low < last:
        high = min(low + week, last)
        if _offset_ms(high) == offset:
            low = high
            continue
        while high - low > 1_000_000_000:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset_ms(middle) == offset else (low, middle)
        return high - high % 1_000_000_000
    return None
