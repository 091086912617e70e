"""Mutation testing by mutmut: changes each function in small ways, and tells which changes no test notices.

    python -m devtools.mutants            all modules of `[tool.mutmut]` in pyproject.toml; hours on two cores
    python -m devtools.mutants NAME ...   those modules alone, as in `tickflow.metrics.formulas`

Prints the share of the mutants that the modules' own tests catch, and each survivor; `python -m mutmut show NAME` shows
what was changed. Exit code 1 if the share of any module lies below the wanted one.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parent.parent
WANTED = 0.95
SURVIVED, NOT_RUN = 0, None
NO_TESTS = 33


def results(folder: Path) -> dict[str, dict[str, int | None]]:
    """By module, the exit code of the tests of each of its mutants."""
    found = {}
    for file in sorted(folder.glob("tickflow/**/*.py.meta")):
        module = ".".join(file.relative_to(folder).with_suffix("").with_suffix("").parts)
        found[module] = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def table(found: dict[str, dict[str, int | None]], modules: Sequence[str] = ()) -> tuple[list[str], bool]:
    """A line per module that was run, then its survivors; whether all modules have the wanted share."""
    lines, good = [], True
    for module, codes in found.items():
        run = {name: code for name, code in codes.items() if code is not NOT_RUN}
        if not run or (modules and module not in modules):
            continue
        survivors = [name for name, code in run.items() if code in (SURVIVED, NO_TESTS)]
        share = 1 - len(survivors) / len(run)
        good &= share >= WANTED
        lines.append(f"{module}: {len(run) - len(survivors)} of {len(run)} mutants caught, {share:.1%}")
        lines += [f"    {name}{'  (no test reaches it)' if run[name] == NO_TESTS else ''}" for name in survivors]
    return lines, good


def main(modules: Sequence[str]) -> int:
    """Run mutmut, print the table; the exit code."""
    command = [sys.executable, "-m", "mutmut", "run", *(f"{module}.*" for module in modules)]
    done = subprocess.run(command, cwd=PROJECT)
    if done.returncode:
        return done.returncode
    lines, good = table(results(PROJECT / "mutants"), modules)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
