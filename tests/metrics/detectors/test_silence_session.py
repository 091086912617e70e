"""Silences within a market's hours agree with an oracle that works tick by tick, for any batches."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.metrics.detectors.oracle import Trade
from tickflow.metrics.detectors.seconds import Seconds
from tickflow.metrics.detectors.silence import Silence
from tickflow.sessions import NEW_YORK

SECOND = 1_000_000
OPEN = 1_381_152_600 * SECOND  # Monday, 7 October 2013, 09:30 in New York
CLOSE = OPEN + 23_400 * SECOND
NEXT_OPEN = OPEN + 86_400 * SECOND
FIXED = (("SLOW silence > 12", "SLOW", 12 * SECOND),)
Found = tuple[str, int, int, int, str, int]


def of_the_session(time_us: int) -> int:
    """The microseconds of regular hours since the first of two sessions in 2013 opened."""
    first = min(max(time_us, OPEN), CLOSE) - OPEN
    return first + min(max(time_us, NEXT_OPEN), NEXT_OPEN + 23_400 * SECOND) - NEXT_OPEN


@dataclass
class Course:
    """The history of a symbol: its newest time, its traded seconds, the kinds of silence found in this pause."""

    newest: int
    seconds: list[int] = field(default_factory=list)
    found: set[str] = field(default_factory=set)


def oracle(trades: Sequence[Trade], session: Callable[[int], int]) -> list[Found]:
    """The silences found by checking, at each tick, the last trade of every other symbol."""
    courses: dict[str, Course] = {}
    silences: list[Found] = []
    now = -1
    for at, trade in enumerate(trades):
        now = max(now, trade.time_us)
        for symbol, course in courses.items():
            if symbol == trade.symbol:
                continue
            limits = {name: limit for name, pattern, limit in FIXED if pattern == symbol}
            if len(course.seconds) >= 60:
                stamps = [session(stamp * SECOND) for stamp in course.seconds[-60:]]
                gaps = [after - before for before, after in itertools.pairwise(stamps)]
                limits["silence"] = max(30 * SECOND, 5 * max(gaps))
            waited = session(now) - session(course.newest)
            for kind, limit in limits.items():
                if waited > limit and kind not in course.found:
                    course.found.add(kind)
                    silences.append((symbol, course.newest, at, limit, kind, waited))
        course = courses.setdefault(trade.symbol, Course(trade.time_us))
        course.newest = max(course.newest, trade.time_us)
        course.found = set()
        if not course.seconds or course.newest // SECOND > course.seconds[-1]:
            course.seconds.append(course.newest // SECOND)
    return sorted(silences)


def found(trades: Sequence[Trade], size: int, session: bool) -> list[Found]:
    seconds, silences = Seconds(), list[Found]()
    silence = Silence(seconds, FIXED)
    if session:
        silence = Silence(seconds, FIXED, open_us=lambda times: NEW_YORK.open_before(times * 1000) // 1000)
    for begin in range(0, len(trades), size):
        part = trades[begin : begin + size]
        times = np.array([each.time_us for each in part])
        view = seconds.view([each.symbol for each in part], times.copy(), np.ones(len(part)), np.ones(len(part)))
        for each in silence.find(view, times):
            name = seconds.symbols[each.slot]
            silences.append((name, each.since_us, begin + each.at, each.limit_us, each.kind, each.waited_us))
        seconds.keep(view)
    return sorted(silences)


def trades(seed: int, begin: int, end: int) -> list[Trade]:
    """Trades of three symbols that pause now and then, one of them for long; some ticks are late."""
    rng = random.Random(seed)
    now, made, pauses = begin, list[Trade](), dict.fromkeys(("BUSY", "SLOW", "IDLE"), begin)
    while now < end:
        now += rng.choice((200_000, 700_000, 2_000_000))
        symbol = rng.choice(("BUSY", "BUSY", "SLOW", "IDLE"))
        if pauses[symbol] > now:
            continue
        if rng.random() < 0.01:
            pauses[symbol] = now + rng.choice((20, 45, 200, 900)) * SECOND
        made.append(Trade(symbol, now - (2 * SECOND if rng.random() < 0.03 else 0), 1.0, 1.0))
    return made


@pytest.mark.parametrize("size", [5, 37, 100_000])
def test_within_the_session_no_night_counts(size: int) -> None:
    """The trades continue past the close, and begin before the next opening."""
    made = [*trades(1, CLOSE - 1_500 * SECOND, CLOSE + 300 * SECOND)]
    made += trades(2, NEXT_OPEN - 200 * SECOND, NEXT_OPEN + 1_500 * SECOND)
    wanted = oracle(made, of_the_session)
    assert found(made, size, session=True) == wanted
    moments = [made[at].time_us for _, _, at, _, _, _ in wanted]
    assert any(moment < CLOSE for moment in moments)
    assert any(moment > NEXT_OPEN for moment in moments)
    assert not any(CLOSE < moment < NEXT_OPEN for moment in moments)
    assert len(found(made, size, session=False)) > len(wanted)
