"""Mutes: which alerts people want no messages about, from when, and for how long.

A mute names symbols by a pattern. Further conditions may be a beginning, an end, a detector, a limit for the size of
moves, and the closed hours of the market; all of them must hold. A mute that was undone is kept, so that all readers
see that it has ended.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from tickflow.alerts.alert import Alert
from tickflow.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Mute:
    """A mute; `made_ns` and `id` identify it. Times in ns since 1970, by the wall clock.

    `until_ns` is 0 for a mute without an end. With `below`, only moves of less than this many percent are muted; with
    `closed`, only alerts outside the regular hours.
    """

    id: str
    made_ns: int
    pattern: str
    until_ns: int = 0
    begins_ns: int = 0
    detector: str = ""
    below: float = 0.0
    closed: bool = False
    made_by: str = ""
    undone: bool = False

    def is_active(self, now_ns: int) -> bool:
        """Whether the mute is in force at the moment `now_ns`.

        >>> mute = Mute("1", 0, "AAPL", until_ns=10)
        >>> mute.is_active(9), mute.is_active(10)
        (True, False)
        """
        return not self.undone and self.begins_ns <= now_ns and (not self.until_ns or now_ns < self.until_ns)

    def covers(self, alert: Alert, sessions: Sessions) -> bool:
        """Whether the conditions of the mute, apart from its time, hold for an alert."""
        if self.detector and self.detector != alert.detector:
            return False
        if not fnmatchcase(alert.symbol, self.pattern):
            return False
        if self.below and not (alert.direction and abs(alert.move_percent) < self.below):
            return False
        return not (self.closed and sessions.is_open(alert.opened))


def is_muted(alert: Alert, mutes: Iterable[Mute], now_ns: int, sessions: Sessions) -> bool:
    """Whether one of the mutes is in force at `now_ns` and covers the alert."""
    return any(mute.is_active(now_ns) and mute.covers(alert, sessions) for mute in mutes)


def new_id() -> str:
    """An id for a new mute."""
    return secrets.token_hex(8)


def words(mute: Mute) -> str:
    """A mute as a phrase.

    >>> words(Mute("1", 0, "AAPL", until_ns=3_600 * 10**9))
    'AAPL until 1970-01-01 01:00 UTC'
    >>> words(Mute("1", 0, "B*", below=0.5, detector="move")), words(Mute("1", 0, "*", closed=True))
    ('B*, move, below 0.5 %', 'all symbols outside the session')
    """
    parts = ["all symbols" if mute.pattern == "*" else mute.pattern]
    if mute.detector:
        parts.append(f", {mute.detector},")
    if mute.below:
        parts.append(f" below {mute.below:g} %")
    if mute.closed:
        parts.append(" outside the session")
    if mute.begins_ns > mute.made_ns:
        parts.append(f" from {_moment(mute.begins_ns)}")
    if mute.until_ns:
        parts.append(f" until {_moment(mute.until_ns)}")
    return "".join(parts).rstrip(",")


def _moment(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"
