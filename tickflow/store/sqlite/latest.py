"""The newest point of each symbol in the embedded file, kept from one read to the next.

A read takes in what was written since the one before: found by when it was written, since a tick's own time may be
any. A whole read goes over all symbols, which takes 2,000 of them tens of milliseconds.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from tickflow.metrics.fields import NAMES
from tickflow.metrics.points import Points
from tickflow.store.latest import places, replaced

COLUMNS = ", ".join(f'"{name}"' for name in NAMES)
WHOLE_EVERY = 60.0
"""Seconds after which all is read again: what retention took away is gone then at the latest."""
GRACE_SECONDS = 5.0
"""A point may be seen so long after the time that it bears as written: its writer waited for the file."""
SAME_SECONDS = 1.0
"""A point written so shortly before the last read may have been written again under the same millisecond."""
MOST_ROWS = 5_000
"""More of them are not gone through one by one."""

# Each name is found by one seek behind the one before; SELECT DISTINCT would read every point.
_NEXT_SYMBOL = "SELECT min(symbol) FROM store_points WHERE symbol > ?"
_NEWEST = f"SELECT {COLUMNS} FROM store_points WHERE symbol = ? ORDER BY time_ns DESC LIMIT 1"  # noqa: S608
_WRITTEN = "SELECT symbol, time_ns, appended_ms FROM store_points WHERE appended_ms >= ? LIMIT ?"


class Latest:
    """What `MetricsStore.latest` says, for all readers of a store. Thread-safe. `clock` is the one of the points."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._points = Points.from_rows([])
        self._place: dict[str, int] = {}
        self._written: dict[str, tuple[int, int]] = {}  # by symbol, time and writing of the point that was taken in
        self._whole_at = float("-inf")
        self._read_at = (0.0, 0.0)

    def forget(self) -> None:
        """Read all the next time: points were deleted."""
        self._whole_at = float("-inf")

    def read(self, connection: sqlite3.Connection) -> Points:
        """The newest point of each symbol, in the order of the symbols' names."""
        asked = self._monotonic()
        with self._lock:
            if self._read_at[1] > asked and self._whole_at > float("-inf"):
                return self._points  # read for another reader, since this one asked
            now = (self._clock(), self._monotonic())
            # In one transaction, so that all of it is of one moment: with a later record's point and without an
            # earlier one's, readers who go by offsets would miss that one for good.
            connection.execute("BEGIN")
            if not self._take_in(connection, *now):
                self._whole_at = now[1]  # before the read: a `forget` meanwhile counts
                self._points = Points.from_rows(_newest(connection, symbols(connection)))
                self._place = places(self._points)
                self._written = {}
            connection.execute("COMMIT")
            self._read_at = now
            return self._points

    def _take_in(self, connection: sqlite3.Connection, clock: float, moment: float) -> bool:
        """Take in what was written since the last read; whether that could be done."""
        clock_before, moment_before = self._read_at
        if moment - self._whole_at >= WHOLE_EVERY or clock < clock_before:
            return False
        # A clock that was put back is by no more than what passed since, else it would show.
        since = clock_before - (moment - moment_before) - GRACE_SECONDS
        rows = connection.execute(_WRITTEN, (int(since * 1000), MOST_ROWS)).fetchall()
        if len(rows) == MOST_ROWS or any(row[0] not in self._place for row in rows):
            return False
        sure_ms = (clock_before - SAME_SECONDS) * 1000
        changed: set[str] = set()
        for symbol, time_ns, appended_ms in rows:
            known = self._written.get(symbol, (-1, 0))
            if time_ns < known[0] or ((time_ns, appended_ms) == known and appended_ms < sure_ms):
                continue
            self._written[symbol] = (time_ns, appended_ms)
            changed.add(symbol)
        if changed:
            newer = Points.from_rows(_newest(connection, sorted(changed)))
            self._points = replaced(self._points, self._place, newer)
        return True


def symbols(connection: sqlite3.Connection) -> Iterator[str]:
    """The names of all symbols, in order."""
    symbol = ""
    while (symbol := connection.execute(_NEXT_SYMBOL, (symbol,)).fetchone()[0]) is not None:
        yield symbol


def _newest(connection: sqlite3.Connection, names: Iterator[str] | list[str]) -> Iterator[tuple[object, ...]]:
    """The newest row of each of these symbols."""
    for symbol in names:
        yield from connection.execute(_NEWEST, (symbol,)).fetchall()
