"""Takes Kafka's record batches apart by aiokafka's compiled reader: in Python that was a fifth of a worker's CPU.

A record takes about 0.35 us, a fifth of what it takes kafka-python. All around the records stays kafka-python's: which
batches there are, their checksums and their compression. Batches before version 2 and the markers of transactions are
left to it.

A header's name may be any bytes, though both libraries insist on UTF-8. Nobody here looks at the headers of such a
record, so it is read without: it would hold up its partition for good. So is a record with more than `MOST_HEADERS`.
Batches above `MOST_COMPILED_BYTES` are read in Python, which does not make so many headers in the first place: five
million empty ones take ten megabytes there and 400 here.

Nothing is unpacked past the bound of a batch: what is larger is one `Oversized` in the place of all its records. And a
poll begins no further batch once it has begun `POLL_BYTES`, since a megabyte of the log can hold a gigabyte.
"""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch as CompiledBatch
from kafka.errors import CorruptRecordError
from kafka.structs import TopicPartition

from tickflow.ticklog.base import Entry, Oversized
from tickflow.ticklog.kafka.internals import HEAD_BYTES, DefaultRecordBatch, FetchedRecords, decode_varint, uncompressed
from tickflow.ticklog.kafka.unpacking import TooLarge

POLL_BYTES = 32 * 2**20
MAX_BATCH_BYTES = 64 * 2**20
MOST_HEADERS = 100
MOST_COMPILED_BYTES = 4 * 2**20


class Budget:
    """What a consumer may unpack: `batch` bytes per batch, and about `POLL_BYTES` per poll, of which `left` remain."""

    def __init__(self, batch: int = MAX_BATCH_BYTES) -> None:
        self.batch = batch
        self.left = POLL_BYTES

    def renew(self) -> None:
        """A poll begins."""
        self.left = POLL_BYTES


class QuickRecords(FetchedRecords):
    """The records of one fetched partition, as entries, decoded batch by batch on demand."""

    def __init__(self, budget: Budget, *arguments: Any, **options: Any) -> None:
        self._budget = budget
        self._problem: Exception | None = None
        super().__init__(*arguments, **options)

    def take(self, n: int | None = None) -> list[Any]:
        """The next records, `n` at most, fewer where the budget ends. Raises what reading them raises, after them."""
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem
        found: list[Any] = []
        budget = self._budget
        try:
            for entry in self.record_iterator:
                found.append(entry)
                if budget.left <= 0 or len(found) == n:
                    break
        except Exception as error:
            if not found:
                raise
            self._problem = error
        return found

    def entries(self, place: TopicPartition, batches: Any) -> Iterator[Any]:
        """See `FetchedRecords.entries`."""
        batch = batches.next_batch()
        while batch is not None and batch.magic == 2:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"the batch at offset {batch.base_offset} of {place} fails its checksum")
            self.leader_epoch = batch.leader_epoch
            if not self.is_left_out(batch):
                yield from self._of(batch, place.partition)
            self.next_fetch_offset = batch.next_offset  # compaction may have left a batch without records
            batch = batches.next_batch()
        yield from self.by_kafka_python(place, _Rest(batch, batches))

    def _of(self, batch: DefaultRecordBatch, number: int) -> Iterator[Entry]:
        try:
            data = uncompressed(batch, self._budget.batch)
        except TooLarge:
            self.next_fetch_offset = batch.base_offset + 1
            yield self._oversized(batch, number)
            return
        except CorruptRecordError as error:
            raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be read: {error}") from error
        self._budget.left -= len(data)
        if len(data) > MOST_COMPILED_BYTES:
            yield from self._after(_in_python(batch, data, number))
            return
        try:
            for each in CompiledBatch(data):
                offset = each.offset
                self.next_fetch_offset = offset + 1
                headers = each.headers
                if len(headers) > MOST_HEADERS:
                    headers = ()
                yield Entry(number, offset, each.key, each.value, each.timestamp, each.timestamp_type, headers)
        except CorruptRecordException as error:
            raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be read: {error}") from error
        except UnicodeDecodeError:
            yield from self._after(_in_python(batch, data, number))

    def _after(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Those that were not handed out yet."""
        begin = self.next_fetch_offset
        for entry in dropwhile(lambda each: each.offset < begin, entries):
            self.next_fetch_offset = entry.offset + 1
            yield entry

    def _oversized(self, batch: DefaultRecordBatch, number: int) -> Oversized:
        return Oversized(
            *(number, batch.base_offset, None, None, batch.max_timestamp, batch.timestamp_type),
            records=batch.records_count,
            packed=batch.size_in_bytes,
            bound=self._budget.batch,
        )


class _Rest:
    """The remaining batches, with one put before them."""

    def __init__(self, first: Any, others: Any) -> None:
        self._first = first
        self._others = others

    def next_batch(self) -> Any:
        """The next batch, `None` after the last."""
        first, self._first = self._first, None
        return self._others.next_batch() if first is None else first


def _in_python(batch: DefaultRecordBatch, data: bytearray, partition: int) -> Iterator[Entry]:
    """The records of a batch, whatever their headers; see kafka.apache.org, "Record Batch"."""
    at = HEAD_BYTES
    contents = memoryview(data)
    try:
        for _ in range(batch.records_count):
            length, at = decode_varint(data, at)
            end = at + length
            delta, at = decode_varint(data, at + 1)  # after the attributes, which have no meaning yet
            place, at = decode_varint(data, at)
            key, at = _content(data, contents, at)
            value, at = _content(data, contents, at)
            if not at <= end <= len(data):
                raise CorruptRecordError(f"a record at offset {batch.base_offset + place} ends beyond its end")
            time_ms = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delta
            headers = _headers(data, contents, at)
            yield Entry(partition, batch.base_offset + place, key, value, time_ms, batch.timestamp_type, headers)
            at = end
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be read: {error}") from error


def _headers(data: bytearray, contents: memoryview, at: int) -> list[tuple[str, bytes]]:
    """The headers, or none where they are too many or one's name is no text."""
    count, at = decode_varint(data, at)
    headers = []
    for _ in range(count if count <= MOST_HEADERS else 0):
        name, at = _content(data, contents, at)
        content, at = _content(data, contents, at)
        try:
            headers.append(((name or b"").decode(), content))
        except UnicodeDecodeError:
            return []
    return headers  # type: ignore[return-value]  # a content may be null, as from kafka-python


def _content(data: bytearray, contents: memoryview, at: int) -> tuple[bytes | None, int]:
    """A key or a value, and the index after it."""
    size, at = decode_varint(data, at)
    return (None, at) if size < 0 else (bytes(contents[at : at + size]), at + size)
