"""Malicious records: batches that unpack to far more than their size, sent to real Kafka."""

from typing import Literal

from confluent_kafka import KafkaError, Message, Producer
from kafka import KafkaProducer

Codec = Literal["gzip", "snappy", "lz4", "zstd"]
CODECS: tuple[Codec, ...] = ("gzip", "snappy", "lz4", "zstd")


def send_blanks(servers: str, topic: str, codec: Codec, size: int, count: int = 1, partition: int = 0) -> int:
    """Append one batch of `count` records whose values are `size` blanks; return the first offset."""
    placed: list[int] = []

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        placed.append(message.offset() or 0)

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "compression.type": codec,
            "message.max.bytes": 1_000_000_000,
            "batch.size": 2**31 - 1,
            "batch.num.messages": count,
            "linger.ms": 60_000,  # nothing is sent before `flush`, so the batch stays whole
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )
    blanks = b" " * size
    for _ in range(count):
        producer.produce(topic, blanks, b"AAPL", partition, on_delivery=note)
    assert producer.flush(120) == 0
    assert len(placed) == count
    return min(placed)


def send_headers(servers: str, topic: str, count: int, partition: int = 0) -> int:
    """Append a record with `count` empty headers, in a gzip batch; return its offset."""
    producer = KafkaProducer(
        bootstrap_servers=servers, compression_type="gzip", max_request_size=2**30, batch_size=2**29, linger_ms=0
    )
    sent = producer.send(topic, value=b"no tick", key=b"AAPL", partition=partition, headers=[("", b"")] * count)
    offset = int(sent.get(120).offset)
    producer.close()
    return offset
