"""The compute stage alone, from raw bytes to line protocol in memory, compared with that of the tutorial's script."""

import json
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, table
from benchmarks.programs.tutorial import point_of
from tickflow.metrics.windows import Windows
from tickflow.ticklog.base import Entry

SYMBOLS = 500
WARM_UP = SYMBOLS * 20
WANTED = 10.0


def run(bench: Bench) -> dict[str, Any]:
    ours, tutorial = [], []
    for _ in range(bench.of(5, 1)):
        ours.append(_microseconds(_ours, bench.of(400_000, 50_000)))
        tutorial.append(_microseconds(_tutorial, bench.of(60_000, 10_000)))
    ratio = statistics.median(theirs / our for our, theirs in zip(ours, tutorial, strict=True))
    rows: list[tuple[str, ...]] = [("", "CPU us/tick", "ratio", "wanted")]
    rows.append(("tutorial's stage", f"{statistics.median(tutorial):.2f}", "1", ""))
    rows.append(("ours, batches of 5,000", f"{statistics.median(ours):.2f}", f"{ratio:.1f}", f"{WANTED:g}"))
    print(table(rows))
    return {"symbols": SYMBOLS, "batch": load.BATCH, "ratio": round(ratio, 2), "ours": ours, "tutorial": tutorial}


def _microseconds(stage: Callable[[list[list[Entry]]], Callable[[list[Entry]], None]], ticks: int) -> float:
    """The CPU microseconds of a stage per tick, once the windows are full."""
    batches = list(load.batches(WARM_UP + ticks, SYMBOLS))
    first = WARM_UP // load.BATCH
    work = stage(batches[:first])
    begun = time.process_time()
    for batch in batches[first:]:
        work(batch)
    return round((time.process_time() - begun) / ticks * 1e6, 3)


def _ours(warm_up: list[list[Entry]]) -> Callable[[list[Entry]], None]:
    windows = Windows()

    def work(batch: list[Entry]) -> None:
        "\n".join(load.lines(windows, batch)).encode()

    for batch in warm_up:
        work(batch)
    return work


def _tutorial(warm_up: list[list[Entry]]) -> Callable[[list[Entry]], None]:
    history: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=200))

    def work(batch: list[Entry]) -> None:
        for record in batch:
            assert record.value is not None
            tick = json.loads(record.value.decode("utf-8"))
            point_of(tick, history[tick["symbol"]]).to_line_protocol().encode()

    for batch in warm_up:
        work(batch)
    return work
