"""Our worker, programs that others would write for the same task, and programs that give an upper bound for all.

All read the same preloaded topic of 500 symbols, in a different order each round; after each run the bucket must hold
every tick exactly once. The tutorial's script does not read all ticks: it runs for some seconds after most windows are
full.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.bench import CONTENDERS_PYTHON, Bench, medians, table
from config import load_settings
from tickflow.metrics.windows import Windows

SYMBOLS = 500
WARM_UP = SYMBOLS * 20
"""The tutorial's script is timed only after this many ticks, since it does less work while its windows fill."""

TUTORIAL = "tutorial script"
BATCHING = "the same, batching mode"
QUIX = "Quix Streams"
BYTEWAX = "bytewax, recovery on"
TUNED = "bytewax, tuned, no recovery"
OURS = "our worker"
POLL = "limit: kafka-python polls"
PLAIN = "limit: kafka-python polls, ready lines posted"
LOOP = "limit: our client polls, ready lines posted as ours"
ONE, FOUR = "limit: InfluxDB, one connection", "limit: InfluxDB, four connections"

WANTED = {TUTORIAL: 90.0, QUIX: 3.5, BYTEWAX: 2.0, TUNED: 1.6, PLAIN: 0.85, LOOP: 0.85}
"""For each program, how many times as fast as the program our worker should be."""
CPU_WANTED = 0.6
"""The maximum CPU time per tick that our worker should use, as a fraction of bytewax's."""


def run(bench: Bench) -> dict[str, Any]:
    ticks, rounds = bench.of(600_000, 40_000), bench.of(3, 1)
    topic = bench.new_topic(6)
    bench.preload(topic, load.records(ticks, SYMBOLS))
    lines = bench.folder / "lines.txt"
    _write_lines(lines, ticks)
    programs = _programs(ticks, lines, seconds=bench.of(10, 3))
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for number in range(rounds):
        names = list(programs)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            runs[name].append(_measured(bench, name, programs[name], topic, ticks))
            print(f"round {number + 1}: {name}: {runs[name][-1]['ticks_per_s']:,.0f}/s", flush=True)
    middle = {name: medians(found) for name, found in runs.items()}
    ratios = {name: round(middle[OURS]["ticks_per_s"] / middle[name]["ticks_per_s"], 3) for name in runs}
    cpu = {name: round(middle[OURS]["cpu_us_per_tick"] / middle[name]["cpu_us_per_tick"], 3) for name in runs}
    rows: list[tuple[str, ...]] = [("", "ticks/s", "ours is", "wanted", "CPU us/tick", "influxd us/tick", "peak MB")]
    for name, found in middle.items():
        rows.append(
            (
                name,
                f"{found['ticks_per_s']:,.0f}",
                f"{ratios[name]:.2f} x",
                f"{WANTED[name]:g} x" if name in WANTED else "",
                f"{found['cpu_us_per_tick']:.1f}",
                f"{found['influxd_us_per_tick']:.1f}",
                f"{found['peak_mb']:.0f}",
            )
        )
    print(table(rows))
    print(f"our CPU per tick is {cpu[BYTEWAX]:.2f} and {cpu[TUNED]:.2f} of bytewax's; wanted: {CPU_WANTED}")
    return {
        "ticks": ticks,
        "symbols": SYMBOLS,
        "rounds": rounds,
        "medians": middle,
        "ours_times": ratios,
        "our_cpu_share": cpu,
        "runs": runs,
    }


def _programs(ticks: int, lines: Path, seconds: int) -> dict[str, list[str]]:
    """The module and the arguments of each program, by name."""
    count = ["--ticks", str(ticks)]
    tutorial = ["benchmarks.programs.tutorial", *count, "--seconds", str(seconds), "--warm-up", str(WARM_UP)]
    limits = ["benchmarks.programs.limits", *count, "--lines", str(lines)]
    return {
        TUTORIAL: tutorial,
        BATCHING: [*tutorial, "--batching"],
        QUIX: ["benchmarks.programs.quix", *count],
        BYTEWAX: ["benchmarks.programs.bytewax_flow", *count],
        TUNED: ["benchmarks.programs.bytewax_flow", *count, "--tuned"],
        OURS: ["benchmarks.worker", *count],
        POLL: [*limits, "poll"],
        PLAIN: [*limits, "plain"],
        LOOP: [*limits, "loop"],
        ONE: [*limits, "influx"],
        FOUR: [*limits, "influx", "--connections", "4"],
    }


def _measured(bench: Bench, name: str, program: list[str], topic: str, ticks: int) -> dict[str, float]:
    bucket = bench.new_bucket()
    python = CONTENDERS_PYTHON if name in (QUIX, BYTEWAX, TUNED) else sys.executable
    before = bench.influxd_cpu()
    figures = bench.measure(["-m", *program], bench.environment(topic, bucket), python=python)
    stored = int(figures.pop("stored", ticks))
    figures["influxd_us_per_tick"] = round((bench.influxd_cpu() - before) / stored * 1e6, 3)
    if name != POLL:
        bench.check_stored(bucket, stored)
    bench.influx.delete_bucket(
        bucket
    )  # each program gets an empty store: a store that grows from run to run would favour the first program
    return figures


def _write_lines(path: Path, ticks: int) -> None:
    """Write to a file the lines that our worker would make of the topic's ticks, sorted by symbol in each batch."""
    windows = Windows()
    with path.open("w") as file:
        for batch in load.batches(ticks, SYMBOLS, load_settings({}, env_file=None).kafka_batch_records):
            lines = sorted(load.lines(windows, batch), key=lambda line: line.partition(" ")[0])
            file.writelines(f"{line}\n" for line in lines)
