"""The layout of the page, with its names and labels. It needs no store: content comes later."""

import re
from collections.abc import Callable
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from tickflow.dashboard.drawing import chart, facts, ids, watch_list
from tickflow.dashboard.queries import ranges

TITLE = "Tickflow"
SKIPS = (("chart", "Chart"), ("watch", "Watch list"), ("alerts", "Alerts"))
RENDERER = "window.beginDash = () => new DashRenderer();"
"""Starts Dash's renderer. It is wrapped in a function, which `assets/start.js` calls."""

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <meta name="color-scheme" content="light dark">
        <title>{%title%}</title>
        <link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>
            <path d='M1 12l4-5 3 3 6-8' fill='none' stroke='%230072b2' stroke-width='2'/></svg>">
        {%css%}
        {%first%}
        <link rel="preload" as="fetch" href="_dash-layout" crossorigin>
        <link rel="preload" as="fetch" href="_dash-dependencies" crossorigin>
        <script id="facts" type="application/json">{%facts%}</script>
    </head>
    <body>
        {%app_entry%}
        <noscript><p class="loading">This page needs JavaScript, which is switched off here.</p></noscript>
        <footer>
            {%config%}
            {%modules%}
            {%scripts%}
            {%renderer%}
            {%start%}
            <script id="plotly" src="assets/vendor/plotly-finance-4.1.1.min.js" defer></script>
        </footer>
    </body>
</html>
"""


GRID_SCRIPT = re.compile(r'<script src="([^"]*/dash_ag_grid/[^"]*)"></script>')
UNUSED_SCRIPT = re.compile(r'<script src="[^"]*/(?:deps/polyfill@|dash_table/)[^"]*"></script>\s*')
"""The polyfills are for browsers without modules, which this page needs; they took a tenth of the time to open it."""


def with_fewer_scripts(interpolate: Callable[..., str]) -> Callable[..., str]:
    """Dash's function that makes the HTML of the page, without the scripts that the page does not use, and with the
    grid's script fetched but not run: `assets/grid.js` runs it after the first drawing. The others are deferred: they
    run after `assets/page.js`, which has requested the first drawing by then.
    """

    def interpolated(scripts: str = "", **parts: Any) -> str:
        later = r'<link id="grid-script" rel="preload" as="script" fetchpriority="low" href="\1">'
        used = UNUSED_SCRIPT.sub("", GRID_SCRIPT.sub(later, scripts))
        return interpolate(scripts=used.replace("<script src=", "<script defer src="), **parts)

    return interpolated


def index(first: str, modules: str, start: str) -> str:
    """The HTML of the page, before Dash adds its own. `first` is the tag of the script that runs before anything is
    drawn, `modules` are those of the page's modules, `start` is that of the script that starts Dash.
    """
    parts = {"{%facts%}": facts.as_script(), "{%first%}": first, "{%modules%}": modules, "{%start%}": start}
    return re.sub("|".join(parts), lambda found: parts[found[0]], INDEX)


def layout(*, update_interval: float) -> Component:
    """The page, refreshed every `update_interval` seconds."""
    return dmc.MantineProvider(
        id=ids.PROVIDER,
        defaultColorScheme="auto",
        theme={"fontFamily": "system-ui, sans-serif", "primaryColor": "dark", "defaultRadius": "sm"},
        children=[
            *_stores(update_interval),
            html.Div(
                [html.A(name, href=f"#{part}", **{"data-skip": part}) for part, name in SKIPS],
                className="skips",
                role="group",
                **{"aria-label": "Skip to"},
            ),
            html.Dialog(id=ids.PERIOD, className="period", **{"aria-label": "A range from one moment to another"}),
            html.Dialog(id=ids.LAYOUTS, className="period layouts", **{"aria-label": "Layouts"}),
            html.Dialog(id=ids.BACKTESTS, className="period backtests", **{"aria-labelledby": "backtests-title"}),
            html.Dialog(id=ids.INDICATORS, className="period", **{"aria-label": "Indicators"}),
            html.Dialog(id=ids.LEVELS, className="period levels", **{"aria-label": "Price lines"}),
            html.Dialog(id=ids.TABLE, className="period table", **{"aria-label": "What is in sight"}),
            html.Dialog(id=ids.KEYS, className="period", **{"aria-label": "Keys"}),
            html.Dialog(id=ids.QUESTION, className="period", **{"aria-labelledby": "question-asked"}),
            html.Dialog(id=ids.SHEET, className="sheet", **{"aria-label": "Alerts"}),
            dmc.AppShell(
                header={"height": {"base": 88, "sm": 56}},
                navbar={"width": 320, "breakpoint": "sm", "collapsed": {"mobile": True}},
                padding=0,
                children=[
                    dmc.AppShellHeader(_header()),
                    dmc.AppShellMain(_main(), id="main"),  # before the list, so that few Tab stops lead to the chart
                    dmc.AppShellNavbar(_watch_list(), **{"aria-label": "Watch list"}),
                ],
            ),
        ],
    )


def _stores(update_interval: float) -> list[Component]:
    stores = [ids.VIEW, ids.REFRESH, ids.DRAWN, ids.WATCHED, ids.DRAWING, ids.DELTA, ids.REBUILD, ids.LOOK, ids.LOOKED]
    stores += [ids.OPTIONS, ids.ALERTED, ids.ACKNOWLEDGE, ids.ACKED, ids.WITHDRAW, ids.WITHDRAWN, ids.MUTE, ids.MUTED]
    stores += [ids.LAYOUTS_ASKED, ids.LAYOUTS_LISTED, ids.LAYOUT, ids.LAYOUT_KEPT]
    stores += [ids.BACKTESTS_ASKED, ids.BACKTESTS_LISTED, ids.BACKTEST_REMOVE, ids.BACKTEST_REMOVED]
    stores += [ids.RULES_ASKED, ids.RULES_LISTED, ids.RULE, ids.RULE_KEPT]
    stores += [ids.INDICATE, ids.INDICATED, ids.STEER, ids.STEERED]
    return [
        dcc.Store(id=ids.BOOT, data=update_interval),
        dcc.Store(id=ids.GRID, data=watch_list.grid().to_plotly_json()),
        *(dcc.Store(id=name) for name in stores),
    ]


def _header() -> Component:
    return html.Div(
        className="header",
        children=[
            html.Div(
                className="header-about",
                children=[
                    html.Button(
                        "☰",
                        id="side",
                        className="plain side",
                        type="button",
                        title="Hide or show the watch list and the alerts (W)",
                        **{"aria-label": "Watch list and alerts", "aria-expanded": "true"},
                    ),
                    html.H1(TITLE, className="name"),
                    html.Span("connecting", id=ids.FRESH, className="fresh", role="status", **{"aria-live": "off"}),
                    html.Span("", id=ids.BADGE, className="badge", hidden=True),
                    html.P("", id=ids.SAID, className="unseen", role="status"),
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
                        # Otherwise Mantine looks for the previously chosen option, too late, and Enter chooses nothing.
                        selectFirstOptionOnDropdownOpen=True,
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
                    html.Span(
                        id="person",
                        className="person",
                        hidden=True,
                        children=[
                            html.A("", id="person-name", className="person-name", title="Password and sessions"),
                            html.Button("Sign out", id="sign-out", className="plain", type="button", hidden=True),
                            html.A("Sign in", id="sign-in", href="login", target="_blank", rel="noopener", hidden=True),
                        ],
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
        html.Div("", id=ids.BANNER_OVERVIEW, className="banner", hidden=True),
        html.Div(
            className="watch-head",
            children=[
                html.H2("Watch list", className="heading"),
                html.Span(
                    [
                        html.Span("", className="up", **{"aria-hidden": "true"}),
                        html.Span("", className="down", **{"aria-hidden": "true"}),
                        html.Span("", className="unseen"),
                    ],
                    id=ids.BREADTH,
                    className="breadth",
                ),
                dmc.TextInput(
                    id=ids.FILTER,
                    value="",
                    size="xs",
                    placeholder="Filter by symbol",
                    className="filter",
                    **{"aria-label": "Filter the watch list by symbol"},
                ),
                html.Button(
                    "★",
                    id=ids.STARRED,
                    className="chip",
                    type="button",
                    title="Only starred symbols",
                    hidden=True,
                    **{
                        "aria-label": "Only starred symbols",
                        "aria-pressed": "false",
                        "data-option": "starred",
                        "data-value": "1",
                    },
                ),
                html.Button(
                    "CSV", id="csv-overview", className="plain", type="button", title="Save the listed rows as CSV"
                ),
                html.Button("All columns", id=ids.OVERVIEW, className="plain", type="button"),
            ],
        ),
        html.Div(id=ids.WATCH_PLACE, className="watch-place"),
        html.Div("", id=ids.MORE, className="more", hidden=True, role="status"),
        html.Section(id=ids.ALERTS, className="alerts-side", **{"aria-label": "Alerts"}),
        html.Div("", id=ids.TRUTH, className="truth"),
    ]


def _main() -> list[Component]:
    return [
        html.Div("", id=ids.BANNER, className="banner", hidden=True),
        html.Div(id=ids.REPLAY, className="replay", role="group", hidden=True, **{"aria-label": "Replay"}),
        html.Div(
            [
                html.Button("All", id="overview-narrow", className="chip", type="button", title="All symbols"),
                html.Div(id=ids.STRIP, className="strip", role="toolbar", **{"aria-label": "Watch list"}),
            ],
            className="strips",
        ),
        dmc.SegmentedControl(
            id=ids.RANGE_NARROW,
            className="ranges-narrow",
            fullWidth=True,
            size="xs",
            value=ranges.DEFAULT,
            data=list(ranges.RANGES),
            **{"aria-label": "Range, counted back from the newest tick"},
        ),
        chart.section(),
        html.Div("", id="truth-narrow", className="truth truth-narrow"),
    ]
