"""Tests of which alerts a mute covers, and when, and that the notifier respects mutes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.alerts.receivers import HttpReceiver
from tests.alerts.test_channels import KNOWN, Desk, alert
from tickflow.alerts.alert import Alert
from tickflow.alerts.mutes import Mute, is_muted
from tickflow.alerts.notifier import MUTES_EVERY, Preferences
from tickflow.sessions import NEW_YORK
from tickflow.store.sqlite.mutes import EmbeddedMutes

OPEN = 1_381_152_600_000_000_000  # Monday, 7 October 2013, 13:30 UTC: New York opens
HOUR = 3_600 * 10**9


def moved(percent: float, at: int = OPEN, symbol: str = "AAPL", detector: str = "move") -> Alert:
    direction = (percent > 0) - (percent < 0)
    return Alert(symbol, detector, at, 9.0, 8.0, 100 + percent, 100.0, percent, direction, at, 0, 7)


@pytest.mark.parametrize(
    ("mute", "symbol", "percent", "at", "is_covered"),
    [
        (Mute("1", 0, "AAPL"), "AAPL", 1.0, OPEN, True),
        (Mute("1", 0, "AAPL"), "AAPLX", 1.0, OPEN, False),
        (Mute("1", 0, "AAPL"), "*", 1.0, OPEN, False),
        (Mute("1", 0, "A*"), "AAPL", 1.0, OPEN, True),
        (Mute("1", 0, "*"), "*", 1.0, OPEN, True),
        (Mute("1", 0, "*", detector="volume"), "AAPL", 1.0, OPEN, False),
        (Mute("1", 0, "*", below=1.5), "AAPL", -1.4, OPEN, True),
        (Mute("1", 0, "*", below=1.5), "AAPL", -1.5, OPEN, False),
        (Mute("1", 0, "*", below=1.5), "AAPL", 0.0, OPEN, False),  # not an alert of `move`
        (Mute("1", 0, "*", closed=True), "AAPL", 1.0, OPEN - 1, True),
        (Mute("1", 0, "*", closed=True), "AAPL", 1.0, OPEN, False),
        (Mute("1", 0, "*", closed=True), "AAPL", 1.0, OPEN + 24 * 6 * HOUR // 24 * 24, True),  # a Sunday
    ],
)
def test_a_mute_covers_the_alerts_that_meet_its_conditions(
    mute: Mute, symbol: str, percent: float, at: int, is_covered: bool
) -> None:
    assert is_muted(moved(percent, at, symbol), [mute], OPEN, NEW_YORK) == is_covered


def test_a_mute_holds_from_its_beginning_to_its_end_unless_it_is_undone() -> None:
    mute = Mute("1", OPEN, "*", begins_ns=OPEN + HOUR, until_ns=OPEN + 2 * HOUR)
    times = [OPEN, OPEN + HOUR, OPEN + 2 * HOUR - 1, OPEN + 2 * HOUR]
    assert [mute.is_active(time) for time in times] == [False, True, True, False]
    assert not replace(mute, undone=True).is_active(OPEN + HOUR)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    yield made
    made.close()


def test_the_notifier_obeys_a_mute_until_it_is_undone(tmp_path: Path, receiver: HttpReceiver) -> None:
    desk = Desk(tmp_path, receiver, Preferences(known=KNOWN))
    mutes = EmbeddedMutes(tmp_path / "stocks.db", stop=desk.log.stop)
    desk.notifier._mute_store = mutes
    now_ns = round(desk.now * 1e9)
    snooze = Mute("1", now_ns, "A*", until_ns=now_ns + HOUR)
    mutes.keep(snooze)
    desk.publish(alert("AAPL", 1), alert("MSFT", 1))
    desk.later()
    assert [message["title"] for message in receiver.messages] == ["MSFT: move"]
    mutes.keep(replace(snooze, undone=True))
    desk.later(MUTES_EVERY + 1)
    desk.publish(alert("AAPL", 2))
    desk.later()
    assert [message["title"] for message in receiver.messages] == ["MSFT: move", "AAPL: move"]
    mutes.keep(Mute("2", now_ns + 2, "*", below=2.0))
    desk.later(MUTES_EVERY + 1)
    desk.publish(alert("AAPL", 3), msgspec.structs.replace(alert("IBM", 3), move_percent=2.5))
    desk.later()
    assert [message["title"] for message in receiver.messages] == ["MSFT: move", "AAPL: move", "IBM: move"]
    desk.close()


def test_messages_that_are_given_up_are_marked(tmp_path: Path, receiver: HttpReceiver) -> None:
    desk = Desk(tmp_path, receiver, Preferences(known=KNOWN, give_up_seconds=60.0))
    receiver.is_away = True
    desk.publish(alert("AAPL", 1))
    desk.later()
    assert [each.notified for each in desk.store.alerts(0)] == [None]
    desk.later(120.0)
    assert [each.notified for each in desk.store.alerts(0)] == [False]
    receiver.is_away = False
    desk.publish(alert("MSFT", 2))
    desk.later(60.0)
    assert [each.notified for each in desk.store.alerts(0)] == [False, True]
    desk.close()
