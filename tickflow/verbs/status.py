"""The verb `status`: what the workers last reported about themselves."""

import time

from tickflow.store.base import StatusBoard
from tickflow.worker.report import ago


def show(store: StatusBoard) -> None:
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
