"""The plan for reading a file: the role, unit and zone of each column, and how rows become ticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

TRADES, BARS, QUOTES = "trades", "bars", "quotes"


@dataclass(frozen=True)
class TimeRule:
    """Which columns hold the time, and how to read it.

    `how` is "text" (a date with or without a time of day, in one column or two), "epoch" (a number since 1970 in
    `unit`), "clock" (a time of day in `unit`, or as text, on the day `date_us`) or "typed". `zone` applies to times
    without a zone; `None` if all have one.
    """

    columns: tuple[int, ...]
    how: str
    unit: str | None = None
    """The unit of a number: "s", "ms", "us" or "ns", or "hh", "hhmm" or "hhmmss" for a time of day such as 9, 930 or
    93000 next to a date.
    """
    order: str | None = None
    zone: tzinfo | None = None
    date_us: int | None = None


@dataclass(frozen=True)
class Series:
    """The prices of one symbol in a row, by role; `symbol` is `None` if a column names it."""

    columns: Mapping[str, int]
    symbol: str | None = None


@dataclass(frozen=True)
class Plan:
    """How rows become ticks. `bar_us` is the length of a bar; 0 if times mark its end; -1 for calendar months."""

    kind: str
    time: TimeRule
    series: tuple[Series, ...]
    symbol: int | None = None
    suffix: tuple[int, str] | None = None
    """The second column of the symbol, and the text between the two parts where the second one is not empty."""
    comma: bool = False
    scale: float = 1.0
    bars: str = "close"
    bar_us: int = 0
    select: tuple[int, frozenset[str]] | None = None
    direction: int = 1
    lacks: bool = False
    """Whether prices may be missing in a row that has one price per symbol."""
    signed: bool = False
    """Whether a negative volume marks a sale."""
    messages: bool = False
    """Whether rows with neither a time nor a price are messages of other kinds, to be skipped."""
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def needed(self) -> set[int]:
        """The columns that are read."""
        found = {*self.time.columns}
        for series in self.series:
            found.update(series.columns.values())
        if self.symbol is not None:
            found.add(self.symbol)
        if self.suffix is not None:
            found.add(self.suffix[0])
        if self.select is not None:
            found.add(self.select[0])
        return found


MONTHS = -1
"""The `bar_us` of bars that last a calendar month."""
