"""The desk holds ticks back until there are many or time is up; the alerts do not depend on how long ticks wait."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tests.alerts.batches import alerts_of, batch, part_of, slices
from tests.alerts.test_market import WAIT_SECONDS, Kept, shock
from tests.integration.chain import wait_until
from tests.memory_log import MemoryLog, MemoryTopic
from tests.metrics.detectors.oracle import Trade
from tickflow.alerts.alert import Alert
from tickflow.alerts.checkpoint import Checkpoint, Checkpoints
from tickflow.alerts.desk import COUNT_SECONDS, HOLD_SECONDS, HOLD_TICKS, Begin, Desk
from tickflow.alerts.replay import alerts_of_log, differences
from tickflow.alerts.rules import parse
from tickflow.alerts.watch import Terms
from tickflow.errors import SettingError, Stopped
from tickflow.store.rules import RuleStore
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.ticklog.base import Bounds, TickLog
from tickflow.ticks.tick import Limits, Tick, TickBatch, encode, moment_of

TERMS = Terms(detectors=frozenset({"move"}))
TICKS = batch(shock(["A", "B"]))


class Clocked(Desk):
    """A desk of one partition, without a checkpoint, with a clock that the test sets; `offset` shows how far its watch
    has looked.
    """

    def __init__(
        self, store: EmbeddedAlerts, terms: Terms = TERMS, committed: int = 0, rules: RuleStore | None = None
    ) -> None:
        self.now = 0.0
        self.kept = Kept()

        def opened(_ended: threading.Event) -> tuple[Checkpoints, TickLog | None]:
            return self.kept, None

        newest = {"newest": lambda _fits: {}, "open_checkpoints": opened}
        super().__init__(terms, store, rules=rules, clock=lambda: self.now, **newest)  # type: ignore[arg-type]
        self.adopt({0: Begin(committed, committed, 0)}, "")

    @property
    def offset(self) -> int:
        return self._watched[0].watch.offset

    def carry_out(self) -> None:
        """What the thread does in each pass; for desks whose thread was not started."""
        self._carry_out(is_last=False)


class Noting(EmbeddedAlerts):
    """Notes which alerts are written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, stop=threading.Event())
        self.written: list[Alert] = []

    def write(self, alerts: Sequence[Alert]) -> None:
        super().write(alerts)
        self.written += alerts


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedAlerts:
    return EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event())


@pytest.fixture
def desk(store: EmbeddedAlerts) -> Iterator[Clocked]:
    made = Clocked(store)
    yield made
    made.close()


def test_ticks_wait_until_the_time_is_over_or_there_are_many(desk: Clocked) -> None:
    first, second, third = slices(TICKS, [10, 20, 30])[:3]
    desk.take(0, first)
    assert desk.offset == 10  # the first ticks after a pause do not wait
    desk.take(0, second)
    desk.look()
    assert desk.offset == 10
    desk.now += HOLD_SECONDS
    desk.look()
    assert desk.offset == 30
    desk.take(0, third)
    assert desk.offset == 30
    many = batch(shock([f"S{number}" for number in range(80)]), first_offset=60)
    assert len(many) > HOLD_TICKS
    desk.take(0, many)
    assert desk.offset == 60 + len(many)


def test_alerts_are_those_of_a_watch_that_looks_at_each_tick(desk: Clocked, store: EmbeddedAlerts) -> None:
    desk.start()
    for part in slices(TICKS, [1, 3, 2]):
        desk.take(0, part)
        desk.look()
        desk.now += HOLD_SECONDS / 5
    desk.committed(0, len(TICKS))
    desk.close()
    wanted = alerts_of(slices(TICKS, [1]), TERMS)
    assert wanted
    stored = {each.key: each for each in store.alerts(0)}
    assert stored.keys() == wanted.keys()
    assert [differences(wanted[key], alert) for key, alert in stored.items()] == [[]] * len(wanted)
    assert desk.kept.offsets[-1] == len(TICKS)  # the last checkpoint covers the ticks that waited


def test_alerts_that_only_count_ticks_are_written_seldom_but_whole_in_a_pause_and_before_a_checkpoint(
    tmp_path: Path,
) -> None:
    """Two symbols under a rule that always holds, with 4 looks per second."""
    store, terms = Noting(tmp_path / "stocks.db"), Terms(detectors=frozenset(), rules=parse("* price > 1"))
    desk = Clocked(store, terms)

    def turns(parts: Sequence[TickBatch]) -> None:
        for part in parts:
            desk.take(0, part)
            desk.now += HOLD_SECONDS
            desk.look()
            desk.carry_out()

    def counts() -> list[int]:
        return [each.ticks for each in store.alerts(0)]

    parts = slices(TICKS, [2])
    turns(parts[:50])
    seconds = 50 * HOLD_SECONDS
    assert [30, 30] < counts() < [50, 50]
    assert len(store.written) <= 2 * (2 + seconds / COUNT_SECONDS)

    turns([part_of(TICKS, 0, 0)] * 3)  # a pause
    assert counts() == [50, 50]

    turns(parts[50:60])
    assert counts() < [60, 60]
    assert not desk.kept.offsets
    desk.committed(0, 120)
    desk.carry_out()
    assert desk.kept.offsets  # the first checkpoint has waited for its commit
    assert counts() == [60, 60]
    store.close()


def test_an_alert_that_counts_while_it_is_written_waits_too(tmp_path: Path) -> None:
    store, terms = Noting(tmp_path / "stocks.db"), Terms(detectors=frozenset(), rules=parse("* price > 1"))
    desk = Clocked(store, terms)
    parts = iter(slices(TICKS, [2]))

    def write(alerts: Sequence[Alert]) -> None:
        """A write that takes longer than the time between two looks."""
        Noting.write(store, alerts)
        desk.now += HOLD_SECONDS
        desk.take(0, next(parts))

    store.write = write  # type: ignore[method-assign]
    desk.take(0, next(parts))
    for _ in range(5):
        desk.carry_out()
    assert [each.ticks for each in store.written] == [1, 1]
    store.close()


def test_an_alert_that_closes_does_not_wait(tmp_path: Path) -> None:
    store, terms = Noting(tmp_path / "stocks.db"), Terms(detectors=frozenset(), rules=parse("A price > 99"))
    desk = Clocked(store, terms)
    rise = [Trade("A", second * 1_000_000, 100.0 if second < 4 else 90.0, 100) for second in range(64)]
    for part in slices(batch(rise), [4, 60]):
        desk.take(0, part)
        desk.now += HOLD_SECONDS
        desk.look()
        desk.carry_out()
    (alert,) = store.alerts(0)
    assert (alert.ticks, alert.closed) == (4, 63_000_000_000)
    store.close()


def test_a_worker_that_stops_during_its_replay_leaves_the_stored_alerts_as_they_are(store: EmbeddedAlerts) -> None:
    """Halfway through, the replayed episodes have fewer ticks than those in the store."""
    terms = Terms(detectors=frozenset(), rules=parse("* price > 1"))

    def alerts_after(reads: int, committed: int) -> dict[tuple[str, str, int], Alert]:
        made = Clocked(store, terms, committed)
        made.start()
        for part in slices(TICKS, [10])[: reads // 10]:
            made.take(0, part)
            made.now += HOLD_SECONDS
        made.passed(0, reads)
        made.committed(0, max(reads, committed))
        made.close()
        assert made.kept.offsets[-1:] == ([reads] if reads >= committed else [])
        return {each.key: each for each in store.alerts(0)}

    whole = alerts_after(100, committed=0)
    assert [alert.ticks for alert in whole.values()] == [50, 50]
    assert alerts_after(60, committed=100) == whole
    assert alerts_after(100, committed=100) == whole
    assert [alert.ticks for alert in alerts_after(120, committed=100).values()] == [60, 60]


def test_a_replay_ends_at_the_committed_offset_if_the_last_records_before_it_were_refused(
    store: EmbeddedAlerts,
) -> None:
    made = Clocked(store, committed=len(TICKS) + 3)
    made.start()
    made.take(0, TICKS)
    made.passed(0, len(TICKS) + 3)
    made.now += HOLD_SECONDS
    made.look()
    wait_until(lambda: len(store.alerts(0)) > 0, "the alerts are stored", WAIT_SECONDS)
    made.close()


def test_the_last_checkpoint_passes_a_record_that_was_refused(desk: Clocked) -> None:
    desk.start()
    desk.take(0, TICKS)
    desk.passed(0, len(TICKS) + 1)
    desk.committed(0, len(TICKS) + 1)
    desk.close()
    assert desk.kept.offsets[-1] == len(TICKS) + 1


def test_ticks_that_wait_move_with_their_partition(desk: Clocked) -> None:
    parts = slices(TICKS, [40])
    assert all(after.offsets[0] == before.offsets[-1] + 1 for before, after in pairwise(parts))
    desk.take(0, parts[0])
    desk.take(0, parts[1])
    released = desk.release(0)
    assert released is not None
    desk.take(0, parts[2])  # ignored: the partition was released
    desk.now += HOLD_SECONDS
    desk.look()
    desk.take_back(0, released)
    desk.look()
    assert desk.offset == 80


def test_alerts_wait_for_a_setting_that_the_cluster_cannot_meet_at_present(
    store: EmbeddedAlerts, caplog: pytest.LogCaptureFixture
) -> None:
    """While one of three brokers is down, a topic with three replicas cannot be created."""
    caplog.set_level("WARNING", logger="tickflow")
    tries: list[Kept] = []

    def opened(_ended: threading.Event) -> tuple[Checkpoints, TickLog | None]:
        assert store.alerts(0), "the alerts are stored before their topics are made, which may take long"
        tries.append(Kept())
        if len(tries) < 3:
            raise SettingError("KAFKA_REPLICAS", "3", "2 or less")
        return tries[-1], None

    made = Desk(TERMS, store, newest=lambda _fits: {}, open_checkpoints=opened)
    made.adopt({0: Begin(0, 0, 0)}, "")
    made.start()
    made.take(0, TICKS)
    made.committed(0, len(TICKS))
    wait_until(lambda: len(store.alerts(0)) > 0, "the alerts are stored, though not published", WAIT_SECONDS)
    wait_until(lambda: made.waiting == 0, "the alerts are published", WAIT_SECONDS)
    made.close()
    assert [(each.levelname, each.exc_info) for each in caplog.records][:1] == [("WARNING", None)]
    assert "alerts wait: KAFKA_REPLICAS is '3'; expected 2 or less" in caplog.text
    assert made.trouble == ""


def test_a_stop_before_the_state_was_read_is_no_trouble(
    store: EmbeddedAlerts, caplog: pytest.LogCaptureFixture
) -> None:
    def newest(_fits: object) -> Mapping[int, Checkpoint]:
        raise Stopped

    kept = Kept()
    made = Desk(TERMS, store, newest=newest, open_checkpoints=lambda _ended: (kept, None))
    made.start()
    assert made.adopt({0: Begin(50, 40, 0)}, "") == {0: 40}
    made.take(0, TICKS)
    made.close()
    assert (caplog.text, kept.offsets, store.alerts(0)) == ("", [], [])


def test_the_alerts_of_a_log_are_those_of_ticks_within_the_limits_of_names() -> None:
    topic = MemoryTopic(1)
    for each in shock(["A", "B"]):
        value = encode(Tick(each.symbol, each.price, moment_of(each.time_us), volume=each.volume))
        topic.append(0, each.symbol.encode(), value)
    log, whole = MemoryLog(topic), Bounds(0, topic.ends[0])
    assert {key[0] for key in alerts_of_log(log, 0, whole, TERMS, Limits())} == {"A", "B"}
    assert {key[0] for key in alerts_of_log(log, 0, whole, TERMS, Limits(max_symbols=1))} == {"A"}
