"""The counts of records add up in each partition, despite rebalances, failed commits, gaps and a stop."""

import io
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stock_analytics
from stock_analytics import StockAnalyticsEngine
from tests.fakes import MemoryStore
from tests.loaded_settings import load
from tests.memory_log import MemoryLog, MemoryTopic
from tests.records import body
from tickflow.errors import Stopped, StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.process import StopEvent
from tickflow.store.base import Written
from tickflow.ticklog.base import Commit
from tickflow.worker.counters import Counters

PARTITIONS = 2
NEVER_STORED, TOO_OLD = 13, 1970
"""The volume of ticks that the store of these tests refuses, and the volume of ticks that it drops as too old."""


class PickyStore(MemoryStore):
    """A store that refuses some points for good, drops others as too old, and is down for its next `away` writes."""

    away = 0

    def write(self, points: Points) -> Written:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("as the test asked", retry_after=0.002)
        volumes = points.volume.tolist()
        refused = [(at, "odd") for at, volume in enumerate(volumes) if volume == NEVER_STORED]
        expired = volumes.count(TOO_OLD)
        super().write(points.take([at for at, volume in enumerate(volumes) if volume not in (NEVER_STORED, TOO_OLD)]))
        return Written(len(points) - len(refused) - expired, refused, expired)


class Worker:
    """A worker on a log in memory, advanced step by step."""

    def __init__(self, topic: MemoryTopic, store: PickyStore) -> None:
        self.log = MemoryLog(topic)
        self.store = store
        self.under_test = StockAnalyticsEngine(
            load(STACK="embedded"), log=self.log, store=store, stop=StopEvent(), out=io.StringIO()
        )

    @property
    def counters(self) -> Counters:
        return self.under_test.counters

    def read(self) -> None:
        """Run one iteration of the worker's loop."""
        self.under_test.turn()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)


RECORDS = {
    "tick": (b"AAPL", body()),
    "never stored": (b"AAPL", body(volume=NEVER_STORED)),
    "too old": (b"AAPL", body(volume=TOO_OLD)),
    "no tick": (b"AAPL", b"nonsense"),
    "wrong key": (b"MSFT", body()),
}

partitions = st.integers(0, PARTITIONS - 1)
workers = st.integers(0, 1)
events = st.one_of(
    st.tuples(st.just("append"), partitions, st.sampled_from(list(RECORDS)), st.integers(0, 2)),
    st.tuples(st.just("append"), partitions, st.sampled_from(list(RECORDS)), st.just(0)),
    st.tuples(st.just("move"), partitions, workers),
    st.tuples(st.just("read"), workers),
    st.tuples(st.just("store away"), st.integers(1, 3)),
    st.tuples(
        st.just("trouble"),
        workers,
        st.sampled_from(["commit_fails", "commit_refused", "commit_unsure", "letters_fail"]),
    ),
    st.tuples(st.just("retention"), partitions, st.integers(1, 6)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=60))
def test_at_every_quiet_moment_the_accounts_of_every_partition_add_up(history: list[tuple[object, ...]]) -> None:
    topic, store = MemoryTopic(PARTITIONS), PickyStore()
    topic.commits = dict.fromkeys(range(PARTITIONS), Commit(0, ""))
    group = [Worker(topic, store), Worker(topic, store)]
    owner = dict.fromkeys(range(PARTITIONS), 0)
    for number in owner:
        group[0].log.give(number)

    def play(event: tuple[object, ...]) -> None:
        match event:
            case ("append", int(partition), str(kind), int(skip)):
                topic.append(partition, *RECORDS[kind], skip)
            case ("move", int(partition), int(to)):
                # A partition may return to the same worker, as in an eager rebalance.
                group[owner[partition]].log.take(partition)
                group[to].log.give(partition)
                owner[partition] = to
            case ("store away", int(times)):
                store.away = times
            case ("trouble", int(worker), str(name)):
                group[worker].log.troubles.append(name)
            case ("retention", int(partition), int(count)):
                topic.drop(partition, count)
            case ("read", int(worker)):
                group[worker].read()
                assert group[worker].counters.discrepancies() == {}

    for event in history:
        play(event)
    for worker in group:
        worker.log.troubles.clear()
    for _ in range(2 + sum(map(len, topic.entries.values()))):
        for worker in group:
            worker.read()
    for worker in group:
        assert worker.counters.discrepancies() == {}
    if "commit_unsure" not in {event[-1] for event in history}:  # such a batch counts nowhere if a rebalance follows
        for number, end in topic.ends.items():
            counted = [worker.counters.accounts[number] for worker in group if number in worker.counters.accounts]
            # Whatever rebalances happen, each offset is in exactly one worker's account.
            assert sum(account.advanced for account in counted) == end


def test_a_batch_that_a_rebalance_takes_back_counts_once_where_it_is_committed() -> None:
    topic, store = MemoryTopic(1), PickyStore()
    first, second = Worker(topic, store), Worker(topic, store)
    for _ in range(3):
        topic.append(0, *RECORDS["tick"])
    topic.append(0, *RECORDS["no tick"])
    first.log.give(0)
    first.read()
    store.away = 1  # a poll while the store is down notices the rebalance
    batch = first.under_test.process(first.under_test.poll())
    first.log.take(0)
    second.log.give(0)
    first.under_test.write(batch)
    first.under_test.deliver(batch.letters)
    first.under_test.commit(batch)
    for _ in range(3):
        second.read()
    totals = [first.counters.total, second.counters.total]
    assert sum(total.accepted for total in totals) == 3
    assert sum(total.stored for total in totals) == 3
    assert sum((total.refused for total in totals), Counter()) == {"not_json": 1}
    assert [worker.counters.discrepancies() for worker in (first, second)] == [{}, {}]


def test_records_left_uncommitted_by_a_stop_do_not_count() -> None:
    topic, store = MemoryTopic(1), PickyStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    topic.append(0, *RECORDS["tick"])
    worker.under_test.poll()
    worker.read()
    topic.append(0, *RECORDS["tick"])
    topic.append(0, *RECORDS["no tick"])
    store.away = 10**9
    batch = worker.under_test.process(worker.under_test.poll())
    assert len(batch.points[0]) == 1
    worker.log.stop.set()
    with pytest.raises(Stopped):
        worker.under_test.write(batch)
    account = worker.counters.accounts[0]
    assert (account.start, account.committed, account.tally.accepted, account.tally.stored) == (0, 1, 1, 1)
    assert account.tally.refused.total() == 0
    assert worker.counters.discrepancies() == {}


def test_expired_points_are_counted_per_partition_although_the_store_gives_only_a_total() -> None:
    topic, store = MemoryTopic(2), PickyStore()
    worker = Worker(topic, store)
    for number in range(2):
        worker.log.give(number)
    worker.read()
    topic.append(0, *RECORDS["too old"])
    topic.append(0, *RECORDS["tick"])
    topic.append(1, *RECORDS["tick"])
    topic.append(1, *RECORDS["never stored"])
    worker.read()
    tallies = [worker.counters.accounts[number].tally for number in range(2)]
    assert [(each.stored, each.expired, each.refused_by_store) for each in tallies] == [(1, 1, 0), (1, 0, 1)]
    (letter,) = topic.letters
    assert letter[1] == body(volume=NEVER_STORED)


def test_partitions_that_are_computed_together_keep_their_ticks_and_their_letters() -> None:
    topic, store = MemoryTopic(3), PickyStore()
    worker = Worker(topic, store)
    for number in range(3):
        worker.log.give(number)
    worker.read()
    for number, kinds in enumerate((["tick", "no tick"], ["no tick"], ["tick", "no tick", "tick"])):
        for kind in kinds:
            topic.append(number, *RECORDS[kind])
    batch = worker.under_test.process(worker.under_test.poll())
    (points,) = batch.points
    assert points.partition.tolist() == [0, 2, 2]
    assert points.offset.tolist() == [0, 0, 2]
    assert all(value != value for value in points.ma_5.tolist())  # NaN: no window has ticks of a different partition
    assert [(each.partition, each.offset) for each in batch.records] == [(0, 0), (2, 0), (2, 2)]
    assert [(batch.tallies[number].accepted, batch.tallies[number].refused.total()) for number in range(3)] == [
        (1, 1),
        (0, 1),
        (2, 1),
    ]
    assert {number: position.offset for number, position in batch.positions.items()} == {0: 2, 1: 1, 2: 3}
    places = [dict(letter.headers) for letter in batch.letters]
    assert [each["__connect.errors.partition"] for each in places] == [b"0", b"1", b"2"]


def test_lost_records_and_offsets_without_one_are_counted_and_committed() -> None:
    topic, store = MemoryTopic(1), PickyStore()
    worker = Worker(topic, store)
    worker.log.give(0)
    topic.append(0, *RECORDS["tick"])
    topic.append(0, *RECORDS["tick"], skip=5)
    worker.read()
    worker.read()
    assert worker.counters.total.skipped == 5
    for _ in range(4):
        topic.append(0, *RECORDS["tick"])
    topic.drop(0, 11)
    worker.read()
    worker.read()
    account = worker.counters.accounts[0]
    assert (account.committed, account.tally.lost, account.tally.accepted) == (11, 4, 2)
    assert topic.commits[0].offset == 11
    assert worker.counters.discrepancies() == {}
