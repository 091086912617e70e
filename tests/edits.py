"""Pastes the documented edits verbatim into a copy of the project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.scripts import PROJECT


def _left_out(folder: str, names: list[str]) -> set[str]:
    """The names not to copy: virtual environments, caches, and folders that programs write at the top level.

    Bytecode is copied, or each copy would be compiled first, but no file of it that another process is still writing.
    """
    out = {".venv"} | {name for name in names if name.endswith("_cache") or ".pyc." in name}
    if Path(folder) == PROJECT:
        out |= {".git", ".hypothesis", "node_modules", "data", "htmlcov", "mutants"}
    return out & set(names)


class EditedCopy:
    """A copy of the scripts and `tickflow` in `folder`, for pasting lines; with `whole`, a copy of all files."""

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self.folder = folder
        if whole:
            shutil.copytree(PROJECT, folder, ignore=_left_out)
            return
        folder.mkdir()
        for name in ("config.py", "stock_producer.py", "stock_analytics.py"):
            shutil.copy2(PROJECT / name, folder)
        shutil.copytree(PROJECT / "tickflow", folder / "tickflow", ignore=_left_out)

    def paste(self, name: str, line: str) -> None:
        """Replace the only line that assigns to, or calls, the same name as `line` does; keep the indentation."""
        beginning = re.match(r"[\w.]+(?: =|\()", line)
        assert beginning, line
        file = self.folder / name
        pattern = re.compile(rf"^( *){re.escape(beginning[0])}.*$", re.MULTILINE)
        text, count = pattern.subn(lambda match: match[1] + line, file.read_text(encoding="utf-8"))
        assert count == 1, f"{count} lines of {name} begin with {beginning[0]!r}"
        file.write_text(text, encoding="utf-8")

    def add(self, name: str, lines: str, *, before: str) -> None:
        """Insert lines before the only line of the file that begins with `before`, ignoring indentation."""
        file = self.folder / name
        there = file.read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = (number for number, each in enumerate(there) if each.lstrip().startswith(before))
        file.write_text("".join([*there[:at], lines + "\n", *there[at:]]), encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace text that occurs once in the file."""
        file = self.folder / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def python(self, *arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        """Run this Python with these arguments in the copy; return its output."""
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=timeout
        )

    def script(self, name: str) -> str:
        """The path of a script in the copy."""
        return str(self.folder / name)
