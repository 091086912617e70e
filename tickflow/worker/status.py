"""What a worker reports about itself: its row in `stock_status`, every two seconds."""

import logging
import time
from collections.abc import Callable, Mapping

from tickflow.backoff import Saying
from tickflow.errors import StoreError
from tickflow.metrics.points import Points
from tickflow.store.base import StatusBoard, WorkerStatus
from tickflow.worker.counters import Tally

STATUS_SECONDS = 2.0

logger = logging.getLogger("tickflow.analytics")


class Reporter:
    """Writes one worker's status to the store; `clock` gives ns since 1970.

    Of the worker it knows when it last took in ticks, by that clock, and the newest event among them.
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
        """Take in a batch, of one point at least."""
        self._processed_at = self._clock()
        self.newest_event = max(self.newest_event or 0, int(points.time_ns.max()))

    def status(self, lag: Mapping[int, int], done: Tally, held_up_by: str) -> WorkerStatus:
        """What the worker says of itself now."""
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
        )

    def report(self, status: Callable[[], WorkerStatus]) -> None:
        """Write the status where it is due; a failure is said, unless the worker is held up anyway."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + STATUS_SECONDS
        said = status()
        try:
            self._store.write_status(said)
            self._trouble.over("the status is written again")
        except StoreError as error:
            if not said.held_up_by:
                self._trouble(f"the status cannot be written: {error}")
