"""Apache Kafka as local processes: each node is both broker and controller; one node alone, or three as a cluster."""

import base64
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from devtools.building import kafka_libs
from devtools.process import ServerError, ServerProcess, free_port

SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
# One node cannot hold the three copies that are the default.
default.replication.factor={copies}
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={least}
# 50 partitions of each would be made at the first use of a group: slow, and one machine needs few.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
# A group's first member need not wait for others.
group.initial.rebalance.delay.ms=0
# How long a killed broker counts as alive, so that its successor has to wait (default: 9 s).
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
# Whoever needs a topic makes it, with the settings that it needs.
auto.create.topics.enable=false
"""

LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
"""


class KafkaServer(ServerProcess):
    """A real broker with its data in `folder`, on `port` of 127.0.0.1, or on a free port.

    `host` is the host name that it advertises to clients.
    """

    name = "Kafka"
    java_options: ClassVar[Sequence[str]] = ()
    """Further options of the Java virtual machine, for every server that this process starts."""

    def __init__(self, folder: Path, port: int | None = None, host: str = "127.0.0.1", node: int = 1) -> None:
        super().__init__(folder)
        self.port = free_port() if port is None else port
        self.node = node
        self.nodes: list[KafkaServer] = [self]
        self.cluster = new_cluster_id()
        self._controller_port = free_port()
        self._host = host

    @property
    def address(self) -> str:
        """`host:port`, as `KAFKA_SERVERS` takes it."""
        return f"{self._host}:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        """The port for clients, and that of the controller."""
        return self.port, self._controller_port

    @property
    def voter(self) -> str:
        """The node's entry in the list of its cluster's controllers."""
        return f"{self.node}@127.0.0.1:{self._controller_port}"

    def _prepare(self) -> list[str]:
        data = self.folder / "data"
        settings, logging = self.folder / "server.properties", self.folder / "log4j2.properties"
        settings.write_text(
            SETTINGS.format(
                host=self._host,
                port=self.port,
                controller_port=self._controller_port,
                data=data,
                node=self.node,
                voters=",".join(each.voter for each in self.nodes),
                copies=len(self.nodes),
                least=max(len(self.nodes) - 1, 1),
            )
        )
        logging.write_text(LOGGING)
        java = [
            "java",
            "-Xmx512m",
            *self.java_options,
            "-cp",
            str(kafka_libs() / "*"),
            f"-Dlog4j2.configurationFile={logging}",
        ]
        if not (data / "meta.properties").exists():
            _format(java, settings, self.cluster)
        return [*java, "kafka.Kafka", str(settings)]

    def _is_ready(self) -> bool:
        # The port answers before the broker has joined its own cluster; this line is the last one of its start.
        return "Kafka Server started" in self.new_log()


@contextmanager
def kafka_cluster(folder: Path, size: int = 3) -> Iterator[list[KafkaServer]]:
    """Started brokers of one cluster, on free ports; by default a topic has a copy on each of them."""
    nodes = [KafkaServer(folder / f"kafka-{node}", node=node) for node in range(1, size + 1)]
    for each in nodes:
        each.nodes, each.cluster = nodes, nodes[0].cluster
    try:
        for each in nodes:
            each.launch()  # launch all before waiting for any: a node is ready only once most of the others are
        for each in nodes:
            each.wait()
        yield nodes
    finally:
        for each in nodes:
            each.kill()


def new_cluster_id() -> str:
    """A new cluster id in Kafka's form: 16 random bytes."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode().replace("-", "_")


def _format(java: list[str], settings: Path, cluster: str) -> None:
    done = subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"Kafka's data folder cannot be prepared:\n{done.stdout}{done.stderr}")
