"""Finds the offset in a log that corresponds to a time."""

from tickflow.ticklog.base import Bounds, TickLog


def offset_at(log: TickLog, partition: int, time_ms: int, held: Bounds) -> int:
    """The offset of the partition's first record that was appended at or after `time_ms`; the end of `held` if there is
    none.

    `held` are the bounds of the log. Append times never decrease within a partition, so a few reads find the offset.
    Raises `LogUnavailable`, `Stopped`.
    """
    low, high = held
    while low < high:
        middle = (low + high) // 2
        first = next((records[0] for records in log.read(partition, Bounds(middle, high)) if records), None)
        if first is None or first.timestamp >= time_ms:
            high = middle
        else:
            low = first.offset + 1
    return low
