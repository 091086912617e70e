"""Recorded ticks for `backtest` and `calibrate`: from the topic, or from a file as the producer replays it."""

from collections.abc import Iterator
from pathlib import Path

from tickflow.ticklog.base import Bounds, Entry, TickLog
from tickflow.ticks.tick import Limits, TickBatch, decode, encode

FILE_BATCH = 20_000
_NO_LOG_TIME = 0

Recorded = Iterator[tuple[int, TickBatch]]
"""Batches of ticks in log order, each with its partition; the batches of each partition are consecutive.
"""


def of_log(log: TickLog, limits: Limits) -> Recorded:
    """The ticks that the topic holds, partition by partition. Raises what `TickLog.read` raises."""
    for partition in log.partitions():
        held = log.bounds(partition, log.topic)
        for records in log.read(partition, Bounds(held.start, held.end)):
            yield partition, decode(list(records), limits)[0]


def of_file(path: Path, limits: Limits) -> Recorded:
    """The ticks of a recorded file, as those of partition 0. Raises what the replay raises."""
    from tickflow.sources.recorded import Recorded, recorded_files  # loads the readers of files, so only for a file
    from tickflow.sources.replay import Replay

    entries: list[Entry] = []
    offset = 0
    files = recorded_files(path)
    source = Recorded(path, files) if files else Replay(path, speed=float("inf"))
    for ticks in source.batches(lambda _: False):
        for tick in ticks:
            entries.append(Entry(0, offset, tick.symbol.encode(), encode(tick), 0, _NO_LOG_TIME))
            offset += 1
        if len(entries) >= FILE_BATCH:
            yield 0, decode(entries, limits)[0]
            entries = []
    if entries:
        yield 0, decode(entries, limits)[0]
