"""Stores the state of each partition, together with the offset that it belongs to: that of its alerts, and after it
that of its windows where a restart would take long without it.

On Kafka: the compacted topic `<topic>.state` with one partition. A state is cut into chunks smaller than the usual
record limit. Each partition of ticks has two generations, written in turn, so that one stays complete while the other
is written. On the embedded stack: a table of the SQLite file.
"""

import logging
import re
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tickflow.errors import LogUnavailable, NotAcknowledged
from tickflow.sqlite import is_passing, open_database, unusable
from tickflow.ticklog.base import Bounds, Record, TickLog

CHUNK_BYTES = 400_000
FLUSH_SECONDS = 10.0
MOST_CHUNKS = 500
MOST_BYTES = 256 * 2**20
"""The largest size of a state; a state of 10,000 symbols takes a tenth of it."""
_TAIL = 64
"""How many records at the end of the topic the first attempt searches for a state; each further attempt searches more.
"""

_DIGITS = re.compile(rb"[0-9]{1,19}")
logger = logging.getLogger("tickflow.alerts")

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS alert_states (
        consumers TEXT NOT NULL, topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL,
        state BLOB NOT NULL, PRIMARY KEY (consumers, topic, "partition", "offset")
    ) WITHOUT ROWID;
"""


class Checkpoint(NamedTuple):
    """The state of a partition's watch after the ticks before `offset`, in the topic with the id `topic_id`, and the
    state of its windows (see tickflow/worker/kept.py), which may be empty.
    """

    partition: int
    offset: int
    topic_id: str
    state: bytes
    windows: bytes = b""

    def packed(self) -> bytes:
        """Both states, each compressed. A worker of an earlier version reads the first and ignores the rest."""
        return b"".join(zlib.compress(each, 1) for each in (self.state, self.windows) if each)


class Checkpoints(Protocol):
    """Keeps the newest checkpoints of each partition."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint; it is durable when this returns. Raises what the log or the file raises."""
        ...


def state_topic(topic: str) -> str:
    """The topic of the states.

    >>> state_topic("stock-ticks")
    'stock-ticks.state'
    """
    return f"{topic}.state"


class KafkaCheckpoints:
    """Writes checkpoints to the state topic, through its own log."""

    def __init__(self, log: TickLog, group: str) -> None:
        self._log = log
        self._group = group
        self._generations: dict[int, int] = {}

    def keep(self, checkpoint: Checkpoint) -> None:  # noqa: D102 - as in Checkpoints
        packed = checkpoint.packed()
        chunks = [packed[at : at + CHUNK_BYTES] for at in range(0, len(packed), CHUNK_BYTES)] or [b""]
        generation = self._generations.get(checkpoint.partition, 0)
        topic = state_topic(self._log.topic)
        headers = [
            ("group", self._group.encode()),
            ("offset", str(checkpoint.offset).encode()),
            ("topic_id", checkpoint.topic_id.encode()),
            ("chunks", str(len(chunks)).encode()),
        ]
        receipts = []
        for number, chunk in enumerate(chunks):
            key = f"{self._group}/{checkpoint.partition}/{generation}/{number}".encode()
            receipts.append(self._log.post(key, chunk, headers, topic))
        self._log.flush(FLUSH_SECONDS)
        if not all(receipt.is_acknowledged for receipt in receipts):
            raise NotAcknowledged(len(receipts), f"the topic {topic} did not confirm the state of the alerts", 0)
        self._generations[checkpoint.partition] = 1 - generation


def newest_in_log(log: TickLog, group: str, partition: int, fits: Callable[[Checkpoint], bool]) -> Checkpoint | None:
    """The newest complete checkpoint in the state topic that `fits` accepts; reads from the end. Raises
    `LogUnavailable`.
    """
    topic = state_topic(log.topic)
    if not log.partitions(topic):
        return None
    bounds = log.bounds(0, topic)
    begin, end, tail = bounds.end, bounds.end, _TAIL
    chunks: dict[tuple[str, int], dict[int, bytes]] = {}
    counts: dict[tuple[str, int], tuple[int, str]] = {}
    while begin > bounds.start:
        begin = max(bounds.start, end - tail)
        for records in log.read(0, Bounds(begin, end), topic):
            for record in records:
                _collect(record, group, partition, chunks, counts)
        whole = [key for key, (count, _) in counts.items() if len(chunks[key]) == count]
        for generation, offset in sorted(whole, key=lambda key: -key[1]):
            count, topic_id = counts[generation, offset]
            packed = b"".join(chunks[generation, offset].get(number, b"") for number in range(count))
            states = _unpacked(packed, f"partition {partition}, offset {offset:,}, in the topic {topic}")
            if states and fits(found := Checkpoint(partition, offset, topic_id, *states)):
                return found
        end, tail = begin, 2 * tail
    return None


def _collect(
    record: Record,
    group: str,
    partition: int,
    chunks: dict[tuple[str, int], dict[int, bytes]],
    counts: dict[tuple[str, int], tuple[int, str]],
) -> None:
    name = (record.key or b"").decode(errors="replace")
    if not name.startswith(f"{group}/{partition}/") or record.value is None:
        return
    given = dict(record.headers)
    try:
        generation, number = name.removeprefix(f"{group}/{partition}/").split("/")
        key = generation, _number(given["offset"])
        count, topic_id, at = _number(given["chunks"]), given["topic_id"].decode(), _number(number.encode())
    except (KeyError, ValueError, TypeError, AttributeError):  # written by another program: the topic is open to others
        logger.warning(
            "the record at offset %s of the state topic is not a state of alerts: it is ignored", record.offset
        )
        return
    if at < count <= MOST_CHUNKS:
        counts[key] = count, topic_id
        chunks.setdefault(key, {}).setdefault(at, record.value)


def _number(digits: bytes) -> int:
    """The number in these bytes. Raises `ValueError` unless they are decimal digits."""
    if not _DIGITS.fullmatch(digits):
        raise ValueError("no number")
    return int(digits)


def _unpacked(packed: bytes, where: str) -> list[bytes]:
    """The unpacked states of alerts and windows, or that of alerts alone; none if one is damaged or unpacks to more
    than `MOST_BYTES`.
    """
    states: list[bytes] = []
    while packed or not states:
        unpacking = zlib.decompressobj()
        try:
            states.append(unpacking.decompress(packed, MOST_BYTES))
        except zlib.error:
            break
        if not unpacking.eof or len(states) > 2:
            break
        packed = unpacking.unused_data
    else:
        return states
    logger.warning("the state of the alerts for %s is damaged or too large: an older one is used", where)
    return []


class EmbeddedCheckpoints:
    """Stores the two newest checkpoints in the table `alert_states`."""

    def __init__(self, path: Path, topic: str, group: str, stop: threading.Event) -> None:
        self._path = path
        self._topic = topic
        self._group = group
        self._stop = stop

    def keep(self, checkpoint: Checkpoint) -> None:  # noqa: D102 - as in Checkpoints
        place = (self._group, self._topic, checkpoint.partition)
        state = checkpoint.packed()
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT OR REPLACE INTO alert_states VALUES (?, ?, ?, ?, ?)", (*place, checkpoint.offset, state)
            )
            # If an operator sets the commit back, states with later offsets remain; the next checkpoint deletes them.
            connection.execute(
                'DELETE FROM alert_states WHERE (consumers, topic, "partition") = (?, ?, ?) AND "offset" NOT IN '
                '(SELECT "offset" FROM alert_states WHERE (consumers, topic, "partition") = (?, ?, ?) '
                'AND "offset" <= ? ORDER BY "offset" DESC LIMIT 2)',
                (*place, *place, checkpoint.offset),
            )
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The open file, for one query. Raises `LogUnavailable` while it is locked or the disk is full."""
        try:
            with closing(open_database(self._path, self._stop, _SCHEMA)) as connection:
                yield connection
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(self._path, error) from error
            raise LogUnavailable(f"the file {self._path} (EMBEDDED_FILE) cannot be used at present: {error}") from error

    def newest(self, partition: int, fits: Callable[[Checkpoint], bool]) -> Checkpoint | None:
        """The newest checkpoint that `fits` accepts."""
        with self._opened() as connection:
            rows = connection.execute(
                'SELECT "offset", state FROM alert_states WHERE (consumers, topic, "partition") = (?, ?, ?) '
                'ORDER BY "offset" DESC',
                (self._group, self._topic, partition),
            ).fetchall()
        for offset, packed in rows:
            states = _unpacked(packed, f"partition {partition}, offset {offset:,}, in {self._path}")
            if states and fits(found := Checkpoint(partition, offset, "", *states)):
                return found
        return None
