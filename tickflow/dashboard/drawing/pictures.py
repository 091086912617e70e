"""Pictures: the data that a symbol's chart draws for a time range, as plain columns, without I/O, colours or screen
coordinates.

A picture is of one of three kinds. `ticks`: every tick, with its measures. `columns`: as many columns as the screen has
pixels, each with the first, highest, lowest and last price, the sum of the volume and the range of each measure.
`candles`: the same, in steps of the length that the reader chose, and with averages over candles instead of ticks.

`x` is in ms of the exchange's wall clock: a tick's own time, or where a column begins. `y` has one list per name.
`marks` are the marked anomalies, also as columns. `sources` lists each change of source: its time, and the name of the
new source.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.dashboard.drawing import clock
from tickflow.metrics.fields import MEASURED, Kind
from tickflow.metrics.points import Points
from tickflow.store.candles import Candles
from tickflow.store.digest import Outline
from tickflow.store.pixels import MEASURES, Pixels, strength

Picture = dict[str, Any]
Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int64]

MARKED = ("price", "ma_10", "volatility", "z_score")


def of_ticks(rows: Points, price: float | None = None, direction: int = 1) -> Picture:
    """A picture of every tick, in time order. `price` and `direction` belong to the tick before the first row, if there
    is one.
    """
    signs = (
        directions(rows.price) if price is None else directions(np.concatenate([[price], rows.price]), direction)[1:]
    )
    y: dict[str, Any] = {"price": rows.price, "volume": rows.volume, "direction": signs}
    y |= {name: shortened(getattr(rows, name)) for name in MEASURES}
    marked = rows.take(np.flatnonzero(rows.is_anomaly))
    return _picture("ticks", 0, clock.wall_ms(rows.time_ns), y, marks(marked), sources(rows))


def of_pixels(pixels: Pixels, width_ns: int, marked: Points, source: str) -> Picture:
    """A picture in columns, about one per pixel; `marked` are the anomalies to mark."""
    y: dict[str, Any] = {name: getattr(pixels, name) for name in ("open", "high", "low", "close", "volume")}
    y |= {"ticks": pixels.ticks, "anomalies": pixels.anomalies}
    for name in MEASURES:
        y |= {f"{name}_low": coarse(pixels.lows[name]), f"{name}_high": coarse(pixels.highs[name])}
    x = clock.wall_ms(pixels.time_ns)
    return _picture("columns", width_ns, x, y, marks(marked), [(float(x[0]), source)] if len(x) else [])


def of_candles(candles: Candles, width_ns: int, begin_ns: int, threshold: float, source: str) -> Picture:
    """A picture of the candles at or after `begin_ns`. Earlier candles only fill the windows of the averages, which
    count candles instead of ticks.
    """
    known = {"price": candles.close, "volume": candles.volume.astype(np.float64)}
    measured: dict[str, Any] = {}
    for each in MEASURED:
        if each.of is None or each.kind is not Kind.FLOAT:
            continue
        values, column = known[each.of], np.full(len(candles), np.nan)
        if len(values) >= each.window:
            windows = np.lib.stride_tricks.sliding_window_view(values, each.window).T
            others = [measured[name][each.window - 1 :] for name in each.after]
            column[each.window - 1 :] = each.formula(windows, *others)
        measured[each.name] = column
    shown = slice(int(np.searchsorted(candles.time_ns, begin_ns)), None)
    y: dict[str, Any] = {name: getattr(candles, name)[shown] for name in ("open", "high", "low", "close")}
    y |= {"volume": candles.volume[shown], "ticks": candles.ticks[shown]}
    y |= {name: shortened(measured[name][shown]) for name in MEASURES}
    x = clock.wall_ms(candles.time_ns[shown])
    beyond = np.flatnonzero(measured["z_score"][shown] > threshold)
    flagged = {
        "x": x[beyond],
        **{name: shortened((y["close"] if name == "price" else measured[name][shown])[beyond]) for name in MARKED},
        "strength": shortened(np.abs(y["close"][beyond] / measured["ma_10"][shown][beyond] - 1)),
    }
    return _picture("candles", width_ns, x, y, flagged, [(float(x[0]), source)] if len(x) else [])


def _picture(
    kind: str, width_ns: int, x: Floats, y: dict[str, Any], marked: dict[str, Any], named: list[tuple[float, str]]
) -> Picture:
    return {"kind": kind, "width_ms": width_ns / 1e6, "x": x, "y": y, "marks": marked, "sources": named}


def covering(picture: Picture, begin_ns: int, end_ns: int) -> Picture:
    """The picture with `covers`, the time range for which it is complete, in wall-clock ms."""
    covers: list[float] = clock.wall_ms(np.array([max(0, begin_ns), end_ns], dtype=np.int64)).tolist()
    return picture | {"covers": covers}


def last(rows: Points) -> dict[str, float | None]:
    """The measures and the volume of the last row, by name; `None` means absent."""
    values = {name: float(getattr(rows, name)[-1]) for name in (*MEASURES, "volume")}
    return {name: None if value != value else value for name, value in values.items()}


def marks(rows: Points) -> dict[str, Any]:
    """The columns of these anomalies that marks and their tooltips need."""
    average = rows.vol_avg_10
    times = np.divide(rows.volume, average, out=np.full(len(rows), np.nan), where=average > 0)
    return {
        "x": clock.wall_ms(rows.time_ns),
        **{name: shortened(getattr(rows, name)) for name in MARKED},
        "strength": shortened(strength(rows)),
        "times": np.round(times, 2),
        "partition": rows.partition,
        "offset": rows.offset,
    }


def sources(rows: Points | Outline) -> list[tuple[float, str]]:
    """Each change of source among the rows: its time in wall-clock ms, and the name of the new source."""
    at = [i for i, source in enumerate(rows.source) if not i or source != rows.source[i - 1]]
    times: list[float] = clock.wall_ms(rows.time_ns[at]).tolist()
    return list(zip(times, (rows.source[i] for i in at), strict=True))


def directions(price: Floats, first: int = 1) -> Signs:
    """The direction of each tick by the tick rule: 1 after a rise, -1 after a fall; an unchanged price keeps the
    previous direction.

    See Lee and Ready, "Inferring Trade Direction from Intraday Data" (The Journal of Finance 46, 1991).

    >>> directions(np.array([5.0, 6.0, 6.0, 4.0, 4.0])).tolist()
    [1, 1, 1, -1, -1]
    """
    signs = np.sign(np.diff(price, prepend=price[:1])).astype(np.int64)
    last_move = np.maximum.accumulate(np.where(signs != 0, np.arange(len(signs)), -1))
    return np.where(last_move < 0, first, signs[np.maximum(last_move, 0)])


def shortened(values: Floats) -> Floats:
    """The values rounded to two digits more than the page shows: the remaining digits would make up most of a picture's
    size.

    >>> shortened(np.array([187.123456789, 0.00123456789, 0.0, np.nan])).tolist()
    [187.1235, 0.00123457, 0.0, nan]
    """
    size = np.abs(values)
    common = (size > 1e-200) & (size < 1e200)  # otherwise, the scale or the scaled value may overflow
    scale = 10.0 ** np.maximum(4, 5 - np.floor(np.log10(size, out=np.zeros_like(size), where=common)))
    return np.where(common, np.round(np.where(common, values, 0) * scale) / scale, values)


def coarse(values: Floats) -> Floats:
    """The lower or upper bounds of a measure, rounded to a ten-thousandth of their range: finer than a pixel.

    >>> coarse(np.array([187.123456789, 188.987654321, np.nan])).tolist()
    [187.1235, 188.9877, nan]
    """
    known = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(known):
        return values
    span = float(known.max() - known.min()) or float(known.max())
    places = int(np.clip(np.ceil(4 - np.log10(span)), 0, 15))
    return np.round(values, places)
