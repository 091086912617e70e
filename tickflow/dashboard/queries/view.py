"""What a browser requests and shows, as small plain objects that it keeps and sends with each request."""

from typing import TypedDict

from tickflow.dashboard.queries import ranges
from tickflow.dashboard.queries.hours import Day
from tickflow.ticks.tick import is_symbol

LAST_WALL_MS = 9_000_000_000_000.0
"""The largest accepted wall-clock time, in ms. It lies in 2255, seven years before 64-bit times in ns end."""

WIDTH_PX, MIN_WIDTH_PX, MAX_WIDTH_PX = 1_000, 100, 4_000
"""The width of a chart in pixels: the default, and the bounds of what a browser may send."""

MAX_SYMBOLS = 12
"""The maximum number of small multiples at a time."""


class Multiple(TypedDict):
    """One of the small multiples. `newest_us` is the time of its newest drawn row, `room` is how many rows may still be
    added; the others are as in `Drawn`.
    """

    symbol: str
    cursors: dict[str, int]
    newest_us: int
    count: int
    gap_s: float | None
    room: int


class Drawn(TypedDict):
    """What a browser's figure shows; times in us since 1970, since JavaScript cannot hold nanoseconds exactly.

    `id` names the drawing; a delta fits only the drawing that it was made for. `paused`: no rows are added for now.
    `kind` is the kind of the picture (see `pictures`), `width_ns` the width of its columns or candles. `follows`:
    whether the symbol's next tick is added to the picture. `begin_us`: the symbol's first stored tick. `trading`:
    closed hours take no space. `cursors`: by partition, the highest offset. `count`: how many ticks of the symbol have
    arrived, at most 20, for the warm-up. `price` and `direction` are those of the last row. `gap_s`: the usual time
    between two recent ticks of the symbol, in seconds. `total`: the number of ticks in the time range, drawn as `rows`
    ticks, columns or candles. `room`: how many ticks may still be added. `offsets`: see `clock.offsets`. `last`: the
    measures of the symbol's last tick, by name. `day`: the symbol's session, if an exchange's hours apply.
    """

    id: str
    symbol: str | None
    range: str
    period: list[float] | None
    sight: list[float] | None
    candles: str | None
    trading: bool
    symbols: list[str]
    multiples: list[Multiple]
    overview: bool
    paused: bool
    range_ms: float | None
    cursors: dict[str, int]
    first_us: int
    newest_us: int
    count: int
    price: float
    direction: int
    gap_s: float | None
    rows: int
    room: int
    total: int
    last: dict[str, float | None]
    kind: str
    width_ns: int
    follows: bool
    begin_us: int
    threshold: float
    offsets: list[tuple[float, int]]
    day: Day | None
    source: str
    failed: bool


class View(TypedDict):
    """What a browser requests. `period`: start and end, in ms of the exchange's wall clock; it replaces the range.

    `sight`: the time range that a reader zoomed or moved to, in the form of `period`; `None` for the whole range or
    period. `width`: how many pixels wide the chart is. `trading`: closed hours take no space on the axis. `n` makes two
    otherwise equal requests different.

    `candles`: the width of candles by name, `auto`, or `None` for a line. `symbols`: the symbols of the small
    multiples; empty for a single chart.
    """

    symbol: str | None
    range: str
    period: list[float] | None
    candles: str | None
    symbols: list[str]
    overview: bool
    sight: list[float] | None
    width: int
    trading: bool
    n: float


def nothing_drawn(identity: str, view: View, *, failed: bool = False) -> Drawn:
    """The state of a browser whose figure is empty; `failed`: it is empty because the store did not answer."""
    length = ranges.RANGES[view["range"]]
    return Drawn(
        id=identity,
        symbol=view["symbol"],
        range=view["range"],
        period=view["period"],
        sight=view["sight"],
        candles=view["candles"],
        trading=view["trading"],
        symbols=view["symbols"],
        multiples=[],
        overview=view["overview"],
        paused=False,
        range_ms=None if length is None or view["period"] else length / 1e6,
        cursors={},
        first_us=0,
        newest_us=0,
        count=0,
        price=0.0,
        direction=1,
        gap_s=None,
        rows=0,
        room=0,
        total=0,
        last={},
        kind="ticks",
        width_ns=0,
        follows=True,
        begin_us=0,
        threshold=0.0,
        offsets=[],
        day=None,
        source="",
        failed=failed,
    )


def chosen(view: object) -> View:
    """The view that a browser requests; an invalid value is treated as if the reader had not chosen one.

    >>> view = chosen({"symbol": "AAPL", "range": "1h", "period": [5, 9], "candles": "1m"})
    >>> view["symbol"], view["range"], view["period"], view["candles"]
    ('AAPL', '1h', [5.0, 9.0], '1m')
    >>> chosen({"symbol": "a'--", "range": 5}) == chosen(None)
    True
    """
    asked = view if isinstance(view, dict) else {}
    symbol, name, candles = asked.get("symbol"), asked.get("range"), asked.get("candles")
    return View(
        symbol=symbol if isinstance(symbol, str) and is_symbol(symbol) else None,
        range=name if isinstance(name, str) and name in ranges.RANGES else ranges.DEFAULT,
        period=_period(asked.get("period")),
        candles=candles if isinstance(candles, str) and candles in ("auto", *ranges.CANDLES) else None,
        symbols=_symbols(asked.get("symbols")),
        overview=asked.get("overview") is True,
        sight=_period(asked.get("sight")),
        width=_width(asked.get("width")),
        trading=asked.get("trading") is True,
        n=0.0,
    )


def _width(asked: object) -> int:
    if not isinstance(asked, int | float) or not MIN_WIDTH_PX <= asked <= MAX_WIDTH_PX:
        return WIDTH_PX
    return round(asked)


def _symbols(asked: object) -> list[str]:
    known = [each for each in asked if isinstance(each, str) and is_symbol(each)] if isinstance(asked, list) else []
    return list(dict.fromkeys(known))[:MAX_SYMBOLS]


def _period(asked: object) -> list[float] | None:
    if not (isinstance(asked, list) and len(asked) == 2 and all(type(bound) in (int, float) for bound in asked)):
        return None
    begin, end = float(asked[0]), float(asked[1])
    return [begin, end] if 0 < begin < end < LAST_WALL_MS else None
