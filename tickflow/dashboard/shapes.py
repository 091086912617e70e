"""What a browser may post to each callback: every value has the type and the bounds of the values that our page and our
server produce.

`SHAPES` has a row for each callback of the server, in the order of its inputs and states in `app.callback_map`. A
callback without a row is always refused, and a test checks that the table is complete.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from tickflow.alerts.standing import MAX_TEXT
from tickflow.dashboard.accounts import Role
from tickflow.dashboard.drawing.multiples import MAX_ADDED
from tickflow.dashboard.queries import ranges
from tickflow.dashboard.queries.alerts import MAX_EPISODES
from tickflow.dashboard.queries.indicated import MOST, NAME
from tickflow.dashboard.queries.refresh import MAX_EXTENDED
from tickflow.dashboard.queries.view import LAST_WALL_MS, MAX_SYMBOLS, MAX_WIDTH_PX, MIN_WIDTH_PX, WIDTH_PX
from tickflow.metrics.detectors.names import DETECTORS
from tickflow.store.acks import MAX_NAME, MAX_QUERY
from tickflow.store.steering import ACTS, JUMP, Command
from tickflow.ticks.tick import END_YEAR_US, PRICE_MAX, SYMBOL, SYMBOL_CHARACTERS

_LONG = 2**63 - 1
_EXACT = 2**53 - 1
"""The largest integer that JavaScript holds exactly."""


def _of(*names: str) -> str:
    return rf"^(?:{'|'.join(map(re.escape, names))})\Z"


def _count(most: int) -> Any:
    return Annotated[int, msgspec.Meta(ge=0, le=most)]


Meta = msgspec.Meta
Symbol = Annotated[str, Meta(pattern=rf"^(?:{SYMBOL})\Z")]
Symbols = Annotated[list[Symbol], Meta(max_length=MAX_SYMBOLS)]
Range = Annotated[str, Meta(pattern=_of(*ranges.RANGES))]
Candles = Annotated[str, Meta(pattern=_of("auto", *ranges.CANDLES))]
Source = Annotated[str, Meta(pattern=r"^[a-z0-9_]{0,32}\Z")]
Identity = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9]{1,15}\Z")]
WallMs = Annotated[float, Meta(gt=0, lt=LAST_WALL_MS)]
Period = Annotated[list[WallMs], Meta(min_length=2, max_length=2)]
Micros: Any = _count(END_YEAR_US)
Offset: Any = _count(_LONG)
Cursors = Annotated[dict[Annotated[str, Meta(pattern=r"^[0-9]{1,10}\Z")], Offset], Meta(max_length=10_000)]
Watched = Annotated[
    dict[Annotated[str, Meta(pattern=r"^(?:[0-9]{1,10}|newest_us)\Z")], Offset], Meta(max_length=10_001)
]
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
Price = Annotated[float, Meta(ge=0, le=PRICE_MAX)]
Kind = Annotated[str, Meta(pattern=_of("ticks", "columns", "candles"))]
Width = Annotated[int, Meta(ge=MIN_WIDTH_PX, le=MAX_WIDTH_PX)]
Direction = Annotated[int, Meta(ge=-1, le=1)]
Milliseconds = Annotated[float, Meta(ge=0, le=1e15)]
Key = tuple[Symbol, Annotated[int, Meta(ge=0, le=2**31 - 1)], Offset]


class View(msgspec.Struct, forbid_unknown_fields=True):
    """See `queries.view.View`."""

    symbol: Symbol | None
    range: Range
    period: Period | None = None
    candles: Candles | None = None
    symbols: Symbols = []
    overview: bool = False
    sight: Period | None = None
    width: Width = WIDTH_PX
    trading: bool = False
    n: Milliseconds = 0.0

    def __post_init__(self) -> None:
        _check(self.period, self.symbols)
        _check(self.sight, [])


class Day(msgspec.Struct, forbid_unknown_fields=True):
    """See `queries.hours.Day`."""

    open_us: Micros
    close_us: Micros
    previous: Price | None
    high: Price | None
    low: Price | None
    volume: Annotated[float, Meta(ge=0)]
    value: Annotated[float, Meta(ge=0)]


class Multiple(msgspec.Struct, forbid_unknown_fields=True):
    """See `queries.view.Multiple`."""

    symbol: Symbol
    cursors: Cursors
    newest_us: Micros
    count: _count(20)  # type: ignore[valid-type]
    gap_s: Seconds | None
    room: _count(MAX_ADDED)  # type: ignore[valid-type]


class Drawn(msgspec.Struct, forbid_unknown_fields=True):
    """See `queries.view.Drawn`."""

    id: Identity
    symbol: Symbol | None
    range: Range
    period: Period | None
    sight: Period | None
    candles: Candles | None
    trading: bool
    symbols: Symbols
    multiples: Annotated[list[Multiple], Meta(max_length=MAX_SYMBOLS)]
    overview: bool
    paused: bool
    range_ms: Milliseconds | None
    cursors: Cursors
    first_us: Micros
    newest_us: Micros
    count: _count(20)  # type: ignore[valid-type]
    price: Price
    direction: Direction
    gap_s: Seconds | None
    rows: _count(_EXACT)  # type: ignore[valid-type]
    room: _count(MAX_EXTENDED)  # type: ignore[valid-type]
    total: _count(_EXACT)  # type: ignore[valid-type]
    kind: Kind
    width_ns: Offset
    follows: bool
    begin_us: Micros
    last: Annotated[dict[Annotated[str, Meta(max_length=64)], float | None], Meta(max_length=64)]
    threshold: Annotated[float, Meta(ge=0, le=10)]
    offsets: Annotated[list[tuple[float, int]], Meta(max_length=1_000)]
    day: Day | None
    source: Source
    failed: bool

    def __post_init__(self) -> None:
        _check(self.period, self.symbols)
        _check(self.sight, [])


class Rebuild(msgspec.Struct, forbid_unknown_fields=True):
    """A request to redraw: the drawing's id, and when the browser sent the request."""

    id: Identity | None
    at: Milliseconds
    wait: Milliseconds = 0.0


MutePattern = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9^.$#/=:_&+@!\- *?]{{0,{SYMBOL_CHARACTERS}}}\Z")]


class AskedMute(msgspec.Struct, forbid_unknown_fields=True):
    """A mute that a reader wants to create or, in `undo`, the id of a mute to end. If the pattern is empty, no mute is
    created.

    `minutes` is 0 for a mute without an end, `begins_us` is 0 for a mute that begins now.
    """

    pattern: MutePattern = ""
    minutes: _count(366 * 1440) = 0  # type: ignore[valid-type]
    begins_us: Micros = 0
    detector: Annotated[str, Meta(pattern=_of("", *DETECTORS))] = ""
    below: Annotated[float, Meta(ge=0, le=100)] = 0.0
    closed: bool = False
    undo: Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{16})?\Z")] = ""
    at: Milliseconds = 0.0


def _check(period: list[float] | None, symbols: list[str]) -> None:
    if period is not None and not period[0] < period[1]:
        raise ValueError("a period that ends before it begins")
    if len(set(symbols)) < len(symbols):
        raise ValueError("a symbol twice")


class Shape(NamedTuple):
    """Who may use a callback, and the types of its inputs and of its states, in their order."""

    role: Role
    inputs: tuple[Any, ...]
    states: tuple[Any, ...] = ()


class Indicate(msgspec.Struct, forbid_unknown_fields=True):
    """See `queries.indicated.Asked`."""

    symbol: Symbol
    sight: Period
    candles: Candles | None
    names: Annotated[list[Annotated[str, Meta(pattern=rf"^(?:{NAME})\Z")]], Meta(max_length=MOST)]
    n: Milliseconds

    def __post_init__(self) -> None:
        _check(self.sight, [])


class KeptLayout(msgspec.Struct, forbid_unknown_fields=True):
    """A named view: `query` is the query string of the page's address. An empty `query` removes the name. See
    `store.acks.Layout`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
    query: Annotated[str, Meta(max_length=MAX_QUERY, pattern=r"^[A-Za-z0-9%&=.,:+*_~()'!-]*\Z")]
    n: Milliseconds = 0.0


class RemovedBacktest(msgspec.Struct, forbid_unknown_fields=True):
    """A kept backtest that an operator removes: see `alerts.kept.Kept`."""

    made_ms: _count(END_YEAR_US // 1000)  # type: ignore[valid-type]
    n: Milliseconds = 0.0


class AskedRule(msgspec.Struct, forbid_unknown_fields=True):
    """A standing rule that an operator makes or, in `remove`, the id of a rule to remove. If the text is empty, no rule
    is made.
    """

    text: Annotated[str, Meta(max_length=MAX_TEXT, pattern=r"^[ -~]*\Z")] = ""
    remove: Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{16})?\Z")] = ""
    n: Milliseconds = 0.0


class AskedSteer(msgspec.Struct, forbid_unknown_fields=True):
    """An operator's command to the replay of the run `run`: see `store.steering.Command`. The `value` of a jump is in
    ms of the exchange's clock.
    """

    run: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    act: Annotated[str, Meta(pattern=_of(*ACTS))]
    value: float = 0.0
    n: Milliseconds = 0.0

    def __post_init__(self) -> None:
        if self.act == JUMP:
            if not 0 < self.value < LAST_WALL_MS:
                raise ValueError("a time that is out of range")
        else:
            Command(self.act, self.value)


SHAPES: Mapping[str, Shape] = {
    "acked.data": Shape("operator", (Annotated[list[Key], Meta(max_length=MAX_EPISODES)] | None,)),
    "withdrawn.data": Shape("operator", (Annotated[list[Key], Meta(max_length=MAX_EPISODES)] | None,)),
    "muted.data": Shape("operator", (AskedMute | None,)),
    "steered.data": Shape("operator", (AskedSteer | None,)),
    "indicated.data": Shape("viewer", (Indicate | None,)),
    "layout-kept.data": Shape("operator", (KeptLayout | None,)),
    "layouts-listed.data": Shape("viewer", (Milliseconds | None,)),
    "backtests-listed.data": Shape("viewer", (Milliseconds | None,)),
    "backtest-removed.data": Shape("operator", (RemovedBacktest | None,)),
    "rules-listed.data": Shape("viewer", (Milliseconds | None,)),
    "rule-kept.data": Shape("operator", (AskedRule | None,)),
    "drawing.data": Shape("viewer", (View | None, Rebuild | None)),
    "looked.data": Shape("viewer", (View | None,)),
    "delta.data": Shape("viewer", (_count(_EXACT) | None,), (Drawn | None, Watched | None, _count(_EXACT) | None)),
}
"""The shape of each callback, by the callback's output in `app.callback_map`."""
