"""Faults that only the embedded stack can have: a full disk, a frozen worker, repeated SIGTERMs."""

import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartScript
from tests.faults.case import often
from tests.faults.conftest import MakeCase
from tests.faults.stands import EmbeddedStand

DISK_BYTES = 24 * 2**20
ENOUGH_TO_SPEAK = 65_536
"""The largest file that the worker may write, in bytes: less than the database, but more than the worker's output, to
which the limit applies too.
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB; the test is skipped if this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until its disk is full; return the file."""
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="space"), ballast.open("wb", buffering=0) as file:  # noqa: PT012
        while True:
            file.write(b"x" * 65_536)
    return ballast


def test_the_disk_is_full(case: MakeCase, small_disk: Path) -> None:
    times = often(2, 10)
    one = case("the disk full", EmbeddedStand(small_disk / "stocks.db"))
    one.worker().wait_for("is ours", 30)
    assert one.load.is_alive()
    for number in range(times):
        one.pause(0.5, 1.0)
        ballast = fill(small_disk)
        one.pause(2, 2)
        if number == 0:
            one.relieve(one.workers[0])
            one.pause(1, 1)
        ballast.unlink()
        one.recover()
    one.finish(times)


def test_status_reports_the_full_disk(script: StartScript, small_disk: Path) -> None:
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(small_disk / "stocks.db")}
    fill(small_disk)
    done = script("stock_analytics.py", "status", env=env)
    assert done.wait(60) == 1
    assert f"the disk of the file {small_disk / 'stocks.db'} (EMBEDDED_FILE) has 0.0 MB left: free" in done.stdout


@pytest.mark.full
def test_the_file_may_not_grow(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    """Only the worker gets a limit (RLIMIT_FSIZE), while the load continues; later the limit is lifted."""
    times = often(1, 10)
    one = case("the worker may not write more to the file", embedded_stand)
    worker = one.worker()
    worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    for number in range(times):
        one.pause(0.5, 1.0)
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (ENOUGH_TO_SPEAK, resource.RLIM_INFINITY))
        worker.wait_for("held up", 20)
        one.pause(1, 1)
        if number == times - 1:
            one.relieve(worker)  # a new process has no limit
        else:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, unlimited)
        one.recover()
    one.finish(times)


@pytest.mark.full
def test_a_frozen_worker_keeps_its_turn(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    times, seconds = often(1, 5), often(2, 5)
    one = case(f"SIGSTOP for {seconds} s of the first of two workers", embedded_stand)
    first = one.worker()
    first.wait_for("is ours", 30)
    second = one.worker()
    assert one.load.is_alive()
    for _ in range(times):
        one.pause(0.5, 1.5)
        first.process.send_signal(signal.SIGSTOP)
        one.pause(seconds, seconds)
        assert "waiting until it ends" in second.output
        second = one.relieve(second)
        first.process.send_signal(signal.SIGCONT)
        one.recover()
    one.finish(times)


@pytest.mark.full
def test_one_sigterm_after_the_other(case: MakeCase, embedded_stand: EmbeddedStand) -> None:
    times = often(3, 30)
    one = case("SIGTERM at random moments", embedded_stand)
    worker = one.worker()
    assert one.load.is_alive()
    for _ in range(times):
        one.pause(0.1, 1.5)
        worker = one.relieve(worker)
    one.recover()
    one.finish(times)
