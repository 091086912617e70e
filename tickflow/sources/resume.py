"""Finds out from the log how far an interrupted replay got, since only the log knows what was published.

Each tick of a replay has the name of the run as its `producer`, and a counter per symbol as its `seq`. A run's name
begins with a digest of its files and settings, so that a later run finds the ticks of the run that it continues,
however that run ended.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from tickflow.ticklog.base import TickLog

logger = logging.getLogger("tickflow.producer")


class _Mark(msgspec.Struct):
    producer: str | None = None
    seq: int | None = None


_decode = msgspec.json.Decoder(_Mark).decode


@dataclass
class Published:
    """What the log has of one run: the highest counter by symbol, and when the run's newest tick was appended."""

    run: str
    counts: dict[str, int] = field(default_factory=dict)
    newest: int = 0

    @property
    def ticks(self) -> int:
        """How many ticks of the run the log holds."""
        return sum(self.counts.values())


def new_run(identity: str) -> str:
    """A name for a new run of the replay that `identity` identifies."""
    return f"{identity}-{uuid.uuid4().hex[:12]}"


def published_before(log: TickLog, identity: str, say: Callable[[int], None] = lambda _: None) -> Published | None:
    """The newest run of the replay in the log, or `None` if there is none. Raises what reading the log raises."""
    runs: dict[str, Published] = {}
    mark = f'"producer":"{identity}-'.encode()
    looked = 0
    for partition in log.partitions():
        for records in log.read(partition, log.bounds(partition)):
            looked += len(records)
            say(looked)
            for record in records:
                if record.value is None or record.key is None or mark not in record.value:
                    continue
                try:
                    found = _decode(record.value)
                except msgspec.DecodeError:
                    continue
                if found.producer is None or found.seq is None or not found.producer.startswith(f"{identity}-"):
                    continue
                run = runs.setdefault(found.producer, Published(found.producer))
                symbol = record.key.decode("utf-8", "replace")
                run.counts[symbol] = max(run.counts.get(symbol, 0), found.seq)
                run.newest = max(run.newest, record.timestamp)
    return max(runs.values(), key=lambda run: run.newest, default=None)
