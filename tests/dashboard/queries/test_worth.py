"""The list of alerts worth reading has the newest day's alerts, strongest first, with their outcomes, and the mutes."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.fakes import Feed, MemoryAcks, MemoryStore
from tickflow.alerts.alert import Alert
from tickflow.alerts.mutes import Mute
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.worth import MINUTE_NS, Worth
from tickflow.errors import StoreError, StoreUnavailable
from tickflow.sessions import NEW_YORK
from tickflow.store.mutes import MuteStore
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.store.sqlite.mutes import EmbeddedMutes

BEGIN = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
NOW = int(BEGIN.timestamp()) * 10**9 + 60 * 10**9
SECOND = 10**9


def moved(symbol: str, ago_s: int, score: float, **more: Any) -> Alert:
    at = NOW - ago_s * SECOND
    made = Alert(symbol, "move", at, score, 8.0, 100.42, 100.0, 0.42, 1, at, 0, ago_s, budget=1.0)
    return msgspec.structs.replace(made, **more)


class Seen:
    """A board on real tables of alerts and mutes, and a store whose newest tick is a minute after `BEGIN`."""

    def __init__(self, folder: Path) -> None:
        stop = threading.Event()
        self.alerts = EmbeddedAlerts(folder / "stocks.db", stop=stop)
        self.mutes: MuteStore = EmbeddedMutes(folder / "stocks.db", stop=stop)
        self.store = MemoryStore()
        self.store.write(Feed(start=BEGIN, gap=timedelta(seconds=1)).points("AAPL", [100.0] * 61))
        self.now = 0.0
        self.worth = Worth(self.alerts, self.mutes, NEW_YORK, monotonic=lambda: self.now)
        self.board = Board(MemoryAcks(), self.worth)

    def look(self, stamp: object = None) -> Any:
        self.now += 10.0
        self.board.look(self.store, self.store.latest(), NOW)
        return self.board.since(stamp)


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path)


def test_todays_alerts_come_strongest_first_and_market_moves_before_them(seen: Seen) -> None:
    yesterday = moved("OLD", 86_400, 99.0)
    market = moved("*", 30, 5.0, members="AAPL,MSFT,IBM", budget=None)
    rule = moved("IBM", 9, 205.0, detector="IBM price > 200", threshold=200.0, budget=None)
    seen.alerts.write([yesterday, moved("MSFT", 20, 9.0), moved("AAPL", 10, 11.2), market, rule])
    told = seen.look()["worth"]["alerts"]
    assert [each["key"][0] for each in told] == ["*", "AAPL", "MSFT", "IBM"]
    assert told[0]["symbol"] == "AAPL"  # the target of a click on a market move
    assert told[0]["words"] == "3 symbols moved up at once: AAPL,MSFT,IBM."


def test_an_alert_states_its_worth_in_words(seen: Seen) -> None:
    earlier = [moved("AAPL", 86_400 * (2 + day), 9.0, lasted=day < 12) for day in range(17)]
    seen.alerts.write([*earlier, moved("AAPL", 10, 11.2)])
    (told,) = seen.look()["worth"]["alerts"]
    assert told["words"] == (
        "AAPL +0.42 % in 3 s to 100.42, 11 usual moves, held 2 s. At most 1 a day for this symbol. "
        "Of the last 17 such alerts 12 lasted a minute."
    )


def test_only_the_outcome_of_an_alert_counts_as_news(seen: Seen) -> None:
    alert = moved("AAPL", 10, 11.2)
    seen.alerts.write([alert])
    first = seen.look()
    assert seen.look(first["stamp"]) is None
    seen.alerts.write([msgspec.structs.replace(alert, lasted=False)])
    news = seen.look(first["stamp"])
    assert [each["lasted"] for each in news["worth"]["alerts"]] == [False]
    assert news["episodes"] == []


def test_a_mute_is_shared_shown_and_undone(seen: Seen, tmp_path: Path) -> None:
    seen.alerts.write([moved("AAPL", 10, 11.2), moved("MSFT", 10, 10.0)])
    stamp = seen.look()["stamp"]
    seen.board.mute(Mute("", 0, "A*", until_ns=NOW + 60 * MINUTE_NS, made_by="ann"), "", NOW)
    news = seen.look(stamp)
    assert [each["muted"] for each in news["worth"]["alerts"]] == [True, False]
    ((mute,), told) = (seen.mutes.mutes(), news["worth"]["mutes"])
    assert told == [{"id": mute.id, "words": "A* until 2026-01-05 16:01 UTC", "by": "ann"}]
    other = Seen(tmp_path)  # another reader
    assert other.look()["worth"]["mutes"] == told
    other.board.mute(None, mute.id, NOW)
    assert seen.look(news["stamp"])["worth"]["mutes"] == []
    assert list(seen.mutes.mutes()) == [replace(mute, undone=True)]
    seen.board.mute(None, "0" * 16, NOW)  # no mute has that id
    assert len(seen.mutes.mutes()) == 1


def test_messages_that_were_given_up_are_counted(seen: Seen) -> None:
    seen.alerts.write([moved("AAPL", 10, 11.2), moved("MSFT", 10, 10.0)])
    seen.alerts.mark_notified([moved("AAPL", 10, 11.2)], sent=False)
    assert seen.look()["worth"]["given_up"] == 1


def test_while_alerts_cannot_be_read_the_last_known_ones_stay(seen: Seen) -> None:
    seen.alerts.write([moved("AAPL", 10, 11.2)])
    stamp = seen.look()["stamp"]

    class Away(EmbeddedAlerts):
        def alerts(self, *_args: object, **_more: object) -> list[Alert]:
            error: StoreError = StoreUnavailable("the store is away")
            raise error

    seen.worth._alerts = Away(Path("unused.db"), stop=threading.Event())
    assert seen.look(stamp) is None
    assert seen.board.worth_trouble == "the store is away"
    assert len(seen.board.since(None)["worth"]["alerts"]) == 1  # type: ignore[index]  # without a stamp there is always an answer


def test_without_stored_alerts_the_list_has_only_flags(seen: Seen) -> None:
    board = Board(MemoryAcks())
    board.look(seen.store, seen.store.latest(), NOW)
    assert "worth" not in (board.since(None) or {})
    board.mute(Mute("", 0, "A*"), "", NOW)
    assert list(seen.mutes.mutes()) == []
