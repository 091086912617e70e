"""Mutation testing by mutmut: changes each function in small ways, and shows which changes no test notices.

    python -m devtools.mutants            all modules of `OWN_TESTS`, about an hour on two cores
    python -m devtools.mutants NAME ...   only these modules, such as `tickflow.metrics.formulas`
    python -m devtools.mutants --sample   some mutants of two modules, in seconds: `make check` runs them

Only a module's own unit tests run against its mutants. Prints for each module the share of mutants that they catch, and
each survivor; `python -m mutmut show NAME` shows what was changed. Exit code 1 if the share of any module is below the
target, or if a mutant of the sample survives that docs/mutants.md does not list.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

PROJECT = Path(__file__).parent.parent
WANTED = 0.95
SURVIVED, NOT_RUN = 0, None
NO_TESTS = (5, 33)

_TICKS = ("tests/ticks/test_tick.py", "tests/ticks/test_bad_input.py")
_METRICS = ("tests/metrics/test_formulas.py", "tests/metrics/test_windows.py", "tests/metrics/test_golden.py")
OWN_TESTS: Mapping[str, Sequence[str]] = {
    "tickflow.ticks.tick": _TICKS,
    "tickflow.ticks.reasons": _TICKS,
    "tickflow.ticks.probe": ("tests/ticks/test_probe.py",),
    "tickflow.ticks.names": ("tests/ticks/test_names.py",),
    "tickflow.ticks.cures": ("tests/ticks/test_cures.py",),
    "tickflow.metrics.windows": _METRICS,
    "tickflow.metrics.formulas": _METRICS,
    "tickflow.metrics.measures": _METRICS,
    "tickflow.metrics.points": ("tests/metrics/test_points.py",),
    "tickflow.metrics.detectors.bad_print": ("tests/metrics/detectors/test_bad_print.py",),
    "tickflow.metrics.detectors.logarithm": ("tests/metrics/detectors/test_logarithm.py",),
    "tickflow.metrics.detectors.move": ("tests/metrics/detectors/test_move.py",),
    "tickflow.metrics.detectors.seconds": ("tests/metrics/detectors/test_seconds.py",),
    "tickflow.metrics.detectors.silence": (
        *("tests/metrics/detectors/test_silence.py", "tests/metrics/detectors/test_silence_session.py"),
    ),
    "tickflow.metrics.detectors.volatility": ("tests/metrics/detectors/test_volatility.py",),
    "tickflow.metrics.detectors.volume": ("tests/metrics/detectors/test_volume.py",),
    "tickflow.metrics.detectors.zscore": _METRICS,
    "tickflow.worker.restore": ("tests/worker/test_restore.py",),
    "tickflow.worker.counters": ("tests/worker/test_counters.py",),
    "tickflow.store.influx.lines": ("tests/store/influx/test_lines.py",),
    "tickflow.store.digest": ("tests/store/test_digest.py",),
}
"""The unit tests of each module; its doctests run too."""

SAMPLE = ("tickflow.metrics.formulas.*[37]", "tickflow.metrics.detectors.zscore.*")
"""The names of the mutants that `make check` tries, as patterns; in the formulas, only numbers ending in 3 or 7."""
SAMPLE_TESTS = (
    "tests/metrics/test_golden.py",
    "tests/metrics/test_formulas.py::test_a_score_equal_to_the_threshold_is_not_an_anomaly",
)
"""The fastest tests that, with the doctests, catch every mutant of the sample."""


def path_of(module: str) -> str:
    """The file of a module, from the project's folder.

    >>> path_of("tickflow.store.digest")
    'tickflow/store/digest.py'
    """
    return f"{module.replace('.', '/')}.py"


def results(module: str) -> dict[str, int | None]:
    """The exit code of the tests of each mutant of a module, by the mutant's name."""
    file = PROJECT / "mutants" / f"{path_of(module)}.meta"
    codes: dict[str, int | None] = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def table(module: str, codes: Mapping[str, int | None]) -> tuple[list[str], float]:
    """A line for the module, then one line per survivor; and the share of mutants that were caught."""
    run = {name: code for name, code in codes.items() if code is not NOT_RUN}
    survivors = [name for name, code in run.items() if code == SURVIVED or code in NO_TESTS]
    share = 1 - len(survivors) / len(run)
    lines = [f"{module}: {len(run) - len(survivors)} of {len(run)} mutants caught, {share:.1%}"]
    lines += [f"    {name}{'  (no test reaches it)' if run[name] in NO_TESTS else ''}" for name in survivors]
    return lines, share


def module_of(name: str) -> str:
    """The module of a mutant, or of a pattern of names.

    >>> module_of("tickflow.metrics.formulas.*[37]"), module_of("tickflow.store.digest.x_digest__mutmut_3")
    ('tickflow.metrics.formulas', 'tickflow.store.digest')
    """
    return name.rpartition(".")[0]


def run(tests: Sequence[str], names: Sequence[str], *, quietly: bool = False) -> int:
    """Run mutmut in a separate process over the mutants that the names or patterns select; return its exit code.

    Its output is shown; with `quietly`, only if it fails.
    """
    command = [sys.executable, "-c", _IN_ITS_OWN_PROCESS, json.dumps([list(tests), list(names)])]
    output = subprocess.PIPE if quietly else None
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | _FEW_PLUGINS, stdout=output, stderr=subprocess.STDOUT, check=False
    )
    if quietly and done.returncode:
        sys.stdout.buffer.write(done.stdout)
    return done.returncode


# pytest starts once per mutant: loading the plugins that these tests do not need would take half of the time.
_FEW_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "_hypothesis_pytestplugin,pytest_timeout"}
_IN_ITS_OWN_PROCESS = "import json, sys; from devtools import mutants; mutants.run_here(*json.loads(sys.argv[1]))"


def run_here(tests: Sequence[str], names: Sequence[str]) -> None:
    """Run mutmut in this process; mutmut ends the process."""
    from mutmut.__main__ import cli
    from mutmut.configuration import config

    files = sorted({path_of(module_of(name)) for name in names})
    # These files may be left from a run over other modules.
    for stale in ("mutmut-stats.json", *files):
        (PROJECT / "mutants" / stale).unlink(missing_ok=True)
    settings = config()
    settings.only_mutate = files
    settings.pytest_add_cli_args_test_selection = [*tests, *files]
    cli.main(["run", *names])


def unexplained(module: str, codes: Mapping[str, int | None], patterns: Sequence[str], text: str) -> list[str]:
    """The mutants that match a pattern, were not caught, and are not named in `text`.

    >>> codes = {"tickflow.a.x_f__mutmut_1": 1, "tickflow.a.x_f__mutmut_2": 0, "tickflow.a.x_f__mutmut_3": 0}
    >>> unexplained("tickflow.a", codes, ["tickflow.a.*"], "x_f__mutmut_3: of no effect")
    ['tickflow.a.x_f__mutmut_2']
    """
    chosen = {name: code for name, code in codes.items() if any(fnmatchcase(name, each) for each in patterns)}
    survivors = [name for name, code in chosen.items() if code in (SURVIVED, NOT_RUN, *NO_TESTS)]
    return [name for name in survivors if not re.search(rf"\b{re.escape(name.removeprefix(f'{module}.'))}\b", text)]


def run_sample() -> int:
    """Run the sample; return 1 if a mutant survives that docs/mutants.md does not explain."""
    folder = PROJECT / "mutants"
    was_there = folder.exists()
    done = run(SAMPLE_TESTS, SAMPLE, quietly=True)
    if done:
        return done
    text = (PROJECT / "docs" / "mutants.md").read_text(encoding="utf-8")
    found = []
    for module in sorted({module_of(pattern) for pattern in SAMPLE}):
        found += unexplained(module, results(module), SAMPLE, text)
    if found:
        print(
            "These mutants survive: the tests no longer catch what they caught before (`python -m mutmut show NAME`)."
        )
        print("\n".join(f"    {name}" for name in found))
        return 1
    if not was_there:
        shutil.rmtree(folder)
    print("The tests catch every mutant of the sample.")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run mutmut over the modules, print the table, and return the exit code."""
    if list(arguments) == ["--sample"]:
        return run_sample()
    good = True
    for module in arguments or OWN_TESTS:
        done = run(OWN_TESTS[module], [f"{module}.*"])
        if done:
            return done
        lines, share = table(module, results(module))
        print("\n".join(lines), flush=True)
        good &= share >= WANTED
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
