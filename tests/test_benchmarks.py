"""A benchmark that is stopped leaves nothing behind: no process and no file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scripts import PROJECT

SECONDS = 60


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for the programs in /proc, which Linux has")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_benchmark(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "benchmarks", "--short", "embedded"]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    benchmark = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while len(started := children_of(benchmark.pid)) < 2:
            assert time.monotonic() < deadline, "worker and producer were never started"
            time.sleep(0.05)
        time.sleep(0.5)  # time for each leash to take effect
    finally:
        benchmark.send_signal(how)
        code = benchmark.wait(SECONDS)
    deadline = time.monotonic() + SECONDS
    while any(map(is_there, started)):
        assert time.monotonic() < deadline, "they still run"
        time.sleep(0.05)
    if how is signal.SIGTERM:
        assert code == 128 + how
        assert not list(tmp_path.iterdir())
