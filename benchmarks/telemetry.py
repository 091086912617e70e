"""What telemetry costs: one worker whose metrics are read once a second, against one that serves none, alternately."""

import random
import statistics
import threading
import urllib.request
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, figures_of, table
from devtools.process import free_port

READ_SECONDS = 1.0
"""Prometheus reads every 15 s by default."""
WANTED = 0.98


def run(bench: Bench) -> dict[str, Any]:
    ticks = bench.of(400_000, 50_000)
    topic = bench.new_topic(12)
    bench.preload(topic, load.records(ticks, 500))
    _measure(bench, topic, ticks, is_read=True)  # the first run of all is slower
    runs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for _ in range(bench.of(9, 1)):
        for is_read in random.sample((True, False), 2):
            runs[is_read].append(_measure(bench, topic, ticks, is_read=is_read))
    rates, costs = (
        [round(theirs[name] / ours[name], 3) for theirs, ours in zip(runs[True], runs[False], strict=True)]
        for name in ("ticks_per_s", "cpu_us_per_tick")
    )
    rows: list[tuple[str, ...]] = [("metrics read once a second, against none", "median", "wanted", "each round")]
    rows.append(
        ("ticks/s", f"{statistics.median(rates):.3f}", f"at least {WANTED:g}", " ".join(map(str, sorted(rates))))
    )
    rows.append(("CPU per tick", f"{statistics.median(costs):.3f}", "", " ".join(map(str, sorted(costs)))))
    print(table(rows))
    return {"rates": rates, "costs": costs}


def _measure(bench: Bench, topic: str, ticks: int, *, is_read: bool) -> dict[str, Any]:
    bucket, port = bench.new_bucket(), free_port()
    environment = bench.environment(topic, bucket, **({"METRICS_PORT": str(port)} if is_read else {}))
    worker = bench.start(["-m", "benchmarks.worker", "--ticks", str(ticks)], environment)
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(port, ended))
    if is_read:
        reader.start()
    try:
        figures = figures_of(worker)
    finally:
        ended.set()
    bench.check_stored(bucket, ticks)
    return figures


def _read(port: int, ended: threading.Event) -> None:
    while not ended.wait(READ_SECONDS):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1).read()
        except OSError:
            continue  # not started yet, or ended
