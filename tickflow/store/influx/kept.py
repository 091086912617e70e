"""Columns of past hours that the page keeps in memory, so that InfluxDB summarises a month once instead of at each
read.

InfluxDB counts the points of a month in 0.2 s, and takes 4 s to find the range of each measure. So each read counts
the points per hour, and reads only the hours whose count has changed. A point that is rewritten with different values
does not change the count. The page shows the new values when the hour is read again: after a restart of the page, or
after the hour was dropped from memory.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

import numpy as np

from tickflow.store.influx.series import Series
from tickflow.store.pixels import MEASURES, PLAIN, Pixels, combined, joined, level_for

BLOCK_NS = 3_600 * 10**9
LEAST_BLOCKS = 6
"""A time range with fewer whole hours than this is read directly."""
TOGETHER = 48
"""The maximum number of hours in one request. The columns of a finished request are kept, even if the next request
takes too long.
"""
MOST_COLUMNS = 400_000
"""The maximum number of columns that are kept for all symbols together: about 75 MB."""

Read = Callable[[Series, int, int, int], Pixels]
Counts = Callable[[Series, int, int, int], dict[int, int]]


class Kept:
    """Reads columns, and keeps those of past hours in memory. Thread-safe.

    `read` returns a symbol's columns for a time range and a width; `counts` returns how many points the symbol has in
    each step.
    """

    def __init__(self, read: Read, counts: Counts, most_columns: int = MOST_COLUMNS) -> None:
        self._read = read
        self._counts = counts
        self._most = most_columns
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[Series, int, int], Pixels] = OrderedDict()
        self._columns = 0

    def pixels(self, series: Series, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """The symbol's points in [`since_ns`, `until_ns`), in columns `width_ns` wide. Raises `StoreError`."""
        level = level_for(width_ns)
        first, end = -(-since_ns // BLOCK_NS), until_ns // BLOCK_NS
        if level is None or end - first < LEAST_BLOCKS:
            return self._read(series, since_ns, until_ns, width_ns)
        counted = self._counts(series, first * BLOCK_NS, end * BLOCK_NS, BLOCK_NS)
        counts = {time_ns // BLOCK_NS: count for time_ns, count in counted.items() if count}
        parts = []
        missing = []
        for block, count in counts.items():
            kept = self._kept(series, level, block, count)
            if kept is None:
                missing.append(block)
            else:
                parts.append(kept)
        for begin, after in runs(sorted(missing)):
            found = self._read(series, begin * BLOCK_NS, after * BLOCK_NS, level)
            parts.append(found)
            self._keep(series, level, found)
        parts.append(self._read(series, since_ns, first * BLOCK_NS, level))
        parts.append(self._read(series, end * BLOCK_NS, until_ns, level))
        return combined(joined([part for part in parts if len(part)]), width_ns)

    def _kept(self, series: Series, level: int, block: int, count: int) -> Pixels | None:
        with self._lock:
            found = self._blocks.get((series, level, block))
            if found is None or int(found.ticks.sum()) != count:
                return None
            self._blocks.move_to_end((series, level, block))
            return found

    def _keep(self, series: Series, level: int, found: Pixels) -> None:
        of_block = found.time_ns // BLOCK_NS
        with self._lock:
            for block in np.unique(of_block).tolist():
                before = self._blocks.pop((series, level, block), None)
                self._columns -= 0 if before is None else len(before)
                rows = slice(*np.searchsorted(of_block, [block, block + 1]).tolist())
                self._blocks[series, level, block] = _part(found, rows)
                self._columns += rows.stop - rows.start
            while self._columns > self._most and self._blocks:
                _, old = self._blocks.popitem(last=False)
                self._columns -= len(old)


def runs(blocks: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges (from, before) of consecutive numbers that cover `blocks`, none longer than `TOGETHER`.

    >>> list(runs([1, 2, 3, 7]))
    [(1, 4), (7, 8)]
    """
    for _, group in itertools.groupby(enumerate(blocks), key=lambda each: each[1] - each[0]):
        members = [block for _, block in group]
        for at in range(0, len(members), TOGETHER):
            some = members[at : at + TOGETHER]
            yield some[0], some[-1] + 1


def _part(found: Pixels, rows: slice) -> Pixels:
    plain = {name: getattr(found, name)[rows].copy() for name in PLAIN}
    lows, highs = ({name: side[name][rows].copy() for name in MEASURES} for side in (found.lows, found.highs))
    return Pixels(**plain, lows=lows, highs=highs)
