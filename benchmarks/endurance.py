"""Half an hour at 5,000 ticks/s: do worker, producer and dashboard keep their memory, descriptors and threads?

The three scripts run on real servers with 500 symbols that tick ten times a second; a viewer requests the page's
changes every 2 s. The short form takes three minutes. At the end, every tick must be stored.

A single sample says little: while the page answers, it has a few threads and some MB more. So each process is sampled
180 times, and medians of a tenth of the samples are compared.
"""

import os
import signal
import statistics
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.bench import PROJECT, Bench, table
from benchmarks.site import Site
from benchmarks.viewers import INTERVAL_SECONDS, Viewer

SYMBOLS, RATE = 500, 5_000
SAMPLES = 180
PERIODS = {"begin": 0.05, "middle": 0.5, "end": 0.95}
"""Where in the run each period lies; a period is a tenth of the run."""
GROWTHS = {"memory_mb": 4.0, "descriptors": 2.0, "threads": 0.0}
"""How much the median of each figure of a process may grow from the middle of the run to its end."""


def run(bench: Bench) -> dict[str, Any]:
    seconds = bench.of(1_800, 180)
    topic, bucket = bench.new_topic(6), bench.new_bucket()
    names = ",".join(f"S{number:03}" for number in range(SYMBOLS))
    environment = bench.environment(
        topic, bucket, SYMBOLS=names, PRODUCER_INTERVAL=str(SYMBOLS / RATE), PRICE_LINES="off", LOG_LEVEL="WARNING"
    )
    samples: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        processes = {
            name: bench.start([str(PROJECT / script)], environment, stdout=subprocess.DEVNULL)
            for name, script in (("worker", "stock_analytics.py"), ("producer", "stock_producer.py"))
        }
        bench.wait_committed(environment, RATE)
        site = stack.enter_context(Site(environment, bench.folder))
        pids = {name: process.pid for name, process in processes.items()} | {"dashboard": site.pid}
        viewer = Viewer(site.url, "S000", begins=0, patient=True)
        refreshes = round(seconds / INTERVAL_SECONDS)
        looking = threading.Thread(target=viewer.watch, args=(False, refreshes))
        looking.start()
        begun = time.monotonic()
        for number in range(1, SAMPLES + 1):
            time.sleep(max(0.0, begun + number * seconds / SAMPLES - time.monotonic()))
            for name, pid in pids.items():
                samples.setdefault(name, []).append(sample(pid))
        looking.join()
        if viewer.rows == 0:
            raise RuntimeError("the viewer saw no chart")
        for name in ("producer", "worker"):
            if processes[name].poll() is not None:
                raise RuntimeError(f"the {name} ended before it was asked to")
        processes["producer"].send_signal(signal.SIGINT)
        processes["producer"].wait(60)
        sent = bench.records(topic)
        bench.wait_committed(environment, sent)
        processes["worker"].send_signal(signal.SIGTERM)
        processes["worker"].wait(60)
        bench.check_stored(bucket, sent)
    figures = {name: _figures(found) for name, found in samples.items()}
    rows: list[tuple[str, ...]] = [("", "", "at first", "in the middle", "at the end", "at most", "growth allowed")]
    for name, of_process in figures.items():
        for what, most in GROWTHS.items():
            values = of_process[what]
            rows.append((name, what, *(f"{values[at]:,.1f}" for at in ("begin", "middle", "end", "most")), f"{most:g}"))
    print(table(rows))
    per_s = sent / seconds
    print(f"{sent:,} ticks, all stored, {per_s:,.0f}/s; flat: {all(each['flat'] for each in figures.values())}")
    print(f"the store was too slow for {viewer.slow} of {refreshes} refreshes")
    return {
        "seconds": seconds,
        "ticks": sent,
        "per_s": round(per_s),
        "refreshes": refreshes,
        "slow_refreshes": viewer.slow,
        "processes": figures,
    }


def sample(pid: int) -> dict[str, float]:
    """The memory, the open descriptors and the threads of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "memory_mb": round(int(status["VmRSS"].split()[0]) / 1024, 1),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
    }


def _figures(found: list[dict[str, float]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for what in GROWTHS:
        values = [each[what] for each in found]
        figures[what] = {period: _median(values, at) for period, at in PERIODS.items()} | {"most": max(values)}
    figures["flat"] = all(figures[what]["end"] - figures[what]["middle"] <= most for what, most in GROWTHS.items())
    return figures


def _median(values: list[float], at: float) -> float:
    half = len(values) / 20
    middle = at * len(values)
    return round(statistics.median(values[round(middle - half) : round(middle + half)]), 1)
