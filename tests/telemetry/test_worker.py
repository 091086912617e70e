"""The lag of a worker whose loop is busy: the ends of the log are looked up for it."""

import threading
import time

import pytest
from prometheus_client import generate_latest

from tickflow.telemetry import worker
from tickflow.telemetry.lag import Stretch
from tickflow.telemetry.worker import Snapshot, WorkerTelemetry, follow_lag

NOW_MS = 1_000_000


class Once(threading.Event):
    """Lets a loop that waits for it run once."""

    def wait(self, timeout: float | None = None) -> bool:
        was_set = self.is_set()
        self.set()
        return was_set


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> WorkerTelemetry:
    """Of a loop that has committed 10 records a second ago, and is busy since."""
    found = WorkerTelemetry("w", "1", lambda: NOW_MS * 1_000_000)
    found.lag.follow({0: ("assignment", 10)})
    found.lag.commit(0, 10, NOW_MS - 1_000)
    found.publish(Snapshot(committed={0: 10}, ends={0: 10}))
    assert found.unwatched == [], "its figures are fresh"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + worker.SNAPSHOT_SECONDS + worker.OVERDUE_SECONDS)
    return found


def test_the_lag_of_a_busy_loop_grows(telemetry: WorkerTelemetry) -> None:
    asked: list[tuple[int, int]] = []

    def append_ms(partition: int, offset: int) -> int:
        asked.append((partition, offset))
        return NOW_MS - 400

    assert telemetry.unwatched == [0]
    assert (telemetry.lag_records(), telemetry.lag_seconds()) == ({0: 0}, {0: 0.0})
    follow_lag(telemetry, lambda _: 25, append_ms, Once())
    assert asked == [(0, 10)]
    assert (telemetry.lag_records(), telemetry.lag_seconds()) == ({0: 15}, {0: 0.4})
    assert b'tickflow_end_offset{partition="0"} 25.0' in generate_latest(telemetry.registry)
    telemetry.publish(Snapshot(committed={0: 25}, ends={0: 25}))
    telemetry.lag.commit(0, 25, NOW_MS)
    assert (telemetry.lag_records(), telemetry.lag_seconds()) == ({0: 0}, {0: 0.0})


def test_a_batch_in_flight_is_older_than_what_is_unread(telemetry: WorkerTelemetry) -> None:
    telemetry.lag.read(0, Stretch(NOW_MS - 900, 20))
    follow_lag(telemetry, lambda _: 25, lambda *_: pytest.fail("nothing has to be looked up"), Once())
    assert (telemetry.lag_records(), telemetry.lag_seconds()) == ({0: 15}, {0: 0.9})


def test_an_end_that_is_not_known_changes_nothing(telemetry: WorkerTelemetry) -> None:
    follow_lag(telemetry, lambda _: None, lambda *_: None, Once())
    assert telemetry.lag_records() == {0: 0}
