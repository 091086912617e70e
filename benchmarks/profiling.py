"""Shows where the worker spends its time: `make profile`.

py-spy samples our worker over a preloaded topic: a flame graph of its CPU (benchmarks/results/profile.svg), and two
tables (benchmarks/results/profile.json): the CPU of all its threads, and the main thread's time including its waits. On
a busy machine a thread that waits for a core counts as if it ran.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import load
from benchmarks.bench import CONTENDERS_PYTHON, Bench, table
from benchmarks.contenders import SYMBOLS

RESULTS = Path(__file__).parent / "results"
PY_SPY = CONTENDERS_PYTHON.with_name("py-spy")
SAMPLES_PER_SECOND = 200

PARTS = (
    ("decode and check", r"ticks/(tick|names)\.py"),
    ("windows", r"windows\.py"),
    ("formulas", r"(measures|formulas)\.py"),
    ("alerts", r"alerts/|detectors/"),
    ("line protocol", r"to_lines \("),
    ("points as columns", r"points\.py"),
    ("commit", r"\bcommit \("),
    ("POST to InfluxDB", r"_post \(|urllib3|influxdb_client|result \(concurrent"),
    ("fetch from Kafka", r"kafka"),
    ("accounts, console, status", r"(arrivals|counters|assignments|console|statuses)\.py|(observe|report) \("),
    ("the rest of the loop", r"stock_analytics\.py|worker\.py"),
)
"""The parts of the work, each with the pattern of its stack frames; a stack counts for the first part that matches."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a short run, to try it out")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), short=arguments.short) as bench:
        ticks = bench.of(600_000, 60_000)
        topic = bench.new_topic(6)
        bench.preload(topic, load.records(ticks, SYMBOLS))
        _record(bench, topic, ticks, RESULTS / "profile.svg", "flamegraph", "--threads")
        cpu = _record(bench, topic, ticks, bench.folder / "cpu.txt", "raw", "--threads")
        wall = _record(bench, topic, ticks, bench.folder / "wall.txt", "raw", "--threads", "--idle")
    main_thread = [line for line in wall.splitlines() if "MainThread" in line.partition(";")[0]]
    found = {"CPU of all threads": shares(cpu.splitlines()), "main thread, with its waits": shares(main_thread)}
    for title, parts in found.items():
        rows: list[tuple[str, ...]] = [(title, "%")]
        print("\n" + table(rows + [(name, f"{share:.1f}") for name, share in parts.items()]))
    (RESULTS / "profile.json").write_text(
        json.dumps({"short": arguments.short, "ticks": ticks, **found}, indent=2) + "\n"
    )
    print(f"\nThe flame graph is {RESULTS / 'profile.svg'}.")
    return 0


def shares(stacks: list[str]) -> dict[str, float]:
    """The percentage of samples in each part, without those taken while modules load; the largest first.

    >>> run = "main;run (stock_analytics.py:9)"
    >>> shares([f"{run};decode (tickflow/ticks/tick.py:16) 3", f"{run} 1"])
    {'decode and check': 75.0, 'the rest of the loop': 25.0}
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if ";" not in stack or ("<module>" in stack and "Engine.run (" not in stack):  # modules are still being loaded
            continue
        counts[next((name for name, looks in PARTS if re.search(looks, stack)), "other")] += int(count)
    whole = sum(counts.values())
    return {name: round(count / whole * 100, 1) for name, count in counts.most_common()}


def _record(bench: Bench, topic: str, ticks: int, output: Path, kind: str, *options: str) -> str:
    """Run the worker under py-spy; return the content of its output file."""
    bucket = bench.new_bucket()
    command = ["record", "--rate", str(SAMPLES_PER_SECOND), "--format", kind, "--output", str(output), *options, "--"]
    worker = [sys.executable, "-m", "benchmarks.worker", "--ticks", str(ticks)]
    process = bench.start([*command, *worker], bench.environment(topic, bucket), python=PY_SPY)
    said, _ = process.communicate(timeout=900)
    if process.returncode:
        raise RuntimeError(f"py-spy ended with {process.returncode}: {said}")
    bench.influx.delete_bucket(bucket)
    return output.read_text()


if __name__ == "__main__":
    sys.exit(main())
