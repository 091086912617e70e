"""The deadline by which the current request must have read from the store: a monotonic time, one per thread."""

import time
from contextvars import ContextVar

from tickflow.errors import StoreSlow

DEADLINE: ContextVar[float | None] = ContextVar("DEADLINE", default=None)


def seconds_left(most: float) -> float:
    """The seconds left for the current request, at most `most`. Raises `StoreSlow` once none are left."""
    deadline = DEADLINE.get()
    if deadline is None:
        return most
    left = deadline - time.monotonic()
    if left <= 0:
        raise too_slow()
    return min(most, left)


def is_over() -> bool:
    """Whether the deadline has passed."""
    deadline = DEADLINE.get()
    return deadline is not None and time.monotonic() > deadline


def too_slow() -> StoreSlow:
    """The error for a read that would take longer than a request may take."""
    return StoreSlow("The store took too long for this request: ask for a shorter range, or try again later.")
