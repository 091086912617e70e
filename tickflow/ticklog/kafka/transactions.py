"""Detects open transactions: Kafka returns no records behind the first one, and does not report why."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from tickflow.backoff import Saying

PATIENCE_SECONDS = 5.0
"""After this many seconds without progress on a partition that has unread records, Kafka is asked for open
transactions. A typical transaction takes milliseconds.
"""

_logger = logging.getLogger(__name__)


class OpenTransactions:
    """Detects partitions whose position does not move although they hold more records, and reports the transactions
    that block them.

    `stable_ends` asks Kafka where the first open transaction of each partition begins (its last stable offset).
    """

    def __init__(self, where: str, stable_ends: Callable[[Iterable[int]], Mapping[int, int]]) -> None:
        self._where = where
        self._stable_ends = stable_ends
        self._still: dict[int, tuple[int, float]] = {}
        self._asked_at = 0.0
        self._held: dict[int, tuple[int, int]] = {}
        self._saying = Saying(_logger)

    @property
    def holdup(self) -> str:
        """Which partition is blocked at which offset, as a sentence; empty if none is."""
        if not self._held:
            return ""
        places = ", ".join(
            f"partition {number} at offset {at:,} ({behind:,} offsets behind it wait)"
            for number, (at, behind) in sorted(self._held.items())
        )
        return (
            f"{self._where}: a producer has left a transaction open, which holds up {places}; it ends when that "
            "producer commits or aborts it, at the latest after its transaction.timeout.ms"
        )

    def watch(self, places: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Note the read position and the end of each partition. Raises what `stable_ends` raises."""
        now = time.monotonic()
        before = self._still
        self._still = {}
        for number, place in places.items():
            if place < ends.get(number, 0):
                was, since = before.get(number, (place, now))
                self._still[number] = (place, since if was == place else now)
        self._held = {
            number: held for number, held in self._held.items() if self._still.get(number, (-1,))[0] == held[0]
        }
        due = [number for number, (_, since) in self._still.items() if now - since > PATIENCE_SECONDS]
        if due and now - self._asked_at > PATIENCE_SECONDS:
            self._asked_at = now
            stable = self._stable_ends(due)
            for number in due:
                place = self._still[number][0]
                if stable[number] <= place:
                    self._held[number] = (place, ends[number] - place)
        if self._held:
            self._saying(self.holdup)
        else:
            self._saying.over(f"{self._where}: no open transaction holds up a partition any more")
