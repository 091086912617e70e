"""Two workers of one group compared with one worker on the same topic: total rate, and shares of the work."""

import signal
import statistics
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, figures_of, table

Timeline = list[list[float]]
"""Pairs of a moment and the number of records committed by then."""


def run(bench: Bench) -> dict[str, Any]:
    ticks, rounds = bench.of(1_000_000, 100_000), bench.of(3, 1)
    topic = bench.new_topic(6)
    bench.preload(topic, load.records(ticks, 500))
    one, two, shares = [], [], []
    for _ in range(rounds):
        one.append(_rate(_timelines(bench, topic, ticks, workers=1)))
        both = _timelines(bench, topic, ticks, workers=2)
        two.append(_rate(both))
        begin, end = _together(both)
        done = sorted(_done(each, end) - _done(each, begin) for each in both)
        shares.append(round(done[0] / done[1], 3))
    ratio = round(statistics.median(two) / statistics.median(one), 3)
    rows: list[tuple[str, ...]] = [("", "ticks/s", "ratio")]
    rows.append(("one worker", f"{statistics.median(one):,.0f}", "1"))
    rows.append(("two workers", f"{statistics.median(two):,.0f}", f"{ratio:.2f}"))
    print(table(rows))
    print(f"the slower worker processes {statistics.median(shares):.2f} of what the faster one does")
    return {"ticks": ticks, "ratio": ratio, "one": one, "two": two, "slower_of_quicker": shares}


def _timelines(bench: Bench, topic: str, ticks: int, workers: int) -> list[Timeline]:
    bucket = bench.new_bucket()
    environment = bench.environment(topic, bucket)
    started = [bench.start(["-m", "benchmarks.programs.timeline"], environment) for _ in range(workers)]
    bench.wait_committed(environment, ticks)
    for worker in started:
        worker.send_signal(signal.SIGTERM)
    timelines = [figures_of(worker)["timeline"] for worker in started]
    bench.check_stored(bucket, ticks)
    bench.influx.delete_bucket(bucket)
    if not all(timelines):
        raise RuntimeError("a worker got no partition in time: the topic is too short for this machine")
    return timelines


def _together(timelines: list[Timeline]) -> tuple[float, float]:
    """The start and the end of the period in which all workers were working."""
    return max(each[0][0] for each in timelines), min(each[-1][0] for each in timelines)


def _rate(timelines: list[Timeline]) -> float:
    begin, end = _together(timelines)
    return round(sum(_done(each, end) - _done(each, begin) for each in timelines) / (end - begin))


def _done(timeline: Timeline, moment: float) -> float:
    return max((count for at, count in timeline if at <= moment), default=0)
