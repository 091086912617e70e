"""Standing rules, shared by all pages and workers, and the offsets between which each of them applies.

Two adapters implement this: `influx/rules.py` (the bucket `<bucket>_rules`) and `sqlite/rules.py` (two tables).
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence

from tickflow.alerts.standing import Change, StandingRule


class RuleStore(ABC):
    """Rules by (id, time), and changes by workers, partition, rule and `begins`. `workers` names a group of workers on
    one topic (see `alerts.standing.workers_of`).

    Calls may raise `StoreUnavailable` and `StoreMisconfigured`.
    """

    @abstractmethod
    def keep(self, rule: StandingRule) -> None:
        """Store a rule; it replaces its own earlier state."""

    @abstractmethod
    def rules(self) -> Sequence[StandingRule]:
        """All rules, the removed ones included, in the order in which they were made."""

    @abstractmethod
    def note(self, workers: str, changes: Iterable[Change]) -> None:
        """Store changes; they are durable when this returns."""

    @abstractmethod
    def changes(self, workers: str) -> Sequence[Change]:
        """All changes of these workers, by partition and offset; at one offset, ends come first."""

    @abstractmethod
    def begun(self) -> Collection[str]:
        """The ids of the rules that any worker has begun to apply."""

    @abstractmethod
    def check(self) -> None:
        """Raise `StoreError` if changes cannot be stored at present."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
