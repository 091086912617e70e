"""Mutes of alerts, shared by all readers and the notifier, and kept beside the acknowledgements.

Two adapters implement this: `influx/mutes.py` (the bucket `<bucket>_acks`) and `sqlite/mutes.py` (a table).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tickflow.alerts.mutes import Mute


class MuteStore(ABC):
    """Mutes by (id, time). Calls may raise `StoreUnavailable` and `StoreMisconfigured`."""

    @abstractmethod
    def keep(self, mute: Mute) -> None:
        """Store a mute; it replaces its own earlier state."""

    @abstractmethod
    def mutes(self) -> Sequence[Mute]:
        """All stored mutes, including those that have ended or were undone, in the order in which they were made."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
