"""The worker's lag compared with that of klag-exporter, through a restart of the worker.

Two partitions hold a million records each, and 2,000 more arrive every second. The worker is stopped for ten seconds
and started again. klag-exporter (`cargo install klag-exporter`, in PATH or in KLAG_EXPORTER) collects once per second:
it asks the broker for end and commit, and reads the record at the commit for its append time. A collection takes up to
a second, in which both lags move; so each of its figures is compared with the range of ours in that time.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load
from benchmarks.bench import LEASH, PROJECT, Bench, table
from devtools.process import free_port

PARTITIONS, RATE, SYMBOLS = 2, 2_000, 500
DOWN_SECONDS = 10.0
LOOK_SECONDS = 0.1
AROUND_SECONDS = (1.5, 0.5)
"""How long before and after the end of a collection our lag is looked at."""
WANTED = {"records": 1_000.0, "seconds": 1.0}
EXPORTER = "klag-exporter"
CONFIG = """\
[exporter]
poll_interval = "1s"
http_host = "127.0.0.1"
http_port = {port}
granularity = "partition"

[exporter.timestamp_sampling]
enabled = true
mode = "message"
cache_ttl = "1s"

[[clusters]]
name = "bench"
bootstrap_servers = "{servers}"
group_whitelist = ["{group}"]
topic_whitelist = ["{topic}"]
"""
OURS = {"records": "tickflow_lag_records", "seconds": "tickflow_lag_seconds"}
THEIRS = {"records": "kafka_consumergroup_group_lag", "seconds": "kafka_consumergroup_group_lag_seconds"}

Lags = dict[str, dict[int, float]]


def run(bench: Bench) -> dict[str, Any]:
    exporter = os.environ.get("KLAG_EXPORTER") or shutil.which(EXPORTER)
    if exporter is None:
        print(f"not measured: {EXPORTER} is not installed (cargo install {EXPORTER})")
        return {}
    topic, bucket = bench.new_topic(PARTITIONS), bench.new_bucket()
    environment = bench.environment(topic, bucket, PRICE_LINES="off", LOG_LEVEL="WARNING")
    before = bench.preload(topic, load.records(bench.of(PARTITIONS * 1_000_000, 60_000), SYMBOLS))
    ports = {"worker": free_port(), "exporter": free_port()}
    environment["METRICS_PORT"] = str(ports["worker"])
    config = bench.folder / "klag.toml"
    config.write_text(
        CONFIG.format(port=ports["exporter"], servers=bench.kafka, group=environment["KAFKA_GROUP"], topic=topic)
    )
    worker = _start_worker(bench, environment)
    bench.wait_committed(environment, before)
    seconds = bench.of(60, 30)
    steady = bench.start(
        ["-m", "benchmarks.programs.steady", "--rate", str(RATE), "--seconds", str(seconds)], environment
    )
    with subprocess.Popen([*LEASH, exporter, "--config", str(config)], stdout=subprocess.DEVNULL) as beside:
        looks = Looks(ports["worker"], ports["exporter"])
        time.sleep(seconds / 4)
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
        time.sleep(DOWN_SECONDS)
        _start_worker(bench, environment)
        steady.wait(900)
        looks.end()
        beside.terminate()
    found = looks.differences()
    rows: list[tuple[str, ...]] = [("", "compared", "highest", "largest difference", "at most")]
    for unit, wanted in WANTED.items():
        each = found[unit]
        rows.append((unit, str(each["compared"]), f"{each['highest']:g}", f"{each['largest']:g}", f"{wanted:g}"))
    print(table(rows))
    return found


def _start_worker(bench: Bench, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return bench.start([str(PROJECT / "stock_analytics.py")], environment, stdout=subprocess.DEVNULL)


@dataclass
class Looks:
    """Reads both programs' metrics in threads of their own until `end`: (when, lags per unit and partition)."""

    worker_port: int
    exporter_port: int
    ours: list[tuple[float, Lags]] = field(default_factory=list)
    theirs: list[tuple[float, Lags]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._look_at_ours, self._look_at_theirs)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End both threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def differences(self) -> dict[str, dict[str, float]]:
        """Per unit: how many pairs of lags were compared, the exporter's highest lag, and the largest difference."""
        back, ahead = AROUND_SECONDS
        found = {unit: {"compared": 0, "highest": 0.0, "largest": 0.0} for unit in WANTED}
        for collected, lags in self.theirs:
            near = [each for when, each in self.ours if collected - back <= when <= collected + ahead]
            if len(near) < (back + ahead) / LOOK_SECONDS / 2:
                continue  # the worker was stopped
            for unit, figures in found.items():
                for partition, lag in lags[unit].items():
                    same = [each[unit][partition] for each in near if partition in each[unit]]
                    if same:
                        difference = max(0.0, min(same) - lag, lag - max(same))
                        figures["compared"] += 1
                        figures["highest"] = max(figures["highest"], round(lag, 2))
                        figures["largest"] = max(figures["largest"], round(difference, 2))
        return found

    def _look_at_ours(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if text := _get(self.worker_port):
                self.ours.append((time.time(), {unit: _values(text, name) for unit, name in OURS.items()}))

    def _look_at_theirs(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            text = _get(self.exporter_port)
            lags = {unit: _values(text, name) for unit, name in THEIRS.items()}
            if lags["records"] and (not self.theirs or lags != self.theirs[-1][1]):
                self.theirs.append((time.time(), lags))


def _values(text: str, name: str) -> dict[int, float]:
    """The value of a metric per partition."""
    lines = re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE)
    found = ((re.search(r'partition="(\d+)"', labels), float(value)) for labels, value in lines)
    return {int(partition[1]): value for partition, value in found if partition}


def _get(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""
