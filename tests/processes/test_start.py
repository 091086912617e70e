"""A script starts quickly: help and refusals at once, work soon after; in CPU seconds, as in `make bench`."""

import signal
from pathlib import Path

import pytest

from benchmarks.start import ANSWER_SECONDS, BAD, READY_SECONDS, SAYS_WHEN_READY, cpu_seconds, cpu_seconds_until_ready
from devtools.process import free_port
from tests.conftest import StartScript
from tickflow.version import VERSION


@pytest.mark.parametrize("script", SAYS_WHEN_READY)
def test_help_and_a_refusal_take_no_half_second_of_cpu(script: str) -> None:
    assert cpu_seconds(script, {}, "--help", enough=ANSWER_SECONDS) < ANSWER_SECONDS
    assert cpu_seconds(script, BAD, enough=ANSWER_SECONDS) < ANSWER_SECONDS


@pytest.mark.parametrize("script", ["stock_analytics.py", "stock_dashboard.py"])
def test_a_missing_token_is_refused_as_quickly(script: str) -> None:
    assert cpu_seconds(script, {}, enough=ANSWER_SECONDS) < ANSWER_SECONDS


@pytest.mark.parametrize("script", SAYS_WHEN_READY)
def test_a_script_is_ready_within_one_and_a_half_seconds_of_cpu(script: str, tmp_path: Path) -> None:
    environment = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db")}
    assert cpu_seconds_until_ready(script, environment, tmp_path, enough=READY_SECONDS) < READY_SECONDS


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
