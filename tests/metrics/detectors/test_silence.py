"""Silences agree with an oracle that checks every symbol after every tick."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np
import pytest

from tests.metrics.detectors.examples import SECOND_US, view_of
from tests.metrics.detectors.oracle import Trade
from tickflow.arrays import Ints
from tickflow.metrics.detectors.seconds import Seconds
from tickflow.metrics.detectors.silence import Silence

Fixed = tuple[tuple[str, str, int], ...]
Row = tuple[str, int, int, int, str, int]
"""The symbol, its last trade, the tick that shows the silence, the limit, the limit's name, the silence so far."""
RULES: Fixed = (
    ("all > 20", "*", 20 * SECOND_US),
    ("some > 45", "S1*", 45 * SECOND_US),
    ("S2 > 90", "S2", 90 * SECOND_US),
)


@dataclass
class Known:
    """The state of one symbol."""

    newest_us: int = -1
    stamps: list[int] = field(default_factory=list)
    found: set[str] = field(default_factory=set)


def always(time_us: int) -> int:
    """The trading time of a market that never closes."""
    return time_us


def some_hours(time_us: int) -> int:
    """The trading time of a market that is open for the first 100 s of every 150 s."""
    days, rest = divmod(time_us, 150 * SECOND_US)
    return days * 100 * SECOND_US + min(rest, 100 * SECOND_US)


def by_hand(
    trades: Sequence[Trade],
    fixed: Fixed,
    usual: bool,
    restart: int = -1,
    session: Callable[[int], int] = always,
) -> list[Row]:
    """The silences that the oracle finds; at tick `restart` it forgets which silences it has found."""
    known: dict[str, Known] = {}
    clock, rows = -1, list[Row]()
    for at, trade in enumerate(trades):
        clock = max(clock, trade.time_us)
        if at == restart:
            for each in known.values():
                each.found.clear()
        own = known.setdefault(trade.symbol, Known())
        for symbol, each in known.items():
            if each is own:
                continue
            limits = [(name, limit) for name, pattern, limit in fixed if fnmatchcase(symbol, pattern)]
            if usual and len(each.stamps) >= 60:
                last = [session(stamp * SECOND_US) for stamp in each.stamps[-60:]]
                longest = max(after - before for before, after in itertools.pairwise(last))
                limits.append(("silence", max(30 * SECOND_US, 5 * longest)))
            waited = session(clock) - session(each.newest_us)
            due = [(name, limit) for name, limit in limits if waited > limit and name not in each.found]
            for name, limit in sorted(due):
                each.found.add(name)
                rows.append((symbol, each.newest_us, at, limit, name, waited))
        own.newest_us = max(own.newest_us, trade.time_us)
        if not own.stamps or own.stamps[-1] != own.newest_us // SECOND_US:
            own.stamps.append(own.newest_us // SECOND_US)
        own.found.clear()
    return rows


def found(
    trades: Sequence[Trade],
    sizes: Sequence[int],
    fixed: Fixed,
    usual: bool,
    restart: int = -1,
    session: Callable[[int], int] = always,
) -> list[Row]:
    """The silences found in batches of these sizes (the last size repeats), with a restart before tick `restart`."""

    def open_us(times: Ints) -> Ints:
        return np.array([session(each) for each in times.tolist()], dtype=np.int64)

    seconds = Seconds()
    silence = Silence(seconds, fixed, usual=usual, open_us=open_us)
    rows, begin, turn = list[Row](), 0, 0
    while begin < len(trades):
        end = begin + sizes[min(turn, len(sizes) - 1)]
        if begin == restart:
            newest_us = silence.newest_us
            silence = Silence(seconds, fixed, usual=usual, open_us=open_us)
            silence.resume(newest_us)
        elif begin < restart < end:
            end = restart
        view = view_of(seconds, trades[begin:end])
        times = np.array([each.time_us for each in trades[begin:end]])
        for each in silence.find(view, times):
            name, at = seconds.symbols[each.slot], begin + each.at
            rows.append((name, each.since_us, at, each.limit_us, each.kind, each.waited_us))
        seconds.keep(view)
        begin, turn = end, turn + 1
    return rows


@lru_cache
def a_day(seed: int, symbols: int, count: int = 500) -> tuple[Trade, ...]:
    """Ticks about a second apart; at any time some symbols pause, and some ticks are late."""
    rng = random.Random(seed)
    now, made, active = 1_700_000_000 * SECOND_US, list[Trade](), ["S0"]
    for number in range(count):
        if number % 70 == 0:
            active = rng.sample([f"S{each}" for each in range(symbols)], max(1, symbols - 1 - number // 70 % 3))
        now += rng.choice((400_000, SECOND_US, SECOND_US, 1_500_000))
        late = rng.choice((3, 60)) * SECOND_US if rng.random() < 0.04 else 0
        made.append(Trade(rng.choice(active), now - late, 5.0, 1.0))
    return tuple(made)


DAYS = [a_day(1, 3), a_day(2, 4), a_day(3, 24, 300)]


def in_order(rows: list[Row]) -> list[Row]:
    """Sort by tick, then by symbol, then by the limit's name."""
    return sorted(rows, key=lambda row: (row[2], row[0], row[4]))


@pytest.mark.parametrize("sizes", [[500], [83], [1], [250, 3, 40]], ids=str)
@pytest.mark.parametrize(("fixed", "usual"), [((), True), (RULES, True), (RULES[1:], False)])
@pytest.mark.parametrize("day", [0, 1, 2])
def test_each_silence_matches_the_oracle(day: int, fixed: Fixed, usual: bool, sizes: list[int]) -> None:
    wanted = by_hand(DAYS[day], fixed, usual)
    assert in_order(found(DAYS[day], sizes, fixed, usual)) == in_order(wanted)


@pytest.mark.parametrize("sizes", [[500], [83], [1], [250, 3, 40]], ids=str)
@pytest.mark.parametrize("day", [0, 1])
def test_only_time_within_the_session_counts(day: int, sizes: list[int]) -> None:
    wanted = by_hand(DAYS[day], RULES, True, session=some_hours)
    assert in_order(found(DAYS[day], sizes, RULES, True, session=some_hours)) == in_order(wanted)
    assert len(wanted) < len(by_hand(DAYS[day], RULES, True)), "closed hours hide some"
    clock = list(itertools.accumulate((each.time_us for each in DAYS[day]), max))
    assert any(clock[at] - since > waited for _, since, at, _, _, waited in wanted), "some last over closed hours"


def test_the_examples_reach_every_kind_of_silence() -> None:
    for session in (always, some_hours):
        kinds = {row[4] for day in DAYS[:2] for row in by_hand(day, RULES, True, session=session)}
        assert kinds == {"silence", "all > 20", "some > 45", "S2 > 90"}
    limits = {row[3] for row in by_hand(DAYS[0], (), True)} | {row[3] for row in by_hand(DAYS[1], (), True)}
    assert min(limits) == 30 * SECOND_US or max(limits) > 30 * SECOND_US


@pytest.mark.parametrize("restart", range(100, 500, 23))
def test_after_a_restart_no_silence_is_missed_and_a_lasting_one_is_found_again(restart: int) -> None:
    wanted = by_hand(DAYS[0], RULES, True, restart)
    assert in_order(found(DAYS[0], [40], RULES, True, restart)) == in_order(wanted)


def ticks(*pairs: tuple[str, int]) -> list[Trade]:
    return [Trade(symbol, time_us, 5.0, 1.0) for symbol, time_us in pairs]


def test_a_symbol_is_silent_once_more_than_the_limit_has_passed() -> None:
    limit = (("A > 10", "A", 10),)
    assert found(ticks(("A", 100), ("B", 110)), [2], limit, False) == []
    assert found(ticks(("A", 100), ("B", 111)), [2], limit, False) == [("A", 100, 1, 10, "A > 10", 11)]
    assert found(ticks(("A", 100), ("B", 111)), [1], limit, False) == [("A", 100, 1, 10, "A > 10", 11)]
    after_a_restart = found(ticks(("A", 100), ("B", 111)), [1], limit, False, restart=1)
    assert after_a_restart == [("A", 100, 1, 10, "A > 10", 11)]
    assert found(ticks(("A", 100), ("A", 111)), [1], limit, False) == [], "its own tick ends the pause"
    assert found(ticks(("A", 100), ("B", 111), ("B", 500)), [1], limit, False) == [("A", 100, 1, 10, "A > 10", 11)]


@pytest.mark.parametrize("gap", [1, 5, 6, 7, 20])
def test_the_usual_limit_is_five_times_the_longest_gap_and_at_least_half_a_minute(gap: int) -> None:
    times = [number * SECOND_US for number in range(59)]
    times.append(times[-1] + gap * SECOND_US)
    limit = max(30, 5 * gap) * SECOND_US
    day = ticks(*(("A", time_us) for time_us in times), ("B", times[-1] + limit), ("B", times[-1] + limit + 1))
    for size in (100, 60, 1):
        assert found(day, [size], (), True) == [("A", times[-1], 61, limit, "silence", limit + 1)]
        assert found(day[1:], [size], (), True) == [], "59 traded seconds are warm-up"


@pytest.mark.parametrize("sizes", [[5], [1], [3, 1, 1]], ids=str)
def test_a_tick_that_comes_too_late_begins_a_silence_that_the_next_tick_shows(sizes: list[int]) -> None:
    day = ticks(("B", 100), ("B", 200), ("B", 300), ("A", 50), ("B", 301))
    assert found(day, sizes, (("A > 10", "A", 10),), False) == [("A", 50, 4, 10, "A > 10", 251)]


@pytest.mark.parametrize("sizes", [[3], [1], [2, 1]], ids=str)
def test_a_late_ticks_silence_shows_at_the_next_tick_even_of_the_same_time(sizes: list[int]) -> None:
    day = ticks(("B", 300), ("A", 50), ("B", 300))
    assert found(day, sizes, (("A > 10", "A", 10),), False) == [("A", 50, 2, 10, "A > 10", 250)]


@pytest.mark.parametrize("sizes", [[9], [1], [2, 2]], ids=str)
def test_each_limit_of_one_pause_is_found_once_at_its_own_tick(sizes: list[int]) -> None:
    rules = (("A > 10", "A", 10), ("A > 20", "A", 20), ("A > 400", "A", 400))
    day = ticks(("A", 100), ("B", 111), ("B", 115), ("B", 121), ("B", 300), ("B", 501))
    assert found(day, sizes, rules, False) == [
        ("A", 100, 1, 10, "A > 10", 11),
        ("A", 100, 3, 20, "A > 20", 21),
        ("A", 100, 5, 400, "A > 400", 401),
    ]


def test_silences_come_in_the_order_in_which_ticks_show_them() -> None:
    rules = (("FIRST > 50", "FIRST", 50), ("SECOND > 10", "SECOND", 10))
    day = ticks(("FIRST", 0), ("SECOND", 0), ("B", 20), ("B", 60))
    assert [row[:3] for row in found(day, [4], rules, False)] == [("SECOND", 0, 2), ("FIRST", 0, 3)]


def test_without_a_request_for_silences_none_is_found() -> None:
    assert found(DAYS[0], [100], (), False) == []


def test_silences_that_one_tick_shows_are_ordered_by_symbol_and_name() -> None:
    rules = (("b", "*", 10), ("a", "*", 10))
    assert found(ticks(("Z", 1), ("A", 1), ("B", 50)), [3], rules, False) == [
        ("Z", 1, 2, 10, "a", 49),
        ("Z", 1, 2, 10, "b", 49),
        ("A", 1, 2, 10, "a", 49),
        ("A", 1, 2, 10, "b", 49),
    ]


def test_an_empty_batch_finds_nothing_and_leaves_the_clock() -> None:
    seconds = Seconds()
    silence = Silence(seconds)
    assert silence.find(view_of(seconds, []), np.zeros(0, np.int64)) == []
    assert silence.newest_us == -1
