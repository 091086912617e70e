"""Indicators computed from the candles of a time range: the browser draws them in addition to a picture."""

import re
from typing import Any, TypedDict

import numpy as np

from tickflow.dashboard.drawing import clock, pictures
from tickflow.dashboard.queries import hours, ranges
from tickflow.metrics.indicators import INDICATORS, LEAD, MAX_LENGTH, Bars
from tickflow.sessions import Sessions
from tickflow.store.base import PageQueries
from tickflow.store.candles import Candles

MOST = 8
"""The maximum number of indicators at a time."""
NAME = rf"(?:{'|'.join(INDICATORS)})(?:\.[1-9][0-9]{{0,2}})?"
"""The pattern of an indicator's name, with its number of candles where that is not the default: "rsi", "ema.50"."""
_PARTS = re.compile(rf"^({'|'.join(INDICATORS)})(?:\.([0-9]+))?\Z")


class Asked(TypedDict):
    """What a browser requests: indicators by name over a time range (wall-clock ms), and the width of the candles
    (`None`: the width that fits).
    """

    symbol: str
    sight: list[float]
    candles: str | None
    names: list[str]
    n: float


def indicated(store: PageQueries, sessions: Sessions, asked: Asked) -> dict[str, Any]:
    """The lines of the indicators by name, over candles that begin at `x`. Raises `StoreError`."""
    symbol = asked["symbol"]
    begin, end = (clock.utc_ns(bound) for bound in asked["sight"])
    width = ranges.candle_width(asked["candles"] or "auto", end - begin)
    margin = (end - begin) // 2
    since, until = max(0, begin - margin) // width * width, end + margin
    lead_begin = max(0, since - LEAD * width)
    candles = store.candles(symbol, lead_begin, until, width)
    shown = slice(int(np.searchsorted(candles.time_ns, since)), None)
    bars = _bars(store, sessions, symbol, candles)
    lines = {}
    for name in asked["names"]:
        found = _PARTS.match(name)
        if found is None:
            continue
        indicator = INDICATORS[found[1]]
        length = min(MAX_LENGTH, int(found[2] or indicator.length or 1))
        values = indicator.of(bars, max(2, length))
        lines[name] = {
            line: pictures.shortened(column[shown]) for line, column in zip(indicator.lines, values, strict=True)
        }
    covers: list[float] = clock.wall_ms(np.array([since, until], dtype=np.int64)).tolist()
    return {
        "symbol": symbol,
        "width_ms": width / 1e6,
        "covers": covers,
        "x": clock.wall_ms(candles.time_ns[shown]),
        "lines": lines,
        "n": asked["n"],
    }


def _bars(store: PageQueries, sessions: Sessions, symbol: str, candles: Candles) -> Bars:
    volume = candles.volume.astype(np.float64)
    session = np.zeros(len(candles))
    volume_before = value_before = 0.0
    if len(candles):
        first, last = int(candles.time_ns[0]), int(candles.time_ns[-1])
        source = store.newest(symbol, 1).source
        if source and hours.applies(sessions, source[0]):
            found = sessions.between(first, last + 1)
            session -= 1
            for number, each in enumerate(found):
                session[(candles.time_ns >= each.open) & (candles.time_ns < each.close)] = number
            opened = next((each.open for each in found if each.open <= first < each.close), None)
        else:
            days = clock.wall_ms(candles.time_ns) // 86_400_000
            session = days - days[0]
            opened = first - int(clock.wall_ms(candles.time_ns[:1])[0] % 86_400_000 * 1e6)
        before = None if opened is None or opened >= first else store.totals(symbol, opened, first)
        if before is not None:
            volume_before, value_before = before.volume, before.value
    return Bars(candles.high, candles.low, candles.close, volume, session, volume_before, value_before)
