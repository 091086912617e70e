"""How a worker waits while something holds it up: it stays in its group, stops when asked to, and logs the reason."""

import logging
import time
from collections.abc import Callable

from tickflow.backoff import Saying
from tickflow.errors import LogUnavailable
from tickflow.telemetry.health import State
from tickflow.ticklog.base import TickLog
from tickflow.worker.assignments import Assignments

POLL_SECONDS = 0.25
"""The longest wait of a poll for records, in seconds; between polls the worker checks for a stop and writes its status.
"""

logger = logging.getLogger("tickflow.worker")


class Holdup:
    """A wait of the worker. `reason` says what it waits for, and is empty while nothing holds it up. `report` is called
    during a wait.
    """

    def __init__(self, log: TickLog, partitions: Assignments, report: Callable[[], None]) -> None:
        self.reason = ""
        self.state: State | None = None
        self.say = Saying(logger)
        self._resumed = ""
        self._log = log
        self._partitions = partitions
        self._report = report

    def wait(self, seconds: float, reason: str, resumed: str, state: State = State.HELD_UP) -> None:
        """Stay in the group while held up: poll without records for `seconds`. Raises `Stopped`.

        `resumed` is the sentence that `over` logs.
        """
        self.reason, self._resumed, self.state = reason, resumed, state
        self.say(f"held up: {reason}")
        logger.debug("next attempt in %.1f s", seconds)
        until = time.monotonic() + seconds
        while True:
            self._log.check_stop()
            self._report()
            self._log.check_stop()  # check again: a report to a frozen store takes seconds
            left = until - time.monotonic()
            if left <= 0:
                return
            try:
                self._partitions.follow(self._log.poll(min(left, POLL_SECONDS), paused=True))
            except LogUnavailable:
                self._log.stop.wait(min(left, POLL_SECONDS))

    def over(self) -> None:
        """Log that nothing holds the worker up any more, if something did."""
        self.reason, self.state = "", None
        self.say.over(self._resumed)
