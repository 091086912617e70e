"""Keeps the last ticks of each symbol of one partition, and gives the windows of each new tick.

Warm-up is explicit: a window of n ticks counts only when n ticks exist and the oldest of them lies at most `span`
offsets behind the current one (`WindowView.full`); otherwise the values that need it are absent. The second rule bounds
how far back a restart has to read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from tickflow.arrays import Floats, Ints
from tickflow.metrics.fields import DEPTH, DEPTHS, TICK_COLUMNS, Flags
from tickflow.ticks.tick import TickBatch

WINDOW_SPAN = 1_000_000
FIRST_ROOM = 16  # the initial capacity, in symbols

Column = TypeVar("Column", Floats, Ints)


@dataclass(frozen=True, slots=True)
class WindowView:
    """For each tick of a batch, the last values of its symbol; the last row has the values of the tick itself.

    `values` has an array (d, m) for each field with windows over it, where d is the length of the longest window.
    `lags` (`DEPTH`, m) says how many offsets each tick of the window lies before its newest one. A cell counts only
    where `full` says so.
    """

    values: Mapping[str, Floats]
    lags: Ints
    available: Ints
    span: int

    def last(self, name: str, n: int) -> Floats:
        """For each tick, the last `n` values of the field `name`; shape (n, m)."""
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


class Carried(NamedTuple):
    """The last ticks of some symbols, one row per symbol, right-aligned: the values that windows take (per field), the
    offsets, and the number of ticks.
    """

    values: Mapping[str, Floats]
    offsets: Ints
    counts: Ints


class Windows:
    """For each symbol of one partition, its last accepted ticks: `DEPTH` offsets, and the values that windows take.

    They are kept in several arrays with one row per symbol, right-aligned: the newest tick is in the last column.

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
        """Add the ticks of a batch, in log order; return the windows of each tick, in the order of the ticks."""
        return advance_together([self], ticks, [len(ticks)])

    @property
    def room(self) -> int:
        """How many symbols fit into the arrays at their current size."""
        return len(self._counts)

    def slots_of(self, symbols: list[str]) -> Ints:
        """The row of each symbol; a new symbol gets the next row."""
        found = places_of(symbols, self._slots)
        while len(self._slots) > len(self._counts):
            self._values = {name: _twice_as_long(rows) for name, rows in self._values.items()}
            self._offsets = _twice_as_long(self._offsets)
            self._counts = _twice_as_long(self._counts)
        return found

    def carried(self, rows: Ints) -> Carried:
        """The ticks in these rows."""
        return Carried(
            {name: each[rows] for name, each in self._values.items()}, self._offsets[rows], self._counts[rows]
        )

    def everything(self) -> tuple[list[str], Carried]:
        """All symbols, and the ticks of each."""
        return list(self._slots), self.carried(np.arange(len(self._slots)))

    def carry(self, rows: Ints, ticks: Carried) -> None:
        """Replace the ticks in these rows."""
        for name, values in ticks.values.items():
            self._values[name][rows] = values
        self._offsets[rows] = ticks.offsets
        self._counts[rows] = ticks.counts


def advance_together(parts: Sequence[Windows], ticks: TickBatch, counts: Sequence[int]) -> WindowView:
    """Add the ticks of several partitions: the first `counts[0]` of them to the first part, and so on. Return the
    windows of each tick, in the order of the ticks.

    The result is the same as that of `Windows.advance` on each part alone. With few ticks per partition, calling numpy
    costs more than its work, so the parts share the calls. All parts must have the same span.
    """
    # The rows of all parts are numbered consecutively: the rows of each part begin at its `first`.
    slots, firsts, begin, first = list[Ints](), list[int](), 0, 0
    for part, count in zip(parts, counts, strict=True):
        slots.append(part.slots_of(ticks.symbols[begin : begin + count]) + first)
        firsts.append(first)
        begin, first = begin + count, first + part.room
    places = np.concatenate(slots)
    order = np.argsort(places, kind="stable")
    touched, starts, news = np.unique(places[order], return_index=True, return_counts=True)
    borders = np.searchsorted(touched, firsts[1:])
    touched_of = np.split(touched, borders)
    known = [part.carried(touched_of[at] - firsts[at]) for at, part in enumerate(parts)]
    carried = np.concatenate([each.counts for each in known])
    place, row = np.empty_like(places), np.empty_like(places)
    place[order] = np.arange(len(places))
    row[order] = np.repeat(np.arange(len(touched)), news)
    batch = _Sorted(order, place, row, place - starts[row])
    values = {
        name: _windows(np.concatenate([each.values[name] for each in known]), getattr(ticks, TICK_COLUMNS[name]), batch)
        for name in DEPTHS
    }
    offsets: Ints = _windows(np.concatenate([each.offsets for each in known]), ticks.offsets, batch)
    newest = np.split(order[starts + news - 1], borders)
    totals = np.split(np.minimum(carried + news, DEPTH), borders)
    for at, part in enumerate(parts):
        last = newest[at]
        carried_on = {name: each[:, last].T for name, each in values.items()}
        part.carry(touched_of[at] - firsts[at], Carried(carried_on, offsets[:, last].T, totals[at]))
    # Cells before a symbol's first tick are 0; `available` masks them.
    available: Ints = carried[row] + batch.rank + 1
    return WindowView(values=values, lags=ticks.offsets - offsets, available=available, span=parts[0].span)


class _Sorted(NamedTuple):
    """A batch sorted by symbol: `order` sorts it; each tick has a place in that order, the row of its symbol, and a
    rank among the ticks of its symbol.
    """

    order: Ints
    place: Ints
    row: Ints
    rank: Ints


def _windows(before: Column, new: Column, batch: _Sorted) -> Column:
    """One column per tick: the last values of its symbol, with the tick's own value in the last row. `before` has one
    row per symbol, `new` one value per tick.
    """
    count, depth = before.shape
    lane = np.concatenate([before.ravel(), new[batch.order]])
    back = np.arange(depth - 1, -1, -1)[:, None]
    # `lane` has the carried ticks row by row, then the batch in sorted order. The value `back` ticks earlier is in the
    # batch or, if the batch has fewer ticks of the symbol before this one, at the end of the symbol's row.
    at = np.where(back <= batch.rank, count * depth + batch.place, (batch.row + 1) * depth + batch.rank) - back
    windows: Column = lane[at]
    return windows


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
