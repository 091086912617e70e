"""What a reader has acknowledged, kept apart from the metrics: a page may write this without the right to write those.

Two adapters implement it: `influx/acks.py` (a bucket of its own, `<bucket>_acks`) and `sqlite/acks.py` (a table).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement of an episode of anomalies, known by (symbol, partition, first_offset).

    `time_ns` is when the episode began: a log made anew counts its offsets from 0 again. `acked_ns` is the wall clock.
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
        """Keep the acknowledgements; that of an episode which has one already takes its place."""

    @abstractmethod
    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, in the order of their beginnings."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""
