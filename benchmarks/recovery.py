"""Catching up: a worker stops, a million ticks arrive, and it starts again. Measures its rate and longest pause."""

import itertools
import signal
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, figures_of

WANTED, LONGEST_SECONDS = 0.9, 1.0


def run(bench: Bench) -> dict[str, Any]:
    before, backlog = bench.of(500_000, 60_000), bench.of(1_000_000, 100_000)
    topic, bucket = bench.new_topic(6), bench.new_bucket()
    environment = bench.environment(topic, bucket)
    records = load.records(before + backlog, 500)
    bench.preload(topic, itertools.islice(records, before))
    steady, _, _ = _run(bench, environment, before)
    bench.preload(topic, records)
    rate, pause, work = _run(bench, environment, before + backlog)
    bench.check_stored(bucket, before + backlog)
    share = round(rate / steady, 3)
    print(f"steady {steady:,.0f}/s; backlog of {backlog:,}: {rate:,.0f}/s, {share:.2f} of it ({WANTED} wanted)")
    print(f"longest pause between commits {pause:.2f} s ({LONGEST_SECONDS:g} at most); start to end {work:.1f} s")
    return {"backlog": backlog, "steady_per_s": steady, "per_s": rate, "share": share, "longest_pause_s": pause}


def _run(bench: Bench, environment: dict[str, str], until: int) -> tuple[float, float, float]:
    """Run a worker until `until` records are committed; return ticks per second, the longest pause between two commits,
    and the time from the first commit to the last, in seconds.
    """
    worker = bench.start(["-m", "benchmarks.programs.timeline"], environment)
    bench.wait_committed(environment, until)
    worker.send_signal(signal.SIGTERM)
    timeline = figures_of(worker)["timeline"]
    (begin, first), (end, last) = timeline[0], timeline[-1]
    pause = max((b - a for (a, _), (b, _) in itertools.pairwise(timeline)), default=0.0)
    return round((last - first) / (end - begin)), round(pause, 3), round(end - begin, 1)
