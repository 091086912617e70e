"""Fuzzes the decoder for four seconds; `make fuzz` does so for ten minutes."""

import importlib.util
import re
import subprocess
import sys

import pytest

from tests import fuzz
from tests.scripts import PROJECT
from tickflow.ticks import tick
from tickflow.ticks.tick import Refused, TickBatch


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason=fuzz.MISSING)
def test_four_seconds_of_fuzzing_break_no_rule_of_the_decoder() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "4"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert executed, done.stderr
    assert int(executed[1]) > 2 * len(fuzz.seeds()), "most of them are mutants"


def test_all_seeds_keep_the_rules() -> None:
    assert len(fuzz.seeds()) > 150
    for seed in fuzz.seeds():
        fuzz.check(seed)


def test_a_broken_decoder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*_arguments: object) -> tuple[TickBatch, list[Refused]]:
        return decode([])

    decode = tick.decode
    monkeypatch.setattr(tick, "decode", forgetful)
    with pytest.raises(AssertionError, match="accepted or refused"):
        fuzz.check(fuzz.seeds()[0])
