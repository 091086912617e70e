"""Indicators that a reader chooses, computed from candles: pure functions of columns, oldest first. Unknown values are
NaN.

The definitions are the usual ones: J. W. Wilder, "New Concepts in Technical Trading Systems" (1978), for RSI and ATR,
whose averages begin with the plain mean of their first n values; G. Appel for MACD; J. Bollinger for the bands, with
the deviation of the population (n). An exponential average begins with the plain mean of its first n values too.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from tickflow.arrays import Floats


class Bars(NamedTuple):
    """Columns of candles, and two sums over the session before the first candle: volume, and price times volume.

    `session` has a number per candle: equal within one session, negative outside all sessions.
    """

    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: Floats
    volume_before: float = 0.0
    value_before: float = 0.0


def smoothed(values: Floats, n: int, weight: float) -> Floats:
    """The exponential average in which each new value has the weight `weight`; it starts at the mean of the first n
    known values.

    >>> smoothed(np.array([np.nan, 1.0, 3.0, 6.0]), 2, 0.5).tolist()
    [nan, nan, 2.0, 4.0]
    """
    result = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < n:
        return result
    first = int(known[0])
    average = float(np.mean(values[first : first + n]))
    result[first + n - 1] = average
    for i in range(first + n, len(values)):
        average += weight * (float(values[i]) - average)
        result[i] = average
    return result


def ema(values: Floats, n: int) -> Floats:
    """The exponential moving average of n values.

    >>> ema(np.array([1.0, 2.0, 3.0, 5.0]), 3).tolist()
    [nan, nan, 2.0, 3.5]
    """
    return smoothed(values, n, 2 / (n + 1))


def bollinger(values: Floats, n: int, widths: float = 2.0) -> tuple[Floats, Floats, Floats]:
    """The mean of n values, and the bounds `widths` deviations below and above it: low, middle, high.

    >>> [side.tolist()[-1] for side in bollinger(np.array([1.0, 3.0]), 2)]
    [0.0, 2.0, 4.0]
    """
    middle, away = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if len(values) >= n:
        windows = np.lib.stride_tricks.sliding_window_view(values, n)
        middle[n - 1 :] = windows.mean(axis=1)
        away[n - 1 :] = widths * windows.std(axis=1)
    return middle - away, middle, middle + away


def rsi(values: Floats, n: int) -> Floats:
    """The relative strength of n changes, 0 to 100; 50 where no value changed.

    >>> rsi(np.array([1.0, 2.0, 1.0, 4.0]), 2).round(2).tolist()
    [nan, nan, 50.0, 87.5]
    """
    change = np.diff(values, prepend=np.nan)
    up = smoothed(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), n, 1 / n)
    down = smoothed(np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), n, 1 / n)
    moved = up + down
    still: Floats = np.where(np.isnan(moved), np.nan, 50.0)
    return np.divide(100 * up, moved, out=still, where=moved > 0)


def macd(values: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Floats, Floats, Floats]:
    """The difference of two exponential averages, the exponential average of this difference (the signal), and the
    difference minus the signal.
    """
    line = ema(values, fast) - ema(values, slow)
    average = ema(line, signal)
    return line, average, line - average


def atr(high: Floats, low: Floats, close: Floats, n: int) -> Floats:
    """The average true range of n candles, in units of the price; the first candle has no close before it.

    >>> atr(np.array([2.0, 3.0, 6.0]), np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 5.0]), 2).tolist()
    [nan, nan, 2.5]
    """
    before = np.concatenate([[np.nan], close[:-1]])
    true_range = np.maximum(high, before) - np.minimum(low, before)
    return smoothed(true_range, n, 1 / n)


def vwap(bars: Bars) -> Floats:
    """The average price of each session so far, weighted by volume: each candle counts with its typical price, the mean
    of high, low and close; ticks before the first candle count with their own price.
    """
    value = (bars.high + bars.low + bars.close) / 3 * bars.volume
    result = np.full(len(value), np.nan)
    for session in np.unique(bars.session[bars.session >= 0]):
        inside = np.flatnonzero(bars.session == session)
        begins = inside[0] == 0
        volumes = np.cumsum(bars.volume[inside]) + (bars.volume_before if begins else 0.0)
        values = np.cumsum(value[inside]) + (bars.value_before if begins else 0.0)
        part = np.full(len(inside), np.nan)
        np.divide(values, volumes, out=part, where=volumes > 0)
        result[inside] = part
    return result


Lines = Mapping[str, Floats]


class Indicator(NamedTuple):
    """An indicator in the menu. `length`: its default number of candles, 0 if it has none. `panel`: "y" if it is drawn
    over the prices, else the name of its own panel. `lines` are the names of what `of(bars, length)` returns.
    """

    label: str
    length: int
    panel: str
    lines: tuple[str, ...]
    of: Callable[[Bars, int], tuple[Floats, ...]]


INDICATORS: Mapping[str, Indicator] = {
    "vwap": Indicator("VWAP", 0, "y", ("line",), lambda bars, _: (vwap(bars),)),
    "ema": Indicator("EMA", 20, "y", ("line",), lambda bars, n: (ema(bars.close, n),)),
    "bollinger": Indicator("Bollinger", 20, "y", ("low", "line", "high"), lambda bars, n: bollinger(bars.close, n)),
    "rsi": Indicator("RSI", 14, "rsi", ("line",), lambda bars, n: (rsi(bars.close, n),)),
    "macd": Indicator("MACD", 0, "macd", ("line", "signal", "histogram"), lambda bars, _: macd(bars.close)),
    "atr": Indicator("ATR", 14, "atr", ("line",), lambda bars, n: (atr(bars.high, bars.low, bars.close, n),)),
}
MAX_LENGTH = 200
"""The largest length, in candles, that a reader may choose."""
LEAD = 3 * MAX_LENGTH
"""How many candles before the visible ones are read: anything earlier weighs less than e^-6 in an exponential average.
"""
