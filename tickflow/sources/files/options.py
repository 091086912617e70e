"""What a user can state about a file. Whatever is not stated is recognised, or else the error names the flag that
states it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

EPOCH_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds in each unit of a time since 1970."""


@dataclass(frozen=True, slots=True)
class Options:
    """Each field is both a flag of the producer and a setting; `None` and "auto" mean that it is to be recognised.

    `columns` gives columns by role (`price`, `time`, ...), each as a tuple of names or numbers (from 1). `bar_us` is
    the length of a bar in microseconds; 0 means that times already mark the end of bars.
    """

    timezone: str | None = None
    symbol: str | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    dates: str | None = None
    decimal: str | None = None
    epoch: str | None = None
    bars: str = "close"
    bar_us: int | None = None
    quotes: str = "mid"
    sort: str = "auto"


class Unreadable(Exception):
    """A file that cannot be read as it is; the text completes a sentence that starts with "expected", and says what to
    do.
    """


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is not a tick: its line (or row) number, and the reason, with the cell."""

    line: int
    why: str


def quoted(cell: str, longest: int = 60) -> str:
    """A cell in quotes for a message, cut if it is long.

    >>> quoted("x" * 100, 5)
    "'xxxxx'..."
    """
    return repr(cell) if len(cell) <= longest else f"{cell[:longest]!r}..."
