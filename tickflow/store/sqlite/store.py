"""The metrics store of the embedded stack: tables in the SQLite file, for one machine."""

import itertools
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from operator import itemgetter
from pathlib import Path

from tickflow.errors import SettingError, StoreMisconfigured, StoreUnavailable
from tickflow.metrics.fields import NAMES, TABLE, Kind
from tickflow.metrics.points import Points
from tickflow.sqlite import is_passing, open_database, unusable
from tickflow.store.base import DAY_NS, MetricsStore, Totals, WorkerStatus, Written
from tickflow.store.candles import Candles
from tickflow.store.deadline import DEADLINE, is_over, too_slow
from tickflow.store.digest import Digest, Outline
from tickflow.store.pixels import Pixels
from tickflow.store.sqlite import anomalies, candles, digest, pixels, rollups
from tickflow.store.sqlite.latest import COLUMNS, SYMBOL_COUNT, EveryLatest
from tickflow.store.sqlite.latest import symbols as all_symbols

PRUNE_EVERY_SECONDS = 60.0
"""Seconds between two sweeps that delete points older than the retention."""
PRUNE_ROWS = 2_000
"""How many points are deleted at a time: that takes a few milliseconds, so that no writer waits long for the lock."""
VACUUM_PAGES = 1_000
BATCH_ROWS = 10_000
_NO_LIMIT = -1
LAST_NS = 2**63 - 1
"""A time after every point: the largest integer of SQLite."""
_STEPS = 50_000
"""How many instructions SQLite's virtual machine executes (in a few milliseconds) between two checks of a request's
deadline.
"""
WRITE_CACHE_KB = 8_000
"""The page cache while points are written. A batch of 5,000 points of 500 symbols touches about a thousand pages; with
SQLite's usual 2 MB many of them would be written twice.
"""

_STATUS_COLUMNS = ", ".join(f'"{column.name}"' for column in fields(WorkerStatus))
_STATUS_PLACES = ", ".join("?" for _ in fields(WorkerStatus))

# Floats have no declared type: a REAL column would turn -0.0 into 0, an untyped one keeps the bits. A flag column that
# is added to an older file is false in the points that the file already has.
_TYPES = {
    Kind.TAG: "TEXT NOT NULL",
    Kind.TIME: "INTEGER NOT NULL",
    Kind.FLOAT: "",
    Kind.INTEGER: "INTEGER NOT NULL",
    Kind.BOOLEAN: "INTEGER NOT NULL DEFAULT 0",
}
_POINTS = {each.name: _TYPES[each.kind] for each in TABLE} | {"appended_ms": "INTEGER NOT NULL"}
_STATUSES = {
    "worker": "TEXT PRIMARY KEY",
    "written_at": "INTEGER NOT NULL",
    "processed_at": "INTEGER",
    "newest_event": "INTEGER",
    "lag_records": "INTEGER NOT NULL",
    "accepted": "INTEGER NOT NULL",
    "refused": "INTEGER NOT NULL",
    "expired": "INTEGER NOT NULL",
    "held_up_by": "TEXT NOT NULL",
    "notice": "TEXT NOT NULL DEFAULT ''",
    "state": "TEXT NOT NULL DEFAULT ''",
    "doing": "TEXT NOT NULL DEFAULT ''",
    "foreign": "INTEGER NOT NULL DEFAULT 0",
}
_TABLES = {"store_points": _POINTS, "store_statuses": _STATUSES}


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}" {declaration}' for name, declaration in columns.items())


# The page reads in the order of this key.
_SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS store_points (
        {_listed(_POINTS)},
        PRIMARY KEY (symbol, time_ns, source)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS store_points_appended ON store_points (appended_ms);
    CREATE INDEX IF NOT EXISTS store_points_anomalies ON store_points (time_ns) WHERE is_anomaly = 1;
    {rollups.SCHEMA}
    CREATE TABLE IF NOT EXISTS store_statuses ({_listed(_STATUSES)}) WITHOUT ROWID;
"""

# Two seeks per step instead of a scan of all its points: the cost does not grow with the tick rate of a symbol.
_LAST_WITHIN = (
    "SELECT price FROM store_points WHERE symbol = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns DESC LIMIT 1"
)


class EmbeddedStore(MetricsStore):
    """Points and worker statuses in the tables `store_points` and `store_statuses` of the file.

    Points are deleted `retention_days` after they were written, regardless of their event time. Thread-safe: each call
    uses its own connection, which is kept for later calls. `clock` gives seconds since 1970.
    """

    def __init__(
        self, path: Path, *, retention_days: float, stop: threading.Event, clock: Callable[[], float] = time.time
    ) -> None:
        self.stop = stop
        self.where = f"the file {path.absolute()} (EMBEDDED_FILE)"
        self._path = path
        self._retention_ms = int(retention_days * 86_400_000)
        self._clock = clock
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._next_sweep = 0.0
        self._latest = EveryLatest(clock)
        self._rolling = rollups.Waiting()

    def connect(self) -> None:
        """Open the file, creating it if missing; wait while it is locked or the disk is full.

        Raises `SettingError` for a path that cannot be such a file, and `Stopped`.
        """
        self._idle.append(open_database(self._path, self.stop, _SCHEMA, _TABLES))

    def write(self, points: Points) -> Written:
        """Store the points, all or none of them, in one transaction."""
        marks = ", ".join("?" * (len(NAMES) + 1))
        appended_ms = int(self._clock() * 1000)
        # Sorted by key, the batch touches each page once. Points with the same identity stay in order: the last one
        # wins.
        rows = [(*row, appended_ms) for row in sorted(points.rows(), key=itemgetter(0))]
        with self._writing() as connection:
            connection.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KB}")
            connection.executemany(
                f"INSERT OR REPLACE INTO store_points ({COLUMNS}, appended_ms) VALUES ({marks})",  # noqa: S608
                rows,
            )
            blocks = set(zip(points.symbol, (points.time_ns // rollups.BLOCK_NS).tolist(), strict=True))
            rollups.forget(connection, blocks)
        self._rolling.touched(blocks)
        self._sweep(2 * len(points))
        self._roll()
        return Written(len(points))

    def write_status(self, status: WorkerStatus) -> None:
        """Store the status of one worker in place of its previous one."""
        with self._writing() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO store_statuses ({_STATUS_COLUMNS}) VALUES ({_STATUS_PLACES})",  # noqa: S608
                astuple(status),
            )
        self._sweep()
        self._roll()

    def statuses(self) -> list[WorkerStatus]:
        """The newest status of every worker that wrote one within the last day, most recent first."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {_STATUS_COLUMNS} FROM store_statuses WHERE written_at >= ? ORDER BY written_at DESC, worker",  # noqa: S608
                (int(self._clock() * 1e9) - DAY_NS,),
            ).fetchall()
        return [WorkerStatus(*row) for row in rows]

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest point (before `until_ns`) of each symbol, ordered by symbol: of all, or of the first `most`
        by name.
        """
        with self._connection() as connection:
            if symbols is None and until_ns is None:
                return self._latest.of(most).read(connection)
            names = itertools.islice(all_symbols(connection), most) if symbols is None else sorted(set(symbols))
            newest = (_newest(connection, symbol, 1, until_ns) for symbol in list(names))
            return Points.from_rows(row for rows in newest for row in rows)

    def first_prices(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        """The first price at or after `since_ns` (and before `until_ns`) of each symbol (all by default)."""
        query = (
            "SELECT symbol, price FROM store_points WHERE symbol = ? AND time_ns >= ? AND time_ns < ? "
            "ORDER BY time_ns LIMIT 1"
        )
        until = LAST_NS if until_ns is None else until_ns
        with self._connection() as connection:
            names = list(all_symbols(connection)) if symbols is None else symbols
            found = (connection.execute(query, (symbol, since_ns, until)).fetchone() for symbol in names)
            return dict(row for row in found if row is not None)

    def last_prices(self, since_ns: int, until_ns: int, symbols: Sequence[str] | None = None) -> dict[str, float]:
        """The last price in [`since_ns`, `until_ns`), of each symbol (all by default)."""
        with self._connection() as connection:
            names = list(all_symbols(connection)) if symbols is None else symbols
            found = ((name, connection.execute(_LAST_WITHIN, (name, since_ns, until_ns)).fetchone()) for name in names)
            return {name: row[0] for name, row in found if row is not None}

    def totals(self, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
        """The totals of the symbol's points in [`since_ns`, `until_ns`); `None` if it has none there."""
        with self._connection() as connection:
            return rollups.totals(connection, symbol, since_ns, until_ns)

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        """The symbol's first `most` (all by default) points in [`since_ns`, `until_ns`), in time order."""
        until = "" if until_ns is None else "AND time_ns < ?"
        query = f"SELECT {COLUMNS} FROM store_points WHERE symbol = ? AND time_ns >= ? {until} ORDER BY time_ns LIMIT ?"  # noqa: S608
        limit = _NO_LIMIT if most is None else most
        with self._connection() as connection:
            bound = (symbol, since_ns, limit) if until_ns is None else (symbol, since_ns, until_ns, limit)
            cursor = connection.execute(query, bound)
            parts = [Points.from_rows(cursor.fetchmany(BATCH_ROWS))]
            while rows := cursor.fetchmany(BATCH_ROWS):
                parts.append(Points.from_rows(rows))
        return Points.joined(parts)

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:
        """The number of the symbol's points in [`since_ns`, `until_ns`)."""
        query = "SELECT count(*) FROM store_points WHERE symbol = ? AND time_ns >= ? AND time_ns < ?"
        with self._connection() as connection:
            return int(connection.execute(query, (symbol, since_ns, until_ns)).fetchone()[0])

    def keeps(self, time_ns: int, appended_ms: int) -> bool:
        """Whether the retention keeps a point whose record was appended at `appended_ms`: its age counts from the
        write, not from the event.
        """
        return appended_ms >= self._clock() * 1000 - self._retention_ms

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        """The symbol's newest `count` points (before `until_ns`), in time order."""
        with self._connection() as connection:
            rows = _newest(connection, symbol, max(0, count), until_ns)  # to SQLite, a negative limit means no limit
        return Points.from_rows(rows[::-1])

    def anomalies(
        self, since_ns: int, count: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> Points:
        """The newest `count` anomalies (of all symbols by default) at or after `since_ns` (and before `until_ns`),
        in time order.
        """
        with self._connection() as connection:
            return anomalies.newest(connection, since_ns, LAST_NS if until_ns is None else until_ns, count, symbols)

    def preceded(self, moments: Sequence[tuple[str, int]]) -> list[bool]:
        """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""
        with self._connection() as connection:
            return anomalies.preceded(connection, moments)

    def anomaly_counts(
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, int]:
        """The number of anomalies at or after `since_ns` (and before `until_ns`), by symbol (all by default);
        symbols without one are left out.
        """
        with self._connection() as connection:
            return anomalies.counts(connection, since_ns, LAST_NS if until_ns is None else until_ns, symbols)

    def trends(self, since_ns: int, until_ns: int, steps: int) -> dict[str, list[float]]:
        """For each symbol, the last price in each of `steps` equal steps; those without a tick are left out."""
        bounds = [since_ns + (until_ns - since_ns) * step // steps for step in range(steps + 1)]
        found: dict[str, list[float]] = {}
        with self._connection() as connection:
            for symbol in list(all_symbols(connection)):
                within = (
                    connection.execute(_LAST_WITHIN, (symbol, *pair)).fetchone() for pair in itertools.pairwise(bounds)
                )
                if prices := [row[0] for row in within if row is not None]:
                    found[symbol] = prices
        return found

    def digest(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Digest:
        """A selection of the symbol's points in [`since_ns`, `until_ns`), small enough to draw."""
        with self._connection() as connection:
            return digest.read(connection, symbol, since_ns, until_ns, steps)

    def outline(self, symbol: str, since_ns: int, until_ns: int, steps: int) -> Outline:
        """The outline of what `digest` returns for the same arguments."""
        with self._connection() as connection:
            return digest.outline(connection, symbol, since_ns, until_ns, steps)

    def candles(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Candles:
        """Candles `width_ns` wide, from the symbol's points in [`since_ns`, `until_ns`)."""
        with self._connection() as connection:
            return candles.read(connection, symbol, since_ns, until_ns, width_ns)

    def pixels(self, symbol: str, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        """The symbol's points in [`since_ns`, `until_ns`), in columns `width_ns` wide."""
        with self._connection() as connection:
            return pixels.pixels(connection, symbol, since_ns, until_ns, width_ns)

    def at_most(self, symbol: str, since_ns: int, until_ns: int, most: int) -> Points | None:
        """What `points` returns for the same arguments, or `None` if that would be more than `most` points."""
        with self._connection() as connection:
            return pixels.at_most(connection, symbol, since_ns, until_ns, most)

    def strongest(self, symbol: str, spans: Sequence[tuple[int, int]]) -> Points:
        """For each time range with an anomaly, the anomaly farthest from its MA10."""
        with self._connection() as connection:
            return pixels.strongest(connection, symbol, spans)

    def symbol_count(self) -> int:
        """How many symbols there are."""
        with self._connection() as connection:
            return int(connection.execute(SYMBOL_COUNT).fetchone()[0])

    def first_time(self, symbol: str) -> int | None:
        """The time of the symbol's first stored point, in ns since 1970."""
        with self._connection() as connection:
            return pixels.first_time(connection, symbol)

    def close(self) -> None:
        """Close all connections; those in use are closed at the end of their call."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _sweep(self, rows: int = 0) -> None:
        """Delete a chunk of expired points: more points than were just written, so that sweeping always catches up.

        A sweep starts once a minute and takes as many calls as it needs.
        """
        now = self._clock()
        if now < self._next_sweep:
            return
        with self._writing() as connection:
            key = "symbol, time_ns, source"
            deleted = connection.execute(
                f"DELETE FROM store_points WHERE ({key}) IN "  # noqa: S608 - only our own names are inserted
                f"(SELECT {key} FROM store_points WHERE appended_ms < ? ORDER BY appended_ms LIMIT ?) "
                "RETURNING symbol, time_ns",
                (int(now * 1000) - self._retention_ms, max(PRUNE_ROWS, rows)),
            ).fetchall()
            rollups.forget(connection, {(symbol, time_ns // rollups.BLOCK_NS) for symbol, time_ns in deleted})
            connection.execute("DELETE FROM store_statuses WHERE written_at < ?", (int(now * 1e9) - DAY_NS,))
        if deleted:
            self._latest.forget()
        else:
            self._next_sweep = now + PRUNE_EVERY_SECONDS
            with self._connection() as connection:
                # Run as a script, since `execute` would stop after the first page.
                connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES}); PRAGMA wal_checkpoint(PASSIVE)")

    def _roll(self) -> None:
        """Roll up the next blocks that are due."""
        with self._connection() as connection:
            blocks = self._rolling.some(connection)
        for block in blocks:
            with self._writing() as connection:
                rollups.roll(connection, block)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, which is committed at the end of the block."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that no other call uses at the same time. After an error it is closed, which rolls back its
        transaction.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        connection.set_progress_handler(is_over if DEADLINE.get() is not None else None, _STEPS)
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise too_slow() from error
            if is_passing(error):
                raise StoreUnavailable(f"{self.where} cannot be used at present: {error}") from error
            raise StoreMisconfigured(str(unusable(self._path, error))) from error
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:
            self.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return open_database(self._path, self.stop)
        except SettingError as error:
            raise StoreMisconfigured(str(error)) from error


def _newest(
    connection: sqlite3.Connection, symbol: str, count: int, until_ns: int | None = None
) -> list[tuple[object, ...]]:
    """The symbol's newest rows (before `until_ns`), newest first."""
    query = f"SELECT {COLUMNS} FROM store_points WHERE symbol = ? AND time_ns < ? ORDER BY time_ns DESC LIMIT ?"  # noqa: S608
    return connection.execute(query, (symbol, LAST_NS if until_ns is None else until_ns, count)).fetchall()
