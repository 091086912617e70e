"""If a rebalance returns a partition to its worker, the windows continue unless someone else committed in between."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stock_analytics
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.loaded_settings import load
from tests.memory_log import MemoryLog, MemoryTopic
from tests.records import body
from tickflow.process import StopEvent
from tickflow.ticklog.base import Commit
from tickflow.worker import assignments


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)


class SeekingLog(MemoryLog):
    """A log that records the offsets to which its reader seeks."""

    def __init__(self, topic: MemoryTopic) -> None:
        super().__init__(topic)
        self.sought: list[int] = []

    def seek(self, partition: int, offset: int) -> None:
        self.sought.append(offset)
        super().seek(partition, offset)


class Worker:
    """A worker on a log in memory, advanced step by step."""

    def __init__(self, topic: MemoryTopic, store: MemoryStore) -> None:
        self.log = SeekingLog(topic)
        self.under_test = StockAnalyticsEngine(
            load(STACK="embedded"), log=self.log, store=store, stop=StopEvent(), out=io.StringIO()
        )

    def read(self, times: int = 1) -> None:
        for _ in range(times):
            self.under_test.turn()

    def rebalance(self) -> None:
        """Take the partition and give it back within one poll."""
        self.log.take(0)
        self.log.give(0)


def append(topic: MemoryTopic, count: int) -> None:
    for _ in range(count):
        number = topic.ends[0]
        time = f"2026-01-05T14:{number // 60 % 60:02}:{number % 60:02}Z"
        topic.append(0, b"AAPL", body(price=100 + number * number % 17, timestamp=time, volume=number % 7))


def rows(store: MemoryStore) -> list[object]:
    return list(store.newest("AAPL", 10_000).rows())


def alone(topic: MemoryTopic) -> list[object]:
    """The points that a single undisturbed worker stores."""
    store, untouched = MemoryStore(), MemoryTopic(1)
    untouched.entries, untouched.ends = topic.entries, topic.ends
    worker = Worker(untouched, store)
    worker.log.give(0)
    worker.read(len(topic.entries[0]) + 2)
    return rows(store)


def test_a_partition_that_returns_at_its_own_commit_is_not_read_again() -> None:
    topic, store = MemoryTopic(1), MemoryStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    append(topic, 30)
    worker.read(12)
    worker.rebalance()
    append(topic, 30)
    worker.read(12)
    assert worker.log.sought == [0, 30]
    assert repr(rows(store)) == repr(alone(topic))
    assert worker.under_test.counters.discrepancies() == {}


def test_after_another_worker_the_windows_are_restored() -> None:
    topic, store = MemoryTopic(1), MemoryStore()
    first, second = Worker(topic, store), Worker(topic, store)
    first.log.give(0)
    append(topic, 30)
    first.read(12)
    first.log.take(0)
    first.read()
    append(topic, 30)
    second.log.give(0)
    second.read(20)
    second.log.take(0)
    second.read()
    first.log.give(0)
    append(topic, 5)
    first.read(20)
    assert first.log.sought[0] == 0
    assert first.log.sought[1] < 60, "records before the commit fill the windows"
    assert repr(rows(store)) == repr(alone(topic))


@pytest.mark.parametrize("committed", [False, True], ids=["a new group", "after another worker"])
def test_a_foreign_commit_before_the_first_own_one_is_ignored(committed: bool) -> None:
    """A worker that has a partition but has not committed yet begins again where it began."""
    topic, store = MemoryTopic(1), MemoryStore()
    append(topic, 30)
    if committed:
        earlier = Worker(topic, store)
        earlier.log.give(0)
        earlier.read(12)
        append(topic, 30)
    worker = Worker(topic, store)
    worker.log.give(0)
    worker.log.troubles.append("commit_fails")
    worker.read()
    assert worker.log.sought
    for _ in range(2):  # the second time the worker has only the place that it began at again
        worker.log.take(0)
        worker.log.troubles.append("commit_fails")
        worker.read()
        topic.commits[0] = Commit(topic.ends[0], "")
        worker.log.give(0)
        worker.log.troubles.append("commit_fails")
        worker.read()
    worker.log.troubles.clear()
    worker.read(40)
    assert repr(rows(store)) == repr(alone(topic))
    assert worker.under_test.counters.discrepancies() == {}


def test_a_worker_that_followed_a_foreign_commit_keeps_its_place() -> None:
    topic, store = MemoryTopic(1), MemoryStore()
    append(topic, 30)
    topic.commits[0] = Commit(10, "")
    worker = Worker(topic, store)
    worker.log.give(0)
    worker.log.troubles.append("commit_fails")
    worker.read()
    worker.log.take(0)
    worker.read()
    topic.commits[0] = Commit(25, "")
    worker.log.give(0)
    worker.read(20)
    assert len(rows(store)) == 20, "the ticks from offset 10 on"


def test_a_batch_whose_commit_failed_is_read_again() -> None:
    topic, store = MemoryTopic(1), MemoryStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    append(topic, 3)
    worker.read(3)
    worker.log.troubles.append("commit_fails")
    append(topic, 3)
    worker.read()
    worker.rebalance()
    worker.read(4)
    assert worker.log.sought[1] < 6
    assert repr(rows(store)) == repr(alone(topic))


def test_state_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "SET_ASIDE_SECONDS", 0.0)
    topic, store = MemoryTopic(1), MemoryStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    append(topic, 30)
    worker.read(12)
    worker.log.take(0)
    worker.read(2)
    worker.log.give(0)
    worker.read(12)
    assert worker.log.sought[1] < 30


EVENTS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 8)),
    st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 6)),
    st.tuples(st.just("move"), st.integers(0, 1)),
    st.tuples(st.just("rebalance")),
    st.tuples(st.just("rebalance after all is read")),
    st.tuples(st.just("rebalance after all is read")),
    st.tuples(
        st.just("trouble"), st.integers(0, 1), st.sampled_from(["commit_fails", "commit_refused", "commit_unsure"])
    ),
)


def test_revoked_and_returned_partitions_give_the_points_of_an_undisturbed_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone_on: list[int] = []
    go_on = assignments.Assignments._go_on

    def noted(self: assignments.Assignments, partition: int, epoch: int, before: assignments.SetAside) -> None:
        gone_on.append(before.assigned.read_up_to)
        go_on(self, partition, epoch, before)

    monkeypatch.setattr(assignments.Assignments, "_go_on", noted)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(EVENTS, min_size=8, max_size=25))
    def check(history: list[tuple[object, ...]]) -> None:
        topic, store = MemoryTopic(1), MemoryStore()
        workers = [Worker(topic, store), Worker(topic, store)]
        owner = 0
        workers[0].log.give(0)
        for kind, *given_ in history:
            if kind == "append":
                append(topic, int(str(given_[0])))
            elif kind == "read":
                workers[int(str(given_[0]))].read(int(str(given_[1])))
            elif kind == "move":
                workers[owner].log.take(0)
                workers[owner].read()  # a group moves a partition only after its owner has noticed the loss
                owner = int(str(given_[0]))
                workers[owner].log.give(0)
            elif str(kind).startswith("rebalance"):
                workers[owner].read(12 if kind != "rebalance" else 0)
                workers[owner].rebalance()
            else:
                workers[int(str(given_[0]))].log.troubles.append(str(given_[1]))
        for each in workers:
            each.log.troubles.clear()
        workers[owner].read(topic.ends[0] + 4)
        assert repr(rows(store)) == repr(alone(topic))

    check()
    assert sum(offset > 0 for offset in gone_on) >= 20, "too few histories in which windows went on"
