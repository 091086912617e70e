"""The worker: reads ticks from the log, computes their metrics, stores them as points, and prints what it finds.

    python stock_analytics.py             run until Ctrl+C or SIGTERM
    python stock_analytics.py status      what the workers last reported
    python stock_analytics.py dead-letters --limit 50   the refused records: counts per reason, and the newest
    python stock_analytics.py audit       recompute everything from the log and compare it with the store, bit for bit
    python stock_analytics.py rewind --to 2026-01-05T14:30:00Z   read again what was appended since, without workers
    python stock_analytics.py backtest    how many alerts recorded ticks would have raised
    python stock_analytics.py calibrate   compute each symbol's thresholds from recorded days
    python stock_analytics.py notify      send alerts to the addresses of ALERT_URLS; with --test, one message to each
    python stock_analytics.py --embedded  run on one SQLite file, without Kafka and InfluxDB

Start it again with the same KAFKA_GROUP to share the partitions among several workers. `kill -USR1` makes a running
worker print its summary. Exit codes: 0 asked to stop (audit: no differences), 1 work left undone (audit: differences),
2 a bad setting or flag.
"""

import argparse
import gc
import logging
import signal
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, compress, islice
from typing import TYPE_CHECKING, TextIO, cast

import numpy as np

from config import Settings, add_flags, flags_of, load_settings, origin_of_settings
from tickflow import process
from tickflow.alerts.desk import Desk
from tickflow.alerts.opening import open_desk
from tickflow.arrays import Ints
from tickflow.backoff import Backoff
from tickflow.errors import LogUnavailable, NotAcknowledged, Stopped, StoreError, StoreUnavailable
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import WINDOW_SPAN, advance_together
from tickflow.stack import open_log, open_store
from tickflow.store.base import MetricsStore, WorkerStatus, Written
from tickflow.store.nowhere import NowhereAlerts, NowhereStore
from tickflow.telemetry.health import State
from tickflow.ticklog.base import Polled, Position, Record, TickLog
from tickflow.ticks.probe import PROBE
from tickflow.ticks.tick import Refused, TickBatch, decode
from tickflow.verbs import command_line
from tickflow.version import VERSION
from tickflow.worker import dead_letters
from tickflow.worker.assignments import Assignments
from tickflow.worker.batch import Batch, kept_of, together
from tickflow.worker.console import Console, wants_price_lines
from tickflow.worker.counters import Counters, Tally
from tickflow.worker.history import History, of_size, remember
from tickflow.worker.holdup import POLL_SECONDS, Holdup
from tickflow.worker.instance import instance_name
from tickflow.worker.notices import Notices
from tickflow.worker.status import Reporter, worker_name

if TYPE_CHECKING:
    from tickflow.telemetry.worker import Snapshot

logger = logging.getLogger("tickflow.worker")


class StockAnalyticsEngine:
    """One worker of the consumer group: every accepted record becomes one stored point, even if the worker crashes.

    Every argument has a default made from `settings`: `log`, `store`, `out` (the console), `clock` (ns since 1970) and
    `span` (see `tickflow/metrics/windows.py`). If a log or a store is given, alerts are raised only if a `desk` is
    given too. `run` returns when `stop` is set.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        log: TickLog | None = None,
        store: MetricsStore | None = None,
        stop: process.StopEvent | None = None,
        out: TextIO | None = None,
        clock: Callable[[], int] = time.time_ns,
        span: int = WINDOW_SPAN,
        desk: Desk | None = None,
    ) -> None:
        self.settings = settings = settings or load_settings()
        self.stop = stop or process.StopEvent()
        is_whole = log is None and store is None
        self.store = store or open_store(settings, self.stop)
        self.worker = worker_name(settings.kafka_instance_id)
        self.log = log or open_log(settings, self.stop, self.worker)
        self.desk = open_desk(settings, self.log, self.stop) if desk is None and is_whole else desk
        self.price_history: defaultdict[str, History | deque[float]]
        self.price_history = defaultdict(lambda: of_size(settings.history_size))
        self.counters = Counters()
        self.partitions = Assignments(self.log, self.counters, span, self.desk, command_line.limits_of(settings))
        self.console = Console(
            out or sys.stdout,
            settings.update_interval,
            settings.summary_interval,
            self.price_history,
            price_lines=wants_price_lines(settings.price_lines, out or sys.stdout),
        )
        self._limits = command_line.limits_of(settings)
        self._uncommitted: dict[int, Position] = {}
        self._reporter = Reporter(self.store, self.worker, clock)
        self.notices = Notices(self.log.dead_letter_topic)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._in_flight: Batch | None = None
        self._is_unread = False
        self.holdup = Holdup(self.log, self.partitions, self.report)
        from tickflow.telemetry.worker import WorkerTelemetry  # loads prometheus_client: not needed for --help

        self.telemetry = WorkerTelemetry(self.worker, VERSION, clock)

    def run(self) -> None:
        """Connect, then poll, compute, store, refuse and commit until asked to stop."""
        try:
            self.telemetry.wait_for(State.WAITING_FOR_STORE, f"connecting to {self.store.where}")
            self.store.connect()
            self.telemetry.wait_for(State.WAITING_FOR_LOG, f"connecting to {self.log.where}")
            self.log.connect()
            self.log.subscribe()
            if self.desk:
                self.desk.start()
            self.console.begin()
            logger.info("reading the topic %s of %s, writing to %s", self.log.topic, self.log.where, self.store.where)
            while not self.stop.is_set():
                self.turn()
            logger.info("asked to stop: storing and committing the batch in flight")
            self.finish()
            self._reporter.end(self.status())
        except Stopped:
            if self.holdup.reason:
                logger.warning(
                    "stopped while held up (%s): the next start resumes from the last commit", self.holdup.reason
                )
            else:
                logger.info("asked to stop while waiting")
                self._reporter.end(self.status())
        finally:
            self.console.end(self.counters, self.log.lag)
            if self.desk:
                self.desk.close()
            self.log.close()
            self._writer.shutdown()
            self.store.close()
        logger.info("ended")

    def turn(self) -> None:
        """Read and compute one batch. If there is a backlog, the previous batch is written at the same time.

        The write of the new batch starts as soon as the previous write has ended; the previous batch is then committed.
        """
        with self.telemetry.poll_seconds.time():
            polled = self.poll()
        self.telemetry.read(self.partitions, polled.records)
        with self.telemetry.compute_seconds.time():
            batch = self.process(polled)
        write = self.store.prepared(Points.joined(batch.points)) if polled.more and batch.points else None
        before, self._in_flight = self._in_flight, batch
        if before:
            self.write(before)
        if write:
            batch.attempt = self._writer.submit(write)
        if before:
            self.settle(before)
        if not write:
            self.finish()
        self.report()

    def poll(self) -> Polled:
        """Poll the next records; first, apply the changes of the assignment that came with them."""
        try:
            polled = self.log.poll(POLL_SECONDS)
        except LogUnavailable as error:
            self._is_unread = True
            self.holdup.wait(POLL_SECONDS, str(error), f"{self.log.where} answers again", State.WAITING_FOR_LOG)
            return Polled()
        try:
            self.partitions.follow(polled)
            if self._is_unread:  # without this, an idle worker would report the hold-up until its next commit
                self._is_unread = False
                self.holdup.over()
        except LogUnavailable as error:
            self._is_unread = True
            # The records of other partitions must not be dropped: the log would continue after them, and the commit
            # would skip them.
            if not polled.records and not polled.read_up_to:
                self.holdup.wait(POLL_SECONDS, str(error), f"{self.log.where} answers again", State.WAITING_FOR_LOG)
                return Polled()
            self.holdup.say(f"held up in part: {error}")
        return polled

    def process(self, polled: Polled) -> Batch:
        """Decode the records, advance the windows and compute the metrics. Records before a partition's `emit_from`
        only fill its windows.
        """
        batch = Batch()
        for number, lost in self.partitions.take_lost().items():
            overrun = self.partitions[number]
            batch.tallies[number].lost += lost
            batch.positions[number] = overrun.position(overrun.emit_from)
        ends = {number: records[-1].offset + 1 for number, records in polled.records.items() if records}
        ends = {number: end for number, end in {**ends, **polled.read_up_to}.items() if number in self.partitions}
        found = {number: polled.records.get(number, ()) for number in ends}
        for number, end in ends.items():
            self.partitions[number].consume(found[number], end, batch.tallies[number])
        for group in together(found):
            self.take_in(group, batch)
        for number, end in ends.items():
            if self.desk:
                self.desk.passed(number, end)
            if not self.partitions.is_restoring(number, end):
                batch.positions[number] = self.partitions[number].position(end)
        return batch

    def take_in(self, group: Mapping[int, Sequence[Record]], batch: Batch) -> None:
        """Turn the records of some partitions into points to store and records to refuse."""
        decoded, refused = decode(list(chain(*group.values())), self._limits)
        taken = {}
        for number, ticks in zip(group, decoded.split(kept_of(group, refused)), strict=True):
            taken[number], nameless = self.partitions[number].names.admit(ticks)
            refused += nameless
            self.note_arrivals(number, taken[number], batch.tallies[number])
        counts = list(map(len, taken.values()))
        ticks = TickBatch.joined(list(taken.values()))
        windows = [self.partitions[number].windows for number in taken]
        metrics = measure(advance_together(windows, ticks, counts), self.settings.anomaly_threshold)
        numbers = np.repeat(list(taken), counts)
        due = ticks.offsets >= np.repeat([self.partitions[number].emit_from for number in taken], counts)
        if due.any():
            points, depth = Points.of(numbers, ticks, metrics), metrics.depth
            if not due.all():
                points, depth = points.take(np.flatnonzero(due)), depth[due]
            batch.points.append(points)
            batch.records += compress(ticks.records, due.tolist())
            has_probe = any(PROBE in self.partitions[number].names.known for number in taken)
            self.observe(*batch.apart_from_probes(points, depth, has_any=has_probe))
        refused = sorted(refused, key=lambda each: (each.record.partition, each.record.offset))
        refused = [each for each in refused if each.record.offset >= self.partitions[each.record.partition].emit_from]
        for each in refused:
            batch.tallies[each.record.partition].refused[each.reason] += 1
        batch.letters += self.letters_of(refused, dead_letters.DECODE)
        self.notices.took(int(due.sum()), (each.reason for each in refused))
        for number, records in group.items():
            logger.debug(
                "batch: partition %d, offsets %d to %d, %d ticks, %d refused",
                *(number, records[0].offset, records[-1].offset, len(taken[number]), len(records) - len(taken[number])),
            )

    def note_arrivals(self, number: int, ticks: TickBatch, tally: Tally) -> None:
        """Count the accepted ticks of one partition and diagnose how they arrived; pass them to the alerts."""
        ours = self.partitions[number]
        split = self.partitions.take_split(number)
        tally.split += len(split)
        self.notices.split(number, split)
        if self.desk:
            self.desk.take(number, ticks)
        begin = ticks.after(ours.emit_from)
        ours.arrivals.diagnose(ticks, tally, begin)
        if tally.naive:
            self.notices.naive(ticks, begin)
        tally.accepted += len(ticks) - begin

    def observe(self, points: Points, depth: Ints) -> None:
        """Update what people see: the price history, the console, and the time of the newest tick in the status."""
        if not len(points):
            return
        remember(self.price_history, points.symbol, points.price.tolist())
        self.console.take(points, depth)
        self._reporter.note(points)

    def finish(self) -> None:
        """Store, refuse and commit the batch in flight."""
        if self._in_flight:
            self.write(self._in_flight)
            self.settle(self._in_flight)
            self._in_flight = None

    def write(self, batch: Batch) -> None:
        """Store the points, retrying for ever; points that the store refuses for good become dead letters."""
        if not batch.points:
            return
        with self.telemetry.write_seconds.time():
            self.write_points(batch)

    def write_points(self, batch: Batch) -> None:
        """Store the points of a batch that is not empty."""
        parts = [Points.joined(batch.points)]
        written = [self.store_points(parts[0], batch.attempt)]
        if written[0].expired and len(set(parts[0].partition.tolist())) > 1:
            # The store reports how many points it dropped, but not which: so each partition is written again, to count
            # its own.
            parts = parts[0].by_partition()
            written = [self.store_points(part) for part in parts]
        records = iter(batch.records)
        for part, outcome in zip(parts, written, strict=True):
            of_part = list(islice(records, len(part)))
            refused = [Refused(of_part[at], words) for at, words in outcome.refused]
            self.deliver(self.letters_of(refused, dead_letters.STORE))
            batch.count(part, outcome)
            if outcome.expired:
                self.notices.expired(part, outcome)
        self.telemetry.stored(batch.probes_ns)

    def store_points(self, points: Points, attempt: Future[Written] | None = None) -> Written:
        """Store points, retrying for ever; `attempt` is the first attempt, if a different thread has already started
        it.
        """
        backoff = Backoff()
        while True:
            try:
                written = attempt.result() if attempt else self.store.write(points)
                break
            except StoreError as error:
                attempt = None
                asked = error.retry_after if isinstance(error, StoreUnavailable) else None
                resumed = f"{self.store.where} accepts writes again"
                self.holdup.wait(asked or next(backoff), str(error), resumed, State.WAITING_FOR_STORE)
        self.holdup.over()
        return written

    def settle(self, batch: Batch) -> None:
        """Publish the refused records of a batch whose points are stored, and commit it."""
        self.deliver(batch.letters)
        self.console.refused(letter.key for letter in batch.letters)
        self.commit(batch)

    def letters_of(self, refused: Sequence[Refused], stage: str) -> list[dead_letters.Letter]:
        """The dead letters about these records, each cut to the size that the topic accepts."""
        if not refused:
            return []
        largest = self.log.largest_letter
        return [dead_letters.letter_of(self.log.topic, each, stage, largest) for each in refused]

    def deliver(self, letters: Sequence[dead_letters.Letter]) -> None:
        """Publish letters to the dead-letter topic until all of them are acknowledged."""
        if not letters:
            return
        delivery = dead_letters.Delivery(self.log, letters)
        for delay in Backoff():
            try:
                delivery.attempt()
                break
            except (NotAcknowledged, LogUnavailable) as error:
                topic = self.log.dead_letter_topic
                reason = f"the dead-letter topic {topic} does not accept records: {error}"
                self.holdup.wait(delay, reason, f"the dead-letter topic {topic} accepts records again")
        self.holdup.over()

    def commit(self, batch: Batch) -> None:
        """Commit what is stored and refused. Positions that the log cannot take now are committed with the next batch.

        A position that the group refuses stays due while the partition is ours; after that its next owner reads from
        the last commit.
        """
        self._uncommitted |= batch.positions
        self._uncommitted = {n: at for n, at in self._uncommitted.items() if self.partitions.holds(n, at)}
        for number in batch.positions.keys() & self._uncommitted.keys():
            self.counters.pending(number, batch.positions[number].epoch).add(batch.tallies[number])
        if not self._uncommitted:
            return
        try:
            with self.telemetry.commit_seconds.time():
                committed = self.log.commit(self._uncommitted)
            self.holdup.over()
        except LogUnavailable as error:
            resumed = f"{self.log.where} accepts commits again"
            self.holdup.wait(POLL_SECONDS, str(error), resumed, State.WAITING_FOR_LOG)
            return
        logger.debug("committed %s", {number: self._uncommitted[number].offset for number in sorted(committed)})
        self.telemetry.commit({number: self._uncommitted[number].offset for number in committed})
        for number in committed:
            position = self._uncommitted.pop(number)
            self.partitions.note_commit(number, position)
            self.counters.settle(number, position.epoch, position.offset)
            if self.desk:
                self.desk.committed(number, position.offset)

    def report(self) -> None:
        """Pass waiting ticks to the alerts, write the status, print what is due; none of this can stop the loop."""
        if self.desk:
            self.desk.look()
        self.console.speak(self.counters, self.log.lag)
        self.notices.speak()
        if self.telemetry.is_due:
            self.telemetry.publish(self.snapshot(), self.holdup.reason)
        self._reporter.report(self.status)

    def snapshot(self) -> "Snapshot":
        """The current figures of this worker, for its metrics and its health."""
        newest = self._reporter.newest_event
        return self.telemetry.snapshot_of(self.partitions, self.counters, self.log.ends(), self.holdup.state, newest)

    def status(self) -> WorkerStatus:
        """The current status of this worker."""
        held_up_by, health = self.holdup.reason or self.log.holdup, self.telemetry.health.report
        notice, state = self.notices.sentence(), health.state.value
        return self._reporter.status(self.log.lag(), self.counters.total, held_up_by, notice, state, health.sentence)


FLAGS = (
    *("STACK", "EMBEDDED_FILE", "RETENTION_DAYS", "INFLUXDB_URL", "INFLUXDB_ORG", "INFLUXDB_BUCKET"),
    *("INFLUXDB_BATCH_POINTS", "INFLUXDB_CONNECTIONS", "INFLUXDB_GZIP"),
    *("KAFKA_SERVERS", "KAFKA_TOPIC", "KAFKA_GROUP", "KAFKA_PARTITIONS", "KAFKA_INSTANCE_ID", "KAFKA_BATCH_RECORDS"),
    *("KAFKA_REPLICAS", "KAFKA_MIN_INSYNC_REPLICAS", "KAFKA_COMPRESSION", "KAFKA_RETENTION_DAYS"),
    *("ANOMALY_THRESHOLD", "HISTORY_SIZE", "UPDATE_INTERVAL", "SUMMARY_INTERVAL"),
    *("ALERT_NOTIFY", "ALERT_RATE", "ALERT_GIVE_UP", "ALERT_OUTBOX"),
    *("ALERTS", "ALERT_BUDGET", "ALERT_FOLLOW", "ALERT_MIN_MOVE", "ALERT_DETECTORS", "ALERT_RULES", "ALERT_THRESHOLDS"),
    *(
        "METRICS_HOST",
        "METRICS_PORT",
        "MAX_RECORD_BYTES",
        "MAX_BATCH_BYTES",
        "MAX_SYMBOLS",
        "MAX_SOURCES",
        "MAX_TICK_AGE",
        "LOG_LEVEL",
    ),
    *("LOG_FORMAT", "PRICE_LINES", "MARKET"),
)


def worker_of(settings: Settings, stop: process.StopEvent, *, alerts_only: bool = False) -> StockAnalyticsEngine:
    """The worker that the settings describe; with `alerts_only` it needs no store, and publishes alerts without storing
    them.
    """
    if not alerts_only:
        return StockAnalyticsEngine(settings, stop=stop)
    log = open_log(settings, stop, worker_name(settings.kafka_instance_id))
    desk = open_desk(settings, log, stop, store=NowhereAlerts())
    store = cast(
        MetricsStore, NowhereStore(stop)
    )  # it has every method that a worker calls, but not the queries of the page
    return StockAnalyticsEngine(settings, log=log, store=store, desk=desk, stop=stop)


def main(stop: process.StopEvent, argv: Sequence[str] | None = None) -> int:
    """Run the script; return the exit code."""
    parser = process.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command_line.add_arguments(parser)
    add_flags(parser, FLAGS, aliases={"UPDATE_INTERVAL": "--interval"})
    arguments = parser.parse_args(argv)
    command_line.check(parser, arguments)
    settings = load_settings(flags=flags_of(arguments))
    if arguments.verb != "run":
        set_up_logging(settings)
        return command_line.perform(arguments, settings, stop)
    with instance_name(settings.kafka_instance_id, settings.kafka_group) as name:
        return work(arguments, settings.model_copy(update={"kafka_instance_id": name}), stop)


def set_up_logging(settings: Settings) -> None:
    """Put the worker's name into each log line."""
    name = worker_name(settings.kafka_instance_id)
    process.set_up_logging(settings.log_level, name, settings.log_format, settings.notices)


def work(arguments: argparse.Namespace, settings: Settings, stop: process.StopEvent) -> int:
    """Run one worker until it is asked to stop; return the exit code."""
    set_up_logging(settings)
    worker = worker_of(settings, stop, alerts_only=arguments.alerts_only)
    logger.info("%s", origin_of_settings())
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: worker.console.want_summary())
    gc.freeze()  # without it, garbage collection of the loaded modules took 10 % of the CPU
    from tickflow.telemetry.unread import serving_worker  # loads prometheus_client

    with serving_worker(settings, worker.telemetry, partial(open_log, settings, stop), stop):
        worker.run()
    return process.DONE


if __name__ == "__main__":
    sys.exit(process.run(main))
