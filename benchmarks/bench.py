"""The servers of a benchmark, its topics and buckets, and the programs it measures."""

import functools
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from devtools.servers import Influxd, InfluxServer, KafkaServer

PROJECT = Path(__file__).parent.parent


class Bench:
    """Real servers from when they are first asked for: the given ones, or its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[KafkaServer | Influxd] = []

    def __enter__(self) -> Self:
        return self

    @functools.cached_property
    def kafka(self) -> str:
        """Kafka's address."""
        return os.environ.get("TICKFLOW_TEST_KAFKA") or self._start_kafka()

    @functools.cached_property
    def influx(self) -> InfluxServer:
        """Where InfluxDB is, and its keys."""
        url = os.environ.get("TICKFLOW_TEST_INFLUX_URL")
        if not url:
            return self._start_influx()
        token, org = (os.environ[f"TICKFLOW_TEST_INFLUX_{name}"] for name in ("TOKEN", "ORG"))
        return InfluxServer(url=url, org=org, token=token)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._started:
            server.kill()

    def _start_kafka(self) -> str:
        server = KafkaServer(self.folder / "kafka").start()
        self._started.append(server)
        return server.address

    def _start_influx(self) -> InfluxServer:
        server = Influxd(self.folder / "influxdb").start()
        self._started.append(server)
        return server.server

    def new_topic(self, partitions: int) -> str:
        """The name of a new topic."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
        admin.close()
        return name

    def new_bucket(self) -> str:
        """The name of a new bucket."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.influx.create_bucket(name)
        return name

    def preload(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """Fill a topic with records (key, value); how many there were."""
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all", linger_ms=20, batch_size=256 * 1024)
        futures = [producer.send(topic, value, key=key) for key, value in records]
        producer.flush(timeout=120)
        for future in futures:
            future.get(timeout=10)
        producer.close()
        return len(futures)

    def environment(self, topic: str, bucket: str, **more: str) -> dict[str, str]:
        """The settings of a program on these servers; its group is new."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "STACK": "kafka",
            "KAFKA_SERVERS": self.kafka,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP": f"bench-{uuid.uuid4().hex[:8]}",
            "INFLUXDB_URL": self.influx.url,
            "INFLUXDB_TOKEN": self.influx.token,
            "INFLUXDB_ORG": self.influx.org,
            "INFLUXDB_BUCKET": bucket,
            **more,
        }

    def start(self, program: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        """Start a Python program of this project."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", *program],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, program: list[str], environment: dict[str, str]) -> dict[str, Any]:
        """Run a program and return the JSON line it ends with."""
        return figures_of(self.start(program, environment))


def figures_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a program's end and return the JSON line it ends with."""
    output, _ = process.communicate(timeout=900)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {output}")
    figures: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return figures


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as aligned columns, the first left, the others right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
