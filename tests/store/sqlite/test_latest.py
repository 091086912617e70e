"""The cache of the newest points returns what a full read would."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.point_examples import DAY, MORNING, SECOND, Clock, a_row, bits, points_of
from tickflow.store.sqlite import latest as embedded_latest
from tickflow.store.sqlite.store import EmbeddedStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(tmp_path: Path, clock: Clock) -> Iterator[tuple[EmbeddedStore, EmbeddedStore]]:
    """A store that writes, and one that reads as a different process would; neither sweeps on its own."""
    stores = [
        EmbeddedStore(tmp_path / "stocks.db", retention_days=7, stop=threading.Event(), clock=clock) for _ in range(2)
    ]
    for store in stores:
        store.connect()
    yield stores[0], stores[1]
    for store in stores:
        store.close()


def test_a_read_does_not_go_over_all_symbols_again(
    pair: tuple[EmbeddedStore, EmbeddedStore], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, reading = pair
    writing.write(points_of(a_row(symbol="AAPL"), a_row(symbol="MSFT")))
    assert reading.latest().symbol == ["AAPL", "MSFT"]
    monkeypatch.setattr(embedded_latest, "symbols", None)
    clock.now += 60
    later = points_of(a_row(symbol="MSFT", time_ns=MORNING + SECOND, price=2.0))
    writing.write(later)
    clock.now += 60
    assert bits(reading.latest()) == bits(points_of(a_row(symbol="AAPL"))) + bits(later)
    assert reading.latest() is reading.latest()


def test_a_new_symbol_is_seen_at_once(pair: tuple[EmbeddedStore, EmbeddedStore]) -> None:
    writing, reading = pair
    assert len(reading.latest()) == 0
    for symbol in ("MSFT", "AAPL"):
        writing.write(points_of(a_row(symbol=symbol)))
        assert symbol in reading.latest().symbol
    assert reading.latest().symbol == ["AAPL", "MSFT"]


def test_a_read_sees_one_state_of_the_file(
    pair: tuple[EmbeddedStore, EmbeddedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a point could be missing although a later record's point is returned."""
    writing, reading = pair
    writing.write(points_of(a_row(symbol="AAPL", offset=1), a_row(symbol="MSFT", offset=2)))
    reading.latest()
    newest = embedded_latest._newest

    def after_another_write(*arguments: Any) -> Any:
        writing.write(
            points_of(
                a_row(symbol="MSFT", time_ns=MORNING + 2 * SECOND, offset=4),
                a_row(symbol="AAPL", time_ns=MORNING + 2 * SECOND, offset=5),
            )
        )
        return newest(*arguments)

    writing.write(points_of(a_row(symbol="AAPL", time_ns=MORNING + SECOND, offset=3)))
    with monkeypatch.context() as patched:
        patched.setattr(embedded_latest, "_newest", after_another_write)
        assert reading.latest().offset.tolist() == [3, 2]
    assert reading.latest().offset.tolist() == [5, 4]


def test_a_point_written_again_within_the_same_millisecond_is_seen(
    pair: tuple[EmbeddedStore, EmbeddedStore],
) -> None:
    writing, reading = pair
    for price in (1.0, 2.0, 3.0):
        writing.write(points_of(a_row(price=price)))
        assert reading.latest().price.tolist() == [price]


def test_a_clock_that_is_set_back_hides_no_point(pair: tuple[EmbeddedStore, EmbeddedStore], clock: Clock) -> None:
    writing, reading = pair
    writing.write(points_of(a_row()))
    reading.latest()
    clock.now -= 3600
    writing.write(points_of(a_row(time_ns=MORNING + SECOND, price=2.0)))
    assert reading.latest().price.tolist() == [2.0]
    writing.write(points_of(a_row(time_ns=MORNING + 2 * SECOND, price=3.0)))
    assert reading.latest().price.tolist() == [3.0]


def test_points_deleted_by_retention_are_gone(pair: tuple[EmbeddedStore, EmbeddedStore], clock: Clock) -> None:
    writing, _ = pair
    writing.write(points_of(a_row(symbol="AAPL")))
    assert writing.latest().symbol == ["AAPL"]
    clock.now += 8 * DAY / SECOND
    writing.write(points_of(a_row(symbol="MSFT", time_ns=MORNING + 8 * DAY)))
    assert writing.latest().symbol == ["MSFT"]


moments = st.integers(0, 5)
writes = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["replay", "simulated"]), moments), max_size=4),
        st.integers(-3, 10),  # seconds that the clock advances after the write
        st.booleans(),  # is the cache read after the write?
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(steps=writes)
def test_the_cached_answer_always_equals_single_queries(
    steps: list[tuple[list[tuple[str, str, int]], int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = Clock()
    path = tmp_path_factory.mktemp("latest") / "stocks.db"
    stores = [EmbeddedStore(path, retention_days=7, stop=threading.Event(), clock=clock) for _ in range(2)]
    with stores[0] as writing, stores[1] as reading:
        writing.connect()
        offset = 0
        for points, passes, is_read in steps:
            for symbol, source, moment in points:
                offset += 1
                row = points_of(
                    a_row(symbol=symbol, source=source, time_ns=MORNING + moment, price=1.0 + offset, offset=offset)
                )
                writing.write(row)
            clock.now += passes
            if is_read:
                assert bits(reading.latest()) == bits(reading.latest(["A", "B", "C"]))
        assert bits(reading.latest()) == bits(reading.latest(["A", "B", "C"]))
