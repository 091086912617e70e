"""The last ticks of each symbol of one partition, and each new tick's windows over them.

Warm-up is explicit: a window of n ticks counts only when n ticks exist and its oldest lies at most `span` offsets
behind the current one (`WindowView.full`); otherwise the values that need it are absent. The second rule bounds how far
back a restart has to read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.metrics.fields import DEPTH, DEPTHS, TICK_COLUMNS, Flags
from tickflow.ticks.tick import TickBatch

WINDOW_SPAN = 1_000_000
FIRST_ROOM = 16  # symbols

Column = TypeVar("Column", Floats, Ints)


@dataclass(frozen=True, slots=True)
class WindowView:
    """For each tick of a batch, the last values of its symbol, with the tick's own in the last row.

    `values` has an array (d, m) for each field with windows over it, where d is the length of the longest window.
    `lags` (`DEPTH`, m) says how many offsets each tick lies before the newest. A cell counts only where `full` says so.
    """

    values: Mapping[str, Floats]
    lags: Ints
    available: Ints
    span: int

    def last(self, name: str, n: int) -> Floats:
        """For each tick, the last `n` values of that field; shape (n, m)."""
        return self.values[name][-n:]

    def full(self, n: int) -> Flags:
        """For each tick, whether its window of the last `n` ticks counts; shape (m,)."""
        result: Flags = (self.available >= n) & (self.lags[-n] <= self.span)
        return result

    @property
    def depth(self) -> Ints:
        """For each tick, how many ticks its windows hold, including itself: 1 to `DEPTH`."""
        existing = np.arange(DEPTH, 0, -1)[:, None] <= self.available
        result: Ints = np.count_nonzero(existing & (self.lags <= self.span), axis=0)
        return result


class Windows:
    """The last accepted ticks of each symbol of one partition: `DEPTH` offsets, and the values that windows take.

    Rows of several arrays, one row per symbol, right-aligned: the newest tick is in the last column.

    >>> from tickflow.ticks.tick import decode
    >>> from tickflow.ticklog.base import Entry
    >>> value = b'{"symbol":"A","price":5,"timestamp":"2026-01-05T14:30:00Z"}'
    >>> ticks, _ = decode([Entry(0, 41, b"A", value, 0, 0)])
    >>> windows = Windows()
    >>> windows.advance(ticks).depth.tolist(), windows.oldest
    ([1], 41)
    """

    def __init__(self, span: int = WINDOW_SPAN) -> None:
        self.span = span
        self._slots: dict[str, int] = {}
        self._values = {name: np.zeros((FIRST_ROOM, depth)) for name, depth in DEPTHS.items()}
        self._offsets = np.zeros((FIRST_ROOM, DEPTH), dtype=np.int64)
        self._counts = np.zeros(FIRST_ROOM, dtype=np.int64)

    @property
    def symbols(self) -> int:
        """The number of symbols that have a window."""
        return len(self._slots)

    @property
    def oldest(self) -> int | None:
        """The oldest offset that a window still holds, `None` before the first tick."""
        used = len(self._slots)
        if not used:
            return None
        oldest = self._offsets[np.arange(used), DEPTH - self._counts[:used]]
        return int(oldest.min())

    def advance(self, ticks: TickBatch) -> WindowView:
        """Add the ticks of a batch, in log order; return the windows of each, in the same order."""
        slots = self._slots_of(ticks.symbols)
        order = np.argsort(slots, kind="stable")
        touched, starts, news = np.unique(slots[order], return_index=True, return_counts=True)
        carried = self._counts[touched]

        # For each tick: its index when the batch is sorted by symbol, the row of its symbol, its rank within the
        # symbol.
        place, row = np.empty_like(slots), np.empty_like(slots)
        place[order] = np.arange(len(slots))
        row[order] = np.repeat(np.arange(len(touched)), news)
        rank = place - starts[row]

        def windows_of(known: Column, new: Column) -> Column:
            """One column per tick: the last values of its symbol, with the tick's own in the last row. `known` has one
            row per symbol.
            """
            depth = known.shape[1]
            lane = np.concatenate([known[touched].ravel(), new[order]])
            back = np.arange(depth - 1, -1, -1)[:, None]
            # The value that far back is a new tick, or else one of the carried ticks, which end where the next row
            # begins.
            at = np.where(back <= rank, len(touched) * depth + place, (row + 1) * depth + rank) - back
            windows: Column = lane[at]
            return windows

        values = {
            name: windows_of(known, np.asarray(getattr(ticks, TICK_COLUMNS[name])))
            for name, known in self._values.items()
        }
        offsets = windows_of(self._offsets, ticks.offsets)
        newest = order[starts + news - 1]
        for name, windows in values.items():
            self._values[name][touched] = windows[:, newest].T
        self._offsets[touched] = offsets[:, newest].T
        self._counts[touched] = np.minimum(carried + news, DEPTH)
        # Cells before a symbol's first tick are 0; `available` masks them.
        return WindowView(
            values=values,
            lags=ticks.offsets - offsets,
            available=carried[row] + rank + 1,
            span=self.span,
        )

    def _slots_of(self, symbols: list[str]) -> Ints:
        found = places_of(symbols, self._slots)
        while len(self._slots) > len(self._counts):
            self._values = {name: _twice_as_long(rows) for name, rows in self._values.items()}
            self._offsets = _twice_as_long(self._offsets)
            self._counts = _twice_as_long(self._counts)
        return found


def places_of(symbols: Sequence[str], known: dict[str, int]) -> Ints:
    """The place of each symbol; a new symbol gets the next place in `known`.

    >>> places_of(["B", "A", "B"], {"A": 0}).tolist()
    [1, 0, 1]
    """
    try:
        return np.fromiter(map(known.__getitem__, symbols), np.int64, len(symbols))
    except KeyError:
        for symbol in symbols:
            known.setdefault(symbol, len(known))
        return places_of(symbols, known)


def _twice_as_long(rows: Column) -> Column:
    longer = np.zeros(
        (2 * len(rows), *rows.shape[1:]), dtype=rows.dtype
    )  # np.zeros takes no memory until it is written to
    longer[: len(rows)] = rows
    return longer
