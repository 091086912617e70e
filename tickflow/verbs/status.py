"""The verb `status`: what the workers last reported about themselves."""

import time
from collections.abc import Callable

from tickflow import process
from tickflow.store.base import StatusBoard, WorkerStatus
from tickflow.worker.report import ago

SILENT_NS = 10_000_000_000
"""A worker without a report for this long has ended, or cannot reach the store: it reports every 2 s."""


def line(status: WorkerStatus, now_ns: int) -> str:
    """One worker's report for people; the figures of a worker that no longer reports are left out: they are old."""
    silence_ns = now_ns - status.written_at
    if silence_ns > SILENT_NS:
        return f"{status.worker}: no report for {ago(silence_ns)}: it has ended, or cannot reach the store"
    newest = "no tick yet" if status.processed_at is None else f"last tick {ago(now_ns - status.processed_at)} ago"
    held_up = f", held up: {status.held_up_by}" if status.held_up_by else ""
    return (
        f"{status.worker}: reported {ago(silence_ns)} ago, {newest}, {status.lag_records:,} records to read, "
        f"{status.accepted:,} ticks accepted, {status.refused:,} refused, {status.expired:,} expired{held_up}"
    )


def show(store: StatusBoard, clock_ns: Callable[[], int] = time.time_ns) -> None:
    """Print one line per worker, those that report first."""
    with store:
        store.connect()
        statuses = store.statuses()
    if not statuses:
        process.show("No worker has reported within the last day. Start one: python stock_analytics.py")
    now_ns = clock_ns()
    for each in sorted(statuses, key=lambda each: now_ns - each.written_at > SILENT_NS):
        process.show(line(each, now_ns))
