"""What the callbacks do, as plain functions: `draw` answers a view with a whole figure, `refresh` with what is new.

A browser keeps `Drawn`, small and plain, and sends it with each refresh, so that the server remembers nothing and
any number of readers disturb one another as little as any number of servers would.

Deltas lose no point: the browser has one cursor per partition, the highest offset drawn. A refresh reads from 30 s
before the newest time drawn and sends the rows above their partition's cursor. Where an extension at the right end
would not be right, the figure is made anew: a row that belongs before what is drawn, a log that began anew, more rows
than an extension should carry, or more drawn than a browser likes.
"""

from typing import Any, TypedDict

import numpy as np

from tickflow.dashboard import clock, figures, ranges
from tickflow.dashboard.state import state_of
from tickflow.dashboard.thin import thin
from tickflow.points import Points
from tickflow.store.base import MetricsStore
from tickflow.tick import is_symbol
from tickflow.windows import DEPTH

OVERLAP_NS = 30 * 1_000_000_000
MAX_WINDOW_ROWS = 100_000
"""Rows read for one figure, the newest ones; a page that reads more helps nobody."""
FIRST_ROWS = 2_000
MAX_DRAWN = 5_000
"""Rows drawn at first; above, they are thinned."""
MAX_EXTENDED = 2 * MAX_DRAWN
"""Rows drawn after many extensions; above, the figure is made anew."""
MAX_DELTA = 1_000
GAPS = 10

Answer = dict[str, Any]


class Drawn(TypedDict):
    """What a browser's figure shows; times in us since 1970 (nanoseconds are too large for a number in JavaScript).

    `id` names the drawing; a delta fits only the one it was made for. `cursors`: by partition, the highest offset.
    `count`: how many ticks of the symbol have come, at most 20, for the warm-up. `price` and `direction`: of the last
    row. `gap_s`: the symbol's recent seconds between two ticks. `total`: rows read, of which `rows` are drawn; `cut`:
    whether the range has more than may be read. `offsets`: see `clock.offsets`.
    """

    id: str
    symbol: str | None
    range: str
    range_ms: float | None
    cursors: dict[str, int]
    newest_us: int
    count: int
    price: float
    direction: int
    gap_s: float | None
    rows: int
    total: int
    cut: bool
    offsets: list[tuple[float, int]]
    source: str
    failed: bool


def nothing_drawn(identity: str, symbol: str | None, range_name: str, *, failed: bool = False) -> Drawn:
    """The state of a browser whose figure is empty; `failed`: since the store did not answer."""
    length = ranges.RANGES[range_name]
    return Drawn(
        id=identity,
        symbol=symbol,
        range=range_name,
        range_ms=None if length is None else length / 1e6,
        cursors={},
        newest_us=0,
        count=0,
        price=0.0,
        direction=1,
        gap_s=None,
        rows=0,
        total=0,
        cut=False,
        offsets=[],
        source="",
        failed=failed,
    )


def chosen(view: object) -> tuple[str | None, str]:
    """Symbol and range of what a browser asks for; whatever is not a symbol or a range counts as not chosen.

    >>> chosen({"symbol": "AAPL", "range": "1h"}), chosen({"symbol": "a'--", "range": 5}), chosen(None)
    (('AAPL', '1h'), (None, '15m'), (None, '15m'))
    """
    asked = view if isinstance(view, dict) else {}
    symbol, name = asked.get("symbol"), asked.get("range")
    return (
        symbol if isinstance(symbol, str) and is_symbol(symbol) else None,
        name if isinstance(name, str) and name in ranges.RANGES else ranges.DEFAULT,
    )


def draw(store: MetricsStore, view: object, *, identity: str, threshold: float, now_ns: int) -> Answer:
    """The whole answer to a view: the figure, what it shows, the whole watch list, the state. Raises `StoreError`."""
    symbol, range_name = chosen(view)
    latest = store.latest()
    if symbol is None and len(latest):
        symbol = latest.symbol[0]
    drawn = nothing_drawn(identity, symbol, range_name)
    rows, count, cut = _window(store, symbol, range_name) if symbol else (latest.take([]), 0, False)
    shown, volumes = thin(rows, MAX_DRAWN)
    if len(rows):
        drawn = _drawn_of(drawn, rows, len(shown), count, cut)
    figure = figures.figure(shown, volumes, symbol=symbol or "", revision=f"{symbol} {range_name}", threshold=threshold)
    return {
        "figure": figure,
        "drawn": drawn,
        "watch": _watch(store, latest, {}, drawn),
        "state": state_of(store.statuses(), now_ns),
    }


def refresh(store: MetricsStore, drawn: Drawn, watched: dict[str, int], *, now_ns: int) -> Answer:
    """What is new for a browser that shows `drawn` and whose watch list goes up to `watched`. Raises `StoreError`."""
    latest = store.latest()
    answer: Answer = {
        "of": drawn["id"],
        "state": state_of(store.statuses(), now_ns),
        "watch": _watch(store, latest, watched, drawn),
    }
    symbol = drawn["symbol"]
    if drawn["failed"] or symbol is None or not drawn["rows"]:
        came = len(latest) if symbol is None else symbol in latest.symbol
        return answer | {"rebuild": bool(drawn["failed"] or came)}
    rows = store.points(symbol, drawn["newest_us"] * 1000 - OVERLAP_NS)
    cursors = drawn["cursors"]
    above = rows.offset > [cursors.get(str(partition), -1) for partition in rows.partition]
    log_anew = ~above & (rows.time_ns // 1000 > drawn["newest_us"])
    edge = rows.time_ns[~above & ~log_anew].max(initial=drawn["newest_us"] * 1000)
    late = above & (rows.time_ns < edge)
    misplaced = bool(np.any(late | log_anew))
    new = rows.take(np.flatnonzero(above))
    if misplaced or len(new) > MAX_DELTA or drawn["rows"] + len(new) > MAX_EXTENDED:
        return answer | {"rebuild": True}
    if not len(new):
        return answer
    extension = figures.extension(new, drawn["price"], drawn["direction"])
    return answer | {"extend": extension, "drawn": _extended(drawn, rows, new)}


def _window(store: MetricsStore, symbol: str, range_name: str) -> tuple[Points, int, bool]:
    """The symbol's rows in the range, how many came in all (at most 20 are counted), and whether rows were left out.

    Reads the newest rows, more and more of them, until they reach back far enough: a range may hold any number.
    """
    count = FIRST_ROWS
    while True:
        rows = store.newest(symbol, count)
        if len(rows) < count:
            break
        begin = ranges.start(range_name, int(rows.time_ns[-1]))
        if rows.time_ns[0] < begin or count >= MAX_WINDOW_ROWS:
            break
        count = min(MAX_WINDOW_ROWS, count * 5)
    if not len(rows):
        return rows, 0, False
    begin = ranges.start(range_name, int(rows.time_ns[-1]))
    first = int(np.searchsorted(rows.time_ns, begin))
    cut = len(rows) == count and first == 0
    return rows.take(np.arange(first, len(rows))), min(DEPTH, len(rows)), cut


def _drawn_of(empty: Drawn, rows: Points, shown: int, count: int, cut: bool) -> Drawn:
    newest = int(rows.time_ns[-1])
    overlapping = rows.take(np.flatnonzero(rows.time_ns >= newest - OVERLAP_NS))
    return {
        **empty,
        "cursors": _cursors(overlapping, {}),
        "newest_us": newest // 1000,
        "count": count,
        "price": float(rows.price[-1]),
        "direction": int(figures.directions(rows.price)[-1]),
        "gap_s": recent_gap(rows),
        "rows": shown,
        "total": len(rows),
        "cut": cut,
        "offsets": clock.offsets(int(rows.time_ns[0]), newest),
        "source": rows.source[-1],
    }


def _extended(drawn: Drawn, recent: Points, new: Points) -> dict[str, Any]:
    """What changes in `drawn` by the rows `new`; `recent` are those of the last 30 s too."""
    gap = recent_gap(recent)
    if len(recent) < 3:
        gap = round(int(new.time_ns[-1]) // 1000 - drawn["newest_us"], 1) / 1e6 / len(new)
    newest = int(new.time_ns[-1])
    offset = clock.offsets(newest, newest)
    known = drawn["offsets"] and drawn["offsets"][-1][1] == offset[0][1]
    return {
        "cursors": _cursors(new, drawn["cursors"]),
        "newest_us": newest // 1000,
        "count": min(DEPTH, drawn["count"] + len(new)),
        "price": float(new.price[-1]),
        "direction": int(figures.directions(np.append(drawn["price"], new.price), drawn["direction"])[-1]),
        "gap_s": gap,
        "rows": drawn["rows"] + len(new),
        "total": drawn["total"] + len(new),
        "offsets": drawn["offsets"] if known else [*drawn["offsets"], *offset],
        "source": new.source[-1],
    }


def recent_gap(rows: Points) -> float | None:
    """The median seconds between the last ticks of `rows`, `None` when there are not two."""
    times = rows.time_ns[-GAPS - 1 :]
    return None if len(times) < 2 else round(float(np.median(np.diff(times))) / 1e9, 3)


def _cursors(rows: Points, before: dict[str, int]) -> dict[str, int]:
    cursors = dict(before)
    for partition, offset in zip(rows.partition.tolist(), rows.offset.tolist(), strict=True):
        cursors[str(partition)] = max(offset, cursors.get(str(partition), -1))
    return cursors


def _watch(store: MetricsStore, latest: Points, watched: dict[str, int], drawn: Drawn) -> Answer:
    """The watch list's rows whose last tick is not in `watched` yet, and up to where it is filled with them.

    The change of every symbol counts from one moment, where the range of the drawn symbol starts.
    """
    anew = any(offset < watched.get(partition, -1) for partition, offset in _cursors(latest, {}).items())
    cursors = {} if anew else watched
    changed = latest.take(
        [
            i
            for i, (partition, offset) in enumerate(zip(latest.partition.tolist(), latest.offset.tolist(), strict=True))
            if offset > cursors.get(str(partition), -1)
        ]
    )
    if not len(changed):
        return {"rows": [], "cursors": cursors}
    newest = drawn["newest_us"] * 1000 or int(latest.time_ns.max())
    first = store.first_prices(ranges.start(drawn["range"], newest))
    rows = [
        {
            "symbol": symbol,
            "price": price,
            "change": 100 * (price / first[symbol] - 1) if symbol in first else None,
            "event_us": time_ns // 1000,
            "source": source,
        }
        for symbol, source, time_ns, price in zip(
            changed.symbol, changed.source, changed.time_ns.tolist(), changed.price.tolist(), strict=True
        )
    ]
    return {"rows": rows, "cursors": _cursors(changed, cursors)}
