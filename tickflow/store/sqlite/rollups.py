"""Columns that are stored beside the points of the embedded file, so that months of points can be read quickly.

A block is a quarter of an hour of one symbol. Once the symbol has a tick in a later block, the writer rolls the block
up into columns of half a second, of ten seconds and of a hundred seconds, and into its totals. Columns of one width are
stored if the block has at least four times as many ticks. The transaction that writes or deletes a point also deletes
the rollup of its block. So every stored rollup agrees with the points; for any other block, the points themselves are
read.
"""

import math
import sqlite3
import struct
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import astuple

import numpy as np

from tickflow.store.base import Totals
from tickflow.store.pixels import LEVELS_NS, MEASURES, PLAIN, Pixels, combined
from tickflow.store.sqlite.latest import symbols as all_symbols

BLOCK_NS = 900 * 10**9
LEAST_TICKS = 32
"""A block with fewer ticks has no rollup: its points can be read just as quickly."""
RATIO = 4
ONE_TURN = 64
"""The maximum number of blocks that are rolled up after one write, so that no write takes long."""
SEEKS = 64
"""The maximum number of blocks from before the start of this process that are checked after one write."""
FORM = zlib.crc32(",".join([*PLAIN, *MEASURES]).encode())
"""The format in which columns are stored; rollups in any other format are ignored."""
SCHEMA = """
    CREATE TABLE IF NOT EXISTS store_rollups (
        symbol TEXT NOT NULL, level INTEGER NOT NULL, block INTEGER NOT NULL, form INTEGER NOT NULL, columns BLOB,
        PRIMARY KEY (symbol, level, block)
    );
"""
_STRENGTH = "CASE WHEN is_anomaly THEN abs(price / ma_10 - 1) END"
_POINTS = f"""
    SELECT time_ns, price, price, price, price, volume, 1, is_anomaly, {_STRENGTH},
        {", ".join(f"{name}, {name}" for name in MEASURES)}
    FROM store_points WHERE symbol = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns, source
"""  # noqa: S608 - only our own names are inserted
_TOTALS = """
    SELECT max(price), min(price), sum(volume), sum(price * volume), count(*)
    FROM store_points WHERE symbol = ? AND time_ns >= ? AND time_ns < ?
"""
_PACKED = struct.Struct("<4dq")
"""The totals of a block in the order of `Totals`; they are stored under the level `BLOCK_NS`."""
Block = tuple[str, int]


def forget(connection: sqlite3.Connection, blocks: Iterable[Block]) -> None:
    """Delete the rollups of these blocks, within the transaction that changes their points."""
    rows = [(symbol, level, block) for symbol, block in blocks for level in (*LEVELS_NS, BLOCK_NS)]
    connection.executemany("DELETE FROM store_rollups WHERE symbol = ? AND level = ? AND block = ?", rows)


def roll(connection: sqlite3.Connection, block: Block) -> None:
    """Roll up one block, within a transaction."""
    symbol, number = block
    rows = connection.execute(_POINTS, (symbol, number * BLOCK_NS, (number + 1) * BLOCK_NS)).fetchall()
    if len(rows) < LEAST_TICKS:
        return
    found = Pixels.from_rows(rows)
    value = math.fsum((found.close * found.volume).tolist())
    totals = Totals(float(found.high.max()), float(found.low.min()), math.fsum(found.volume), value, len(rows))
    kept: list[tuple[str, int, int, int, bytes | None]] = [
        (symbol, BLOCK_NS, number, FORM, _PACKED.pack(*astuple(totals)))
    ]
    for level in LEVELS_NS:  # each width is a multiple of the previous one
        found = combined(found, level)
        kept.append((symbol, level, number, FORM, packed(found) if len(rows) >= RATIO * len(found) else None))
    connection.executemany("INSERT OR REPLACE INTO store_rollups VALUES (?, ?, ?, ?, ?)", kept)


def read(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, level_ns: int) -> dict[int, Pixels]:
    """The stored columns that are `level_ns` wide, of each rolled-up block that lies entirely in [`since_ns`,
    `until_ns`).
    """
    stored = _stored(connection, symbol, since_ns, until_ns, level_ns)
    return {block: unpacked(columns) for block, columns in stored.items()}


def totals(connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int) -> Totals | None:
    """The totals of the symbol's points in [`since_ns`, `until_ns`); `None` if it has none there."""
    stored = _stored(connection, symbol, since_ns, until_ns, BLOCK_NS)
    rows = [_PACKED.unpack(each) for each in stored.values()]
    rows += [connection.execute(_TOTALS, (symbol, *gap)).fetchone() for gap in _gaps(stored, since_ns, until_ns)]
    found = [row for row in rows if row[-1]]
    if not found:
        return None
    high, low, volume, value, ticks = zip(*found, strict=True)
    return Totals(max(high), min(low), math.fsum(volume), math.fsum(value), sum(ticks))


def _stored(
    connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, level_ns: int
) -> dict[int, bytes]:
    """The stored data of each rolled-up block that lies entirely in [`since_ns`, `until_ns`)."""
    first, end = -(-since_ns // BLOCK_NS), until_ns // BLOCK_NS
    rows = connection.execute(
        "SELECT block, columns FROM store_rollups WHERE symbol = ? AND level = ? AND block >= ? AND block < ? "
        "AND form = ? AND columns IS NOT NULL ORDER BY block",
        (symbol, level_ns, first, end, FORM),
    )
    return dict(rows.fetchall())


def _gaps(blocks: Iterable[int], since_ns: int, until_ns: int) -> list[tuple[int, int]]:
    """The parts of a time range outside these blocks, which are in time order."""
    found, at = [], since_ns
    for block in blocks:
        if at < block * BLOCK_NS:
            found.append((at, block * BLOCK_NS))
        at = (block + 1) * BLOCK_NS
    if at < until_ns:
        found.append((at, until_ns))
    return found


def packed(found: Pixels) -> bytes:
    """Serialise columns to bytes."""
    times = np.ascontiguousarray(found.time_ns).view(np.float64)
    plain = [getattr(found, name).astype(np.float64) for name in PLAIN[1:]]
    ranges = [side[name] for name in MEASURES for side in (found.lows, found.highs)]
    return np.stack([times, *plain, *ranges]).tobytes()


def unpacked(columns: bytes) -> Pixels:
    """Read columns from the bytes that `packed` returned."""
    values = np.frombuffer(columns, dtype=np.float64).reshape(len(PLAIN) + 2 * len(MEASURES), -1)
    plain = dict(zip(PLAIN, values, strict=False))
    ranges = values[len(PLAIN) :]
    return Pixels(
        **plain
        | {
            "time_ns": plain["time_ns"].view(np.int64),
            "ticks": plain["ticks"].astype(np.int64),
            "anomalies": plain["anomalies"].astype(np.int64),
            "lows": dict(zip(MEASURES, ranges[0::2], strict=True)),
            "highs": dict(zip(MEASURES, ranges[1::2], strict=True)),
        }  # type: ignore[arg-type]  # each by name, with its type from above
    )


class Waiting:
    """The blocks that wait to be rolled up: first blocks that their symbol has left, then blocks written before this
    process started.
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._due: deque[Block] = deque()
        self._older: deque[Block] | None = None

    def touched(self, blocks: Iterable[Block]) -> None:
        """Record that points of these blocks were written. A block is due once its symbol has a newer one."""
        for symbol, block in sorted(set(blocks), key=lambda each: each[1]):
            before = self._newest.get(symbol, block)
            if block != before:
                self._due.append((symbol, min(block, before)))
            self._newest[symbol] = max(block, before)

    def some(self, connection: sqlite3.Connection) -> list[Block]:
        """The next blocks to roll up."""
        found = [self._due.popleft() for _ in range(min(ONE_TURN, len(self._due)))]
        if found:
            return list(dict.fromkeys(found))
        if self._older is None:
            self._older = deque((symbol, 0) for symbol in list(all_symbols(connection)))
        for _ in range(SEEKS):
            if not self._older:
                break
            symbol, block = self._older.popleft()
            if (block_at := _from(connection, symbol, block)) is None:
                continue
            self._older.appendleft((symbol, block_at + 1))
            if not _is_rolled(connection, symbol, block_at):
                found.append((symbol, block_at))
        return found


def _from(connection: sqlite3.Connection, symbol: str, block: int) -> int | None:
    """The symbol's first block at or after `block` that has a point; `None` if there is none before its newest block,
    which may still grow.
    """
    query = (
        "SELECT min(time_ns), (SELECT max(time_ns) FROM store_points WHERE symbol = :symbol) FROM store_points "
        "WHERE symbol = :symbol AND time_ns >= :since"
    )
    first, newest = connection.execute(query, {"symbol": symbol, "since": block * BLOCK_NS}).fetchone()
    return None if first is None or first // BLOCK_NS == newest // BLOCK_NS else int(first) // BLOCK_NS


def _is_rolled(connection: sqlite3.Connection, symbol: str, block: int) -> bool:
    query = "SELECT 1 FROM store_rollups WHERE symbol = ? AND level = ? AND block = ? AND form = ?"
    return connection.execute(query, (symbol, BLOCK_NS, block, FORM)).fetchone() is not None


def pieces(
    connection: sqlite3.Connection, symbol: str, since_ns: int, until_ns: int, level_ns: int
) -> tuple[list[Pixels], list[tuple[int, int]]]:
    """The rollups of a time range, and the parts of it for which the points have to be read."""
    found = read(connection, symbol, since_ns, until_ns, level_ns)
    return list(found.values()), _gaps(found, since_ns, until_ns)
