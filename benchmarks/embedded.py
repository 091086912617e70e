"""The embedded stack, one process per script: the highest rate of the whole chain, and its CPU when little happens."""

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.bench import PROJECT, Bench, cpu_of, figures_of
from benchmarks.start import free_port

SYMBOLS = 500
WANTED = 30_000
IDLE_PERCENT = 2.0
SETTLE_SECONDS = 15


def run(bench: Bench) -> dict[str, Any]:
    rates = [_rate(bench, bench.of(600_000, 50_000), number) for number in range(bench.of(3, 1))]
    rate = sorted(rates)[len(rates) // 2]
    print(f"{rate:,.0f} ticks/s through the whole chain; {WANTED:,} wanted")
    idle = _idle_percent(bench, bench.of(120, 10))
    in_all = round(sum(idle.values()), 2)
    print(f"7 symbols every 2 s: {in_all:.2f} % of a core in all (at most {IDLE_PERCENT:g}): {idle}")
    return {"ticks_per_s": rates, "median_per_s": rate, "idle_percent": idle, "idle_percent_in_all": in_all}


def _rate(bench: Bench, ticks: int, number: int) -> float:
    """Ticks per second, from the first published tick until all ticks are stored and committed."""
    file = bench.folder / f"chain-{number}.db"
    symbols = ",".join(f"S{number:03}" for number in range(SYMBOLS))
    environment = _environment(file) | {"SYMBOLS": symbols, "PRODUCER_INTERVAL": "0"}
    worker = bench.start(["-m", "benchmarks.worker", "--ticks", str(ticks)], environment)
    producer = bench.start(["-m", "benchmarks.programs.producing", "--ticks", str(ticks)], environment)
    figures = [figures_of(process) for process in (producer, worker)]
    seconds: float = max(each["ended_at"] for each in figures) - min(each["begun_at"] for each in figures)
    with closing(sqlite3.connect(file)) as database:
        (stored,) = database.execute("SELECT count(*) FROM store_points").fetchone()
    if stored != ticks:
        raise RuntimeError(f"{stored:,} points are stored of {ticks:,} ticks")
    return round(ticks / seconds)


def _idle_percent(bench: Bench, seconds: int) -> dict[str, float]:
    """The CPU usage of each script while no page is open, as a percentage of one core."""
    environment = _environment(bench.folder / "idle.db") | {"DASHBOARD_PORT": str(free_port())}
    scripts = ("stock_producer.py", "stock_analytics.py", "stock_dashboard.py")
    processes = {name: bench.start([str(PROJECT / name)], environment, stdout=subprocess.DEVNULL) for name in scripts}
    try:
        time.sleep(SETTLE_SECONDS)
        before = {name: cpu_of(process.pid) for name, process in processes.items()}
        time.sleep(seconds)
        return {
            name: round((cpu_of(process.pid) - before[name]) / seconds * 100, 2) for name, process in processes.items()
        }
    finally:
        for process in processes.values():
            process.terminate()
            process.wait(timeout=30)


def _environment(file: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "ignore",
        "STACK": "embedded",
        "EMBEDDED_FILE": str(file),
        "SOURCE": "simulated",
        "LOG_LEVEL": "ERROR",
    }
