"""The CPU that each script needs to show its help, to refuse a setting, and to become ready on both stacks.

CPU rather than elapsed time, since waiting for a broker or a store is not the script's cost. The lowest of three starts
counts, since other work on the machine can only add to a start.
"""

import math
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench import PROJECT, Bench, cpu_of, table

SAYS_WHEN_READY = {
    "stock_producer.py": "streaming ",
    "stock_analytics.py": "reading the topic",
    "stock_dashboard.py": "The page is at ",
}
BAD = {"STACK": "redis"}
ROUNDS = 3


def run(bench: Bench) -> dict[str, Any]:
    embedded = {"STACK": "embedded", "EMBEDDED_FILE": str(bench.folder / "start.db")}
    servers = bench.environment(bench.new_topic(1), bench.new_bucket())
    figures = {}
    for script in SAYS_WHEN_READY:
        figures[script] = {
            "help": cpu_seconds(script, {}, "--help"),
            "bad setting": cpu_seconds(script, BAD),
            "ready, embedded": cpu_seconds_until_ready(script, embedded, bench.folder),
            "ready, servers": cpu_seconds_until_ready(script, servers, bench.folder),
        }
    names = tuple(next(iter(figures.values())))
    rows: list[tuple[str, ...]] = [("CPU seconds", *names)]
    rows += [(script, *(f"{found[name]:.2f}" for name in names)) for script, found in figures.items()]
    print(table(rows))
    slowest = {
        "answer": max(found[name] for found in figures.values() for name in ("help", "bad setting")),
        "ready": max(found[name] for found in figures.values() for name in ("ready, embedded", "ready, servers")),
    }
    return {**figures, "slowest": slowest}


def cpu_seconds(script: str, environment: dict[str, str], *arguments: str, enough: float = 0.0) -> float:
    """The lowest CPU time of several runs of a script that ends by itself; a run below `enough` is the last."""
    least = math.inf
    for _ in range(ROUNDS):
        process = _start(script, environment, arguments, PROJECT / "tests", subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)  # Popen.wait() does not return the CPU time of one process
        process.returncode = os.waitstatus_to_exitcode(status)
        least = min(least, usage.ru_utime + usage.ru_stime)
        if least < enough:
            break
    return round(least, 3)


def cpu_seconds_until_ready(script: str, environment: dict[str, str], folder: Path, enough: float = 0.0) -> float:
    """The lowest CPU time of several starts, up to the log line of readiness; a start below `enough` is the last."""
    least = math.inf
    for _ in range(ROUNDS):
        more = environment | {"PATH": os.environ["PATH"], "DASHBOARD_PORT": str(free_port())}
        with _start(script, more, (), folder, subprocess.PIPE) as process:
            try:
                least = min(least, _cpu_when_said(process, SAYS_WHEN_READY[script]))
            finally:
                process.terminate()
        if least < enough:
            break
    return round(least, 3)


def _start(
    script: str, environment: dict[str, str], arguments: tuple[str, ...], folder: Path, stdout: int
) -> subprocess.Popen[str]:
    program = [sys.executable, str(PROJECT / script), *arguments]
    return subprocess.Popen(program, env=environment, cwd=folder, stdout=stdout, stderr=subprocess.STDOUT, text=True)


def _cpu_when_said(process: subprocess.Popen[str], words: str) -> float:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return cpu_of(process.pid)
    raise RuntimeError(f"{process.args!r} ended before it was ready: {said}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
