"""A program to measure: runs our worker until it is asked to stop; prints how many records were committed, over time.

Prints one JSON line: `timeline`, pairs of seconds on the machine's monotonic clock and the records committed by then.
"""

import json
import sys
import time

from benchmarks.worker import MeasuredEngine
from tickflow.process import StopEvent, set_up_logging


class TimedEngine(MeasuredEngine):
    """A worker that records each change of its count of committed records."""

    def __init__(self, stop: StopEvent) -> None:
        super().__init__(sys.maxsize, stop)
        self.timeline: list[tuple[float, int]] = []

    def report(self) -> None:
        super().report()
        done = self.counters.total.consumed
        if done > (self.timeline[-1][1] if self.timeline else 0):
            self.timeline.append((round(time.monotonic(), 4), done))


def main() -> int:
    set_up_logging("ERROR")
    stop = StopEvent()
    stop.listen()
    worker = TimedEngine(stop)
    worker.run()
    print(json.dumps({"timeline": worker.timeline}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
