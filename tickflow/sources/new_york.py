"""The hours of the New York Stock Exchange, and the day of New York."""

import warnings
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
USUAL_CLOSE = time(16)


def close_of(day: date) -> datetime:
    """When the exchange closed on that day, in UTC (13:00 New York time on half days); 16:00 if it did not open at all.

    >>> close_of(date(2024, 11, 29)).isoformat()  # the day after Thanksgiving
    '2024-11-29T18:00:00+00:00'
    """
    calendar = _exchange()
    first, last = calendar.first_session.date(), calendar.last_session.date()
    if first <= day <= last and calendar.is_session(day.isoformat()):
        close: datetime = calendar.session_close(day.isoformat()).to_pydatetime()
        return close.astimezone(UTC)
    return datetime.combine(day, USUAL_CLOSE, NEW_YORK).astimezone(UTC)


def is_open(now: datetime) -> bool:
    """Whether the exchange is open at that moment.

    >>> is_open(datetime(2024, 11, 29, 17, 59, tzinfo=UTC)), is_open(datetime(2024, 11, 29, 18, 1, tzinfo=UTC))
    (True, False)
    """
    day = now.astimezone(NEW_YORK).date()
    calendar = _exchange()
    first, last = calendar.first_session.date(), calendar.last_session.date()
    if not (first <= day <= last and calendar.is_session(day.isoformat())):
        return False
    begin = calendar.session_open(day.isoformat()).to_pydatetime()
    return bool(begin <= now < close_of(day))


def seconds_to_midnight(now: datetime) -> float:
    """Seconds until the next day begins in New York, plus a few more as a margin."""
    there = now.astimezone(NEW_YORK)
    midnight = datetime.combine(there.date() + timedelta(days=1), time(), NEW_YORK)
    return (midnight.astimezone(UTC) - now).total_seconds() + 5


def _exchange() -> Any:
    """The exchange's calendar; the library builds it once and keeps it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library uses what pandas 3.1 calls deprecated
        import exchange_calendars  # imported here, since it takes a second or two that only real prices need

        return exchange_calendars.get_calendar("XNYS")
