"""What every metrics store can do: take points and worker statuses, and give them back as rows.

Two adapters implement it: `influx.py` and `embedded.py`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tickflow.points import Points

STATUS_MEASUREMENT = "stock_status"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the points of one `write`.

    `refused` are the indexes of points that the store can never take, each with its own words; `expired` counts those
    that lie outside its retention; all others are stored.
    """

    stored: int
    refused: Sequence[tuple[int, str]] = ()
    expired: int = 0


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What one worker last said of itself; times in ns since 1970.

    `written_at`: the wall clock when it said so. `processed_at`: the wall clock when it last took in ticks (`None`: not
    yet). `newest_event`: the newest event time among them. `held_up_by`: what it waits for, empty when nothing.
    The counters are since the worker's start.
    """

    worker: str
    written_at: int
    processed_at: int | None
    newest_event: int | None
    lag_records: int
    accepted: int
    refused: int
    expired: int
    held_up_by: str


class MetricsStore(ABC):
    """Points of `stock_metrics` by (symbol, source, time), and what the workers say of themselves.

    Connects in `connect`, not in the constructor. `stop` is the event that ends every wait inside (`Stopped`).
    All calls may raise `StoreUnavailable` (try again) and `StoreMisconfigured` (a person must act).
    """

    stop: threading.Event
    where: str
    """For messages: what it is and which setting names it."""

    @abstractmethod
    def connect(self) -> None:
        """Wait until the store answers. Raises `Stopped`."""

    @abstractmethod
    def write(self, points: Points) -> Written:
        """Store the points, one attempt, synchronously: when it returns they are stored, a rewrite over itself."""

    @abstractmethod
    def write_status(self, status: WorkerStatus) -> None:
        """Store what a worker says of itself."""

    @abstractmethod
    def statuses(self) -> list[WorkerStatus]:
        """The newest status of every worker that wrote one within the last day, the most recent first."""

    @abstractmethod
    def latest(self, symbols: Sequence[str] | None = None) -> Points:
        """The newest point of each symbol (by default of all), in the order of the symbols' names."""

    @abstractmethod
    def first_prices(self, since_ns: int) -> dict[str, float]:
        """By symbol, the price of its first point at or after `since_ns`."""

    @abstractmethod
    def points(self, symbol: str, since_ns: int, until_ns: int | None = None) -> Points:
        """The symbol's points from `since_ns` on, before `until_ns`, in the order of time."""

    @abstractmethod
    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """How many points the symbol has from `since_ns` on, before `until_ns`."""

    @abstractmethod
    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """Whether its retention leaves a point of that time, whose record was appended then (ms since 1970)."""

    @abstractmethod
    def newest(self, symbol: str, count: int) -> Points:
        """The symbol's newest `count` points, in the order of time."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
