"""What a browser requests and what it shows: small and plain, kept in the browser and sent with each request."""

from typing import TypedDict

from tickflow.dashboard.queries import ranges
from tickflow.ticks.tick import is_symbol

LAST_WALL_MS = 9_000_000_000_000.0
"""A time in the year 2255, about the largest in ns."""

MAX_SYMBOLS = 12
"""The most small multiples at a time."""


class Multiple(TypedDict):
    """One of the small multiples: up to where its rows go, and how many more may be added; the rest as in `Drawn`."""

    symbol: str
    cursors: dict[str, int]
    newest_us: int
    count: int
    gap_s: float | None
    room: int


class Drawn(TypedDict):
    """What a browser's figure shows; times in us since 1970, since JavaScript cannot hold nanoseconds exactly.

    `id` names the drawing; a delta fits only the drawing it was made for. `paused`: no rows are added at present.
    `candle_ms`: the width of the candles. `cursors`: the highest offset by partition. `count`: how many ticks of the
    symbol there are, at most 20, for the warm-up. `price` and `direction`: of the last row. `gap_s`: the symbol's
    recent time between two ticks. `total`: rows in the range, of which `rows` are drawn; `cut`: whether even anomalies
    were left out. `room`: how many more rows may be added. `offsets`: see `clock.offsets`.
    """

    id: str
    symbol: str | None
    range: str
    period: list[float] | None
    candles: str | None
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
    cut: bool
    candle_ms: float
    threshold: float
    offsets: list[tuple[float, int]]
    source: str
    failed: bool


class View(TypedDict):
    """What a browser requests. `period`: from when to when, in ms of the exchange's wall clock, in place of the range.

    `candles`: the width of candles by name, `auto`, or `None` for a line. `symbols`: those of the small multiples;
    empty for a single chart.
    """

    symbol: str | None
    range: str
    period: list[float] | None
    candles: str | None
    symbols: list[str]
    overview: bool


def nothing_drawn(identity: str, view: View, *, failed: bool = False) -> Drawn:
    """The state of a browser whose figure is empty; `failed`: because the store did not answer."""
    length = ranges.RANGES[view["range"]]
    return Drawn(
        id=identity,
        symbol=view["symbol"],
        range=view["range"],
        period=view["period"],
        candles=view["candles"],
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
        cut=False,
        candle_ms=0.0,
        threshold=0.0,
        offsets=[],
        source="",
        failed=failed,
    )


def chosen(view: object) -> View:
    """What a browser requests; whatever is invalid counts as not chosen.

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
    )


def _symbols(asked: object) -> list[str]:
    known = [each for each in asked if isinstance(each, str) and is_symbol(each)] if isinstance(asked, list) else []
    return list(dict.fromkeys(known))[:MAX_SYMBOLS]


def _period(asked: object) -> list[float] | None:
    if not (isinstance(asked, list) and len(asked) == 2 and all(type(bound) in (int, float) for bound in asked)):
        return None
    begin, end = float(asked[0]), float(asked[1])
    return [begin, end] if 0 < begin < end < LAST_WALL_MS else None
