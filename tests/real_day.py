"""The points of a real day's trades, as a worker would store them; without the day's file, the points of fewer,
generated trades.
"""

import csv
import gzip
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from tests import trades
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import Tick, decode, encode, from_text

DAY = trades.REAL.parent / "us_equity_trades_2013-10-07.csv.gz"
BATCH = 50_000


@cache
def points(symbol: str | None = None, most: int | None = None) -> Points:
    """The day's points in log order: all, or only those of one symbol, or of its first `most` trades."""
    windows, parts = Windows(), []
    entries: list[Entry] = []
    for offset, row in enumerate(islice((row for row in _rows() if symbol in (None, row["symbol"])), most)):
        tick = from_text(row["symbol"], row["price"], row["timestamp"], row["volume"], "replay")
        assert isinstance(tick, Tick)
        entries.append(Entry(0, offset, tick.symbol.encode(), encode(tick), 0, 0))
        if len(entries) == BATCH:
            parts.append(_points_of(windows, entries))
            entries = []
    if entries:
        parts.append(_points_of(windows, entries))
    return Points.joined(parts)


def _points_of(windows: Windows, entries: list[Entry]) -> Points:
    ticks, refused = decode(entries)
    assert not refused
    return Points.of(0, ticks, measure(windows.advance(ticks), 2.0))


def _rows() -> Iterator[dict[str, str]]:
    if DAY.is_file():
        with gzip.open(DAY, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = trades.REAL if trades.REAL.is_file() else Path(folder) / "trades.csv"
        if not path.is_file():
            trades.write_generated(path)
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
