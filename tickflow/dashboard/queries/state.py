"""The state that the page shows: read from the store only, with ages in seconds that the browser's clock keeps
counting.
"""

from collections.abc import Sequence
from typing import Any

from tickflow.errors import StoreError, StoreSlow, StoreUnavailable
from tickflow.store.base import WorkerStatus
from tickflow.worker.status import ENDED

GONE_AFTER_S = 10.0
"""A worker writes its status every 2 s; a worker without a status for this many seconds is gone."""

State = dict[str, Any]


def state_of(statuses: Sequence[WorkerStatus], now_ns: int) -> State:
    """The page's state, from the statuses of all workers.

    `processed_s`: seconds since any worker last processed ticks. `newest_event_us`: the newest event time among those
    ticks. `reported_s`: seconds since any worker last wrote its status. All three are `None` while unknown. The counts,
    `held_up_by` and `notice` come from the workers that still report.
    """
    present = [
        status for status in statuses if status.state != ENDED and now_ns - status.written_at < GONE_AFTER_S * 1e9
    ]
    processed = max((status.processed_at for status in statuses if status.processed_at is not None), default=None)
    newest = max((status.newest_event for status in statuses if status.newest_event is not None), default=None)
    reported = max((status.written_at for status in statuses), default=None)
    return {
        "down": None,
        "processed_s": _age(processed, now_ns),
        "newest_event_us": None if newest is None else newest // 1000,
        "reported_s": _age(reported, now_ns),
        "gone": not present,
        "lag": sum(status.lag_records for status in present),
        "refused": sum(status.refused for status in present),
        "held_up_by": "; ".join(sorted({status.held_up_by for status in present if status.held_up_by})),
        "notice": " ".join(sorted({status.notice for status in present if status.notice})),
    }


def down(error: StoreError) -> State:
    """The state while the store does not answer, is too slow, or refuses requests: the reason, and the word for it."""
    word = "slow" if isinstance(error, StoreSlow) else "down" if isinstance(error, StoreUnavailable) else "refuses"
    return {"down": str(error), "store": word}


def _age(moment_ns: int | None, now_ns: int) -> float | None:
    return None if moment_ns is None else round(max(0, now_ns - moment_ns) / 1e9, 2)
