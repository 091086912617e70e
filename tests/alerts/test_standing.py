"""A standing rule applies from one tick up to another; restarts and the division into batches change neither."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.alerts.batches import batch, slices
from tests.alerts.test_desk import Clocked
from tests.integration.chain import wait_until
from tests.metrics.detectors.oracle import Trade
from tests.metrics.detectors.test_detectors import trades
from tickflow.alerts.alert import Alert
from tickflow.alerts.desk import HOLD_SECONDS, RULES_EVERY, Begin
from tickflow.alerts.rules import parse
from tickflow.alerts.standing import Change, StandingRule
from tickflow.alerts.watch import Terms, Watch
from tickflow.errors import LogUnavailable, StoreMisconfigured, StoreUnavailable
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.store.sqlite.rules import EmbeddedRules
from tickflow.ticks.tick import TickBatch

SECOND = 1_000_000
NONE = Terms(detectors=frozenset())
ABOVE = StandingRule("a", 1, "A price > 100")
WAIT_SECONDS = 90
Key = tuple[str, str, int]


def begins(offset: int, text: str = ABOVE.text, rule: str = ABOVE.id) -> Change:
    return Change(0, offset, begins=True, rule=rule, text=text)


def ends(offset: int, text: str = ABOVE.text, rule: str = ABOVE.id) -> Change:
    return Change(0, offset, begins=False, rule=rule, text=text)


def alerts(parts: Sequence[TickBatch], changes: Sequence[Change], *, restart: bool = False) -> dict[Key, Alert]:
    watch, found = Watch(0, NONE, changes), dict[Key, Alert]()
    for part in parts:
        if restart:
            watch = Watch.resumed(0, NONE, watch.state(), changes)
        found |= {each.key: each for each in watch.advance(part)}
    return found


HIGH = batch([Trade("A", n * SECOND, 150.0, 1) for n in range(300)])


def test_a_rule_holds_from_its_first_tick_up_to_its_end() -> None:
    (alert,) = alerts([HIGH], [begins(20), ends(50)]).values()
    assert (alert.detector, alert.offset, alert.ticks) == ("price > 100", 20, 30)
    assert alert.closed == (49 + 60) * SECOND * 1000
    other_partition = begins(20)._replace(partition=1)
    assert alerts([HIGH], [other_partition]) == {}
    first, second = alerts([HIGH], [begins(20), ends(50), begins(200, rule="b")]).values()
    assert (first.offset, first.ticks, second.offset, second.ticks) == (20, 30, 200, 100)


def test_batches_and_restarts_change_no_bit() -> None:
    ticks = batch(trades(3, 3_000))
    changes = [
        *(begins(100, "* change_1m < -0.5", "a"), ends(700, "* change_1m < -0.5", "a")),
        *(begins(1_500, "* change_1m < -0.5", "b"), begins(400, "* volume_10s > 2x", "c")),
        *(begins(300, "JUMP price < 50.5", "d"), ends(900, "JUMP price < 50.5", "d")),
        *(begins(900, "JUMP price < 50.6", "e"), begins(2_999, "* price > 1", "f")),
    ]
    whole = alerts([ticks], changes)
    assert {each.detector for each in whole.values()} >= {
        *("change_1m < -0.5", "volume_10s > 2x", "price < 50.5", "price < 50.6", "price > 1"),
    }
    assert whole != alerts([ticks], [each for each in changes if each.begins])
    for sizes in ([1_700, 1], [1, 300], [399, 1, 1, 40]):
        assert alerts(slices(ticks, sizes), changes) == whole
    for sizes in ([40], [400, 300, 800]):
        assert alerts(slices(ticks, sizes), changes, restart=True) == whole


def test_a_span_begins_anew_with_its_rule() -> None:
    falling = batch([Trade("A", n * SECOND, 100.0 if n < 100 else 90.0, 1) for n in range(150)])
    text = "A change_1m < -5"
    assert len(alerts([falling], [begins(0, text)])) == 1
    again = [begins(0, text), ends(90, text), begins(95, text, "b")]
    for sizes in ([150], [92, 1]):
        assert alerts(slices(falling, sizes), again, restart=True) == {}  # no price is a minute old


def test_refused_records_between_two_rules_of_a_name_change_nothing() -> None:
    falling = batch([Trade("A", n * SECOND, 100.0 if n < 100 else 90.0, 1) for n in range(150)])
    text = "A change_1m < -5"
    changes = [begins(0, text), ends(90, text), begins(95, text, "b")]
    first, _refused, last = falling.split([90, 3, 57])
    watch = Watch(0, NONE, changes)
    watch.advance(first)
    watch.skip_to(93)
    assert Watch.resumed(0, NONE, watch.state(), changes).advance(last) == watch.advance(last) == []


def test_a_watch_takes_up_rules_at_its_next_tick_and_each_once() -> None:
    watch = Watch(0, NONE)
    first, second = slices(HIGH, [20, 280])
    watch.advance(first)
    assert watch.take_up([ABOVE]) == [begins(20)]
    assert watch.take_up([ABOVE]) == []
    found = {each.key: each for each in watch.advance(second)}
    assert found == alerts([HIGH], [begins(20)])
    removed = replace(ABOVE, removed=True)
    assert watch.take_up([removed]) == [ends(300)]
    assert watch.take_up([removed]) == []
    assert watch.take_up([ABOVE]) == [], "a list that was read before the removal does not bring the rule back"
    assert Watch(0, NONE).take_up([removed]) == []


def test_a_rule_that_was_removed_before_its_first_tick_never_holds() -> None:
    watch = Watch(0, NONE)
    changes = [*watch.take_up([ABOVE]), *watch.take_up([replace(ABOVE, removed=True)])]
    assert changes == [begins(0), ends(0)]
    assert watch.advance(HIGH) == []
    assert alerts([HIGH], changes) == {}


def test_a_text_that_is_no_standing_rule_is_ignored() -> None:
    odd = [begins(0, "A prize > 5", "x"), begins(0, "* silence > 1", "y"), ends(3, "A prize > 5", "x")]
    assert alerts([HIGH], [*odd, begins(20)]) == alerts([HIGH], [begins(20)])


def test_a_standing_rule_and_a_setting_of_the_same_name_raise_one_alert() -> None:
    watch = Watch(0, Terms(detectors=frozenset(), rules=parse("A price > 100")), [begins(20), ends(50)])
    (alert,) = {each.key: each for each in watch.advance(HIGH)}.values()
    assert (alert.offset, alert.ticks) == (0, 300)


class Refusing(EmbeddedRules):
    """A store of rules that refuses as long as there are errors for its methods."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, stop=threading.Event())
        self.errors: dict[str, Exception] = {}

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def check(self) -> None:
        self._fail("check")

    def note(self, workers: str, changes: Sequence[Change]) -> None:  # type: ignore[override]
        self._fail("note")
        super().note(workers, changes)

    def changes(self, workers: str) -> Sequence[Change]:
        self._fail("changes")
        return super().changes(workers)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[EmbeddedAlerts, Refusing]:
    file = tmp_path / "stocks.db"
    return EmbeddedAlerts(file, stop=threading.Event()), Refusing(file)


def worker(stores: tuple[EmbeddedAlerts, Refusing], committed: int = 0) -> Clocked:
    made = Clocked(stores[0], NONE, committed, rules=stores[1])
    made.start()
    return made


def knows(desk: Clocked) -> bool:
    """Whether the desk has read the rules."""
    desk.now += RULES_EVERY
    desk._work.set()
    return bool(desk._rules)


def test_no_alert_and_no_checkpoint_is_stored_before_the_rule_that_it_follows_from(
    stores: tuple[EmbeddedAlerts, Refusing],
) -> None:
    store, rules = stores
    rules.errors["note"] = StoreUnavailable("away")
    rules.keep(ABOVE)
    desk = worker(stores)
    first, second = slices(HIGH, [20, 280])
    desk.take(0, first)
    wait_until(lambda: knows(desk), "the rules are read", WAIT_SECONDS)
    desk.look()
    desk.now += HOLD_SECONDS
    desk.take(0, second)
    desk.passed(0, 300)
    desk.committed(0, 300)
    desk.now += HOLD_SECONDS
    desk.look()
    wait_until(lambda: "away" in desk.trouble, "the store is away", WAIT_SECONDS)
    assert (store.alerts(0), [each for each in desk.kept.offsets if each > 20]) == ([], [])
    rules.errors.clear()
    wait_until(lambda: len(store.alerts(0)) == 1, "the alert is stored", WAIT_SECONDS)
    assert rules.changes("") == [begins(20)]
    desk.close()
    assert desk.kept.offsets[-1] == 300
    # a worker that starts again raises the same
    other = worker(stores, committed=300)
    other.take(0, HIGH)
    other.passed(0, 300)
    other.now += HOLD_SECONDS
    other.look()
    other.close()
    (alert,) = store.alerts(0)
    assert (alert.offset, alert.ticks) == (20, 280)
    assert rules.changes("") == [begins(20)]


def test_rules_wait_while_a_worker_may_not_store_their_changes_and_other_alerts_do_not(
    stores: tuple[EmbeddedAlerts, Refusing], caplog: pytest.LogCaptureFixture
) -> None:
    store, rules = stores
    rules.errors["check"] = StoreMisconfigured("grant it")
    rules.keep(ABOVE)
    desk = Clocked(store, Terms(detectors=frozenset(), rules=parse("A price > 120")), rules=rules)
    desk.start()
    wait_until(lambda: knows(desk) or "not applied: grant it" in caplog.text, "refusal", WAIT_SECONDS)
    desk.take(0, HIGH)
    desk.look()
    wait_until(lambda: len(store.alerts(0)) == 1, "the alert of the setting's rule", WAIT_SECONDS)
    assert rules.changes("") == []
    rules.errors.clear()
    wait_until(lambda: knows(desk), "the rules are read", WAIT_SECONDS)
    desk.look()
    wait_until(lambda: rules.changes("") == [begins(300)], "a worker applies the rule", WAIT_SECONDS)
    desk.close()


def test_a_partition_waits_for_its_rules_while_the_store_is_away(stores: tuple[EmbeddedAlerts, Refusing]) -> None:
    desk = worker(stores)
    stores[1].errors["changes"] = StoreUnavailable("away")
    with pytest.raises(LogUnavailable, match="the standing rules cannot be read: away"):
        desk.adopt({1: Begin(0, 0, 0)}, "")
    stores[1].errors["changes"] = StoreMisconfigured("grant it")
    assert desk.adopt({1: Begin(0, 0, 0)}, "") == {1: 0}
    desk.close()
