"""A load for the fault suite: seeded ticks of all kinds at a steady rate, and a journal of acknowledged records."""

import json
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from tests import oracle
from tickflow.errors import NotAcknowledged
from tickflow.process import StopEvent
from tickflow.ticklog.kafka.network import DIRECTLY
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

SYMBOLS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "BRK.B")
BAD_SHARE = 0.01


class Sink(ABC):
    """Where the load publishes its records; `journal` lists those that the log acknowledged."""

    def __init__(self) -> None:
        self.journal: list[oracle.Acknowledged] = []

    @abstractmethod
    def send(self, key: bytes | None, value: bytes | None) -> None:
        """Send one record, without waiting for its acknowledgement."""

    @abstractmethod
    def flush(self) -> bool:
        """Wait for at most a second; return whether all records are acknowledged."""

    @abstractmethod
    def close(self) -> None:
        """Close the log."""


class KafkaSink(Sink):
    """A separate Kafka producer, which waits for Kafka without a time limit."""

    def __init__(self, servers: str, topic: str) -> None:
        super().__init__()
        self._topic = topic
        self._sent = 0
        self._producer = KafkaProducer(
            bootstrap_servers=servers,
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=2**31 - 1,
            request_timeout_ms=5_000,
            reconnect_backoff_max_ms=1_000,
            max_block_ms=120_000,
            linger_ms=5,
            proxy_url=DIRECTLY,  # by default, kafka-python leaves a socket open after each failed attempt
        )

    def send(self, key: bytes | None, value: bytes | None) -> None:
        self._sent += 1
        mark = oracle.fingerprint(key, value)

        def note(meta: Any) -> None:
            self.journal.append(oracle.Acknowledged(meta.partition, meta.offset, mark))

        self._producer.send(self._topic, key=key, value=value).add_callback(note)

    def flush(self) -> bool:
        with suppress(KafkaTimeoutError):
            self._producer.flush(timeout=1)
        return len(self.journal) == self._sent

    def close(self) -> None:
        self._producer.close(timeout=5)


class EmbeddedSink(Sink):
    """The embedded log itself; as the only writer of the topic, the sink knows the offsets."""

    def __init__(self, path: Path, topic: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._log = EmbeddedTickLog(path, topic=topic, group="none", retention_days=7, stop=StopEvent(), clock=clock)
        self._log.connect()
        self._sent: list[str] = []

    def send(self, key: bytes | None, value: bytes | None) -> None:
        self._sent.append(oracle.fingerprint(key, value))
        self._log.publish(key, value)

    def flush(self) -> bool:
        with suppress(NotAcknowledged):
            self._log.flush(1)
        for offset in range(len(self.journal), self._log.acknowledged):
            self.journal.append(oracle.Acknowledged(0, offset, self._sent[offset]))
        return len(self.journal) == len(self._sent)

    def close(self) -> None:
        self._log.close()


class Load(threading.Thread):
    """Publishes about `rate` records per second from `start()` until `end()`; `pause()` interrupts it."""

    def __init__(self, sink: Sink, seed: int, rate: int = 300, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(name="load", daemon=True)
        self.sink = sink
        self.extra: list[tuple[bytes, bytes]] = []
        """Records to publish once, in addition to the load's own."""
        self._random = random.Random(seed)
        self._rate = rate
        self._clock = clock or (lambda: datetime.now(UTC))
        self._prices = {symbol: 100.0 * (1 + number) for number, symbol in enumerate(SYMBOLS)}
        self._count = 0
        self._running = threading.Event()
        self._running.set()
        self._quiet = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            if not self._running.is_set():
                if self.sink.flush():
                    self._quiet.set()
                self._ended.wait(0.02)
                continue
            for key, value in [self._record() for _ in range(max(1, self._rate // 20))] + self.extra:
                self.sink.send(key, value)
            self.extra = []
            if self._count % 1000 < self._rate // 20:
                self.sink.flush()
            self._ended.wait(0.05)

    def pause(self, timeout: float = 120.0) -> None:
        """Stop publishing; return when all published records are acknowledged."""
        self._quiet.clear()
        self._running.clear()
        assert self._quiet.wait(timeout), f"the log has not acknowledged all within {timeout:g} s"

    def go_on(self) -> None:
        """Resume publishing."""
        self._running.set()

    def end(self) -> None:
        """Stop for good once all records are acknowledged; does nothing if the load has already ended."""
        if self.is_alive():
            self.pause()
            self._ended.set()
            self.join()
            self.sink.close()

    def give_up(self) -> None:
        """Stop for good, without waiting for acknowledgements."""
        if self.is_alive():
            self._ended.set()
            self.join(10)

    def _record(self) -> tuple[bytes | None, bytes | None]:
        self._count += 1
        chance = self._random.random
        symbol = self._random.choice(SYMBOLS)
        self._prices[symbol] *= 1 + self._random.gauss(0, 0.001) + (0.05 if chance() < 0.002 else 0)
        moment = self._clock() - timedelta(seconds=self._random.uniform(1, 60) if chance() < 0.01 else 0)
        tick: dict[str, object] = {"symbol": symbol, "price": round(self._prices[symbol], 4)}
        in_millis = chance() < 0.3
        tick["timestamp"] = moment.replace(tzinfo=None).isoformat(
            timespec="milliseconds" if in_millis else "microseconds"
        )
        if chance() < 0.9:
            tick["timestamp"] = f"{tick['timestamp']}Z"
        if chance() < 0.9:
            tick["volume"] = self._random.randrange(10_000) if chance() < 0.7 else round(self._random.uniform(0, 50), 4)
        if chance() < 0.3:
            tick["change_percent"] = round(self._random.uniform(-5, 5), 3)
        if chance() < 0.8:
            tick["source"] = "simulated"
        key = symbol.encode()
        if chance() < BAD_SHARE:
            return self._spoilt(key, tick)
        return key, json.dumps(tick).encode()

    def _spoilt(self, key: bytes, tick: dict[str, object]) -> tuple[bytes | None, bytes | None]:
        whole = json.dumps(tick).encode()
        return self._random.choice(
            [
                (key, None),
                (None, whole),
                (b"OTHER", whole),
                (key, whole[:-5]),
                (key, b"\xff" + whole),
                (key, json.dumps(tick | {"price": "1"}).encode()),
                (key, json.dumps(tick | {"price": -1}).encode()),
                (key, json.dumps(tick | {"timestamp": "now"}).encode()),
                (key, json.dumps(tick | {"timestamp": "2260-01-01T00:00:00Z"}).encode()),
                (key, json.dumps(tick | {"volume": "1.5"}).encode()),
                (key, json.dumps(tick | {"volume": 2**53}).encode()),
                (key, json.dumps([tick]).encode()),
            ]
        )
