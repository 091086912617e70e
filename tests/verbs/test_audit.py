"""The audit finds lost and foreign points, and points that differ by any bit; it does not judge what it cannot know."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from tests.fakes import MemoryStore
from tests.memory_log import MemoryLog, MemoryTopic
from tests.records import body
from tests.worker.test_adding_up import NEVER_STORED, PickyStore, Worker
from tickflow.metrics import fields
from tickflow.metrics.fields import FIELDS, FLOAT_FIELDS
from tickflow.metrics.points import Points
from tickflow.metrics.windows import WINDOW_SPAN
from tickflow.store.base import MetricsStore
from tickflow.ticklog.base import LOG_APPEND_TIME
from tickflow.ticks.tick import Limits
from tickflow.verbs import audit
from tickflow.verbs.audit import Audit, Findings, lines
from tickflow.verbs.command_line import time_ns
from tickflow.verbs.expected import bodies, values

TICKS = 60
SYMBOLS = ("AAPL", "MSFT")


class Chain:
    """A topic of two partitions that one worker has processed."""

    def __init__(self) -> None:
        self.topic = MemoryTopic(2)
        self.store = PickyStore()
        self.worker = Worker(self.topic, self.store)
        for partition in range(2):
            self.worker.log.give(partition)
        self.feed(TICKS)
        self.work()

    def take_over(self) -> None:
        """Let a new worker own the partitions from now on."""
        self.worker = Worker(self.topic, self.store)
        for partition in range(2):
            self.worker.log.give(partition)

    def feed(self, count: int) -> None:
        for _ in range(count):
            for partition, symbol in enumerate(SYMBOLS):
                number = self.topic.ends[partition]
                tick = body(symbol=symbol, price=100 + number % 7, timestamp=f"2026-01-05T14:30:{number % 60:02}Z")
                self.topic.append(partition, symbol.encode(), tick)

    def work(self) -> None:
        for _ in range(2 + max(map(len, self.topic.entries.values()))):
            self.worker.read()

    def audit(self, since_ns: int = 0, until_ns: int = audit.END_NS, span: int = WINDOW_SPAN) -> Findings:
        log = MemoryLog(self.topic)
        return Audit(log, self.store, Limits(), 2.0, since_ns, until_ns, span).run()

    def points(self, symbol: str = "AAPL") -> Points:
        return self.store.points(symbol, 0)

    def rewrite(self, change: Callable[[Points], Points]) -> None:
        """Replace the points of AAPL in the store by what `change` makes of them."""
        others, changed = self.points("MSFT"), change(self.points())
        self.store.forget()
        for points in (others, changed):
            self.put(points)

    def put(self, points: Points) -> None:
        """Store points directly, as a foreign program would."""
        MemoryStore.write(self.store, points)


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_a_processed_log_is_equal(chain: Chain) -> None:
    found = chain.audit()
    assert found.equal
    assert (found.expected, found.stored, found.records) == (2 * TICKS, 2 * TICKS, 2 * TICKS)
    assert lines(found)[-1] == "EQUAL: 0 lost, 0 foreign, 0 different, 0 dead letters missing"


def test_a_deleted_point_is_lost(chain: Chain) -> None:
    chain.rewrite(lambda points: points.take(np.delete(np.arange(TICKS), 17)))
    found = chain.audit()
    assert (found.lost, found.foreign, found.different, found.stored) == (1, 0, 0, 2 * TICKS - 1)
    assert found.examples[0].startswith("lost: AAPL 0/17 at 2026-01-05T14:30:17.000000017Z, price 103")


@pytest.mark.parametrize("name", FIELDS)
def test_a_single_bit_of_any_field_is_different(chain: Chain, name: str) -> None:
    def change(points: Points) -> Points:
        column = getattr(points, name).copy()
        at = 30
        if column[at] != column[at]:
            column[at] = 0.0  # the field is absent here
        elif name in FLOAT_FIELDS:
            column[at] = np.nextafter(column[at], np.inf)
        elif name == "is_anomaly":
            column[at] = not column[at]
        else:
            column[at] += 1
        return replace(points, **{name: column})

    chain.rewrite(change)
    found = chain.audit()
    assert (found.lost, found.foreign, found.different) == (0, 0, 1)
    assert f": {name} is " in found.examples[0]


def test_an_absent_field_is_different_from_any_value(chain: Chain) -> None:
    def change(points: Points) -> Points:
        column = points.ma_20.copy()
        column[40] = np.nan
        return replace(points, ma_20=column)

    chain.rewrite(change)
    assert chain.audit().examples[0].endswith(f"ma_20 is None, expected {chain.points('MSFT').ma_20[40]}")


@pytest.mark.parametrize(
    "change",
    [
        {"time_ns": lambda column: column + 1},
        {"source": lambda column: ["elsewhere"] * len(column)},
        {"symbol": lambda column: ["NVDA"] * len(column)},
        {"time_ns": lambda column: column + 1, "partition": lambda column: column + 7},
        {"time_ns": lambda column: column + 1, "offset": lambda column: column + 10**12},
    ],
    ids=["time", "source", "symbol", "partition", "offset"],
)
def test_a_point_without_a_record_is_foreign(chain: Chain, change: dict[str, Callable[[object], object]]) -> None:
    one = chain.points().take(slice(9, 10))
    chain.put(replace(one, **{name: of(getattr(one, name)) for name, of in change.items()}))  # type: ignore[arg-type]
    found = chain.audit()
    assert (found.lost, found.foreign, found.different) == (0, 1, 0)
    assert "no record of the log produces it" in found.examples[0]


def test_a_missing_dead_letter_is_reported_but_a_point_refused_by_the_store_is_not_lost(chain: Chain) -> None:
    chain.topic.append(0, b"AAPL", b"nonsense")
    chain.topic.append(0, b"AAPL", body(volume=NEVER_STORED))
    chain.work()
    found = chain.audit()
    assert found.equal
    assert (found.refused, found.refused_by_store) == (1, 1)
    chain.topic.letters = [letter for letter in chain.topic.letters if letter[1] != b"nonsense"]
    found = chain.audit()
    assert (found.letters_missing, found.equal) == (1, False)
    assert found.examples == [f"no dead letter of 0/{TICKS}, refused as not_json"]


def test_uncommitted_points_are_not_judged_but_points_past_the_end_are(chain: Chain) -> None:
    chain.feed(3)
    batch = chain.worker.under_test.process(chain.worker.under_test.poll())
    chain.worker.under_test.write(batch)
    found = chain.audit()
    assert found.equal
    assert (found.newer, found.expected) == (6, 2 * TICKS)


def test_points_that_depend_on_deleted_records_are_not_judged(chain: Chain) -> None:
    chain.topic.drop(0, 25)
    found = chain.audit()
    assert found.equal
    assert (found.older, found.expected) == (25, 2 * TICKS - 25)
    price = chain.points().price.copy()
    price[26] += 1
    chain.rewrite(lambda points: replace(points, price=price))
    assert chain.audit().different == 1


def test_windows_behind_the_start_by_more_than_the_span_are_judged(chain: Chain) -> None:
    chain.topic.drop(0, 1)
    chain.rewrite(lambda points: replace(points, ma_20=np.where(np.arange(TICKS) == 15, 1.0, points.ma_20)))
    assert chain.audit().equal, "ticks before the start may have been in its window"
    assert chain.audit(span=5).different > 0, "and here none was"


def test_only_the_requested_time_is_judged_with_complete_windows(chain: Chain) -> None:
    since, until = time_ns("2026-01-05T14:30:30Z"), time_ns("2026-01-05T14:30:40Z")
    chain.rewrite(lambda points: points.take(np.delete(np.arange(TICKS), [29, 40])))
    found = chain.audit(since, until)
    assert found.equal
    assert found.expected == 20
    chain.rewrite(lambda points: points.take(np.flatnonzero(points.offset != 30)))
    assert chain.audit(since, until).lost == 1


def test_points_of_any_number_are_compared_in_portions(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SLICE", 7)
    monkeypatch.setattr(audit, "TOO_MANY", 3)
    reads: list[int] = []
    read = chain.store.points

    def counted(symbol: str, since_ns: int, until_ns: int | None = None) -> Points:
        found = read(symbol, since_ns, until_ns)
        reads.append(len(found))
        return found

    one = chain.points().take(slice(9, 10))
    chain.put(replace(one, time_ns=one.time_ns + 10**15))
    monkeypatch.setattr(chain.store, "points", counted)
    found = chain.audit()
    assert (found.stored, found.foreign) == (2 * TICKS, 1)
    portions = reads[2:]  # the memory store itself makes the first two calls, to list its symbols
    assert sum(portions) == 2 * TICKS + 1
    assert max(portions) <= 3


def test_only_the_first_differences_are_listed(chain: Chain) -> None:
    chain.store.forget()
    found = chain.audit()
    assert found.lost == 2 * TICKS
    assert len(found.examples) == audit.EXAMPLES
    assert lines(found)[-2:] == ["… and more", "NOT EQUAL: 120 lost, 0 foreign, 0 different, 0 dead letters missing"]


def test_differences_of_another_version_are_counted_separately(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "VERSION", "2-another")
    chain.take_over()
    chain.feed(10)
    chain.work()

    def change(offset: int) -> None:
        def changed(points: Points) -> Points:
            column, at = points.ma_5.copy(), points.offset == offset
            column[at] = np.nextafter(column[at], np.inf)
            return replace(points, ma_5=column)

        chain.rewrite(changed)

    change(TICKS - 1)
    found = chain.audit()
    assert (found.different, found.other_version, found.equal) == (0, 1, True)
    assert "  1 different, and computed by another version of the program" in lines(found)
    change(TICKS)
    found = chain.audit()
    assert (found.different, found.other_version, found.equal) == (1, 1, False)


def test_the_bits_of_a_point_encode_its_fields(chain: Chain) -> None:
    points = chain.points()
    found = [values(each) for each in bodies(points)]
    rows = points.rows()
    assert [tuple(each.values()) for each in found] == [row[3:] for row in rows]
    assert list(found[0]) == list(FIELDS)


def test_the_audit_only_reads_the_store(chain: Chain) -> None:
    class Reading(PickyStore):
        def write(self, points: Points) -> object:  # type: ignore[override]
            raise AssertionError("the audit must not write")

    store: MetricsStore = Reading()
    assert not Audit(MemoryLog(chain.topic), store, Limits(), 2.0).run().equal


class TimedChain(Chain):
    """A chain whose log gives each record the time of its tick, with one tick per symbol every five seconds."""

    def feed(self, count: int) -> None:
        for _ in range(4 * count):
            for partition, symbol in enumerate(SYMBOLS):
                number = self.topic.ends[partition]
                time = f"2026-01-05T14:{number // 12:02}:{5 * number % 60:02}Z"
                value = body(symbol=symbol, price=100 + number % 7, timestamp=time)
                self.topic.append(partition, symbol.encode(), value)
                held = self.topic.entries[partition]
                held[-1] = structs.replace(
                    held[-1], timestamp=(time_ns(time) // 10**6) + 20, timestamp_type=LOG_APPEND_TIME
                )


def test_the_audit_reads_only_the_judged_time_and_the_span_before_it() -> None:
    chain = TimedChain()
    since = time_ns("2026-01-05T14:16:00Z")
    found = chain.audit(since, span=60)
    assert found.equal
    assert (found.expected, found.stored) == (2 * 48, 2 * 48)
    assert found.records == 2 * (48 + 60 + 61), "a tick may be 5 minutes ahead of its record; the windows reach 60 back"
    whole = chain.audit(span=60)
    assert (whole.equal, whole.records) == (True, 2 * 240)
    chain.rewrite(lambda points: points.take(np.delete(np.arange(240), 200)))
    assert chain.audit(since, span=60).lost == 1
    one = chain.points("MSFT").take(slice(238, 239))
    chain.put(replace(one, ma_20=one.ma_20 + 1))
    assert chain.audit(since, span=60).different == 1


def test_a_log_without_append_times_is_read_from_its_start(chain: Chain) -> None:
    assert chain.audit(time_ns("2026-01-05T14:30:50Z"), span=5).records == 2 * TICKS
