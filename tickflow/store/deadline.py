"""The deadline of the current request for its reads from the store: a monotonic time, per thread."""

import time
from contextvars import ContextVar

from tickflow.errors import StoreUnavailable

DEADLINE: ContextVar[float | None] = ContextVar("DEADLINE", default=None)


def seconds_left(most: float) -> float:
    """The seconds left for the current request, at most `most`. Raises `StoreUnavailable` once none are left."""
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


def too_slow() -> StoreUnavailable:
    """The error of a read that would take longer than a request may."""
    return StoreUnavailable("The store took too long for this request: ask for a shorter range, or try again later.")
