"""The verb `calibrate`: computes each symbol's thresholds from recorded days, with their intervals, or reports "not
enough data".
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tickflow.alerts.budget import Budget, floor_of
from tickflow.alerts.calibration import LEAST_EXPECTED, threshold_for
from tickflow.alerts.terms import Calibrated
from tickflow.alerts.watch import Terms, scorers
from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.seconds import Seconds
from tickflow.verbs.recorded import Recorded

DAY_US = 86_400 * 10**6


@dataclass(slots=True)
class Record:
    """The record of one symbol: its days and ticks, and for each detector the scores above the floor."""

    days: set[int] = field(default_factory=set)
    ticks: int = 0
    scores: defaultdict[str, list[tuple[Ints, Floats]]] = field(default_factory=lambda: defaultdict(list))

    def expected(self, budget: Budget) -> float:
        """How many alerts the budget allows in this record."""
        return budget.rate * (self.ticks if budget.per_tick else len(self.days))


def collect(recorded: Recorded, terms: Terms, since_ns: int, until_ns: int) -> dict[str, Record]:
    """The records of all symbols, collected from recorded ticks; ticks before `since_ns` only fill the windows."""
    seconds: dict[int, Seconds] = {}
    records: defaultdict[str, Record] = defaultdict(Record)
    for partition, ticks in recorded:
        if not len(ticks):
            continue
        known = seconds.setdefault(partition, Seconds())
        view = known.view(ticks.symbols, ticks.time_us.copy(), ticks.prices, ticks.volumes.astype(np.float64))
        inside = (ticks.time_us >= since_ns // 1000) & (ticks.time_us < until_ns // 1000)
        symbols = np.array(ticks.symbols, dtype=object)
        for symbol in set(ticks.symbols):
            times = ticks.time_us[(symbols == symbol) & inside]
            record = records[symbol]
            record.ticks += len(times)
            record.days |= set((times // DAY_US).tolist())
        for name, score in scorers(view, terms).items():
            found = score()
            kept = inside[found.at]
            at, scores = found.at[kept], found.score[kept]
            for symbol in set(symbols[at].tolist()):
                own = symbols[at] == symbol
                records[symbol].scores[name].append((ticks.time_us[at[own]], scores[own]))
        known.keep(view)
    return {symbol: record for symbol, record in records.items() if record.ticks}


def thresholds(records: dict[str, Record], terms: Terms) -> tuple[list[Calibrated], list[str]]:
    """The thresholds for which there are enough data, and one sentence per symbol, ordered by name."""
    made: list[Calibrated] = []
    said: list[str] = []
    for symbol, record in sorted(records.items()):
        expected = record.expected(terms.budget)
        if expected < LEAST_EXPECTED:
            missing = LEAST_EXPECTED / terms.budget.rate
            unit = "ticks" if terms.budget.per_tick else "days"
            have = record.ticks if terms.budget.per_tick else len(record.days)
            said.append(
                f"{symbol}: not enough data: {expected:.3g} alerts would be expected in {have:,} {unit}, and at least "
                f"{LEAST_EXPECTED:g} are needed ({missing:,.0f} {unit})"
            )
            continue
        for name in sorted(terms.detectors - {"silence"}):
            parts = record.scores.get(name, [])
            times = np.concatenate([time for time, _ in parts]) if parts else np.zeros(0, np.int64)
            scores = np.concatenate([score for _, score in parts]) if parts else np.zeros(0)
            found = threshold_for(expected, times, scores)
            if found is None:
                continue
            value, low, high = (max(number, floor_of(name)) for number in (found.value, found.low, found.high))
            made.append(Calibrated(name, symbol, value, low, high, expected))
            said.append(
                f"{symbol} {name}: {value:.2f} (95 %: {low:.2f} to {high:.2f}), {found.alerts:,} alerts where "
                f"{expected:.3g} are allowed"
            )
    return made, said
