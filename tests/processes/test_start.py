"""A script starts quickly, in CPU seconds: it shows help and refuses settings at once, and is soon ready for work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.start import BAD, SAYS_WHEN_READY, cpu_seconds, cpu_seconds_until_ready
from devtools.process import free_port
from tests.conftest import StartScript
from tickflow.version import VERSION

# Fixed limits in CPU seconds (0.5 and 1.5) failed: the same machine may take 1.5 times as long an hour later. So each
# start is compared with the import of the libraries that the script needs, measured in the same minute.
TO_ANSWER = "import pydantic, numpy, dotenv, msgspec"
MORE_THAN_LIBRARIES = 3.0
"""The maximum CPU time that help or a refusal may take, as a multiple of the time to run `TO_ANSWER`. Measured: 2.0 to
2.5; a third of that is pydantic's work on a hundred settings.
"""
TO_SERVE = "import pandas, dash, dash_mantine_components, dash_ag_grid"


def cpu_of_importing(statement: str) -> float:
    def once() -> float:
        process = subprocess.Popen([sys.executable, "-c", statement])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    return min(once() for _ in range(3))


@pytest.mark.parametrize("script", SAYS_WHEN_READY)
def test_help_and_a_refusal_take_little_more_than_the_libraries_of_the_settings(script: str) -> None:
    limit = MORE_THAN_LIBRARIES * cpu_of_importing(TO_ANSWER)
    assert cpu_seconds(script, {}, "--help", enough=limit) < limit
    assert cpu_seconds(script, BAD, enough=limit) < limit


@pytest.mark.parametrize("script", ["stock_analytics.py", "stock_dashboard.py"])
def test_a_missing_token_is_refused_as_quickly(script: str) -> None:
    limit = MORE_THAN_LIBRARIES * cpu_of_importing(TO_ANSWER)
    assert cpu_seconds(script, {}, enough=limit) < limit


@pytest.mark.parametrize("script", SAYS_WHEN_READY)
def test_a_script_is_ready_with_little_more_cpu_than_its_libraries_take(script: str, tmp_path: Path) -> None:
    limit = 1.5 * cpu_of_importing(TO_SERVE)
    environment = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db")}
    assert cpu_seconds_until_ready(script, environment, tmp_path, enough=limit) < limit


@pytest.mark.parametrize("script_name", ["stock_producer.py", "stock_analytics.py", "stock_dashboard.py"])
def test_each_script_prints_its_version(script: StartScript, script_name: str) -> None:
    shown = script(script_name, "--version")
    assert (shown.wait(), shown.stdout) == (0, f"tickflow {VERSION}\n")


@pytest.mark.parametrize("script_name", ["stock_producer.py", "stock_analytics.py", "stock_dashboard.py"])
def test_a_closed_terminal_ends_a_script_as_sigterm_does(script: StartScript, tmp_path: Path, script_name: str) -> None:
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db"), "DASHBOARD_PORT": str(free_port())}
    running = script(script_name, env=env)
    running.wait_for(
        {"stock_dashboard.py": "The page is at", "stock_analytics.py": "is ours"}.get(script_name, "streaming")
    )
    running.process.send_signal(signal.SIGHUP)
    assert running.wait() == 0, running.output
