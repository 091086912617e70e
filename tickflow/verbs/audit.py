"""The audit: recomputes every point from the log and compares the result with the store, bit for bit.

It reads the log up to the group's commit, without joining the group, so it may run at the same time as the workers. It
begins at the log's start or, if only points after a given time are audited, at the oldest record that their windows
need. It does not judge what it cannot know: points of records that the log no longer holds, values whose windows reach
back before the start of the log, and records that are not committed yet.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tickflow import process
from tickflow.alerts import market
from tickflow.alerts.alert import MARKET, Alert
from tickflow.alerts.replay import alerts_of_log, differences, judged
from tickflow.alerts.standing import Change
from tickflow.alerts.watch import Terms
from tickflow.metrics.fields import DEPTH, TABLE
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import WINDOW_SPAN, Windows
from tickflow.store.alerts import AlertStore
from tickflow.store.base import PointReader
from tickflow.ticklog.base import LOG_APPEND_TIME, Bounds, TickLog
from tickflow.ticklog.places import offset_at
from tickflow.ticks.names import Names
from tickflow.ticks.tick import END_YEAR_US, MAX_AHEAD_US, Limits, decode
from tickflow.verbs import dead_letters as letters
from tickflow.verbs.expected import Expectation, Expected, Identity, bodies, values
from tickflow.worker import dead_letters
from tickflow.worker.report import counted
from tickflow.worker.restore import computed_since

FIRST_NS, END_NS = 0, END_YEAR_US * 1000
EXAMPLES = 20
SLICE = 5_000
"""How many points of one symbol are compared at a time."""
SETTLED_MS = 15_000
"""Market moves are judged once the newest record is this old, in ms."""
TOO_MANY = 4 * SLICE
"""A slice with more stored points than this is halved before it is read."""

_NEEDED = {each.name: each.window for each in TABLE}
"""For each field, how many ticks a value is computed from."""


@dataclass(slots=True)
class Findings:
    """The result of an audit: counts, and the first differences in words.

    `foreign` points come from no record of the log. `shared` ticks have the symbol, source and time of a later tick,
    which has overwritten their point. Not judged: `expired` points, which the store may have dropped; `older`
    points, whose records the log no longer holds; `newer` points, which are not committed; points of an `other_version`
    of the computation, which this version would compute differently; and dead letters `forgotten` by retention.
    """

    records: int = 0
    expected: int = 0
    stored: int = 0
    refused: int = 0
    lost: int = 0
    foreign: int = 0
    different: int = 0
    letters_missing: int = 0
    alerts: int = 0
    alerts_wrong: int = 0
    refused_by_store: int = 0
    refused_by_names: int = 0
    shared: int = 0
    expired: int = 0
    older: int = 0
    other_version: int = 0
    newer: int = 0
    forgotten: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether no point is lost, foreign or different, no dead letter is missing, and no alert is wrong."""
        return not (self.lost or self.foreign or self.different or self.letters_missing or self.alerts_wrong)

    def note(self, words: str) -> None:
        """Keep the description of a difference if it is among the first."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(words)


class Audit:
    """Compares a connected log with a connected store: the points from `since_ns` up to, but not including, `until_ns`.

    It also covers the dead letters of records that were appended between these times. `limits` and `threshold` must be
    those of the workers.
    """

    def __init__(
        self,
        log: TickLog,
        store: PointReader,
        limits: Limits,
        threshold: float,
        since_ns: int = FIRST_NS,
        until_ns: int = END_NS,
        span: int = WINDOW_SPAN,
        alerts: tuple[AlertStore, Terms] | None = None,
        changes: Callable[[str], Iterable[Change]] = lambda _topic_id: (),
    ) -> None:
        self._alerts = alerts
        self._changes = changes
        self._log = log
        self._store = store
        self._limits = limits
        self._threshold = threshold
        self._since_ns = since_ns
        self._until_ns = until_ns
        self._span = span
        self._judged: dict[int, Bounds] = {}
        self._ends: dict[int, int] = {}
        self._since: dict[int, int] = {}
        self._newest_ms = 0
        self._found = Findings()

    def run(self) -> Findings:
        """Compare everything. Raises `LogError`, `StoreError`, `Stopped`."""
        found = self._found
        with Expected() as expected:
            for partition in self._log.partitions():
                self._recompute(partition, expected)
            self._read_letters(expected)
            found.expected, found.refused = expected.counts()
            found.shared = expected.ticks - found.expected
            for symbol in sorted(expected.symbols() | set(self._store.first_prices(self._since_ns))):
                for part in expected.slices(symbol, self._since_ns, self._until_ns, SLICE):
                    wanted = dict(part.points)
                    for points in self._stored(symbol, part.since_ns, part.until_ns):
                        self._compare(symbol, wanted, points)
                    self._miss(symbol, wanted, expected)
        if self._alerts is not None:
            self._compare_alerts(*self._alerts)
        return found

    def _compare_alerts(self, store: AlertStore, terms: Terms) -> None:
        """Compare the stored alerts with those recomputed from the log, for partitions that the log still holds from
        their start.
        """
        found = self._found
        wanted: dict[tuple[str, str, int], Alert] = {}
        whole = [number for number, judged in self._judged.items() if judged.start == 0]
        changes = list(self._changes(self._log.topic_id))
        for number in whole:
            self._log.check_stop()
            wanted |= alerts_of_log(self._log, number, self._judged[number], terms, self._limits, changes)
        inside = {each.key: each for each in self._inside(wanted.values())}
        for stored in judged(store.alerts(self._since_ns, self._until_ns)):
            judged_up_to = self._judged.get(stored.partition)
            if judged_up_to is not None and (judged_up_to.start > 0 or stored.offset >= judged_up_to.end):
                continue  # alerts whose records are gone or not committed yet
            expected = inside.pop(stored.key, None)
            where = f"{stored.symbol} {stored.detector} at {moment(stored.time_ns)}"
            if expected is None:
                found.alerts_wrong += 1
                found.note(f"foreign alert: {where}: the ticks raise no such alert")
                continue
            found.alerts += 1
            names = differences(expected, stored)
            # An open episode continues with ticks that are not committed yet.
            if names and (expected.closed is not None or self._is_at_rest(stored.partition)):
                found.alerts_wrong += 1
                for name in names:
                    wrong, right = getattr(stored, name), getattr(expected, name)
                    found.note(f"different alert: {where}: {name} is {wrong}, expected {right}")
        for missing in inside.values():
            found.alerts_wrong += 1
            found.note(f"lost alert: {missing.symbol} {missing.detector} at {moment(missing.time_ns)}")
        # A worker waits some seconds for the moves of others before it looks for market moves.
        is_settled = time.time() * 1000 - self._newest_ms > SETTLED_MS
        if is_settled and len(whole) == len(self._judged) and all(map(self._is_at_rest, whole)):
            self._compare_moves(store, list(wanted.values()))

    def _compare_moves(self, store: AlertStore, alerts: list[Alert]) -> None:
        """Compare the stored market moves with `alerts`, which must be those of all symbols."""
        found = self._found
        reach = (max(0, self._since_ns - market.REACH_NS), self._until_ns + market.REACH_NS)
        stored = store.alerts(*reach, symbols=[MARKET])
        judged_moves = self._inside(stored)
        symbols = max(market.counted_symbols(self._store.latest()), len({each.symbol for each in alerts}))
        missing = market.incomplete(stored, alerts, symbols)
        found.alerts += len(judged_moves)
        for words, moves in (
            ("foreign alert: a market move whose members did not move", market.unfounded(judged_moves, alerts)),
            ("lost alert: a market move, or members of it,", self._inside(missing)),
        ):
            found.alerts_wrong += len(moves)
            for each in moves:
                found.note(f"{words} at {moment(each.time_ns)}: {each.members}")

    def _inside(self, alerts: Iterable[Alert]) -> list[Alert]:
        """The alerts within the audited time."""
        return [each for each in alerts if self._since_ns <= each.time_ns < self._until_ns]

    def _is_at_rest(self, partition: int) -> bool:
        return self._log.bounds(partition, self._log.topic).end == self._judged[partition].end

    def _recompute(self, partition: int, expected: Expected) -> None:
        """Recompute what the store must hold for the partition's records, up to the group's commit."""
        commit, held = self._log.committed(partition), self._log.bounds(partition, self._log.topic)
        begin = self._begin(partition, held)
        end = held.start if commit is None or commit.offset > held.end else max(commit.offset, held.start)
        self._since[partition] = 0 if commit is None else computed_since(commit)
        windows, names = Windows(self._span), Names(self._limits)
        for records in self._log.read(partition, Bounds(begin, max(begin, end))):
            self._found.records += len(records)
            if records:
                self._newest_ms = max(self._newest_ms, records[-1].timestamp)
            ticks, refused = decode(records, self._limits)
            ticks, nameless = names.admit(ticks)
            refused += nameless
            metrics = measure(windows.advance(ticks), self._threshold)
            points = Points.of(partition, ticks, metrics)
            inside = ((points.time_ns >= self._since_ns) & (points.time_ns < self._until_ns)).nonzero()[0]
            appended = [ticks.records[at].timestamp for at in inside.tolist()]
            expected.add(points.take(inside), metrics.depth[inside], appended)
            expected.refuse(
                each for each in refused if self._since_ns <= each.record.timestamp * 1_000_000 < self._until_ns
            )
        # read the bounds again: retention may have deleted records before they were read
        start = max(self._log.bounds(partition, self._log.topic).start, begin)
        self._judged[partition] = Bounds(start, max(start, end))
        self._ends[partition] = held.end

    def _begin(self, partition: int, held: Bounds) -> int:
        """The first offset to read: that of the first record that may hold a tick of the audited time, minus the span
        of the windows.

        If the log sets the time of records, a tick cannot be later than its record.
        """
        if self._since_ns <= FIRST_NS or held.start == held.end:
            return held.start
        first = next((records[0] for records in self._log.read(partition, held) if records), None)
        if first is None or first.timestamp_type != LOG_APPEND_TIME:
            return held.start
        since_ms = (self._since_ns // 1000 - MAX_AHEAD_US) // 1000
        return max(held.start, offset_at(self._log, partition, since_ms, held) - self._span - 1)

    def _read_letters(self, expected: Expected) -> None:
        expected.deliver(letter for letter in letters.read(self._log) if letter is not None)
        topic = self._log.dead_letter_topic
        have_gone = any(self._log.bounds(number, topic).start > 0 for number in self._log.partitions(topic))
        for partition, offset, reason in expected.undelivered(dead_letters.DECODE):
            first = expected.first_letter(partition)
            if have_gone and (first is None or offset < first):
                self._found.forgotten += 1
            else:
                self._found.letters_missing += 1
                self._found.note(f"no dead letter of {partition}/{offset}, refused as {reason}")

    def _stored(self, symbol: str, since_ns: int, until_ns: int) -> Iterator[Points]:
        """The symbol's stored points in [`since_ns`, `until_ns`), in slices that fit into memory."""
        if until_ns - since_ns > 1 and self._store.count(symbol, since_ns, until_ns) > TOO_MANY:
            middle = (since_ns + until_ns) // 2
            yield from self._stored(symbol, since_ns, middle)
            yield from self._stored(symbol, middle, until_ns)
        else:
            yield self._store.points(symbol, since_ns, until_ns)

    def _compare(self, symbol: str, wanted: dict[Identity, Expectation], points: Points) -> None:
        """Compare stored points with the expected ones, and remove the points that exist from `wanted`."""
        self._log.check_stop()
        columns = (points.time_ns.tolist(), points.source, points.partition.tolist(), points.offset.tolist())
        for time_ns, source, partition, offset, body in zip(*columns, bodies(points), strict=True):
            expectation = wanted.pop((time_ns, source), None)
            if expectation is None:
                self._stray(symbol, time_ns, partition, offset)
                continue
            self._found.stored += 1
            if body != expectation.body:
                self._differ(symbol, time_ns, expectation, body)

    def _differ(self, symbol: str, time_ns: int, expectation: Expectation, body: bytes) -> None:
        wanted, found = values(expectation.body), values(body)
        known = self._known(wanted, expectation.depth)
        names = [name for name in wanted if _NEEDED[name] <= known and repr(wanted[name]) != repr(found[name])]
        if names and int(wanted["offset"] or 0) < self._since[int(wanted["partition"] or 0)]:
            self._found.other_version += 1
        elif names:
            self._found.different += 1
            where = f"{symbol} {wanted['partition']}/{wanted['offset']} at {moment(time_ns)}"
            for name in names:
                self._found.note(f"different: {where}: {name} is {found[name]}, expected {wanted[name]}")

    def _known(self, wanted: dict[str, float | int | bool | None], depth: int) -> int:
        """The length up to which windows can be judged: `DEPTH`, or near the start of the log `depth`, since ticks of a
        longer window may lie before that start.
        """
        start = self._judged[int(wanted["partition"] or 0)].start
        is_cold = start > 0 and int(wanted["offset"] or 0) - start <= self._span
        return depth if is_cold else DEPTH

    def _stray(self, symbol: str, time_ns: int, partition: int, offset: int) -> None:
        """Judge a stored point that no committed record produces."""
        judged = self._judged.get(partition)
        if judged is not None:
            if offset < judged.start:
                self._found.older += 1
                return
            if offset >= self._ends[partition]:  # not committed: the log may have grown during the audit
                self._ends[partition] = self._log.bounds(partition, self._log.topic).end
            if judged.end <= offset < self._ends[partition]:
                self._found.newer += 1
                return
        self._found.foreign += 1
        self._found.note(
            f"foreign: {symbol} {partition}/{offset} at {moment(time_ns)}: no record of the log produces it"
        )

    def _miss(self, symbol: str, wanted: dict[Identity, Expectation], expected: Expected) -> None:
        """Judge expected points that are not stored."""
        for (time_ns, _), expectation in wanted.items():
            fields = values(expectation.body)
            partition, offset = int(fields["partition"] or 0), int(fields["offset"] or 0)
            if expected.is_letter(partition, offset, dead_letters.STORE):
                self._found.refused_by_store += 1
            elif self._judged[partition].start > 0 and expected.is_letter(partition, offset, dead_letters.DECODE):
                self._found.refused_by_names += 1  # refused because of symbols or sources in the part that was not read
            elif not self._store.keeps(time_ns, expectation.appended_ms):
                self._found.expired += 1
            else:
                self._found.lost += 1
                self._found.note(f"lost: {symbol} {partition}/{offset} at {moment(time_ns)}, price {fields['price']}")


def show(log: TickLog, store: PointReader, audit: Callable[[TickLog, PointReader], Audit]) -> bool:
    """Connect, audit and print the result; return whether log and store are equal."""
    with log, store:
        store.connect()
        log.connect(create=False)
        process.show(f"{log.topic} of {log.where}, against {store.where}:")
        found = audit(log, store).run()
    process.show("\n".join(lines(found)))
    return found.equal


def moment(time_ns: int) -> str:
    """A time in UTC as text, to the nanosecond.

    >>> moment(1_767_623_400_000_000_041)
    '2026-01-05T14:30:00.000000041Z'
    """
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def lines(found: Findings) -> list[str]:
    """The result as human-readable lines, with the verdict last."""
    not_judged = {
        "outside the store's retention": found.expired,
        "of records that the log no longer holds": found.older,
        "not committed yet": found.newer,
        "different, and computed by another version of the program": found.other_version,
        "refused by the store": found.refused_by_store,
        "refused for names from before the part that was read": found.refused_by_names,
        "overwritten by a later tick of the same time": found.shared,
        "dead letters of older refusals gone with their topic's retention": found.forgotten,
    }
    said = [
        f"{counted(found.records, 'record')} recomputed: {counted(found.expected, 'point')} expected, "
        f"{found.stored:,} found; {counted(found.refused, 'record')} refused",
        *([f"{counted(found.alerts, 'alert')} compared"] if found.alerts else []),
        *(f"  {count:,} {words}" for words, count in not_judged.items() if count),
        *found.examples,
    ]
    wrong = found.lost + found.foreign + found.different + found.letters_missing + found.alerts_wrong
    if wrong > EXAMPLES and len(found.examples) == EXAMPLES:
        said.append("… and more")
    verdict = "EQUAL" if found.equal else "NOT EQUAL"
    return [
        *said,
        f"{verdict}: {found.lost:,} lost, {found.foreign:,} foreign, {found.different:,} different, "
        f"{counted(found.letters_missing, 'dead letter')} missing"
        + (f", {counted(found.alerts_wrong, 'alert')} wrong" if found.alerts_wrong else ""),
    ]
