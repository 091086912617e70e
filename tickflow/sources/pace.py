"""When a recorded tick is due: a clock that shows the time in a recording and can be paused, sped up and moved.

Both sources of recorded ticks, `replay` and `recorded`, use it. `Clock` is pure; `Pace` reads a monotonic clock and
executes readers' commands (see `store.steering`).
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np

from tickflow.sources.base import Wait
from tickflow.store.steering import JUMP, PAUSE, PLAY, Command, KeptCommand, ReplayState

STEP_SECONDS = 0.1
"""A steered replay looks for commands this often while it waits."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Times = TypeVar("Times", int, "np.ndarray[tuple[int], np.dtype[np.int64]]")

logger = logging.getLogger("tickflow.producer")


@dataclass(frozen=True, slots=True)
class Clock:
    """Shows the time `at_us` (µs since 1970) in a recording when a monotonic clock reads `since` (s); from then on it
    runs at `speed` times the rate of the monotonic clock, or stands still if `paused`.
    """

    at_us: int
    since: float
    speed: float = 1.0
    paused: bool = False

    def reads(self, now: float) -> int:
        """The time in the recording when the monotonic clock reads `now`; `speed` must be finite.

        >>> Clock(1_000_000, 10.0, speed=60).reads(10.5), Clock(1_000_000, 10.0, paused=True).reads(99.0)
        (31000000, 1000000)
        """
        return self.at_us if self.paused else self.at_us + math.floor((now - self.since) * self.speed * 1e6)

    def due(self, times_us: Times) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """What the monotonic clock reads when ticks of these times are due.

        While it is paused, ticks before the time shown are due, and the others never are.

        >>> Clock(1_000_000, 10.0, speed=2).due(np.array([1_000_000, 3_000_000])).tolist()
        [10.0, 11.0]
        >>> Clock(1_000_000, 10.0, paused=True).due(np.array([999_999, 1_000_000])).tolist()
        [-inf, inf]
        """
        ahead_us = np.asarray(times_us) - self.at_us
        if self.paused:
            return np.where(ahead_us < 0, -np.inf, np.inf)
        found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = self.since + ahead_us / 1e6 / self.speed
        return found

    def moved(self, us: int, now: float) -> "Clock":
        """The clock that shows `us` at `now`."""
        return replace(self, at_us=us, since=now)

    def sped(self, speed: float, now: float) -> "Clock":
        """The clock that shows the same time at `now`, and then runs at `speed`."""
        return replace(self, at_us=self.reads(now), since=now, speed=speed)

    def halted(self, now: float, *, paused: bool) -> "Clock":
        """The clock that shows the same time at `now`, and then stands still or runs."""
        return replace(self, at_us=self.reads(now), since=now, paused=paused)


class Pace:
    """Tells a source when its ticks are due; the source tells it which ticks it has given out.

    A `steered` pace executes commands. A tick is given out once: a jump forward makes all ticks before its target due,
    and after a jump back no tick is due until the clock has passed the last tick that was given out. `take` and `state`
    may be called from any thread, the other methods by the source.
    """

    def __init__(self, speed: float, monotonic: Callable[[], float] = time.monotonic, *, steered: bool = False) -> None:
        self.speed = speed
        self.monotonic = monotonic
        self.steered = steered
        self._lock = threading.Lock()
        self._has_begun = False
        self._clock = Clock(0, 0.0, speed)
        self._commands: deque[KeptCommand] = deque()
        self._begin_us = self._sent_us = self._next_us = 0
        self._ended = self._rewound = False
        self._turns = 0
        self._executed = ""

    def begin(self, us: int) -> None:
        """Start the clock: the first tick, of time `us`, is due now."""
        with self._lock:
            self._clock = Clock(us, self.monotonic(), self.speed)
            self._has_begun = True
            self._begin_us = self._next_us = us
            self._sent_us = us - 1
        self.execute()

    def due(self, times_us: Times) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """What the monotonic clock reads when ticks of these times are due (see `Clock.due`)."""
        return self._clock.due(times_us)

    def is_due(self, us: int) -> bool:
        """Whether a tick of the time `us` is due."""
        return bool(self.due(us) <= self.monotonic())

    def count_due(self, times_us: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
        """How many of these ticks, ordered by time, are due; at least 1."""
        return max(1, int(np.searchsorted(self.due(times_us), self.monotonic(), side="right")))

    def given(self, last_us: int) -> None:
        """Record that ticks were given out, up to the time `last_us`."""
        with self._lock:
            if last_us > self._sent_us:  # else the replay may still be before that tick
                self._rewound = False
            self._sent_us = max(self._sent_us, last_us)
            self._next_us = max(self._next_us, last_us)
        self.execute()

    def hold(self, us: int, wait: Wait) -> bool:
        """Wait until the next tick, of the time `us`, is due, and execute commands meanwhile; return whether the
        process was asked to stop.
        """
        self._next_us = max(self._next_us, us)
        while (left := float(self.due(us)) - self.monotonic()) > 0:
            if wait(min(left, STEP_SECONDS) if self.steered else left):
                return True
            self.execute()
        return False

    def end(self, wait: Wait) -> None:
        """After the last tick, execute commands until the process is asked to stop."""
        with self._lock:
            self._ended = True
        if not self._has_begun:
            return
        logger.info("the recording has ended; waiting for readers who jump back (Ctrl+C ends the producer)")
        while not wait(STEP_SECONDS):
            self.execute()

    def take(self, kept: KeptCommand) -> None:
        """Take a command; the source executes it soon."""
        self._commands.append(kept)

    def execute(self) -> None:
        """Do what readers have asked for since the last call."""
        while self._commands and self._has_begun:
            kept = self._commands.popleft()
            with self._lock:
                now = self.monotonic()
                self._clock = self._clock_after(self._clock, kept.command, now)
                self._executed = kept.id
                words = f"{kept.command.words()}; the replay is at {_stamp(self._shown(now))}"
            logger.info("%s asked: %s", kept.made_by or "a reader", words)

    def _clock_after(self, clock: Clock, command: Command, now: float) -> Clock:
        clock = clock.moved(self._shown(now), now) if self._ended else clock  # the clock stands still at the end
        if command.act in (PLAY, PAUSE):
            return clock.halted(now, paused=command.act == PAUSE)
        if command.act != JUMP:
            return clock.sped(command.value, now)
        target = max(self._begin_us, int(command.value))
        target = min(target, self._sent_us + 1) if self._ended else target
        if target <= self._sent_us:
            self._rewound, self._turns = True, self._turns + 1
        else:
            self._rewound = False
        return clock.moved(target, now)

    def _shown(self, now: float) -> int:
        """The time in the recording: that of the clock, but not later than the next tick while ticks before the clock's
        time are still to be given out, nor later than the end.
        """
        last = self._sent_us + 1 if self._ended else max(self._next_us, self._sent_us + 1)
        return min(self._clock.reads(now), last)

    def state(self, run: str, begun_ns: int, now_ns: int) -> ReplayState | None:
        """The state of the replay; `None` before its first tick."""
        with self._lock:
            if not self._has_begun:
                return None
            position = self._shown(self.monotonic())
            if self._rewound and position > self._sent_us:
                self._rewound = False
            return ReplayState(
                run=run,
                begun_ns=begun_ns,
                written_ns=now_ns,
                position_us=position // 1000 * 1000,
                begin_us=self._begin_us,
                end_us=self._sent_us + 1 if self._ended else 0,
                speed=self._clock.speed,
                paused=self._clock.paused,
                ended=self._ended and not self._rewound and position > self._sent_us,
                rewound=self._rewound,
                turns=self._turns,
                executed=self._executed,
            )


def _stamp(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
