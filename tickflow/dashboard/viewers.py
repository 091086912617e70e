"""Counts how many pages are open; each is identified by the drawing that it refreshes."""

import threading
import time
from collections.abc import Callable

VIEWERS = 100
LEAST_SECONDS = 10.0


class Viewers:
    """The open pages; a page that has not refreshed for three intervals counts as closed. Thread-safe."""

    def __init__(self, update_interval: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = max(LEAST_SECONDS, 3 * update_interval)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def admit(self, drawing: str) -> bool:
        """Whether the page that shows this drawing is among the `VIEWERS` pages that may be open."""
        now = self._monotonic()
        with self._lock:
            if drawing not in self._seen and len(self._seen) >= VIEWERS:
                self._seen = {each: at for each, at in self._seen.items() if now - at <= self._seconds}
                if len(self._seen) >= VIEWERS:
                    return False
            self._seen[drawing] = now
            return True
