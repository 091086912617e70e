"""Tests of the fixtures: the trades, and the scripts as processes in a clean environment."""

import csv
import os
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests import trades as trade_files
from tests.conftest import StartScript
from tests.scripts import Script


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that stands in for a script: it prints its environment, then waits to be ended."""
    path = tmp_path / "program.py"
    path.write_text(
        "import os, sys, time\n"
        "print(sorted(os.environ), os.getcwd(), sys.argv[1:], flush=True)\n"
        "print('to stderr', file=sys.stderr)\n"
        "time.sleep(float(sys.argv[1]))\n"
        "sys.exit(3)\n"
    )
    return path


def test_a_script_has_only_path_home_and_what_is_given(
    script: StartScript, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_TOKEN", "of the developer")
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # `make coverage` sets it, and it is passed on
    run = script(str(program), "0", env={"KAFKA_TOPIC": "t"})
    assert run.wait() == 3
    by_python = ["LC_CTYPE"] if sys.platform == "linux" else []  # Python sets LC_CTYPE itself in the C locale (PEP 538)
    assert run.stdout == f"{['HOME', 'KAFKA_TOPIC', *by_python, 'PATH']} {tmp_path} ['0']\n"
    assert run.stderr == "to stderr\n"


def test_a_script_that_runs_on_is_ended_by_the_test(script: StartScript, program: Path) -> None:
    run = script(str(program), "60")
    run.wait_for("to stderr")
    with pytest.raises(AssertionError, match=r"(?s)still ran after 0.1 s.*to stderr"):
        run.wait(0.1)
    run.terminate()
    assert run.wait() == -15


def test_waiting_for_words_that_never_come_ends_with_the_script(script: StartScript, program: Path) -> None:
    run = script(str(program), "0")
    with pytest.raises(AssertionError, match=r"(?s)ended without 'never' .*to stderr"):
        run.wait_for("never")


def test_no_script_outlives_its_test(program: Path, tmp_path: Path) -> None:
    run = Script(str(program), ["60"], cwd=tmp_path, env={}, files=tmp_path / "out")
    assert run.is_running
    run.kill()
    assert not run.is_running
    with pytest.raises(ProcessLookupError):
        os.kill(run.process.pid, 0)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def generated(folder: Path) -> Path:
    path = folder / "generated.csv"
    trade_files.write_generated(path)
    return path


def test_the_trades_have_the_size_and_shape_that_tests_count_on(trades: Path, tmp_path: Path) -> None:
    for path in (trades, generated(tmp_path)):
        found = rows(path)
        times = [datetime.fromisoformat(row["timestamp"]) for row in found]
        assert len(found) == trade_files.ROWS
        assert list(found[0]) == trade_files.COLUMNS.split(",")
        assert times == sorted(times)
        assert set(Counter(row["symbol"] for row in found)) == set(trade_files.SHARES)
        assert all(float(row["price"]) > 0 and int(row["volume"]) > 0 for row in found)
        assert 0.3 < 1 - len(set(times)) / len(times) < 0.6


def test_generated_trades_are_the_same_each_time(tmp_path: Path) -> None:
    first = generated(tmp_path).read_bytes()
    assert generated(tmp_path).read_bytes() == first
