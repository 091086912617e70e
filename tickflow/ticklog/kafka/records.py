"""Decodes Kafka's record batches with aiokafka's compiled reader: in pure Python this took a fifth of a worker's CPU
time.

Decoding a record takes about 0.35 us, a fifth of the time that kafka-python takes. Everything else stays with
kafka-python: finding the batches, checksums, compression, batches before version 2, and transaction markers.

Kafka allows any bytes in a header's name, but both libraries fail if it is not UTF-8, which would hold up the partition
for good. Such a record is returned without its headers, which ticks do not use; so is a record with more than
`MOST_HEADERS`. Batches above `MOST_COMPILED_BYTES` are decoded in Python, which can skip headers: five million empty
headers take 10 MB of memory that way, and 400 MB in the compiled reader.

A batch is never unpacked past its bound: a larger one becomes one `Oversized` instead of its records. A poll that has
unpacked `POLL_BYTES` starts no further batch, since a megabyte of the log can unpack to a gigabyte.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
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
TOGETHER = 1_000
"""How many records are decoded at a time: decoding them one at a time would take a third longer."""


class Budget:
    """What a consumer may unpack: `batch` bytes per batch, and about `POLL_BYTES` per poll, of which `left` remain."""

    def __init__(self, batch: int = MAX_BATCH_BYTES) -> None:
        self.batch = batch
        self.left = POLL_BYTES

    def renew(self) -> None:
        """Start a new poll: the full budget is available again."""
        self.left = POLL_BYTES


class QuickRecords(FetchedRecords):
    """The records of one fetched partition, as entries, decoded in portions on demand."""

    def __init__(self, budget: Budget, *arguments: Any, **options: Any) -> None:
        self._budget = budget
        self._problem: Exception | None = None
        self._portion: Sequence[Any] = ()
        self._at = 0
        super().__init__(*arguments, **options)

    def take(self, n: int | None = None) -> list[Any]:
        """The next records: at most `n`, and fewer if the budget runs out. A batch that cannot be read raises only
        after the records before it were returned.
        """
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem
        found: list[Any] = []
        try:
            while n is None or len(found) < n:
                if self._at == len(self._portion) and not self._goes_on(is_first=not found):
                    break
                end = len(self._portion) if n is None else self._at + n - len(found)
                taken = self._portion[self._at : end]
                self._at += len(taken)
                if taken:
                    found += taken
                    self.next_fetch_offset = taken[-1].offset + 1
        except Exception as error:
            if not found:
                raise
            self._problem = error
        return found

    def _goes_on(self, *, is_first: bool) -> bool:
        """Decode the next portion; return whether there was one. Once the budget is spent, a poll decodes only its
        first portion.
        """
        if self.record_iterator is None or (self._budget.left <= 0 and not is_first):
            return False
        portion = next(self.record_iterator, None)
        if portion is None:
            return False
        if portion and portion[0].offset < self.fetch_offset:  # a broker sends batches as a whole
            portion = [each for each in portion if each.offset >= self.fetch_offset]
        self._portion, self._at = portion, 0
        return True

    def portions(self, place: TopicPartition, batches: Any) -> Iterator[Sequence[Any]]:
        """See `FetchedRecords.portions`."""
        batch = batches.next_batch()
        while batch is not None and batch.magic == 2:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"the batch at offset {batch.base_offset} of {place} fails its checksum")
            self.leader_epoch = batch.leader_epoch
            if not self.is_left_out(batch):
                yield from self._of(batch, place.partition)
            self.next_fetch_offset = batch.next_offset  # compaction may have left a batch without records
            batch = batches.next_batch()
        for record in self.by_kafka_python(place, _Rest(batch, batches)):
            yield (record,)

    def _of(self, batch: DefaultRecordBatch, number: int) -> Iterator[Sequence[Entry]]:
        try:
            data = uncompressed(batch, self._budget.batch)
        except TooLarge:
            yield (self._oversized(batch, number),)
            return
        except CorruptRecordError as error:
            raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be read: {error}") from error
        self._budget.left -= len(data)
        if len(data) <= MOST_COMPILED_BYTES:
            compiled = zip(CompiledBatch(data))  # a batch can be iterated over only once
            try:
                while True:
                    portion = _compiled(compiled, number, TOGETHER)
                    yield portion
                    if len(portion) < TOGETHER:
                        return
            except (CorruptRecordException, UnicodeDecodeError):
                pass  # raised by one record of the portion: the records before it are good
        for entry in _one_by_one(batch, data, number):
            if entry.offset >= self.next_fetch_offset:
                yield (entry,)

    def _oversized(self, batch: DefaultRecordBatch, number: int) -> Oversized:
        return Oversized(
            *(number, batch.base_offset, None, None, batch.max_timestamp, batch.timestamp_type),
            records=batch.records_count,
            packed=batch.size_in_bytes,
            bound=self._budget.batch,
        )


class _Rest:
    """The remaining batches with one batch put back in front of them."""

    def __init__(self, first: Any, others: Any) -> None:
        self._first = first
        self._others = others

    def next_batch(self) -> Any:
        """The next batch, `None` after the last."""
        first, self._first = self._first, None
        return self._others.next_batch() if first is None else first


def _compiled(records: Iterator[tuple[Any]], number: int, most: int) -> list[Entry]:
    """The next records of a batch, at most `most`."""
    return [
        Entry(
            number,
            each.offset,
            each.key,
            each.value,
            each.timestamp,
            each.timestamp_type,
            headers if not (headers := each.headers) or len(headers) <= MOST_HEADERS else (),
        )
        for (each,) in islice(records, most)
    ]


def _one_by_one(batch: DefaultRecordBatch, data: bytearray, number: int) -> Iterator[Entry]:
    """The records of a batch, some possibly twice; the first bad one raises `CorruptRecordError`."""
    if len(data) <= MOST_COMPILED_BYTES:
        compiled = zip(CompiledBatch(data))  # a batch can be iterated over only once
        try:
            while portion := _compiled(compiled, number, 1):
                yield portion[0]
        except CorruptRecordException as error:
            raise CorruptRecordError(f"the batch at offset {batch.base_offset} cannot be read: {error}") from error
        except UnicodeDecodeError:  # the name of a header is not UTF-8
            pass
        else:
            return
    yield from _in_python(batch, data, number)


def _in_python(batch: DefaultRecordBatch, data: bytearray, partition: int) -> Iterator[Entry]:
    """The records of a batch, regardless of their headers; see kafka.apache.org, "Record Batch"."""
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
    """The headers; none if they are too many, or if a name is not UTF-8."""
    count, at = decode_varint(data, at)
    headers = []
    for _ in range(count if count <= MOST_HEADERS else 0):
        name, at = _content(data, contents, at)
        content, at = _content(data, contents, at)
        try:
            headers.append(((name or b"").decode(), content))
        except UnicodeDecodeError:
            return []
    return headers  # type: ignore[return-value]  # a header's value may be null, as in kafka-python


def _content(data: bytearray, contents: memoryview, at: int) -> tuple[bytes | None, int]:
    """A key or a value, and the index after it."""
    size, at = decode_varint(data, at)
    return (None, at) if size < 0 else (bytes(contents[at : at + size]), at + size)
