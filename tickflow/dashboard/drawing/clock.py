"""Exchange time: the axis of the chart shows the exchange's wall clock, and only this module converts to it.

One process serves one exchange: `use` sets its zone before the page is built; it is New York's by default.

Plotly's axes know no time zones. So each time is sent to the browser as milliseconds of the exchange's wall clock,
together with `offsets`, from which the browser computes UTC.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from tickflow.arrays import Floats, Ints

_NEW_YORK = ZoneInfo("America/New_York")
_used = [_NEW_YORK]


def use(zone: ZoneInfo) -> None:
    """Use the wall clock of this zone from now on."""
    _used[0] = zone


def name() -> str:
    """The name of the exchange's zone in the IANA database.

    >>> name()
    'America/New_York'
    """
    return _used[0].key


def label() -> str:
    """The short name of the exchange's zone: ET, or the city.

    >>> label()
    'ET'
    """
    return "ET" if _used[0] == _NEW_YORK else _used[0].key.rpartition("/")[2].replace("_", " ")


def words() -> str:
    """The long name of the exchange's zone.

    >>> words()
    'New York time (ET)'
    """
    return "New York time (ET)" if _used[0] == _NEW_YORK else f"{label()} time"


def wall_ms(time_ns: Ints) -> Floats:
    """The exchange's wall clock at each moment, in ms since 1970 as if it were UTC.

    >>> wall_ms(np.array([1_381_152_600_000_000_000])).tolist() == [1_381_138_200_000.0]  # 13:30 UTC, 09:30 in New York
    True
    """
    wall = pd.DatetimeIndex(time_ns, tz=UTC).tz_convert(_used[0]).tz_localize(None)
    result: Floats = wall.as_unit("ns").asi8 / 1e6
    return result


def utc_ns(wall_ms: float) -> int:
    """The moment, in ns since 1970, of a wall-clock time of the exchange; if the time occurs twice, the first moment.

    >>> utc_ns(1_381_138_200_000.0) == 1_381_152_600_000_000_000
    True
    """
    wall = datetime.fromtimestamp(wall_ms / 1000, UTC).replace(tzinfo=_used[0])
    return round(wall.timestamp() * 1000) * 1_000_000


def offsets(first_ns: int, last_ns: int) -> list[tuple[float, int]]:
    """Pairs (wall-clock ms, offset to UTC in ms) that cover `first_ns` to `last_ns`: each offset is valid from its time
    to the next one.

    In the hour that repeats when the clock is set back, the later offset is used.

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
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone(_used[0])
    return int((moment.utcoffset() or timedelta()).total_seconds()) * 1000


def _next_change(at: int, last: int) -> int | None:
    """The first moment after `at`, to the second, at which the offset differs; `None` if it does not change up to
    `last`.
    """
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
