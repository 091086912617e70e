"""Which rows a browser does not have yet."""

import numpy as np

from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries

OVERLAP_NS = 30 * 1_000_000_000
"""Rows are read again from this long before the newest known row: some may arrive late, or from a slower partition."""
GAPS = 10
MAX_READ = 5_000
"""The maximum number of rows per symbol that a refresh reads, regardless of what the browser sends."""


def end_of(latest: Points, symbol: str) -> int | None:
    """The time just after the symbol's newest point, in ns; `None` if it has none.

    Rows are read up to this time only, and a later tick is left entirely to the next refresh: otherwise the chart would
    show a different price than the watch list.
    """
    return int(latest.time_ns[latest.symbol.index(symbol)]) + 1 if symbol in latest.symbol else None


def recent_rows(store: PageQueries, symbol: str, newest_us: int, until: int | None) -> Points | None:
    """The symbol's rows from 30 s before `newest_us` until just before `until`; at most the newest `MAX_READ`.

    `None` if these do not reach back to `newest_us`: then everything must be redrawn. Raises `StoreError`.
    """
    rows = store.points(symbol, newest_us * 1000 - OVERLAP_NS, until, MAX_READ)
    if len(rows) < MAX_READ:
        return rows
    rows = newest_rows(store, symbol, until)
    return rows if len(rows) and rows.time_ns[0] // 1000 <= newest_us else None


def newest_rows(store: PageQueries, symbol: str, until: int | None) -> Points:
    """The symbol's newest `MAX_READ` rows, except those at or after `until`. Raises `StoreError`."""
    rows = store.newest(symbol, MAX_READ)
    return rows if until is None else rows.take(slice(0, int(np.searchsorted(rows.time_ns, until))))


def new_rows(rows: Points, cursors: dict[str, int], newest_us: int) -> Points | None:
    """The recent rows of a symbol that are not drawn yet, in time order; the drawing reaches up to `newest_us`.

    `cursors` has the highest drawn offset of each partition. `None` if a row belongs before drawn ones, or the log was
    recreated: then everything must be redrawn.
    """
    above = rows.offset > [cursors.get(str(partition), -1) for partition in rows.partition]
    log_anew = ~above & (rows.time_ns // 1000 > newest_us)
    edge = rows.time_ns[~above & ~log_anew].max(initial=newest_us * 1000)
    late = above & (rows.time_ns < edge)
    if np.any(late | log_anew):
        return None
    return rows.take(np.flatnonzero(above))


def recent_gap(rows: Points) -> float | None:
    """The median time between the last ticks of `rows`, in seconds; `None` for fewer than two ticks."""
    times = rows.time_ns[-GAPS - 1 :]
    return None if len(times) < 2 else round(float(np.median(np.diff(times))) / 1e9, 3)
