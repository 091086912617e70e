"""The cost of many symbols: the worker's CPU per tick and, separately, InfluxDB's."""

from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, medians, table

NUMBERS = (5, 500, 5_000, 50_000)
PAIRS = ((5_000, 5), (50_000, 500))
WANTED = 1.5
TICKS_EACH = 50
"""The minimum number of ticks per symbol, so that most windows are full."""


def run(bench: Bench) -> dict[str, Any]:
    rounds = bench.of(3, 1)
    ticks = {symbols: bench.of(max(600_000, TICKS_EACH * symbols), 50_000) for symbols in NUMBERS}
    topics = {symbols: bench.new_topic(6) for symbols in NUMBERS}
    for symbols, topic in topics.items():
        bench.preload(topic, load.records(ticks[symbols], symbols))
    runs: dict[int, list[dict[str, float]]] = {symbols: [] for symbols in NUMBERS}
    for _ in range(rounds):
        for symbols, topic in topics.items():
            bucket = bench.new_bucket()
            before = bench.influxd_cpu()
            worker = ["-m", "benchmarks.worker", "--ticks", str(ticks[symbols])]
            figures = bench.measure(worker, bench.environment(topic, bucket))
            figures["influxd_us_per_tick"] = round((bench.influxd_cpu() - before) / ticks[symbols] * 1e6, 3)
            bench.check_stored(bucket, ticks[symbols])
            bench.influx.delete_bucket(bucket)
            runs[symbols].append(figures)
    middle = {symbols: medians(found) for symbols, found in runs.items()}
    rows: list[tuple[str, ...]] = [("symbols", "ticks/s", "worker us/tick", "influxd us/tick", "peak MB")]
    for symbols, found in middle.items():
        names = ("cpu_us_per_tick", "influxd_us_per_tick", "peak_mb")
        rows.append((f"{symbols:,}", f"{found['ticks_per_s']:,.0f}", *(f"{found[name]:.1f}" for name in names)))
    print(table(rows))
    ratios = {
        f"{many:,} against {few:,}": round(middle[many]["cpu_us_per_tick"] / middle[few]["cpu_us_per_tick"], 2)
        for many, few in PAIRS
    }
    for pair, ratio in ratios.items():
        print(f"{pair}: {ratio:.2f} x the worker's CPU per tick; at most {WANTED} wanted")
    return {"ratios": ratios, "medians": {str(symbols): found for symbols, found in middle.items()}}
