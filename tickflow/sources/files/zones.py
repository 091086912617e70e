"""Converts wall time to UTC: in a repeated hour the order of the rows decides; a time in a skipped hour is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from tickflow.errors import SettingError

Micros = npt.NDArray[np.int64]

BUCKET_US = 900_000_000
"""A quarter of an hour: every clock change since 1970 happened at a multiple of this."""
FOLLOWS_US = 1_800_000_000
"""In a repeated hour, a row at most this long (half an hour) after the previous row belongs to the same pass through
the hour: the second pass is one hour later.
"""

_NORMAL, _FOLD, _GAP = 0, 1, 2
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock time has no zone
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?")


def zone_of(text: str, key: str = "REPLAY_TIMEZONE") -> tzinfo:
    """The zone with a name such as America/New_York, UTC or UTC-05:00. Raises `SettingError`.

    >>> zone_of("-05:00").utcoffset(None)
    datetime.timedelta(days=-1, seconds=68400)
    """
    if text.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if found := _OFFSET.fullmatch(text):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "a time zone such as America/New_York, Europe/Berlin, UTC or UTC-05:00"
        raise SettingError(key, text, expected) from None


@lru_cache(maxsize=100_000)
def _offsets(bucket: int, zone: tzinfo) -> tuple[int, int, int]:
    """For a quarter-hour of wall-clock time: whether it is normal, repeated or skipped, and the offsets to subtract in
    its first and second pass.
    """
    try:
        wall = _EPOCH + timedelta(microseconds=bucket * BUCKET_US)
    except OverflowError:
        return _NORMAL, 0, 0
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    kind = _NORMAL if first == second else _FOLD if first > second else _GAP
    return kind, first // timedelta(microseconds=1), second // timedelta(microseconds=1)


@dataclass
class Clock:
    """Turns the wall times of one file into UTC, row by row; `direction` is -1 if the newest row comes first.

    `step_us` is the length of a bar (a symbol has one bar per time); 0 for ticks, of which many may share a time.
    `folded` counts rows in a repeated hour whose UTC time was decided by the order of the rows.
    """

    zone: tzinfo
    direction: int = 1
    step_us: int = 0
    folded: int = 0
    _before: int | None = field(default=None, repr=False)
    _of_symbol: dict[str, int] = field(default_factory=dict, repr=False)
    _unplaced: dict[str, int] = field(default_factory=dict, repr=False)

    def to_utc(self, wall: Micros, symbols: Sequence[str] | None = None) -> tuple[Micros, dict[int, str]]:
        """Each wall time in UTC; and, by index, the reason for each row that has no UTC time."""
        if not len(wall):
            return wall, {}
        buckets = wall // BUCKET_US
        unique, where = np.unique(buckets, return_inverse=True)
        known = np.array([_offsets(int(bucket), self.zone) for bucket in unique], dtype=np.int64)[where]
        utc: Micros = wall - known[:, 1]
        refused: dict[int, str] = {}
        if known[:, 0].any():
            refused = self._unusual(utc, known, symbols)
        self._before = int(utc[-1])
        return utc, refused

    def _unusual(self, utc: Micros, known: Micros, symbols: Sequence[str] | None) -> dict[int, str]:
        refused: dict[int, str] = {}
        name = offsets_said(self.zone)
        before = self._before
        for index in range(len(utc)):
            kind, first, second = (int(each) for each in known[index])
            symbol = symbols[index] if symbols is not None else ""
            if kind == _GAP:
                refused[index] = f"there was no such hour in {name}: the clocks went forward"
                continue
            if kind == _FOLD:
                early = int(utc[index])
                near, far = sorted((early, early + first - second), key=lambda time: time * self.direction)
                placed = self._placed(symbol, near, far, before)
                if placed is None:
                    self._unplaced[symbol] = near
                    refused[index] = (
                        f"that hour came twice in {name}, and the rows before it do not tell which one it is: "
                        "give times with their offset, or --timezone as an offset"
                    )
                    continue
                utc[index] = placed
                self._unplaced.pop(symbol, None)
                self.folded += 1
                self._of_symbol[symbol] = placed
            else:
                self._unplaced.clear()
            before = int(utc[index])
        return refused

    def _placed(self, symbol: str, near: int, far: int, before: int | None) -> int | None:
        """Which of the two possible times a row in a repeated hour has; `None` if the rows before it do not decide it.

        A row whose wall time lies far before that of a refused row shows that the clock was set back between the two.
        """
        last = self._unplaced.get(symbol)
        if last is not None:
            ahead = (near - last) * self.direction
            return far if (ahead <= 0 if self.step_us else ahead < -FOLLOWS_US) else None
        last = self._of_symbol.get(symbol, before)
        if last is None:
            return None
        steps = [(time - last) * self.direction for time in (near, far)]
        if self.step_us:
            return far if steps[0] <= 0 else near if steps[0] <= max(FOLLOWS_US, self.step_us) else None
        least = min(steps, key=lambda step: (abs(step), -step))
        return None if abs(least) > FOLLOWS_US else near if least == steps[0] else far


def offsets_said(zone: tzinfo | None) -> str:
    """The display name of a zone.

    >>> offsets_said(ZoneInfo("Europe/Berlin")), offsets_said(UTC)
    ('Europe/Berlin', 'UTC')
    """
    return "" if zone is None else str(getattr(zone, "key", zone))
