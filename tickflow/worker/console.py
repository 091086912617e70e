"""What people read in the terminal while analytics runs, and when.

A line a symbol and interval (never one a tick), anomalies at once but not without end, a summary now and then. Nothing
here can stop the loop: a terminal that went away is left alone.
"""

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

import numpy as np
import numpy.typing as npt

from tickflow.metrics.points import Points
from tickflow.ticks.tick import is_symbol
from tickflow.worker import report
from tickflow.worker.counters import Counters
from tickflow.worker.summary import Summary

MAX_SYMBOLS = 30
"""Symbols shown an interval; the rest is counted."""
MAX_ANOMALIES = 10
"""Anomalies shown an interval; the rest is counted."""

_STYLES = {"alert": "1;31", "up": "36", "down": "33", "faint": "2", "bold": "1"}

Lag = Callable[[], Mapping[int, int]]


def painter(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> report.Paint:
    """Colours text on a terminal, unless NO_COLOR is set (see no-color.org); elsewhere leaves it as it is."""
    if stream is None or not stream.isatty() or environ.get("NO_COLOR"):
        return lambda text, style: text
    return lambda text, style: f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


class Console:
    """The terminal of one worker; `interval` and `summary_interval` in seconds, `clock` in seconds, monotonic.

    `history` has the last prices of each symbol; it is read, never written.
    """

    def __init__(
        self,
        out: TextIO | None,
        interval: float,
        summary_interval: float,
        history: Mapping[str, Sequence[float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out  # a process may have been started without a standard output
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # arrows, where they cannot be shown, are not to end all lines
        self._paint = painter(out)
        self._interval = interval
        self._summary_interval = summary_interval
        self._history = history
        self._clock = clock
        self._summary = Summary()
        self._refused: Counter[str] = Counter()
        self._anomalies = 0
        self._summary_wanted = False
        self._begun: float | None = None
        self._next_lines = self._next_summary = 0.0

    def begin(self) -> None:
        """Begin to count the time; before that nothing is shown."""
        self._begun = self._clock()
        self._next_lines = self._begun + self._interval
        self._next_summary = self._begun + self._summary_interval

    def take(self, points: Points, depth: npt.NDArray[np.int64]) -> None:
        """Take in a partition's batch and show its anomalies; `depth` as in `Metrics`."""
        self._summary.add(points, depth)
        for at in points.is_anomaly.nonzero()[0].tolist():
            self._anomalies += 1
            if self._anomalies <= MAX_ANOMALIES:
                self._say(report.anomaly_line(points, at, self._paint))

    def refused(self, keys: Iterable[bytes | None]) -> None:
        """Count refused records under their keys, where these are symbols: others may be any number, of any length."""
        names = ((key or b"").decode("ascii", "replace") for key in keys)
        self._refused.update(name for name in names if is_symbol(name))

    def want_summary(self) -> None:
        """Ask for a summary with the next `speak`; a signal handler may call this."""
        self._summary_wanted = True

    def speak(self, counters: Counters, lag: Lag) -> None:
        """Say what is due."""
        if self._begun is None:
            return
        now = self._clock()
        if now >= self._next_lines:
            self._next_lines = now + self._interval
            self._say_interval()
        if self._summary_wanted or now >= self._next_summary:
            self._summary_wanted = False
            self._next_summary = now + self._summary_interval
            self._say_summary(counters, lag, now - self._begun)

    def end(self, counters: Counters, lag: Lag) -> None:
        """Say the last summary, if there was a beginning."""
        if self._begun is not None:
            self._say_summary(counters, lag, self._clock() - self._begun)

    def _say_interval(self) -> None:
        for line in report.interval_lines(self._summary.moved(MAX_SYMBOLS), self._paint):
            self._say(line)
        self._summary.mark_shown()
        if self._anomalies > MAX_ANOMALIES:
            self._say(self._paint(f"!! and {self._anomalies - MAX_ANOMALIES:,} more anomalies", "alert"))
        self._anomalies = 0

    def _say_summary(self, counters: Counters, lag: Lag, seconds: float) -> None:
        symbols = self._summary.figures
        for line in report.summary_report(symbols, counters, self._refused, lag(), self._history, seconds):
            self._say(line)

    def _say(self, line: str) -> None:
        if self._out is None:
            return
        try:
            print(line, file=self._out, flush=True)
        except (OSError, ValueError):  # the terminal or pipe was closed: the points matter more than the lines
            self._out = None
