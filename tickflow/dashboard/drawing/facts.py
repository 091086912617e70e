"""The facts that both server and browser need: declared or collected here, and served as one JSON document.

The page carries it as `<script id="facts" type="application/json">`; `assets/facts.js` reads it.
"""

from typing import Any

import orjson

from tickflow.alerts.standing import MAX_TEXT
from tickflow.dashboard.drawing import clock, traces
from tickflow.dashboard.queries import alerts, indicated, ranges, view
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.indicators import INDICATORS, MAX_LENGTH
from tickflow.ticks.tick import SYMBOL, SYMBOL_CHARACTERS


def facts() -> dict[str, Any]:
    """The facts by name, as plain values for JSON."""
    return {
        "chart": traces.facts(),
        "ranges_ms": {name: None if length is None else length // 10**6 for name, length in ranges.RANGES.items()},
        "default_range": ranges.DEFAULT,
        "candle_widths": list(ranges.CANDLES),
        "max_multiples": view.MAX_SYMBOLS,
        "last_wall_ms": view.LAST_WALL_MS,
        "max_episodes": alerts.MAX_EPISODES,
        "warm_up_ticks": DEPTH,
        "zone": {"name": clock.name(), "label": clock.label(), "words": clock.words()},
        "indicators": {
            name: {"label": each.label, "length": each.length, "panel": each.panel, "lines": list(each.lines)}
            for name, each in INDICATORS.items()
        },
        "indicator_pattern": f"^{indicated.NAME}$",
        "max_indicators": indicated.MOST,
        "max_indicator_length": MAX_LENGTH,
        "symbol_pattern": f"^(?:{SYMBOL})$",
        "rule_characters": MAX_TEXT,
        "symbol_characters": SYMBOL_CHARACTERS,
    }


def as_script() -> str:
    """The facts as JSON that is safe inside a page: nothing in it can end the script element."""
    return orjson.dumps(facts()).decode().replace("<", "\\u003c")
