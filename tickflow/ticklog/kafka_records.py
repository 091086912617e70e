"""Takes Kafka's record batches apart in about half of kafka-python's time (3.0.12), a large part of a worker's.

What is read here is the common case of the format: batches of version 2 that are no markers of a transaction. All else
is left to kafka-python. See "Record Batch" in kafka.apache.org's "Implementation: Message Format".
"""

from collections.abc import Iterator
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch

from tickflow.ticklog.base import Entry


class QuickRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python has no types
    """The records of one fetched partition, as entries, batch by batch while they are taken."""

    def _unpack_records(self, place: Any, records: Any, *deserializers: object) -> Iterator[Any]:
        batch = records.next_batch()
        while batch is not None and batch.magic == 2 and not batch.is_control_batch:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"the batch at offset {batch.base_offset} of {place} fails its checksum")
            self.leader_epoch = batch.leader_epoch
            for entry in entries_of(batch, place.partition):
                self.next_fetch_offset = entry.offset + 1
                yield entry
            self.next_fetch_offset = batch.next_offset  # which compaction may have left without a record
            batch = records.next_batch()
        yield from super()._unpack_records(place, _Rest(batch, records), *deserializers)


class _Rest:
    """What is left of the batches, a first one before all others."""

    def __init__(self, first: Any, others: Any) -> None:
        self._first = first
        self._others = others

    def next_batch(self) -> Any:
        """The next batch, `None` after the last."""
        first, self._first = self._first, None
        return self._others.next_batch() if first is None else first


def entries_of(batch: DefaultRecordBatch, partition: int) -> Iterator[Entry]:
    """The records of a batch whose checksum is right. Raises `CorruptRecordError`."""
    batch._maybe_uncompress()
    data, at = bytes(batch._buffer), batch._pos
    base, kind = batch.base_offset, batch.timestamp_type
    given = batch.max_timestamp if kind == DefaultRecordBatch.LOG_APPEND_TIME else None
    first = batch.first_timestamp
    try:
        for _ in range(batch.records_count):
            length, at = _varint(data, at)
            end = at + length
            delta, at = _varint(data, at + 1)  # behind the attributes, which say nothing yet
            offset, at = _varint(data, at)
            key, at = _bytes(data, at)
            value, at = _bytes(data, at)
            count, at = _varint(data, at)
            headers: list[tuple[str, Any]] = []
            for _ in range(count):
                name, at = _bytes(data, at)
                content, at = _bytes(data, at)
                if name is None:
                    raise ValueError("a header has no name")
                headers.append((name.decode(), content))
            if at != end or at > len(data) or count < 0:
                raise ValueError(f"a record ends at byte {at:,} in place of {end:,}, of {len(data):,}")
            yield Entry(partition, base + offset, key, value, first + delta if given is None else given, kind, headers)
        if at != len(data):
            raise ValueError(f"after the last record {len(data) - at:,} bytes are left over")
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(f"the batch at offset {base} cannot be taken apart: {error}") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag number at a place, and the place behind it."""
    byte = data[at]
    if byte < 0x80:
        return byte >> 1 ^ -(byte & 1), at + 1
    value, shift = byte & 0x7F, 7
    while byte > 0x7F:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
    return value >> 1 ^ -(value & 1), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    return data[at : at + length], at + length
