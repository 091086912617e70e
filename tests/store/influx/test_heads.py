"""The page's reads of the newest points follow the rows of the last seconds, and never lead a reader past a point."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.point_examples import MORNING, SECOND, Clock, a_row, bits, points_of
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.influx import latest as influx_latest
from tickflow.store.influx.heads import MOST_ROWS, OVERLAP_NS, TOGETHER_NS, Came, Heads, Moments, Row
from tickflow.store.influx.influxql import InfluxQL
from tickflow.store.influx.latest import Latest
from tickflow.store.influx.store import InfluxStore

PARTITIONS = {"A": 0, "B": 1, "C": 1}
MOMENTS = {"A": (10, 3), "B": (9, 6), "C": (12, 7)}


def heads(*partitions: tuple[int, int]) -> Heads:
    """The heads of partitions 0, 1, ... with these offsets and times."""
    return Heads(dict(enumerate(each for each, _ in partitions)), dict(enumerate(each for _, each in partitions)))


def test_rows_after_the_heads_are_new() -> None:
    known = heads((3, 10), (7, 12))
    rows: list[Row] = [(11, 4, "A"), (13, 5, "A"), (12, 6, "A"), (14, 8, "B"), (12, 7, "C")]
    assert known.follow(rows, PARTITIONS, MOMENTS) == Came(frozenset("AB"), 11, heads((6, 13), (8, 14)))


@pytest.mark.parametrize(
    "rows",
    [
        [(11, 5, "A")],
        [(11, 4, "A"), (12, 6, "A")],
        [(11, 4, "X")],
        [(11, None, "A"), (12, 5, "A")],
        [(11, 4, "A")] * (MOST_ROWS + 1),
        [(13, 0, "A")],
    ],
    ids=["a gap", "a gap between", "a new symbol", "no offset yet", "too many", "a recreated partition"],
)
def test_rows_that_may_lack_a_point_are_not_followed(rows: list[Row]) -> None:
    assert heads((3, 10), (7, 12)).follow(rows, PARTITIONS, MOMENTS) is None


def test_new_points_are_those_between_two_heads() -> None:
    points = points_of(*[a_row(symbol="A", offset=at, time_ns=MORNING + at, partition=at // 4) for at in range(8)])
    found = Heads({0: 1, 1: 4}).between(points, Heads({0: 3, 1: 5}))
    assert found is not None
    assert found.offset.tolist() == [2, 3, 5]


@pytest.mark.parametrize("offsets", [[2], [2, 2], [2, 3, 3]], ids=["absent", "twice for another", "twice"])
def test_new_points_of_which_one_is_missing_or_twice_are_not_taken(offsets: list[int]) -> None:
    points = points_of(*[a_row(symbol="A", offset=at, time_ns=MORNING + at) for at in offsets])
    assert Heads({0: 1}).between(points, Heads({0: 3})) is None


def test_the_rows_begin_before_the_oldest_head_that_is_not_far_behind() -> None:
    assert heads((0, 100 * SECOND), (0, 90 * SECOND)).since_ns == 90 * SECOND - OVERLAP_NS
    assert heads((0, 100 * SECOND), (0, 100 * SECOND - TOGETHER_NS - 1)).since_ns == 100 * SECOND - OVERLAP_NS
    assert Heads().since_ns < 0


def test_heads_of_points() -> None:
    points = points_of(
        a_row(symbol="A", offset=5, time_ns=MORNING),
        a_row(symbol="B", offset=3, time_ns=MORNING + 9),
        a_row(symbol="C", offset=1, partition=4, time_ns=MORNING + 1),
    )
    assert Heads.of(points) == Heads({0: 5, 4: 1}, {0: MORNING + 9, 4: MORNING + 1})


ticks = st.tuples(
    st.sampled_from("ABCD"),
    st.sampled_from([0, 0, 0, 1, 3, 90]),  # how many seconds the tick is late
    st.sampled_from([0, 0, 0, 0, 1]),  # how many records before it were refused
)
turns = st.lists(st.tuples(st.lists(ticks, max_size=4), st.sampled_from([0.0, 1.0, 4.0])), min_size=2, max_size=8)
runs = itertools.count()
followed: Counter[str] = Counter()


@pytest.mark.influx
def test_no_reader_is_led_past_a_point(store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_latest, "SOME", 1)
    followed.clear()
    check_run(store, influxql)
    assert min(followed[name] for name in ("news", "nothing", "not enough", "failed")) > 10, followed


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    turns=turns,
    lag=st.sampled_from([0, 0, 5, 200]),
    failures=st.lists(st.sampled_from([False, False, False, True]), max_size=12),
)
def check_run(
    store: InfluxStore,
    influxql: InfluxQL,
    turns: list[tuple[list[tuple[str, int, int]], float]],
    lag: int,
    failures: list[bool],
) -> None:
    """A and B are in partition 0; C and D in partition 1, whose event times are `lag` seconds behind. `failures` tells
    which queries fail.
    """
    run = next(runs)  # the points of earlier runs are older, in time and in the log
    now, offsets, partition_of = MORNING + run * 10_000 * SECOND, [run * 1_000] * 2, {"A": 0, "B": 0, "C": 1, "D": 1}
    for at, symbol in enumerate("ABCD"):
        store.write(points_of(a_row(symbol=symbol, partition=at // 2, time_ns=now + at, offset=offsets[at // 2])))
        offsets[at // 2] += 1
    clock = Clock()
    latest = Watched(influxql, clock, most=5)
    latest.failures = iter(failures)
    for written, pause in turns:
        rows = []
        for symbol, late, refused in written:
            partition, now = partition_of[symbol], now + SECOND
            offsets[partition] += refused
            time_ns = now - (late + lag * partition) * SECOND + offsets[partition]
            rows.append(a_row(symbol=symbol, partition=partition, time_ns=time_ns, offset=offsets[partition]))
            offsets[partition] += 1
        if rows:
            store.write(points_of(*rows))
        clock.now += pause
        try:
            shown, stored = latest.read(), store.latest(["A", "B", "C", "D"])
        except StoreUnavailable:
            followed["failed"] += 1
            continue
        for number in (0, 1):
            reached = max(shown.offset[shown.partition == number].tolist())
            for at in np.flatnonzero(stored.offset <= reached).tolist():
                if stored.partition[at] == number:
                    assert bits(shown.take([at])) == bits(stored.take([at])), "a reader would never get this point"
    clock.now += influx_latest.ASK_EVERY_SECONDS
    latest.failures = iter(())
    assert bits(latest.read()) == bits(store.latest(["A", "B", "C", "D"]))


class Watched(Latest):
    """Counts how its reads find what is new; its queries fail as `failures` says."""

    failures: Iterator[bool]

    def _ask(self) -> Moments:
        self._fail()
        return super()._ask()

    def _at(self, moments: Moments, symbols: Sequence[str] | None = None) -> Points:
        self._fail()
        return super()._at(moments, symbols)

    def _came(self, came: Came) -> Points:
        self._fail()
        return super()._came(came)

    def _fail(self) -> None:
        if next(self.failures, False):
            raise StoreUnavailable("It is away.")

    def _follow(self) -> bool:
        before = self._points
        is_enough = super()._follow()
        followed["not enough" if not is_enough else "nothing" if self._points is before else "news"] += 1
        return is_enough


@pytest.mark.influx
def test_a_late_tick_of_a_quiet_symbol_is_seen_when_all_times_are_requested(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_latest, "SOME", 1)
    clock = Clock()
    latest = Latest(influxql, clock, most=5)
    store.write(points_of(a_row(symbol="A", offset=0), a_row(symbol="B", offset=1, time_ns=MORNING + 100 * SECOND)))
    latest.read()
    latest.read()
    late = a_row(symbol="A", offset=2, time_ns=MORNING + 50 * SECOND)
    store.write(points_of(late))
    clock.now += 1
    assert latest.read().offset.tolist() == [0, 1]
    clock.now += influx_latest.ASK_EVERY_SECONDS
    assert latest.read().offset.tolist() == [2, 1]


@pytest.mark.influx
def test_ticks_of_a_recreated_log_are_seen_at_once(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_latest, "SOME", 1)
    clock = Clock()
    latest = Latest(influxql, clock, most=5)
    store.write(points_of(a_row(symbol="A", offset=1_000), a_row(symbol="B", offset=1_001, time_ns=MORNING + SECOND)))
    latest.read()
    latest.read()
    for offset in range(3):
        store.write(points_of(a_row(symbol="B", offset=offset, time_ns=MORNING + (offset + 2) * SECOND)))
        clock.now += 1
        assert latest.read().offset.tolist() == [1_000, offset]
