"""Turns rows into a figure: a plain dict in Plotly's form, with numpy arrays, without I/O and without graph objects.

One figure has four panels on one time axis. A colour is the name of a token of `assets/page.css` ("--up"), which the
browser replaces, so that a theme needs no new figure. Ranges, labels at the ends of lines and the tag of the last price
belong to the view; the scripts in `assets/` set them in the browser.

Every trace has `x` and `y` and no other column, so that one `extendData` serves all of them. Row i of the points is
item i of the lines and items 3i to 3i + 2 of the stems of the volume.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.arrays import Floats
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.drawing.traces import BAND, LINES, MARKS, STEMS
from tickflow.metrics.points import Points
from tickflow.store.base import Candles
from tickflow.store.digest import Outline

Figure = dict[str, Any]
Signs = npt.NDArray[np.int64]

PANELS = {"y": (0.46, 1.0), "y2": (0.305, 0.425), "y3": (0.155, 0.265), "y4": (0.0, 0.115)}


def figure(
    rows: Points,
    volumes: npt.NDArray[np.float64],
    *,
    symbol: str,
    revision: str,
    threshold: float,
    candles: Candles | None = None,
    candle_ms: float = 0.0,
) -> Figure:
    """The figure of a symbol's rows, in time order; `volumes` is the volume that each row represents (see `Digest`).

    Figures with the same `revision` keep the reader's zoom and hidden lines. `threshold` is drawn in the panel of z.
    `candles`, `candle_ms` wide, become one more trace, the last one.
    """
    columns = _columns(rows, volumes, directions(rows.price), threshold)
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": each.label,
            "yaxis": each.panel,
            "line": {"color": each.line.color, "width": each.line.width, "dash": each.line.dash},
            "hoverinfo": "none",
        }
        for each in LINES
        if each.line is not None
    ]
    data += [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "yaxis": "y",
            "marker": {
                "symbol": "triangle-up",  # beside the line, with its tip at the tick
                "angle": 180 if side > 0 else 0,
                "standoff": 7,
                "size": 9,
                "color": "--anomaly",
            },
            "hoverinfo": "skip",
            "cliponaxis": False,
        }
        for name, side in MARKS
    ]
    data += [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "yaxis": "y2",
            "line": {"color": color, "width": 2},
            "hoverinfo": "skip",
        }
        for name, color, _ in STEMS
    ]
    data += [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "yaxis": "y",
            "line": {"width": 0},
            "fill": "tonexty" if side > 0 else "none",
            "fillcolor": "--band",
            "zorder": -1,
            "hoverinfo": "skip",
        }
        for name, side in BAND
    ]
    for trace, x, y in zip(data, columns["x"], columns["y"], strict=True):
        trace |= {"x": x, "y": y, "showlegend": False}
    if candles is not None:
        data.append(_candlestick(candles, candle_ms))
    layout = _layout(symbol, revision, threshold)
    layout["meta"]["evidence"] = evidence(rows)
    layout["meta"]["sources"] = sources(rows)
    return {"data": data, "layout": layout}


def _candlestick(candles: Candles, width_ms: float) -> Figure:
    side = {"line": {"width": 1}}
    return {
        "type": "candlestick",
        "name": "Candles",
        "yaxis": "y",
        "x": clock.wall_ms(candles.time_ns),
        "open": candles.open,
        "high": candles.high,
        "low": candles.low,
        "close": candles.close,
        "increasing": {"line": {"color": "--up", **side["line"]}, "fillcolor": "--paper"},
        "decreasing": {"line": {"color": "--down", **side["line"]}, "fillcolor": "--down"},
        "hoverinfo": "none",
        "showlegend": False,
        "xperiod": width_ms,
        "xperiodalignment": "middle",
    }


def extension(rows: Points, price: float, direction: int, threshold: float) -> dict[str, list[Floats]]:
    """What `extendData` adds to each trace for further rows; `price` and `direction` are those of the row
    before them.
    """
    signs = directions(np.concatenate([[price], rows.price]), direction)[1:]
    return _columns(rows, rows.volume, signs, threshold)


def evidence(rows: Points) -> list[list[float | None]]:
    """For each anomaly what its mark cannot show: wall-clock ms, partition, offset, volume relative to its
    average of 10.
    """
    at = np.flatnonzero(rows.is_anomaly)
    average = rows.vol_avg_10[at]
    ratio = np.round(np.divide(rows.volume[at], average, out=np.full(len(at), np.nan), where=average > 0), 2)
    columns = clock.wall_ms(rows.time_ns[at]), rows.partition[at], rows.offset[at], ratio
    return [
        [time, partition, offset, None if times != times else times]
        for time, partition, offset, times in zip(*(column.tolist() for column in columns), strict=True)
    ]


def sources(rows: Points | Outline) -> list[tuple[float, str]]:
    """The sources of the rows: from when on, in wall-clock ms, and the name of the source."""
    at = [i for i, source in enumerate(rows.source) if not i or source != rows.source[i - 1]]
    times: list[float] = clock.wall_ms(rows.time_ns[at]).tolist()
    return list(zip(times, (rows.source[i] for i in at), strict=True))


def directions(price: Floats, first: int = 1) -> Signs:
    """The tick rule: 1 where a price rose and -1 where it fell; an unchanged price keeps the previous direction.

    >>> directions(np.array([5.0, 6.0, 6.0, 4.0, 4.0])).tolist()
    [1, 1, 1, -1, -1]
    """
    signs = np.sign(np.diff(price, prepend=price[:1])).astype(np.int64)
    last_move = np.maximum.accumulate(np.where(signs != 0, np.arange(len(signs)), -1))
    return np.where(last_move < 0, first, signs[np.maximum(last_move, 0)])


def _columns(rows: Points, volumes: npt.NDArray[np.float64], signs: Signs, threshold: float) -> dict[str, list[Floats]]:
    time = clock.wall_ms(rows.time_ns)
    x, y = [], []
    for each in LINES:
        x.append(time)
        y.append(rows.price if each.name == "price" else shortened(getattr(rows, each.name)))
    above = np.where(rows.price >= rows.ma_10, 1, -1)
    for _, side in MARKS:
        marked = rows.is_anomaly & (above == side)
        x.append(time[marked])
        y.append(rows.price[marked])
    for _, _, side in STEMS:
        # From the ground to the volume, then a gap: a single path for any number of ticks at any distances.
        stem = np.full((len(rows), 3), np.nan)
        stem[:, 0] = 0
        stem[:, 1] = volumes
        stem[signs != side] = np.nan
        x.append(np.repeat(time, 3))
        y.append(stem.ravel())
    for _, side in BAND:
        x.append(time)
        y.append(shortened(rows.ma_10 + side * threshold * rows.volatility))
    return {"x": x, "y": y}


def shortened(values: Floats) -> Floats:
    """Each value with two digits more than the page shows: all digits would be most of the size of a figure.

    >>> shortened(np.array([187.123456789, 0.00123456789, 0.0, np.nan])).tolist()
    [187.1235, 0.00123457, 0.0, nan]
    """
    size = np.abs(values)
    common = (size > 1e-200) & (size < 1e200)  # the rounded number is multiplied first
    scale = 10.0 ** np.maximum(4, 5 - np.floor(np.log10(size, out=np.zeros_like(size), where=common)))
    return np.where(common, np.round(np.where(common, values, 0) * scale) / scale, values)


def _layout(symbol: str, revision: str, threshold: float) -> Figure:
    text = {"color": "--muted", "size": 11}
    layout: Figure = {
        "uirevision": revision,
        "paper_bgcolor": "--paper",
        "plot_bgcolor": "--paper",
        "font": {"family": "system-ui, sans-serif", **text},
        "margin": {"l": 12, "r": 68, "t": 6, "b": 34},
        "showlegend": False,
        "hovermode": "x",
        "hoversubplots": "axis",
        "hoverdistance": -1,
        "spikedistance": -1,
        "dragmode": "pan",
        "separators": ".,",
        "meta": {"symbol": symbol, "threshold": threshold},
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "yref": "y4",
                "y0": threshold,
                "y1": threshold,
                "line": {"color": "--anomaly", "width": 1, "dash": "4px,3px"},
            }
        ],
        "xaxis": {
            "type": "date",
            "anchor": "y4",
            "rangeslider": {"visible": False},  # candles bring a price line of their own
            "autorange": False,
            "gridcolor": "--grid",
            "linecolor": "--line",
            "zeroline": False,
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "hovered data",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": "--muted",
            "tickformatstops": [
                {"dtickrange": [None, 1000], "value": "%H:%M:%S.%L\n%b %d"},
                {"dtickrange": [1000, 60_000], "value": "%H:%M:%S\n%b %d"},
                {"dtickrange": [60_000, 86_400_000], "value": "%H:%M\n%b %d"},
                {"dtickrange": [86_400_000, None], "value": "%b %d\n%Y"},
            ],
        },
    }
    for panel, domain in PANELS.items():
        layout[f"yaxis{panel[1:]}"] = {
            "domain": list(domain),
            "side": "right",
            "autorange": False,
            "fixedrange": True,
            "gridcolor": "--grid",
            "zeroline": False,
            "nticks": 6 if panel == "y" else 3,
            "tickfont": text,
        }
    return layout
