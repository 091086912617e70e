"""Our producer compared with a bare loop over kafka-python's, on real Kafka: unpaced simulated ticks and replays."""

import csv
import gzip
import statistics
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import load
from benchmarks.bench import Bench, medians, table

SYMBOLS = 500
WANTED = 0.8


def run(bench: Bench) -> dict[str, Any]:
    ticks, rounds = bench.of(300_000, 20_000), bench.of(3, 1)
    file = bench.folder / "replay.csv"
    _write_csv(file, ticks)
    packed, parquet = bench.folder / "replay.csv.gz", bench.folder / "replay.parquet"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    frame = pd.read_csv(file)
    frame.assign(timestamp=pd.to_datetime(frame["timestamp"], format="ISO8601")).to_parquet(parquet)
    replay = {"SOURCE": "replay", "REPLAY_SPEED": "max"}
    symbols = ",".join(f"S{number:03}" for number in range(SYMBOLS))
    program = ["-m", "benchmarks.programs.producing", "--ticks", str(ticks)]
    kinds: dict[str, tuple[list[str], dict[str, str]]] = {
        "bare loop": ([*program, "--bare"], {}),
        "simulated": (program, {"SOURCE": "simulated", "PRODUCER_INTERVAL": "0"}),
        "replay": (program, replay | {"REPLAY_FILE": str(file)}),
        "replay gz": (program, replay | {"REPLAY_FILE": str(packed)}),
        "replay Parquet": (program, replay | {"REPLAY_FILE": str(parquet)}),
        "pandas and send": ([*program, "--pandas"], {"REPLAY_FILE": str(file)}),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (command, settings) in kinds.items():
            environment = bench.environment(bench.new_topic(6), "none", SYMBOLS=symbols, **settings)
            runs[name].append(bench.measure(command, environment))
    rates = {name: [run["ticks_per_s"] for run in found] for name, found in runs.items()}
    ratios = {
        name: round(statistics.median(b / a for a, b in zip(rates["bare loop"], found, strict=True)), 3)
        for name, found in rates.items()
    }
    of_pandas = round(ratios["replay"] / ratios["pandas and send"], 3)
    rows: list[tuple[str, ...]] = [("", "ticks/s", "of bare", "wanted", "CPU us/tick")]
    for name, found in runs.items():
        middle = medians(found)
        wanted = "" if name in ("bare loop", "pandas and send") else f"{WANTED}"
        cpu = f"{middle['cpu_us_per_tick']:.1f}"
        rows.append((name, f"{middle['ticks_per_s']:,.0f}", f"{ratios[name]:.2f}", wanted, cpu))
    print(table(rows))
    return {"ticks": ticks, "ratios": ratios, "of_pandas": of_pandas, "runs": runs}


def _write_csv(path: Path, ticks: int) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp", "symbol", "price", "volume"))
        for tick in load.ticks(ticks, SYMBOLS):
            rows.writerow((tick.timestamp.isoformat(), tick.symbol, tick.price, tick.volume))
