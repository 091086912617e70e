"""The cache of InfluxDB's newest points returns what a full read would."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.point_examples import MORNING, SECOND, Clock, a_row, bits, points_of
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.influx import latest as influx_latest
from tickflow.store.influx.influxql import InfluxQL
from tickflow.store.influx.latest import Latest
from tickflow.store.influx.store import InfluxStore

pytestmark = pytest.mark.influx


def test_only_changed_symbols_are_read_again(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    of = influx_latest.of

    def seen(influxql: InfluxQL, symbols: Any = None, **others: Any) -> object:
        asked.append(symbols)
        return of(influxql, symbols, **others)

    monkeypatch.setattr(influx_latest, "of", seen)
    latest = Latest(influxql, Clock())
    store.write(points_of(a_row(symbol="AAPL"), a_row(symbol="MSFT"), a_row(symbol="NVDA")))
    latest.read()
    later = points_of(a_row(symbol="MSFT", time_ns=MORNING + SECOND, price=2.0, offset=7))
    store.write(later)
    assert bits(latest.read())[1] == bits(later)[0]
    latest.read()
    store.write(points_of(a_row(symbol="META")))
    assert latest.read().symbol == ["AAPL", "META", "MSFT", "NVDA"]
    assert asked == [None, ["MSFT"], None]


def test_a_point_written_again_with_other_values_is_seen_within_a_minute(
    store: InfluxStore, influxql: InfluxQL
) -> None:
    clock = Clock()
    latest = Latest(influxql, clock)
    store.write(points_of(a_row(price=1.0)))
    assert latest.read().price.tolist() == [1.0]
    store.write(points_of(a_row(price=2.0)))
    clock.now += influx_latest.WHOLE_EVERY_SECONDS
    assert latest.read().price.tolist() == [2.0]


def test_readers_of_a_failed_shared_read_do_not_queue_again() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Frozen:
        asked = 0

        excused = None

        def rows(self, *arguments: object) -> object:
            self.asked += 1
            begun.set()
            assert go_on.wait(10)
            raise StoreUnavailable("It is frozen.")

    frozen = Frozen()
    latest = Latest(cast("InfluxQL", frozen))
    with ThreadPoolExecutor(6) as pool:
        reads = [pool.submit(latest.read)]
        assert begun.wait(10)
        reads += [pool.submit(latest.read) for _ in range(5)]
        time.sleep(0.2)  # time for the other readers to start waiting
        go_on.set()
        errors = [read.exception() for read in reads]
    assert [str(error) for error in errors] == ["It is frozen."] * 6
    assert frozen.asked == 2, "once for the first, once for all who asked meanwhile"
    with pytest.raises(StoreUnavailable):
        latest.read()
    assert frozen.asked == 3, "who asks later has it tried again"


@pytest.mark.parametrize("whole", [False, True])
def test_no_point_is_missing_before_a_returned_one(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Simulates a query that reads AAPL before a write of both symbols, and MSFT after it."""
    grouped = influxql.grouped
    store.write(points_of(a_row(symbol="AAPL", offset=1), a_row(symbol="MSFT", offset=2)))
    clock = Clock()
    latest = Latest(influxql, clock)
    latest.read()
    old = grouped(tuple[int, int], influx_latest._MOMENTS)["AAPL"]
    after = [a_row(symbol=name, time_ns=MORNING + at, offset=at) for name, at in (("AAPL", 8), ("MSFT", 9))]
    store.write(points_of(*after))
    clock.now += 100 * whole
    asked: list[object] = []

    def moments(*arguments: Any) -> Any:
        asked.append(None)
        return grouped(*arguments) | ({"AAPL": old} if len(asked) == 1 else {})

    monkeypatch.setattr(influxql, "grouped", moments)
    assert bits(latest.read()) == bits(points_of(*after))
    assert len(asked) == 3


def test_points_that_arrive_between_the_two_queries_are_left_to_the_next_read(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The point's partition lags, so its time is earlier than known times of other symbols."""
    first = [a_row(symbol="AAPL", offset=1), a_row(symbol="MSFT", time_ns=MORNING + SECOND, offset=1, partition=1)]
    second = a_row(symbol="AAPL", time_ns=MORNING + 7, offset=7)
    third = a_row(symbol="MSFT", time_ns=MORNING + 2 * SECOND, offset=2, partition=1)
    store.write(points_of(*first))
    of = influx_latest.of

    def after_another_write(*arguments: Any, **named: Any) -> Points:
        store.write(points_of(second))
        return of(*arguments, **named)

    latest = Latest(influxql)
    assert bits(latest.read()) == bits(points_of(*first))
    store.write(points_of(third))
    with monkeypatch.context() as patched:
        patched.setattr(influx_latest, "of", after_another_write)
        assert bits(latest.read()) == bits(points_of(first[0], third))
    assert bits(latest.read()) == bits(points_of(second, third))


def test_readers_who_ask_while_one_is_reading_share_the_next_read(store: InfluxStore, influxql: InfluxQL) -> None:
    store.write(points_of(a_row()))
    latest = Latest(influxql)
    grouped: Callable[..., Any] = influxql.grouped
    begun, go_on, reads = threading.Event(), threading.Event(), []

    def slowly(*arguments: Any) -> Any:
        reads.append(arguments)
        begun.set()
        go_on.wait(10)
        return grouped(*arguments)

    influxql.grouped = slowly  # type: ignore[method-assign, assignment]  # the original, after a wait
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(latest.read)
        begun.wait(10)
        others = [pool.submit(latest.read) for _ in range(8)]
        threading.Timer(0.2, go_on.set).start()
        assert {tuple(each.result().symbol) for each in (first, *others)} == {("AAPL",)}
    assert len(reads) == 2, "the first reader's, and one for all others"


def test_nobody_waits_for_a_whole_read_if_the_last_one_took_long(
    store: InfluxStore, influxql: InfluxQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    of = influx_latest.of

    def slowly(*arguments: Any, **named: Any) -> Points:
        clock.now += 1
        return of(*arguments, **named)

    monkeypatch.setattr(influx_latest, "of", slowly)
    latest = Latest(influxql, clock, most=5)

    def read_behind() -> list[float]:
        prices: list[float] = latest.read().price.tolist()
        assert latest._behind is not None
        latest._behind.join()
        return prices

    store.write(points_of(a_row(price=1.0)))
    assert latest.read().price.tolist() == [1.0]
    assert read_behind() == [1.0], "the first read took a second"
    latest._behind = None
    assert latest.read().price.tolist() == [1.0]
    assert latest._behind is None, "the second did not"
    store.write(points_of(a_row(price=2.0)))
    clock.now += influx_latest.WHOLE_EVERY_SECONDS
    assert read_behind() == [1.0]
    assert read_behind() == [2.0]


writes = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from("ABC"), st.sampled_from(["replay", "simulated"]), st.integers(0, 5)), max_size=4
        ),
        st.booleans(),  # is the cache read after the write?
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None, derandomize=True)
@given(steps=writes)
def test_the_cached_answer_always_equals_single_queries(
    store: InfluxStore, influxql: InfluxQL, steps: list[tuple[list[tuple[str, str, int]], bool]]
) -> None:
    """Ticks arrive in any order of time, since partitions lag behind each other."""
    latest = Latest(influxql)
    offset = 0
    for points, is_read in [*steps, ([], True)]:
        for symbol, source, moment in points:
            offset += 1
            time_ns = MORNING + moment * SECOND + offset
            store.write(
                points_of(a_row(symbol=symbol, source=source, time_ns=time_ns, price=1.0 + offset, offset=offset))
            )
        if is_read:
            assert bits(latest.read()) == bits(store.latest(["A", "B", "C"]))
