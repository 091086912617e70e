"""A program to measure: the memory of our worker alone, with a log and a store that keep nothing.

Prints one JSON line: `resident_mb` before the first tick and after each tenth of the ticks.
"""

import argparse
import gc
import io
import json
import sys
from pathlib import Path

from benchmarks import load
from config import load_settings
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.memory_log import MemoryLog, MemoryTopic
from tickflow.metrics.points import Points
from tickflow.process import StopEvent
from tickflow.store.base import Written
from tickflow.store.influx.lines import to_lines
from tickflow.ticklog.base import Polled

SHARES = 10


class PassingLog(MemoryLog):
    """Delivers the ticks batch by batch, keeps none of them, and stops the worker after the last."""

    def __init__(self, ticks: int, symbols: int, stop: StopEvent) -> None:
        self.held = MemoryTopic(1)
        super().__init__(self.held)
        self.stop = stop
        self.resident = [resident_mb()]
        self._batches = load.batches(ticks, symbols)
        self._share = ticks // SHARES
        self.give(0)

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        polled = super().poll(timeout, paused=paused)
        if polled.assigned or paused:
            return polled
        batch = next(self._batches, None)
        if batch is None:
            self.stop.set()
            return Polled()
        self.held.ends[0] = batch[-1].offset + 1
        self.seek(0, self.held.ends[0])
        if self.held.ends[0] >= self._share * len(self.resident):
            gc.collect()
            self.resident.append(resident_mb())
        return Polled({0: batch})


class PassingStore(MemoryStore):
    """Formats the points as lines, as the InfluxDB store does, and drops the lines."""

    def write(self, points: Points) -> Written:
        return Written(len(to_lines(points)))


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--symbols", type=int, required=True)
    arguments = parser.parse_args()
    stop = StopEvent()
    log = PassingLog(arguments.ticks, arguments.symbols, stop)
    StockAnalyticsEngine(load_settings(), log=log, store=PassingStore(), stop=stop, out=io.StringIO()).run()
    print(json.dumps({"resident_mb": log.resident}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
