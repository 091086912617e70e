"""The setup for tests of permissions: topics that an administrator created, and the scripts, each with its own user."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import Settings
from devtools import init
from devtools.influxdb import InfluxServer
from devtools.tokens import make_tokens
from stock_analytics import StockAnalyticsEngine
from tests import oracle
from tests.integration.chain import KafkaChain, wait_until
from tests.loaded_settings import load
from tests.oracle.logs import read_kafka_records
from tests.secured.kafka_rights import RIGHTS, foreign_topic, group_of, named
from tests.secured.servers import PASSWORD, SecuredKafka
from tickflow.errors import TickflowError
from tickflow.process import StopEvent
from tickflow.stack import open_log
from tickflow.ticks.tick import Tick, encode

SYMBOLS = ("AAPL", "MSFT")
BAD = b"no tick"
BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def user_of(script: str) -> str:
    """The Kafka user under which a test runs a script or a verb. The verbs of Compose's service `auditor` run under
    `auditor`, except `rewind`, which changes the workers' group.
    """
    name = script.partition(" ")[0]
    users = {"producer": "producer", "worker": "worker", "rewind": "worker", "notify": "notifier", "page": "nobody"}
    return users.get(name, "auditor")


_OWNERS = {"nobody": "page", "auditor": "auditor"}
"""The Kafka users whose scripts have an InfluxDB token other than the worker's."""


class Stage:
    """The topics of a test, which an administrator made, and the settings of each script, which has its own user."""

    def __init__(self, kafka: SecuredKafka, influx: InfluxServer, topic: str, bucket: str, folder: Path) -> None:
        self.kafka = kafka
        self.topic = topic
        self.group = group_of(topic)
        self.folder = folder
        self._second = 0
        self.chain = KafkaChain(kafka.address, topic, influx, bucket)
        self.chain.env |= {"KAFKA_PARTITIONS": "1", "SYMBOLS": ",".join(SYMBOLS), "KAFKA_GROUP": self.group}
        self.chain.env |= {"ALERT_RULES": "AAPL price > 1", "ALERT_OUTBOX": str(folder / "outbox.db")}
        self._tokens = make_tokens(influx, bucket)
        init.make_topics(load(self.chain.env))
        self.admin = open_log(load(self.chain.env), threading.Event())
        self.admin.connect()
        self.admin.make_topic(foreign_topic(topic), 1, {})

    def env(self, script: str, **more: str) -> dict[str, str]:
        """The settings of a script: its user at Kafka, and its token of InfluxDB, if it has one."""
        env = {
            **self.chain.env,
            "KAFKA_SERVERS": self.kafka.server_of("LOGIN"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": user_of(script),
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "INFLUXDB_TOKEN": self._tokens[_OWNERS.get(user_of(script), "worker")][0],
            **more,
        }
        if user_of(script) == "producer":
            del env["INFLUXDB_TOKEN"]
        return env

    def settings(self, script: str, **more: str) -> Settings:
        """The settings in `env`, loaded as the script loads them."""
        return load(self.env(script, **more))

    def rights(self, script: str) -> init.Rights:
        """The permissions that docs/security.md gives a script, on the topics of this test."""
        return named(RIGHTS[script], self.topic)

    def allow_only(self, script: str, rights: init.Rights | None = None) -> None:
        """Give the user of a script these permissions and no others; by default, those that the document lists."""
        self.kafka.forbid(user_of(script))
        self.kafka.allow(user_of(script), self.rights(script) if rights is None else rights)

    def publish(self, count: int) -> None:
        """Publish `count` ticks of each symbol as the administrator, with a record that is not a tick between them."""
        for number in range(count):
            self.trickle()
            if number == count // 2:
                self.admin.publish(b"AAPL", BAD)
        self.admin.flush(30)

    def trickle(self) -> None:
        """Publish a tick of each symbol: without new ticks a worker keeps no state of its alerts before it ends."""
        self._second += 1
        for symbol in SYMBOLS:
            tick = Tick(symbol, 100.0 + self._second % 7, BEGIN + timedelta(seconds=self._second))
            self.admin.publish(symbol.encode(), encode(tick))

    def values(self, ending: str = "") -> list[bytes | None]:
        """The values of all records of the tick topic, or of the topic whose name ends in `ending`."""
        return [each.value for each in read_kafka_records(self.kafka.address, self.topic + ending)]

    @property
    def committed(self) -> int:
        """The group's committed offset; 0 if there is none."""
        found = self.admin.group_view().committed.get(0)
        return 0 if found is None else found.offset

    @property
    def end(self) -> int:
        """The end of the tick topic."""
        return self.admin.bounds(0, self.topic).end

    def check(self, refused: int) -> None:
        """Check that all ticks are stored, bit for bit, all records committed, and refused ones dead letters."""
        self.admin.flush(30)
        ticks = [each for each in self.chain.records() if each[2] != BAD]
        wait_until(lambda: self.chain.count() == len(ticks) and self.committed == self.end, "all is stored, committed")
        verdict = oracle.compare(oracle.expected_points(ticks), self.chain.stored())
        assert verdict.equal, verdict
        assert verdict.expected == len(ticks) > 0
        assert set(self.values(".dlq")) == ({BAD} if refused else set())


@contextmanager
def running(work: Callable[[], object], stop: StopEvent) -> Iterator[list[BaseException]]:
    """Run `work` in a thread during the block; the yielded list receives the error that ends it, if one does."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except TickflowError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@contextmanager
def working(stage: Stage, settings: Settings | None = None) -> Iterator[StockAnalyticsEngine]:
    stop = StopEvent()
    worker = StockAnalyticsEngine(settings or stage.settings("worker"), stop=stop, out=io.StringIO())
    with running(worker.run, stop) as ended:
        yield worker
    assert not ended
    assert worker.counters.discrepancies() == {}
