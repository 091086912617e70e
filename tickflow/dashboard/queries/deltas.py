"""Which rows a browser does not have yet."""

import numpy as np

from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries

OVERLAP_NS = 30 * 1_000_000_000
"""So far before what is known rows are read again: they may have come late, or from a slower partition."""
GAPS = 10
MAX_READ = 5_000
"""Rows that a refresh reads of a symbol: what a browser says of its newest row must not decide how many those are."""


def end_of(latest: Points, symbol: str) -> int | None:
    """Right after the symbol's newest point, in ns; `None` if it has none.

    What is read after `latest` is read up to there. A later tick is left to the next refresh, as a whole: else the
    chart would say another price than the watch list.
    """
    return int(latest.time_ns[latest.symbol.index(symbol)]) + 1 if symbol in latest.symbol else None


def recent_rows(store: PageQueries, symbol: str, newest_us: int, until: int | None) -> Points | None:
    """The symbol's rows from 30 s before `newest_us` on, before `until`: the newest `MAX_READ`, if they are more.

    `None`: those do not reach back to `newest_us`, so that only a drawing of all rows would be right. Raises
    `StoreError`.
    """
    rows = store.points(symbol, newest_us * 1000 - OVERLAP_NS, until, MAX_READ)
    if len(rows) < MAX_READ:
        return rows
    rows = newest_rows(store, symbol, until)
    return rows if len(rows) and rows.time_ns[0] // 1000 <= newest_us else None


def newest_rows(store: PageQueries, symbol: str, until: int | None) -> Points:
    """The symbol's newest `MAX_READ` rows, without those from `until` on. Raises `StoreError`."""
    rows = store.newest(symbol, MAX_READ)
    return rows if until is None else rows.take(slice(0, int(np.searchsorted(rows.time_ns, until))))


def new_rows(rows: Points, cursors: dict[str, int], newest_us: int) -> Points | None:
    """Those of a symbol's recent rows that belong after what is drawn up to `newest_us`, in the order of time.

    `cursors` has the highest offset drawn of each partition. `None`: one belongs before what is drawn, or the log
    began anew, so that only a drawing of all rows would be right.
    """
    above = rows.offset > [cursors.get(str(partition), -1) for partition in rows.partition]
    log_anew = ~above & (rows.time_ns // 1000 > newest_us)
    edge = rows.time_ns[~above & ~log_anew].max(initial=newest_us * 1000)
    late = above & (rows.time_ns < edge)
    if np.any(late | log_anew):
        return None
    return rows.take(np.flatnonzero(above))


def recent_gap(rows: Points) -> float | None:
    """The median seconds between the last ticks of `rows`, `None` when there are not two."""
    times = rows.time_ns[-GAPS - 1 :]
    return None if len(times) < 2 else round(float(np.median(np.diff(times))) / 1e9, 3)
