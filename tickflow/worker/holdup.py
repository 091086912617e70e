"""What holds a worker up, and how it waits for it: as a member of its group, within reach of a stop, not silently."""

import logging
import time
from collections.abc import Callable

from tickflow.backoff import Saying
from tickflow.errors import LogUnavailable
from tickflow.telemetry.health import State
from tickflow.ticklog.base import TickLog
from tickflow.worker.assignments import Assignments

POLL_SECONDS = 0.25
"""So long a poll waits for records at most: within it a stop is heard, and the status written."""

logger = logging.getLogger("tickflow.analytics")


class Holdup:
    """`reason` is what the worker waits for, empty when nothing; `report` is called again and again meanwhile."""

    def __init__(self, log: TickLog, partitions: Assignments, report: Callable[[], None]) -> None:
        self.reason = ""
        self.state: State | None = None
        self.say = Saying(logger)
        self._log = log
        self._partitions = partitions
        self._report = report

    def wait(self, seconds: float, reason: str, state: State = State.HELD_UP) -> None:
        """Stay in the group while held up: poll without records for that long. Raises `Stopped`."""
        self.reason, self.state = reason, state
        self.say(f"held up: {reason}")
        until = time.monotonic() + seconds
        while True:
            self._log.check_stop()
            self._report()
            self._log.check_stop()  # to report to a frozen store takes its time
            left = until - time.monotonic()
            if left <= 0:
                return
            try:
                self._partitions.follow(self._log.poll(min(left, POLL_SECONDS), paused=True))
            except LogUnavailable:
                self._log.stop.wait(min(left, POLL_SECONDS))

    def over(self) -> None:
        """Say that nothing holds the worker up any more, if something did."""
        self.reason, self.state = "", None
        self.say.over("going on")
