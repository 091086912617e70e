"""The result of one poll, on its way to the store, to the dead letters and to the commit."""

from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.points import Points
from tickflow.store.base import Written
from tickflow.ticklog.base import Position, Record
from tickflow.ticks.probe import PROBE
from tickflow.worker.counters import Tally
from tickflow.worker.dead_letters import Letter


@dataclass(slots=True)
class Batch:
    """Points to store, letters about refused records, and the positions to commit after both.

    `points` has one entry per partition; `records` are the records of all points, in the same order. `tallies`, by
    partition, count when the positions are committed. `attempt` is the first write of the points, if another thread
    makes it. `probes_ns` has the event times of the probes among the points.
    """

    points: list[Points] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    tallies: defaultdict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    attempt: Future[Written] | None = None
    probes_ns: list[int] = field(default_factory=list)

    def apart_from_probes(self, points: Points, depth: Ints, *, has_any: bool) -> tuple[Points, Ints]:
        """Points and depths without those of probes, whose times are noted; `has_any` saves the search."""
        if not has_any:
            return points, depth
        is_probe = np.array([symbol == PROBE for symbol in points.symbol])
        self.probes_ns += points.time_ns[is_probe].tolist()
        return points.take(np.flatnonzero(~is_probe)), depth[~is_probe]

    def count(self, points: Points, written: Written) -> None:
        """Count how the store took `points`. If any of them expired, all must belong to one partition."""
        refused = [int(points.partition[at]) for at, _ in written.refused]
        for number, count in zip(*np.unique(points.partition, return_counts=True), strict=True):
            tally = self.tallies[int(number)]
            tally.refused_by_store += refused.count(int(number))
            tally.expired += written.expired
            tally.stored += int(count) - refused.count(int(number)) - written.expired
