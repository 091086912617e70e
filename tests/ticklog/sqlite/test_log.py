"""Tests of the embedded log beyond the contract: its file, its lock, its retention, several processes."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.ticklogs import DAY, SECONDS, Clock, EmbeddedLogs, at, join, publish, read
from tests.scripts import PROJECT
from tests.waiting import until
from tickflow.errors import LogUnavailable, NotAcknowledged, SettingError, Stopped
from tickflow.ticklog.base import Bounds, Commit
from tickflow.ticklog.sqlite import log as embedded
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

APPEND = """
import sys, threading
from pathlib import Path
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
log = EmbeddedTickLog(Path(sys.argv[1]), topic=sys.argv[2], group="g", retention_days=7, stop=threading.Event())
log.connect()
for number in range(int(sys.argv[4])):
    log.publish(sys.argv[3].encode(), b"%d" % number)
    if number % 50 == 0:
        log.flush(30)
        print(log.acknowledged, flush=True)
log.flush(30)
"""

READ = """
import sys, threading, time
from pathlib import Path
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
log = EmbeddedTickLog(Path(sys.argv[1]), topic=sys.argv[2], group="readers", retention_days=7, stop=threading.Event())
log.connect()
log.subscribe()
while not log.poll(0.2).assigned:
    pass
print("mine", flush=True)
time.sleep(60)
"""


@pytest.fixture
def logs(tmp_path: Path, topic: str) -> Iterator[EmbeddedLogs]:
    logs = EmbeddedLogs(tmp_path / "log.db", topic)
    yield logs
    logs.close()


def run(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )


def test_a_second_worker_of_the_group_waits_for_the_first_and_logs_that(
    logs: EmbeddedLogs, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, other = logs.reader(), logs.reader(), logs.reader(group="others")
    publish(first, b"1")
    epoch = join(first)[0]
    assert second.poll(0.3).assigned == {}
    assert any("another worker of the group readers" in line for line in caplog.messages)
    assert second.commit({0: at(Commit(1, ""), epoch)}) == frozenset()
    second.seek(0, 0)
    assert not second.poll(0.2).records
    assert join(other)

    first.commit({0: at(Commit(1, "by the first"), epoch)})
    first.close()
    join(second)
    assert second.committed(0) == Commit(1, "by the first")


def test_the_lock_of_a_killed_worker_is_free_at_once(logs: EmbeddedLogs, topic: str) -> None:
    logs.open()
    with run(READ, logs.path, topic) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        second = logs.reader()
        assert second.poll(0.5).assigned == {}
        process.kill()
        process.wait()
    started = time.monotonic()
    join(second)
    assert time.monotonic() - started < 5


def test_the_epoch_changes_with_every_assignment(logs: EmbeddedLogs) -> None:
    log = logs.reader()
    first = join(log)[0]
    log.close()
    log.connect()
    second = join(log)[0]
    assert first != second
    assert log.commit({0: at(Commit(0, ""), first)}) == frozenset()


@pytest.mark.parametrize("group", ["a/b", "group with spaces", "ü", ".." * 100, "g" * 200])
def test_any_name_of_a_group_makes_a_lock_file_beside_the_log(logs: EmbeddedLogs, group: str) -> None:
    log = logs.reader(group=group)
    join(log)
    assert logs.reader(group=group).poll(0.1).assigned == {}
    assert {each.parent for each in logs.path.parent.rglob("*.lock")} == {logs.path.parent}


def test_several_processes_append_at_once_without_loss_or_repeat(logs: EmbeddedLogs, topic: str) -> None:
    log = logs.reader()
    join(log)
    log.seek(0, 0)
    processes = [run(APPEND, logs.path, topic, key, 700) for key in ("A", "B", "C")]
    records = read(log, 2_100)
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert [record.offset for record in records] == list(range(2_100))
    for key in (b"A", b"B", b"C"):
        assert [record.value for record in records if record.key == key] == [b"%d" % number for number in range(700)]


def test_ticks_acknowledged_to_a_killed_producer_are_in_the_log(logs: EmbeddedLogs, topic: str) -> None:
    log = logs.open()
    with run(APPEND, logs.path, topic, "A", 1_000_000) as process:
        assert process.stdout is not None
        for _ in range(5):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert log.bounds(0).end >= acknowledged == 201


def test_offsets_are_never_used_again(logs: EmbeddedLogs) -> None:
    log = logs.open()
    publish(log, b"1", b"2", b"3")
    logs.clock.now += 8 * DAY
    log.flush(1)
    assert log.bounds(0) == Bounds(3, 3)
    log.close()
    again = logs.open()
    publish(again, b"4")
    assert again.bounds(0) == Bounds(3, 4)


def test_only_records_older_than_the_retention_are_deleted_including_dead_letters(logs: EmbeddedLogs) -> None:
    log = logs.open()
    for day in range(10):
        log.publish(b"A", b"%d" % day)
        log.publish(b"A", b"%d" % day, topic=log.dead_letter_topic)
        log.flush(1)
        logs.clock.now += DAY
    log.flush(1)
    assert log.bounds(0) == Bounds(3, 10)
    with closing(sqlite3.connect(logs.path)) as database:
        assert database.execute("SELECT count(*) FROM log_records").fetchone() == (14,)


def test_the_file_stays_bounded(logs: EmbeddedLogs) -> None:
    log = logs.open()
    sizes = []
    for _ in range(12):
        for _ in range(2_000):
            log.publish(b"A", b"x" * 500)
        log.flush(SECONDS)
        with closing(sqlite3.connect(logs.path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        sizes.append(logs.path.stat().st_size)
        logs.clock.now += 4 * DAY
    assert max(sizes[4:]) <= 1.1 * max(sizes[:4])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.integers(0, 4_000_000), min_size=1, max_size=20))
def test_the_time_of_a_record_never_goes_back_although_the_clock_does(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    clock = Clock()
    path = tmp_path_factory.mktemp("times") / "log.db"
    log = EmbeddedTickLog(path, topic="t", group="g", retention_days=365, stop=threading.Event(), clock=clock)
    with log:
        log.connect()
        for moment in times:
            clock.now = moment / 4
            publish(log, b"1")
        log.subscribe()
        join(log)
        log.seek(0, 0)
        expected = [max(times[: count + 1]) * 250 for count in range(len(times))]
        assert [record.timestamp for record in read(log, len(times))] == expected


def test_a_locked_file_delays_records_and_loses_none(logs: EmbeddedLogs, caplog: pytest.LogCaptureFixture) -> None:
    log = logs.reader()
    epoch = join(log)[0]
    with closing(sqlite3.connect(logs.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.publish(b"A", b"1")
        with pytest.raises(NotAcknowledged, match=r"1 records .*EMBEDDED_FILE.*locked"):
            log.flush(0.1)
        with pytest.raises(LogUnavailable, match=r"EMBEDDED_FILE.*locked"):
            log.commit({0: at(Commit(0, ""), epoch)})
        log.publish(b"A", b"2")
        assert log.acknowledged == 0
        other.execute("ROLLBACK")
    log.flush(1)
    log.seek(0, 0)
    assert [record.value for record in read(log, 2)] == [b"1", b"2"]


def test_a_full_disk_delays_records_and_loses_none(logs: EmbeddedLogs) -> None:
    log = logs.open()
    publish(log, b"1")
    assert isinstance(log, EmbeddedTickLog)
    database = log._opened()._database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(600):
        log.publish(b"A", b"x" * 500)
    with pytest.raises(NotAcknowledged, match="full") as raised:
        log.flush(0.2)
    assert raised.value.count == 600
    database.execute("PRAGMA max_page_count = 1000000")
    log.flush(1)
    assert log.bounds(0) == Bounds(0, 601)


def test_a_stop_ends_publishing_into_a_full_buffer(logs: EmbeddedLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_BUFFERED_RECORDS", 10)
    log = logs.open()
    with closing(sqlite3.connect(logs.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            log.publish(b"A", b"1")
        threading.Timer(0.3, logs.stop.set).start()
        with pytest.raises(Stopped):
            log.publish(b"A", b"one too many")
    log.flush(1)
    assert log.acknowledged == 10


def test_records_are_written_by_publish_itself_when_many_or_old(logs: EmbeddedLogs) -> None:
    log = logs.open()
    log.publish(b"A", b"1")
    assert log.acknowledged == 0
    time.sleep(0.06)
    log.publish(b"A", b"2")
    assert log.acknowledged == 2
    for _ in range(500):
        log.publish(b"A", b"3")
    assert log.acknowledged == 502


def test_closing_writes_the_buffered_records(logs: EmbeddedLogs) -> None:
    log = logs.open()
    log.publish(b"A", b"1")
    log.close()
    assert logs.open().bounds(0) == Bounds(0, 1)


def test_a_path_that_cannot_be_the_log_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, but long enough to have a header of a hundred bytes " * 3)
    (tmp_path / "short").write_text("short")
    damaged = tmp_path / "damaged.db"
    with EmbeddedTickLog(damaged, topic="t", group="g", retention_days=7, stop=threading.Event()) as log:
        log.connect()
        publish(log, b"1")
    damaged.write_bytes(damaged.read_bytes()[:100] + b"\xff" * 8_000)
    paths = [tmp_path, tmp_path / "file", tmp_path / "short", tmp_path / "file" / "log.db", damaged, tmp_path / "\0"]
    for path in paths:
        log = EmbeddedTickLog(path, topic="t", group="g", retention_days=7, stop=threading.Event())
        with pytest.raises(SettingError, match="EMBEDDED_FILE is ") as raised:
            log.connect()
        assert str(raised.value).count("\n") == 0
    assert (tmp_path / "file").read_text().startswith("not a database")


def test_polls_are_bounded_during_a_long_backlog(logs: EmbeddedLogs) -> None:
    log = logs.reader()
    for _ in range(12):
        log.publish(b"A", b"x" * 3_000_000)
    log.flush(SECONDS)
    publish(log, *[b"1"] * 6_000)
    join(log)
    log.seek(0, 0)
    counts: list[int] = []

    def is_complete() -> bool:
        counts.extend(len(records) for records in log.poll(0.2).records.values())
        return sum(counts) >= 6_012

    until(is_complete, "all records have come")
    assert counts == [6, 6, 5_000, 1_000]
