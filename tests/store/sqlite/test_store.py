"""Tests of the embedded store alone: one file, its retention, and its failures."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.point_examples import DAY, MORNING, Clock, a_row, bits, points_of
from tickflow.errors import SettingError, Stopped, StoreUnavailable
from tickflow.metrics.fields import NAMES
from tickflow.metrics.points import Points
from tickflow.store.base import WorkerStatus
from tickflow.store.sqlite import store as embedded
from tickflow.store.sqlite.store import EmbeddedStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "stocks.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[EmbeddedStore]:
    with open_store(path, clock) as found:
        yield found


def open_store(path: Path, clock: Clock, retention_days: float = 7) -> EmbeddedStore:
    store = EmbeddedStore(path, retention_days=retention_days, stop=threading.Event(), clock=clock)
    store.connect()
    return store


def some(count: int, first_ns: int = MORNING) -> Points:
    return points_of(*(a_row(time_ns=first_ns + i) for i in range(count)))


def count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def a_status(worker: str, written_at: int) -> WorkerStatus:
    return WorkerStatus(worker, written_at, None, None, 0, 0, 0, 0, "")


def test_two_stores_share_the_file(path: Path, store: EmbeddedStore, clock: Clock) -> None:
    with open_store(path, clock) as page:
        store.write(some(3))
        assert bits(page.points("AAPL", 0)) == bits(some(3))


def test_points_outlive_the_store(path: Path, clock: Clock) -> None:
    with open_store(path, clock) as first:
        first.write(some(3))
    with open_store(path, clock) as second:
        assert bits(second.points("AAPL", 0)) == bits(some(3))


def test_retention_counts_from_the_time_of_writing_not_from_the_events_time(
    path: Path, store: EmbeddedStore, clock: Clock
) -> None:
    old_event, written_first = some(5, first_ns=0), some(5, first_ns=MORNING)
    store.write(written_first)
    clock.now += 6 * 86_400
    store.write(old_event)
    clock.now += 2 * 86_400
    store.write(points_of(a_row(symbol="MSFT")))
    assert bits(store.points("AAPL", 0)) == bits(old_event)
    assert store.latest().symbol == ["AAPL", "MSFT"]
    assert count(path, "store_points") == 6


def test_the_age_of_a_rewritten_point_counts_from_the_rewrite(store: EmbeddedStore, clock: Clock) -> None:
    store.write(some(5))
    clock.now += 6 * 86_400
    store.write(some(5))
    clock.now += 2 * 86_400
    store.write(points_of(a_row(symbol="MSFT")))
    assert len(store.points("AAPL", 0)) == 5


def test_a_sweep_takes_small_chunks_and_begins_once_a_minute(
    path: Path, store: EmbeddedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PRUNE_ROWS", 10)
    store.write(some(25))
    clock.now += 8 * 86_400
    left = []
    for _ in range(4):
        store.write_status(a_status("host-1", MORNING))
        left.append(count(path, "store_points"))
    assert left == [15, 5, 0, 0]

    store.write(some(5))
    clock.now += 7 * 86_400 + 30
    store.write_status(a_status("host-1", MORNING))
    assert count(path, "store_points") == 0
    store.write_status(a_status("host-1", MORNING))  # finds no expired point: the sweep is over
    with open_store(path, Clock()) as other:  # its clock is two weeks behind
        other.write(some(5))
    clock.now += 59
    store.write_status(a_status("host-1", MORNING))
    assert count(path, "store_points") == 5
    clock.now += 2
    store.write_status(a_status("host-1", MORNING))
    assert count(path, "store_points") == 0


def test_a_sweep_deletes_more_than_a_write_adds(path: Path, store: EmbeddedStore, clock: Clock) -> None:
    store.write(some(9_000))
    clock.now += 8 * 86_400
    for i in range(1, 4):
        store.write(points_of(*(a_row(symbol="MSFT", time_ns=n) for n in range(3_000 * i))))
    assert count(path, "store_points") == 9_000
    assert store.latest().symbol == ["MSFT"]


def test_within_one_write_the_last_point_with_an_identity_counts(store: EmbeddedStore) -> None:
    store.write(points_of(a_row(price=1.0), a_row(symbol="MSFT"), a_row(price=3.0), a_row(price=2.0)))
    assert store.points("AAPL", 0).price.tolist() == [2.0]


def test_the_write_ahead_file_is_copied_into_the_database_once_a_minute(
    path: Path, store: EmbeddedStore, clock: Clock, tmp_path: Path
) -> None:
    """So a power cut loses the writes of about a minute at most: see docs/guarantees.md."""
    store.write(some(1))
    store.write(some(100))
    clock.now += 61
    store.write_status(a_status("host-1", MORNING))
    alone = tmp_path / "alone.db"
    alone.write_bytes(path.read_bytes())
    assert count(alone, "store_points") == 100


def test_the_file_shrinks_after_old_points_are_gone(path: Path, store: EmbeddedStore, clock: Clock) -> None:
    store.write(some(20_000))
    checkpoint(path)
    full = path.stat().st_size
    clock.now += 8 * 86_400
    for _ in range(12):
        store.write_status(a_status("host-1", MORNING))
    checkpoint(path)
    assert count(path, "store_points") == 0
    assert path.stat().st_size < full / 2


def checkpoint(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def test_only_a_workers_newest_status_is_kept_and_not_for_ever(path: Path, store: EmbeddedStore, clock: Clock) -> None:
    for i in range(3):
        store.write_status(a_status("host-1", MORNING + i))
    assert [status.written_at for status in store.statuses()] == [MORNING + 2]
    assert count(path, "store_statuses") == 1
    clock.now += 2 * 86_400
    store.write_status(a_status("host-2", MORNING + 2 * DAY))
    assert count(path, "store_statuses") == 1


def test_a_lock_held_by_another_is_unavailable_for_now_and_loses_nothing(path: Path, store: EmbeddedStore) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="EMBEDDED_FILE"):
        store.write(some(3))
    assert len(store.points("AAPL", 0)) == 0  # readers are not blocked
    other.execute("COMMIT")
    other.close()
    store.write(some(3))
    assert len(store.points("AAPL", 0)) == 3


def test_a_page_can_be_opened_while_another_process_writes(path: Path, store: EmbeddedStore, clock: Clock) -> None:
    store.write(some(3))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_store(path, clock) as page:
        assert len(page.points("AAPL", 0)) == 3
    other.close()


def test_connect_waits_for_a_lock_and_obeys_stop(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    second = EmbeddedStore(path, retention_days=7, stop=threading.Event(), clock=clock)
    threading.Timer(0.2, second.stop.set).start()
    with second, pytest.raises(Stopped, match="EMBEDDED_FILE"):
        second.connect()
    other.close()


def test_a_full_disk_is_unavailable_for_now_and_leaves_no_half_batch(path: Path, clock: Clock) -> None:
    with open_store(path, clock) as store:
        store.write(some(10))
        with store._connection() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreUnavailable, match="full"):
            store.write(some(5_000))
        assert len(store.points("AAPL", 0)) == 10
        assert len(store.write(some(20)).refused) == 0  # a new connection has no limit
        assert len(store.points("AAPL", 0)) == 20


def test_any_failure_undoes_the_whole_batch(store: EmbeddedStore) -> None:
    class OddPoints(Points):
        def rows(self) -> list[tuple[object, ...]]:
            return [a_row(), a_row(time_ns=2**63)]  # the second time exceeds SQLite's range

    with pytest.raises(OverflowError):
        store.write(OddPoints(*[getattr(some(2), name) for name in NAMES]))
    assert len(store.latest()) == 0
    store.write(some(2))
    assert len(store.points("AAPL", 0)) == 2


@pytest.mark.parametrize("content", [b"not a database, but some text of a person" * 100])
def test_a_file_that_is_something_else_is_refused_and_left_alone(path: Path, clock: Clock, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SettingError, match="EMBEDDED_FILE"):
        open_store(path, clock)
    assert path.read_bytes() == content


def test_a_folder_is_not_a_file(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(SettingError, match="EMBEDDED_FILE"):
        open_store(tmp_path, clock)


def test_close_releases_every_connection(path: Path, clock: Clock) -> None:
    store = open_store(path, clock)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.write(some(5)), range(20)))
        list(pool.map(lambda _: store.latest(), range(50)))
    store.close()
    # Closing the last connection deletes the write-ahead file.
    assert [file.name for file in path.parent.iterdir()] == ["stocks.db"]
