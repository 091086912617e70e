"""Broken scripts: `python variants.py NAME [flag ...]` breaks a script in one way and runs it.

Most are seeded bugs, which the oracle must find. Three are not: `clock` shifts the worker's clock as a file says,
`small-batches` makes the worker read a few records at a time, `journal` makes the producer record each acknowledgement.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import msgspec
import numpy as np
from influxdb_client import WriteOptions
from kafka import KafkaConsumer

import stock_analytics
import stock_producer
from stock_analytics import StockAnalyticsEngine
from tests import oracle
from tickflow import process
from tickflow.arrays import Floats, Ints
from tickflow.errors import NotAcknowledged, Stopped
from tickflow.metrics import measures, points
from tickflow.metrics.fields import MEASURED
from tickflow.metrics.formulas import deviation
from tickflow.store.influx.store import InfluxStore
from tickflow.store.sqlite.store import EmbeddedStore
from tickflow.ticklog.base import Bounds, Commit
from tickflow.ticklog.kafka import cluster, topics
from tickflow.ticklog.kafka import reader as kafka_reader
from tickflow.ticklog.kafka import records as kafka_records
from tickflow.ticklog.kafka.writer import Writer
from tickflow.ticklog.sqlite.file import LogFile
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
from tickflow.ticks.names import Names
from tickflow.ticks.tick import Refused
from tickflow.worker import assignments, dead_letters, restore
from tickflow.worker.batch import Batch
from tickflow.worker.restore import RestorePlan


def patch(place: object, **changes: object) -> None:
    """Replace attributes of a module or a class."""
    for name, value in changes.items():
        assert hasattr(place, name), f"{place} has no {name} any more: this variant breaks nothing"
        setattr(place, name, value)


def commit_first() -> None:
    """Commits a batch before it writes it."""
    write = StockAnalyticsEngine.write

    def commit_then_write(worker: StockAnalyticsEngine, batch: Batch) -> None:
        worker.commit(batch)
        write(worker, batch)

    patch(StockAnalyticsEngine, write=commit_then_write)


def batching_mode() -> None:
    """Writes in the client's batching mode, in a background thread."""
    make = InfluxStore.__init__

    def make_batching(store: InfluxStore, *arguments: Any, **options: Any) -> None:
        make(store, *arguments, **options)
        store._writer.api = store._writer.client.write_api(
            write_options=WriteOptions(batch_size=500, flush_interval=500)
        )

    patch(InfluxStore, __init__=make_batching)


def no_restore() -> None:
    """Starts at the commit with empty windows."""
    plan = restore.plan

    def plan_without_replay(*arguments: Any) -> RestorePlan:
        begin = plan(*arguments)
        return RestorePlan(begin.emit_from, begin.emit_from, begin.lost, begin.cold, begin.note)

    patch(assignments, plan=plan_without_replay)


def milliseconds() -> None:
    """Stores times in whole milliseconds."""

    def point_time(time_us: Ints, _offset: Ints) -> Ints:
        result: Ints = time_us // 1000 * 1_000_000
        return result

    patch(points, point_time=point_time)


def now() -> None:
    """Stores the time of processing in place of the event time."""

    def point_time(time_us: Ints, _offset: Ints) -> Ints:
        result: Ints = time.time_ns() + np.arange(len(time_us), dtype=np.int64)
        return result

    patch(points, point_time=point_time)


def letters_unacknowledged() -> None:
    """Commits without waiting for the dead letters."""

    def attempt(delivery: dead_letters.Delivery) -> None:
        for each in delivery._letters:
            delivery._log.post(each.key, each.value, each.headers, delivery._log.dead_letter_topic)

    patch(dead_letters.Delivery, attempt=attempt)


def drop_at_sigterm() -> None:
    """Treats a batch as written although SIGTERM interrupted its write."""
    write = StockAnalyticsEngine.write

    def write_or_drop(worker: StockAnalyticsEngine, batch: Batch) -> None:
        try:
            write(worker, batch)
        except Stopped:
            return

    patch(StockAnalyticsEngine, write=write_or_drop)


def population() -> None:
    """Computes the deviation with n in place of n - 1."""

    def of_population(window: Floats) -> Floats:
        result: Floats = deviation(window) * math.sqrt((len(window) - 1) / len(window))
        return result

    table = [replace(each, formula=of_population) if each.formula is deviation else each for each in MEASURED]
    patch(measures, MEASURED=table)


def uncommitted() -> None:
    """Reads records of aborted transactions."""
    patch(kafka_reader, READING={**cluster.READING, "isolation_level": "read_uncommitted"})


def letters_forgotten() -> None:
    """Sends dead letters uncut, and counts those that the log refuses as delivered."""
    letter_of = dead_letters.letter_of

    def whole(topic: str, refused: Refused, stage: str, _largest: int | None = None) -> dead_letters.Letter:
        return letter_of(topic, refused, stage)

    def attempt(delivery: dead_letters.Delivery) -> None:
        with suppress(NotAcknowledged):
            for each in delivery._letters:
                delivery._log.post(each.key, each.value, each.headers, delivery._log.dead_letter_topic)
            delivery._log.flush(dead_letters.FLUSH_SECONDS)

    patch(dead_letters, letter_of=whole)
    patch(dead_letters.Delivery, attempt=attempt)


def unbounded() -> None:
    """Unpacks batches of any size."""
    make = kafka_records.Budget.__init__

    def make_unbounded(budget: kafka_records.Budget, _batch: int = 0) -> None:
        make(budget, 2**62)

    patch(kafka_records.Budget, __init__=make_unbounded)


def common_protocol() -> None:
    """Joins the group under a protocol name that every consumer offers."""
    patch(kafka_reader.WorkersAlone, name="range")


def strangers_followed() -> None:
    """Lets any consumer into the group, and resumes from that consumer's commits."""
    common_protocol()

    def followed(commit: Commit | None, bounds: Bounds, span: int, topic_id: str, _own: object) -> RestorePlan:
        return restore.plan(commit, bounds, span, topic_id)

    patch(assignments, plan=followed)


def trusting() -> None:
    """Trusts any commit's metadata."""

    def read(commit: Commit) -> restore._Metadata | None:
        return msgspec.json.decode(commit.metadata, type=restore._Metadata)

    patch(restore, _read=read)


def names_unbounded() -> None:
    """Accepts any number of names."""
    patch(Names, admit=lambda _names, ticks: (ticks, []))


def settings_unchecked() -> None:
    """Accepts a dead-letter topic with any size limit."""
    patch(topics, LEAST_LETTER_BYTES=0)


def clock() -> None:
    """Shifts the clock by the number of seconds in the file that `FAULT_CLOCK` names."""
    file, true_ns = Path(os.environ["FAULT_CLOCK"]), time.time_ns

    def moved_ns() -> int:
        return true_ns() + int(file.read_text()) * 10**9

    def moved() -> float:
        return moved_ns() / 1e9

    patch(time, time_ns=moved_ns, time=moved)
    # Default arguments are bound at definition, so patching `time` does not reach them.
    for each, function in (
        (StockAnalyticsEngine, moved_ns),
        (InfluxStore, moved),
        (EmbeddedStore, moved),
        (EmbeddedTickLog, moved),
    ):
        defaults: Any = each.__init__.__kwdefaults__
        assert "clock" in defaults
        defaults["clock"] = function


def small_batches() -> None:
    """Reads at most 37 records at a time."""

    def make(**options: Any) -> Any:
        return KafkaConsumer(**options | {"max_poll_records": 37})

    patch(kafka_reader, KafkaConsumer=make)


def journal() -> None:
    """Makes the producer record each acknowledgement in the file that `FAULT_JOURNAL` names."""
    file = oracle.JournalFile(Path(os.environ["FAULT_JOURNAL"]))
    publish, append = Writer.publish, LogFile.append

    def publish_noting(writer: Any, topic: str, key: bytes | None, value: bytes | None, *others: Any) -> None:
        before = len(writer._pending)
        publish(writer, topic, key, value, *others)
        mark = oracle.fingerprint(key, value)
        if len(writer._pending) and before <= len(writer._pending):
            writer._pending[-1].add_callback(
                lambda meta: file.write(oracle.Acknowledged(meta.partition, meta.offset, mark))
            )

    def append_noting(log: Any, records: Any, now_of: Any) -> None:
        first = log.bounds(records[0].topic).end
        append(log, records, now_of)
        for offset, each in enumerate(records, first):
            file.write(oracle.Acknowledged(0, offset, oracle.fingerprint(each.key, each.value)))

    patch(Writer, publish=publish_noting)
    patch(LogFile, append=append_noting)


VARIANTS: dict[str, Callable[[], None]] = {
    "commit-first": commit_first,
    "batching-mode": batching_mode,
    "no-restore": no_restore,
    "milliseconds": milliseconds,
    "now": now,
    "letters-unacknowledged": letters_unacknowledged,
    "drop-at-sigterm": drop_at_sigterm,
    "population": population,
    "uncommitted": uncommitted,
    "letters-forgotten": letters_forgotten,
    "unbounded": unbounded,
    "common-protocol": common_protocol,
    "strangers-followed": strangers_followed,
    "trusting": trusting,
    "names-unbounded": names_unbounded,
    "settings-unchecked": settings_unchecked,
    "clock": clock,
    "small-batches": small_batches,
    "journal": journal,
}


if __name__ == "__main__":
    name = sys.argv.pop(1)
    VARIANTS[name]()
    sys.exit(process.run(stock_producer.main if name == "journal" else stock_analytics.main))
