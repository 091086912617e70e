"""Small multiples: one small price chart per symbol, all on a common time axis.

The server sends only rows; the browser makes the charts (`assets/multiples.js`), since its width decides how many fit
side by side.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.arrays import Floats
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.drawing.pictures import sources
from tickflow.dashboard.queries import ranges
from tickflow.dashboard.queries.deltas import OVERLAP_NS, end_of, new_rows, recent_gap, recent_rows
from tickflow.dashboard.queries.view import Drawn, Multiple, View
from tickflow.dashboard.queries.watched import cursors_of
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries
from tickflow.store.digest import Outline

MAX_ROWS = 1_000
"""The maximum number of rows that are drawn per symbol at first; for a range with more rows, the store returns its
outline, which includes all anomalies.
"""
MAX_ADDED = 3_000
"""The maximum number of rows that refreshes add to a chart; after that, everything is redrawn."""
MAX_MARKS = 10_000
"""The maximum number of marks in all charts combined."""

Answer = dict[str, Any]


def draw(store: PageQueries, view: View, latest: Points) -> tuple[list[Answer], list[Multiple]]:
    """The rows of each chosen symbol, in the range that ends at the newest point of any of them, and the state to keep.

    Raises `StoreError`.
    """
    newest = dict(zip(latest.symbol, range(len(latest)), strict=True))
    last = [int(latest.time_ns[newest[symbol]]) for symbol in view["symbols"] if symbol in newest]
    if not last:
        return [{"symbol": symbol, "x": [], "y": [], "marks": [], "sources": []} for symbol in view["symbols"]], []
    begin, end = ranges.start(view["range"], max(last)), max(last) + 1
    if view["period"]:
        begin, end = (clock.utc_ns(bound) for bound in view["period"])
    rows, drawn = [], []
    for symbol in view["symbols"]:
        until = end if view["period"] else end_of(latest, symbol) or begin
        row, multiple = _one(store, symbol, begin, until, MAX_MARKS // len(view["symbols"]), bool(view["period"]))
        if left_out := store.sources_left_out(symbol):
            row["sources_left_out"] = left_out
        rows.append(row)
        drawn.append(multiple)
    return rows, drawn


def offsets(rows: list[Answer], drawn: list[Multiple]) -> list[tuple[float, int]]:
    """The offsets to UTC for the time range of all charts (see `clock.offsets`); empty if the charts are empty."""
    begins = [clock.utc_ns(row["x"][0]) for row in rows if len(row["x"])]
    return clock.offsets(min(begins), max(each["newest_us"] for each in drawn) * 1000) if begins else []


def further(store: PageQueries, drawn: Drawn, latest: Points) -> Answer:
    """What a refresh adds to the charts: nothing, new rows of some symbols, or a complete redraw.

    Raises `StoreError`.
    """
    if not drawn.get("symbols") or drawn["paused"] or drawn["period"]:
        return {}
    if not drawn["multiples"]:
        return {"rebuild": True} if set(drawn["symbols"]) & set(latest.symbol) else {}
    came = {
        symbol: (str(partition), offset)
        for symbol, partition, offset in zip(
            latest.symbol, latest.partition.tolist(), latest.offset.tolist(), strict=True
        )
    }
    news: list[Answer] = []
    known: list[Multiple] = []
    for each in drawn["multiples"]:
        partition, offset = came.get(each["symbol"], ("", -1))
        if offset == each["cursors"].get(partition, -1):
            known.append(each)
            continue
        rows = recent_rows(store, each["symbol"], each["newest_us"], end_of(latest, each["symbol"]))
        new = None if rows is None else new_rows(rows, each["cursors"], each["newest_us"])
        if rows is None or new is None or len(new) > each["room"]:
            return {"rebuild": True}
        if not len(new):
            known.append(each)
            continue
        news.append(_sent(each["symbol"], new, MAX_ADDED))
        known.append(
            Multiple(
                symbol=each["symbol"],
                cursors=cursors_of(new, each["cursors"]),
                newest_us=int(new.time_ns[-1]) // 1000,
                count=min(DEPTH, each["count"] + len(new)),
                gap_s=recent_gap(rows) if len(rows) > 2 else each["gap_s"],
                room=each["room"] - len(new),
            )
        )
    return {"multiples": {"rows": news, "drawn": known}} if news else {}


def _one(store: PageQueries, symbol: str, begin: int, end: int, marks: int, is_period: bool) -> tuple[Answer, Multiple]:
    """A symbol's chart in [`begin`, `end`), and its state; the tick interval is measured over the newest
    ticks.
    """
    recent = store.newest(symbol, MAX_ROWS)
    are_all = len(recent) < MAX_ROWS or recent.time_ns[0] <= begin
    before = recent.take(slice(0, int(np.searchsorted(recent.time_ns, end))))
    shown: Points | Outline = before.take(slice(int(np.searchsorted(before.time_ns, begin)), None))
    recent = recent if is_period else before
    if not are_all:
        shown = store.outline(symbol, begin, end, MAX_ROWS // 2)
    overlapping = recent.take(np.flatnonzero(recent.time_ns >= (recent.time_ns[-1] if len(recent) else 0) - OVERLAP_NS))
    multiple = Multiple(
        symbol=symbol,
        cursors=cursors_of(overlapping, {}),
        newest_us=int(recent.time_ns[-1]) // 1000 if len(recent) else begin // 1000,
        count=min(DEPTH, len(recent)),
        gap_s=recent_gap(recent),
        room=MAX_ADDED,
    )
    return _sent(symbol, shown, marks), multiple


def _sent(symbol: str, rows: Points | Outline, most: int) -> Answer:
    """Rows for the browser; `marks` are [wall-clock ms, price] of at most `most` anomalies.

    `sources` lists each change of source: its time, and the name of the new source.
    """
    time_ms = clock.wall_ms(rows.time_ns)
    at = np.flatnonzero(rows.is_anomaly)
    at = at[_spread(time_ms[at], rows.price[at], most)]
    marks = np.stack([time_ms[at], rows.price[at]], axis=1).tolist()
    return {"symbol": symbol, "x": time_ms, "y": rows.price, "marks": marks, "sources": sources(rows)}


def _spread(time: Floats, price: Floats, most: int) -> npt.NDArray[np.int64]:
    """The indexes of at most `most` marks, spread over time: the highest and the lowest of each of several equal steps.

    >>> _spread(np.arange(6.0), np.array([1.0, 3.0, 2.0, 5.0, 6.0, 4.0]), 4).tolist()
    [0, 1, 4, 5]
    """
    if len(time) <= most:
        return np.arange(len(time))
    step = ((time - time[0]) / (time[-1] - time[0] + 1) * (most // 2)).astype(np.int64)
    begins = np.flatnonzero(np.diff(step, prepend=-1))
    ends = np.append(begins[1:], len(step)) - 1
    by_price = np.lexsort((price, step))
    return np.unique(np.concatenate([by_price[begins], by_price[ends]]))
