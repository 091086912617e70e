"""The edits that users are told to make, pasted into a copy of the project as they stand in the documentation."""

import re
import shutil
from pathlib import Path

from tests.scripts import PROJECT


class EditedCopy:
    """A copy of the scripts and of `tickflow` in `folder`, to paste lines into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("config.py", "stock_producer.py", "stock_analytics.py"):
            shutil.copy(PROJECT / name, folder)
        shutil.copytree(PROJECT / "tickflow", folder / "tickflow", ignore=shutil.ignore_patterns("__pycache__"))

    def paste(self, name: str, line: str) -> None:
        """Put `line` in place of the one line of the file that begins as it does, and keep the indentation."""
        beginning = re.match(r"[\w.]+(?: =|\()", line)
        assert beginning, line
        file = self.folder / name
        pattern = re.compile(rf"^( *){re.escape(beginning[0])}.*$", re.MULTILINE)
        text, count = pattern.subn(lambda match: match[1] + line, file.read_text(encoding="utf-8"))
        assert count == 1, f"{count} lines of {name} begin with {beginning[0]!r}"
        file.write_text(text, encoding="utf-8")

    def script(self, name: str) -> str:
        """The path of one of its scripts."""
        return str(self.folder / name)
