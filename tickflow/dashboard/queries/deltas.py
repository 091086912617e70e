"""Which rows a browser does not have yet."""

import numpy as np

from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries

OVERLAP_NS = 30 * 1_000_000_000
"""How far before the newest known row rows are read again: they may come late, or from a slower partition."""
GAPS = 10
MAX_READ = 5_000
"""The most rows per symbol that a refresh reads, whatever the browser sends."""


def end_of(latest: Points, symbol: str) -> int | None:
    """The time just after the symbol's newest point, in ns; `None` if it has none.

    Rows are read up to that time only. A later tick is left to the next refresh as a whole: otherwise the chart would
    show another price than the watch list.
    """
    return int(latest.time_ns[latest.symbol.index(symbol)]) + 1 if symbol in latest.symbol else None


def recent_rows(store: PageQueries, symbol: str, newest_us: int, until: int | None) -> Points | None:
    """The symbol's rows from 30 s before `newest_us` on, before `until`; at most the newest `MAX_READ`.

    `None` if these do not reach back to `newest_us`: then only a drawing of all rows would be right. Raises
    `StoreError`.
    """
    rows = store.points(symbol, newest_us * 1000 - OVERLAP_NS, until, MAX_READ)
    if len(rows) < MAX_READ:
        return rows
    rows = newest_rows(store, symbol, until)
    return rows if len(rows) and rows.time_ns[0] // 1000 <= newest_us else None


def newest_rows(store: PageQueries, symbol: str, until: int | None) -> Points:
    """The symbol's newest `MAX_READ` rows, except those from `until` on. Raises `StoreError`."""
    rows = store.newest(symbol, MAX_READ)
    return rows if until is None else rows.take(slice(0, int(np.searchsorted(rows.time_ns, until))))


def new_rows(rows: Points, cursors: dict[str, int], newest_us: int) -> Points | None:
    """The recent rows of a symbol that follow what is drawn up to `newest_us`, in time order.

    `cursors` has the highest drawn offset of each partition. `None` if a row belongs before what is drawn, or the log
    was created again: then only a drawing of all rows would be right.
    """
    above = rows.offset > [cursors.get(str(partition), -1) for partition in rows.partition]
    log_anew = ~above & (rows.time_ns // 1000 > newest_us)
    edge = rows.time_ns[~above & ~log_anew].max(initial=newest_us * 1000)
    late = above & (rows.time_ns < edge)
    if np.any(late | log_anew):
        return None
    return rows.take(np.flatnonzero(above))


def recent_gap(rows: Points) -> float | None:
    """The median seconds between the last ticks of `rows`; `None` for fewer than two ticks."""
    times = rows.time_ns[-GAPS - 1 :]
    return None if len(times) < 2 else round(float(np.median(np.diff(times))) / 1e9, 3)
