"""The probe: a tick of the symbol `.PROBE` that a producer sends now and then, to measure how long ticks take.

A probe is a tick like any other on its way through the log to the store. Workers measure its age when it is stored; the
dashboard measures its age when the page first has it. It is kept out of the lists, the console and the alerts.
"""

import math
import time
from collections.abc import Callable

from tickflow.ticks.tick import Tick, moment_of

PROBE = ".PROBE"
"""The symbol of every probe."""
SOURCE = "probe"
PRICE = 1.0
"""The price of every probe. It never changes, so it raises no alert."""


class Prober:
    """Makes a probe every `every` seconds, or never with `None`; `clock` is the wall clock, in ns since 1970.

    >>> prober = Prober(10, clock=lambda: 1_000_000, monotonic=lambda: 0)
    >>> prober.due().symbol, prober.due(), prober.seconds_left
    ('.PROBE', None, 10)
    """

    def __init__(
        self,
        every: float | None,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every or math.inf
        self._clock = clock
        self._monotonic = monotonic
        self._due_at = math.inf if every is None else monotonic()
        self._last_us = 0

    @property
    def seconds_left(self) -> float:
        """Seconds until the next probe is due; infinite if none ever is."""
        return max(0.0, self._due_at - self._monotonic())

    def due(self) -> Tick | None:
        """The probe to send now, with the current time, or `None` if none is due."""
        if self.seconds_left > 0:
            return None
        self._due_at = self._monotonic() + self._every
        self._last_us = max(self._clock() // 1000, self._last_us + 1)  # event times of one symbol increase
        return Tick(PROBE, PRICE, moment_of(self._last_us), source=SOURCE)
