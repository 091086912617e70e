"""One worker on a topic with half of its records malformed, and on a clean one of equal length, in alternating
rounds.

The malformed half repeats the corpus of the tests, without its few largest records.
"""

import statistics
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, table
from tests.malformed import corpus

SYMBOLS = 500
LARGEST_BYTES = 4_096
CLAIM = 0.5


def run(bench: Bench) -> dict[str, Any]:
    records, rounds = bench.of(100_000, 10_000), bench.of(3, 1)
    clean, mixed = bench.new_topic(6), bench.new_topic(6)
    bench.preload(clean, load.records(records, SYMBOLS))
    bench.preload(mixed, _half_malformed(records))
    rates: dict[str, list[float]] = {clean: [], mixed: []}
    for number in range(1, rounds + 1):
        for topic, found in rates.items():
            worker = ["-m", "benchmarks.worker", "--ticks", str(records)]
            found.append(bench.measure(worker, bench.environment(topic, bench.new_bucket()))["ticks_per_s"])
        print(f"round {number}: clean {rates[clean][-1]:,.0f}/s, half malformed {rates[mixed][-1]:,.0f}/s", flush=True)
    ratio = statistics.median(b / a for a, b in zip(rates[clean], rates[mixed], strict=True))
    rows: list[tuple[str, ...]] = [("", "records/s", "ratio")]
    rows.append(("clean", f"{statistics.median(rates[clean]):,.0f}", "1"))
    rows.append(("half malformed", f"{statistics.median(rates[mixed]):,.0f}", f"{ratio:.2f}"))
    print(table(rows))
    if ratio < CLAIM:
        print(f"below the {CLAIM} that is required")
    return {"records": records, "ratio": round(ratio, 3), "clean": rates[clean], "malformed": rates[mixed]}


def _half_malformed(records: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    bad = cycle((case.key, case.value) for case in corpus() if len(case.value or b"") <= LARGEST_BYTES)
    for record in load.records(records // 2, SYMBOLS):
        yield record
        yield next(bad)
