"""Two batches are in progress at once: one is written while the next is read, and every guarantee still holds."""

import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stock_analytics
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.loaded_settings import load
from tests.memory_log import MemoryLog, MemoryTopic
from tests.records import body
from tests.waiting import until
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.process import StopEvent
from tickflow.store.base import Written
from tickflow.ticklog.base import Commit, Polled, Position

AT_A_TIME = 3


class GatedStore(MemoryStore):
    """A store that holds each write until `gate` is set, fails the next `failures` writes, and records all writes."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.failures = 0
        self.begun: list[list[int]] = []
        self.stored: set[tuple[int, int]] = set()

    def write(self, points: Points) -> Written:
        self.begun.append(points.offset.tolist())
        assert self.gate.wait(10)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("as the test asked", retry_after=0.001)
        written = super().write(points)
        self.stored.update(zip(points.partition.tolist(), points.offset.tolist(), strict=True))
        return written


class CheckingLog(MemoryLog):
    """A log that fails the test if a commit covers records that are not stored; an empty poll takes a moment."""

    def __init__(self, topic: MemoryTopic, store: GatedStore) -> None:
        super().__init__(topic, AT_A_TIME)
        self.read_up_to = 0
        self._store = store

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        polled = super().poll(timeout, paused=paused)
        for records in polled.records.values():
            self.read_up_to = records[-1].offset + 1
        if not polled.records:
            time.sleep(0.0005)
        return polled

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        for number, position in positions.items():
            missing = {(number, offset) for offset in range(position.offset)} - self._store.stored
            assert not missing, f"committed, but not stored: {missing}"
        return super().commit(positions)


class Worker:
    """A worker that owns partition 0 of a log in memory and has not read any records yet."""

    def __init__(self, topic: MemoryTopic, store: GatedStore) -> None:
        self.topic = topic
        self.store = store
        self.log = CheckingLog(topic, store)
        self.log.stop = stop = StopEvent()
        self.under_test = StockAnalyticsEngine(
            load(STACK="embedded"), log=self.log, store=store, stop=stop, out=io.StringIO()
        )

    @contextmanager
    def running(self) -> Iterator[threading.Thread]:
        thread = threading.Thread(target=self.under_test.run)
        thread.start()
        try:
            yield thread
        finally:
            self.store.gate.set()
            self.log.stop.set()
            thread.join(10)
            assert not thread.is_alive()

    def committed(self) -> int:
        found = self.topic.commits.get(0)
        return 0 if found is None else found.offset


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
def topic() -> MemoryTopic:
    return a_topic(4 * AT_A_TIME)


@pytest.fixture
def worker(topic: MemoryTopic, store: GatedStore) -> Worker:
    worker = Worker(topic, store)
    worker.log.give(0)
    return worker


def a_topic(count: int) -> MemoryTopic:
    topic = MemoryTopic(1)
    topic.commits[0] = Commit(0, "")
    for _ in range(count):
        topic.append(0, b"AAPL", body())
    return topic


def with_a_batch_in_flight(worker: Worker) -> None:
    """Let the worker take the partition and pass its first batch to a store that does not answer yet."""
    worker.store.gate.clear()
    worker.under_test.turn()
    worker.under_test.turn()
    until(lambda: worker.store.begun == [[0, 1, 2]])


def test_while_a_batch_is_written_only_the_next_one_is_read(worker: Worker) -> None:
    worker.store.gate.clear()
    with worker.running():
        until(lambda: worker.log.read_up_to == 2 * AT_A_TIME)
        time.sleep(0.05)
        assert worker.log.read_up_to == 2 * AT_A_TIME
        assert worker.store.begun == [[0, 1, 2]]
        assert worker.committed() == 0
        worker.store.gate.set()
        until(lambda: worker.committed() == 4 * AT_A_TIME)
    assert worker.store.begun == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_the_next_write_begins_while_the_batch_before_is_committed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_batch_in_flight(worker)
    commit = worker.log.commit

    def once_the_next_is_being_written(positions: Mapping[int, Position]) -> frozenset[int]:
        until(lambda: worker.store.begun == [[0, 1, 2], [3, 4, 5]])
        return commit(positions)

    monkeypatch.setattr(worker.log, "commit", once_the_next_is_being_written)
    worker.store.gate.set()
    worker.under_test.turn()
    assert worker.committed() == AT_A_TIME


def test_a_batch_without_a_backlog_is_stored_and_committed_at_once(worker: Worker) -> None:
    worker.topic.entries[0] = worker.topic.entries[0][:AT_A_TIME]
    worker.topic.ends[0] = AT_A_TIME
    worker.under_test.turn()
    worker.under_test.turn()
    assert worker.committed() == AT_A_TIME


def test_a_stop_while_a_batch_is_written_waits_for_it_and_commits_all_that_was_read(worker: Worker) -> None:
    worker.store.gate.clear()
    with worker.running() as thread:
        until(lambda: worker.log.read_up_to == 2 * AT_A_TIME)
        worker.log.stop.set()
        time.sleep(0.05)
        assert thread.is_alive()
        worker.store.gate.set()
        thread.join(10)
        assert worker.committed() == 2 * AT_A_TIME
    assert worker.under_test.counters.discrepancies() == {}


def test_a_stop_while_the_store_refuses_what_was_in_flight_commits_nothing(worker: Worker) -> None:
    worker.store.gate.clear()
    worker.store.failures = 10**9
    with worker.running() as thread:
        until(lambda: worker.log.read_up_to == 2 * AT_A_TIME)
        worker.log.stop.set()
        worker.store.gate.set()
        thread.join(10)
        assert (worker.committed(), worker.store.stored) == (0, set())


def test_a_write_that_fails_in_flight_is_tried_again_before_the_next_batch(worker: Worker) -> None:
    with_a_batch_in_flight(worker)
    worker.store.failures = 2
    worker.store.gate.set()
    worker.under_test.turn()
    until(lambda: len(worker.store.begun) == 4)
    assert worker.store.begun == [[0, 1, 2]] * 3 + [[3, 4, 5]]
    assert worker.committed() == AT_A_TIME
    assert worker.under_test.status().held_up_by == ""


def test_while_a_batch_in_flight_fails_the_worker_reports_the_reason(worker: Worker) -> None:
    worker.store.failures = 10**9
    with worker.running():
        until(lambda: worker.under_test.status().held_up_by == "as the test asked")
        worker.store.failures = 0
        until(lambda: worker.committed() == 4 * AT_A_TIME)
        assert worker.under_test.status().held_up_by == ""


def test_a_batch_in_flight_whose_partition_leaves_is_committed_by_its_next_owner_only(worker: Worker) -> None:
    second = Worker(worker.topic, worker.store)
    with_a_batch_in_flight(worker)
    worker.log.take(0)
    second.log.give(0)
    worker.store.gate.set()
    for _ in range(3):
        worker.under_test.turn()
    assert worker.committed() == 0
    for _ in range(6):
        second.under_test.turn()
    assert second.committed() == 4 * AT_A_TIME
    assert [each.under_test.counters.total.accepted for each in (worker, second)] == [0, 4 * AT_A_TIME]
    assert [each.under_test.counters.discrepancies() for each in (worker, second)] == [{}, {}]


def test_a_partition_that_comes_back_while_its_batch_is_in_flight_is_read_again_from_the_commit(worker: Worker) -> None:
    with_a_batch_in_flight(worker)
    worker.log.take(0)
    worker.log.give(0)
    worker.store.gate.set()
    for _ in range(6):
        worker.under_test.turn()
    assert worker.store.begun[:2] == [[0, 1, 2], [0, 1, 2]]
    assert worker.committed() == 4 * AT_A_TIME
    assert worker.under_test.counters.total.accepted == 4 * AT_A_TIME
    assert worker.under_test.counters.discrepancies() == {}


def test_a_batch_in_flight_is_not_committed_on_a_recreated_topic(worker: Worker) -> None:
    with_a_batch_in_flight(worker)
    worker.topic.entries[0].clear()
    worker.topic.ends[0] = 0
    worker.store.gate.set()
    worker.under_test.turn()
    assert worker.committed() == 0
    worker.topic.append(0, b"AAPL", body())
    worker.under_test.turn()
    assert worker.committed() == 1
    assert worker.under_test.counters.discrepancies() == {}


turns = st.lists(st.sampled_from(["turn", "append", "fail", "commit_fails", "commit_refused", "back"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(turns)
def test_despite_failures_records_are_committed_once_and_only_after_they_are_stored(history: list[str]) -> None:
    topic, store = a_topic(2 * AT_A_TIME), GatedStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    for event in [*history, *["turn"] * (len(history) + 6)]:
        match event:
            case "turn":
                worker.under_test.turn()
                assert worker.under_test.counters.discrepancies() == {}
            case "append":
                topic.append(0, b"AAPL", body())
            case "fail":
                store.failures += 1
            case "back":
                worker.log.take(0)
                worker.log.give(0)
            case trouble:
                worker.log.troubles.append(trouble)
    for _ in range(10):
        worker.log.troubles.clear()
        worker.under_test.turn()
    assert worker.committed() == topic.ends[0]
    assert worker.under_test.counters.total.accepted == topic.ends[0]
