"""Mutation testing: every module has its own tests, and docs/mutants.md has its figure."""

import re

import pytest

from devtools.mutants import OWN_TESTS, SAMPLE, WANTED, module_of, path_of, table
from tests.scripts import PROJECT

TEXT = (PROJECT / "docs" / "mutants.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", OWN_TESTS)
def test_each_module_and_its_tests_exist_and_its_figure_is_written_down(module: str) -> None:
    assert (PROJECT / path_of(module)).is_file()
    assert [path for path in OWN_TESTS[module] if not (PROJECT / path).exists()] == []
    assert re.search(rf"^\| `{re.escape(module)}` \| [\d,]+ \| [\d.]+ % \|", TEXT, re.MULTILINE)


def test_every_detector_and_every_module_of_ticks_takes_part() -> None:
    for folder in ("ticks", "metrics/detectors"):
        files = {path.stem for path in (PROJECT / "tickflow" / folder).glob("*.py")} - {"__init__", "names"}
        assert files <= {module.rpartition(".")[2] for module in OWN_TESTS}


def test_the_sample_is_of_those_modules() -> None:
    assert {module_of(pattern) for pattern in SAMPLE} <= set(OWN_TESTS)


def test_a_mutant_that_no_test_reaches_counts_as_not_caught() -> None:
    codes = {"m.a": 1, "m.b": 0, "m.c": 33, "m.d": -24, "m.e": None}
    lines, share = table("m", codes)
    assert (lines[0], share) == ("m: 2 of 4 mutants caught, 50.0%", 0.5)
    assert lines[1:] == ["    m.b", "    m.c  (no test reaches it)"]
    assert share < WANTED
