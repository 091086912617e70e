"""The rows of the watch list whose last tick a browser does not have yet."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tickflow.dashboard.drawing import clock
from tickflow.dashboard.drawing.traces import OVERVIEW
from tickflow.dashboard.queries import hours, ranges
from tickflow.dashboard.queries.alerts import MANY
from tickflow.dashboard.queries.background import Background, both
from tickflow.dashboard.queries.deltas import OVERLAP_NS
from tickflow.dashboard.queries.view import Drawn
from tickflow.dashboard.rationed import MOST_SHOWN
from tickflow.metrics.fields import Field, Unit
from tickflow.metrics.points import Points
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.base import PageQueries

MOST_BYTES = 1_350_000
ROW_BYTES, OVERVIEW_ROW_BYTES = 116, 460
"""The maximum number of bytes that a row takes in an answer, besides its names."""
TREND_STEPS = 24
"""How many points a sparkline has."""
MOST_TRENDS = 2_000
"""With more symbols than this, the first answer has no trends, which would take most of its time: 3.0 of 3.5 s for
20,000 symbols in the embedded file. The sparklines then begin with the next ticks.
"""
NEWEST = "newest_us"
"""The key, besides those of the partitions, for the newest event time that was sent."""

Answer = dict[str, Any]


class _Prices(NamedTuple):
    """Prices by symbol: the first in the range or period, the previous close, and, in a period, the last."""

    first: dict[str, float]
    closes: dict[str, float]
    ends: dict[str, float]


def watch(
    store: PageQueries,
    latest: Points,
    watched: dict[str, int],
    drawn: Drawn,
    sessions: Sessions = NEW_YORK,
    background: Background | None = None,
) -> Answer:
    """The rows of the watch list that have a tick newer than `watched`, and the cursors up to which the list is
    complete with them.

    Every symbol's change counts from the same moment, whichever symbol is drawn: the start of the range that ends at
    the newest tick of any symbol. For the range of one day, the change counts from the previous close (the row's
    `since` is then `close`), except for symbols without one. In a period (`since` is then `period`), price and change
    are those at its end, and `None` for a symbol without a tick in it.

    If there are too many symbols, only the first are listed, and `more` is the number of the others (-1: not known
    yet). With many symbols there are no trends, and changes may be half a minute old.
    """
    is_long = len(latest) > MANY
    shown = min(MOST_SHOWN, _fitting(latest, drawn["overview"]))
    more = _more(store, len(latest), shown, background)
    latest = latest.take(slice(0, shown)) if len(latest) > shown else latest
    restarted = any(offset < watched.get(partition, -1) for partition, offset in cursors_of(latest, {}).items())
    cursors = {} if restarted else watched
    partitions, which = np.unique(latest.partition, return_inverse=True)
    known = np.array([cursors.get(str(partition), -1) for partition in partitions], dtype=np.int64)
    is_new, time_us, sent_us = latest.offset > known[which], latest.time_ns // 1000, cursors.get(NEWEST, 0)
    if np.any(~is_new & (time_us > sent_us)):
        # The log was recreated, while a symbol without new ticks still has a high offset from the old log.
        is_new |= time_us > sent_us - OVERLAP_NS // 1000
    changed = latest.take(np.flatnonzero(is_new))
    if not len(changed):
        return {"rows": [], "cursors": cursors, **more}
    newest = int(latest.time_ns.max())
    begin, end = ranges.start(drawn["range"], newest), newest + 1
    if drawn["period"]:
        begin, end = (clock.utc_ns(bound) for bound in drawn["period"])
        newest = max(begin, min(newest, end - 1_001))
    names = latest.symbol if is_long else changed.symbol if len(changed) < len(latest) else None
    counts: dict[str, int] = {}

    def ask_others(first: dict[str, float]) -> _Prices:
        if drawn["period"]:
            return _Prices(first, {}, store.last_prices(begin, end, names))
        return _Prices(first, hours.closes(store, sessions, latest, names) if drawn["range"] == "1d" else {}, {})

    def ask_prices() -> _Prices:
        return ask_others(store.first_prices(begin, names))

    if is_long and background is not None:
        part = drawn["range"], *(drawn["period"] or ())
        prices = background.last(("prices", part), ask_prices, _Prices({}, {}, {}))
        if drawn["overview"]:
            counts = background.last(("anomalies", part), partial(store.anomaly_counts, begin, names), counts)
    elif drawn["overview"] and (drawn["period"] or drawn["range"] == "1d"):
        prices, counts = both(ask_prices, partial(store.anomaly_counts, begin, names))
    elif drawn["overview"]:
        first, counts = store.first_prices_and_counts(begin, names)
        prices = ask_others(first)
    else:
        prices = ask_prices()
    first = prices.first | prices.closes
    rows = []
    for symbol, source, time_ns, newest_price in zip(
        changed.symbol, changed.source, changed.time_ns.tolist(), changed.price.tolist(), strict=True
    ):
        price = prices.ends.get(symbol) if drawn["period"] else newest_price
        rows.append(
            {
                "symbol": symbol,
                "price": price,
                "change": None if price is None or symbol not in first else round(100 * (price / first[symbol] - 1), 4),
                "event_us": time_ns // 1000,
                "source": source,
                "since": "period" if drawn["period"] else "close" if symbol in prices.closes else "range",
            }
        )
    if drawn["overview"]:
        _add_measures(rows, changed, counts)
    sent = cursors_of(changed, cursors) | {NEWEST: max(sent_us, int(changed.time_ns.max()) // 1000)}
    answer: Answer = {"rows": rows, "cursors": sent, **more}
    if not cursors and not is_long:
        begin = begin or min(drawn["first_us"] * 1000, newest) or newest
        _add_trends(store, answer, begin, max(begin, newest))
    return answer


def _fitting(latest: Points, overview: bool) -> int:
    """How many rows fit into an answer."""
    longest = max(map(len, latest.symbol), default=0) + max(map(len, latest.source), default=0)
    return MOST_BYTES // ((OVERVIEW_ROW_BYTES if overview else ROW_BYTES) + longest)


def _more(store: PageQueries, known: int, shown: int, background: Background | None) -> Answer:
    """How many symbols the list leaves out, if any."""
    if known < MOST_SHOWN:
        return {"more": known - shown} if known > shown else {}
    stored = store.symbol_count() if background is None else background.last("symbols", store.symbol_count, 0)
    if stored:
        return {"more": stored - shown} if stored > shown else {}
    return {"more": -1}


def _add_measures(rows: list[dict[str, Any]], points: Points, anomalies: dict[str, int]) -> None:
    """Add the other columns of the overview to the rows; volume is given as a multiple of its average."""
    for each in OVERVIEW:
        for row, value in zip(rows, getattr(points, each.name).tolist(), strict=True):
            row[each.overview] = _rounded(value, each)
    for row, volatility, price in zip(rows, points.volatility.tolist(), points.price.tolist(), strict=True):
        row["volatility_share"] = float(f"{100 * volatility / price:.5g}") if volatility == volatility else None
    for row, volume, average in zip(rows, points.volume.tolist(), points.vol_avg_10.tolist(), strict=True):
        row["volume_ratio"] = round(volume / average, 2) if average > 0 else None
        row["anomalies"] = anomalies.get(row["symbol"], 0)


def _rounded(value: float, field: Field) -> float:
    if field.tick is not None:
        return value
    return round(value, field.digits) if field.unit is Unit.DEVIATIONS else float(f"{value:.5g}")


def _add_trends(store: PageQueries, answer: Answer, begin: int, newest: int) -> None:
    """Add the trend of each price over the range; the browser itself continues it, with one step per `step_us`."""
    if len(answer["rows"]) <= MOST_TRENDS:
        trends = store.trends(begin, newest + 1000, TREND_STEPS)  # `newest` may be truncated to the microsecond
        for row in answer["rows"]:
            row["trend"] = [float(f"{price:.6g}") for price in trends.get(row["symbol"], [])]
    answer["step_us"] = max(1, (newest - begin) // 1000 // TREND_STEPS)


def cursors_of(rows: Points, before: dict[str, int]) -> dict[str, int]:
    """For each partition, the highest offset in `before` or in these rows."""
    cursors = dict(before)
    for partition in np.unique(rows.partition):
        offset = int(rows.offset[rows.partition == partition].max())
        cursors[str(partition)] = max(offset, cursors.get(str(partition), -1))
    return cursors
