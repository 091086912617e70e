"""Stores the state of each partition, together with the offset that it belongs to: the state of its alerts and, where a
restart would otherwise take long, that of its windows.

On Kafka: the compacted topic `<topic>.state` with one partition. A state is cut into chunks smaller than the usual
record limit. Each partition of ticks has two generations, written in turn, so that one stays complete while the other
is written. On the embedded stack: a table of the SQLite file.
"""

import logging
import re
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
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


Fits = Mapping[int, Callable[[Checkpoint], bool]]
"""For each partition whose checkpoint is wanted, the test that the checkpoint must pass."""


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


def newest_in_log(log: TickLog, group: str, fits: Fits) -> Mapping[int, Checkpoint]:
    """For each partition in `fits`, the newest complete checkpoint in the state topic that its test accepts; partitions
    without one are left out. Raises `LogUnavailable`.

    All partitions share one read, which starts at the end of the topic and goes back until it has found a checkpoint of
    each.
    """
    topic = state_topic(log.topic)
    if not log.partitions(topic):
        return {}
    bounds = log.bounds(0, topic)
    begin, end, tail = bounds.end, bounds.end, _TAIL
    found: dict[int, Checkpoint] = {}
    chunks = {f"{group}/{partition}": _Chunks(partition) for partition in fits}
    while chunks and begin > bounds.start:
        begin = max(bounds.start, end - tail)
        for records in log.read(0, Bounds(begin, end), topic):
            for record in records:
                place, *rest = (record.key or b"").decode(errors="replace").rsplit("/", 2)
                if place in chunks and record.value is not None:
                    chunks[place].collect(record, rest)
        for place, collected in list(chunks.items()):
            newest = collected.newest(fits[collected.partition], topic)
            if newest is not None:
                found[collected.partition] = newest
                del chunks[place]
        end, tail = begin, 2 * tail
    return found


class _Chunks:
    """The chunks of one partition's checkpoints, by generation and offset."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._chunks: dict[tuple[str, int], dict[int, bytes]] = {}
        self._counts: dict[tuple[str, int], tuple[int, str]] = {}

    def collect(self, record: Record, name: Sequence[str]) -> None:
        """Take a chunk; `name` is its generation and its number."""
        given = dict(record.headers)
        try:
            generation, number = name
            key = generation, _number(given["offset"])
            count, topic_id, at = _number(given["chunks"]), given["topic_id"].decode(), _number(number.encode())
        except (KeyError, ValueError, TypeError, AttributeError):  # another program wrote it: the topic is open to all
            logger.warning(
                "the record at offset %s of the state topic is not a state of alerts: it is ignored", record.offset
            )
            return
        if at < count <= MOST_CHUNKS and record.value is not None:
            self._counts[key] = count, topic_id
            self._chunks.setdefault(key, {}).setdefault(at, record.value)

    def newest(self, fits: Callable[[Checkpoint], bool], topic: str) -> Checkpoint | None:
        """The newest complete checkpoint that `fits` accepts."""
        whole = [key for key, (count, _) in self._counts.items() if len(self._chunks[key]) == count]
        for key in sorted(whole, key=lambda key: -key[1]):
            (_, offset), (count, topic_id) = key, self._counts[key]
            packed = b"".join(self._chunks[key].get(number, b"") for number in range(count))
            states = _unpacked(packed, f"partition {self.partition}, offset {offset:,}, in the topic {topic}")
            if states and fits(found := Checkpoint(self.partition, offset, topic_id, *states)):
                return found
        return None


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

    def newest(self, fits: Fits) -> Mapping[int, Checkpoint]:
        """For each partition in `fits`, the newest checkpoint that its test accepts; partitions without one are left
        out.
        """
        found: dict[int, Checkpoint] = {}
        with self._opened() as connection:
            for partition, test in fits.items():
                rows = connection.execute(
                    'SELECT "offset", state FROM alert_states WHERE (consumers, topic, "partition") = (?, ?, ?) '
                    'ORDER BY "offset" DESC',
                    (self._group, self._topic, partition),
                ).fetchall()
                for offset, packed in rows:
                    states = _unpacked(packed, f"partition {partition}, offset {offset:,}, in {self._path}")
                    if states and test(checkpoint := Checkpoint(partition, offset, "", *states)):
                        found[partition] = checkpoint
                        break
        return found
