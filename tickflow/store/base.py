"""What every metrics store can do: take points and worker statuses, and return them again.

The protocols are small, so that each user names what it needs; both adapters, `influx/` and `sqlite/`, implement all of
them.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from tickflow.metrics.points import Points
from tickflow.store.candles import Candles
from tickflow.store.digest import Digest, Outline
from tickflow.store.pixels import Pixels

STATUS_MEASUREMENT = "stock_status"
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one `write`.

    `refused` are the indexes of points that the store refuses for good, each with the store's own message; `expired`
    counts points outside the store's retention, and `kept` states this retention in words; all other points are stored.
    """

    stored: int
    refused: Sequence[tuple[int, str]] = ()
    expired: int = 0
    kept: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The last report of one worker about itself; times in ns since 1970.

    `written_at`: the wall clock of the report. `processed_at`: the wall clock of the worker's last batch (`None`: no
    batch yet). `newest_event`: the newest event time among its ticks. `held_up_by`: what it waits for, or empty.
    `notice`: what an operator should know about its records, or empty. `state` and `doing`: what it does, in one word
    (see `telemetry.health.State`, or `ended`) and in a sentence; empty if an older version wrote the report. The
    counters run from the worker's start; `foreign` counts commits of the group that no worker made.
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
    notice: str = ""
    state: str = ""
    doing: str = ""
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a symbol's ticks in a time range: extremes, and the sums of volume and of price times volume."""

    high: float
    low: float
    volume: float
    value: float
    ticks: int


class Connected(ABC):
    """A store that connects in `connect`, not in its constructor.

    Setting `stop` ends every wait of the store with `Stopped`. Every call may raise `StoreUnavailable` (try again) and
    `StoreMisconfigured` (an operator must act).
    """

    stop: threading.Event
    where: str
    """The store and the setting that names it, for messages."""

    trouble: str = ""
    """Why `connect` is still waiting, as a sentence; empty if the reason is not known."""

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
    """Writes the points of `stock_metrics`, each identified by (symbol, source, time). Workers need this."""

    @abstractmethod
    def write(self, points: Points) -> Written:
        """Store the points in one attempt; they are stored when this returns. A point that is written again overwrites
        itself.
        """

    def prepared(self, points: Points) -> Callable[[], Written]:
        """`write` in two steps: this call prepares the points without the store; the returned function stores them."""
        return partial(self.write, points)


class PointReader(Connected):
    """Reads stored points in time order. The audit, the page and notebooks need this."""

    @abstractmethod
    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """The symbol's first `most` (all by default) points in [`since_ns`, `until_ns`), in time order."""

    @abstractmethod
    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        """The symbol's newest `count` points (before `until_ns`), in time order."""

    @abstractmethod
    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest point (before `until_ns`) of each symbol, ordered by symbol: of all, or of the first `most`
        by name.

        With `most` and a large number of symbols, the points may be those that were newest at the previous call.
        """

    @abstractmethod
    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """The number of the symbol's points in [`since_ns`, `until_ns`)."""

    @abstractmethod
    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        """The first price at or after `since_ns` (and before `until_ns`) of each symbol (all by default)."""

    @abstractmethod
    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """Whether the retention keeps a point whose time is `time_ns` and whose record was appended at `appended_ms`
        (ms since 1970).
        """


class PageQueries(PointReader):
    """The queries of the page: a few rows that represent many points, and the anomalies."""

    @abstractmethod
    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest `count` anomalies (of all symbols by default) at or after `since_ns` (and before `until_ns`),
        in time order.
        """

    @abstractmethod
    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""

    @abstractmethod
    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        """The number of anomalies at or after `since_ns` (and before `until_ns`), by symbol (all by default);
        symbols without one are left out.
        """

    def first_prices_and_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None
    ) -> tuple[dict[str, float], dict[str, int]]:
        """What `first_prices` and `anomaly_counts` return, for less than the two take one after the other."""
        return self.first_prices(since_ns, symbols), self.anomaly_counts(since_ns, symbols)

    @abstractmethod
    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """The last price in [`since_ns`, `until_ns`), of each symbol (all by default)."""

    @abstractmethod
    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        """The totals of the symbol's points in [`since_ns`, `until_ns`); `None` if it has none there."""

    @abstractmethod
    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """For each symbol, the last price in each of `steps` equal steps from `since_ns` to `until_ns`.

        Steps and symbols without a tick are left out.
        """

    @abstractmethod
    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """A selection of the symbol's points in [`since_ns`, `until_ns`), small enough to draw: see `Digest`.

        `steps` equal steps divide the time from the first point of the range to `until_ns`.
        """

    @abstractmethod
    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """The outline of what `digest` returns for the same arguments."""

    @abstractmethod
    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """Candles `width_ns` wide, from the symbol's points in [`since_ns`, `until_ns`)."""

    @abstractmethod
    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """The symbol's points in [`since_ns`, `until_ns`), summarised as columns `width_ns` wide (see `Pixels`)."""

    @abstractmethod
    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        """What `points` returns for the same arguments, or `None` if that would be more than `most` points."""

    @abstractmethod
    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        """For each time range (from, before; in ns) with an anomaly, the anomaly farthest from its MA10."""

    @abstractmethod
    def symbol_count(self) -> int:
        """How many symbols there are."""

    @abstractmethod
    def first_time(self, symbol: str) -> int | None:
        """The time of the symbol's first stored point, in ns since 1970; `None` if it has none."""

    def sources_left_out(self, symbol: str) -> int:
        """How many sources of the symbol these queries leave out: 0, except in a store that `MetricsStore.bounded`
        returned.
        """
        del symbol
        return 0

    def prepare(self, stop: threading.Event) -> None:
        """Read in advance what the page would otherwise have to wait for; return early once `stop` is set. Raises
        `StoreError`.
        """


class StatusBoard(Connected):
    """Where each worker writes its status, for people and the page."""

    @abstractmethod
    def write_status(self, status: WorkerStatus) -> None:
        """Store the status of one worker."""

    @abstractmethod
    def statuses(self) -> list[WorkerStatus]:
        """The newest status of every worker that wrote one within the last day, most recent first."""


class MetricsStore(PointWriter, PageQueries, StatusBoard):
    """All protocols together: what each adapter implements."""

    def bounded(self) -> "MetricsStore":
        """This store in a form for the page, with bounded queries: if a symbol has too many sources, it may read only
        some of them, and `sources_left_out` counts the others. The two share their connections, so only this store is
        to be closed.
        """
        return self
