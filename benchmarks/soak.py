"""A page that stays open for three hours, compressed into a twentieth of the time: do browser and server keep growing?

The real chain on the embedded stack: a replay of seven symbols that tick every 2 s, at 20 times its speed, and a page
that refreshes every 0.1 s instead of every 2 s. Memory is read every 250 refreshes, the browser's heap after a forced
garbage collection.
"""

import os
import random
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, table
from benchmarks.site import Site, scripts
from benchmarks.visitor import DRAWN, Visitor
from tests.trades import COLUMNS, OPENING

REFRESHES = int(os.environ.get("TICKFLOW_SOAK_REFRESHES", "5400"))
"""How many refreshes to run; by default as many as three hours have at one every 2 s."""
EVERY = 250
SPEED = 20
INTERVAL_SECONDS = 2.0
SYMBOLS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META")


def run(bench: Bench) -> dict[str, Any]:
    file = bench.folder / "soak.csv"
    _write_trades(file, ticks=6 * REFRESHES)  # enough ticks even where the page refreshes more slowly
    settings = {
        "STACK": "embedded",
        "EMBEDDED_FILE": str(bench.folder / "soak.db"),
        "SOURCE": "replay",
        "REPLAY_FILE": str(file),
        "REPLAY_SPEED": str(SPEED),
        "UPDATE_INTERVAL": str(INTERVAL_SECONDS / SPEED),
    }
    with ExitStack() as stack:
        stack.enter_context(scripts(("stock_analytics.py", "stock_producer.py"), settings, bench.folder))
        site = stack.enter_context(Site(settings, bench.folder))
        visitor = stack.enter_context(Visitor())
        visitor.open(site.url)
        visitor.until(DRAWN)
        samples: list[dict[str, float]] = []
        while not samples or samples[-1]["refreshes"] < REFRESHES:
            wanted = EVERY * len(samples)
            visitor.until(f"window.refreshes.answered >= {wanted}", seconds=EVERY, look_ms=500)
            sample = {"refreshes": visitor.refreshes()["answered"], **visitor.memory(), "server_mb": site.resident_mb()}
            sample["drawn"] = visitor.page.evaluate("window.tickflow.chart.looks().picture.x.length")
            samples.append({name: round(value, 1) for name, value in sample.items()})
            print("  ".join(f"{name} {value:,.1f}" for name, value in samples[-1].items()), flush=True)
        failed = visitor.refreshes()["failed"]
    half = samples[len(samples) // 2 :]
    result: dict[str, Any] = {
        "refreshes": samples[-1]["refreshes"],
        "failed": failed,
        "errors": visitor.errors,
        "elsewhere": visitor.elsewhere,
        **{name: _growth(samples, half, name) for name in ("heap_mb", "nodes", "listeners", "server_mb")},
        "samples": samples,
    }
    rows: list[tuple[str, ...]] = [("", "begin", "middle", "end", "growth per 1,000 in the second half")]
    for name in ("heap_mb", "nodes", "listeners", "server_mb"):
        growth = result[name]
        rows.append((name, *(f"{growth[part]:,.1f}" for part in ("begin", "middle", "end", "growth"))))
    print(table(rows))
    print(f"{samples[-1]['refreshes']:,.0f} refreshes, {failed:.0f} failed; errors: {visitor.errors or 'none'}")
    return result


def _growth(samples: list[dict[str, float]], half: list[dict[str, float]], name: str) -> dict[str, float]:
    """A figure at start, middle and end, and its growth per 1,000 refreshes: the slope over the second half."""
    x, y = [each["refreshes"] / 1000 for each in half], [each[name] for each in half]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((value - mean_x) ** 2 for value in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0
    return {
        "begin": samples[min(1, len(samples) - 1)][name],
        "middle": half[0][name],
        "end": half[-1][name],
        "growth": round(slope, 2),
    }


def _write_trades(file: Path, ticks: int) -> None:
    """Write a CSV of trades in which every symbol ticks once per interval, at evenly spaced times."""
    rng = random.Random(4)
    prices = {symbol: 100.0 + 50 * at for at, symbol in enumerate(SYMBOLS)}
    with file.open("w") as lines:
        lines.write(COLUMNS + "\n")
        for tick in range(ticks):
            for at, symbol in enumerate(SYMBOLS):
                prices[symbol] = max(1.0, prices[symbol] * (1 + rng.gauss(0, 0.0005)))
                time = OPENING + timedelta(seconds=INTERVAL_SECONDS * (tick + at / len(SYMBOLS)))
                stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                lines.write(f"{stamp},{symbol},{prices[symbol]:.2f},{rng.randint(1, 500)}\n")
