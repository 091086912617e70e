"""Reads a `.env` file: lines of KEY=value, with python-dotenv's parser, but no line is ever skipped silently."""

import io
from pathlib import Path

from dotenv.parser import parse_stream

from tickflow.errors import SettingError


def read_env_file(path: Path) -> dict[str, str]:
    """The values by key; a key without a value has an empty one. A missing file has no keys.

    Raises `SettingError` if the file cannot be read, is not UTF-8, or has a line that is neither KEY=value nor
    a comment nor blank.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors write a byte order mark at the start
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(str(path), "unreadable", f"a text file in UTF-8 ({error})") from error
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            # The line is not shown: it may hold a secret.
            raise SettingError(f"Line {binding.original.line} of {path}", "malformed", "KEY=value, quotes in pairs")
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    return values
