"""The page's main part: the headline, the switches, the readout line and the chart of the chosen symbol."""

from typing import Any, NamedTuple

from dash import html
from dash.development.base_component import Component

from tickflow.dashboard.drawing import clock, ids, traces
from tickflow.dashboard.queries import ranges


class Reading(NamedTuple):
    """A value of the readout; a click on `label` hides the line `trace`, and `swatch` is the colour of that line."""

    key: str
    label: str
    trace: str | None = None
    swatch: str = ""


def _readings() -> list[Reading]:
    price, *others = traces.READOUT
    candle = [Reading(side, side.upper()) for side in "ohlc"]
    found = [Reading("time", "Time"), Reading(price.name, price.label), *candle]
    for each in others:
        is_switch = each.line is not None and each.panel == price.panel
        color = each.line.color.removeprefix("--") if each.line is not None else ""
        found.append(Reading(each.name, each.label, each.label if is_switch else None, color))
    found.append(Reading("anomaly", "Anomalies", "Anomaly", "anomaly"))
    band = Reading("band", "Band", "Band", "band")  # it lies around MA10, so it is placed after the averages
    last = max(at for at, each in enumerate(found) if each.trace and each.key != "anomaly")
    return [*found[: last + 1], band, *found[last + 1 :]]


READOUT = _readings()
_BELOW = 1 + next(at for at, each in enumerate(READOUT) if each.key == "band")
_ABOVE, (_VOLUME, *_MEASURES, _LAST, _ANOMALIES) = READOUT[:_BELOW], READOUT[_BELOW:]
KINDS = (
    # Each has an option, its value, a label, and a description of the effect.
    ("candles", "auto", "Candles", "Candles instead of the line"),
    ("scale", "percent", "%", "Percent since the first visible price"),
    ("log", "1", "Log", "Logarithmic price axis"),
    ("trading", "1", "Trading hours", "Regular hours only, without nights, weekends and holidays"),
    (
        "overlay",
        "1",
        "Overlay",
        "All in one chart, in percent since the start of the range or, for a day, the previous close",
    ),
)


def section() -> Component:
    """The main part, without content."""
    return html.Section(
        id="chart-section",
        className="chart-section is-empty",
        **{"aria-label": "Chart"},
        children=[
            html.Div(
                id=ids.HEADLINE,
                className="headline",
                children=[
                    html.H2("", id="headline-symbol", className="headline-symbol"),
                    html.Span("", id="headline-price", className="headline-price"),
                    html.Span("", id="headline-change", className="headline-change"),
                    html.Span("", id="headline-note", className="headline-note"),
                    html.Span("", id="headline-session", className="headline-note headline-session"),
                    html.Span("", id="badge-full", className="badge badge-full", hidden=True),
                    html.Div(id="compared", className="compared", role="toolbar", **{"aria-label": "Compared symbols"}),
                    _kinds(),
                    html.Button(
                        "Back to the newest tick", id="go-live", className="go-live", type="button", hidden=True
                    ),
                ],
            ),
            html.Div(
                id=ids.READOUT,
                className="readout",
                role="toolbar",
                children=_readout(),
                **{"aria-label": "Values at the pointer, or the newest"},
            ),
            html.P("Reading from the store …", id=ids.EMPTY, className="empty"),
            html.P("", id=ids.SUMMARY, className="unseen"),
            html.Figure(
                className="figure",
                role="group",
                children=[
                    html.P("", id="advice", className="evidence advice", hidden=True),
                    html.P("", id="evidence", className="evidence", hidden=True),
                    html.P("", id=ids.CURSOR_SAID, className="unseen", role="status"),
                    html.Div(
                        id=ids.CHART,
                        className="chart",
                        tabIndex=0,
                        role="application",
                        **{"aria-label": "Chart: arrow keys read the values, N leads to the next anomaly"},
                    ),
                ],
                **{"aria-labelledby": ids.SUMMARY},
            ),
            html.P("", id="caption", className="caption"),
            html.P("", id="multiples-summary", className="unseen"),
            html.P("", id="advice-several", className="advice-several"),
            html.Figure(
                className="figure figure-multiples",
                role="group",
                tabIndex=0,  # many charts scroll, and keys must reach what scrolls
                children=html.Div(id=ids.MULTIPLES, className="chart"),
                **{"aria-labelledby": "multiples-summary"},
            ),
        ],
    )


def _readout() -> list[Component]:
    """The values, in two lines that stand below each other where one line is too short for all.

    On a phone they break into further lines. There the last measure stays beside the volume, which is short: |z| alone
    would waste a line.
    """
    pair = html.Span([_reading(_VOLUME), _reading(_LAST)], className="reading-pair")
    lines = [[_reading(each) for each in _ABOVE], [*map(_reading, _MEASURES), pair, _reading(_ANOMALIES)]]
    return [html.Div(line, className="readout-line") for line in lines]


def _kinds() -> Component:
    """Switches for how the price is drawn, and the width of candles."""
    switches: list[Component] = [
        html.Button(
            label,
            className="chip",
            type="button",
            title=title,
            **{"data-option": option, "data-value": value, "aria-pressed": "false"},
        )
        for option, value, label, title in KINDS
    ]
    widths = [html.Option("auto width", value="auto")] + [html.Option(name, value=name) for name in ranges.CANDLES]
    choice = html.Select(
        widths, id="candle-width", className="chip", hidden=True, **{"aria-label": "Width of a candle"}
    )
    zones = [("exchange", clock.words()), ("local", "Local time"), ("utc", "UTC")]
    zone = html.Select(
        [html.Option(label, value=value) for value, label in zones],
        id="zone",
        className="chip",
        **{"aria-label": "Time zone"},
    )
    tools = [
        _chip("Indicators", "show-indicators", "VWAP, EMA, Bollinger, RSI …"),
        _chip(
            "Measure",
            "measure",
            "Measure with the next drag, or with Shift and a drag",
            **{"aria-pressed": "false"},
        ),
        _chip("Lines", "show-levels", "Your own lines at prices"),
    ]
    export = [
        _chip("CSV", "csv", "Save every stored tick of the visible range as CSV"),
        _chip("PNG", "png", "Save the chart as a picture, with symbol, period, source and time in it"),
        _chip("Table", "show-table", "The visible part as a table (T)"),
        _chip("Layouts", "show-layouts", "Named views, shared by all readers"),
        _chip("", "full-screen", "Full screen (F)", className="chip icon-full", **{"aria-label": "Full screen"}),
        _chip("?", "show-keys", "Keys (?)", **{"aria-label": "Keys"}),
    ]
    period = _chip("From – to", ids.PERIOD_OPEN, "A range from one moment to another")
    compare = _chip("Compare", "compare", "Several symbols, each in a small chart (M)", **{"aria-pressed": "false"})
    return html.Div(
        [period, compare, *switches, choice, zone, *tools, *export],
        className="kinds",
        role="toolbar",
        **{"aria-label": "How the price is drawn"},
    )


def _chip(label: str, name: str, title: str, **more: Any) -> Component:
    """A button of the bar above the chart."""
    return html.Button(label, id=name, type="button", title=title, **{"className": "chip", **more})


def _reading(each: Reading) -> Component:
    """One value of the readout; if the chart has a line for it, a click on its name shows or hides that line."""
    key, label, trace, color = each
    name: Component
    if trace is None:
        name = html.Span(label, className="reading-name")
    else:
        swatch = html.Span(className=f"swatch swatch-{color}", **{"aria-hidden": "true"})
        name = html.Button(
            [swatch, label],
            className="reading-name switch",
            type="button",
            title=f"Show or hide {label}",
            **{"data-trace": trace, "aria-pressed": "true"},
        )
    values = [] if key == "band" else [html.Span("–", id=f"reading-{key}", className="reading-value")]
    if key == "time":
        values.append(html.Span("", id="reading-utc", className="reading-more"))
    return html.Span([name, *values], className=f"reading reading-of-{key}")
