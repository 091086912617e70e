"""The grid of the watch list: four columns beside the chart, all columns in the overview."""

from typing import Any

import dash_ag_grid as dag

from tickflow.dashboard.drawing import ids
from tickflow.dashboard.drawing.traces import OVERVIEW
from tickflow.metrics.fields import Field, Unit

RIGHT = "rightAligned"


def grid() -> dag.AgGrid:
    """The grid without rows; the rows arrive as transactions."""
    return dag.AgGrid(
        id=ids.WATCH,
        className="ag-theme-quartz watch",
        rowData=[],
        getRowId="params.data.symbol",
        style={"height": "100%"},
        dashGridOptions={
            "theme": "themeQuartz",
            "headerHeight": 30,
            "rowHeight": 38,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "animateRows": False,
            "cellFlashDuration": 250,
            "cellFadeDuration": 350,
            "suppressMovableColumns": True,
            "postSortRows": {"function": "tickflow_stars_first(params)"},
            "isExternalFilterPresent": {"function": "tickflow_is_limited(params)"},
            "doesExternalFilterPass": {"function": "tickflow_is_kept(params)"},
            "tooltipShowDelay": 500,
            "tabToNextCell": {"function": "tickflow_leave(params)"},
            "localeText": {"noRowsToShow": "No symbols yet"},
        },
        defaultColDef={
            "resizable": False,
            "sortable": True,
            "minWidth": 36,
            "suppressHeaderMenuButton": True,
            "getQuickFilterText": {"function": "''"},
        },
        columnDefs=COLUMNS,
    )


def _cell(name: str) -> dict[str, str]:
    return {"function": f"tickflow_{name}(params)"}


def _further(field: str, name: str, cell: str, **more: Any) -> dict[str, Any]:
    """A column of numbers that only the overview shows."""
    return {
        "field": field,
        "headerName": name,
        "type": RIGHT,
        "hide": True,
        "flex": 1,
        "minWidth": 100,
        "filter": "agNumberColumnFilter",
        "valueFormatter": _cell(cell),
        **more,
    }


_CELLS = {
    Unit.PRICE: "volatility",
    Unit.DEVIATIONS: "score",
    Unit.SHARES: "volume",
    Unit.PERCENT: "change",
    Unit.NONE: "count",
}


def _tooltip(each: Field) -> dict[str, str]:
    return {"headerTooltip": f"Of the last {each.window} ticks"} if each.window > 1 else {}


# The widths here hold until the grid is ready; `measure` in assets/watch.js then fits each column to its text.
COLUMNS: list[dict[str, Any]] = [
    {
        "field": "symbol",
        "headerName": "Symbol",
        "width": 88,
        "cellClass": "watch-symbol",
        "cellRenderer": "Starred",
        "tooltipField": "symbol",
        "getQuickFilterText": {"function": "params.value"},
    },
    {
        "field": "trend",
        "headerName": "Trend",
        "headerTooltip": "Over the range",
        "width": 50,
        "sortable": False,
        "cellDataType": False,
        "cellRenderer": "Sparkline",
        "cellClass": "watch-trend",
    },
    {
        "field": "price",
        "headerName": "Last",
        "headerTooltip": "The newest price; in a period, the price at its end",
        "type": RIGHT,
        "flex": 1,
        "minWidth": 70,
        "valueFormatter": _cell("price"),
        "tooltipValueGetter": _cell("whole"),
        "enableCellChangeFlash": True,
    },
    {
        "field": "change",
        "headerName": "Change",
        "headerTooltip": "Since the start of the range or period; for a day, since the previous close",
        "type": RIGHT,
        "width": 106,
        "valueFormatter": _cell("change"),
        # a smaller change is shown as 0.00 %, and has no colour
        "cellStyle": {"function": "tickflow_heat(params)"},
        "cellClassRules": {"up": "params.value >= 0.005", "down": "params.value <= -0.005"},
    },
    *(_further(each.overview, each.label, _CELLS[each.unit], **_tooltip(each)) for each in OVERVIEW),
    _further(
        "volatility_share",
        "Volatility %",
        "share",
        headerTooltip="As a share of the price: any two symbols compare",
    ),
    _further(
        "volume_ratio", "Volume / average", "times", headerTooltip="Against the mean of the last 10", minWidth=140
    ),
    _further("anomalies", "Anomalies", "count", headerTooltip="In the range"),
    _further("event_us", "Age", "age", headerTooltip="Since the symbol's last tick", filter=False),
    {
        "field": "source",
        "headerName": "Source",
        "hide": True,
        "flex": 1,
        "minWidth": 130,
        "valueFormatter": _cell("source"),
        "cellClass": "watch-source",
        "filter": "agTextColumnFilter",
    },
]
