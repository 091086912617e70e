"""What every metrics store can do: take points and worker statuses, and give them back as rows.

The protocols are small, so that each user names what it needs; two adapters, `influx/` and `sqlite/`, implement all.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from tickflow.metrics.points import Points
from tickflow.store.digest import Digest, Outline

STATUS_MEASUREMENT = "stock_status"
DAY_NS = 86_400 * 10**9


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


@dataclass(frozen=True, slots=True)
class Candles:
    """A symbol's ticks in steps of equal length, as columns; steps without a tick are left out.

    `time_ns` is where a step begins, a multiple of its length since 1970; `open` and `close` are the first and the last
    price in it, `volume` is the sum, `ticks` how many there were.
    """

    time_ns: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    ticks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[object]]) -> Self:
        """Candles from rows in the order of this class's attributes."""
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * 7
        time_ns, ticks = (np.array(columns[at], dtype=np.int64) for at in (0, 6))
        first, high, low, last, volume = (np.array(columns[at], dtype=np.float64) for at in range(1, 6))
        return cls(time_ns, first, high, low, last, volume, ticks)


class Connected(ABC):
    """A connection to a store, made by `connect`, not by the constructor.

    `stop` is the event that ends every wait inside (`Stopped`). All calls of a store may raise `StoreUnavailable` (try
    again) and `StoreMisconfigured` (a person must act).
    """

    stop: threading.Event
    where: str
    """For messages: which store this is, and which setting names it."""

    @abstractmethod
    def connect(self) -> None:
        """Wait until the store answers. Raises `Stopped`."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class PointWriter(Connected):
    """Takes the points of `stock_metrics`, each known by (symbol, source, time): what a worker needs."""

    @abstractmethod
    def write(self, points: Points) -> Written:
        """Store the points, one attempt, synchronously: they are stored when it returns, a rewrite over itself."""

    def prepared(self, points: Points) -> Callable[[], Written]:
        """`write` in two steps: this call does what needs no store, the call that it returns does the rest."""
        return partial(self.write, points)


class PointReader(Connected):
    """Gives back stored points in the order of time: what the audit, the page and a notebook need."""

    @abstractmethod
    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """The symbol's first `most` (by default all) points from `since_ns` on, before `until_ns`, in order of time."""

    @abstractmethod
    def newest(self, symbol: str, count: int) -> Points:
        """The symbol's newest `count` points, in the order of time."""

    @abstractmethod
    def latest(self, symbols: Sequence[str] | None = None) -> Points:
        """The newest point of each symbol (by default of all), in the order of the symbols' names."""

    @abstractmethod
    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """How many points the symbol has from `since_ns` on, before `until_ns`."""

    @abstractmethod
    def first_prices(self, since_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """By symbol (by default all), the price of its first point at or after `since_ns`."""

    @abstractmethod
    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """Whether its retention leaves a point of that time, whose record was appended then (ms since 1970)."""


class PageQueries(PointReader):
    """What the page asks for: few rows that stand for many, and the anomalies."""

    @abstractmethod
    def anomalies(self, since_ns: int, count: int, symbols: Sequence[str] | None = None) -> Points:
        """The newest `count` anomalies of these symbols (by default all) from `since_ns` on, in the order of time."""

    @abstractmethod
    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """For each (symbol, time in ns), whether the symbol's last point before that time is an anomaly."""

    @abstractmethod
    def anomaly_counts(self, since_ns: int, symbols: Sequence[str] | None = None) -> dict[str, int]:
        """By symbol (by default all), how many anomalies it has from `since_ns` on; those without one are left out."""

    @abstractmethod
    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """By symbol, the last price in each of `steps` equal steps from `since_ns` to `until_ns`.

        Steps without a tick are left out, and so are symbols without one.
        """

    @abstractmethod
    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """The symbol's points from `since_ns` on, before `until_ns`, in so few that they can be drawn: see `Digest`.

        The steps are equal, and lie between its first point within and `until_ns`.
        """

    @abstractmethod
    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """The outline of what `digest` gives for the same arguments."""

    @abstractmethod
    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """The symbol's candles of that width, made of its points from `since_ns` on and before `until_ns`."""


class StatusBoard(Connected):
    """Where each worker writes what it does, and where people and the page read it."""

    @abstractmethod
    def write_status(self, status: WorkerStatus) -> None:
        """Store one worker's status."""

    @abstractmethod
    def statuses(self) -> list[WorkerStatus]:
        """The newest status of every worker that wrote one within the last day, the most recent first."""


class MetricsStore(PointWriter, PageQueries, StatusBoard):
    """All of it: what each of the two adapters implements."""
