"""One worker of ours against the consumer that tutorials show: the same preloaded topic, alternating rounds."""

import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.bench import Bench, table
from tickflow.tick import Tick, encode

SYMBOLS = 500
TICKS = 300_000
ROUNDS = 3
TUTORIAL_SECONDS = 10.0
WARM_UP = SYMBOLS * 20
"""Ticks after which the tutorial's windows are full: before, it has less to do."""


def run(bench: Bench) -> dict[str, Any]:
    topic = bench.new_topic(6)
    bench.preload(topic, ticks())
    ours, theirs = [], []
    for number in range(1, ROUNDS + 1):
        bucket = bench.new_bucket()
        worker = ["-m", "benchmarks.worker", "--ticks", str(TICKS)]
        ours.append(bench.measure(worker, bench.environment(topic, bucket)))
        tutorial = ["-m", "benchmarks.tutorial", "--seconds", str(TUTORIAL_SECONDS), "--warm-up", str(WARM_UP)]
        theirs.append(bench.measure(tutorial, bench.environment(topic, bench.new_bucket())))
        print(
            f"round {number}: ours {ours[-1]['ticks_per_s']:,.0f}/s, tutorial {theirs[-1]['ticks_per_s']:,.0f}/s",
            flush=True,
        )
    ratio = statistics.median(a["ticks_per_s"] / b["ticks_per_s"] for a, b in zip(ours, theirs, strict=True))
    rows: list[tuple[str, ...]] = [("", "ticks/s", "ratio", "CPU us/tick", "peak MB")]
    for name, runs, times in (("tutorial consumer", theirs, 1.0), ("our worker", ours, ratio)):
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        rows.append(
            (
                name,
                f"{middle['ticks_per_s']:,.0f}",
                f"{times:.0f}",
                f"{middle['cpu_us_per_tick']:.1f}",
                f"{middle['peak_mb']:.0f}",
            )
        )
    print(table(rows))
    return {"ticks": TICKS, "symbols": SYMBOLS, "ratio": round(ratio, 1), "ours": ours, "tutorial": theirs}


def ticks() -> Iterator[tuple[bytes, bytes]]:
    rng = np.random.default_rng(7)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, (TICKS // SYMBOLS, SYMBOLS)), axis=0))
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    for step, row in enumerate(prices.round(2).tolist()):
        moment = start + timedelta(milliseconds=250 * step)
        for number, price in enumerate(row):
            symbol = f"S{number:03}"
            tick = Tick(symbol, price, moment, volume=100 + number, change_percent=0.1, source="simulated")
            yield symbol.encode(), encode(tick)
