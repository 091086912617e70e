"""Tests of channels with real receivers, and of the outbox, which keeps the messages that a receiver refuses."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.receivers import HttpReceiver, ids_of
from tests.fakes import MemoryStore
from tickflow.alerts import market
from tickflow.alerts.alert import Alert, decode, encode
from tickflow.alerts.channels import Channel, channels_of, chart
from tickflow.alerts.notifier import COMPANY_SECONDS, Notifier, Preferences
from tickflow.alerts.outbox import Outbox
from tickflow.errors import SettingError
from tickflow.process import StopEvent
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

SECOND = 10**9


def alert(symbol: str, at: int = 0, direction: int = 1, detector: str = "move", said: int = 1) -> Alert:
    return Alert(symbol, detector, at, 9.0, 8.0, 101.0, 100.0, 1.0, direction, at, 0, 7, budget=1.0, said=said)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    yield made
    made.close()


class Desk:
    """A notifier on its own file, with a clock that the test moves."""

    def __init__(self, folder: Path, receiver: HttpReceiver, preferences: Preferences) -> None:
        self.now = 1_000_000.0
        stop = StopEvent()
        self.log = EmbeddedTickLog(
            folder / "stocks.db", topic="t.alerts", group="g", retention_days=7, stop=stop, clock=lambda: self.now
        )
        self.log.connect()
        self.store = EmbeddedAlerts(folder / "stocks.db", stop=stop)
        self.outbox = Outbox(folder / "outbox.db", stop)
        self.channel = Channel(receiver.url)
        self.notifier = Notifier(
            self.log, self.outbox, [self.channel], self.store, MemoryStore(), preferences, stop, lambda: self.now
        )
        self.log.subscribe()

    def publish(self, *alerts: Alert) -> None:
        self.store.write(alerts)
        for each in alerts:
            self.log.publish(each.id.encode(), encode(each))
        self.log.flush(5)
        for _ in range(3):
            self.notifier.turn()

    def later(self, seconds: float = COMPANY_SECONDS + 1) -> None:
        self.now += seconds
        for _ in range(2):
            self.notifier.turn()

    def close(self) -> None:
        self.log.close()
        self.outbox.close()


KNOWN = frozenset({"move", "volume", "bad_print"})


@pytest.fixture
def desk(tmp_path: Path, receiver: HttpReceiver) -> Iterator[Desk]:
    made = Desk(tmp_path, receiver, Preferences(known=KNOWN, page="http://localhost:8050"))
    yield made
    made.close()


def test_a_message_has_a_sentence_a_link_and_an_id_and_is_sent_once(desk: Desk, receiver: HttpReceiver) -> None:
    first = alert("AAPL", 5 * SECOND)
    desk.publish(first)
    assert receiver.messages == []  # the alert waits for others of the same move
    desk.later()
    desk.publish(first)
    desk.later()
    (message,) = receiver.messages
    assert message["title"] == "AAPL: move"
    for words in ("AAPL +1.00 %", "At most 1 a day", "http://localhost:8050/?symbol=AAPL&at=5000", f"id {first.id}"):
        assert words in message["message"]
    assert [each.notified for each in desk.store.alerts(0)] == [True]


def test_a_repeated_alert_is_another_message_and_a_closed_one_is_not(desk: Desk, receiver: HttpReceiver) -> None:
    desk.publish(alert("AAPL", 5))
    desk.later()
    desk.publish(alert("AAPL", 5, said=2))
    desk.later()
    desk.publish(decode(encode(alert("AAPL", 5, said=2)).replace(b'"said":2', b'"said":2,"closed":77')))
    desk.later()
    assert receiver.ids == [alert("AAPL", 5).id, f"{alert('AAPL', 5).id}.2"]


def test_a_common_shock_of_500_symbols_is_one_message(desk: Desk, receiver: HttpReceiver) -> None:
    shock = [alert(f"S{number:03}", SECOND + number * SECOND // 100) for number in range(500)]
    desk.publish(*shock[:200])
    desk.now += 2  # another worker's alert arrives a little later
    desk.publish(*shock[200:], alert("DOWN", SECOND, -1))
    desk.later()
    assert [message["title"] for message in receiver.messages] == ["market move: move", "DOWN: move"]
    assert "500 symbols moved up at once: S000,S001" in receiver.messages[0]["message"]
    (stored,) = desk.store.alerts(0, symbols=["*"])
    assert (stored.members or "").split(",") == [each.symbol for each in shock]


def test_a_market_move_that_goes_on_is_one_message(desk: Desk, receiver: HttpReceiver) -> None:
    """A symbol moves each second for two minutes; in the end fewer of them arrive together than a market move needs."""
    made = [alert(f"S{number:03}", (100 + number) * SECOND) for number in range(120)]
    for begin in (*range(0, 110, 10), 110, 118, 119):
        end = {110: 118, 118: 119, 119: 120}.get(begin, begin + 10)
        desk.publish(*made[begin:end])
        desk.later()
    assert [message["title"] for message in receiver.messages] == ["market move: move"]
    (stored,) = desk.store.alerts(0, symbols=["*"])
    assert (stored.opened, len((stored.members or "").split(","))) == (100 * SECOND, 120)
    assert stored.notified is True


def test_detectors_about_the_data_send_no_messages_but_rules_do(desk: Desk, receiver: HttpReceiver) -> None:
    desk.publish(alert("A", 1, detector="bad_print"), alert("A", 2, detector="volume"), alert("A", 3, 1, "price > 5"))
    desk.later()
    assert [message["title"] for message in receiver.messages] == ["A: price > 5"]


def test_a_channel_that_is_away_loses_nothing_and_gets_a_digest(desk: Desk, receiver: HttpReceiver) -> None:
    receiver.is_away = True
    made = [alert(f"S{number}", number * 100 * SECOND) for number in range(12)]
    for each in made:
        desk.publish(each)
        desk.later()
    telemetry, shown = desk.notifier.telemetry, desk.channel.shown
    ((name, (waiting, oldest_seconds)),) = telemetry.outbox().items()
    assert (name, waiting) == (shown, 12)
    assert oldest_seconds > 60
    receiver.is_away = False
    desk.later(60)
    assert telemetry.outbox() == {shown: (0, 0.0)}
    assert telemetry.registry.get_sample_value("tickflow_messages_sent_total", {"channel": shown}) == 12
    (digest,) = receiver.messages
    assert digest["title"] == "12 alerts"
    assert "and 2 more" in digest["message"]
    assert set(receiver.ids) == {each.id for each in made}


def test_messages_above_the_rate_are_combined_and_none_is_lost(tmp_path: Path, receiver: HttpReceiver) -> None:
    desk = Desk(tmp_path, receiver, Preferences(known=KNOWN, an_hour=3))
    made = [alert(f"S{number}", number * 100 * SECOND) for number in range(9)]
    for each in made:
        desk.publish(each)
        desk.later()
    assert len(receiver.messages) == 3
    desk.later(3_601)
    assert len(receiver.messages) == 4
    assert sorted(receiver.ids) == sorted(each.id for each in made)
    desk.close()


def test_a_message_that_no_receiver_accepts_is_given_up_and_logged(
    desk: Desk, receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.is_away = True
    desk.publish(alert("A", 1))
    desk.later()
    desk.later(86_401)
    assert "gave up 1 message to" in caplog.text
    assert desk.outbox.count(desk.channel.name, "given up") == 1
    given_up = ("tickflow_messages_given_up_total", {"channel": desk.channel.shown})
    assert desk.notifier.telemetry.registry.get_sample_value(*given_up) == 1
    receiver.is_away = False
    desk.later(100)
    assert receiver.messages == []


def test_a_market_move_needs_more_members_when_there_are_more_symbols() -> None:
    two = [alert("A", 0), alert("B", SECOND)]
    assert market.gathered(two, 7) == ([], two)
    three = [*two, alert("C", 5 * SECOND)]
    (move,), single = market.gathered(three, 7)
    assert (move.members, move.symbol, move.opened, single) == ("A,B,C", "*", 0, [])
    assert market.gathered([*two, alert("C", 6 * SECOND)], 7)[0] == []
    assert market.gathered([*two, alert("C", 2, -1)], 7)[0] == []


def test_addresses_show_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    (channel,) = channels_of("json://user:hunter2@127.0.0.1:9/alerts")
    assert "hunter2" not in channel.shown
    assert not channel.send("title", "body")
    with pytest.raises(SettingError) as caught:
        channels_of("nonsense://user:hunter2@host")
    assert "hunter2" not in f"{caught.value}{caplog.text}"


def test_a_chart_is_a_png_of_the_prices() -> None:
    picture = chart([1.0, 2.0, 1.5], 2.0)
    assert picture.startswith(b"\x89PNG")
    assert picture != chart([1.0, 2.0, 1.5], 1.5)


def test_an_outbox_survives_its_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", threading.Event())
    outbox.take([alert("A")], 1.0)
    outbox.write(alert("A"), [alert("A")], ["c"], 2.0)
    again = Outbox(tmp_path / "outbox.db", threading.Event())
    assert [message.alert for message in again.waiting("c")] == [alert("A")]
    assert again.backlog("c") == (1, again.waiting("c")[0].written)
    assert again.backlog("another") == (0, 0.0)
    assert again.arrived(9.0) == []
    assert ids_of(f"id {alert('A').id}") == [alert("A").id]
