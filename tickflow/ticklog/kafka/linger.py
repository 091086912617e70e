"""How long a reader waits between two polls that return few records, so that a nearly idle worker takes little CPU.

Ticks that arrive during the wait are processed together, which costs hardly more than one of them alone.

Measured at 2,000 ticks/s on twelve partitions, on a quiet machine with two cores that also ran the servers and the
load: with a wait of 20 ms, half of the ticks are stored within 20 ms and 99 % within 37 ms, at 20 % of a core. With 7
ms the figures are 12 ms, 25 ms and 38 %; without a wait, a worker that did not yet compute all partitions of a turn
together was no faster and took 58 %. On slower machines a turn takes up to three times the CPU time, and 20 ms cost 30
to 50 % of a core; so the wait follows what the turns take. The client waits: a broker with `fetch.min.bytes` would
start to wait only after the worker has finished a turn.
"""

import time
from collections.abc import Callable

FEW_RECORDS = 1_000
"""A poll that returned all available records, and fewer than this, is followed by a wait."""

SHORTEST_SECONDS, LONGEST_SECONDS = 0.020, 0.040
MOST_OF_A_CORE = 0.25
WEIGHT = 0.1
"""The weight of the newest turn in the mean CPU time of a turn."""


def is_few(records: int, *, is_all: bool) -> bool:
    """Whether a poll that returned so many records is followed by a wait; `is_all`: there were no more."""
    return 0 < records < FEW_RECORDS and is_all


class Linger:
    """The wait from the end of one poll to the start of the next. `cpu` returns the CPU seconds of this process."""

    def __init__(self, cpu: Callable[[], float] = time.process_time) -> None:
        self._cpu = cpu
        self._before: float | None = None
        self._mean = 0.0

    def seconds(self, records: int, *, is_all: bool) -> float:
        """The wait after a poll that returned so many records; `is_all`: there were no more.

        Within its bounds, it is so long that the CPU time of a mean turn is at most `MOST_OF_A_CORE` of it. A turn
        counts only if the poll before it and the poll after it both returned few records.
        """
        if not is_few(records, is_all=is_all):
            self._before = None
            return 0.0
        now = self._cpu()
        if self._before is not None:
            turn = now - self._before
            self._mean = turn if not self._mean else self._mean + WEIGHT * (turn - self._mean)
        self._before = now
        return min(max(SHORTEST_SECONDS, self._mean / MOST_OF_A_CORE), LONGEST_SECONDS)
