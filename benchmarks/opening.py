"""Opening one day of seven symbols that tick once a second, 604,800 points, on both stacks."""

import statistics
from typing import Any

from benchmarks.bench import Bench, table
from benchmarks.page import Reader
from benchmarks.stores import STACKS, History, opened, settings_of

SYMBOLS = 7
TICKS = 86_400
ROUNDS = 5
LIMIT_MS = 1_000


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"limit ms": LIMIT_MS, "points": SYMBOLS * TICKS}
    rows: list[tuple[str, ...]] = [("one day, 604,800 points", "open ms", "first time", "reading all ms")]
    for stack in STACKS:
        history = History(SYMBOLS, TICKS)
        with opened(settings_of(bench, stack, "opening")) as (store, acks):
            history.fill(store)
            view: dict[str, object] = {"symbol": history.names[0], "range": "1d"}
            times = [Reader(store, acks, view).opened_ms for _ in range(ROUNDS)]
            plain = Reader(store, acks, view).reading(history.names)
        figures[stack] = {
            "ms": round(statistics.median(times)),
            "first ms": round(times[0]),
            "plain ms": round(plain),
        }
        rows.append((stack, *(f"{value:,}" for value in figures[stack].values())))
    print(table(rows))
    return figures
