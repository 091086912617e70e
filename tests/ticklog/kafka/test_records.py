"""Our reader returns the same records as kafka-python from any batch."""

import struct
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from tickflow.ticklog.base import Oversized
from tickflow.ticklog.kafka.records import Budget
from tickflow.ticklog.kafka.records import QuickRecords as AnyRecords

PLACE = TopicPartition("stock-ticks", 3)
QuickRecords = partial(AnyRecords, Budget())
ATTRIBUTES = 21
"""The position of a batch's attributes: its compression, its type of timestamps, and whether it is a control batch."""
LAST_OFFSET, HEADER_END = 23, 61
CONTROL, LOG_APPEND_TIME = 0x20, 0x08

Header = tuple[str, bytes | None]
Made = list[tuple[int, bytes | None, bytes | None, list[Header]]]

times = st.integers(-(2**40), 2**41)
contents = st.none() | st.binary(max_size=300)
records = st.tuples(times, contents, contents, st.lists(st.tuples(st.text(max_size=5), contents), max_size=3))
codecs = st.sampled_from([0, 1, 2, 3, 4])
flags = st.sampled_from([0, LOG_APPEND_TIME])
batches = st.lists(
    st.tuples(st.lists(records, min_size=1, max_size=20), codecs, flags, st.integers(0, 2**33)), max_size=5
)


def a_batch(made: Made, codec: int = 0, flag: int = 0, offset: int = 0, magic: int = 2) -> bytes:
    """A batch as a broker sends it: with its first offset, its attributes and a correct checksum."""
    builder = MemoryRecordsBuilder(magic, codec, 2**30)
    for time_ms, key, value, headers in made:
        builder.append(time_ms, key, value, headers)
    builder.close()
    data = bytearray(builder.buffer())
    if magic == 2:
        data[ATTRIBUTES + 1] |= flag
        struct.pack_into(">q", data, 0, offset)
        struct.pack_into(">I", data, DefaultRecordBatch.CRC_OFFSET, calc_crc32c(memoryview(data)[ATTRIBUTES:]))
    return bytes(data)


def read(kind: Any, data: bytes, at_a_time: int = 1000) -> tuple[list[tuple[object, ...]], int]:
    """The fields of all records that the reader `kind` finds, and the offset at which the next fetch would begin."""
    part = kind(0, PLACE, MemoryRecords(data))
    found: list[tuple[object, ...]] = []
    while part:
        found += [
            (each.partition, each.offset, each.key, each.value, each.timestamp, each.timestamp_type, list(each.headers))
            for each in part.take(at_a_time)
        ]
    return found, part.next_fetch_offset


def assert_same(data: bytes, at_a_time: int = 1000) -> None:
    assert read(QuickRecords, data, at_a_time) == read(Fetcher.PartitionRecords, data)


@settings(max_examples=50)
@given(batches, st.integers(1, 50))
def test_any_batches_give_the_same_records_as_kafka_python_gives(
    made: list[tuple[Made, int, int, int]], at_a_time: int
) -> None:
    assert_same(b"".join(a_batch(*each) for each in made), at_a_time)


def test_markers_of_transactions_and_older_formats_are_left_out_or_read_as_kafka_python_does() -> None:
    one: Made = [(5, b"AAPL", b"1", [])]
    marker = a_batch([(6, b"\0\0\0\1", b"\0\0\0\0\0\0", [])], flag=CONTROL, offset=1)
    marked = a_batch(one) + marker + a_batch(one, offset=2) + marker
    assert [each[1] for each in read(QuickRecords, marked)[0]] == [0, 2]
    assert_same(marked)
    assert_same(a_batch(one, magic=1) + a_batch(one))


def test_the_next_fetch_starts_behind_records_that_were_compacted_away() -> None:
    data = bytearray(a_batch([(5, b"AAPL", b"1", [])]))
    struct.pack_into(">i", data, LAST_OFFSET, 9)
    struct.pack_into(">I", data, DefaultRecordBatch.CRC_OFFSET, calc_crc32c(memoryview(data)[ATTRIBUTES:]))
    assert read(QuickRecords, bytes(data))[1] == 10
    assert_same(bytes(data))


def test_a_flipped_bit_is_not_read() -> None:
    data = bytearray(a_batch([(5, b"AAPL", b"1", [])]))
    data[-1] ^= 1
    with pytest.raises(CorruptRecordError, match="checksum"):
        read(QuickRecords, bytes(data))


class NotText(str):
    """A header's name that is not UTF-8, as some clients may write it."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


@pytest.mark.parametrize("codec", range(5))
def test_a_large_batch_is_read_the_same_way(codec: int) -> None:
    """A batch this large is decoded in Python, in case it has so many headers that creating them takes much memory."""
    made: Made = [(n, b"AAPL", bytes([n]) * 50_000, [("name", b"%d" % n), ("null", None)]) for n in range(100)]
    assert_same(a_batch(made, codec, 0, 7), 9)


def test_too_many_headers_are_all_left_out() -> None:
    made: Made = [(1, b"A", b"1", [("h", b"")] * 100), (2, b"A", b"2", [("h", b"")] * 101)]
    large: Made = [(3, None, b"x" * 5_000_000, [])]
    for more in ([], large):
        found, _ = read(QuickRecords, a_batch([*made, *more]))
        assert [each[6] for each in found[:2]] == [[("h", b"")] * 100, []]


@settings(max_examples=100)
@given(batches, codecs, st.integers(0, 3_000))
def test_nothing_is_unpacked_past_the_bound(made: list[tuple[Made, int, int, int]], codec: int, bound: int) -> None:
    """A batch at the bound is read; a batch above it becomes `Oversized`, and reading continues after that."""
    data = b"".join(a_batch(records, codec, flag, offset) for records, _, flag, offset in made)
    plain = [len(a_batch(records, 0, flag, offset)) - HEADER_END for records, _, flag, offset in made]
    part = AnyRecords(Budget(bound), 0, PLACE, MemoryRecords(data))
    found = []
    while part:
        found += part.take(1_000)
    oversized = [(each.offset, each.records, each.bound) for each in found if isinstance(each, Oversized)]
    assert oversized == [
        (offset, len(records), bound) for (records, _, _, offset), size in zip(made, plain, strict=True) if size > bound
    ]
    kept = [len(records) for (records, *_), size in zip(made, plain, strict=True) if size <= bound]
    assert len(found) == sum(kept) + len(oversized)


def test_a_poll_begins_no_batch_once_its_budget_is_spent() -> None:
    budget = Budget()
    data = b"".join(a_batch([(1, b"A", b"x" * 1_000_000, [])] * 10, 4, 0, 10 * at) for at in range(10))
    part = AnyRecords(budget, 0, PLACE, MemoryRecords(data))
    counts = []
    while part:
        budget.renew()
        counts.append(len(part.take(1_000)))
    assert sum(counts) == 100
    assert max(counts) <= 50


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("flag", [0, LOG_APPEND_TIME])
@pytest.mark.parametrize("at_a_time", [1, 1000])
def test_a_header_name_that_is_not_utf8_does_not_stop_its_batch(codec: int, flag: int, at_a_time: int) -> None:
    made: Made = [(5, b"AAPL", b"1", [("a", b"b")]), (6, b"MSFT", None, []), (8, None, b"3" * 300, [("c", None)])]
    strange: Made = [*made[:2], (8, None, b"3" * 300, [(NotText(), b"d"), ("c", None)])]
    expected, expected_end = read(Fetcher.PartitionRecords, a_batch(made, codec, flag, 7) * 2)
    found, end = read(QuickRecords, a_batch(strange, codec, flag, 7) + a_batch(made, codec, flag, 7), at_a_time)
    assert [each[:6] for each in found] == [each[:6] for each in expected]
    assert [each[6] for each in found[:3]] == [[("a", b"b")], [], []]
    assert end == expected_end


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_corrupt_records_under_a_valid_checksum_are_refused_or_read_the_same_way(at: int, byte: int) -> None:
    data = bytearray(a_batch([(5, b"AAPL", b"value" * 20, [("name", b"content")]), (6, b"MSFT", b"2", [])]))
    attributes = (HEADER_END + 2, data.index(b"MSFT") - 4)
    place = HEADER_END + at % (len(data) - HEADER_END)
    assume(place not in attributes)  # this byte has no meaning, but kafka-python reads it as a varint
    data[place] = byte
    struct.pack_into(">I", data, DefaultRecordBatch.CRC_OFFSET, calc_crc32c(memoryview(data)[ATTRIBUTES:]))
    try:
        expected = read(Fetcher.PartitionRecords, bytes(data))
    except CorruptRecordError as error:
        # If a header's name is not UTF-8, our reader leaves out the headers and kafka-python fails.
        assume("UnicodeDecodeError" not in str(error))
        with pytest.raises(CorruptRecordError):
            read(QuickRecords, bytes(data))
    else:
        assert read(QuickRecords, bytes(data)) == expected


@pytest.mark.parametrize("at_a_time", [700, 1_000, 5_000])
def test_a_batch_of_several_portions_is_read_around_a_header_name_that_is_not_utf8(at_a_time: int) -> None:
    def made(strange: Header) -> Made:
        return [(n, b"AAPL", b"%d" % n, [strange if n == 1_700 else ("a", b"b")]) for n in range(2_500)]

    expected, expected_end = read(Fetcher.PartitionRecords, a_batch(made(("c", None)), 0, 0, 7))
    found, end = read(QuickRecords, a_batch(made((NotText(), b"d")), 0, 0, 7), at_a_time)
    assert [each[:6] for each in found] == [each[:6] for each in expected]
    assert [each[6] for each in found[1_699:1_701]] == [[("a", b"b")], []]
    assert end == expected_end


def test_records_before_a_corrupt_one_are_returned_first() -> None:
    data = bytearray(a_batch([(n, b"AAPL", b"<%d>" % n, []) for n in range(1_500)]))
    data[data.index(b"<1200>") - 1] = 0x7E  # the length field of the value
    struct.pack_into(">I", data, DefaultRecordBatch.CRC_OFFSET, calc_crc32c(memoryview(data)[ATTRIBUTES:]))
    part = QuickRecords(0, PLACE, MemoryRecords(bytes(data)))
    found = [each.offset for _ in range(3) for each in part.take(500)]
    assert found == list(range(1_200))
    assert part.next_fetch_offset == 1_200
    with pytest.raises(CorruptRecordError):
        part.take(500)
