"""The sessions of an exchange: its regular hours, the hours before and after them, holidays, half days, clock changes.

Everything is computed from the calendar of `exchange_calendars`, which is loaded when it is first needed: this takes
0.4 s if pandas is already loaded, else 1.5 s. The calendars of XNYS and 24/7 are kept in files that were written from
it, and take milliseconds. Creating a `Sessions` loads nothing.

Times are in ns since 1970. Intervals include their first moment and not their last: at the closing time, the exchange
is closed.
"""

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tickflow.arrays import Bools, Ints

NEW_YORK_CODE = "XNYS"
ALWAYS = "24/7"
KEPT = {name: Path(__file__).parent / "calendars" / f"{name.replace('/', '-')}.npz" for name in (NEW_YORK_CODE, ALWAYS)}
"""The calendars that are kept in files."""
_SECOND = 1_000_000_000
_HOUR = 3_600 * _SECOND
_USUAL_CLOSE = time(16)
_FIRST, _LAST = date(1970, 1, 1), date(2100, 12, 31)
_EXTENDED = {"XNYS": (4 * _HOUR, 4 * _HOUR)}
"""For exchanges with extended hours: how long after midnight the early hours begin, and for how long after the close
the late hours last. In New York the late hours end at 20:00, on half days at 17:00.
"""


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: regular hours from `open` to `close`; with extended hours it lasts from `before` to `after`.

    Without extended hours, `before` is `open` and `after` is `close`. `is_half`: the exchange closes early.
    """

    day: date
    before: int
    open: int
    close: int
    after: int
    is_half: bool


@dataclass(frozen=True)
class _Table:
    """Sessions as columns. `begins` and `ends` are the bounds of the periods of regular hours: two periods per session
    if there is a lunch break.
    """

    days: Ints
    before: Ints
    opens: Ints
    closes: Ints
    after: Ints
    halves: Bools
    begins: Ints
    ends: Ints
    passed: Ints
    zone: ZoneInfo


class Sessions:
    """The sessions of one market, by its name in `exchange_calendars`, such as XNYS, XLON or 24/7.

    Covers 1970 to 2100, or as far as the library goes (Hong Kong: 2049); outside these years no market is open.

    >>> new_york = Sessions("XNYS")
    >>> after_thanksgiving = 1_732_903_200_000_000_000  # 2024-11-29 18:00 UTC, where New York closed at 13:00
    >>> new_york.is_open(after_thanksgiving - 1), new_york.is_open(after_thanksgiving)
    (True, False)
    >>> (new_york.next_open(after_thanksgiving) - after_thanksgiving) / 3_600e9  # Monday, 09:30
    68.5
    """

    def __init__(self, market: str = NEW_YORK_CODE) -> None:
        self.market = market

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the exchange."""
        return ZoneInfo("America/New_York") if self.market == NEW_YORK_CODE else self._table.zone

    def load(self) -> None:
        """Load the calendar now, not when it is first needed."""
        _ = self._table

    def is_open(self, time_ns: int) -> bool:
        """Whether the exchange is in regular hours at the moment `time_ns`."""
        return bool(self.are_open(np.array([time_ns]))[0])

    def are_open(self, times_ns: Ints) -> Bools:
        """For each moment, whether the exchange is in regular hours.

        >>> Sessions("24/7").are_open(np.array([0, 1_700_000_000_000_000_000])).tolist()
        [True, True]
        """
        at = np.searchsorted(self._table.begins, times_ns, side="right") - 1
        result: Bools = (at >= 0) & (times_ns < self._table.ends[np.maximum(at, 0)])
        return result

    def next_open(self, time_ns: int) -> int | None:
        """The first moment at or after `time_ns` at which the exchange is open; `None` if the calendar ends before
        that.
        """
        if self.is_open(time_ns):
            return time_ns
        at = int(np.searchsorted(self._table.begins, time_ns))
        return int(self._table.begins[at]) if at < len(self._table.begins) else None

    def open_before(self, times_ns: Ints) -> Ints:
        """For each moment, how many ns of regular hours lie before it. Only differences between these values are
        meaningful.

        >>> Sessions("24/7").open_before(np.array([0, 5])).tolist()
        [0, 5]
        """
        return self._passed(times_ns)

    def open_ns(self, since_ns: int, until_ns: int) -> int:
        """How many ns of regular hours lie between two moments.

        >>> friday_1559, monday_0931 = 1_381_521_540_000_000_000, 1_381_757_460_000_000_000  # October 2013
        >>> Sessions("XNYS").open_ns(friday_1559, monday_0931) / 1e9
        120.0
        """
        since, until = self._passed(np.array([since_ns, until_ns]))
        return int(until - since)

    def session_of(self, time_ns: int) -> Session | None:
        """The session whose regular or extended hours include a moment; `None` if the exchange is closed then."""
        at = int(np.searchsorted(self._table.before, time_ns, side="right")) - 1
        return self._session(at) if at >= 0 and time_ns < self._table.after[at] else None

    def latest(self, time_ns: int) -> Session | None:
        """The last session that opened at or before the moment `time_ns`, whether or not it has closed since."""
        at = int(np.searchsorted(self._table.opens, time_ns, side="right")) - 1
        return self._session(at) if at >= 0 else None

    def previous(self, session: Session) -> Session | None:
        """The session before `session`."""
        return self.latest(session.open - 1)

    def on(self, day: date) -> Session | None:
        """The session on `day`; `None` if the exchange does not open on it."""
        number = (day - _FIRST).days
        at = int(np.searchsorted(self._table.days, number))
        return self._session(at) if at < len(self._table.days) and self._table.days[at] == number else None

    def between(self, since_ns: int, until_ns: int) -> list[Session]:
        """The sessions that overlap the time between two moments, extended hours included, in order."""
        first = int(np.searchsorted(self._table.after, since_ns, side="right"))
        end = int(np.searchsorted(self._table.before, until_ns))
        return [self._session(at) for at in range(first, end)]

    def close_of(self, day: date) -> datetime:
        """When the exchange closes on `day`, in UTC; 16:00 local time if it does not open on that day.

        >>> Sessions("XNYS").close_of(date(2024, 11, 29)).isoformat()  # the day after Thanksgiving
        '2024-11-29T18:00:00+00:00'
        """
        session = self.on(day)
        if session is None:
            return datetime.combine(day, _USUAL_CLOSE, self.zone).astimezone(UTC)
        return datetime.fromtimestamp(session.close // _SECOND, UTC)

    def _passed(self, times_ns: Ints) -> Ints:
        """How many ns of regular hours lie between the start of the calendar and each moment."""
        table = self._table
        at = np.maximum(np.searchsorted(table.begins, times_ns, side="right") - 1, 0)
        result: Ints = table.passed[at] + np.clip(times_ns - table.begins[at], 0, table.ends[at] - table.begins[at])
        return result

    def _session(self, at: int) -> Session:
        table = self._table
        return Session(
            day=_FIRST + timedelta(days=int(table.days[at])),
            before=int(table.before[at]),
            open=int(table.opens[at]),
            close=int(table.closes[at]),
            after=int(table.after[at]),
            is_half=bool(table.halves[at]),
        )

    @cached_property
    def _table(self) -> _Table:
        return _read(self.market)


NEW_YORK = Sessions()
"""The default market, shared so that its calendar is loaded once."""


def is_market(name: str) -> bool:
    """Whether there is a calendar with this name. The library is loaded only for names other than XNYS and 24/7.

    >>> is_market("XNYS"), is_market("24/7"), is_market("XLON"), is_market("New York")
    (True, True, True, False)
    """
    return name in (NEW_YORK_CODE, ALWAYS) or name in _library().get_calendar_names()


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a market since 1970 as columns in ns. A day without a pause has a negative `pauses` and `resumes`."""

    days: Ints
    before: Ints
    opens: Ints
    closes: Ints
    pauses: Ints
    resumes: Ints
    zone: str


def from_library(market: str) -> Calendar:
    """The whole calendar of a market, in about a second if pandas is not loaded yet: the library takes no longer for a
    century than for a year.
    """
    library = _library()
    name = library.resolve_alias(market)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calendar = _calendar(library, name)
        opens, closes = (_ns(column) for column in (calendar.opens, calendar.closes))
        pauses, resumes = (_ns(column) for column in (calendar.break_starts, calendar.break_ends))
        midnights = _ns(calendar.sessions.tz_localize(calendar.tz))
    days = calendar.sessions.as_unit("s").asi8 // 86_400
    early, _ = _EXTENDED.get(name, (0, 0))
    before = np.minimum(opens, midnights + early) if early else opens
    return Calendar(days, before, opens, closes, pauses, resumes, calendar.tz.key)


def from_file(market: str) -> Calendar:
    """The calendar of a market that `devtools/calendars.py` keeps in a file, in some milliseconds: the markets of most
    users need neither pandas (60 MB) nor the second that loading it takes.
    """
    with np.load(KEPT[market]) as kept:
        days, zone = np.cumsum(kept["gaps"], dtype=np.int64), str(kept["zone"])
        before, opens, closes = ((days * 1_440 + kept[name]) * 60 * _SECOND for name in ("before", "opens", "closes"))
    never = np.full(len(days), -1)
    return Calendar(days, before, opens, closes, never, never, zone)


def _library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library uses functions that pandas 3.1 deprecates
        import exchange_calendars  # loads pandas, so only when a calendar is needed

        return exchange_calendars


@cache
def _read(market: str) -> _Table:
    calendar = from_file(market) if market in KEPT else from_library(market)
    opens, closes = calendar.opens, calendar.closes
    _, late = _EXTENDED.get(market, (0, 0))
    has_pause = calendar.pauses > 0
    begins = np.sort(np.concatenate([opens, calendar.resumes[has_pause]]))
    ends = np.sort(np.concatenate([closes, calendar.pauses[has_pause]]))
    return _Table(
        calendar.days,
        calendar.before,
        opens,
        closes,
        closes + late,
        _halves(closes - opens),
        begins,
        ends,
        np.concatenate([[0], np.cumsum(ends - begins)[:-1]]),
        ZoneInfo(calendar.zone),
    )


def _calendar(library: Any, name: str) -> Any:
    try:
        return library.get_calendar(name, start=_FIRST.isoformat(), end=_LAST.isoformat())
    except ValueError:  # for this exchange the library covers fewer years
        kind = library.get_calendar(name).__class__
        first, last = kind.bound_min(), kind.bound_max()
        begin = _FIRST if first is None else max(_FIRST, first.date())
        end = _LAST if last is None else min(_LAST, last.date())
        return library.get_calendar(name, start=begin.isoformat(), end=end.isoformat())


def _halves(lengths: Ints) -> Bools:
    """For each session, whether it is at least an hour shorter than the longest of the ten sessions around it."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(lengths, 5, mode="edge"), 11).max(axis=1)
    result: Bools = lengths <= around - _HOUR
    return result


def _ns(column: Any) -> Ints:
    """Moments in ns since 1970; an absent one is negative."""
    import pandas as pd

    result: Ints = pd.DatetimeIndex(column).as_unit("ns").asi8
    return result
