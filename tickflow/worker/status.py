"""What a worker reports about itself: its name, and its row in `stock_status`, every two seconds."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tickflow.backoff import Saying
from tickflow.errors import StoreError
from tickflow.metrics.points import Points
from tickflow.store.base import StatusBoard, WorkerStatus
from tickflow.worker.counters import Tally

STATUS_SECONDS = 2.0
ENDED = "ended"
"""The state of a worker that has ended because it was asked to stop."""

logger = logging.getLogger("tickflow.worker")


def worker_name(instance_id: str | None) -> str:
    """The name of this process as a worker: its static member id, or else host and process id."""
    return instance_id or f"{socket.gethostname()}-{os.getpid()}"


class Reporter:
    """Writes one worker's status to the store; `clock` gives ns since 1970.

    It remembers when the worker processed its last batch, by this clock, and the newest event time among its ticks.
    """

    def __init__(self, store: StatusBoard, worker: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._processed_at: int | None = None
        self.newest_event: int | None = None
        self._due_at = 0.0
        self._trouble = Saying(logger)

    def note(self, points: Points) -> None:
        """Record that a batch was processed; it has at least one point."""
        self._processed_at = self._clock()
        self.newest_event = max(self.newest_event or 0, int(points.time_ns.max()))

    def status(
        self,
        lag: Mapping[int, int],
        done: Tally,
        held_up_by: str,
        notice: str = "",
        state: str = "",
        doing: str = "",
    ) -> WorkerStatus:
        """The worker's current status."""
        return WorkerStatus(
            worker=self._worker,
            written_at=self._clock(),
            processed_at=self._processed_at,
            newest_event=self.newest_event,
            lag_records=sum(lag.values()),
            accepted=done.accepted,
            refused=done.refused.total() + done.refused_by_store,
            expired=done.expired,
            held_up_by=held_up_by,
            notice=notice,
            state=state,
            doing=doing,
            foreign=done.foreign,
        )

    def end(self, status: WorkerStatus) -> None:
        """Write the final status of a worker that was asked to stop. If the store is down, log that and continue."""
        try:
            self._store.write_status(replace(status, state=ENDED, doing="ended", held_up_by="", lag_records=0))
        except StoreError as error:
            logger.debug("the final status could not be written: %s", error)

    def report(self, status: Callable[[], WorkerStatus]) -> None:
        """Write the status if it is due; log a failure, unless a hold-up is already being logged."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + STATUS_SECONDS
        current = status()
        try:
            self._store.write_status(current)
            self._trouble.over("the status is written again")
        except StoreError as error:
            if not current.held_up_by:
                self._trouble(f"the status cannot be written: {error}")
