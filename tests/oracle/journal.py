"""A journal of acknowledged records: each of them must be in the log, at the acknowledged position."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.oracle.logs import LogRecord


class Acknowledged(NamedTuple):
    """The acknowledged position of a record, and the record's fingerprint."""

    partition: int
    offset: int
    fingerprint: str


def fingerprint(key: bytes | None, value: bytes | None) -> str:
    """A fingerprint of a record's bytes."""
    return hashlib.sha256(b"%r %r" % (key, value)).hexdigest()[:32]


class JournalFile:
    """A journal that survives kill -9 of its writer: one line per acknowledgement, written at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, each: Acknowledged) -> None:
        """Write one acknowledgement."""
        os.write(self._file, f"{each.partition} {each.offset} {each.fingerprint}\n".encode())


def read_journal(path: Path) -> list[Acknowledged]:
    """The entries of the file, without a last line that was cut off; empty if there is no file."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    found = (line.split() for line in lines)
    return [Acknowledged(int(partition), int(offset), mark) for partition, offset, mark in found]


def missing(journal: Iterable[Acknowledged], records: Sequence[LogRecord]) -> list[Acknowledged]:
    """The acknowledgements whose records are not at the acknowledged position in the log."""
    held = {(each.partition, each.offset): fingerprint(each.key, each.value) for each in records}
    return [each for each in journal if held.get((each.partition, each.offset)) != each.fingerprint]
