"""The figures of `make coverage` per folder.

    python -m devtools.coverage_table             prints a table, from the data of the last run
    python -m devtools.coverage_table --missing   prints the lines that nothing reached, per function

A branch counts as a line does: coverage's own share is (lines + branches reached) / (lines + branches).
"""

import ast
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).parent.parent


class Reached(NamedTuple):
    """How many lines and branches there are, and how many of them were reached."""

    lines: int = 0
    lines_reached: int = 0
    branches: int = 0
    branches_reached: int = 0

    def plus(self, other: "Reached") -> "Reached":
        """Add the counts of `other` to these."""
        return Reached(*(one + two for one, two in zip(self, other, strict=True)))

    @property
    def share(self) -> float:
        """The share of lines and branches that was reached; 1 if there are none."""
        whole = self.lines + self.branches
        return (self.lines_reached + self.branches_reached) / whole if whole else 1.0


def report() -> dict[str, Any]:
    """Coverage's own report, in JSON form."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(file)]
        subprocess.run(command, cwd=PROJECT, check=True)
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def folder_of(path: str) -> str:
    """The folder that a file is counted to.

    >>> folder_of("tickflow/store/influx/store.py"), folder_of("tickflow/errors.py"), folder_of("config.py")
    ('tickflow/store/influx/', 'tickflow/', 'scripts and config.py')
    """
    return f"{path.rpartition('/')[0]}/" if "/" in path else "scripts and config.py"


def by_folder(files: Mapping[str, Any]) -> dict[str, Reached]:
    """Sum up the figures of the files in each folder.

    >>> summary = {"num_statements": 8, "covered_lines": 6, "num_branches": 2, "covered_branches": 1}
    >>> by_folder({"tickflow/a.py": {"summary": summary}})["tickflow/"].share
    0.7
    """
    folders: defaultdict[str, Reached] = defaultdict(Reached)
    for path, each in sorted(files.items()):
        summary = each["summary"]
        names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
        folders[folder_of(path)] = folders[folder_of(path)].plus(Reached(*(summary[name] for name in names)))
    return dict(folders)


def table(folders: Mapping[str, Reached]) -> list[str]:
    """The lines of a Markdown table: one row per folder, then the total."""
    rows = ["| folder | lines | branches | reached |", "|---|---|---|---|"]
    whole = Reached()
    for folder, each in folders.items():
        whole = whole.plus(each)
        rows.append(f"| `{folder}` | {each.lines:,} | {each.branches:,} | {each.share:.1%} |".replace("%", " %"))
    rows.append(f"| all | {whole.lines:,} | {whole.branches:,} | {whole.share:.1%} |".replace("%", " %"))
    return rows


def missing(files: Mapping[str, Any]) -> Iterator[str]:
    """One line per function, with the lines that were not reached."""
    for path, each in sorted(files.items()):
        lines = set(each["missing_lines"])
        tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own = sorted(lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
                if own:
                    yield f"{path}:{own[0]} {node.name}: {', '.join(map(str, own))}"


def main(arguments: Sequence[str]) -> int:
    """Print the table, or with `--missing` the lines that were not reached."""
    files = report()["files"]
    print("\n".join(missing(files) if "--missing" in arguments else table(by_folder(files))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
