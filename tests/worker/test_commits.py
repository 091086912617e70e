"""How long stored positions wait for their commit."""

import io

import pytest

import stock_analytics
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.loaded_settings import load
from tests.memory_log import MemoryLog, MemoryTopic
from tests.records import body
from tickflow.process import StopEvent


class CountingLog(MemoryLog):
    """A log that counts its commits, and whose rebalance the test announces."""

    commits = 0
    is_rebalancing = False

    def commit(self, *arguments: object) -> frozenset[int]:
        self.commits += 1
        return super().commit(*arguments)  # type: ignore[arg-type]


class Worker:
    """A worker that has just committed its first tick; its next commit is a long time away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)
        monkeypatch.setattr(stock_analytics, "COMMIT_SECONDS", 900.0)
        self.topic, self.store = MemoryTopic(1), MemoryStore()
        self.log = CountingLog(self.topic)
        self.under_test = StockAnalyticsEngine(
            load(STACK="embedded"), log=self.log, store=self.store, stop=StopEvent(), out=io.StringIO()
        )
        self.log.give(0)
        self.under_test.turn()
        self.take(body())

    def take(self, *values: bytes) -> None:
        """Let the worker read each value in a turn of its own."""
        for value in values:
            self.topic.append(0, b"AAPL", value)
            self.under_test.turn()

    @property
    def committed(self) -> int:
        return self.topic.commits[0].offset

    @property
    def stored(self) -> int:
        return len(list(self.store.newest("AAPL", 100).rows()))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch)


def test_the_first_batch_is_committed_at_once_and_later_ones_together(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (worker.committed, worker.log.commits) == (1, 1)
    worker.take(body(volume=2), body(volume=3), body(volume=4))
    assert (worker.stored, worker.committed, worker.log.commits) == (4, 1, 1)
    assert worker.under_test.counters.total.accepted == 1
    monkeypatch.setattr(stock_analytics, "COMMIT_SECONDS", 0.0)
    worker.under_test.turn()  # without a record
    assert (worker.committed, worker.log.commits) == (4, 2)
    assert worker.under_test.counters.total.accepted == 4


def test_a_refused_record_is_committed_at_once(worker: Worker) -> None:
    worker.take(body(volume=2), b"nonsense")
    assert (worker.committed, len(worker.topic.letters)) == (3, 1)


def test_before_a_rebalance_all_is_committed(worker: Worker) -> None:
    worker.take(body(volume=2))
    worker.log.is_rebalancing = True
    worker.under_test.turn()
    assert worker.committed == 2


def test_a_stop_commits_what_waits(worker: Worker) -> None:
    worker.take(body(volume=2))
    worker.under_test.stop.set()
    worker.under_test.run()
    assert worker.committed == 2


def test_what_a_rebalance_takes_uncommitted_is_read_again_and_counted_once(worker: Worker) -> None:
    worker.take(body(volume=2), body(volume=3))
    worker.log.take(0)
    worker.log.give(0)
    worker.take(body(volume=4))
    for _ in range(3):
        worker.under_test.turn()
    worker.under_test.stop.set()
    worker.under_test.run()
    assert (worker.committed, worker.stored) == (4, 4)
    assert worker.under_test.counters.total.accepted == 4
    assert worker.under_test.counters.discrepancies() == {}
