"""The logic of the callbacks, as plain functions: `draw` answers a view with a whole figure, `refresh` with what is
new.

A browser keeps `Drawn`, small and plain, and sends it with each refresh. So the server stores nothing per reader, and
any number of servers could answer.

Deltas lose no point: the browser has one cursor per partition, the highest offset drawn. A refresh reads from 30 s
before the newest drawn time and sends the rows above their partition's cursor. The figure is drawn again where an
extension at the right end would be wrong or too large: for a row that belongs before what is drawn, for a log that was
created again, for more rows than an extension should carry, and when a figure has grown too large.
"""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from tickflow.dashboard.drawing import clock, figures, multiples
from tickflow.dashboard.queries import ranges
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.deltas import OVERLAP_NS, end_of, new_rows, newest_rows, recent_gap, recent_rows
from tickflow.dashboard.queries.state import State, state_of
from tickflow.dashboard.queries.view import Drawn, View, chosen, nothing_drawn
from tickflow.dashboard.queries.watched import cursors_of, watch
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.points import Points
from tickflow.sources.new_york import is_open
from tickflow.store.base import MetricsStore, PageQueries
from tickflow.store.digest import Digest

FIRST_ROWS = 2_000
"""A range with at most this many rows is read in one go."""
MAX_DRAWN = 5_000
"""The most rows drawn; for a range with more, the store gives the digest."""
MAX_EXTENDED = 5_000
"""The most rows by which a figure is extended; beyond that, it is drawn again."""
MAX_DELTA = 1_000
LIVE_SOURCE = "alpha_vantage"

Answer = dict[str, Any]


def draw(
    store: MetricsStore, view: object, *, identity: str, threshold: float, now_ns: int, board: Board | None = None
) -> Answer:
    """The whole answer to a view: the figure, what it shows, the whole watch list, all alerts, and the state.

    Raises `StoreError`.
    """
    wanted = chosen(view)
    latest = store.latest()
    if wanted["symbol"] is None and len(latest):
        wanted["symbol"] = latest.symbol[0]
    symbol = wanted["symbol"]
    drawn = nothing_drawn(identity, wanted)
    shown, recent = (
        _window(store, symbol, wanted, end_of(latest, symbol)) if symbol else (_whole(latest.take([])), latest)
    )
    rows = shown.points
    candles = None
    if len(rows) and symbol:
        drawn = _drawn_of(drawn, shown, recent)
        drawn["threshold"] = threshold
        if wanted["candles"]:
            first, end = int(rows.time_ns[0]), int(rows.time_ns[-1]) + 1
            width = ranges.candle_width(wanted["candles"], end - first)
            candles = store.candles(symbol, first, end, width)
            drawn["candle_ms"] = width / 1e6
    small: Answer = {}
    if wanted["symbols"]:
        small["multiples"], drawn["multiples"] = multiples.draw(store, wanted, latest)
        drawn["offsets"] = multiples.offsets(small["multiples"], drawn["multiples"]) or drawn["offsets"]
    revision = f"{symbol} {wanted['range']} {wanted['period']}"
    figure = figures.figure(
        rows,
        shown.volume,
        symbol=symbol or "",
        revision=revision,
        threshold=threshold,
        candles=candles,
        candle_ms=drawn["candle_ms"],
    )
    return (
        _alerted(board, store, latest, 0)
        | small
        | {
            "figure": figure,
            "drawn": drawn,
            "watch": watch(store, latest, {}, drawn),
            "state": _state(store, latest, now_ns),
        }
    )


def refresh(
    store: MetricsStore,
    drawn: Drawn,
    watched: dict[str, int],
    *,
    now_ns: int,
    board: Board | None = None,
    stamp: object = 0,
) -> Answer:
    """What is new for a browser that shows `drawn`, with a watch list up to `watched` and alerts up to `stamp`.

    Raises `StoreError`.
    """
    latest = store.latest()
    answer: Answer = (
        _alerted(board, store, latest, stamp)
        | multiples.further(store, drawn, latest)
        | {
            "of": drawn["id"],
            "state": _state(store, latest, now_ns),
            "watch": watch(store, latest, watched, drawn),
        }
    )
    symbol = drawn["symbol"]
    if drawn["failed"] or symbol is None or not drawn["rows"]:
        came = bool(len(latest)) if symbol is None else symbol in latest.symbol and not drawn["period"]
        return answer | {"rebuild": drawn["failed"] or came or "rebuild" in answer}
    if drawn["paused"] or drawn["period"]:
        return answer
    rows = recent_rows(store, symbol, drawn["newest_us"], end_of(latest, symbol))
    new = None if rows is None else new_rows(rows, drawn["cursors"], drawn["newest_us"])
    if rows is None or new is None or len(new) > MAX_DELTA or len(new) > drawn["room"]:
        return answer | {"rebuild": True}
    if not len(new):
        return answer
    if set(new.source) != {drawn["source"]}:
        return answer | {"rebuild": True}  # only a whole figure shows which row comes from which source
    extension = figures.extension(new, drawn["price"], drawn["direction"], drawn["threshold"])
    if new.is_anomaly.any():
        answer["evidence"] = figures.evidence(new)
    return answer | {"extend": extension, "drawn": _extended(drawn, rows, new)}


def _state(store: MetricsStore, latest: Points, now_ns: int) -> State:
    """What the workers report; for a live source also whether its exchange is closed, when silence is no fault."""
    state = state_of(store.statuses(), now_ns)
    if LIVE_SOURCE in latest.source:
        state["closed"] = not is_open(datetime.fromtimestamp(now_ns / 1e9, UTC))
    return state


def _alerted(board: Board | None, store: PageQueries, latest: Points, stamp: object) -> Answer:
    """The alerts that changed after `stamp`, and why acknowledgements are unknown, if they are."""
    if board is None:
        return {}
    board.look(store, latest)
    news = board.since(stamp)
    answer: Answer = {} if news is None else {"alerts": news}
    return answer | {"trouble": board.trouble} if board.trouble else answer


def _window(store: PageQueries, symbol: str, view: View, until: int | None) -> tuple[Digest, Points]:
    """What is drawn of the symbol, and its newest rows: at least 20 if it has so many, and those of the last 30 s
    drawn.

    Rows from `until` on are left to the next refresh.
    """
    if view["period"]:
        shown = _between(store, symbol, *(clock.utc_ns(bound) for bound in view["period"]))
        return shown, store.newest(symbol, DEPTH)
    newest = store.newest(symbol, FIRST_ROWS)
    are_all = len(newest) < FIRST_ROWS
    if until is not None:
        newest = newest.take(slice(0, int(np.searchsorted(newest.time_ns, until))))
    if not len(newest):
        return _whole(newest), newest
    end = int(newest.time_ns[-1]) + 1
    begin = ranges.start(view["range"], end - 1)
    if are_all or newest.time_ns[0] < begin:
        return _whole(newest.take(slice(int(np.searchsorted(newest.time_ns, begin)), None))), newest
    shown = _between(store, symbol, begin, end)
    return shown, newest if newest.time_ns[0] < end - OVERLAP_NS else newest_rows(store, symbol, end)


def _between(store: PageQueries, symbol: str, begin: int, end: int) -> Digest:
    if store.count(symbol, begin, end) > MAX_DRAWN:
        return store.digest(symbol, begin, end, MAX_DRAWN // 2)
    return _whole(store.points(symbol, begin, end))


def _whole(rows: Points) -> Digest:
    """All rows of a range."""
    return Digest(rows, rows.volume, len(rows), cut=False)


def _drawn_of(empty: Drawn, shown: Digest, recent: Points) -> Drawn:
    rows = shown.points
    newest = int(rows.time_ns[-1])
    overlapping = recent.take(np.flatnonzero(recent.time_ns >= newest - OVERLAP_NS))
    return {
        **empty,
        "cursors": cursors_of(overlapping, {}),
        "first_us": int(rows.time_ns[0]) // 1000,
        "newest_us": newest // 1000,
        "count": min(DEPTH, len(recent)),
        "price": float(rows.price[-1]),
        "direction": int(figures.directions(rows.price)[-1]),
        "gap_s": recent_gap(recent),
        "rows": len(rows),
        "room": MAX_EXTENDED,
        "total": shown.total,
        "cut": shown.cut,
        "offsets": clock.offsets(int(rows.time_ns[0]), newest),
        "source": rows.source[-1],
    }


def _extended(drawn: Drawn, recent: Points, new: Points) -> dict[str, Any]:
    """The changes of `drawn` by the rows `new`; `recent` also has those of the last 30 s."""
    gap = recent_gap(recent)
    if len(recent) < 3:
        gap = round(int(new.time_ns[-1]) // 1000 - drawn["newest_us"], 1) / 1e6 / len(new)
    newest = int(new.time_ns[-1])
    offset = clock.offsets(newest, newest)
    known = drawn["offsets"] and drawn["offsets"][-1][1] == offset[0][1]
    return {
        "cursors": cursors_of(new, drawn["cursors"]),
        "newest_us": newest // 1000,
        "count": min(DEPTH, drawn["count"] + len(new)),
        "price": float(new.price[-1]),
        "direction": int(figures.directions(np.append(drawn["price"], new.price), drawn["direction"])[-1]),
        "gap_s": gap,
        "rows": drawn["rows"] + len(new),
        "room": drawn["room"] - len(new),
        "total": drawn["total"] + len(new),
        "offsets": drawn["offsets"] if known else [*drawn["offsets"], *offset],
        "source": new.source[-1],
    }
