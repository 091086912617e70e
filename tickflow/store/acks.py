"""Acknowledgements of alerts, kept apart from the metrics: a page may write acknowledgements without the right to write
metrics.

Two adapters implement this: `influx/acks.py` (a bucket of its own, `<bucket>_acks`) and `sqlite/acks.py` (a table).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement of an episode of anomalies, identified by (symbol, partition, first_offset).

    `time_ns` is when the episode began; it tells episodes apart when a new log counts its offsets from 0 again.
    `acked_ns` is the wall clock.
    """

    symbol: str
    partition: int
    first_offset: int
    time_ns: int
    acked_ns: int


class AckStore(ABC):
    """Acknowledgements, shared by all readers. Calls may raise `StoreUnavailable` and `StoreMisconfigured`."""

    @abstractmethod
    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements; each replaces an earlier one of the same episode."""

    @abstractmethod
    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
