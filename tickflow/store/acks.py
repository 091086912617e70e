"""Acknowledgements of alerts, named layouts and kept backtests, apart from the metrics, so that a page can write them
without permission to write metrics.

Two adapters implement this: `influx/acks.py` (a separate bucket, `<bucket>_acks`) and `sqlite/acks.py` (a table).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tickflow.alerts.kept import Kept

MAX_NAME = 40
MAX_QUERY = 4_000
"""The maximum number of characters in the name of a layout (`MAX_NAME`) and in its query."""
MAX_BACKTESTS = 10
"""How many backtests are kept: a further one removes the oldest."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement of an episode of anomalies, identified by (symbol, partition, first_offset).

    `time_ns` is when the episode began; it distinguishes episodes after a new log has started its offsets at 0 again.
    `acked_ns` is when somebody acknowledged it, by the wall clock.
    """

    symbol: str
    partition: int
    first_offset: int
    time_ns: int
    acked_ns: int


class Layout(NamedTuple):
    """A named view of the page: `query` is the query string of its address. An empty `query` removes the name."""

    name: str
    query: str


class AckStore(ABC):
    """Acknowledgements, layouts and backtests, shared by all readers.

    Calls may raise `StoreUnavailable` and `StoreMisconfigured`.
    """

    @abstractmethod
    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements; each replaces an earlier one of the same episode."""

    @abstractmethod
    def withdraw(self, acks: Sequence[Ack]) -> None:
        """Withdraw the acknowledgements of these episodes: they count as not seen again."""

    @abstractmethod
    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""

    @abstractmethod
    def keep_layout(self, layout: Layout, now_ns: int) -> None:
        """Store the layout in place of an earlier one with the same name; a layout without a query only removes the
        earlier one.
        """

    @abstractmethod
    def layouts(self) -> list[Layout]:
        """All layouts, ordered by name."""

    @abstractmethod
    def keep_backtest(self, kept: Kept) -> None:
        """Store the backtest, and remove the oldest ones beyond `MAX_BACKTESTS`."""

    @abstractmethod
    def remove_backtest(self, made_ms: int) -> None:
        """Remove the backtest that was made at `made_ms`, if there is one."""

    @abstractmethod
    def backtests(self) -> list[Kept]:
        """The kept backtests, newest first."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
