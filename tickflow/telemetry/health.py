"""Whether a script is alive and ready, judged by the last report of its own loop, without a request to any server.

*Live* means that the loop has completed an iteration within the last `LIVE_SECONDS`: a process that is not live hangs,
and a restart may help. *Ready* means that the script is doing its work now. A script that waits for a server is live
but not ready: a restart would not bring the server back.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LIVE_SECONDS = 15.0


class State(StrEnum):
    """What a script is doing, as far as it matters for readiness."""

    STARTING = "starting"
    WAITING_FOR_LOG = "waiting_for_log"
    WAITING_FOR_STORE = "waiting_for_store"
    HELD_UP = "held_up"
    RESTORING = "restoring"
    BEHIND = "behind"
    FINE = "fine"
    STOPPING = "stopping"


READY = frozenset({State.BEHIND, State.FINE})
"""The states in which a script is ready. A worker with a backlog is ready: it is doing its work."""


@dataclass(frozen=True, slots=True)
class Report:
    """The state at one moment; `share` is the finished part of a restore, from 0 to 1, if one is running."""

    state: State
    sentence: str
    share: float | None = None


class Health:
    """Keeps the time of the last completed iteration of a script's loop, and what the script is doing; any thread may
    read it. `clock` is monotonic, in seconds.

    >>> now = [100.0]
    >>> health = Health(clock=lambda: now[0])
    >>> health.note(Report(State.FINE, "all is written"))
    >>> health.is_live, health.is_ready
    (True, True)
    >>> now[0] += 20
    >>> health.is_live, health.is_ready, health.report.sentence
    (False, False, 'the loop has been stuck for 20 s; it last reported: all is written')
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned_at = clock()
        self._is_patient = False
        self._ready_seconds = math.inf
        self._overdue = State.WAITING_FOR_STORE
        self._report = Report(State.STARTING, "starting")

    def note(
        self,
        report: Report,
        *,
        patient: bool = False,
        ready_seconds: float = math.inf,
        overdue: State = State.WAITING_FOR_STORE,
    ) -> None:
        """Record that the loop has completed an iteration, and what it is doing.

        With `patient`, the loop is now waiting for a server inside one call that has its own time-outs, so no iteration
        is expected meanwhile. A report of a ready state is valid for `ready_seconds`, then the state is `overdue`.
        """
        self._report = report
        self._is_patient = patient
        self._ready_seconds = ready_seconds
        self._overdue = overdue
        self._turned_at = self._clock()

    @property
    def silent_seconds(self) -> float:
        """How many seconds ago the loop last completed an iteration."""
        return self._clock() - self._turned_at

    @property
    def is_live(self) -> bool:
        """Whether the loop has completed an iteration within the last `LIVE_SECONDS`."""
        return self._is_patient or self.silent_seconds <= LIVE_SECONDS

    @property
    def is_ready(self) -> bool:
        """Whether the script is alive and doing its work."""
        return self.is_live and not self._is_overdue and self._report.state in READY

    @property
    def _is_overdue(self) -> bool:
        return self.silent_seconds > self._ready_seconds

    @property
    def report(self) -> Report:
        """What the script last reported or, if its loop hangs, that it hangs."""
        report = self._report
        if self._is_overdue:
            sentence = f"no answer for {self.silent_seconds:.0f} s; it last reported: {report.sentence}"
            return Report(self._overdue, sentence, report.share)
        if self.is_live:
            return report
        sentence = f"the loop has been stuck for {self.silent_seconds:.0f} s; it last reported: {report.sentence}"
        return Report(report.state, sentence, report.share)
