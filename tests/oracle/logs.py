"""Reads the whole content of a log, without the project's own readers."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

LOG_APPEND_TIME = 1


class LogRecord(NamedTuple):
    """One record with everything on which its acceptance depends; `time_ms` is the append time if `time_type` is 1."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int = 0
    time_type: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def read_kafka(servers: str, topic: str) -> list[tuple[int, int, bytes]]:
    """Every committed record of the topic, as partition, offset and value."""
    return [(each.partition, each.offset, each.value or b"") for each in read_kafka_records(servers, topic)]


def read_kafka_records(servers: str, topic: str) -> list[LogRecord]:
    """Every committed record of the topic with all its parts; empty if the topic does not exist."""
    consumer = KafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, group_id=None, isolation_level="read_committed"
    )
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            return []
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[LogRecord] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500, max_records=20_000).values():
                found += [
                    LogRecord(r.partition, r.offset, r.key, r.value, r.timestamp, r.timestamp_type, tuple(r.headers))
                    for r in records
                ]
        return found
    finally:
        consumer.close()


def read_embedded_log(path: str, topic: str) -> list[tuple[int, int, bytes]]:
    """Every record of the embedded log's topic, as partition (always 0), offset and value."""
    return [(0, each.offset, each.value or b"") for each in read_embedded_records(path, topic)]


def read_embedded_records(path: str, topic: str) -> list[LogRecord]:
    """Every record of the embedded log's topic with all its parts."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT offset, key, value, log_records.time_ms, headers FROM log_records JOIN log_topics ON topic = id "
            "WHERE name = ? ORDER BY offset",
            (topic,),
        )
        return [
            LogRecord(0, offset, key, value, time_ms, LOG_APPEND_TIME, _headers(packed))
            for offset, key, value, time_ms, packed in rows
        ]


def _headers(packed: bytes | None) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value) for name, value in next(_unpack(packed))) if packed else ()


def _unpack(packed: bytes) -> Iterator[Any]:
    """Decode MessagePack, but only the types that headers use: arrays, strings and bytes."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return packed[at - count : at]

    def value() -> Any:
        kind = take(1)[0]
        if 0x90 <= kind <= 0x9F:
            return [value() for _ in range(kind & 0x0F)]
        if 0xA0 <= kind <= 0xBF:
            return take(kind & 0x1F).decode()
        sizes = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
        size = struct.calcsize(sizes[kind])
        data = take(struct.unpack(sizes[kind], take(size))[0])
        return data.decode() if kind >= 0xD9 else data

    while at < len(packed):
        yield value()
