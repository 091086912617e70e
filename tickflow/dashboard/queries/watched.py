"""The rows of the watch list whose last tick a browser does not have yet."""

from typing import Any

import numpy as np

from tickflow.dashboard.drawing import clock
from tickflow.dashboard.drawing.traces import OVERVIEW
from tickflow.dashboard.queries import hours, ranges
from tickflow.dashboard.queries.deltas import OVERLAP_NS
from tickflow.dashboard.queries.view import Drawn
from tickflow.metrics.fields import Field, Unit
from tickflow.metrics.points import Points
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.base import PageQueries

TREND_STEPS = 24
"""How many points a sparkline has."""
NEWEST = "newest_us"
"""The key, beside those of the partitions, for the newest event time that was sent."""

Answer = dict[str, Any]


def watch(
    store: PageQueries, latest: Points, watched: dict[str, int], drawn: Drawn, sessions: Sessions = NEW_YORK
) -> Answer:
    """The rows of the watch list with a tick that is newer than `watched`, and the cursors up to which the list is then
    complete.

    Every symbol's change counts from the same moment, whichever symbol is drawn: the start of the range that ends at
    the newest tick of any symbol, or the start of the period. For the range of a day it is the
    previous close (the row's `since` is then `close`), except for symbols without one.
    """
    restarted = any(offset < watched.get(partition, -1) for partition, offset in cursors_of(latest, {}).items())
    cursors = {} if restarted else watched
    partitions, which = np.unique(latest.partition, return_inverse=True)
    known = np.array([cursors.get(str(partition), -1) for partition in partitions], dtype=np.int64)
    is_new, time_us, sent_us = latest.offset > known[which], latest.time_ns // 1000, cursors.get(NEWEST, 0)
    if np.any(~is_new & (time_us > sent_us)):
        # The log was created again, while a symbol that no longer ticks still has a high offset of the old log.
        is_new |= time_us > sent_us - OVERLAP_NS // 1000
    changed = latest.take(np.flatnonzero(is_new))
    if not len(changed):
        return {"rows": [], "cursors": cursors}
    newest = int(latest.time_ns.max())
    begin = ranges.start(drawn["range"], newest)
    if drawn["period"]:
        begin, end = (clock.utc_ns(bound) for bound in drawn["period"])
        newest = max(begin, min(newest, end - 1_001))
    names = changed.symbol if len(changed) < len(latest) else None
    first = store.first_prices(begin, names)
    closed = {}
    if drawn["range"] == "1d" and not drawn["period"]:
        closed = hours.closes(store, sessions, latest, names)
        first |= closed
    rows = [
        {
            "symbol": symbol,
            "price": price,
            "change": round(100 * (price / first[symbol] - 1), 4) if symbol in first else None,
            "event_us": time_ns // 1000,
            "source": source,
            "since": "close" if symbol in closed else "range",
        }
        for symbol, source, time_ns, price in zip(
            changed.symbol, changed.source, changed.time_ns.tolist(), changed.price.tolist(), strict=True
        )
    ]
    if drawn["overview"]:
        _add_measures(rows, changed, store.anomaly_counts(begin, names))
    sent = cursors_of(changed, cursors) | {NEWEST: max(sent_us, int(changed.time_ns.max()) // 1000)}
    answer: Answer = {"rows": rows, "cursors": sent}
    if not cursors:
        begin = begin or min(drawn["first_us"] * 1000, newest) or newest
        _add_trends(store, answer, begin, max(begin, newest))
    return answer


def _add_measures(rows: list[dict[str, Any]], points: Points, anomalies: dict[str, int]) -> None:
    """The further columns of the overview; volume as a multiple of its average."""
    for each in OVERVIEW:
        for row, value in zip(rows, getattr(points, each.name).tolist(), strict=True):
            row[each.overview] = _rounded(value, each)
    for row, volatility in zip(rows, points.volatility.tolist(), strict=True):
        row["volatility_share"] = float(f"{100 * volatility / row['price']:.5g}") if volatility == volatility else None
    for row, volume, average in zip(rows, points.volume.tolist(), points.vol_avg_10.tolist(), strict=True):
        row["volume_ratio"] = round(volume / average, 2) if average > 0 else None
        row["anomalies"] = anomalies.get(row["symbol"], 0)


def _rounded(value: float, field: Field) -> float:
    if field.tick is not None:
        return value
    return round(value, field.digits) if field.unit is Unit.DEVIATIONS else float(f"{value:.5g}")


def _add_trends(store: PageQueries, answer: Answer, begin: int, newest: int) -> None:
    """The trend of each price over the range; the browser continues it by itself, one step per `step_us`."""
    trends = store.trends(begin, newest + 1000, TREND_STEPS)  # `newest` may be truncated to the microsecond
    for row in answer["rows"]:
        row["trend"] = [float(f"{price:.6g}") for price in trends.get(row["symbol"], [])]
    answer["step_us"] = max(1, (newest - begin) // 1000 // TREND_STEPS)


def cursors_of(rows: Points, before: dict[str, int]) -> dict[str, int]:
    """By partition, the highest offset of `before` and of these rows."""
    cursors = dict(before)
    for partition in np.unique(rows.partition):
        offset = int(rows.offset[rows.partition == partition].max())
        cursors[str(partition)] = max(offset, cursors.get(str(partition), -1))
    return cursors
