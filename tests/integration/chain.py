"""A whole chain for a test: the settings of one stack, what its log and its store hold, and the oracle's verdict."""

import io
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from devtools.servers import InfluxServer
from stock_analytics import StockAnalyticsEngine
from tests import oracle
from tests.loaded_settings import load
from tickflow.process import StopEvent


class Chain(ABC):
    """The environment for the scripts, and independent reads of the log and the store."""

    env: dict[str, str]

    @abstractmethod
    def records(self) -> list[tuple[int, int, bytes]]:
        """Every record of the tick topic."""

    @abstractmethod
    def stored(self) -> pd.DataFrame:
        """Every stored point."""

    def verdict(self) -> oracle.Verdict:
        """Compare the store's points with those that the log requires."""
        return oracle.compare(oracle.expected_points(self.records()), self.stored())

    @abstractmethod
    def count(self) -> int:
        """The number of stored points; faster than reading them, and also correct during writes."""

    def wait_for_points(self, count: int, timeout: float = 120.0) -> None:
        """Wait until the store holds `count` points."""
        wait_until(lambda: self.count() >= count, f"{count:,} points", timeout)


@dataclass
class KafkaChain(Chain):
    """A chain on a real Kafka and a real InfluxDB."""

    servers: str
    topic: str
    influx: InfluxServer
    bucket: str

    def __post_init__(self) -> None:
        self.env = {
            "STACK": "kafka",
            "PRICE_LINES": "on",
            "KAFKA_SERVERS": self.servers,
            "KAFKA_TOPIC": self.topic,
            "KAFKA_GROUP": f"group-of-{self.topic}",
            "KAFKA_PARTITIONS": "4",
            "INFLUXDB_URL": self.influx.url,
            "INFLUXDB_TOKEN": self.influx.token,
            "INFLUXDB_ORG": self.influx.org,
            "INFLUXDB_BUCKET": self.bucket,
        }

    def records(self) -> list[tuple[int, int, bytes]]:
        return oracle.read_kafka(self.servers, self.topic)

    def count(self) -> int:
        return oracle.count_influx(self.influx.url, self.influx.token, self.bucket)

    def stored(self) -> pd.DataFrame:
        return oracle.read_influx(self.influx.url, self.influx.token, self.bucket)


@dataclass
class EmbeddedChain(Chain):
    """A chain on one SQLite file."""

    file: Path

    def __post_init__(self) -> None:
        self.env = {"STACK": "embedded", "EMBEDDED_FILE": str(self.file), "PRICE_LINES": "on"}

    def records(self) -> list[tuple[int, int, bytes]]:
        return oracle.read_embedded_log(str(self.file), "stock-ticks") if self.file.exists() else []

    def count(self) -> int:
        return oracle.count_embedded(str(self.file)) if self.file.exists() else 0

    def stored(self) -> pd.DataFrame:
        return oracle.read_embedded_store(str(self.file))


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 180.0) -> None:
    """Wait until the condition holds; raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {timeout:g} s"
        time.sleep(0.2)


@contextmanager
def working(
    chain: Chain, span: int = 1_000_000, env: Mapping[str, str] | None = None
) -> Iterator[StockAnalyticsEngine]:
    """Run a worker in this process during the block, with the settings in `env`, by default the chain's."""
    stop = StopEvent()
    worker = StockAnalyticsEngine(load(chain.env if env is None else env), stop=stop, out=io.StringIO(), span=span)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert worker.counters.discrepancies() == {}
