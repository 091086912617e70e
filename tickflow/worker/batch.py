"""The result of one poll: what goes to the store and to the dead letters, and what is committed after that."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.points import Points
from tickflow.store.base import Written
from tickflow.ticklog.base import Position, Record
from tickflow.ticks.probe import PROBE
from tickflow.ticks.tick import Refused
from tickflow.worker.counters import Tally
from tickflow.worker.dead_letters import Letter

TOGETHER_RECORDS = 2_000
"""The maximum number of records of several partitions that are computed together. Twelve partitions with five records
each then cost 1.4 ms per poll, not 4.0; above a few thousand records the saved calls no longer matter.
"""


@dataclass(slots=True)
class Batch:
    """Points to store, letters about refused records, and the positions to commit after both.

    `points` has one entry per group of partitions (see `together`); `records` are the records of all points, in the
    same order. `tallies`, by partition, are added to the accounts when the positions are committed. `attempt` is the
    first write of the points, if a different thread performs it. `probes_ns` has the event times of the probes among
    the points.
    """

    points: list[Points] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    tallies: defaultdict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    attempt: Future[Written] | None = None
    probes_ns: list[int] = field(default_factory=list)

    def apart_from_probes(self, points: Points, depth: Ints, *, has_any: bool) -> tuple[Points, Ints]:
        """The points and depths without those of probes, whose times go to `probes_ns`. If `has_any` is false, there
        are no probes to search for.
        """
        if not has_any:
            return points, depth
        is_probe = np.array([symbol == PROBE for symbol in points.symbol])
        self.probes_ns += points.time_ns[is_probe].tolist()
        return points.take(np.flatnonzero(~is_probe)), depth[~is_probe]

    def count(self, points: Points, written: Written) -> None:
        """Count how many of `points` the store has kept, refused, and dropped as expired. If any of them expired, all
        must belong to one partition.
        """
        refused = [int(points.partition[at]) for at, _ in written.refused]
        for number, count in zip(*np.unique(points.partition, return_counts=True), strict=True):
            tally = self.tallies[int(number)]
            tally.refused_by_store += refused.count(int(number))
            tally.expired += written.expired
            tally.stored += int(count) - refused.count(int(number)) - written.expired


def together(found: Mapping[int, Sequence[Record]]) -> Iterator[dict[int, Sequence[Record]]]:
    """The partitions that have records, in groups of at most `TOGETHER_RECORDS` records or of one partition.

    >>> [list(group) for group in together({0: range(1_500), 1: range(500), 2: range(1), 3: (), 4: range(9_000)})]
    [[0, 1], [2], [4]]
    """
    group: dict[int, Sequence[Record]] = {}
    count = 0
    for number, records in found.items():
        if group and count + len(records) > TOGETHER_RECORDS:
            yield group
            group, count = {}, 0
        if records:
            group[number] = records
            count += len(records)
    if group:
        yield group


def kept_of(group: Mapping[int, Sequence[Record]], refused: Sequence[Refused]) -> list[int]:
    """For each partition of the group, how many of its records were not refused."""
    count = Counter(each.record.partition for each in refused)
    return [len(records) - count[number] for number, records in group.items()]
