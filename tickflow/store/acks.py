"""Acknowledgements of alerts and named layouts, kept apart from the metrics: a page may write them without the right to
write metrics.

Two adapters implement this: `influx/acks.py` (a separate bucket, `<bucket>_acks`) and `sqlite/acks.py` (a table).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_NAME = 40
MAX_QUERY = 4_000
"""Characters of a layout's name, and of its view."""


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


class Layout(NamedTuple):
    """A view of the page under a name: the query of its address. Without a query the name is removed."""

    name: str
    query: str


class AckStore(ABC):
    """Acknowledgements and layouts, shared by all readers.

    Calls may raise `StoreUnavailable` and `StoreMisconfigured`.
    """

    @abstractmethod
    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements; each replaces an earlier one of the same episode."""

    @abstractmethod
    def withdraw(self, acks: Sequence[Ack]) -> None:
        """Take acknowledgements of these episodes back: they count as not seen."""

    @abstractmethod
    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""

    @abstractmethod
    def keep_layout(self, layout: Layout, now_ns: int) -> None:
        """Store the layout in place of an earlier one of that name, or remove that one if it has no query."""

    @abstractmethod
    def layouts(self) -> list[Layout]:
        """All layouts, ordered by name."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
