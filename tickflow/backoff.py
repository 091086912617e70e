"""Waiting before the next attempt, and saying so: not too often, never not at all."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

SAY_EVERY = 10.0
"""Seconds between two sentences about the same wait."""


class Backoff:
    """The delays before the attempts of one wait: doubling, with jitter, up to `longest` seconds.

    Full jitter as in the AWS Architecture Blog, "Exponential Backoff And Jitter", but never under half the delay.
    """

    def __init__(self, first: float = 0.1, longest: float = 5.0, rng: random.Random | None = None) -> None:
        self._delay = first
        self._longest = longest
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        delay = self._delay
        self._delay = min(self._longest, delay * 2)
        return delay * self._rng.uniform(0.5, 1.0)


class Saying:
    """Logs a wait's reason at once and then at most every `every` seconds, and its end if the wait was spoken of."""

    def __init__(
        self, logger: logging.Logger, every: float = SAY_EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._every = every
        self._clock = clock
        self._last: float | None = None

    def __call__(self, sentence: str) -> None:
        """Say the sentence, unless one was said within the last `every` seconds."""
        now = self._clock()
        if self._last is None or now - self._last >= self._every:
            self._last = now
            self._logger.warning(sentence)

    def over(self, sentence: str) -> None:
        """Say that the wait is over, if anything was said of it."""
        if self._last is not None:
            self._last = None
            self._logger.info(sentence)


def sleep(stop: threading.Event, seconds: float) -> bool:
    """Sleep, but no longer than until `stop` is set; whether it is."""
    return stop.wait(seconds)
