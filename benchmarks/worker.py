"""A program to measure: runs our worker in one process until it has committed a given number of records.

Prints one JSON line: ticks, seconds from the first batch to the last commit, CPU microseconds per tick, peak memory.
"""

import argparse
import gc
import io
import sys
import time
from functools import partial

from benchmarks.figures import Figures
from config import load_settings
from stock_analytics import StockAnalyticsEngine
from tickflow.process import StopEvent, set_up_logging
from tickflow.stack import open_log
from tickflow.telemetry.unread import serving_worker
from tickflow.ticklog.base import Polled
from tickflow.worker.batch import Batch


class MeasuredEngine(StockAnalyticsEngine):
    """A worker that measures from its first records to its last commit."""

    def __init__(self, ticks: int, stop: StopEvent) -> None:
        super().__init__(load_settings(), stop=stop, out=io.StringIO())
        self.ticks = ticks
        self.figures = Figures()

    def process(self, polled: Polled) -> Batch:
        if not self.figures.begun and polled.records:
            self.figures.begin()
        return super().process(polled)

    def report(self) -> None:
        super().report()
        consumed = self.counters.total.consumed  # all committed records, whether stored or dead letters
        if consumed >= self.ticks:
            self.figures.end(consumed)
            self.stop.set()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, required=True)
    arguments = parser.parse_args()
    set_up_logging("WARNING")
    stop = StopEvent()
    stop.listen()
    worker = MeasuredEngine(arguments.ticks, stop)
    started = time.monotonic()
    gc.freeze()  # as stock_analytics.py does
    with serving_worker(worker.settings, worker.telemetry, partial(open_log, worker.settings, stop), stop):
        worker.run()
    print(worker.figures.to_json(startup=worker.figures.begun_at - started), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
