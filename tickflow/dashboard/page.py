"""The page's layout: what stands where, with its names and labels. It needs no store; what it shows comes later."""

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from tickflow.dashboard import ids, ranges, watch_list

TITLE = "Tickflow"
CLOCK_MS = 1000

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <meta name="color-scheme" content="light dark">
        <title>{%title%}</title>
        {%favicon%}
        {%css%}
        <script src="assets/first.js"></script>
    </head>
    <body>
        {%app_entry%}
        <noscript><p class="loading">This page needs JavaScript, which is switched off here.</p></noscript>
        <footer>
            {%config%}
            {%scripts%}
            {%renderer%}
        </footer>
    </body>
</html>
"""

READOUT = (
    # key, label, name of the trace that a click hides, or none
    ("time", "Time", None),
    ("price", "Price", None),
    ("ma5", "MA5", "MA5"),
    ("ma10", "MA10", "MA10"),
    ("ma20", "MA20", "MA20"),
    ("volume", "Volume", None),
    ("volatility", "Volatility", None),
    ("z", "|z|", None),
    ("anomaly", "Anomalies", "Anomaly"),
    ("band", "Band", "Band"),
)
KINDS = (
    # option, value, label, what it does
    ("candles", "auto", "Candles", "Candles in the place of the line"),
    ("scale", "percent", "%", "Percent since the first price in sight"),
    ("log", "1", "Log", "Logarithmic price axis"),
)


def layout(*, update_interval: float) -> Component:
    """The page, refreshed every `update_interval` seconds."""
    return dmc.MantineProvider(
        id=ids.PROVIDER,
        defaultColorScheme="auto",
        theme={"fontFamily": "system-ui, sans-serif", "primaryColor": "dark", "defaultRadius": "sm"},
        children=[
            *_stores(update_interval),
            html.Dialog(id=ids.PERIOD, className="period", **{"aria-label": "A range from one moment to another"}),
            html.Dialog(id=ids.KEYS, className="period", **{"aria-label": "Keys"}),
            html.Dialog(id=ids.SHEET, className="sheet", **{"aria-label": "Alerts"}),
            dmc.AppShell(
                header={"height": {"base": 88, "sm": 56}},
                navbar={"width": 320, "breakpoint": "sm", "collapsed": {"mobile": True}},
                padding=0,
                children=[
                    dmc.AppShellHeader(_header()),
                    dmc.AppShellNavbar(_watch_list(), **{"aria-label": "Watch list"}),
                    dmc.AppShellMain(_main(), id="main"),
                ],
            ),
        ],
    )


def _stores(update_interval: float) -> list[Component]:
    stores = [ids.VIEW, ids.DRAWN, ids.WATCHED, ids.DRAWING, ids.DELTA, ids.REBUILD]
    stores += [ids.OPTIONS, ids.ALERTED, ids.ACKNOWLEDGE, ids.ACKED]
    return [
        dcc.Store(id=ids.BOOT, data=update_interval),
        dcc.Store(id=ids.STATE),
        *(dcc.Store(id=name) for name in stores),
        dcc.Interval(id=ids.REFRESH, interval=update_interval * 1000),
        dcc.Interval(id=ids.CLOCK, interval=CLOCK_MS),
    ]


def _header() -> Component:
    return html.Div(
        className="header",
        children=[
            html.Div(
                className="header-about",
                children=[
                    html.H1(TITLE, className="name"),
                    html.Span("connecting", id=ids.FRESH, className="fresh", role="status", **{"aria-live": "off"}),
                    html.Span("", id=ids.BADGE, className="badge", hidden=True),
                ],
            ),
            html.Div(
                className="header-choice",
                children=[
                    dmc.Select(
                        id=ids.SYMBOL,
                        data=[],
                        placeholder="Symbol",
                        searchable=True,
                        allowDeselect=False,
                        selectFirstOptionOnChange=True,
                        size="xs",
                        w=112,
                        nothingFoundMessage="No such symbol",
                        limit=200,
                        **{"aria-label": "Symbol"},
                    ),
                    html.Button(
                        "Alerts",
                        id=ids.ALERTS_OPEN,
                        className="alerts-open",
                        type="button",
                        **{"aria-haspopup": "dialog"},
                    ),
                    html.Div(
                        dmc.SegmentedControl(
                            id=ids.RANGE,
                            size="xs",
                            value=ranges.DEFAULT,
                            data=list(ranges.RANGES),
                            **{"aria-label": "Range, counted back from the newest tick"},
                        ),
                        className="ranges",
                    ),
                    html.Button(
                        "Pause", id=ids.PAUSE, className="plain pause", type="button", **{"aria-pressed": "false"}
                    ),
                    dmc.SegmentedControl(
                        id=ids.THEME,
                        size="xs",
                        value="auto",
                        className="themes",
                        data=[
                            _theme("light", "☀", "Light"),
                            _theme("dark", "☾", "Dark"),
                            _theme("auto", "◐", "System"),
                        ],
                        **{"aria-label": "Colour theme"},
                    ),
                ],
            ),
        ],
    )


def _theme(value: str, sign: str, name: str) -> dict[str, Any]:
    label = html.Span([html.Span(sign, **{"aria-hidden": "true"}), dmc.VisuallyHidden(name)], title=f"{name} theme")
    return {"value": value, "label": label}


def _watch_list() -> list[Component]:
    return [
        html.Div(
            className="watch-head",
            children=[
                html.H2("Watch list", className="heading"),
                dmc.TextInput(
                    id=ids.FILTER,
                    value="",
                    size="xs",
                    placeholder="Filter by symbol or source",
                    className="filter",
                    **{"aria-label": "Filter the watch list by symbol or source"},
                ),
                html.Button(
                    "CSV", id="csv-overview", className="plain", type="button", title="Save the listed rows as CSV"
                ),
                html.Button("All columns", id=ids.OVERVIEW, className="plain", type="button"),
            ],
        ),
        watch_list.grid(),
        html.Section(id=ids.ALERTS, className="alerts-side", **{"aria-label": "Alerts"}),
        html.Div("", id=ids.TRUTH, className="truth"),
    ]


def _main() -> list[Component]:
    return [
        html.Div("", id=ids.BANNER, className="banner", role="alert", hidden=True),
        html.Div(id=ids.STRIP, className="strip", role="region", tabIndex=0, **{"aria-label": "Watch list"}),
        dmc.SegmentedControl(
            id=ids.RANGE_NARROW,
            className="ranges-narrow",
            fullWidth=True,
            size="xs",
            value=ranges.DEFAULT,
            data=list(ranges.RANGES),
            **{"aria-label": "Range, counted back from the newest tick"},
        ),
        html.Section(
            id="stage",
            className="stage is-empty",
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
                        _kinds(),
                        html.Button(
                            "Back to the newest tick", id="go-live", className="go-live", type="button", hidden=True
                        ),
                    ],
                ),
                html.Div(
                    id=ids.READOUT,
                    className="readout",
                    role="group",
                    children=[_reading(key, label, trace) for key, label, trace in READOUT],
                    **{"aria-label": "Values at the pointer, or the newest"},
                ),
                html.P("Reading from the store …", id=ids.EMPTY, className="empty"),
                html.P("", id=ids.SUMMARY, className="unseen"),
                html.Figure(
                    className="figure",
                    role="group",
                    children=dcc.Graph(
                        id=ids.CHART,
                        responsive=True,
                        clear_on_unhover=True,
                        figure=None,
                        className="chart",
                        config={
                            "displaylogo": False,
                            "scrollZoom": True,
                            "doubleClick": False,
                            "modeBarButtonsToRemove": [
                                "select2d",
                                "lasso2d",
                                "autoScale2d",
                                "resetScale2d",
                                "sendChartToCloud",
                                "sendDataToCloud",
                            ],
                            "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "tickflow"},
                        },
                    ),
                    **{"aria-labelledby": ids.SUMMARY},
                ),
            ],
        ),
    ]


def _kinds() -> Component:
    """Switches of how the price is drawn, and the width of candles."""
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
    export = [
        html.Button("CSV", id="csv", className="chip", type="button", title="Save the rows in sight as CSV"),
        html.Button(
            "",
            id="full-screen",
            className="chip icon-full",
            type="button",
            title="Full screen (F)",
            **{"aria-label": "Full screen"},
        ),
        html.Button("?", id="show-keys", className="chip", type="button", title="Keys (?)", **{"aria-label": "Keys"}),
    ]
    period = html.Button(
        "From – to", id=ids.PERIOD_OPEN, className="chip", type="button", title="A range from one moment to another"
    )
    return html.Div(
        [period, *switches, choice, *export],
        className="kinds",
        role="group",
        **{"aria-label": "How the price is drawn"},
    )


def _reading(key: str, label: str, trace: str | None) -> Component:
    """One value of the readout line; where it belongs to a line of the chart, its name is a switch for that line."""
    name: Component
    if trace is None:
        name = html.Span(label, className="reading-name")
    else:
        swatch = html.Span(className=f"swatch swatch-{key}", **{"aria-hidden": "true"})
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
