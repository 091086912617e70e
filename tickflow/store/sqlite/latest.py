"""The newest point of each symbol in the embedded file, cached between reads.

A read fetches the points that were written since the previous read. It selects by the time of writing, since a tick may
have any event time. A full read scans all symbols: for 2,000 of them it takes tens of milliseconds.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from tickflow.metrics.fields import NAMES
from tickflow.metrics.points import Points
from tickflow.store.latest import places, replaced

COLUMNS = ", ".join(f'"{name}"' for name in NAMES)
WHOLE_EVERY_SECONDS = 60.0
"""After this many seconds everything is read again, so that points that retention deleted leave the cache."""
GRACE_SECONDS = 5.0
"""How long after its time of writing a point may become visible, because its writer had to wait for the file."""
SAME_SECONDS = 1.0
"""A point written less than this many seconds before the last read is read again, since it may have been overwritten
after that read but within the millisecond that is stored as its time of writing.
"""
MOST_ROWS = 5_000
"""If this many rows are new, they are not processed one at a time: everything is read again."""

# Each name takes one seek past the previous name; SELECT DISTINCT would read every point.
_NEXT_SYMBOL = "SELECT min(symbol) FROM store_points WHERE symbol > ?"
SYMBOL_COUNT = """
    WITH RECURSIVE found(symbol) AS (
        SELECT min(symbol) FROM store_points
        UNION ALL SELECT (SELECT min(symbol) FROM store_points WHERE symbol > found.symbol) FROM found
        WHERE found.symbol IS NOT NULL
    ) SELECT count(symbol) FROM found
"""
_NEWEST = f"SELECT {COLUMNS} FROM store_points WHERE symbol = ? ORDER BY time_ns DESC LIMIT 1"  # noqa: S608
_WRITTEN = "SELECT symbol, time_ns, appended_ms FROM store_points WHERE appended_ms >= ? LIMIT ?"


class Latest:
    """The answer to `MetricsStore.latest`, shared by all readers of a store. Thread-safe. `clock` is the clock that
    gives points their time of writing. `most`: only the first `most` symbols.
    """

    def __init__(
        self, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic, most: int | None = None
    ) -> None:
        self._most = most
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._points = Points.from_rows([])
        self._place: dict[str, int] = {}
        self._written: dict[str, tuple[int, int]] = {}  # by symbol: the cached point's time, and when it was written
        self._whole_at = float("-inf")
        self._read_at = (0.0, 0.0)

    def forget(self) -> None:
        """Read everything the next time: points were deleted."""
        self._whole_at = float("-inf")

    def read(self, connection: sqlite3.Connection) -> Points:
        """The newest point of each symbol, ordered by symbol."""
        asked = self._monotonic()
        with self._lock:
            if self._read_at[1] > asked and self._whole_at > float("-inf"):
                return self._points  # another reader has read the points while this one waited
            now = (self._clock(), self._monotonic())
            # One transaction sees one state of the file. Without it, a later record might be seen without an earlier
            # one, and a reader that continues from the highest offset would never see the earlier record.
            connection.execute("BEGIN")
            if not self._take_in(connection, *now):
                self._whole_at = now[1]  # set before the read, so that a `forget` during the read takes effect
                self._points = Points.from_rows(_newest(connection, islice(symbols(connection), self._most)))
                self._place = places(self._points)
                self._written = {}
            connection.execute("COMMIT")
            self._read_at = now
            return self._points

    def _take_in(self, connection: sqlite3.Connection, clock: float, moment: float) -> bool:
        """Update the cache with the points written since the last read; return false if that is not possible."""
        clock_before, moment_before = self._read_at
        if moment - self._whole_at >= WHOLE_EVERY_SECONDS or clock < clock_before:
            return False
        # A clock that was set back by more than the time since the last read is detected here.
        since = clock_before - (moment - moment_before) - GRACE_SECONDS
        rows = connection.execute(_WRITTEN, (int(since * 1000), MOST_ROWS)).fetchall()
        if len(rows) == MOST_ROWS or any(self._is_missing(row[0]) for row in rows):
            return False
        sure_ms = (clock_before - SAME_SECONDS) * 1000
        changed: set[str] = set()
        for symbol, time_ns, appended_ms in rows:
            if symbol not in self._place:
                continue
            known = self._written.get(symbol, (-1, 0))
            if time_ns < known[0] or ((time_ns, appended_ms) == known and appended_ms < sure_ms):
                continue
            self._written[symbol] = (time_ns, appended_ms)
            changed.add(symbol)
        if changed:
            newer = Points.from_rows(_newest(connection, sorted(changed)))
            self._points = replaced(self._points, self._place, newer)
        return True

    def _is_missing(self, symbol: str) -> bool:
        """Whether a symbol belongs in the cache but is not there."""
        if symbol in self._place:
            return False
        return self._most is None or len(self._points) < self._most or symbol < self._points.symbol[-1]


class EveryLatest:
    """One `Latest` for all symbols, and one for each requested number of first symbols."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._each: dict[int | None, Latest] = {}

    def of(self, most: int | None) -> Latest:
        """The `Latest` for the first `most` symbols; for `None`, for all."""
        return self._each.setdefault(most, Latest(self._clock, most=most))

    def forget(self) -> None:
        """Record that points were deleted."""
        for each in list(self._each.values()):
            each.forget()


def symbols(connection: sqlite3.Connection) -> Iterator[str]:
    """The names of all symbols, in order."""
    symbol = ""
    while (symbol := connection.execute(_NEXT_SYMBOL, (symbol,)).fetchone()[0]) is not None:
        yield symbol


def _newest(connection: sqlite3.Connection, names: Iterable[str]) -> Iterator[tuple[object, ...]]:
    """The newest row of each of these symbols."""
    for symbol in names:
        yield from connection.execute(_NEWEST, (symbol,)).fetchall()
