"""The metrics store on InfluxDB 2.x: written by line protocol, read by InfluxQL."""

import copy
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from influxdb_client import Point, WritePrecision
from influxdb_client.rest import ApiException

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import SettingError, Stopped, StoreError, StoreMisconfigured, StoreUnavailable
from tickflow.metrics.points import MEASUREMENT, Points
from tickflow.settings.certificates import Certificates
from tickflow.store.base import DAY_NS, STATUS_MEASUREMENT, MetricsStore, Totals, WorkerStatus, Written
from tickflow.store.candles import Candles
from tickflow.store.digest import Digest, Outline
from tickflow.store.influx import answers, candles, digest, latest, parts, pixels, preceded
from tickflow.store.influx.influxql import (
    MOST_NAMED,
    SYSTEMS_OWN,
    InfluxQL,
    Integer,
    Value,
    named,
)
from tickflow.store.influx.kept import BLOCK_NS, Kept
from tickflow.store.influx.lines import to_lines
from tickflow.store.influx.point_rows import SELECTED, PointRow, points_of
from tickflow.store.influx.recent import Recent, Rows
from tickflow.store.influx.series import MOST_COUNTED, MOST_SOURCES, Series, Sources
from tickflow.store.influx.visibility import Row, whole
from tickflow.store.influx.writer import Writer
from tickflow.store.pixels import LEVELS_NS, Pixels

_STATUS_INTEGERS = ("processed_at", "newest_event", "lag_records", "accepted", "refused", "expired", "foreign")
_STATUS_TEXTS = ("held_up_by", "notice", "state", "doing")
_LATER: dict[str, Any] = {"notice": "", "state": "", "doing": "", "foreign": 0}
"""The fields of a status that older workers do not write, with the values to assume."""
_STATUS_ROW: Any = tuple[(Integer, str, *[Integer | None] * len(_STATUS_INTEGERS), *[str | None] * len(_STATUS_TEXTS))]  # type: ignore[misc]

_FEW = 12
"""For up to this many symbols, the newest point of each is read with its own query, over its last minutes."""
_USUAL_GAP_NS = 5 * 10**9
_FIRST_NS = -(2**63) + 2 * 10**9
"""Roughly the earliest time that InfluxDB can store."""
PREPARED_NS, PREPARED_POINTS = 31 * DAY_NS, 200_000
"""When the page starts, it reads the last `PREPARED_NS` in advance, for each symbol with at least `PREPARED_POINTS`
points in this time.
"""

_logger = logging.getLogger(__name__)


class InfluxStore(MetricsStore):
    """Points in the measurement `stock_metrics` of the bucket, worker statuses in `stock_status`.

    Thread-safe: any number of threads may read and write; each uses its own pooled connection. A write uses up to
    `connections` of them; no request has more than `batch_points`. Environment variables such as `http_proxy` do not
    divert its requests.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        org: str,
        bucket: str,
        stop: threading.Event,
        batch_points: int = 5_000,
        connections: int = 4,
        gzip: bool = False,
        certificates: Certificates = SYSTEMS_OWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not (token.isascii() and token.isprintable()):  # the client's error would show the token
            raise SettingError("INFLUXDB_TOKEN", "**********", "plain printable characters, as InfluxDB's tokens have")
        self.stop = stop
        self.where = f"InfluxDB at {url} (INFLUXDB_URL)"
        self._bucket = bucket
        self._clock = clock
        url = url.rstrip("/")
        self._influxql = InfluxQL(
            url, token=token, org=org, bucket=bucket, where=self.where, certificates=certificates, clock=clock
        )
        self._latest: dict[int | None, latest.Latest] = {}
        self._series: Callable[[str], Series] = Series
        self._sources: Sources | None = None
        self._recent = Recent(self._influxql, self.anomalies)
        self._kept_seconds: int | None = None
        self._kept = Kept(partial(pixels.pixels, self._influxql), partial(pixels.counts, self._influxql))
        self._writer = Writer(
            url,
            token=token,
            org=org,
            bucket=bucket,
            where=self.where,
            certificates=certificates,
            gzip=gzip,
            clock=clock,
        )
        self._batch_points = batch_points
        self._connections = connections
        self._senders = ThreadPoolExecutor(connections, "sender")

    def bounded(self, most_sources: int = MOST_SOURCES) -> "InfluxStore":
        """This store with bounded queries: it reads only some sources of a symbol that has too many (see `series`)."""
        other = copy.copy(self)
        other._sources = Sources(self._influxql, most_sources)
        other._series = other._sources.of
        return other

    def sources_left_out(self, symbol: str) -> int:
        """How many sources of the symbol this store does not read."""
        return 0 if self._sources is None else self._sources.left_out(symbol)

    def connect(self) -> None:
        """Wait until InfluxDB answers, then check token and bucket once. A refusal is only logged, since every later
        call will raise it too.

        Raises `SettingError` if InfluxDB answers this bucket's queries from another bucket, and `Stopped`.
        """
        saying = Saying(_logger)
        for delay in Backoff(longest=1.0):
            if self.stop.is_set():
                raise Stopped(f"asked to stop while waiting for {self.where}")
            trouble = self._influxql.ping()
            self.trouble = trouble or ""
            if trouble is None:
                break
            saying(f"waiting: {trouble}")
            sleep(self.stop, delay)
        saying.over(f"{self.where} answers")
        self._check_access()

    def write(self, points: Points) -> Written:
        """Store the points in one attempt, with as few requests as InfluxDB accepts; many points are sent over several
        connections.
        """
        return self.prepared(points)()

    def prepared(self, points: Points) -> Callable[[], Written]:
        """Turn the points into lines now; the returned function stores them."""
        lines = to_lines(points)
        size = parts.size_of(len(lines), self._batch_points, self._connections)
        # Concurrent requests arrive in any order, but among points with the same identity the last must win.
        at_once = 1 if points.repeat_themselves() else self._connections
        order = parts.order_of(points.symbol)
        return partial(self._write, lines, order, size, at_once)

    def write_status(self, status: WorkerStatus) -> None:
        """Store the status of one worker."""
        point = Point(STATUS_MEASUREMENT).tag("worker", status.worker)
        for name in (*_STATUS_INTEGERS, *_STATUS_TEXTS):
            point.field(name, getattr(status, name))  # a field that is `None` is not written
        point.time(status.written_at, WritePrecision.NS)
        error = self._writer.write(point.to_line_protocol())
        if error is not None and not answers.is_expired(error):
            raise self._writer.failure(error) from error

    def statuses(self) -> list[WorkerStatus]:
        """The newest status of every worker that wrote one within the last day, most recent first."""
        selected = ", ".join(f'"{name}"' for name in ("worker", *_STATUS_INTEGERS, *_STATUS_TEXTS))
        rows = self._influxql.rows(
            _STATUS_ROW,
            f'SELECT {selected} FROM "{STATUS_MEASUREMENT}" WHERE time >= $since '  # noqa: S608 - only our own names are inserted
            'GROUP BY "worker" ORDER BY time DESC LIMIT 1',
            {"since": int(self._clock() * 1e9) - DAY_NS},
        )
        names = (*_STATUS_INTEGERS, *_STATUS_TEXTS)
        found = []
        for written_at, worker, *values in rows:
            report: dict[str, Any] = dict(zip(names, values, strict=True))
            report |= {name: value for name, value in _LATER.items() if report[name] is None}
            found.append(WorkerStatus(worker, written_at, **report))
        return sorted(found, key=lambda status: (-status.written_at, status.worker))

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest point (before `until_ns`) of each symbol, ordered by symbol: of all, or of the first `most`
        by name.
        """
        if until_ns is not None:
            return latest.of(self._influxql, symbols, until_ns, "" if most is None else f" SLIMIT {most}")
        if symbols is None:
            listener = None if most is None else self._recent
            return self._latest.setdefault(most, latest.Latest(self._influxql, most=most, listener=listener)).read()
        if len(symbols) > _FEW:
            return latest.of(self._influxql, symbols)
        found = [self.newest(symbol, 1) for symbol in sorted(set(symbols))]
        return Points.joined([points for points in found if len(points)] or [Points.from_rows([])])

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        """The first price at or after `since_ns` (and before `until_ns`) of each symbol (all by default)."""
        if (recent := self._recently(since_ns, until_ns)) is not None:
            return recent.first_prices(since_ns, symbols)
        condition, params = _before(until_ns, *named(symbols))
        names = frozenset(symbols or ())
        rows = self._influxql.rows(
            tuple[Integer, float, str],
            f'SELECT first("price"), "symbol" FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
            f'WHERE {condition} AND time >= $since GROUP BY "symbol"',
            params | {"since": since_ns},
        )
        return {symbol: price for _, price, symbol in rows if symbols is None or symbol in names}

    def first_prices_and_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None
    ) -> tuple[dict[str, float], dict[str, int]]:
        """What `first_prices` and `anomaly_counts` return; InfluxDB answers both at the same time."""
        if self._recently(since_ns, None) is not None:
            return super().first_prices_and_counts(since_ns, symbols)
        condition, params = named(symbols)
        queries = [
            f'SELECT {selected} FROM "{MEASUREMENT}" WHERE {condition}{further} AND time >= $since GROUP BY "symbol"'  # noqa: S608 - only our own names are inserted; values are bound
            for selected, further in (('first("price")', ""), ('count("is_anomaly")', ' AND "is_anomaly" = true'))
        ]
        first, counts = self._influxql.grouped_each(tuple[Integer, float], queries, params | {"since": since_ns})
        wanted = first.keys() if symbols is None else first.keys() & set(symbols)
        return (
            {symbol: first[symbol][0][1] for symbol in wanted if first[symbol]},
            {symbol: int(sum(count for _, count in counts[symbol])) for symbol in wanted & counts.keys()},
        )

    def _recently(self, since_ns: int, until_ns: int | None) -> Rows | None:
        """The rows in memory, if all from `since_ns` on are there."""
        return self._recent.since(since_ns) if until_ns is None else None

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """The last price in [`since_ns`, `until_ns`), of each symbol (all by default)."""
        condition, params = named(symbols)
        rows = self._influxql.grouped(
            tuple[Integer, float],
            f'SELECT last("price") FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
            f'WHERE {condition} AND time >= $since AND time < $until GROUP BY "symbol"',
            params | {"since": since_ns, "until": until_ns},
        )
        names = rows.keys() if symbols is None else rows.keys() & set(symbols)
        return {symbol: rows[symbol][-1][1] for symbol in names if rows[symbol]}

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        """The totals of the symbol's points in [`since_ns`, `until_ns`); `None` if it has none there."""
        series = self._series(symbol)
        within = series.within
        asked: list[tuple[Any, str]] = [
            (
                tuple[Integer, float | None, float | None, float | None, Integer],
                f'SELECT max("price"), min("price"), sum("volume"), count("price") {within}',
            ),
            (
                tuple[Integer, float | None],
                f'SELECT sum("value") FROM (SELECT "price" * "volume" AS "value" {within}) '  # noqa: S608
                "WHERE time >= $since AND time < $until",
            ),
        ]
        prices, values = self._influxql.together(asked, series.bound(since=since_ns, until=until_ns))
        if not prices or not values or not prices[0][-1]:
            return None
        _, high, low, volume, ticks = prices[0]
        return Totals(high, low, volume, values[0][1], ticks)

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """The symbol's first `most` (all by default) points in [`since_ns`, `until_ns`), in time order."""
        if most is not None and most <= 0:  # to InfluxQL, LIMIT 0 means no limit
            return Points.from_rows([])
        until = "" if until_ns is None else "AND time < $until"
        limit = "" if most is None else "LIMIT $most"
        series = self._series(symbol)
        query = f'SELECT {SELECTED} FROM "{MEASUREMENT}" WHERE {series.condition} AND time >= $since {until} {limit}'  # noqa: S608
        params = series.bound(since=since_ns)
        params |= {} if until_ns is None else {"until": until_ns}
        params |= {} if most is None else {"most": most}

        def read() -> tuple[Points, list[Row]]:
            parts, left_out = zip(*map(points_of, self._influxql.batches(PointRow, query, params)), strict=True)
            return Points.joined(parts), list(itertools.chain(*left_out))

        return whole(read, excused=self._influxql.excused)

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """The number of the symbol's points in [`since_ns`, `until_ns`)."""
        series = self._series(symbol)
        rows = self._influxql.rows(
            tuple[Integer, Integer],
            f'SELECT count("price") {series.within}',
            series.bound(since=since_ns, until=until_ns),
        )
        return rows[0][1] if rows else 0

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """Whether the bucket's retention keeps a point whose time is `time_ns`."""
        seconds = self._retention()
        return not seconds or time_ns >= (self._clock() - seconds) * 1e9

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        """The symbol's newest `count` points (before `until_ns`), in time order."""
        if count <= 0:  # to InfluxQL, LIMIT 0 means no limit
            return Points.from_rows([])
        series = self._series(symbol)
        condition, bound = _before(until_ns, series.condition, series.bound())
        last = self._influxql.rows(
            tuple[Integer, float],
            f'SELECT last("price") FROM "{MEASUREMENT}" WHERE {condition}',  # noqa: S608 - only our own names are inserted
            bound,
        )
        # InfluxDB scans all of a series that it reads backwards: a month with one tick per second takes 0.4 s, its last
        # minutes take 10 ms.
        for span in (count * _USUAL_GAP_NS, DAY_NS, None) if last else ():
            params = bound | {"count": count, "since": _since(last[0][0], span)}
            query = (
                f'SELECT {SELECTED} FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
                f"WHERE {condition} AND time >= $since ORDER BY time DESC LIMIT $count"
            )
            found = whole(partial(self._read_back, query, params), excused=self._influxql.excused)
            if len(found) >= count or span is None:
                return found
        return Points.from_rows([])

    def _read_back(self, query: str, params: dict[str, Value]) -> tuple[Points, list[Row]]:
        return points_of(self._influxql.rows(PointRow, query, params)[::-1])

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest `count` anomalies (of all symbols by default) at or after `since_ns` (and before `until_ns`),
        in time order.

        For more than `MOST_NAMED` symbols the result may have fewer: the anomalies of other symbols that sort among
        them count towards `count`.
        """
        if count <= 0:
            return Points.from_rows([])
        recent = self._recently(since_ns, until_ns)
        if recent is not None and recent.flagged_ns <= since_ns:
            return recent.anomalies(since_ns, count, symbols)
        condition, params = _before(until_ns, *named(symbols))
        query = (
            f'SELECT {SELECTED} FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
            f'WHERE {condition} AND "is_anomaly" = true AND time >= $since ORDER BY time DESC LIMIT $count'
        )
        params |= {"since": since_ns, "count": count}
        found = whole(
            lambda: points_of(self._influxql.rows(PointRow, query, params)[::-1]), excused=self._influxql.excused
        )
        if symbols is None or len(symbols) <= MOST_NAMED:
            return found
        names = frozenset(symbols)
        return found.take([at for at, symbol in enumerate(found.symbol) if symbol in names])

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""
        rows = self._recent.rows
        known = [None] * len(moments) if rows is None else rows.preceded(moments)
        others = [moment for moment, is_known in zip(moments, known, strict=True) if is_known is None]
        found = iter(preceded.read(self._influxql, others) if others else ())
        return [next(found) if each is None else each for each in known]

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        """The number of anomalies at or after `since_ns` (and before `until_ns`), by symbol (all by default);
        symbols without one are left out.
        """
        if (recent := self._recently(since_ns, until_ns)) is not None:
            return recent.anomaly_counts(since_ns, symbols)
        condition, params = _before(until_ns, *named(symbols))
        rows = self._influxql.grouped(
            tuple[Integer, Integer],
            f'SELECT count("is_anomaly") FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
            f'WHERE {condition} AND "is_anomaly" = true AND time >= $since GROUP BY "symbol"',
            params | {"since": since_ns},
        )
        names = rows.keys() if symbols is None else rows.keys() & set(symbols)
        return {symbol: sum(count for _, count in rows[symbol]) for symbol in names}

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """For each symbol, the last price in each of `steps` equal steps; those without a tick are left out."""
        width = max(1, -(-(until_ns - since_ns) // steps))
        queries = [
            f'SELECT last("price") FROM "{MEASUREMENT}" WHERE time >= ${begin} AND time < ${end} '  # noqa: S608
            f'GROUP BY "symbol", time({width}ns, {since_ns % width}ns) fill(none)'
            for begin, end in (("since", "middle"), ("middle", "until"))
        ]
        bound = {"since": since_ns, "middle": min(since_ns + steps // 2 * width, until_ns), "until": until_ns}
        halves = self._influxql.grouped_each(tuple[Integer, float], queries, bound)
        symbols = sorted(set(itertools.chain(*halves)))
        return {symbol: [price for half in halves for _, price in half.get(symbol, ())] for symbol in symbols}

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """A selection of the symbol's points in [`since_ns`, `until_ns`), small enough to draw."""
        return digest.read(self._influxql, self._series(symbol), since_ns, until_ns, steps)

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """The outline of what `digest` returns for the same arguments."""
        return digest.outline(self._influxql, self._series(symbol), since_ns, until_ns, steps)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """Candles `width_ns` wide, from the symbol's points in [`since_ns`, `until_ns`)."""
        return candles.read(self._influxql, self._series(symbol), since_ns, until_ns, width_ns)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """The symbol's points in [`since_ns`, `until_ns`), in columns `width_ns` wide."""
        return self._kept.pixels(self._series(symbol), since_ns, until_ns, width_ns)

    def prepare(self, stop: threading.Event) -> None:
        """Read in advance, at half speed, the last month's columns of each symbol that has a large number of points."""
        page = self.bounded()
        for symbol in self.latest().symbol:
            newest = page.newest(symbol, 1).time_ns
            end = (int(newest.max(initial=0)) // BLOCK_NS + 1) * BLOCK_NS
            if stop.is_set() or page.count(symbol, end - PREPARED_NS, end) < PREPARED_POINTS:
                continue
            for until in range(end, end - PREPARED_NS, -DAY_NS):
                begun = time.monotonic()
                page.pixels(symbol, until - DAY_NS, until, 5 * LEVELS_NS[-1])
                if stop.wait(time.monotonic() - begun):
                    return

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        """What `points` returns for the same arguments, or `None` if that would be more than `most` points."""
        return pixels.at_most(self._influxql, self._series(symbol), since_ns, until_ns, most)

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        """For each time range with an anomaly, the anomaly farthest from its MA10."""
        return pixels.strongest(self._influxql, self._series(symbol), spans)

    def symbol_count(self) -> int:
        """How many symbols there are, or were: InfluxDB forgets a symbol some time after its last point."""
        # Counting them in InfluxDB would take five times as long.
        query = f'SHOW TAG VALUES FROM "{MEASUREMENT}" WITH KEY = "symbol" LIMIT {MOST_COUNTED}'
        return len(self._influxql.rows(tuple[str, str], query))

    def first_time(self, symbol: str) -> int | None:
        """The time of the symbol's first stored point, in ns since 1970."""
        return pixels.first_time(self._influxql, self._series(symbol))

    def close(self) -> None:
        """Close all connections."""
        self._senders.shutdown()
        self._writer.close()
        self._influxql.close()

    def _write(self, lines: list[str], order: list[int], size: int, at_once: int) -> Written:
        written = parts.write(lines, order, size, at_once, self._post_all, self._writer.failure)
        if not written.expired:
            return written
        seconds = 0
        with suppress(StoreError):  # the points are written; only the bucket's settings may be unreadable for the token
            seconds = self._influxql.kept_seconds()
        kept = f"keeps points for {span_of(seconds)}" if seconds else "has a shorter retention"
        return replace(written, kept=f"the bucket {self._bucket!r} {kept}")

    def _retention(self) -> int:
        """How many seconds the bucket keeps points, asked for once and then cached; 0 means for ever."""
        if self._kept_seconds is None:
            self._kept_seconds = self._influxql.kept_seconds()
        return self._kept_seconds

    def _post_all(self, requests: list[list[str]]) -> list[ApiException | None]:
        """Send several requests at once, one connection each; all have ended when this returns or raises."""
        if len(requests) == 1:
            return [self._writer.write("\n".join(requests[0]))]
        sent = [self._senders.submit(self._writer.write, "\n".join(lines)) for lines in requests]
        wait(sent)
        return [each.result() for each in sent]

    def _check_access(self) -> None:
        """Log a warning if the token may neither read nor write the bucket; raise `SettingError` if InfluxDB answers
        this bucket's queries from another bucket.
        """
        with suppress(StoreError):  # an old version, or a refusal that the next lines report
            needed = self._influxql.misled()
            if needed:
                raise SettingError("INFLUXDB_BUCKET", self._bucket, needed)
        with suppress(StoreUnavailable):
            try:
                self.statuses()
            except StoreMisconfigured:
                error = self._writer.write("# may this token write?")
                if error is not None:
                    _logger.warning(self._writer.failure(error))


def _before(until_ns: int | None, condition: str, params: dict[str, Value]) -> tuple[str, dict[str, Value]]:
    """The condition and its parameters, limited to points before `until_ns`."""
    return (condition, params) if until_ns is None else (f"{condition} AND time < $until", params | {"until": until_ns})


def _since(newest_ns: int, span_ns: int | None) -> int:
    return _FIRST_NS if span_ns is None else max(_FIRST_NS, newest_ns - span_ns)


def span_of(seconds: int) -> str:
    """A bucket's retention in words.

    >>> span_of(3600), span_of(604_800), span_of(5400)
    ('1 hour', '7 days', '90 minutes')
    """
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next(each for each in units if seconds % each[1] == 0)
    number = seconds // length
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
