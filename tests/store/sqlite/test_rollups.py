"""Rollups agree with the points, whether these are written, rewritten, written late, or deleted."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import real_day
from tests.point_examples import DAY, MORNING, SECOND, Clock, a_row, points_of
from tickflow.metrics.points import Points
from tickflow.sqlite import open_database
from tickflow.store.pixels import LEVELS_NS, MEASURES, PLAIN, Pixels
from tickflow.store.sqlite import pixels as module
from tickflow.store.sqlite import rollups
from tickflow.store.sqlite.store import EmbeddedStore

WIDTHS = (2 * SECOND, 7 * SECOND + SECOND // 2, 40 * SECOND, 70 * SECOND, 400 * SECOND, 1_700 * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "stocks.db", retention_days=1, stop=threading.Event(), clock=clock) as store:
        store.connect()
        yield store


def of_points(store: EmbeddedStore, symbol: str, since: int, until: int, width: int) -> Pixels:
    with store._connection() as connection:
        return module._of_points(connection, symbol, since, until, width)


def kept(store: EmbeddedStore) -> int:
    with store._connection() as connection:
        query = "SELECT count(*) FROM store_rollups WHERE columns IS NOT NULL"
        return int(connection.execute(query).fetchone()[0])


def same(found: Pixels, expected: Pixels) -> bool:
    plain = all(np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True) for name in PLAIN)
    return plain and all(
        np.array_equal(getattr(found, side)[name], getattr(expected, side)[name], equal_nan=True)
        for side in ("lows", "highs")
        for name in MEASURES
    )


def check(store: EmbeddedStore, symbol: str, since: int, until: int) -> None:
    for width in WIDTHS:
        found = store.pixels(symbol, since, until, width)
        assert same(found, of_points(store, symbol, since, until, width))
    totals, points = store.totals(symbol, since, until), store.points(symbol, since, until)
    if totals is None:
        assert not len(points)
        return
    assert (totals.high, totals.low, totals.ticks) == (points.price.max(), points.price.min(), len(points))
    sums = [math.fsum(points.volume), math.fsum(points.price * points.volume)]
    np.testing.assert_allclose([totals.volume, totals.value], sums, rtol=1e-12)


def a_course(count: int, begin: int, gap: int, *, seed: int = 1, offset: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    prices, volumes = np.round(100 + rng.normal(0, 1, count), 2), rng.integers(0, 500, count)
    return points_of(
        *(
            a_row(
                time_ns=begin + at * gap,
                price=float(prices[at]),
                volume=float(volumes[at]),
                ma_10=None if at % 5 == 0 else 100.0,
                z_score=None if at % 3 == 0 else float(prices[at] % 3),
                offset=offset + at,
                is_anomaly=bool(at % 7 == 1),
            )
            for at in range(count)
        )
    )


def test_rolled_up_columns_are_those_of_the_points(store: EmbeddedStore) -> None:
    store.write(a_course(20_000, MORNING, SECOND // 5))
    store.write(a_course(10, MORNING + 5_000 * SECOND, SECOND))
    assert kept(store) >= 2 * 4
    check(store, "AAPL", 0, MORNING + DAY)
    check(store, "AAPL", MORNING + 100 * SECOND + 5, MORNING + 3_333 * SECOND)
    check(store, "AAPL", MORNING + 3_000 * SECOND, MORNING + 3_001 * SECOND)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 12_000), st.integers(1, 1_500), st.sampled_from([1, 3, 10]), st.integers(0, 99)),
        min_size=1,
        max_size=6,
    ),
    window=st.tuples(st.integers(-100, 20_000), st.integers(1, 20_000)),
)
def test_late_and_repeated_points_leave_nothing_stale(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[int, int, int, int]],
    window: tuple[int, int],
) -> None:
    path = tmp_path_factory.mktemp("rollups") / "stocks.db"
    with EmbeddedStore(path, retention_days=1, stop=threading.Event(), clock=Clock()) as store:
        store.connect()
        for begin, count, per_second, seed in parts:
            store.write(a_course(count, MORNING + begin * SECOND, SECOND // per_second, seed=seed))
        since, length = window
        check(store, "AAPL", MORNING + since * SECOND, MORNING + (since + length) * SECOND)


def test_deleting_points_deletes_their_rollups(store: EmbeddedStore, clock: Clock) -> None:
    store.write(a_course(9_000, MORNING, SECOND // 2))
    store.write(a_course(10, MORNING + 9_000 * SECOND, SECOND))
    assert kept(store)
    clock.now += 86_400 + 61
    store.write(points_of(a_row(time_ns=MORNING + DAY)))
    clock.now += 61
    for _ in range(10):
        store.write(points_of(a_row(time_ns=MORNING + DAY)))
        clock.now += 61
    assert store.count("AAPL", 0, MORNING + DAY) == 0
    assert kept(store) == 0
    assert len(store.pixels("AAPL", 0, MORNING + DAY, WIDTHS[-1])) == 0


def test_a_file_of_an_older_version_is_rolled_up_in_time(store: EmbeddedStore) -> None:
    store.write(a_course(9_000, MORNING, SECOND // 2))
    with store._writing() as connection:
        connection.execute("DELETE FROM store_rollups")
    again = EmbeddedStore(store._path, retention_days=1, stop=threading.Event(), clock=Clock())
    with again:
        again.connect()
        again.write(points_of(a_row(symbol="MSFT")))
        again.write(points_of(a_row(symbol="MSFT", time_ns=MORNING + 1)))
        assert kept(again) >= 4
        check(again, "AAPL", 0, MORNING + DAY)


def test_rollups_in_another_form_are_ignored(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(a_course(9_000, MORNING, SECOND // 2))
    store.write(a_course(10, MORNING + 9_000 * SECOND, SECOND))
    assert kept(store)
    with store._connection() as connection:
        assert rollups.read(connection, "AAPL", 0, MORNING + DAY, LEVELS_NS[-1])
        monkeypatch.setattr(rollups, "FORM", rollups.FORM + 1)
        assert not rollups.read(connection, "AAPL", 0, MORNING + DAY, LEVELS_NS[-1])


def test_a_page_that_opens_a_file_without_rollups_reads_the_points(tmp_path: Path) -> None:
    path = tmp_path / "stocks.db"
    with EmbeddedStore(path, retention_days=1, stop=threading.Event(), clock=Clock()) as store:
        store.connect()
        store.write(a_course(2_000, MORNING, SECOND))
    connection = open_database(path, threading.Event())
    connection.execute("DROP TABLE store_rollups")
    connection.close()
    with EmbeddedStore(path, retention_days=1, stop=threading.Event(), clock=Clock()) as store:
        store.connect()
        assert store.pixels("AAPL", MORNING, MORNING + DAY, 400 * SECOND).ticks.sum() == 2_000


def test_the_rollups_of_a_real_day_equal_its_points(store: EmbeddedStore) -> None:
    some = real_day.points("SPY", 15_000)
    for at in range(0, len(some), 5_000):
        store.write(some.take(slice(at, at + 5_000)))
    assert kept(store) or len(some) < 15_000  # without the real day, the generated points are too sparse
    check(store, "SPY", 0, int(some.time_ns.max()) + 1)
