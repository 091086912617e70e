"""The latency from a tick's event time to the end of its write, at two steady rates, and the worker's CPU."""

import signal
from typing import Any

from benchmarks.bench import Bench, figures_of, table

RATES = {2_000: (30.0, 60.0), 20_000: (None, 250.0)}
"""For each rate in ticks per second, the milliseconds within which 50 % and 99 % of the ticks should be stored; `None`
sets no goal.
"""
PARTITIONS = 12


def run(bench: Bench) -> dict[str, Any]:
    seconds = bench.of(60, 8)
    figures = {}
    rows: list[tuple[str, ...]] = [("ticks/s", "p50 ms", "at most", "p99 ms", "at most", "longest", "% of a core")]
    for rate, (half, most) in RATES.items():
        bucket = bench.new_bucket()
        environment = bench.environment(bench.new_topic(PARTITIONS), bucket)
        worker = bench.start(["-m", "benchmarks.programs.latency_worker"], environment)
        load = ["-m", "benchmarks.programs.steady", "--rate", str(rate), "--seconds", str(seconds)]
        sent = bench.measure(load, environment)
        bench.wait_committed(environment, sent["sent"])
        worker.send_signal(signal.SIGTERM)
        found = figures[str(rate)] = figures_of(worker) | {"reached_per_s": sent["per_s"]}
        bench.check_stored(bucket, sent["sent"])
        wanted = f"{half:g}" if half else ""
        figures_row = (
            f"{found['p50_ms']:.1f}",
            wanted,
            f"{found['p99_ms']:.1f}",
            f"{most:g}",
            f"{found['max_ms']:.1f}",
            f"{found['cpu_percent']:.1f}",
        )
        rows.append((f"{rate:,}", *figures_row))
    print(table(rows))
    return {"seconds": seconds, **figures}
