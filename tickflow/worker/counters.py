"""What became of the records that a worker took in, partition by partition, in numbers that add up.

A batch counts when its position is committed, not before: one that a rebalance, a stop or a failed commit takes back
is read again, by this worker or another, and counts there. So at any quiet moment, for each partition:

    committed - start = accepted + refused + lost + skipped
    accepted = stored + refused by the store + expired
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Tally:
    """Records and ticks by what became of them.

    `consumed` records were taken from the log: `accepted` ones are ticks and became points, `refused` ones went to the
    dead-letter topic, by reason. `stored`, `refused_by_store` and `expired` divide the accepted. `lost` records were
    gone from the log before they were read, `skipped` offsets never held one (Kafka's own markers, compaction);
    `cold` records were gone that the windows needed (see `restore`). `late` ticks were older than one before them,
    `naive` ones had no zone. `gaps` counts ticks that a producer numbered but that never came, `repeats` those that
    came again.
    """

    consumed: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    refused_by_store: int = 0
    expired: int = 0
    lost: int = 0
    skipped: int = 0
    cold: int = 0
    late: int = 0
    naive: int = 0
    gaps: int = 0
    repeats: int = 0

    def add(self, other: "Tally") -> None:
        """Take in what another one counted."""
        for each in fields(other):
            if each.name == "refused":
                self.refused.update(other.refused)
            else:
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Account:
    """One partition since this worker first had it: what was committed, and what became of it.

    `start` and `committed` are offsets of the newest assignment; `advanced` counts the offsets between the two, over
    all assignments.
    """

    start: int
    committed: int
    advanced: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def discrepancy(self) -> str:
        """The equation that does not hold, with its numbers; empty when both do."""
        tally = self.tally
        refused = tally.refused.total()
        if self.advanced != tally.accepted + refused + tally.lost + tally.skipped:
            return (
                f"{self.advanced:,} offsets committed, but {tally.accepted:,} accepted + {refused:,} refused + "
                f"{tally.lost:,} lost + {tally.skipped:,} skipped"
            )
        if tally.accepted != tally.stored + tally.refused_by_store + tally.expired:
            return (
                f"{tally.accepted:,} accepted, but {tally.stored:,} stored + {tally.refused_by_store:,} refused by the "
                f"store + {tally.expired:,} expired"
            )
        if tally.consumed != tally.accepted + refused:
            return f"{tally.consumed:,} consumed, but {tally.accepted:,} accepted + {refused:,} refused"
        return ""


class Counters:
    """The accounts of a worker's partitions, and what waits for its commit: by partition and epoch of assignment.

    >>> counters = Counters()
    >>> counters.open(0, 100)
    >>> pending = counters.pending(0, epoch=1)
    >>> pending.consumed = pending.accepted = pending.stored = 5
    >>> counters.total.accepted
    0
    >>> counters.settle(0, epoch=1, committed=105)
    >>> counters.total.accepted, counters.accounts[0].advanced, counters.discrepancies()
    (5, 5, {})
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self._pending: dict[tuple[int, int], Tally] = {}

    def open(self, partition: int, start: int) -> None:
        """Begin to count at `start`: the partition was assigned, or its topic was made anew."""
        account = self.accounts.setdefault(partition, Account(start, start))
        account.start = account.committed = start
        self.drop([partition])

    def pending(self, partition: int, epoch: int) -> Tally:
        """What this assignment of the partition counted since its last commit, to be counted on."""
        return self._pending.setdefault((partition, epoch), Tally())

    def settle(self, partition: int, epoch: int, committed: int) -> None:
        """Count what was pending: it is committed up to that offset."""
        account = self.accounts[partition]
        account.advanced += committed - account.committed
        account.committed = committed
        account.tally.add(self._pending.pop((partition, epoch), Tally()))

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget what is pending of partitions that were taken away: whoever has them next reads it again."""
        gone = frozenset(partitions)
        self._pending = {place: tally for place, tally in self._pending.items() if place[0] not in gone}

    @property
    def total(self) -> Tally:
        """All partitions together."""
        result = Tally()
        for account in self.accounts.values():
            result.add(account.tally)
        return result

    def discrepancies(self) -> dict[int, str]:
        """By partition, the equation that does not hold; empty when all add up."""
        found = {number: account.discrepancy for number, account in sorted(self.accounts.items())}
        return {number: words for number, words in found.items() if words}
