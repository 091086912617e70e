"""`silence`: a symbol stopped trading while its partition continues; about the data, not the market.

A symbol is silent once more than max(30 s, five times the longest of its recent gaps) of the market's regular hours lie
between its last trade and the partition's newest event time. The gaps are those between its last sixty traded seconds,
also measured in regular hours: no night, weekend or holiday counts. Time is taken from the partition's ticks, in log
order, so that a replay finds the same silences; if all symbols fall silent at once, time stops.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.detectors.seconds import NEVER, OBSERVATIONS, RING, SECOND_US, Seconds, View
from tickflow.metrics.windows import FIRST_ROOM

LEAST_US = 30 * SECOND_US
GAPS = 5
FOREVER = np.iinfo(np.int64).max
_NO_LIMIT = FOREVER // 2  # added to any time, it still fits 64 bits


class Silent(NamedTuple):
    """A silence: the symbol, its start, the tick of the batch that shows it, and the limit that it exceeds."""

    slot: int
    since_us: int
    at: int
    limit_us: int
    kind: str
    waited_us: int


def _always_open(times_us: Ints) -> Ints:
    return times_us


class Silence:
    """The silences of one partition.

    `fixed` are limits that the user sets: for each a name, a pattern of symbols, and the limit in µs. `usual` says
    whether to report silences that exceed the symbol's own gaps as well. `open_us` converts moments into time within
    the session, both in µs; its result never grows faster than time itself, and is called only after the shortest limit
    has passed without a trade.
    """

    def __init__(
        self,
        seconds: Seconds,
        fixed: tuple[tuple[str, str, int], ...] = (),
        *,
        usual: bool = True,
        open_us: Callable[[Ints], Ints] = _always_open,
    ) -> None:
        self._seconds = seconds
        self._usual = usual
        self._fixed = fixed
        self._shortest = min([LEAST_US] * usual + [limit for _, _, limit in fixed], default=_NO_LIMIT)
        self.newest_us = -1
        self._open_us = open_us
        self.due = np.full(FIRST_ROOM, FOREVER)
        """For each slot, the event time at which to check whether the symbol is silent."""
        self._checked = np.full(FIRST_ROOM, NEVER)
        """For each slot, the time within the session up to which the symbol's current pause was checked."""

    def find(self, view: View, time_us: Ints) -> list[Silent]:
        """The silences that begin within a batch; call it before `Seconds.keep`. `time_us` are the batch's times in log
        order.
        """
        if not len(time_us):
            return []
        clock = np.maximum(np.maximum.accumulate(time_us), self.newest_us)
        self.newest_us = int(clock[-1])
        if len(self.due) < self._seconds.size:
            self.due = _longer(self.due, FOREVER, 2 * self._seconds.size)
            self._checked = _longer(self._checked, NEVER, len(self.due))
        found = self._before(view, clock)
        last = view.ends - 1
        self.due[view.own] = view.time_us[last] + self._shortest
        self._checked[view.own] = NEVER
        if self.newest_us - int(view.time_us.min()) >= self._shortest:
            found += self._within(view, clock, last)
        return sorted(found, key=lambda each: (each.at, each.slot, each.kind))

    def _before(self, view: View, clock: Ints) -> list[Silent]:
        """The silences of pauses that started before the batch."""
        found: list[Silent] = []
        size = self._seconds.size
        first = np.full(size, len(clock))
        first[view.own] = view.order[view.begins]
        # The newest time before the symbol trades again. In a batch that spans more than the shortest limit, every
        # symbol is due by the end of the batch, and to look at each one took 0.3 µs per tick.
        until = np.where(first > 0, clock[first - 1], NEVER)
        for slot in np.flatnonzero(self.due[:size] <= until).tolist():
            since_us, count = int(self._seconds.newest_us[slot]), int(self._seconds.count[slot])
            numbers = np.arange(count - OBSERVATIONS, count) & (RING - 1)
            stamps = self._seconds.stamp[slot, numbers] if count >= OBSERVATIONS else None
            found += self._silences(slot, since_us, stamps, clock, 0, int(first[slot]))
        return found

    def _within(self, view: View, clock: Ints, last: Ints) -> list[Silent]:
        """The silences of pauses that start at a tick of the batch."""
        found: list[Silent] = []
        following = np.append(view.order[1:], len(clock))
        following[last] = len(clock)
        waited = clock[following - 1] - view.time_us
        for tick in np.flatnonzero(waited >= self._shortest).tolist():
            second = int(view.second[tick])
            slot = int(view.slot[second])
            stamps = view.stamps(np.array([second]))[0] if view.ready[second] else None
            since_us = int(view.time_us[tick])
            begin, end = int(view.order[tick]) + 1, int(following[tick])
            found += self._silences(slot, since_us, stamps, clock, begin, end)
        return found

    def _silences(
        self, slot: int, since_us: int, stamps: Ints | None, clock: Ints, begin: int, end: int
    ) -> list[Silent]:
        """The silences of one pause that become apparent at ticks in [`begin`, `end`), except those found earlier."""
        limits = [(name, limit) for name, pattern, limit in self._fixed if self._takes(pattern, slot)]
        if self._usual and stamps is not None:
            longest = int(np.diff(self._open_us(stamps * SECOND_US)).max())
            limits.append(("silence", max(LEAST_US, GAPS * longest)))
        since, now = self._open_us(np.array([since_us, clock[end - 1] if end else since_us])).tolist()
        checked = int(self._checked[slot])
        found: list[Silent] = []
        upcoming = FOREVER
        opened: Ints | None = None
        for name, limit in limits:
            deadline = since + limit + 1
            if deadline <= checked:
                continue  # an earlier batch has shown it
            if deadline > now or begin >= end:
                upcoming = min(upcoming, deadline)
                continue
            opened = self._open_us(clock[:end]) if opened is None else opened
            # After a late tick, the limit may already have been exceeded when the pause starts.
            at = max(begin, int(np.searchsorted(opened, deadline)))
            found.append(Silent(slot, since_us, at, limit, name, int(opened[at]) - since))
        if end == len(clock):
            # Time within the session never passes faster than time itself.
            self.due[slot] = FOREVER if upcoming == FOREVER else self.newest_us + max(0, upcoming - now)
            if begin < end:
                self._checked[slot] = now
        return found

    def resume(self, newest_us: int) -> None:
        """Resume after a restart with the state of `seconds`; a silence that was found before the restart may be found
        again.
        """
        self.newest_us = newest_us
        self.due = self._seconds.newest_us[: self._seconds.size] + self._shortest
        self._checked = np.full(len(self.due), NEVER)

    def _takes(self, pattern: str, slot: int) -> bool:
        return fnmatchcase(self._seconds.symbols[slot], pattern)


def _longer(column: Ints, fill: int, length: int) -> Ints:
    longer = np.full(length, fill)
    longer[: len(column)] = column
    return longer
