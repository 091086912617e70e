"""What a worker saw of each symbol since its start: the figures of the summary report and of the console."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tickflow.points import Points


@dataclass(slots=True)
class SymbolFigures:
    """One symbol: over all its ticks, and its newest tick's metrics (NaN where absent)."""

    symbol: str
    source: str
    partition: int
    ticks: int
    first: float
    last: float
    low: float
    high: float
    anomalies: int
    time_ns: int
    depth: int
    ma_5: float
    ma_10: float
    ma_20: float
    volatility: float
    z_score: float
    ticks_since_shown: int = 0

    @property
    def change_percent(self) -> float:
        """From the first price seen to the last, in percent."""
        return (self.last / self.first - 1) * 100


class Summary:
    """The figures of every symbol, fed with the points of each batch."""

    def __init__(self) -> None:
        self.symbols: dict[str, SymbolFigures] = {}

    def add(self, points: Points, depth: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        """Take in a batch of one partition; `depth` is each tick's count of ticks in its windows."""
        if not len(points):
            return
        ticks = Counter(points.symbol)
        newest = dict(zip(points.symbol, range(len(points)), strict=True))  # the last index of a symbol stays
        slots = dict(zip(newest, range(len(newest)), strict=True))
        slot = np.fromiter(map(slots.__getitem__, points.symbol), np.intp, len(points))
        low, high = np.full(len(slots), np.inf), np.full(len(slots), -np.inf)
        np.minimum.at(low, slot, points.price)
        np.maximum.at(high, slot, points.price)
        anomalies = np.bincount(slot[points.is_anomaly], minlength=len(slots))
        firsts = points.price[np.unique(slot, return_index=True)[1]]
        for (symbol, at), least, most, flagged, first in zip(
            newest.items(), low.tolist(), high.tolist(), anomalies.tolist(), firsts.tolist(), strict=True
        ):
            known = self.symbols.get(symbol)
            self.symbols[symbol] = SymbolFigures(
                symbol=symbol,
                source=points.source[at],
                partition=int(points.partition[at]),
                ticks=ticks[symbol] + (known.ticks if known else 0),
                first=known.first if known else first,
                last=float(points.price[at]),
                low=min(least, known.low) if known else least,
                high=max(most, known.high) if known else most,
                anomalies=flagged + (known.anomalies if known else 0),
                time_ns=int(points.time_ns[at]),
                depth=int(depth[at]),
                ma_5=float(points.ma_5[at]),
                ma_10=float(points.ma_10[at]),
                ma_20=float(points.ma_20[at]),
                volatility=float(points.volatility[at]),
                z_score=float(points.z_score[at]),
                ticks_since_shown=ticks[symbol] + (known.ticks_since_shown if known else 0),
            )

    def moved(self) -> list[SymbolFigures]:
        """The symbols that had ticks since `mark_shown` was last called, the busiest first."""
        moved = [figures for figures in self.symbols.values() if figures.ticks_since_shown]
        return sorted(moved, key=lambda figures: (-figures.ticks_since_shown, figures.symbol))

    def mark_shown(self) -> None:
        """Begin to count anew for `moved`."""
        for figures in self.symbols.values():
            figures.ticks_since_shown = 0
