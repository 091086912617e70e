"""A restart with many symbols, some of which are quiet: seconds from the start of the process to its first new point.

Six partitions, 5,000 symbols of which a tenth ticked once, at the beginning, and then half a million ticks of the
others. The worker is ended alternately by SIGTERM and by kill -9, and a few ticks are sent while it is away; the audit
must find the store EQUAL at the end. With `ALERTS=false` there is no checkpoint: then the windows are read again.
"""

import signal
import statistics
import subprocess
import time
from itertools import islice
from typing import Any

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from benchmarks import load
from benchmarks.bench import PROJECT, Bench, table

PARTITIONS, SYMBOLS, QUIET = 6, 5_000, 500
WAITING = 600
WANTED_SECONDS = 3.0
CHECKPOINT_SECONDS = 12.0
"""A worker stores checkpoints every 10 s."""


def run(bench: Bench) -> dict[str, Any]:
    topic, bucket = bench.new_topic(PARTITIONS), bench.new_bucket()
    settings = bench.environment(topic, bucket, PRICE_LINES="off", LOG_LEVEL="WARNING", KAFKA_INSTANCE_ID="auto")
    quiet = list(islice(load.records(SYMBOLS, SYMBOLS), SYMBOLS - QUIET, None))
    done = bench.preload(topic, quiet)
    done += bench.preload(topic, load.records(bench.of(500_000, 50_000), SYMBOLS - QUIET))
    found: dict[str, list[float]] = {"SIGTERM": [], "kill -9": [], "kill -9, ALERTS=false": []}
    consumer = KafkaConsumer(bootstrap_servers=bench.kafka, group_id=settings["KAFKA_GROUP"], enable_auto_commit=False)
    worker = _start(bench, settings)
    bench.wait_committed(settings, done)
    for _ in range(bench.of(3, 1)):
        for name, seconds in found.items():
            time.sleep(CHECKPOINT_SECONDS)
            worker.send_signal(signal.SIGTERM if name == "SIGTERM" else signal.SIGKILL)
            worker.wait(60)
            done += bench.preload(topic, load.records(WAITING, WAITING))
            before = _committed(consumer, topic)
            begun = time.monotonic()
            worker = _start(bench, settings | ({"ALERTS": "false"} if "ALERTS" in name else {}))
            while _committed(consumer, topic) == before:
                time.sleep(0.05)
            seconds.append(round(time.monotonic() - begun, 2))
            bench.wait_committed(settings, done)
            if "ALERTS" in name:
                worker.send_signal(signal.SIGTERM)
                worker.wait(60)
                worker = _start(bench, settings)
                time.sleep(CHECKPOINT_SECONDS)
    consumer.close()
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    audit = bench.start([str(PROJECT / "stock_analytics.py"), "audit"], settings, stdout=subprocess.DEVNULL).wait(900)
    rows: list[tuple[str, ...]] = [("seconds to the first commit", "median", "highest", "wanted")]
    for name, seconds in found.items():
        rows.append((name, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", f"{WANTED_SECONDS:g}"))
    print(table(rows))
    print("audit: EQUAL" if audit == 0 else f"audit: exit code {audit}")
    return {"seconds": found, "audit": audit}


def _start(bench: Bench, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return bench.start([str(PROJECT / "stock_analytics.py")], environment, stdout=subprocess.DEVNULL)


def _committed(consumer: KafkaConsumer, topic: str) -> int:
    return sum(consumer.committed(TopicPartition(topic, number)) or 0 for number in range(PARTITIONS))
