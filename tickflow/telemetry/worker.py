"""The metrics and the health of one worker.

The loop publishes a `Snapshot` of its figures in each iteration; a scrape renders the newest snapshot and never touches
the data that the loop works on. While an iteration lasts, for example in a slow write, the ends of the log come from a
connection of their own, so that the lag grows as it does. Names and units follow Prometheus' conventions
(https://prometheus.io/docs/practices/naming/).
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tickflow.telemetry.health import Health, Report, State
from tickflow.telemetry.lag import LagClock, Stretch
from tickflow.ticklog.base import Record
from tickflow.ticks.reasons import Reason
from tickflow.worker.assignments import Assigned
from tickflow.worker.counters import Counters, Tally

BEHIND_SECONDS = 10.0
"""A worker is behind if its oldest uncommitted record is older than this many seconds."""
SNAPSHOT_SECONDS = 0.5
"""The shortest time between two snapshots, in seconds: each snapshot copies the counters of every partition."""
OVERDUE_SECONDS = 0.5
"""How late the loop may be with its snapshot before the ends of the log are looked up for it."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_RECORDS = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)

_TALLIES = {
    "records_consumed": ("consumed", "Records read from the log."),
    "ticks_accepted": ("accepted", "Records that are ticks and became points."),
    "points_stored": ("stored", "Points that the store confirmed."),
    "points_refused_by_store": ("refused_by_store", "Points that the store refuses for good."),
    "points_expired": ("expired", "Points outside the store's retention."),
    "records_lost": ("lost", "Records that were gone from the log before they were read."),
    "offsets_skipped": ("skipped", "Offsets without a record: Kafka's markers, aborted or compacted records."),
    "records_cold": ("cold", "Records that windows needed after a restart and that were gone from the log."),
    "ticks_late": ("late", "Ticks older than an earlier tick of their symbol."),
    "ticks_without_zone": ("naive", "Ticks whose time came without a zone and was taken as UTC."),
    "ticks_missing": ("gaps", "Ticks that a producer numbered and that never arrived."),
    "ticks_repeated": ("repeats", "Ticks whose number had arrived before."),
    "commits_foreign": ("foreign", "Commits of the group that another program wrote."),
    "symbols_split": ("split", "Symbols with ticks in more than one partition of the worker."),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A worker's figures at one moment; those that belong to a partition are by partition. Offsets are as Kafka counts
    them.
    """

    tallies: Mapping[int, Tally] = field(default_factory=dict)
    committed: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)
    restoring: Mapping[int, float] = field(default_factory=dict)
    symbols: int = 0
    discrepant: int = 0
    held_up: State | None = None
    newest_event_ns: int | None = None


class WorkerTelemetry:
    """What one worker reports; `clock` is the wall clock in ns since 1970, `version` the version of the program."""

    def __init__(self, worker: str, version: str, clock: Callable[[], int] = time.time_ns) -> None:
        self.health = Health()
        self.lag = LagClock()
        self.registry = CollectorRegistry()
        self._clock = clock
        self._snapshot = Snapshot()
        self._later_ends: Mapping[int, int] = {}
        self._due_at = 0.0
        ProcessCollector(registry=self.registry)
        self.registry.register(_Collector(self))
        build = Gauge("tickflow_build_info", "The program.", ("version", "worker"), registry=self.registry)
        build.labels(version, worker).set(1)
        self.poll_seconds = self._histogram("poll_seconds", "Duration of a poll, including the wait for records.")
        self.compute_seconds = self._histogram("compute_seconds", "Duration of decoding and computing one batch.")
        self.write_seconds = self._histogram("write_seconds", "Duration of a write until the store confirmed it.")
        self.commit_seconds = self._histogram("commit_seconds", "Duration of a commit.")
        self.probe_seconds = self._histogram("probe_stored_seconds", "Age of a probe when it was stored.")
        self.batch_records = self._histogram("batch_records", "Records in one batch.", _RECORDS)

    @property
    def is_due(self) -> bool:
        """Whether the last snapshot is old enough to be replaced."""
        return time.monotonic() >= self._due_at

    @property
    def unwatched(self) -> list[int]:
        """The partitions of a loop that is overdue with its figures; else none."""
        is_overdue = time.monotonic() >= self._due_at + OVERDUE_SECONDS
        return list(self._snapshot.ends) if is_overdue else []

    def see(self, ends: Mapping[int, int]) -> None:
        """Adopt the ends of the log, by partition, until the loop publishes its own."""
        for partition, end in ends.items():
            self.lag.grow(partition, end)
        self._later_ends = ends

    def wait_for(self, state: State, sentence: str) -> None:
        """Record that the worker is now waiting for a server, inside one call that has its own time-outs."""
        self.health.note(Report(state, sentence), patient=True)

    def read(self, partitions: Mapping[int, Assigned], records: Mapping[int, Sequence[Record]]) -> None:
        """Record that a poll brought records of these partitions."""
        self.lag.follow({n: ((ours.epoch, ours.life), ours.emit_from) for n, ours in partitions.items()})
        for partition, found in records.items():
            ours = partitions.get(partition)
            if ours is None or not found:
                continue
            self.batch_records.observe(len(found))
            first = bisect_left(found, ours.emit_from, key=attrgetter("offset"))
            if first < len(found):
                self.lag.read(partition, Stretch(found[first].timestamp, found[-1].offset + 1))

    def stored(self, probes_ns: Iterable[int]) -> None:
        """Record that the probes with these event times have just been stored."""
        for time_ns in probes_ns:
            self.probe_seconds.observe(max(0, self._clock() - time_ns) / 1e9)

    def commit(self, committed: Mapping[int, int]) -> None:
        """Record that the group has committed up to these offsets, by partition."""
        now_ms = self._clock() // 1_000_000
        for partition, offset in committed.items():
            self.lag.commit(partition, offset, now_ms)

    @staticmethod
    def snapshot_of(
        partitions: Mapping[int, Assigned],
        counters: Counters,
        ends: Mapping[int, int],
        held_up: State | None,
        newest_event_ns: int | None,
    ) -> Snapshot:
        """A copy of the loop's figures that later batches do not change."""
        tallies: dict[int, Tally] = {}
        for number, account in counters.accounts.items():
            tallies[number] = Tally()
            tallies[number].add(account.tally)
        return Snapshot(
            tallies=tallies,
            committed={
                number: counters.accounts[number].committed for number in partitions if number in counters.accounts
            },
            ends=dict(ends),
            restoring={
                number: (ours.read_up_to - ours.restore_from) / (ours.emit_from - ours.restore_from)
                for number, ours in partitions.items()
                if ours.read_up_to < ours.emit_from
            },
            discrepant=len(counters.discrepancies()),
            symbols=sum(ours.windows.symbols for ours in partitions.values()),
            held_up=held_up,
            newest_event_ns=newest_event_ns,
        )

    def publish(self, snapshot: Snapshot, sentence: str = "") -> None:
        """Adopt the newest figures of the loop, and judge its health; `sentence` says what holds the worker up."""
        self._due_at = time.monotonic() + SNAPSHOT_SECONDS
        self._snapshot, self._later_ends = snapshot, {}
        self.health.note(self._judged(snapshot, sentence))

    @property
    def ends(self) -> dict[int, int]:
        """The ends of the log as last seen, by partition."""
        later = self._later_ends
        return {partition: max(end, later.get(partition, end)) for partition, end in self._snapshot.ends.items()}

    def lag_records(self) -> dict[int, int]:
        """How many records lie between the committed offset and the end of the log, by partition."""
        committed = self._snapshot.committed
        return {n: max(end - committed[n], 0) for n, end in self.ends.items() if n in committed}

    def lag_seconds(self) -> dict[int, float]:
        """The age of the oldest uncommitted record, by partition; partitions where it is unknown are left out."""
        now_ms = self._clock() // 1_000_000
        ages = {n: self.lag.seconds(n, end, now_ms) for n, end in self.ends.items()}
        return {partition: age for partition, age in ages.items() if age is not None}

    def _judged(self, snapshot: Snapshot, sentence: str) -> Report:
        if snapshot.held_up is not None:
            return Report(snapshot.held_up, sentence)
        if snapshot.restoring:
            share = sum(snapshot.restoring.values()) / len(snapshot.restoring)
            words = f"restoring the windows of {len(snapshot.restoring)} partitions: {share:.0%} done"
            return Report(State.RESTORING, words, share)
        records, oldest = sum(self.lag_records().values()), max(self.lag_seconds().values(), default=0.0)
        if oldest > BEHIND_SECONDS:
            return Report(State.BEHIND, f"{records:,} records behind, the oldest appended {oldest:,.0f} s ago")
        if not snapshot.committed:
            return Report(State.FINE, "no partition is assigned to this worker")
        return Report(State.FINE, f"reads {len(snapshot.committed)} partitions, {records:,} records behind")

    def _histogram(self, name: str, text: str, buckets: Iterable[float] = _SECONDS) -> Histogram:
        return Histogram(f"tickflow_{name}", text, buckets=tuple(buckets), registry=self.registry)

    @property
    def snapshot(self) -> Snapshot:
        """The newest figures of the loop."""
        return self._snapshot


class _Collector(Collector):
    def __init__(self, telemetry: WorkerTelemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        snapshot = self._telemetry.snapshot
        for name, (attribute, text) in _TALLIES.items():
            family = CounterMetricFamily(f"tickflow_{name}", text, labels=("partition",))
            for partition, tally in snapshot.tallies.items():
                family.add_metric((str(partition),), getattr(tally, attribute))
            yield family
        refused = CounterMetricFamily("tickflow_records_refused", "Records that are not ticks.", labels=("reason",))
        # Each reason starts at 0: Prometheus misses the first increase of a counter if the counter only appears with
        # it.
        totals: dict[str, int] = {reason.value: 0 for reason in Reason}
        for tally in snapshot.tallies.values():
            for reason, count in tally.refused.items():
                totals[str(reason)] = totals.get(str(reason), 0) + count
        for reason, count in sorted(totals.items()):
            refused.add_metric((reason,), count)
        yield refused
        yield _by_partition("committed_offset", "The group's committed offset.", snapshot.committed)
        yield _by_partition("end_offset", "The end of the log when last read.", self._telemetry.ends)
        yield _by_partition("lag_records", "End of the log minus committed offset.", self._telemetry.lag_records())
        yield _by_partition("lag_seconds", "Age of the oldest uncommitted record.", self._telemetry.lag_seconds())
        yield _by_partition("restore_ratio", "Share of the current restore that is done, 0 to 1.", snapshot.restoring)
        yield GaugeMetricFamily("tickflow_symbols", "Symbols with a window.", value=snapshot.symbols)
        yield GaugeMetricFamily(
            "tickflow_accounts_discrepant", "Partitions whose accounts do not add up.", value=snapshot.discrepant
        )
        held_up = GaugeMetricFamily("tickflow_held_up", "1 while something holds the worker up.", labels=("by",))
        for state in (State.WAITING_FOR_LOG, State.WAITING_FOR_STORE, State.HELD_UP):
            held_up.add_metric((state.value,), float(snapshot.held_up is state))
        yield held_up
        if snapshot.newest_event_ns is not None:
            newest = snapshot.newest_event_ns / 1e9
            yield GaugeMetricFamily("tickflow_newest_event_timestamp_seconds", "The newest event time.", value=newest)
        health = self._telemetry.health
        yield GaugeMetricFamily("tickflow_live", "1 while the loop is running.", value=float(health.is_live))
        yield GaugeMetricFamily("tickflow_ready", "1 while the worker does its work.", value=float(health.is_ready))


def _by_partition(name: str, text: str, values: Mapping[int, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"tickflow_{name}", text, labels=("partition",))
    for partition, value in sorted(values.items()):
        family.add_metric((str(partition),), value)
    return family


def follow_lag(
    telemetry: WorkerTelemetry,
    end_of: Callable[[int], int | None],
    append_ms: Callable[[int, int], int | None],
    stop: threading.Event,
    every: float = 0.5,
) -> None:
    """Look up what the loop does not know about the log until `stop` is set; runs in a separate thread.

    `end_of` returns the end of a partition, `append_ms` the append time of the record at (partition, offset); `None`
    if it is not known at present.
    """
    while not stop.wait(every):
        found = {partition: end_of(partition) for partition in telemetry.unwatched}
        if found:
            telemetry.see({partition: end for partition, end in found.items() if end is not None})
        for partition, committed in telemetry.lag.unknown():
            appended = append_ms(partition, committed)
            if appended is not None:
                telemetry.lag.look_up(partition, committed, appended)
