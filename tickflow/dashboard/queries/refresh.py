"""What the callbacks do, as plain functions: `draw` answers a new view, `look` a zoom or pan, `refresh` sends what is
new.

A browser keeps `Drawn`, a small, plain object, and sends it with each refresh. So the server stores nothing per reader,
and any number of servers could answer.

Deltas lose no point: the browser has one cursor per partition, the highest offset drawn. A refresh reads from 30 s
before the newest time drawn and sends the rows above their partition's cursor, or the columns that they changed. The
whole picture is rebuilt when extending it at the right end would be wrong: a row belongs before drawn ones, the log was
recreated, there are too many new rows, or the picture now has more rows than a screen shows.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from tickflow.dashboard.as_of import AsOf
from tickflow.dashboard.drawing import clock, multiples, pictures
from tickflow.dashboard.queries import hours, ranges
from tickflow.dashboard.queries.alerts import MANY, Board
from tickflow.dashboard.queries.background import Background
from tickflow.dashboard.queries.deltas import OVERLAP_NS, end_of, new_rows, recent_gap, recent_rows
from tickflow.dashboard.queries.state import State, state_of
from tickflow.dashboard.queries.view import Drawn, View, chosen, nothing_drawn
from tickflow.dashboard.queries.watched import cursors_of, watch
from tickflow.dashboard.rationed import MOST_SHOWN
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.points import Points
from tickflow.sessions import NEW_YORK, Sessions
from tickflow.store.base import DAY_NS, MetricsStore, PageQueries
from tickflow.store.pixels import rounded, strongest_columns

MAX_TICKS = 2_000
"""Up to this many ticks are drawn individually; a range with more ticks is drawn in columns."""
MAX_AROUND = 4_000
"""Up to this many ticks are drawn individually if ticks on both sides of the visible range are included, so that a
short drag has something to show.
"""
MAX_EXTENDED = 2_000
"""A refresh extends a picture of ticks by at most this many ticks; if there are more, the picture is rebuilt."""
MAX_DELTA = 1_000
MAX_CHANGED = 50_000
"""A refresh updates columns or candles with at most this many ticks; if there are more, the columns are rebuilt."""
MAX_MARKS = 60
MARKS_APART = 1 / 75
"""The smallest distance between two marks, as a share of the chart's width."""
LEAD_CANDLES = 60
"""How many candles before the first visible one are read, to fill the windows of the averages."""
PATIENCE_SECONDS = 0.3
"""Alerts that the store does not return within this many seconds come with a later refresh. Reading them takes longer
if a symbol has a large number of sources.
"""
LIVE_SOURCE = "alpha_vantage"

Answer = dict[str, Any]


def draw(
    store: MetricsStore,
    view: object,
    *,
    identity: str,
    threshold: float,
    now_ns: int,
    sessions: Sessions = NEW_YORK,
    board: Board | None = None,
    background: Background | None = None,
) -> Answer:
    """The complete answer to a view: the picture, what it shows, the whole watch list, all alerts, the state.

    Raises `StoreError`.
    """
    wanted = chosen(view)
    latest = _latest(store, [wanted["symbol"], *wanted["symbols"]])
    alerted = _alerted(board, store, latest, 0, now_ns, background)
    if wanted["symbol"] is None and len(latest):
        wanted["symbol"] = latest.symbol[0]
    picture, drawn = _picture(store, wanted, latest, identity, threshold, sessions)
    if picture is not None and (symbol := wanted["symbol"]) is not None:
        newest = int(latest.time_ns[latest.symbol.index(symbol)])
        drawn["day"] = hours.day_of(store, sessions, symbol, drawn["source"], newest)
    small: Answer = {}
    if wanted["symbols"]:
        small["multiples"], drawn["multiples"] = multiples.draw(store, wanted, latest)
        drawn["offsets"] = multiples.offsets(small["multiples"], drawn["multiples"]) or drawn["offsets"]
    small |= {
        "picture": picture,
        "drawn": drawn,
        "watch": watch(store, latest, {}, drawn, sessions, background),
        "state": _state(store, latest, now_ns, sessions),
    }
    return alerted() | small


def look(
    store: MetricsStore, view: object, *, identity: str, threshold: float, sessions: Sessions = NEW_YORK
) -> Answer:
    """The picture of the time range that a reader zoomed or panned to, and its state. Raises `StoreError`."""
    wanted = chosen(view)
    latest = store.latest([wanted["symbol"]] if wanted["symbol"] else [])
    picture, drawn = _picture(store, wanted, latest, identity, threshold, sessions)
    return {"picture": picture, "drawn": {name: value for name, value in drawn.items() if name != "day"}}


def refresh(
    store: MetricsStore,
    drawn: Drawn,
    watched: dict[str, int],
    *,
    now_ns: int,
    sessions: Sessions = NEW_YORK,
    board: Board | None = None,
    stamp: object = 0,
    background: Background | None = None,
) -> Answer:
    """What is new for a browser that shows `drawn`; its watch list is complete up to `watched`, and its alerts are
    complete up to `stamp`.

    Raises `StoreError`.
    """
    latest = _latest(store, [drawn["symbol"], *drawn["symbols"]])
    alerted = _alerted(board, store, latest, stamp, now_ns, background)
    answer: Answer = multiples.further(store, drawn, latest) | {
        "of": drawn["id"],
        "state": _state(store, latest, now_ns, sessions),
        "watch": watch(store, latest, watched, drawn, sessions, background),
    }
    further = _picture_further(store, latest, drawn, sessions)  # read while the alerts are being read
    return further | answer | alerted()


def _picture_further(store: MetricsStore, latest: Points, drawn: Drawn, sessions: Sessions) -> Answer:
    """What is new in the picture; `rebuild` if it must be drawn as a whole."""
    symbol = drawn["symbol"]
    if drawn["failed"] or symbol is None or not (drawn["rows"] or drawn["begin_us"]):
        came = bool(len(latest)) if symbol is None else symbol in latest.symbol and not drawn["period"]
        return {"rebuild": drawn["failed"] or came}
    if drawn["paused"] or drawn["period"] or not drawn["follows"]:
        return {}
    end = end_of(latest, symbol)
    rows = recent_rows(store, symbol, drawn["newest_us"], end)
    new = None if rows is None else new_rows(rows, drawn["cursors"], drawn["newest_us"])
    in_columns = drawn["kind"] != "ticks"
    if rows is None or new is None or len(new) > (MAX_CHANGED if in_columns else min(MAX_DELTA, drawn["room"])):
        return {"rebuild": True}
    if not len(new):
        return {}
    if set(new.source) != {drawn["source"]}:
        return {"rebuild": True}  # only a complete picture lists the sources
    if in_columns:
        begin = drawn["newest_us"] * 1000 // drawn["width_ns"] * drawn["width_ns"]
        tail = _columns(store, symbol, begin, end or int(new.time_ns[-1]) + 1, drawn, new)
    else:
        tail = pictures.of_ticks(new, drawn["price"], drawn["direction"])
    day = hours.further(drawn["day"], sessions, new)
    if (day is None) != (drawn["day"] is None):  # a new session has begun
        return {"rebuild": True}
    return {"tail": tail, "drawn": _extended(drawn, rows, new) | {"day": day}}


def _columns(store: PageQueries, symbol: str, begin: int, end: int, drawn: Drawn, new: Points) -> pictures.Picture:
    """The columns or candles in [`begin`, `end`) that the rows `new` have changed."""
    width = drawn["width_ns"]
    if drawn["kind"] == "candles":
        candles = store.candles(symbol, begin - LEAD_CANDLES * width, end, width)
        return pictures.of_candles(candles, width, begin, drawn["threshold"], drawn["source"])
    marked = new.take(np.flatnonzero(new.is_anomaly)[-MAX_MARKS:])
    return pictures.of_pixels(store.pixels(symbol, begin, end, width), width, marked, drawn["source"])


def _state(store: MetricsStore, latest: Points, now_ns: int, sessions: Sessions) -> State:
    """The workers' state, and whether the exchange of a live source is closed, which explains missing ticks."""
    state = state_of(store.statuses(), now_ns)
    if isinstance(store, AsOf) and len(latest):  # ages count from the moment that is shown
        state["processed_s"], state["newest_event_us"] = 0.0, int(latest.time_ns.max()) // 1000
    if LIVE_SOURCE in latest.source:
        opens = sessions.next_open(now_ns)
        state["closed"] = opens != now_ns
        state["opens_us"] = None if opens is None else opens // 1000
    return state


def _latest(store: PageQueries, chosen: Iterable[str | None]) -> Points:
    """The newest points of the symbols that the page lists, and of any other chosen symbols."""
    latest = store.latest(most=MOST_SHOWN)
    if len(latest) < MOST_SHOWN:
        return latest
    others = sorted({symbol for symbol in chosen if symbol} - set(latest.symbol))
    return Points.joined([latest, store.latest(others)]) if others else latest


def _alerted(
    board: Board | None, store: PageQueries, latest: Points, stamp: object, now_ns: int, background: Background | None
) -> Callable[[], Answer]:
    """Begin to read the alerts, while other queries run; the returned function answers those that changed after
    `stamp`, and the reason if acknowledgements are unknown.
    """
    if board is None:
        return dict
    look = partial(board.look, store, latest, now_ns)
    if background is None:
        return partial(_news, board, stamp, look)
    if len(latest) > MANY:
        background.last("alerts", look, None)
        return partial(_news, board, stamp, lambda: None)
    return partial(_news, board, stamp, partial(background.begin("alerts", look), PATIENCE_SECONDS))


def _news(board: Board, stamp: object, read: Callable[[], None]) -> Answer:
    read()
    news = board.since(stamp)
    answer: Answer = {} if news is None else {"alerts": news}
    trouble = board.trouble or board.worth_trouble
    return answer | {"trouble": trouble} if trouble else answer


def _picture(
    store: PageQueries, view: View, latest: Points, identity: str, threshold: float, sessions: Sessions
) -> tuple[pictures.Picture | None, Drawn]:
    """The picture that a view asks for (`None` if there is nothing to draw), and its state."""
    drawn = nothing_drawn(identity, view)
    symbol = view["symbol"]
    if symbol is None or (first := store.first_time(symbol)) is None:
        return None, drawn
    drawn["begin_us"], drawn["threshold"] = first // 1000, threshold
    newest_end = end_of(latest, symbol)
    if newest_end is None:  # its first tick arrived after `latest` was read
        return None, drawn
    begin, end = _bounds(view, newest_end)
    drawn["follows"] = end >= newest_end and view["period"] is None
    until = min(end, newest_end) if view["period"] is None else end
    source = latest.source[latest.symbol.index(symbol)]
    shown = _shown(store, symbol, begin, max(begin, until), view, threshold, sessions, source)
    recent = recent_rows(store, symbol, (newest_end - 1) // 1000, newest_end)
    if recent is None or len(recent) < DEPTH:
        recent = store.newest(symbol, DEPTH, newest_end)
    if not len(recent):
        return None, drawn
    x = shown["x"]
    total = len(x) if shown["kind"] == "ticks" else int(shown["y"]["ticks"].sum())
    first_drawn = clock.utc_ns(float(x[0])) if len(x) else begin
    newest = int(recent.time_ns[-1])
    covered = [clock.utc_ns(max(bound, 1.0)) for bound in shown["covers"]]
    if left_out := store.sources_left_out(symbol):
        shown["sources_left_out"] = left_out
    shown["hours"] = hours.named(sessions, source, max(covered[0], first), max(covered[1], newest))
    return shown, {
        **drawn,
        "kind": shown["kind"],
        "width_ns": round(shown["width_ms"] * 1e6),
        "cursors": cursors_of(recent.take(np.flatnonzero(recent.time_ns >= newest - OVERLAP_NS)), {}),
        "first_us": first_drawn // 1000,
        "newest_us": newest // 1000,
        "count": min(DEPTH, len(recent)),
        "price": float(recent.price[-1]),
        "direction": int(pictures.directions(recent.price)[-1]),
        "gap_s": recent_gap(recent),
        "last": pictures.last(recent),
        "rows": len(x),
        "room": MAX_EXTENDED,
        "total": total,
        "offsets": clock.offsets(min(first_drawn, newest), max(newest, min(end, newest + DAY_NS))),
        "source": recent.source[-1],
    }


def _bounds(view: View, newest_end: int) -> tuple[int, int]:
    """The time range of a view: its start and, not included, its end, in ns."""
    if part := view["sight"] or view["period"]:
        begin, end = (clock.utc_ns(bound) for bound in part)
        return begin, end
    return ranges.start(view["range"], newest_end - 1), newest_end


def _shown(
    store: PageQueries,
    symbol: str,
    begin: int,
    end: int,
    view: View,
    threshold: float,
    sessions: Sessions,
    source: str,
) -> pictures.Picture:
    """The picture of a time range in ns: candles if the view asks for them, else as detailed as the screen can show."""
    first = store.first_time(symbol) or end
    chosen = view["sight"] or view["period"]  # else the page shows no time before the first tick
    whole = max(1, end - (begin or first if chosen else max(begin, first)))
    if view["candles"]:
        width = ranges.candle_width(view["candles"], whole)
        margin = whole // 2 if view["sight"] else 0
        since = (begin - margin) // width * width if begin else 0
        candles = store.candles(symbol, max(0, since - LEAD_CANDLES * width), end + margin, width)
        picture = pictures.of_candles(candles, width, since, threshold, source)
        return pictures.covering(picture, since, end + margin)
    ticks = _ticks(store, symbol, begin, end, (end - begin) // 2 if view["sight"] else 0)
    if ticks is not None:
        return ticks
    drawn = sessions.open_ns(end - whole, end) or whole if view["trading"] else whole
    width = rounded(max(1_000_000, -(-drawn // view["width"])))  # a column is at least one millisecond wide
    margin = whole // 2 if view["sight"] else 0
    found = store.pixels(symbol, max(0, begin - margin), end + margin, width)
    apart = max(1, round(view["width"] * MARKS_APART))
    steps = found.time_ns[strongest_columns(found, MAX_MARKS, width, apart)].tolist()
    marked = store.strongest(symbol, [(step, step + width) for step in steps])
    picture = pictures.of_pixels(found, width, marked, source)
    return pictures.covering(picture, max(0, begin - margin), end + margin)


def _ticks(store: PageQueries, symbol: str, begin: int, end: int, margin: int) -> pictures.Picture | None:
    """The picture of every tick in [`begin`, `end`), and, if they are few, within `margin` on both sides; `None` if the
    time range has too many ticks.
    """
    if margin and (around := store.at_most(symbol, max(0, begin - margin), end + margin, MAX_AROUND)) is not None:
        first, after = np.searchsorted(around.time_ns, [begin, end])
        if after - first > MAX_TICKS:
            return None
        return pictures.covering(pictures.of_ticks(around), begin - margin, end + margin)
    rows = store.at_most(symbol, begin, end, MAX_TICKS)
    return None if rows is None else pictures.covering(pictures.of_ticks(rows), begin, end)


def _extended(drawn: Drawn, recent: Points, new: Points) -> dict[str, Any]:
    """How the rows `new` change `drawn`; `recent` also has the rows of the last 30 s."""
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
        "direction": int(pictures.directions(np.append(drawn["price"], new.price), drawn["direction"])[-1]),
        "gap_s": gap,
        "last": pictures.last(new),
        "rows": drawn["rows"] + len(new),
        "room": max(0, drawn["room"] - len(new)),  # only pictures of ticks have a limit
        "total": drawn["total"] + len(new),
        "offsets": drawn["offsets"] if known else [*drawn["offsets"], *offset],
        "source": new.source[-1],
    }
