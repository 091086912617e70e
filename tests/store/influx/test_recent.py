"""Answers from the rows in memory equal those of InfluxDB, for any order of arrival."""

import itertools
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.point_examples import MORNING, SECOND, Clock, a_row, bits, points_of
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.influx import latest as influx_latest
from tickflow.store.influx import recent as influx_recent
from tickflow.store.influx.influxql import InfluxQL
from tickflow.store.influx.latest import Latest
from tickflow.store.influx.recent import LEAST_NS, LONGEST_NS, MOST_FLAGGED, Recent, Rows
from tickflow.store.influx.store import InfluxStore

SYMBOLS = ["A", "B", "C", "D"]
ONE = points_of(a_row(symbol="A"))


def rows_of(points: Points, begin_ns: int = MORNING) -> Rows:
    """Rows without any point, to which these points are added."""
    nothing, no_flags = np.array([], dtype=np.int64), np.array([], dtype=np.bool_)
    empty = Rows(begin_ns, {}, nothing, nothing, np.array([]), no_flags, begin_ns, Points.from_rows([]))
    return empty.with_points(points)


ticks = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(-5, 30), st.booleans()), max_size=12)


@given(parts=st.lists(ticks, max_size=5), since=st.integers(0, 30), count=st.integers(1, 8))
def test_rows_answer_as_all_points_together_would(
    parts: list[list[tuple[str, int, bool]]], since: int, count: int
) -> None:
    rows = rows_of(Points.from_rows([]))
    known: dict[tuple[str, int], Points] = {}
    price = itertools.count(1)
    for part in parts:
        new = {
            (symbol, second): a_row(
                symbol=symbol, time_ns=MORNING + second * SECOND, price=float(next(price)), is_anomaly=flag
            )
            for symbol, second, flag in part
        }
        rows = rows.with_points(points_of(*new.values()))
        known |= {moment: points_of(row) for moment, row in new.items()}
    ordered = sorted((second, symbol) for symbol, second in known if second >= 0)
    inside = [(symbol, second) for second, symbol in ordered if second >= since]
    first: dict[str, float] = {}
    flagged: Counter[str] = Counter()
    for moment in inside:
        first.setdefault(moment[0], float(known[moment].price[0]))
        flagged[moment[0]] += bool(known[moment].is_anomaly[0])
    begin = MORNING + since * SECOND
    some = ["A", "C", "X"]
    assert rows.first_prices(begin, None) == first
    assert rows.first_prices(begin, some) == {symbol: first[symbol] for symbol in some if symbol in first}
    assert rows.anomaly_counts(begin, None) == {symbol: of for symbol, of in flagged.items() if of}
    assert rows.anomaly_counts(begin, some) == {symbol: flagged[symbol] for symbol in some if flagged[symbol]}
    for names in (None, some):
        wanted = [each for each in inside if known[each].is_anomaly[0] and (names is None or each[0] in names)]
        found = rows.anomalies(begin, count, names)
        assert np.all(np.diff(found.time_ns) >= 0)
        if len(wanted) <= count:  # otherwise which of two simultaneous points counts as newer is not defined
            assert sorted(bits(found)) == sorted(bits(known[each])[0] for each in wanted)
    expected: list[bool | None] = []
    for symbol, second in inside:
        before = [at for at, name in ordered if name == symbol and at < second]
        expected.append(bool(known[symbol, before[-1]].is_anomaly[0]) if before else None)
    moments = [(symbol, MORNING + second * SECOND) for symbol, second in inside]
    assert rows.preceded([*moments, ("X", MORNING)]) == [*expected, None]


def test_rows_before_a_moment_are_forgotten() -> None:
    every = [a_row(symbol="A", time_ns=MORNING + at, price=1.0 + at, is_anomaly=True) for at in range(4)]
    rows = rows_of(points_of(*every)).later(MORNING + 2)
    assert (rows.begin_ns, rows.flagged_ns) == (MORNING + 2, MORNING + 2)
    assert rows.first_prices(MORNING + 2, None) == {"A": 3.0}
    assert rows.anomalies(0, 9, None).time_ns.tolist() == [MORNING + 2, MORNING + 3]
    assert rows.preceded([("A", MORNING + 2), ("A", MORNING + 3)]) == [None, True]


class Course:
    """Answers `Recent`'s query with the given rows, and counts the queries."""

    def __init__(self, *rows: tuple[object, ...]) -> None:
        self.found = list(rows)
        self.asked = 0
        self.fails = False
        self.during: Points | None = None
        self.recent: Recent | None = None

    def rows(self, *_: object) -> list[tuple[object, ...]]:
        self.asked += 1
        if self.fails:
            raise StoreUnavailable("It is away.")
        if self.during is not None and self.recent is not None:
            self.recent.took(self.during)
        return self.found


def a_recent(course: Course, flagged: Points | None = None, most_rows: int = 100) -> tuple[Recent, Clock]:
    clock = Clock()
    answer = Points.from_rows([]) if flagged is None else flagged
    recent = Recent(course, lambda *_: answer, clock, most_rows)  # type: ignore[arg-type]  # it answers one query
    course.recent = recent
    recent.began(ONE)
    clock.now += 1
    return recent, clock


def read(recent: Recent, since_ns: int = MORNING) -> Rows | None:
    """The rows after one more read has ended."""
    recent.since(since_ns)
    if recent.loading is not None:
        recent.loading.join()
    return recent.since(since_ns)


def test_rows_that_come_during_the_read_are_added_to_it() -> None:
    course = Course((MORNING, 1.0, False, "A"), (MORNING + 1, None, True, "A"), (MORNING + 2, 3.0, True, "B"))
    course.during = points_of(
        a_row(symbol="A", time_ns=MORNING + 1, price=2.0, is_anomaly=True),
        a_row(symbol="B", time_ns=MORNING + 2, price=3.5, is_anomaly=True),
    )
    recent, _ = a_recent(course)
    rows = read(recent)
    assert rows is not None
    assert rows.price.tolist() == [1.0, 2.0, 3.5]
    assert rows.anomaly_counts(MORNING, None) == {"A": 1, "B": 1}


def test_nothing_is_answered_after_a_point_may_have_been_missed() -> None:
    course = Course((MORNING, 1.0, False, "A"))
    recent, clock = a_recent(course)
    assert read(recent) is not None
    recent.lost()
    assert recent.rows is None
    assert read(recent) is None
    recent.took(points_of(a_row(symbol="A", time_ns=MORNING + 5)))
    assert read(recent) is None
    recent.began(ONE)
    assert read(recent) is None, "parts of earlier writes may not be visible yet"
    clock.now += 1
    assert read(recent) is not None
    assert course.asked == 2


def test_a_read_during_which_a_point_may_have_been_missed_is_not_used() -> None:
    course = Course((MORNING, 1.0, False, "A"))
    recent, _ = a_recent(course)
    answer = course.rows

    def lost_meanwhile(*arguments: object) -> list[tuple[object, ...]]:
        recent.lost()
        recent.began(ONE)
        return answer(*arguments)

    course.rows = lost_meanwhile  # type: ignore[method-assign]
    assert read(recent) is None
    assert recent.rows is None


@pytest.mark.parametrize("fails", [True, False], ids=["no answer", "too many rows"])
def test_rows_that_cannot_be_read_are_not_requested_again_at_once(fails: bool) -> None:
    course = Course(*[(MORNING + at, 1.0, False, "A") for at in range(101)])
    course.fails = fails
    recent, clock = a_recent(course)
    assert [read(recent), read(recent)] == [None, None]
    assert course.asked == 1
    course.fails, course.found = False, course.found[:5]
    clock.now += influx_recent.AGAIN_SECONDS
    assert read(recent) is not None


def test_a_longer_range_is_read_too_and_a_very_long_one_is_left_to_influxdb() -> None:
    course = Course((MORNING, 1.0, False, "A"))
    recent, _ = a_recent(course)
    assert read(recent, MORNING - LONGEST_NS - 1) is None
    assert course.asked == 0
    assert read(recent, MORNING) is not None
    assert recent.since(MORNING - LONGEST_NS) is None
    assert read(recent, MORNING - LONGEST_NS) is not None
    assert read(recent, MORNING) is not None
    assert course.asked == 2


def test_the_oldest_half_of_too_many_rows_is_forgotten() -> None:
    course = Course((MORNING, 1.0, False, "A"))
    recent, _ = a_recent(course, most_rows=10)
    assert read(recent) is not None
    recent.took(points_of(*[a_row(symbol="A", time_ns=MORNING + at, price=1.0 + at) for at in range(1, 11)]))
    assert recent.rows is not None
    assert recent.rows.price.tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert recent.since(MORNING + 4) is None
    assert recent.since(MORNING + 5) is recent.rows


def test_anomalies_that_were_too_many_to_read_are_left_to_influxdb() -> None:
    flagged = points_of(*[a_row(symbol="A", time_ns=MORNING + at, is_anomaly=True) for at in range(MOST_FLAGGED)])
    recent, _ = a_recent(Course((MORNING, 1.0, False, "A")), flagged)
    rows = read(recent)
    assert rows is not None
    assert (rows.begin_ns, rows.flagged_ns) == (MORNING - LEAST_NS, MORNING + 1)


def test_an_unexpected_error_ends_only_that_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    course = Course((MORNING, 1.0, False, "A"))
    recent, clock = a_recent(course)
    answer = course.rows

    def broken(*_: object) -> list[tuple[object, ...]]:
        raise ValueError("not an error of the store")

    course.rows = broken  # type: ignore[method-assign]
    assert read(recent) is None
    course.rows = answer  # type: ignore[method-assign]
    clock.now += influx_recent.AGAIN_SECONDS
    assert read(recent) is not None


turns = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from([0, 0, 0, 1, 90]), st.booleans()), max_size=4),
        st.sampled_from([1.0, 2.0, 4.0]),  # the pause after it
        st.sampled_from([5, 60, 500]),  # how long the range is, in seconds
    ),
    min_size=4,
    max_size=10,
)
runs = itertools.count()
answered: Counter[str] = Counter()


@pytest.mark.influx
def test_a_bounded_store_answers_as_the_store_itself(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_latest, "SOME", 1)
    answered.clear()
    check_run(store, influxql)
    assert min(answered[name] for name in ("memory", "InfluxDB", "behind")) > 10, answered


@settings(max_examples=40, deadline=None, derandomize=True)
@given(turns=turns)
def check_run(
    store: InfluxStore, influxql: InfluxQL, turns: list[tuple[list[tuple[str, int, bool]], float, int]]
) -> None:
    """A and B are in partition 0, C and D in partition 1; some ticks come late."""
    run = next(runs)  # the points of earlier runs are older, in time and in the log
    now, offsets = MORNING + run * 10_000 * SECOND, [run * 1_000] * 2
    clock = Clock()
    bounded = store.bounded()
    bounded._recent = recent = Recent(influxql, store.anomalies, clock)
    latest = Latest(influxql, clock, most=5, listener=recent)
    for at, symbol in enumerate(SYMBOLS):
        store.write(points_of(a_row(symbol=symbol, partition=at // 2, time_ns=now + at, offset=offsets[at // 2])))
        offsets[at // 2] += 1
    for ticks, pause, span in turns:
        rows = []
        for symbol, late, flag in ticks:
            now, partition = now + SECOND, SYMBOLS.index(symbol) // 2
            time_ns = now - late * SECOND + offsets[partition]
            number = offsets[partition]
            rows.append(
                a_row(
                    symbol=symbol,
                    partition=partition,
                    time_ns=time_ns,
                    offset=number,
                    price=1.0 + number,
                    is_anomaly=flag,
                )
            )
            offsets[partition] += 1
        if rows:
            store.write(points_of(*rows))
        clock.now += pause
        latest.read()
        since = now - span * SECOND
        read(recent, since)
        if any(latest._heads.offsets[number] != offsets[number] - 1 for number in (0, 1)):
            answered["behind"] += 1  # a late tick that the rows of the last seconds do not show
            continue
        answered["InfluxDB" if recent.since(since) is None else "memory"] += 1
        for names in (None, ["A", "D", "X"]):
            assert bounded.first_prices(since, names) == store.first_prices(since, names)
            assert bounded.anomaly_counts(since, names) == store.anomaly_counts(since, names)
            mine, theirs = bounded.anomalies(since, 50, names), store.anomalies(since, 50, names)
            assert bits(mine) == bits(theirs)
        moments = list(zip(theirs.symbol, theirs.time_ns.tolist(), strict=True))
        assert bounded.preceded(moments) == store.preceded(moments)
