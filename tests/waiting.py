"""A helper that waits until something is true, even on a busy machine."""

import time
from collections.abc import Callable

LONG = 60.0
"""A timeout in seconds: what takes 0.1 s on an idle machine took 12 s on two cores at a load average of 15."""


def until(is_true: Callable[[], object], what: str = "what was waited for", seconds: float = LONG) -> None:
    """Wait until `is_true()` returns true; after `seconds`, raise AssertionError with `what` in the message."""
    deadline, pause = time.monotonic() + seconds, 0.005
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)
