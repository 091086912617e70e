"""Delays between attempts, and log lines about a wait: one at its start, one every 10 s, and one at its end."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

SAY_EVERY_SECONDS = 10.0
"""Seconds between two log lines about the same wait."""


class Backoff:
    """The delays before the attempts of one wait: doubling, with jitter, up to `longest` seconds.

    Full jitter as in the AWS Architecture Blog, "Exponential Backoff And Jitter", but never less than half the delay.
    """

    def __init__(self, first: float = 0.1, longest: float = 5.0, rng: random.Random | None = None) -> None:
        self._delay = first
        self._longest = longest
        self._rng = rng or random.Random()  # noqa: S311 - randomness only spreads the attempts; it protects nothing

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        delay = self._delay
        self._delay = min(self._longest, delay * 2)
        return delay * self._rng.uniform(0.5, 1.0)


class Saying:
    """Logs the reason for a wait at its start and then at most every `every` seconds, and finally its end and its
    duration.

    The sentences in between are logged at DEBUG, so that each attempt can be seen there.
    """

    def __init__(
        self, logger: logging.Logger, every: float = SAY_EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._every = every
        self._clock = clock
        self._began = 0.0
        self._last: float | None = None

    def __call__(self, sentence: str) -> None:
        """Log the sentence as a warning, unless one was logged within the last `every` seconds."""
        now = self._clock()
        if self._last is None:
            self._began = now
        if self._last is None or now - self._last >= self._every:
            self._last = now
            self._logger.warning(sentence)
        else:
            self._logger.debug(sentence)

    def over(self, sentence: str) -> None:
        """Log that the wait is over and how long it took, if a reason was logged."""
        if self._last is not None:
            self._last = None
            self._logger.info("resumed after %.0f s: %s", self._clock() - self._began, sentence)


def sleep(stop: threading.Event, seconds: float) -> bool:
    """Sleep until the time is over or `stop` is set; return whether `stop` is set."""
    return stop.wait(seconds)
