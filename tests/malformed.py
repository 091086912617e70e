"""Reads the malformed records of tests/data/malformed.json, each with key, value and the reason for its refusal.

A key or value is text in which each character (U+0000 to U+00FF) stands for a byte, or a list of pieces to join, where
[text, n] repeats the text n times; null means absent. The append time does not matter.
"""

import json
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent / "data" / "malformed.json"

Text = str | list[str | list[str | int]] | None


class Malformed(NamedTuple):
    """A record that is not a tick, and the reason for its refusal."""

    name: str
    key: bytes | None
    value: bytes | None
    reason: str


def corpus() -> list[Malformed]:
    """All malformed records, in the order of the file."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    return [Malformed(each["name"], _bytes(each["key"]), _bytes(each["value"]), each["reason"]) for each in entries]


def _bytes(text: Text) -> bytes | None:
    if text is None:
        return None
    pieces = [text] if isinstance(text, str) else text
    return b"".join(_piece(piece) for piece in pieces)


def _piece(piece: str | list[str | int]) -> bytes:
    if isinstance(piece, str):
        return piece.encode("latin-1")
    text, times = piece
    return str(text).encode("latin-1") * int(times)
