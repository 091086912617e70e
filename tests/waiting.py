"""Waiting for something to become true, on machines that may be busy."""

import time
from collections.abc import Callable

LONG = 60.0
"""Seconds: what takes 0.1 s on an idle machine took 12 s at a load of 15 on two cores."""


def until(is_true: Callable[[], object], what: str = "what was waited for", seconds: float = LONG) -> None:
    """Wait until `is_true()` is; raises AssertionError, which names `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)
