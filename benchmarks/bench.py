"""Gives a benchmark its servers, topics and buckets, and runs the programs that it measures."""

import functools
import json
import math
import os
import statistics
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import TopicPartition

from devtools.servers import Influxd, InfluxServer, KafkaServer

PROJECT = Path(__file__).parent.parent
LEASH = (sys.executable, str(PROJECT / "devtools" / "leash.py"))
"""The start of a command line that ends the program together with the benchmark, even if the benchmark is killed."""
CONTENDERS_PYTHON = PROJECT / "benchmarks" / ".venv" / "bin" / "python"
"""Where `make bench` installs benchmarks/requirements.lock: the contenders need library versions of their own."""

COLD = "--storage-cache-snapshot-write-cold-duration"
COLD_SECONDS = 5.0
"""InfluxDB writes a day that it holds in memory to a file after this time without writes, instead of ten minutes. In
use only the newest day is in memory, and reading from there is several times slower.
"""


class Bench:
    """Real servers: those that the environment names, or its own in `folder`, started on first use.

    `short` makes a trial run, which shows that a case works; its figures mean little.
    """

    def __init__(self, folder: Path, *, short: bool = False) -> None:
        self.folder = folder
        self.short = short
        self._started: list[KafkaServer | Influxd] = []
        self._programs: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    @functools.cached_property
    def kafka(self) -> str:
        """The address of Kafka, as host:port."""
        return os.environ.get("TICKFLOW_TEST_KAFKA") or self._start_kafka()

    @functools.cached_property
    def influx(self) -> InfluxServer:
        """The address and the credentials of InfluxDB."""
        url = os.environ.get("TICKFLOW_TEST_INFLUX_URL")
        if not url:
            return self._start_influx()
        token, org = (os.environ[f"TICKFLOW_TEST_INFLUX_{name}"] for name in ("TOKEN", "ORG"))
        return InfluxServer(url=url, org=org, token=token)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:  # left behind by a case that was interrupted
            if program.poll() is None:
                program.kill()
                program.wait()
        for server in self._started:
            server.kill()

    def _start_kafka(self) -> str:
        server = KafkaServer(self.folder / "kafka").start()
        self._started.append(server)
        return server.address

    def _start_influx(self) -> InfluxServer:
        server = Influxd(self.folder / "influxdb", flags=[f"{COLD}={COLD_SECONDS:g}s"]).start()
        self._started.append(server)
        return server.server

    def new_topic(self, partitions: int) -> str:
        """Create a topic with an unused name; return the name."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
        admin.close()
        return name

    def new_bucket(self) -> str:
        """Create a bucket with an unused name; return the name."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.influx.create_bucket(name)
        return name

    def preload(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """Fill a topic with records (key, value); return their number."""
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all", linger_ms=20, batch_size=256 * 1024)
        futures = [producer.send(topic, value, key=key) for key, value in records]
        producer.flush(timeout=120)
        for future in futures:
            future.get(timeout=10)
        producer.close()
        return len(futures)

    def environment(self, topic: str, bucket: str, **more: str) -> dict[str, str]:
        """The settings with which a program uses these servers, as a member of a new group."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "PYTHONWARNINGS": "ignore",
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

    def of(self, full: int, short: int) -> int:
        """The count that this run uses: `short` in a short run, else `full`."""
        return short if self.short else full

    def stored(self, bucket: str) -> int:
        """The number of ticks that are stored in a bucket."""
        parameters = urllib.parse.urlencode({"db": bucket, "q": 'SELECT count("price") FROM "stock_metrics"'})
        (result,) = self.influx.call("GET", f"/query?{parameters}", timeout=300)["results"]
        return int(result["series"][0]["values"][0][1]) if "series" in result else 0

    def check_stored(self, bucket: str, ticks: int) -> None:
        """Raise `RuntimeError` unless the bucket holds exactly one point per tick within 5 s."""
        found = [self.stored(bucket)]
        while found[-1] != ticks and len(found) < 6:
            time.sleep(1)
            found.append(self.stored(bucket))
        if len(found) > 1:  # under load, InfluxDB may show a write only some time after it acknowledged it
            print(f"counted until it was right: {', '.join(f'{each:,}' for each in found)}", flush=True)
        if found[-1] != ticks:
            raise RuntimeError(f"{found[-1]:,} points are stored of {ticks:,} ticks")

    def records(self, topic: str) -> int:
        """The number of records in a topic, correct only if it has no transactions."""
        consumer = KafkaConsumer(bootstrap_servers=self.kafka)
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        count = sum(consumer.end_offsets(places).values())
        consumer.close()
        return int(count)

    def wait_committed(self, environment: Mapping[str, str], records: int, timeout: float = 900) -> None:
        """Wait until a program's group has committed `records` records; raise `RuntimeError` on a timeout."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.kafka, group_id=environment["KAFKA_GROUP"], enable_auto_commit=False
        )
        topic = environment["KAFKA_TOPIC"]
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        deadline = time.monotonic() + timeout
        while sum(consumer.committed(place) or 0 for place in places) < records:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{records:,} records were not committed within {timeout:g} s")
            time.sleep(0.25)
        consumer.close()

    def influxd_cpu(self) -> float:
        """The CPU seconds that InfluxDB has used; NaN for an InfluxDB that this program did not start."""
        pids = [server.pid for server in self._started if isinstance(server, Influxd)]
        return cpu_of(pids[0]) if pids else math.nan

    def start(
        self,
        program: list[str],
        environment: dict[str, str],
        *,
        python: str | Path = sys.executable,
        stdout: int = subprocess.PIPE,
        stderr: int | None = None,
    ) -> subprocess.Popen[str]:
        """Start a Python program of this project."""
        process = subprocess.Popen(
            [*LEASH, str(python), *program],
            cwd=self.folder,
            env=environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        self._programs.append(process)
        return process

    def measure(
        self,
        program: list[str],
        environment: dict[str, str],
        *,
        python: str | Path = sys.executable,
        seconds: float = 900,
    ) -> dict[str, Any]:
        """Run a program for at most `seconds`, and return the JSON line that it prints last."""
        return figures_of(self.start(program, environment, python=python), seconds)


def figures_of(process: subprocess.Popen[str], seconds: float = 900) -> dict[str, Any]:
    """Wait at most `seconds` for the end of a program; return the JSON line that it printed last."""
    output, _ = process.communicate(timeout=seconds)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {output}")
    figures: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return figures


def cpu_of(pid: int) -> float:
    """The CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over several runs of one program; moments in time are left out."""
    names = [name for name in runs[0] if not name.endswith("_at")]
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in names}


def table(rows: list[tuple[str, ...]]) -> str:
    """The rows as text with aligned columns: the first one aligned left, the others right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
