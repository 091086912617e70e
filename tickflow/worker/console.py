"""What a worker prints on the terminal, and when.

One line per symbol and interval (never one per tick), anomalies at once up to a limit, and a summary now and then.
Nothing here can stop the worker: output to a closed terminal is dropped.
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
"""How many symbols are shown per interval; the others are only counted."""
MAX_ANOMALIES = 10
"""How many anomalies are shown per interval; the others are only counted."""

_STYLES = {"alert": "1;31", "up": "36", "down": "33", "faint": "2", "bold": "1"}

Lag = Callable[[], Mapping[int, int]]


def painter(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> report.Paint:
    """Colours text on a terminal unless NO_COLOR is set (see no-color.org); elsewhere returns it unchanged."""
    if stream is None or not stream.isatty() or environ.get("NO_COLOR"):
        return lambda text, style: text
    return lambda text, style: f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def wants_price_lines(setting: str, out: TextIO | None) -> bool:
    """Whether prices are printed: `on`, `off`, or `auto`, which means only to a terminal.

    >>> wants_price_lines("auto", io.StringIO()), wants_price_lines("on", io.StringIO())
    (False, True)
    """
    return setting == "on" or (setting == "auto" and out is not None and out.isatty())


class Console:
    """The terminal output of one worker; `interval` and `summary_interval` in seconds, `clock` in monotonic seconds.

    `history` has the last prices of each symbol; the console only reads it. Without `price_lines` only summaries are
    printed: prices and anomalies filled a container's log of 30 MB within 22 hours.
    """

    def __init__(
        self,
        out: TextIO | None,
        interval: float,
        summary_interval: float,
        history: Mapping[str, Sequence[float]],
        clock: Callable[[], float] = time.monotonic,
        *,
        price_lines: bool = True,
    ) -> None:
        self._price_lines = price_lines
        self._out = out  # None if the process was started without standard output
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # an arrow that the encoding lacks must not end the output
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
        """Start the intervals; before this call nothing is printed."""
        self._begun = self._clock()
        self._next_lines = self._begun + self._interval
        self._next_summary = self._begun + self._summary_interval

    def take(self, points: Points, depth: npt.NDArray[np.int64]) -> None:
        """Add the batch of one partition and print its anomalies; `depth` as in `Metrics`."""
        self._summary.add(points, depth)
        for at in points.is_anomaly.nonzero()[0].tolist():
            self._anomalies += 1
            if self._anomalies <= MAX_ANOMALIES and self._price_lines:
                self._say(report.anomaly_line(points, at, self._paint))

    def refused(self, keys: Iterable[bytes | None]) -> None:
        """Count refused records under their keys; keys that are not symbols are left out, since they may be many
        and long.
        """
        names = ((key or b"").decode("ascii", "replace") for key in keys)
        self._refused.update(name for name in names if is_symbol(name))

    def want_summary(self) -> None:
        """Request a summary at the next `speak`; a signal handler may call this."""
        self._summary_wanted = True

    def speak(self, counters: Counters, lag: Lag) -> None:
        """Print whatever is due."""
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
        """Print the last summary, if `begin` was ever called."""
        if self._begun is not None:
            self._say_summary(counters, lag, self._clock() - self._begun)

    def _say_interval(self) -> None:
        if not self._price_lines:
            return
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
        except (OSError, ValueError):  # the terminal or the pipe was closed
            self._out = None
