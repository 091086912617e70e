"""The points and dead letters that must exist according to the log; kept on disk to save memory."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tickflow.metrics.fields import FIELDS, FLAG_FIELDS, FLOAT_FIELDS
from tickflow.metrics.points import Points
from tickflow.ticks.tick import Refused
from tickflow.verbs.dead_letters import Letter

_NAN = np.array(np.nan).view(np.int64)
_BYTES = 8 * len(FIELDS)

_SCHEMA = """
    CREATE TABLE points (
        symbol TEXT, time_ns INTEGER, source TEXT, depth INTEGER, appended_ms INTEGER, body BLOB,
        PRIMARY KEY (symbol, time_ns, source)
    ) WITHOUT ROWID;
    CREATE TABLE refused (partition INTEGER, offset INTEGER, reason TEXT, PRIMARY KEY (partition, offset))
        WITHOUT ROWID;
    CREATE TABLE letters (partition INTEGER, offset INTEGER, stage TEXT, PRIMARY KEY (partition, offset, stage))
        WITHOUT ROWID;
"""

Identity = tuple[int, str]
"""The time and source of a point; together with its symbol they identify it."""


class Expectation(NamedTuple):
    """An expected point: the number of ticks in its windows, the append time of its record, and the bits of its
    fields.
    """

    depth: int
    appended_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """A symbol's expected points in [`since_ns`, `until_ns`)."""

    since_ns: int
    until_ns: int
    points: dict[Identity, Expectation]


class Expected:
    """Points, refusals and dead letters in a temporary database, which is deleted together with this object."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # an empty name makes SQLite use a temporary file
        self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
        self.ticks = 0
        """How many points were added; fewer are kept if several have the same symbol, source and time."""

    def add(self, points: Points, depth: npt.NDArray[np.int64], appended_ms: Sequence[int]) -> None:
        """Add points in the order of the log; of two points with the same identity the later one is kept."""
        self.ticks += len(points)
        columns = (points.symbol, points.time_ns.tolist(), points.source, depth.tolist(), appended_ms, bodies(points))
        with self._together():
            self._database.executemany(
                "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?)", zip(*columns, strict=True)
            )

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Add records that must be among the dead letters."""
        rows = ((each.record.partition, each.record.offset, str(each.reason)) for each in refused)
        with self._together():
            self._database.executemany("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", rows)

    def deliver(self, letters: Iterable[Letter]) -> None:
        """Add the dead letters that were actually found, for comparison with the refused records."""
        rows = ((each.partition, each.offset, each.stage) for each in letters)
        with self._together():
            self._database.executemany("INSERT OR REPLACE INTO letters VALUES (?, ?, ?)", rows)

    def symbols(self) -> set[str]:
        """The symbols of all points."""
        return {symbol for (symbol,) in self._database.execute("SELECT DISTINCT symbol FROM points")}

    def counts(self) -> tuple[int, int]:
        """The number of points and the number of refused records."""
        (points,) = self._database.execute("SELECT count(*) FROM points").fetchone()
        (refused,) = self._database.execute("SELECT count(*) FROM refused").fetchone()
        return points, refused

    def slices(self, symbol: str, since_ns: int, until_ns: int, size: int) -> Iterator[Slice]:
        """The symbol's points in slices of about `size`; their time ranges together cover all time from
        `since_ns` on.
        """
        query = (
            "SELECT time_ns, source, depth, appended_ms, body FROM points WHERE symbol = ? AND time_ns >= ? "
            "ORDER BY time_ns LIMIT ?"
        )
        while since_ns < until_ns:
            rows = self._database.execute(query, (symbol, since_ns, size + 1)).fetchall()
            end = until_ns
            if len(rows) > size and rows[-1][0] > since_ns:
                end = rows[-1][0]  # this point and all others with the same time belong to the next slice
            yield Slice(since_ns, end, {(row[0], row[1]): Expectation(*row[2:]) for row in rows if row[0] < end})
            since_ns = end

    def is_letter(self, partition: int, offset: int, stage: str) -> bool:
        """Whether this dead letter exists."""
        query = "SELECT 1 FROM letters WHERE partition = ? AND offset = ? AND stage = ?"
        return self._database.execute(query, (partition, offset, stage)).fetchone() is not None

    def undelivered(self, stage: str) -> Iterator[tuple[int, int, str]]:
        """The refused records (partition, offset, reason) that have no dead letter with the stage `stage`."""
        yield from self._database.execute(
            "SELECT partition, offset, reason FROM refused AS r WHERE NOT EXISTS "
            "(SELECT 1 FROM letters AS l WHERE (l.partition, l.offset, l.stage) = (r.partition, r.offset, ?)) "
            "ORDER BY partition, offset",
            (stage,),
        )

    def first_letter(self, partition: int) -> int | None:
        """The lowest offset of the partition among all dead letters."""
        query = "SELECT min(offset) FROM letters WHERE partition = ?"
        (first,) = self._database.execute(query, (partition,)).fetchone()
        return None if first is None else int(first)

    def close(self) -> None:
        """Delete the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _together(self) -> closing["_Transaction"]:
        return closing(_Transaction(self._database))


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("BEGIN")

    def close(self) -> None:
        self._database.execute("COMMIT")


def bodies(points: Points) -> list[bytes]:
    """The bits of each point's fields, in the order of `FIELDS`; all absent values have the same bits."""
    matrix = np.empty((len(points), len(FIELDS)), dtype=np.int64)
    for column, name in enumerate(FIELDS):
        values = getattr(points, name)
        if name in FLOAT_FIELDS:
            matrix[:, column] = np.where(np.isnan(values), _NAN, np.ascontiguousarray(values).view(np.int64))
        else:
            matrix[:, column] = values
    everything = matrix.tobytes()
    return [everything[start : start + _BYTES] for start in range(0, len(everything), _BYTES)]


def values(body: bytes) -> dict[str, float | int | bool | None]:
    """The values that these bits encode, by field; `None` if absent."""
    found: dict[str, float | int | bool | None] = {}
    bits = np.frombuffer(body, dtype=np.int64)
    for column, name in enumerate(FIELDS):
        if name in FLOAT_FIELDS:
            number = float(bits[column : column + 1].view(np.float64)[0])
            found[name] = None if number != number else number
        else:
            found[name] = bool(bits[column]) if name in FLAG_FIELDS else int(bits[column])
    return found
