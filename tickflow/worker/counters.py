"""Counts the outcome of every record that a worker read, per partition; the counts must add up.

A batch counts only when its position is committed. A batch that is not committed, because of a rebalance, a stop or a
failed commit, is read again by this worker or another, and is counted by the worker that commits it. So at any quiet
moment, for each partition:

    committed - start = accepted + refused + lost + skipped
    accepted = stored + refused by the store + expired
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Tally:
    """Counts of records and ticks by their outcome.

    `consumed` records were read from the log: `accepted` ones are ticks and became points, `refused` ones went to the
    dead-letter topic, counted per reason. `stored`, `refused_by_store` and `expired` divide the accepted ones. `lost`
    records were deleted from the log before they were read. `skipped` offsets hold no record (Kafka's transaction
    markers, aborted records, compaction). `cold` records, which the windows needed, had been deleted from the log (see
    `restore`). `late` ticks were older than an earlier tick of their symbol, `naive` ticks had no time zone. `gaps`
    counts ticks that a producer numbered but that never arrived, `repeats` ticks that arrived more than once. `foreign`
    counts commits of the group that no worker made, `split` counts symbols that also occur in another partition of the
    worker.
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
    foreign: int = 0
    split: int = 0

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.refused.update(other.refused)
        for name in NUMBERS:
            if count := getattr(other, name):
                setattr(self, name, getattr(self, name) + count)


NUMBERS = tuple(each.name for each in fields(Tally) if each.name != "refused")
"""The counts of a tally that are plain numbers."""


@dataclass(slots=True)
class Account:
    """One partition since this worker first owned it: what was committed, and the outcome of each record.

    `start` and `committed` are offsets of the newest assignment; `advanced` counts the offsets between them, over all
    assignments.
    """

    start: int
    committed: int
    advanced: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def discrepancy(self) -> str:
        """The equation that does not hold, with its numbers; empty if both hold."""
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
    """The accounts of a worker's partitions, and the pending counts of uncommitted batches, by partition and epoch.

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
        """Start counting at `start`: the partition was assigned, or its topic was recreated."""
        account = self.accounts.get(partition)
        if account is None:
            self.accounts[partition] = Account(start, start)
        else:
            account.start = account.committed = start
        self.drop([partition])

    def pending(self, partition: int, epoch: int) -> Tally:
        """The counts of this assignment since its last commit; the caller adds to them."""
        return self._pending.setdefault((partition, epoch), Tally())

    def settle(self, partition: int, epoch: int, committed: int) -> None:
        """Add the pending counts to the account: their records are committed, up to the offset `committed`."""
        account = self.accounts[partition]
        account.advanced += committed - account.committed
        account.committed = committed
        account.tally.add(self._pending.pop((partition, epoch), Tally()))

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget the pending counts of revoked partitions: their next owner reads those records again."""
        gone = frozenset(partitions)
        self._pending = {place: tally for place, tally in self._pending.items() if place[0] not in gone}

    @property
    def total(self) -> Tally:
        """The sum over all partitions."""
        result = Tally()
        for account in self.accounts.values():
            result.add(account.tally)
        return result

    def discrepancies(self) -> dict[int, str]:
        """For each partition whose counts do not add up, the equation that does not hold; empty if all add up."""
        found = {number: account.discrepancy for number, account in sorted(self.accounts.items())}
        return {number: words for number, words in found.items() if words}
