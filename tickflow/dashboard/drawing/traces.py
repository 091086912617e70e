"""The traces of the chart and their order, and what the browser must know about their fields.

All of it follows from the table in `tickflow/metrics/fields.py`. The browser has no copy of it: it receives `facts` as
JSON.
"""

from typing import TypedDict

from tickflow.metrics.fields import FIELDS, TABLE, Field

_DRAWN_FIRST = ("y", "y3", "y4", "y2")


def _drawn(each: Field) -> tuple[int, int]:
    # In the panels below the price, longer windows come first, so that shorter ones are drawn on top of them.
    return _DRAWN_FIRST.index(each.panel), 0 if each.panel == "y" else -each.window


LINES = tuple(sorted((each for each in TABLE if each.line is not None), key=_drawn))
"""The fields that are drawn as lines, the price first. Every figure starts with their traces; then come those of
`MARKS`, `STEMS` and `BAND`, in this order.
"""
MARKS = (("Anomaly, high", 1), ("Anomaly, low", -1))
STEMS = (("Volume, up", "--up", 1), ("Volume, down", "--down", -1))
BAND = (("Band, low", -1), ("Band", 1))
"""The band around MA10, whose half-width is the threshold: a price outside the band is an anomaly."""
TRACES = len(LINES) + len(MARKS) + len(STEMS) + len(BAND)


def listed(fields: tuple[Field, ...]) -> list[Field]:
    """Fields in the order in which people read them: panel by panel from the top, shorter windows first, fields without
    a panel last.

    >>> [each.name for each in listed(tuple(each for each in TABLE if each.readout))]
    ['price', 'ma_5', 'ma_10', 'ma_20', 'volume', 'volatility', 'z_score']
    """
    return sorted(fields, key=lambda each: (each.panel or "~", each.window))


READOUT = listed(tuple(each for each in TABLE if each.readout))
"""The fields of the readout, the line of values above the chart."""
_IN_CSV = listed(tuple(each for each in TABLE if each.csv and each.name in FIELDS))
CSV = ["time_utc", "symbol", *(each.name for each in _IN_CSV), "source"]
"""The columns of the chart's CSV."""


OVERVIEW = tuple(each for each in TABLE if each.overview)
"""The fields that the rows of the watch list show in the overview."""


class FieldFacts(TypedDict):
    """A field for the browser. `trace` is the index of its line, or `None`; `window` is in ticks.

    `digits`: if `unit` is "price", how many more decimals than the price has; else the number of decimals.
    """

    name: str
    label: str
    unit: str
    digits: int
    window: int
    panel: str
    color: str | None
    width: float
    dash: str
    trace: int | None
    readout: bool


class ChartFacts(TypedDict):
    """What the browser must know about the chart: its fields, and the indexes of the other traces.

    `fields` are in the order of the readout and the CSV. `candles` is the index of a trace of candles. `overview` has
    the keys of the fields in the rows of the watch list.
    """

    fields: list[FieldFacts]
    marks: list[int]
    stems: list[int]
    band: list[int]
    candles: int
    csv: list[str]
    overview: list[str]


def facts() -> ChartFacts:
    """The facts about fields and traces, as JSON in the page."""
    traces = {each.name: index for index, each in enumerate(LINES)}
    shown = tuple(each for each in TABLE if each.readout or each.line is not None)
    marks, stems, band = len(LINES), len(LINES) + len(MARKS), len(LINES) + len(MARKS) + len(STEMS)
    return {
        "fields": [
            {
                "name": each.name,
                "label": each.label,
                "unit": str(each.unit),
                "digits": each.digits,
                "window": each.window,
                "panel": each.panel,
                "color": None if each.line is None else each.line.color,
                "width": 0.0 if each.line is None else each.line.width,
                "dash": "" if each.line is None else each.line.dash,
                "trace": traces.get(each.name),
                "readout": each.readout,
            }
            for each in listed(shown)
        ],
        "marks": list(range(marks, stems)),
        "stems": list(range(stems, band)),
        "band": list(range(band, TRACES)),
        "candles": TRACES,
        "csv": CSV,
        "overview": [each.overview for each in OVERVIEW],
    }
