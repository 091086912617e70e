"""Typed fakes that tests share: a store in memory, and a feed that fills any store as a worker would."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from tickflow.alerts.kept import Kept
from tickflow.errors import StoreError
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.store import digest as digests
from tickflow.store.acks import MAX_BACKTESTS, Ack, AckStore, Layout
from tickflow.store.base import MetricsStore, Totals, WorkerStatus, Written
from tickflow.store.candles import Candles
from tickflow.store.digest import Digest, Outline, step_width
from tickflow.store.pixels import MEASURES, Pixels
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import Tick, decode, encode

DAY_NS = 86_400 * 10**9


class MemoryStore(MetricsStore):
    """A store in memory, tested against the contract of stores. While `failure` is set, every call raises it. With a
    `clock` (ns since 1970), statuses older than a day are left out.
    """

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self.stop = threading.Event()
        self.where = "the store of this test"
        self.failure: StoreError | None = None
        self._rows: dict[tuple[str, str, int], tuple[object, ...]] = {}
        self._statuses: dict[str, WorkerStatus] = {}

    def connect(self) -> None:
        self._check()

    def write(self, points: Points) -> Written:
        self._check()
        keys = zip(points.symbol, points.source, points.time_ns.tolist(), strict=True)
        # a new dictionary, since others may read the present one meanwhile
        self._rows = self._rows | dict(zip(keys, points.rows(), strict=True))
        return Written(len(points))

    def write_status(self, status: WorkerStatus) -> None:
        self._check()
        self._statuses[status.worker] = status

    def statuses(self) -> list[WorkerStatus]:
        self._check()
        oldest = self._clock() - DAY_NS if self._clock else 0
        found = (each for each in self._statuses.values() if each.written_at >= oldest)
        return sorted(found, key=lambda status: -status.written_at)

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        self._check()
        names = {symbol for symbol, _, _ in self._rows} if symbols is None else set(symbols)
        return Points.from_rows(row for symbol in sorted(names)[:most] for row in self._of(symbol, until_ns)[-1:])

    def symbol_count(self) -> int:
        self._check()
        return len({symbol for symbol, _, _ in self._rows})

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        self._check()
        found: dict[str, float] = {}
        for symbol in {symbol for symbol, _, _ in self._rows} if symbols is None else symbols:
            rows = self.points(symbol, since_ns, until_ns)
            if len(rows):
                found[symbol] = float(rows.price[0])
        return found

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        self._check()
        names = {symbol for symbol, _, _ in self._rows} if symbols is None else set(symbols)
        found = {symbol: self.points(symbol, since_ns, until_ns) for symbol in names}
        return {symbol: float(rows.price[-1]) for symbol, rows in found.items() if len(rows)}

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        self._check()
        rows = self.points(symbol, since_ns, until_ns)
        if not len(rows):
            return None
        sums = (float(rows.volume.sum()), float((rows.price * rows.volume).sum()))
        return Totals(float(rows.price.max()), float(rows.price.min()), *sums, len(rows))

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        self._check()
        rows = Points.from_rows(self._of(symbol))
        inside = (rows.time_ns >= since_ns) & (rows.time_ns < (until_ns or np.iinfo(np.int64).max))
        return rows.take(np.flatnonzero(inside)[:most])

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        return sum(since_ns <= time_ns < until_ns for name, _, time_ns in self._rows if name == symbol)

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        return True

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        self._check()
        return Points.from_rows(self._of(symbol, until_ns)[-count:] if count else [])

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        self._check()
        chosen = [row for row in self._rows.values() if symbols is None or row[0] in symbols]
        rows = Points.from_rows(sorted(chosen, key=lambda row: (row[2], row[0])))
        until = until_ns or np.iinfo(np.int64).max
        found = np.flatnonzero(rows.is_anomaly & (rows.time_ns >= since_ns) & (rows.time_ns < until))
        return rows.take(found[max(0, len(found) - count) :])

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        before = [self.points(symbol, 0, time_ns) for symbol, time_ns in moments]
        return [bool(len(rows) and rows.is_anomaly[-1]) for rows in before]

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        return dict(Counter(self.anomalies(since_ns, len(self._rows), symbols, until_ns).symbol))

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        self._check()
        bounds = [since_ns + (until_ns - since_ns) * step // steps for step in range(steps + 1)]
        found: dict[str, list[float]] = {}
        for symbol in {symbol for symbol, _, _ in self._rows}:
            within = [self.points(symbol, *pair).price[-1:].tolist() for pair in itertools.pairwise(bounds)]
            if prices := [price for prices in within for price in prices]:
                found[symbol] = prices
        return found

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        rows = self.points(symbol, since_ns, until_ns)
        width = step_width(int(rows.time_ns[0]), until_ns, steps) if len(rows) else 1
        flagged = np.flatnonzero(rows.is_anomaly)[-digests.MAX_ANOMALIES :].tolist()
        kept: set[int] = {0, len(rows) - 1, *flagged} if len(rows) else set()
        volumes: dict[int, float] = {}
        for _, group in itertools.groupby(range(len(rows)), key=lambda i: int(rows.time_ns[i]) // width):
            inside = list(group)
            kept |= {pick(inside, key=lambda i: float(rows.price[i])) for pick in (min, max)}
            last = max(kept.intersection(inside))
            volumes[last] = sum(float(rows.volume[i]) for i in inside if i not in kept)
        places = sorted(kept)
        volume = [float(rows.volume[i]) + volumes.get(i, 0) for i in places]
        return Digest(
            rows.take(places), np.array(volume, dtype=np.float64), len(rows), len(flagged) >= digests.MAX_ANOMALIES
        )

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        points = self.digest(symbol, since_ns, until_ns, steps).points
        return Outline(points.time_ns, points.price, points.is_anomaly, points.source)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        rows = self.points(symbol, since_ns, until_ns)
        steps = itertools.groupby(range(len(rows)), key=lambda i: int(rows.time_ns[i]) // width_ns * width_ns)
        found = []
        for step, group in steps:
            inside = rows.take(list(group))
            price = inside.price
            found.append((step, price[0], price.max(), price.min(), price[-1], inside.volume.sum(), len(inside)))
        return Candles.from_rows(found)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        rows = self.points(symbol, since_ns, until_ns)
        return slow_pixels(rows, width_ns)

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        rows = self.points(symbol, since_ns, until_ns)
        return rows if len(rows) <= most else None

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        found = []
        for span in spans:
            rows = self.points(symbol, *span)
            flagged = rows.take(np.flatnonzero(rows.is_anomaly))
            if len(flagged):
                found.append(flagged.take([max(range(len(flagged)), key=lambda i: _away(flagged, i))]))
        return Points.joined(found) if found else Points.from_rows([])

    def first_time(self, symbol: str) -> int | None:
        return min((key[2] for key in self._rows if key[0] == symbol), default=None)

    def close(self) -> None:
        pass

    def forget(self) -> None:
        """Delete all points."""
        self._rows = {}

    def _of(self, symbol: str, until_ns: int | None = None) -> list[tuple[object, ...]]:
        keys = [key for key in self._rows if key[0] == symbol and (until_ns is None or key[2] < until_ns)]
        return [self._rows[key] for key in sorted(keys, key=lambda key: (key[2], key[1]))]

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


def slow_pixels(rows: Points, width_ns: int) -> Pixels:
    """The columns that a store's `pixels` returns, computed tick by tick from all points."""
    found: list[list[object]] = []
    steps = itertools.groupby(range(len(rows)), key=lambda i: int(rows.time_ns[i]) // width_ns * width_ns)
    for step, group in steps:
        inside = list(group)
        price = [float(rows.price[i]) for i in inside]
        flagged = [i for i in inside if rows.is_anomaly[i]]
        ranges: list[object] = []
        for name in MEASURES:
            known = [value for value in getattr(rows, name)[inside].tolist() if value == value]
            ranges += [min(known, default=None), max(known, default=None)]
        volume = sum(float(rows.volume[i]) for i in inside)
        power = max((_away(rows, i) for i in flagged), default=None)
        found.append(
            [step, price[0], max(price), min(price), price[-1], volume, len(inside), len(flagged), power, *ranges]
        )
    return Pixels.from_rows(found)


def _away(rows: Points, at: int) -> float:
    return abs(float(rows.price[at]) / float(rows.ma_10[at]) - 1)


class BusyStore(MemoryStore):
    """A store that writes the next item of `coming` after each call of `latest`."""

    def __init__(self) -> None:
        super().__init__()
        self.coming: list[Points] = []

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        found = super().latest(symbols, most, until_ns)
        if self.coming:
            self.write(self.coming.pop(0))
        return found


class MemoryAcks(AckStore):
    """Acknowledgements in memory. While `failure` is set, every call raises it."""

    def __init__(self) -> None:
        self.failure: StoreError | None = None
        self._acks: dict[tuple[str, int, int, int], Ack] = {}
        self._layouts: dict[str, str] = {}
        self._backtests: dict[int, Kept] = {}

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        self._check()
        self._acks |= {(ack.symbol, ack.partition, ack.first_offset, ack.time_ns): ack for ack in acks}

    def withdraw(self, acks: Sequence[Ack]) -> None:
        self._check()
        for ack in acks:
            self._acks.pop((ack.symbol, ack.partition, ack.first_offset, ack.time_ns), None)

    def acknowledged(self, since_ns: int) -> list[Ack]:
        self._check()
        return [ack for ack in self._acks.values() if ack.time_ns >= since_ns]

    def keep_layout(self, layout: Layout, now_ns: int) -> None:
        self._check()
        self._layouts[layout.name] = layout.query

    def layouts(self) -> list[Layout]:
        self._check()
        return [Layout(*each) for each in sorted(self._layouts.items()) if each[1]]

    def keep_backtest(self, kept: Kept) -> None:
        self._check()
        self._backtests[kept.made_ms] = kept
        for oldest in sorted(self._backtests)[:-MAX_BACKTESTS]:
            del self._backtests[oldest]

    def remove_backtest(self, made_ms: int) -> None:
        self._check()
        self._backtests.pop(made_ms, None)

    def backtests(self) -> list[Kept]:
        self._check()
        return [self._backtests[made_ms] for made_ms in sorted(self._backtests, reverse=True)]

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


class Breakable(MetricsStore):
    """Wraps any store; while `failure` is set, every call that reads raises it."""

    def __init__(self, store: MetricsStore) -> None:
        self.stop = store.stop
        self.where = store.where
        self.failure: StoreError | None = None
        self._store = store

    def connect(self) -> None:
        self._store.connect()

    def write(self, points: Points) -> Written:
        return self._store.write(points)

    def write_status(self, status: WorkerStatus) -> None:
        self._store.write_status(status)

    def statuses(self) -> list[WorkerStatus]:
        return self._reading().statuses()

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        return self._reading().latest(symbols, most, until_ns)

    def symbol_count(self) -> int:
        return self._reading().symbol_count()

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        return self._reading().first_prices(since_ns, symbols, until_ns)

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        return self._reading().last_prices(since_ns, until_ns, symbols)

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        return self._reading().totals(symbol, since_ns, until_ns)

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        return self._reading().points(symbol, since_ns, until_ns, most)

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        return self._reading().count(symbol, since_ns, until_ns)

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        return self._reading().keeps(time_ns, appended_ms)

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        return self._reading().newest(symbol, count, until_ns)

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        return self._reading().anomalies(since_ns, count, symbols, until_ns)

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        return self._reading().preceded(moments)

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        return self._reading().anomaly_counts(since_ns, symbols, until_ns)

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        return self._reading().trends(since_ns, until_ns, steps)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        return self._reading().candles(symbol, since_ns, until_ns, width_ns)

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        return self._reading().digest(symbol, since_ns, until_ns, steps)

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        return self._reading().outline(symbol, since_ns, until_ns, steps)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        return self._reading().pixels(symbol, since_ns, until_ns, width_ns)

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        return self._reading().at_most(symbol, since_ns, until_ns, most)

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        return self._reading().strongest(symbol, spans)

    def first_time(self, symbol: str) -> int | None:
        return self._reading().first_time(symbol)

    def close(self) -> None:
        self._store.close()

    def _reading(self) -> MetricsStore:
        if self.failure is not None:
            raise self.failure
        return self._store


class Feed:
    """Turns prices into points of one partition, with the project's own windows and metrics.

    Event times start at `start`; consecutive ticks of the feed are `gap` apart, even if their symbols differ.
    """

    def __init__(
        self,
        *,
        start: datetime = datetime(2026, 1, 5, 14, 30, tzinfo=UTC),
        gap: timedelta = timedelta(seconds=1),
        source: str = "simulated",
        partition: int = 0,
    ) -> None:
        self.now = start
        self.gap = gap
        self.source = source
        self.partition = partition
        self.offset = 0
        self._windows = Windows()

    def points(self, symbol: str, prices: Sequence[float], volume: int = 100, at: datetime | None = None) -> Points:
        """The points of a symbol's next prices; with `at`, the first of them has that time."""
        entries = []
        for price in prices:
            tick = Tick(symbol, price, at or self.now, volume=volume, source=self.source)
            entries.append(Entry(self.partition, self.offset, symbol.encode(), encode(tick), 0, 0))
            self.offset += 1
            if at is None:
                self.now += self.gap
            at = None
        ticks, refused = decode(entries)
        assert not refused
        return Points.of(self.partition, ticks, measure(self._windows.advance(ticks), 2.0))


def a_status(
    *,
    now_ns: int,
    processed_ns: int | None,
    newest_ns: int | None,
    worker: str = "worker-1",
    held_up_by: str = "",
    notice: str = "",
) -> WorkerStatus:
    """A status that a worker wrote at `now_ns`."""
    return WorkerStatus(
        worker=worker,
        written_at=now_ns,
        processed_at=processed_ns,
        newest_event=newest_ns,
        lag_records=0,
        accepted=0,
        refused=0,
        expired=0,
        held_up_by=held_up_by,
        notice=notice,
    )
