"""The worker's loop, with a scripted log and a failing store, skips no record and stops when asked to."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

import stock_analytics
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.loaded_settings import load
from tests.scripts import PROJECT
from tickflow.errors import LogUnavailable, Stopped, StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.process import StopEvent
from tickflow.store.base import WorkerStatus, Written
from tickflow.ticklog.base import Bounds, Commit, Entry, GroupView, Headers, Polled, Position, Receipt, Record, TickLog
from tickflow.worker.restore import to_metadata


def ticks(partition: int, *offsets: int) -> dict[int, list[Entry]]:
    symbol = f"S{partition}"
    value = b'{"symbol":"%s","price":5,"timestamp":"2026-01-05T14:30:00Z"}' % symbol.encode()
    return {partition: [Entry(partition, offset, symbol.encode(), value, 0, 0) for offset in offsets]}


class ScriptedLog(TickLog):
    """A log that returns the polls in `script`, then asks to stop; `bounds` fails `away[partition]` times first."""

    topic = "stock-ticks"
    where = "the log of this test"
    stop: StopEvent

    def __init__(self, script: list[Polled], away: Mapping[int, int]) -> None:
        self.stop = StopEvent()
        self.commits: dict[int, Position] = {}
        self._script = script
        self._away = dict(away)

    def connect(self, *, create: bool = True, letters: bool = True) -> None:
        pass

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        topic: str | None = None,
        wait: bool = True,
    ) -> None:
        raise AssertionError("no dead letters here")

    def post(self, key: bytes | None, value: bytes | None, headers: Headers, topic: str) -> Receipt:
        raise AssertionError("no dead letters here")

    def flush(self, timeout: float) -> None:
        pass

    @property
    def acknowledged(self) -> int:
        return 0

    def subscribe(self) -> None:
        pass

    def poll(self, timeout: float, *, paused: bool = False) -> Polled:
        if paused:
            return Polled()
        if not self._script:
            self.stop.set()
            return Polled()
        return self._script.pop(0)

    def seek(self, partition: int, offset: int) -> None:
        pass

    def bounds(self, partition: int, topic: str | None = None) -> Bounds:
        if self._away.get(partition, 0) > 0:
            self._away[partition] -= 1
            raise LogUnavailable(f"nobody leads partition {partition}")
        return Bounds(0, 100)

    def partitions(self, topic: str | None = None) -> list[int]:
        raise AssertionError("the worker reads as a member of its group")

    def read(self, partition: int, stretch: Bounds, topic: str | None = None) -> Iterator[Sequence[Record]]:
        raise AssertionError("the worker reads as a member of its group")

    def committed(self, partition: int) -> Commit | None:
        return None

    def commit(self, positions: Mapping[int, Position]) -> frozenset[int]:
        self.commits |= positions
        return frozenset(positions)

    def ends(self) -> dict[int, int]:
        return {}

    def group_view(self) -> GroupView:
        return GroupView("unknown")

    def lag(self) -> dict[int, int]:
        return {}

    def close(self) -> None:
        pass


class FailingStore(MemoryStore):
    """A store in which every write raises `failure`; write number `stop_at` also asks the worker to stop."""

    def __init__(self, stop: StopEvent, failure: StoreUnavailable, stop_at: int) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._answer = failure
        self._engine_stop = stop
        self._stop_at = stop_at

    def write(self, points: Points) -> Written:
        raise self._failed("write")

    def write_status(self, status: WorkerStatus) -> None:
        raise self._failed("status")

    def _failed(self, call: str) -> StoreUnavailable:
        self.calls.append(call)
        if len(self.calls) == self._stop_at:
            self._engine_stop.set()
            time.sleep(0.3)  # as for a frozen store, the call takes longer than the delay before the next attempt
        return self._answer


def worker_of(log: ScriptedLog, store: MemoryStore) -> StockAnalyticsEngine:
    return StockAnalyticsEngine(load(), log=log, store=store, stop=log.stop, out=io.StringIO())


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stock_analytics.POLL_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_records_are_not_skipped_while_another_partition_waits_for_its_position() -> None:
    log = ScriptedLog(
        [
            Polled(assigned={0: 1, 1: 2}),
            Polled(records=ticks(0, 0, 1, 2)),
            Polled(records=ticks(0, 3, 4)),
            Polled(records=ticks(1, 0, 1)),
        ],
        away={1: 3},
    )
    store = MemoryStore()
    worker_of(log, store).run()
    assert store.newest("S0", 10).offset.tolist() == [0, 1, 2, 3, 4]
    assert store.newest("S1", 10).offset.tolist() == [0, 1]
    assert {number: at.offset for number, at in log.commits.items()} == {0: 5, 1: 2}


@pytest.mark.usefixtures("no_pause")
def test_a_partition_without_a_position_does_not_block_the_others() -> None:
    log = ScriptedLog([Polled(assigned={0: 1, 1: 2}), Polled(), Polled(records=ticks(1, 0))], away={0: 1_000_000})
    store = MemoryStore()
    worker_of(log, store).run()
    assert store.newest("S1", 10).offset.tolist() == [0]


@pytest.mark.usefixtures("no_pause")
def test_a_symbol_in_two_partitions_is_counted_once_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    split = [structs.replace(each, partition=1) for each in ticks(0, 0, 1)[0]]
    log = ScriptedLog(
        [
            Polled(assigned={0: 1, 1: 2}),
            Polled(records={**ticks(0, 0), **ticks(1, 0)}),
            Polled(records={1: split}),
            Polled(records={1: [structs.replace(split[0], offset=2)]}),
        ],
        away={},
    )
    worker = worker_of(log, MemoryStore())
    worker.run()
    assert worker.counters.total.split == 1
    (said,) = [line for line in caplog.messages if "more than one partition" in line]
    assert said.startswith("1 symbol has ticks in more than one partition, such as S0 in 0 and 1: ")
    assert "partitioner=murmur2_random" in said


def test_an_idle_worker_resumes_once_the_log_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is due for a commit: a successful commit would also end the wait."""
    log = ScriptedLog([Polled(assigned={0: 1}), Polled(), Polled(), Polled()], away={})
    worker = worker_of(log, MemoryStore())
    worker.poll()
    answer = log.poll

    def away(*_: object, **__: object) -> Polled:
        raise LogUnavailable("no answer")

    monkeypatch.setattr(log, "poll", away)
    monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)
    worker.poll()
    assert worker.holdup.reason == "no answer"
    monkeypatch.setattr(log, "poll", answer)
    worker.poll()
    assert (worker.holdup.reason, worker.holdup.state) == ("", None)


def test_a_stop_during_a_status_report_to_a_frozen_store_is_obeyed() -> None:
    log = ScriptedLog([Polled(assigned={0: 1}), Polled(records=ticks(0, 0))], away={})
    store = FailingStore(log.stop, StoreUnavailable("no answer in time"), stop_at=3)
    worker = worker_of(log, store)
    worker.process(worker.poll())
    batch = worker.process(worker.poll())
    store.calls.append("begun")
    with pytest.raises(Stopped):
        worker.write(batch)
    assert store.calls == ["begun", "write", "status"]


def test_a_store_that_asks_for_a_wait_of_zero_is_not_flooded() -> None:
    log = ScriptedLog([Polled(assigned={0: 1}), Polled(records=ticks(0, 0))], away={})
    store = FailingStore(log.stop, StoreUnavailable("patience", retry_after=0.0), stop_at=6)
    worker = worker_of(log, store)
    worker.process(worker.poll())
    batch = worker.process(worker.poll())
    begun = time.monotonic()
    with pytest.raises(Stopped):
        worker.write(batch)
    assert time.monotonic() - begun > 0.3, "four waits, of 0.05, 0.1, 0.2 and 0.4 s at least"


class CountingStore(MemoryStore):
    """A store that records the time of each write; it refuses the first `patience` with a Retry-After of 0.4 s."""

    def __init__(self, patience: int = 0) -> None:
        super().__init__()
        self.writes: list[float] = []
        self.reported: list[WorkerStatus] = []
        self._patience = patience

    def write(self, points: Points) -> Written:
        self.writes.append(time.monotonic())
        if len(self.writes) <= self._patience:
            raise StoreUnavailable("patience", retry_after=0.4)
        return super().write(points)

    def write_status(self, status: WorkerStatus) -> None:
        self.reported.append(status)


@pytest.mark.usefixtures("no_pause")
def test_a_store_that_asks_for_a_wait_gets_it() -> None:
    log = ScriptedLog([Polled(assigned={0: 1}), Polled(records=ticks(0, 0))], away={})
    store = CountingStore(patience=3)
    worker_of(log, store).run()
    assert [later - earlier >= 0.4 for earlier, later in pairwise(store.writes)] == [True] * 3
    assert log.commits[0].offset == 1


def test_a_worker_without_ticks_still_reports_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickflow.worker.status.STATUS_SECONDS", 0.1)

    class IdleLog(ScriptedLog):
        def poll(self, timeout: float, *, paused: bool = False) -> Polled:
            time.sleep(0.06)
            return super().poll(timeout, paused=paused)

    store = CountingStore()
    worker_of(IdleLog([Polled()] * 10, away={}), store).run()
    times = [status.written_at for status in store.reported]
    assert len(times) >= 4
    assert times == sorted(set(times))
    assert {(status.processed_at, status.held_up_by) for status in store.reported} == {(None, "")}


@pytest.mark.usefixtures("no_pause")
def test_a_restore_logs_its_progress_writes_nothing_and_obeys_a_stop(caplog: pytest.LogCaptureFixture) -> None:
    class CommittedLog(ScriptedLog):
        def committed(self, partition: int) -> Commit | None:
            return Commit(100, to_metadata(100, 10))

    log = CommittedLog([Polled(assigned={0: 1}), Polled(records=ticks(0, *range(10, 40)))], away={})
    store = CountingStore()
    worker_of(log, store).run()
    assert "restoring the windows of partition 0: 30 of 90 records" in caplog.text
    assert store.writes == []
    assert log.commits == {}


def test_it_runs_without_standard_input(tmp_path: Path) -> None:
    command = 'exec "$0" "$1" --embedded <&-'
    worker = subprocess.Popen(
        ["sh", "-c", command, sys.executable, str(PROJECT / "stock_analytics.py")],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stderr is not None
        assert any("reading the topic" in line for line in worker.stderr), "it ended before it read"
        worker.terminate()
        assert "Traceback" not in worker.stderr.read()
    assert worker.returncode == 0
