"""The points of a real day's trades, as a worker would store them; without the day's file, the points of fewer,
generated trades.
"""

import csv
import gzip
import tempfile
from functools import cache
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
def points() -> Points:
    """All points of the day in log order."""
    windows, parts = Windows(), []
    entries: list[Entry] = []
    for offset, row in enumerate(_rows()):
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


def _rows() -> list[dict[str, str]]:
    if DAY.is_file():
        with gzip.open(DAY, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        path = trades.REAL if trades.REAL.is_file() else Path(folder) / "trades.csv"
        if not path.is_file():
            trades.write_generated(path)
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
