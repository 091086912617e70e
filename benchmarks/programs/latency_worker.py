"""A program to measure: runs our worker until it is asked to stop; prints how long ticks took to be stored.

The time runs from a tick's event time, which its producer read from the clock, until the write of its point returns;
both times are from this machine's clock. The first seconds do not count. Prints one JSON line: the number of ticks,
percentiles in ms, and the process's CPU usage as a percentage of one core.
"""

import argparse
import io
import json
import sys
import time

import numpy as np

from benchmarks.figures import peak_mb
from config import load_settings
from stock_analytics import StockAnalyticsEngine
from tests.fakes import Breakable
from tickflow.arrays import Ints
from tickflow.metrics.points import Points
from tickflow.process import StopEvent, set_up_logging
from tickflow.stack import open_store
from tickflow.store.base import MetricsStore, Written


class TimedStore(Breakable):
    """A store that notes the age of the points that it stores, except in the first seconds."""

    def __init__(self, store: MetricsStore, skip_seconds: float) -> None:
        super().__init__(store)
        self.ages: list[Ints] = []
        self._skip_ns = int(skip_seconds * 1e9)
        self._begun_at = 0
        self._spans: list[tuple[float, float]] = []

    def write(self, points: Points) -> Written:
        written = super().write(points)
        now = time.time_ns()
        self._begun_at = self._begun_at or now
        if now - self._begun_at >= self._skip_ns:
            self.ages.append(now - points.time_ns)
            self._spans = [*self._spans[:1], (time.monotonic(), time.process_time())]
        return written

    @property
    def cpu_percent(self) -> float:
        """The CPU usage of this process between the first and the last counted write, as a percentage of one core."""
        (begun, used_before), (ended, used) = self._spans
        return (used - used_before) / (ended - begun) * 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    set_up_logging("ERROR")
    stop = StopEvent()
    stop.listen()
    settings = load_settings()
    store = TimedStore(open_store(settings, stop), arguments.skip_seconds)
    StockAnalyticsEngine(settings, store=store, stop=stop, out=io.StringIO()).run()
    ages = np.concatenate(store.ages) / 1e6
    p50, p90, p99, longest = np.percentile(ages, (50, 90, 99, 100)).round(2).tolist()
    times = {"p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": longest}
    used = {"cpu_percent": round(store.cpu_percent, 1), "peak_mb": round(peak_mb(), 1)}
    print(json.dumps({"ticks": len(ages), **times, **used}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
