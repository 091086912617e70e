"""The detectors' traded seconds, compared with plain lists: views, the state kept, the state after a restart."""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pytest

from tests.metrics.detectors.examples import SECOND_US, view_of
from tests.metrics.detectors.oracle import Trade
from tickflow.metrics.detectors.seconds import (
    OBSERVATIONS,
    RETURN,
    RETURN_SQUARED,
    RING,
    VOLUME,
    VOLUME_SQUARED,
    Scored,
    Seconds,
    View,
    _running_sums,
)

BEGIN = 1_700_000_000


@dataclass
class Second:
    """A traded second: its number within the symbol, its time, the symbol's price before it, and its trades."""

    number: int
    stamp: int
    prior: float
    prices: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)


@dataclass
class Symbol:
    """The state of one symbol."""

    begun_us: int = 0
    newest_us: int = 0
    ticks: int = 0
    seconds: list[Second] = field(default_factory=list)

    def add(self, trade: Trade) -> Second:
        """Add a trade; return its second."""
        self.newest_us = max(self.newest_us, trade.time_us)
        stamp = self.newest_us // SECOND_US
        if not self.seconds or self.seconds[-1].stamp != stamp:
            prior = self.seconds[-1].prices[-1] if self.seconds else 0.0
            self.seconds.append(Second(len(self.seconds), stamp, prior))
        if not self.ticks:
            self.begun_us = trade.time_us
        self.ticks += 1
        self.seconds[-1].prices.append(trade.price)
        self.seconds[-1].volumes.append(trade.volume)
        return self.seconds[-1]


@lru_cache
def a_day(seed: int = 1, count: int = 420, symbols: int = 3) -> tuple[Trade, ...]:
    """Trades of busy and of quiet symbols, some of them late; the volumes of S1 are fractions."""
    rng = random.Random(seed)
    now, made = BEGIN * SECOND_US, list[Trade]()
    for _ in range(count):
        now += rng.choice((0, 0, 200_000, 500_000, SECOND_US, 2 * SECOND_US))
        symbol = rng.choices([f"S{number}" for number in range(symbols)], [8] + [2] * (symbols - 1))[0]
        late = rng.choice((1, 5)) * SECOND_US if rng.random() < 0.06 else 0
        size = float(rng.randint(0, 900)) + (0.25 if symbol == "S1" else 0.0)
        made.append(Trade(symbol, now - late, rng.randint(900, 1_100) / 100, size))
    return tuple(made)


def hold(view: View, trades: Sequence[Trade], known: dict[str, Symbol]) -> None:
    """Compare a view of these trades with plain lists; add the trades to `known`, the state before them."""
    slots = list(known)
    counts = {symbol: len(one.seconds) for symbol, one in known.items()}
    running = {symbol: one.seconds[-1] for symbol, one in known.items()}
    per_tick: dict[str, list[tuple[int, Trade, int, Second, float]]] = {}
    for at, trade in enumerate(trades):
        one = known.setdefault(trade.symbol, Symbol())
        second = one.add(trade)
        row = (at, trade, one.newest_us, second, math.fsum(second.volumes))
        per_tick.setdefault(trade.symbol, []).append(row)
    slots += [symbol for symbol in known if symbol not in slots]
    ticks = [row for symbol in slots for row in per_tick.get(symbol, ())]
    assert len(view) == len(trades)
    assert view.order.tolist() == [at for at, *_ in ticks]
    assert view.price.tolist() == [trade.price for _, trade, *_ in ticks]
    assert view.time_us.tolist() == [time_us for _, _, time_us, _, _ in ticks]
    assert view.volume.tolist() == [volume for *_, volume in ticks]

    seconds = list[tuple[str, Second]]()
    ends, numbers = list[int](), list[int]()
    for place, (_, trade, _, second, _) in enumerate(ticks):
        if not seconds or seconds[-1][1] is not second:
            seconds.append((trade.symbol, second))
            ends.append(0)
        numbers.append(len(seconds) - 1)
        ends[-1] = place + 1
    firsts = [numbers.index(number) for number in range(len(seconds))]
    assert view.second.tolist() == numbers
    assert (view.first.tolist(), view.end.tolist()) == (firsts, ends)
    assert view.slot.tolist() == [slots.index(symbol) for symbol, _ in seconds]
    assert view.number.tolist() == [second.number for _, second in seconds]
    assert view.stamp.tolist() == [second.stamp for _, second in seconds]
    assert view.is_new.tolist() == [second is not running.get(symbol) for symbol, second in seconds]
    assert view.ready.tolist() == [second.number >= OBSERVATIONS - 1 for _, second in seconds]
    begins = [symbol for symbol in slots if symbol in per_tick]
    assert view.own.tolist() == [slots.index(symbol) for symbol in begins]
    assert view.begins.tolist() == [[row[1].symbol for row in ticks].index(symbol) for symbol in begins]

    own = [[row[1].price for row in ticks[first:end]] for first, end in zip(firsts, ends, strict=True)]
    assert view.high.tolist() == [max(prices) for prices in own]
    assert view.low.tolist() == [min(prices) for prices in own]
    assert view.close.tolist() == [prices[-1] for prices in own]
    priors = []
    for (symbol, second), prices in zip(seconds, own, strict=True):
        earlier = second.prices[: len(second.prices) - len(prices)]
        priors.append(earlier[-1] if second is running.get(symbol) and earlier else second.prior)
    assert view.prior.tolist() == priors
    for lag, column in enumerate(view.closes_before, 1):
        assert column.tolist() == [
            known[symbol].seconds[second.number - lag].prices[-1] if second.number >= lag else 0.0
            for symbol, second in seconds
        ]
    hold_histories(view, known, seconds, counts)


def hold_histories(
    view: View, known: dict[str, Symbol], seconds: list[tuple[str, Second]], counts: dict[str, int]
) -> None:
    """Compare the view's observations before each second with plain lists."""
    each = np.arange(len(seconds))
    stamps, prices, volumes = view.stamps(each), view.closed_prices(each), view.closed_volumes(each)
    assert stamps.shape == (len(seconds), 60)
    assert prices.shape == volumes.shape == (len(seconds), 59)
    running_sums = {lag: sums_before(view, lag) for lag in (1, 2, 3, 10, 20, 59, 60)}
    for at, (symbol, second) in enumerate(seconds):
        whole = known[symbol].seconds[: second.number]
        before = whole[-59:]
        if before:
            assert stamps[at, -1 - len(before) :].tolist() == [one.stamp for one in [*before, second]]
            assert prices[at, -len(before) :] == pytest.approx([math.log(one.prices[-1]) for one in before])
            assert volumes[at, -len(before) :] == pytest.approx([math.log1p(math.fsum(one.volumes)) for one in before])
        closes = [math.log(one.prices[-1]) for one in whole]
        moves = [0.0, *(after - earlier for earlier, after in itertools.pairwise(closes))][: len(closes)]
        sizes = [math.log1p(math.fsum(one.volumes)) for one in whole]
        for lag, sums in running_sums.items():
            if lag > len(whole):
                continue
            # The sums may start at any value: only the difference of two sums is meaningful.
            part = slice(len(whole) - lag, len(whole))
            difference = (running_sums[1][at] - sums[at]).tolist()
            assert difference == pytest.approx(
                [
                    sum(sizes[part][1:]),
                    sum(size * size for size in sizes[part][1:]),
                    sum(map(abs, moves[part][1:])),
                    sum(move * move for move in moves[part][1:]),
                ],
                abs=1e-9,
            )
    assert sorted(view.ticks_of(each).tolist()) == list(range(len(view)))
    some = each[::3]
    wanted = [tick for number in some.tolist() for tick in range(view.first[number], view.end[number])]
    assert view.ticks_of(some).tolist() == wanted
    assert view.ticks_of(each[:0]).tolist() == []


def sums_before(view: View, lag: int) -> np.ndarray:
    """The running sums at the second `lag` places before each one, shape (m, 4)."""
    names = (VOLUME, VOLUME_SQUARED, RETURN, RETURN_SQUARED)
    return np.stack([view.sum_before(name, lag) for name in names], axis=1)


def hold_kept(seconds: Seconds, known: dict[str, Symbol]) -> None:
    """Compare the kept state with plain lists."""
    assert seconds.symbols == list(known)
    assert seconds.size == len(known)
    for slot, one in enumerate(known.values()):
        assert seconds.begun_us[slot] == one.begun_us
        assert seconds.newest_us[slot] == one.newest_us
        assert seconds.count[slot] == len(one.seconds)
        assert seconds.ticks[slot] == one.ticks
        assert seconds.volume[slot] == math.fsum(one.seconds[-1].volumes)
        for second in one.seconds[-RING:]:
            at = second.number % RING
            assert seconds.close[slot, at] == second.prices[-1]
            assert seconds.stamp[slot, at] == second.stamp
    assert seconds.count.dtype.kind == seconds.ticks.dtype.kind == "i"
    slots = np.arange(len(known))
    assert seconds.running_second(slots).tolist() == [one.seconds[-1].stamp for one in known.values()]


@pytest.mark.parametrize("sizes", [[420], [97], [200, 1, 1, 1, 30]], ids=str)
def test_every_view_and_state_matches_plain_lists(sizes: list[int]) -> None:
    seconds, known, begin, turn = Seconds(), dict[str, Symbol](), 0, 0
    while begin < len(a_day()):
        end = begin + sizes[min(turn, len(sizes) - 1)]
        part = a_day()[begin:end]
        view = view_of(seconds, part)
        hold(view, part, known)
        seconds.keep(view)
        hold_kept(seconds, known)
        begin, turn = end, turn + 1
    assert len(known["S0"].seconds) > 2 * RING, "the ring is written over"


def test_more_symbols_than_first_reserved_keep_their_state() -> None:
    seconds, known = Seconds(), dict[str, Symbol]()
    day = [trade._replace(symbol=f"{trade.symbol}{at // 40}") for at, trade in enumerate(a_day(2, 400, 5))]
    for begin in range(0, 400, 100):
        view = view_of(seconds, day[begin : begin + 100])
        hold(view, day[begin : begin + 100], known)
        seconds.keep(view)
        hold_kept(seconds, known)
    assert seconds.size > 40


def test_a_view_that_is_not_kept_changes_nothing() -> None:
    seconds, known = Seconds(), dict[str, Symbol]()
    view = view_of(seconds, a_day()[:100])
    hold(view, a_day()[:100], known)
    seconds.keep(view)
    view_of(seconds, a_day()[100:300])
    hold_kept(seconds, known)


def test_after_a_restart_views_are_the_same() -> None:
    day = a_day(3)
    seconds, known = Seconds(), dict[str, Symbol]()
    before = view_of(seconds, day[:300])
    hold(before, day[:300], known)
    seconds.keep(before)
    again = Seconds()
    own = slice(seconds.size)
    again.resume(
        seconds.symbols,
        (seconds.begun_us[own], seconds.newest_us[own], seconds.count[own], seconds.ticks[own]),
        seconds.volume[own],
        (seconds.close[own], seconds.log_volume[own], seconds.stamp[own]),
    )
    hold_kept(again, known)
    assert np.array_equal(again.log_close[own], seconds.log_close[own])
    view = view_of(again, day[300:])
    hold(view, day[300:], known)
    again.keep(view)
    hold_kept(again, known)


def test_an_empty_view_is_empty_and_keeping_it_changes_nothing() -> None:
    seconds = Seconds()
    view = view_of(seconds, [])
    assert len(view) == len(view.high) == len(view.low) == len(view.first) == len(view.sum_before(VOLUME, 1)) == 0
    seconds.keep(view)
    assert (seconds.size, seconds.symbols) == (0, [])


def test_before_its_first_tick_a_symbol_has_no_running_second() -> None:
    seconds = Seconds()
    slots = seconds.slots_of(["A", "B", "A"])
    assert slots.tolist() == [0, 1, 0]
    assert seconds.running_second(slots).tolist() == [-1, -1, -1]
    assert (seconds.newest_us[0], seconds.begun_us[0], seconds.count[0], seconds.ticks[0]) == (-1, -1, 0, 0)


def test_the_first_second_of_1970_is_a_second_like_any_other() -> None:
    known = dict[str, Symbol]()
    trades = [Trade("A", 0, 5.0, 1.0), Trade("A", 999_999, 6.0, 1.0), Trade("A", SECOND_US, 7.0, 1.0)]
    hold(view_of(Seconds(), trades), trades, known)
    assert [second.prices for second in known["A"].seconds] == [[5.0, 6.0], [7.0]]


@pytest.mark.parametrize("earlier", [False, True], ids=["first batch", "later batch"])
@pytest.mark.parametrize("late_by", [1, SECOND_US, 100 * SECOND_US])
def test_one_late_tick_anywhere_is_raised_to_its_own_symbols_time_alone(late_by: int, earlier: bool) -> None:
    """Three symbols begin in one batch, each at an earlier time than the previous symbol; each tick in turn is late."""
    begins = {"A": 300, "B": 200, "C": 100}
    on_time = [
        Trade(symbol, (BEGIN + begin + 2 * step) * SECOND_US, 5.0 + step, 1.0)
        for symbol, begin in begins.items()
        for step in range(4)
    ]
    for at in range(len(on_time)):
        trades = list(on_time)
        trades[at] = trades[at]._replace(time_us=trades[at].time_us - 2 * SECOND_US - late_by)
        seconds, known = Seconds(), dict[str, Symbol]()
        if earlier:
            before = [Trade(symbol, (BEGIN + begin - 1) * SECOND_US, 4.0, 1.0) for symbol, begin in begins.items()]
            view = view_of(seconds, before)
            hold(view, before, known)
            seconds.keep(view)
        view = view_of(seconds, trades)
        hold(view, trades, known)
        seconds.keep(view)
        hold_kept(seconds, known)


@pytest.mark.parametrize("begun", [0.0, 3.0, 0.1, 2.0**53 - 1])
@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 1.0, 8.0, 16.0], [0.1, 0.2, 0.3, 0.4, 0.7], [2.0**52, 1.0, 3.0, 2.0**52, 1]]
)
def test_the_volume_of_a_second_is_added_in_log_order_to_the_bit(values: list[float], begun: float) -> None:
    first, end = np.array([0, 3, 4]), np.array([3, 4, 5])
    begins = [begun, 0.0, begun]
    wanted = []
    for number, (one, other) in enumerate(zip(first, end, strict=True)):
        total = begins[number]
        for value in values[one:other]:
            total += value
            wanted.append(total)
    assert _running_sums(np.array(values), first, end, np.array(begins)).tolist() == wanted


def test_findings_come_in_log_order_and_are_flagged_above_their_thresholds() -> None:
    at, direction = np.array([5, 2, 9]), np.array([1, -1, 0])
    scored = Scored.of(at, np.array([3.0, 4.0, 5.0]), direction, np.array([50.0, 20.0, 90.0]), np.array([51.0, 21, 91]))
    assert len(scored) == 3
    assert [column.tolist() for column in scored.columns] == [
        [2, 5, 9],
        [4.0, 3.0, 5.0],
        [-1, 1, 0],
        [20.0, 50.0, 90.0],
        [21.0, 51.0, 91.0],
    ]
    assert scored.flags(4.0).tolist() == [False, False, True]
    assert scored.flags(np.array([3.9, 3.0, 4.0])).tolist() == [True, False, True]


def test_without_findings_the_columns_are_empty_and_typed() -> None:
    nothing = Scored.nothing()
    assert [len(column) for column in nothing.columns] == [len(nothing)] * 5 == [0] * 5
    assert [column.dtype.kind for column in nothing.columns] == ["i", "f", "i", "f", "f"]
