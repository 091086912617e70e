"""What a worker says of itself, and what the workers last said, for people: the verb `status`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tickflow.counters import Tally
from tickflow.points import Points
from tickflow.store.base import MetricsStore, WorkerStatus
from tickflow.wording import ago


@dataclass(slots=True)
class Freshness:
    """When this worker last took in ticks (wall clock), and the newest event among them; ns since 1970."""

    processed_at: int | None = None
    newest_event: int | None = None

    def note(self, points: Points, now: int) -> None:
        """Take in a batch, of one point at least."""
        self.processed_at = now
        self.newest_event = max(self.newest_event or 0, int(points.time_ns.max()))

    def status(self, worker: str, now: int, lag: Mapping[int, int], done: Tally, held_up_by: str) -> WorkerStatus:
        """What the worker says of itself now."""
        return WorkerStatus(
            worker=worker,
            written_at=now,
            processed_at=self.processed_at,
            newest_event=self.newest_event,
            lag_records=sum(lag.values()),
            accepted=done.accepted,
            refused=done.refused.total() + done.refused_by_store,
            expired=done.expired,
            held_up_by=held_up_by,
        )


def show(store: MetricsStore) -> None:
    """Print a line a worker."""
    with store:
        store.connect()
        statuses = store.statuses()
    if not statuses:
        print("No worker has written a status within the last day. Start one: python stock_analytics.py")
    now = time.time_ns()
    for each in statuses:
        print(
            f"{each.worker}: said {ago(now - each.written_at)} ago, last tick taken in "
            f"{'never' if each.processed_at is None else ago(now - each.processed_at) + ' ago'}, "
            f"{each.lag_records:,} to read, {each.accepted:,} accepted, {each.refused:,} refused, "
            f"{each.expired:,} expired{', held up: ' + each.held_up_by if each.held_up_by else ''}"
        )
