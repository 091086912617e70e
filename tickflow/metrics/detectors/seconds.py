"""The clock of the detectors: one observation per symbol and traded second.

An observation is a second in which the symbol traded: its last price and the sum of its volume. The running second
counts with its values so far. A late tick counts as part of the running second, so that time never runs backwards.
Single trades would be a poor clock: most do not move the price, and many of those that do are bad prints.

`Seconds.view` appends a batch to the earlier observations, the detectors read that view, and `Seconds.keep` then stores
the batch. The results depend only on the ticks and their order, never on how the ticks were batched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tickflow.arrays import Bools, Floats, Ints
from tickflow.metrics.detectors.logarithm import log
from tickflow.metrics.windows import FIRST_ROOM, Column, places_of

OBSERVATIONS = 60
"""How many traded seconds a detector looks back, including the running one."""
RING = 64
SECOND_US = 1_000_000
NEVER = -1
_SHORT_SLOTS = 1 << 16  # slots of 16 bits are sorted in linear time
_EXACT = 2.0**53  # up to here a float represents every integer exactly
VOLUME, VOLUME_SQUARED, RETURN, RETURN_SQUARED = range(4)
"""The running sums: of ln(1 + volume), of its square, of the absolute return, and of its square."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The findings of a detector in a batch, as columns of equal length, in log order.

    `at` is the tick's index in the batch; `direction` is -1, 0 or 1; `price` is the price that moved, `reference` the
    price that it is compared with. A tick that is missing here does not score above the floor of the request, or is in
    warm-up.
    """

    at: Ints
    score: Floats
    direction: Ints
    price: Floats
    reference: Floats

    def flags(self, threshold: float | Floats) -> Bools:
        """Whether each finding is flagged: its score exceeds the threshold."""
        result: Bools = self.score > threshold
        return result

    @classmethod
    def of(cls, at: Ints, score: Floats, direction: Ints, price: Floats, reference: Floats) -> "Scored":
        """Make the findings from columns in any order; they are sorted into log order."""
        order = np.argsort(at)
        return cls(at[order], score[order], direction[order], price[order], reference[order])

    @classmethod
    def nothing(cls) -> "Scored":
        """An empty result."""
        none, no_score = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(none, no_score, none, no_score, no_score)

    @property
    def columns(self) -> tuple[Ints, Floats, Ints, Floats, Floats]:
        """The columns in the order of `of`."""
        return self.at, self.score, self.direction, self.price, self.reference

    def __len__(self) -> int:
        return len(self.at)


class View:
    """The ticks of a batch by symbol and traded second; within a symbol in log order.

    Per tick: `order` (its index in the batch), `price`, `time_us` (never before the symbol's previous tick), `volume`
    (of its second so far), `second` (the index of its traded second in the columns below). Per traded second: `slot`
    (the slot of its symbol), `number` (how many traded seconds the symbol had before it), `first` and `end` (the range
    of its ticks), `high` and `low`.
    """

    def __init__(self, known: "Seconds", slots: Ints, time_us: Ints, prices: Floats, volumes: Floats) -> None:
        self._known = known
        count = len(slots)
        self.order = by_slot(slots, known.size)
        slot = slots[self.order]
        changes = np.empty(count, dtype=np.bool_)
        changes[:1] = True
        np.not_equal(slot[1:], slot[:-1], out=changes[1:])
        self.begins = np.flatnonzero(changes)
        """For each symbol, the index of its first tick in this view."""
        self.own = own = slot[self.begins]
        self.price = prices[self.order]
        self.time_us = self._in_time(time_us[self.order], known.newest_us[own], changes)
        stamps = self.time_us // SECOND_US
        fresh = np.empty_like(changes)
        np.not_equal(stamps[1:], stamps[:-1], out=fresh[1:])
        fresh[self.begins] = stamps[self.begins] != known.running_second(own)
        opens = fresh | changes
        self.first = np.flatnonzero(opens)
        self.end = np.append(self.first[1:], count)[: len(self.first)]
        self.second = np.cumsum(opens) - 1
        self.slot = slot[self.first]
        self.stamp = stamps[self.first]
        self.is_new = fresh[self.first]
        leading = self.second[self.begins]  # the first traded second of each symbol in the batch
        seconds = np.diff(np.append(leading, len(self.first)))
        new = np.cumsum(self.is_new)
        before = np.repeat(new[leading] - self.is_new[leading], seconds)
        self.number = known.count[self.slot] - 1 + new - before
        self.rank = np.arange(len(self.first)) - np.repeat(leading, seconds)
        self.deepest = int(self.rank.max(initial=0))
        self._leading, self._seconds = leading, seconds
        self._places: dict[int, tuple[Ints, Ints]] = {}
        begun = np.where(self.is_new, 0.0, known.volume[self.slot])
        self.volume = _running_sums(volumes[self.order], self.first, self.end, begun)

    def __len__(self) -> int:
        return len(self.order)

    @cached_property
    def ends(self) -> Ints:
        """For each symbol, the index after its last tick in this view."""
        return np.append(self.begins[1:], len(self))

    @cached_property
    def begun_us(self) -> Ints:
        """For each symbol, the time of its first tick ever."""
        known = self._known.begun_us[self.own]
        return np.where(known == NEVER, self.time_us[self.begins], known)

    @property
    def ready(self) -> Bools:
        """For each traded second: whether its symbol has had sixty of them by then, this one included."""
        result: Bools = self.number >= OBSERVATIONS - 1
        return result

    @cached_property
    def close(self) -> Floats:
        """The last price of each traded second so far."""
        result: Floats = self.price[self.end - 1]
        return result

    @cached_property
    def log_close(self) -> Floats:
        """The logarithm of `close`."""
        return log(self.close)

    @cached_property
    def log_volume(self) -> Floats:
        """ln(1 + volume) of each traded second so far."""
        return log(1.0 + self.volume[self.end - 1])

    @cached_property
    def high(self) -> Floats:
        """The highest price of each traded second so far."""
        return np.maximum.reduceat(self.price, self.first) if len(self) else self.price

    @cached_property
    def low(self) -> Floats:
        """The lowest price of each traded second so far."""
        return np.minimum.reduceat(self.price, self.first) if len(self) else self.price

    @cached_property
    def prior(self) -> Floats:
        """The symbol's price before the first tick of each traded second; 0 if there is none."""
        result: Floats = self._known.close.ravel()[self.slot * RING + (self.number & (RING - 1))]
        return np.where(self.is_new, self.closes_before[0], result)

    @cached_property
    def closes_before(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The last prices of the four traded seconds before each traded second, newest first; 0 where there is none."""
        ring = self._known.close
        first, second, third, fourth = (self._back(ring, self.close, lag) for lag in (1, 2, 3, 4))
        return first, second, third, fourth

    @cached_property
    def log_before(self) -> Floats:
        """The logarithm of the last price of the traded second before each traded second."""
        return self._back(self._known.log_close, self.log_close, 1)

    @cached_property
    def sums(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Running sums over the traded seconds, in the order of `VOLUME` to `RETURN_SQUARED`.

        They cheaply rule out the seconds that cannot reach a floor. No score is computed from them, since their last
        bits depend on how the ticks were batched.
        """
        returns = np.where(self.number > 0, self.log_close - self.log_before, 0.0)
        grown = (self.log_volume, self.log_volume * self.log_volume, np.abs(returns), returns * returns)
        first, second, third, fourth = map(self._summed, grown, self._known.sums)
        return first, second, third, fourth

    def _summed(self, grown: Floats, ring: Floats) -> Floats:
        total = np.cumsum(grown)
        leading = self._leading
        at = (self.number[leading] - 1) & (RING - 1)
        begun = ring[self.own, at] - (total[leading] - grown[leading])
        result: Floats = total + np.repeat(begun, self._seconds)
        return result

    def sum_before(self, name: int, lag: int) -> Floats:
        """For each traded second, the running sum `name` at the traded second `lag` places before it."""
        return self._back(self._known.sums[name], self.sums[name], lag)

    def stamps(self, seconds: Ints) -> Ints:
        """The times (in seconds since 1970) of the last sixty observations of each of `seconds`, shape (k, 60)."""
        before = self._closed(self._known.stamp, self.stamp, seconds)
        return np.concatenate([before, self.stamp[seconds][:, None]], axis=1)

    def closed_prices(self, seconds: Ints) -> Floats:
        """Log prices of the 59 observations before each of `seconds`, oldest first, shape (k, 59)."""
        return self._closed(self._known.log_close, self.log_close, seconds)

    def closed_volumes(self, seconds: Ints) -> Floats:
        """ln(1 + volume) of the 59 observations before each of `seconds`, oldest first, shape (k, 59)."""
        return self._closed(self._known.log_volume, self.log_volume, seconds)

    def ticks_of(self, seconds: Ints) -> Ints:
        """The indexes in this view of the ticks of these traded seconds."""
        counts = self.end[seconds] - self.first[seconds]
        ends = np.cumsum(counts)
        result: Ints = np.arange(counts.sum()) + np.repeat(self.first[seconds] - ends + counts, counts)
        return result

    def _back(self, ring: Floats, own: Floats, lag: int) -> Floats:
        at, inside = self._places_of(lag)
        result: Floats = ring.ravel()[at]
        if len(inside):
            result[inside] = own[inside - lag]
        return result

    def _places_of(self, lag: int) -> tuple[Ints, Ints]:
        """For each traded second, where the rings have the one `lag` places before it; and the indexes of those whose
        earlier second is in the batch itself.
        """
        if lag not in self._places:
            inside = np.flatnonzero(self.rank >= lag) if self.deepest >= lag else self.first[:0]
            self._places[lag] = self.slot * RING + ((self.number - lag) & (RING - 1)), inside
        return self._places[lag]

    def _closed(self, ring: Column, own: Column, seconds: Ints) -> Column:
        lags = np.arange(OBSERVATIONS - 1, 0, -1)
        at = self.number[seconds][:, None] - lags
        result: Column = ring.ravel()[self.slot[seconds][:, None] * RING + (at & (RING - 1))]
        rank = self.rank[seconds]
        if rank.any():
            inside = rank[:, None] >= lags
            result = np.where(inside, own.take(seconds[:, None] - lags, mode="clip"), result)
        return result

    def _in_time(self, time_us: Ints, newest_us: Ints, changes: Bools) -> Ints:
        """The times; a tick that is earlier than its symbol's previous tick gets the time of that tick."""
        time_us[self.begins] = np.maximum(time_us[self.begins], newest_us)
        # The difference in time between two symbols is meaningless.
        late = np.flatnonzero((time_us[1:] < time_us[:-1]) & ~changes[1:]) + 1
        if len(late):
            for symbol in np.unique(np.searchsorted(self.begins, late) - 1).tolist():
                stretch = slice(self.begins[symbol], self.ends[symbol])
                time_us[stretch] = np.maximum.accumulate(time_us[stretch])
        return time_us


class Seconds:
    """The last traded seconds of each symbol of one partition: a ring of 64 per symbol, about 4 KB.

    >>> seconds = Seconds()
    >>> view = seconds.view(["A"] * 3, np.array([0, 900_000, 1_000_000]), np.array([5.0, 6.0, 7.0]), np.ones(3))
    >>> view.close.tolist(), view.volume.tolist()
    ([6.0, 7.0], [1.0, 2.0, 1.0])
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self.symbols: list[str] = []
        """The symbols, by slot."""
        self._reserve(FIRST_ROOM)

    def _reserve(self, capacity: int) -> None:
        self.begun_us = np.full(capacity, NEVER)
        self.newest_us = np.full(capacity, NEVER)
        self.count = np.zeros(capacity, dtype=np.int64)
        self.ticks = np.zeros(capacity, dtype=np.int64)
        self.volume = np.zeros(capacity)
        self.close = np.zeros((capacity, RING))
        self.log_close = np.zeros((capacity, RING))
        self.log_volume = np.zeros((capacity, RING))
        self.stamp: Ints = np.full((capacity, RING), NEVER)
        self.sums = tuple(np.zeros((capacity, RING)) for _ in range(4))

    def resume(
        self,
        symbols: Sequence[str],
        counters: tuple[Ints, Ints, Ints, Ints],
        volume: Floats,
        rings: tuple[Floats, Floats, Ints],
    ) -> None:
        """Restore the state of symbols, each column with a row per symbol: the counters `begun_us`, `newest_us`,
        `count` and `ticks`, the volume of the running second, and the rings of prices, ln(1 + volume) and times.

        All symbols together, since one by one the 5,000 symbols of a worker took 0.6 s of its start.
        """
        slots = self.slots_of(symbols)
        self.begun_us[slots], self.newest_us[slots], self.count[slots], self.ticks[slots] = counters
        self.volume[slots] = volume
        close, log_volume, self.stamp[slots] = rings
        self.close[slots], self.log_volume[slots] = close, log_volume
        count = counters[2][:, None]
        order = (np.maximum(count - RING, 0) + np.arange(RING)) & (RING - 1)  # the places of a ring, oldest first
        is_known = np.arange(RING) < count
        prices = log(np.where(is_known, np.take_along_axis(close, order, 1), 1.0))
        returns = np.where(is_known, np.diff(prices, prepend=prices[:, :1]), 0.0)
        volumes = np.where(is_known, np.take_along_axis(log_volume, order, 1), 0.0)
        back = np.argsort(order, 1)
        self.log_close[slots] = np.take_along_axis(prices, back, 1)
        columns = (volumes, volumes * volumes, np.abs(returns), returns * returns)
        for ring, column in zip(self.sums, columns, strict=True):
            sums = np.where(is_known, np.cumsum(column, 1), 0.0)
            ring[slots] = np.take_along_axis(sums, back, 1)

    @property
    def size(self) -> int:
        """The number of symbols seen."""
        return len(self._slots)

    def running_second(self, slots: Ints) -> Ints:
        """The running second of each slot, since 1970; -1 before the symbol's first tick."""
        result: Ints = self.stamp[slots, (self.count[slots] - 1) & (RING - 1)]
        return result

    def slots_of(self, symbols: Sequence[str]) -> Ints:
        """The slot of each symbol; a new symbol gets the next free slot."""
        found = places_of(symbols, self._slots)
        if len(self._slots) > len(self.symbols):
            self.symbols = list(self._slots)
        if len(self._slots) > len(self.count):
            kept = self._columns()
            self._reserve(max(2 * len(self.count), len(self._slots)))
            for column, values in zip(self._columns(), kept, strict=True):
                column[: len(values)] = values
        return found

    def view(self, symbols: Sequence[str], time_us: Ints, prices: Floats, volumes: Floats) -> View:
        """The view of a batch (in log order) after the earlier observations; nothing is stored yet."""
        return View(self, self.slots_of(symbols), time_us, prices, volumes)

    def keep(self, view: View) -> None:
        """Store the observations of the batch in the rings."""
        if not len(view):
            return
        flat = view.slot * RING + (view.number & (RING - 1))
        # If a symbol has more new seconds than its ring holds, two of them share a place, and the later one is written
        # last.
        self.close.ravel()[flat] = view.close
        self.log_close.ravel()[flat] = view.log_close
        self.log_volume.ravel()[flat] = view.log_volume
        self.stamp.ravel()[flat] = view.stamp
        for ring, column in zip(self.sums, view.sums, strict=True):
            ring.ravel()[flat] = column
        last = view.ends - 1
        own = view.own
        self.begun_us[own] = view.begun_us
        self.newest_us[own] = view.time_us[last]
        self.volume[own] = view.volume[last]
        self.count[own] = view.number[view.second[last]] + 1
        self.ticks[own] += last - view.begins + 1

    def _columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return (
            *(self.begun_us, self.newest_us, self.count, self.ticks, self.volume),
            *(self.close, self.log_close, self.log_volume, self.stamp, *self.sums),
        )


def by_slot(slots: Ints, size: int) -> Ints:
    """The indexes that sort ticks by slot and keep their order within a slot; all slots lie below `size`.

    >>> by_slot(np.array([65_537, 1, 65_537, 0]), 65_538).tolist()
    [3, 1, 0, 2]
    """
    return np.argsort(slots.astype(np.uint16) if size <= _SHORT_SLOTS else slots, kind="stable")


def _running_sums(values: Floats, first: Ints, end: Ints, begun: Floats) -> Floats:
    """For each tick, the sum of its second's values up to and including it, added in log order; each second starts at
    its value in `begun`.
    """
    if not len(values):
        return values
    total = np.cumsum(values)
    is_whole = (values == np.rint(values)).all() and (begun == np.rint(begun)).all()
    if is_whole and total[-1] + begun.max() < _EXACT:  # any order of additions gives the same sum
        result: Floats = total + np.repeat(begun - (total[first] - values[first]), end - first)
        return result
    counts = end - first
    running = values.copy()
    running[first] = begun + values[first]
    for step in range(1, int(counts.max())):
        at = first[counts > step] + step
        running[at] = running[at - 1] + values[at]
    return running
