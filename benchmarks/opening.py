"""Opening one day of seven symbols that tick once a second, and thirty days of one such symbol, on both stacks."""

import statistics
import threading
import time
from typing import Any

from benchmarks.bench import COLD_SECONDS, Bench, table
from benchmarks.page import Reader
from benchmarks.stores import STACKS, History, opened, settings_of

SYMBOLS = 7
TICKS = 86_400
DAYS = 30
ROUNDS = 5
LIMIT_MS = 1_000
SETTLED_SECONDS = 6 * COLD_SECONDS
"""The wait until InfluxDB has written to files what it holds in memory, as it has for past days."""


def run(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"limit ms": LIMIT_MS, "points": SYMBOLS * TICKS}
    rows: list[tuple[str, ...]] = [("one day, 604,800 points", "open ms", "first time", "reading all ms")]
    for stack in STACKS:
        history = History(SYMBOLS, TICKS)
        with opened(settings_of(bench, stack, "opening")) as (store, acks):
            history.fill(store)
            time.sleep(SETTLED_SECONDS)
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
    return figures | _month(bench)


def _month(bench: Bench) -> dict[str, Any]:
    """Thirty days of one symbol: opened by a page that has not read them in advance, and by one that has."""
    ticks = bench.of(DAYS, 1) * TICKS
    figures: dict[str, Any] = {"points in a month": ticks}
    rows: list[tuple[str, ...]] = [(f"thirty days, {ticks:,} points", "open ms", "not in advance ms")]
    for stack in STACKS:
        history = History(1, ticks)
        with opened(settings_of(bench, stack, "opening-month")) as (store, acks):
            history.fill(store)
            time.sleep(SETTLED_SECONDS)
            view: dict[str, object] = {"symbol": history.names[0], "range": "all"}
            first = Reader(store, acks, view).opened_ms
            store.prepare(threading.Event())
            times = [Reader(store, acks, view).opened_ms for _ in range(ROUNDS)]
        found = {"ms": round(statistics.median(times)), "first ms": round(first)}
        figures[f"{stack}, month"] = found
        rows.append((stack, *(f"{value:,}" for value in found.values())))
    print(table(rows))
    return figures
