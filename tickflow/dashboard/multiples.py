"""Small multiples: the prices of several symbols, a small chart each on one time axis.

The server sends rows alone; the browser makes the charts of them (`assets/multiples.js`), since how many stand beside
one another depends on its width.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.dashboard import clock, ranges
from tickflow.dashboard.deltas import OVERLAP_NS, new_rows, recent_gap
from tickflow.dashboard.thin import thin
from tickflow.dashboard.view import Drawn, Multiple, View
from tickflow.dashboard.watched import cursors_of
from tickflow.points import Points
from tickflow.store.base import Candles, MetricsStore
from tickflow.windows import DEPTH

READ_ROWS = 2_000
"""Rows read of a symbol one by one; of a range with more, its store makes candles."""
MAX_ROWS = 1_000
"""Rows drawn of a symbol at first."""
MAX_DRAWN = 4_000
"""Rows drawn of a symbol after many refreshes; above, all is drawn anew."""
CANDLES = MAX_ROWS // 4
MAX_ANOMALIES = 1_000
HOUR_NS = 60 * ranges.MINUTE_NS

Answer = dict[str, Any]
Floats = npt.NDArray[np.float64]


def draw(store: MetricsStore, view: View, latest: Points) -> tuple[list[Answer], list[Multiple]]:
    """The rows of each chosen symbol in the range that ends at the newest point of them all, and up to where they go.

    Raises `StoreError`.
    """
    newest = dict(zip(latest.symbol, range(len(latest)), strict=True))
    last = [int(latest.time_ns[newest[symbol]]) for symbol in view["symbols"] if symbol in newest]
    if not last:
        return [{"symbol": symbol, "x": [], "y": [], "marks": []} for symbol in view["symbols"]], []
    begin, end = ranges.start(view["range"], max(last)), max(last) + 1
    if view["period"]:
        begin, end = (clock.utc_ns(bound) for bound in view["period"])
    anomalies = store.anomalies(begin, MAX_ANOMALIES)
    rows, drawn = [], []
    for symbol in view["symbols"]:
        row, multiple = _one(store, symbol, begin, end, anomalies)
        rows.append(row)
        drawn.append(multiple)
    return rows, drawn


def further(store: MetricsStore, drawn: Drawn, latest: Points) -> Answer:
    """What a refresh adds to the charts: nothing, the new rows of the symbols that have some, or a drawing of all.

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
        rows = store.points(each["symbol"], each["newest_us"] * 1000 - OVERLAP_NS)
        new = new_rows(rows, each["cursors"], each["newest_us"])
        if new is None or each["rows"] + len(new) > MAX_DRAWN:
            return {"rebuild": True}
        if not len(new):
            known.append(each)
            continue
        news.append(_told(each["symbol"], new, new))
        known.append(
            Multiple(
                symbol=each["symbol"],
                cursors=cursors_of(new, each["cursors"]),
                newest_us=int(new.time_ns[-1]) // 1000,
                count=min(DEPTH, each["count"] + len(new)),
                gap_s=recent_gap(rows) if len(rows) > 2 else each["gap_s"],
                rows=each["rows"] + len(new),
            )
        )
    return {"multiples": {"rows": news, "drawn": known}} if news else {}


def _one(store: MetricsStore, symbol: str, begin: int, end: int, anomalies: Points) -> tuple[Answer, Multiple]:
    recent = store.newest(symbol, READ_ROWS)
    inside = np.flatnonzero((recent.time_ns >= begin) & (recent.time_ns < end))
    if len(recent) == READ_ROWS and recent.time_ns[0] > begin:
        candles = _candles(store, symbol, begin, end)
        x, y = course(candles, float(clock.wall_ms(recent.time_ns[-1:])[0]))
        marked = anomalies.take([i for i, each in enumerate(anomalies.symbol) if each == symbol])
        marked = marked.take(np.flatnonzero(marked.time_ns < end))
        answer = _told(symbol, recent.take([]), marked) | {"x": x, "y": y}
    else:
        rows = recent.take(inside)
        answer = _told(symbol, thin(rows, MAX_ROWS)[0], rows)
    overlapping = recent.take(np.flatnonzero(recent.time_ns >= (recent.time_ns[-1] if len(recent) else 0) - OVERLAP_NS))
    multiple = Multiple(
        symbol=symbol,
        cursors=cursors_of(overlapping, {}),
        newest_us=int(recent.time_ns[-1]) // 1000 if len(recent) else begin // 1000,
        count=min(DEPTH, len(recent)),
        gap_s=recent_gap(recent),
        rows=len(answer["x"]),
    )
    return answer, multiple


def _candles(store: MetricsStore, symbol: str, begin: int, end: int) -> Candles:
    """At most about `CANDLES` of the symbol from `begin` on, or from its first point where that comes later."""
    if not begin:
        hours = store.candles(symbol, 0, end, HOUR_NS)
        begin = int(hours.time_ns[0]) if len(hours) else end - 1
    return store.candles(symbol, begin, end, max(1_000_000, (end - begin) // CANDLES // 1_000_000 * 1_000_000))


def course(candles: Candles, last_ms: float) -> tuple[Floats, Floats]:
    """Candles as a line through the first, lowest, highest and last price of each, which ends by `last_ms`.

    Where in a candle its extremes lie is not known; a candle is less than a pixel or two wide.
    """
    if not len(candles):
        return np.empty(0), np.empty(0)
    time = clock.wall_ms(candles.time_ns)
    width = float(np.diff(time).min()) if len(time) > 1 else 0.0
    rising = candles.close >= candles.open
    steps = (
        candles.open,
        np.where(rising, candles.low, candles.high),
        np.where(rising, candles.high, candles.low),
        candles.close,
    )
    x = np.minimum((time[:, None] + width * np.array([0.0, 0.25, 0.5, 0.75])).ravel(), last_ms)
    return x, np.stack(steps, axis=1).ravel()


def _told(symbol: str, rows: Points, anomalies: Points) -> Answer:
    """Rows as the browser gets them; `marks` are [wall-clock ms, price] of each anomaly."""
    at = np.flatnonzero(anomalies.is_anomaly)
    marks: Sequence[Sequence[float]] = np.stack(
        [clock.wall_ms(anomalies.time_ns[at]), anomalies.price[at]], axis=1
    ).tolist()
    return {"symbol": symbol, "x": clock.wall_ms(rows.time_ns), "y": rows.price, "marks": marks}
