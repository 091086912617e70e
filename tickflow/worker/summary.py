"""The figures of each symbol since the worker's start, for console and summary."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tickflow.metrics.fields import TABLE
from tickflow.metrics.points import Points
from tickflow.metrics.windows import places_of


@dataclass(slots=True)
class SymbolFigures:
    """One symbol: figures over all its ticks, and the metrics of its newest tick by field (NaN where absent)."""

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
    metrics: Mapping[str, float]
    ticks_since_shown: int = 0

    @property
    def change_percent(self) -> float:
        """From the first price to the last, in percent."""
        return (self.last / self.first - 1) * 100


_METRICS = tuple(each.name for each in TABLE if each.console or each.summary)
_NEWEST = ("partition", "time_ns", *_METRICS)
"""The columns of `Points` of which the figures keep the newest value."""

_ROW = np.dtype(
    [(name, np.int64) for name in ("partition", "ticks", "anomalies", "time_ns", "depth", "ticks_since_shown")]
    + [(name, np.float64) for name in ("first", "last", "low", "high", *_METRICS)]
)


class Moved(NamedTuple):
    """The busiest symbols, ordered by number of ticks and then by name; how many other symbols had ticks, and how many
    ticks those had.
    """

    busiest: list[SymbolFigures]
    others: int
    others_ticks: int


class Summary:
    """The figures of every symbol, one row of an array each, updated from the points of each batch."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._slots: dict[str, int] = {}
        self._rows = np.zeros(16, dtype=_ROW)

    def add(self, points: Points, depth: npt.NDArray[np.int64]) -> None:
        """Add a batch of one partition; `depth` is the number of ticks in the windows at each tick."""
        self._sources.update(zip(points.symbol, points.source, strict=True))
        known = len(self._slots)
        slot = places_of(points.symbol, self._slots)
        while len(self._rows) < len(self._slots):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        rows = self._rows
        seen, begin, count = np.unique(slot, return_index=True, return_counts=True)
        new = seen >= known
        rows["low"][seen[new]], rows["high"][seen[new]] = np.inf, -np.inf
        rows["first"][seen[new]] = points.price[begin[new]]
        rows["ticks"][seen] += count
        rows["ticks_since_shown"][seen] += count
        np.minimum.at(rows["low"], slot, points.price)
        np.maximum.at(rows["high"], slot, points.price)
        np.add.at(rows["anomalies"], slot[points.is_anomaly], 1)
        # if one row is assigned several values, numpy keeps the last one
        rows["last"][slot], rows["depth"][slot] = points.price, depth
        for name in _NEWEST:
            rows[name][slot] = getattr(points, name)

    @property
    def figures(self) -> list[SymbolFigures]:
        """The figures of every symbol."""
        return self._figures(range(len(self._slots)))

    def moved(self, limit: int) -> Moved:
        """The symbols that had ticks since `mark_shown` was last called; only the busiest get a row."""
        ticks = self._rows["ticks_since_shown"]
        slots = np.flatnonzero(ticks)
        symbols = list(self._slots)
        ranked = zip((-ticks[slots]).tolist(), [symbols[at] for at in slots.tolist()], slots.tolist(), strict=True)
        busiest = heapq.nsmallest(limit, ranked)
        others = int(ticks.sum()) + sum(minus for minus, _, _ in busiest)
        return Moved(self._figures([at for _, _, at in busiest]), len(slots) - len(busiest), others)

    def mark_shown(self) -> None:
        """Restart the count that `moved` reports."""
        self._rows["ticks_since_shown"] = 0

    def _figures(self, slots: Sequence[int]) -> list[SymbolFigures]:
        symbols = list(self._slots)
        names = _ROW.names or ()
        return [
            SymbolFigures(
                symbol=symbols[at],
                source=self._sources[symbols[at]],
                metrics={name: float(self._rows[name][at]) for name in _METRICS},
                **{name: self._rows[name][at].item() for name in names if name not in _METRICS},
            )
            for at in slots
        ]
