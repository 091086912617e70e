"""What a tick costs: bytes per record in Kafka, bytes per point in InfluxDB and the embedded file, memory, a restart.

Two loads go through the whole chain, each into servers of its own whose data folders hold nothing else: a real day of
trades (7 symbols), and many symbols that tick a few times each, which shows the cost of a series.
"""

import gzip
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.bench import PROJECT, Bench, figures_of, table
from benchmarks.day import DAY
from devtools.servers import Influxd, InfluxServer
from tests import trades

SETTLED_SECONDS = 5.0
"""InfluxDB's folder is settled once its size has not changed for this long and its write-ahead log is empty."""
EMPTY_BYTES = 65_536
LONGEST_SECONDS = 120.0


class PromptInfluxd(Influxd):
    """An InfluxDB that writes its cache to files and compacts them seconds after the last write, not hours."""

    def _prepare(self) -> list[str]:
        cold = ["--storage-cache-snapshot-write-cold-duration=1s", "--storage-compact-full-write-cold-duration=2s"]
        return [*super()._prepare(), *cold]


class Own(Bench):
    """A bench that always uses servers of its own, since it measures their folders."""

    @cached_property
    def kafka(self) -> str:
        return self._start_kafka()

    @cached_property
    def influx(self) -> InfluxServer:
        self.influxd = PromptInfluxd(self.folder / "influxdb").start()
        self._started.append(self.influxd)
        return self.influxd.server


def run(bench: Bench) -> dict[str, Any]:
    symbols, ticks = bench.of(10_000, 500), bench.of(500_000, 20_000)
    for name in ("day", "symbols"):
        (bench.folder / f"storage-{name}").mkdir()
    figures: dict[str, Any] = {"loads": {}}
    with Own(bench.folder / "storage-day", short=bench.short) as own:
        figures["loads"]["a real day"] = _measure(own, *_replay(own))
    with Own(bench.folder / "storage-symbols", short=bench.short) as own:
        topic = own.new_topic(6)
        own.preload(topic, load.records(ticks, symbols))
        figures["loads"]["many symbols"] = _measure(own, topic, ticks, symbols)
    figures["embedded_bytes_a_tick"] = _embedded(bench, figures["loads"]["a real day"]["ticks"])
    rows: list[tuple[str, ...]] = [
        ("", "ticks", "series", "Kafka B/record", "InfluxDB B/point", "its peak", "a restart")
    ]
    for name, found in figures["loads"].items():
        rows.append(
            (
                name,
                *(f"{found['ticks']:,}", f"{found['series']:,}", f"{found['kafka_bytes_a_record']:.0f}"),
                *(f"{found['influxdb_bytes_a_point']:.1f}", f"{found['influxd_peak_mb']:.0f} MB"),
                f"{found['restart_s']:.1f} s",
            )
        )
    print(table(rows))
    print(f"embedded file: {figures['embedded_bytes_a_tick']:.0f} bytes per tick, its record and its point together")
    return figures


def _replay(own: Bench) -> tuple[str, int, int]:
    """Publish a day of trades with our producer; return the topic, its number of ticks and its number of symbols."""
    file = _day(own)
    topic = own.new_topic(6)
    settings = {"SOURCE": "replay", "REPLAY_FILE": str(file), "REPLAY_SPEED": "max", "LOG_LEVEL": "ERROR"}
    environment = own.environment(topic, "none", **settings)
    _ended(own.start([str(PROJECT / "stock_producer.py")], environment))
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        counts = Counter(line.split(",")[1] for line in islice(lines, 1, None))
    return topic, counts.total(), len(counts)


def _measure(own: Own, topic: str, ticks: int, symbols: int) -> dict[str, Any]:
    """Store the ticks of a topic; measure the sizes of both data folders and the time of a worker's restart."""
    bucket = own.new_bucket()
    environment = own.environment(topic, bucket, LOG_LEVEL="WARNING")
    empty = size_of(_engine(own))
    worker = own.start([str(PROJECT / "stock_analytics.py")], environment)
    own.wait_committed(environment, ticks)
    own.check_stored(bucket, ticks)
    worker.send_signal(signal.SIGTERM)
    _ended(worker)
    raw = size_of(_engine(own)) - empty
    settled = _settled(own) - empty
    kafka = sum(size_of(each) for each in (own.folder / "kafka" / "data").glob(f"{topic}-*"))
    return {
        "ticks": ticks,
        "series": symbols,
        "kafka_bytes_a_record": round(kafka / ticks, 1),
        "influxdb_bytes_a_point": round(settled / ticks, 1),
        "influxdb_bytes_a_point_at_once": round(raw / ticks, 1),
        "influxd_peak_mb": round(peak_mb(own.influxd.pid)),
        "restart_s": _restart(own, environment, ticks),
    }


def _restart(own: Own, environment: dict[str, str], ticks: int) -> float:
    """Seconds from a worker's start until it has rebuilt its windows and committed the records that arrived while no
    worker ran.
    """
    more = own.of(1_000, 500)
    own.preload(environment["KAFKA_TOPIC"], load.records(more, more))
    begun = time.monotonic()
    worker = own.start([str(PROJECT / "stock_analytics.py")], environment)
    own.wait_committed(environment, ticks + more)
    seconds = time.monotonic() - begun
    worker.send_signal(signal.SIGTERM)
    _ended(worker)
    return round(seconds, 1)


def _embedded(bench: Bench, ticks: int) -> float:
    """The bytes that one tick takes in the embedded file: its record and its point."""
    file = bench.folder / "storage.db"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "ignore",
        "STACK": "embedded",
        "EMBEDDED_FILE": str(file),
        "LOG_LEVEL": "ERROR",
        "SOURCE": "replay",
        "REPLAY_FILE": str(_day(bench)),
        "REPLAY_SPEED": "max",
    }
    worker = bench.start(["-m", "benchmarks.worker", "--ticks", str(ticks)], environment)
    _ended(bench.start([str(PROJECT / "stock_producer.py")], environment))
    figures_of(worker)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return round(file.stat().st_size / ticks, 1)


def _day(bench: Bench) -> Path:
    if DAY.is_file() and not bench.short:
        return DAY
    file = bench.folder / "trades.csv"
    trades.write_generated(file)
    return file


def _ended(program: subprocess.Popen[str]) -> None:
    output, _ = program.communicate(timeout=900)
    if program.returncode:
        raise RuntimeError(f"{program.args!r} ended with {program.returncode}: {output}")


def _engine(own: Own) -> Path:
    return own.influxd.folder / "data" / "engine"


def _settled(own: Own) -> int:
    """The size in bytes of InfluxDB's folder once its cache is written and its files are compacted."""
    deadline = time.monotonic() + LONGEST_SECONDS
    size, since = size_of(_engine(own)), time.monotonic()
    while time.monotonic() < since + SETTLED_SECONDS or size_of(_engine(own) / "wal") > EMPTY_BYTES:
        if time.monotonic() > deadline:
            raise RuntimeError(f"InfluxDB still writes after {LONGEST_SECONDS:g} s")
        time.sleep(0.5)
        now = size_of(_engine(own))
        if now != size:
            size, since = now, time.monotonic()
    return size


def size_of(folder: Path) -> int:
    """The bytes that the files below a folder take on disk; only the allocated blocks of a sparse file count."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a server may compact and delete files during the count
            total += file.stat().st_blocks * 512 if file.is_file() else 0
    return total


def peak_mb(pid: int) -> float:
    """The peak resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
