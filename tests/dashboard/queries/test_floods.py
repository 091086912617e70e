"""With too many symbols for the watch list, it shows the first ones and counts the others."""

import threading
import time
from typing import Any

import pytest

from tests.fakes import MemoryAcks, MemoryStore
from tests.point_examples import MORNING, SECOND, a_row, points_of
from tests.waiting import until
from tickflow.dashboard import rationed
from tickflow.dashboard.queries import alerts, refresh, watched
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.background import MOST_AT_ONCE, Background
from tickflow.dashboard.rationed import Rationed
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points

NOW = MORNING + 60 * SECOND


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A store of thirty symbols; limits are lowered so that ten are shown and more than five are many."""
    for module in (rationed, refresh, watched):
        monkeypatch.setattr(module, "MOST_SHOWN", 10)
    for module in (alerts, refresh, watched):
        monkeypatch.setattr(module, "MANY", 5)
    store = MemoryStore()
    store.write(points_of(*(a_row(symbol=f"S{at:02}", offset=at, price=10.0) for at in range(30))))
    return store


def drawn(store: MemoryStore, background: Background, symbol: str | None = None) -> refresh.Answer:
    view = {"symbol": symbol, "range": "1h"}
    return refresh.draw(
        Rationed(store),
        view,
        identity="0-1",
        threshold=2.0,
        now_ns=NOW,
        board=Board(MemoryAcks()),
        background=background,
    )


def test_the_first_symbols_are_shown_and_the_others_counted(store: MemoryStore) -> None:
    background = Background()
    answer = drawn(store, background)["watch"]
    assert [row["symbol"] for row in answer["rows"]] == [f"S{at:02}" for at in range(10)]
    assert answer["more"] == -1, "they are still being counted"
    for _ in range(3):  # only two queries run at once, so the list takes several rounds
        background.wait()
        answer = drawn(store, background)["watch"]
    assert answer["more"] == 20
    assert [row["change"] for row in answer["rows"]] == [0.0] * 10


def test_a_symbol_beyond_the_list_can_be_drawn_and_followed(store: MemoryStore) -> None:
    background = Background()
    answer = drawn(store, background, "S25")
    assert (answer["drawn"]["symbol"], answer["drawn"]["rows"]) == ("S25", 1)
    store.write(points_of(a_row(symbol="S25", time_ns=MORNING + SECOND, offset=40, price=11.0)))
    further = refresh.refresh(
        Rationed(store), answer["drawn"], answer["watch"]["cursors"], now_ns=NOW, background=background
    )
    assert further["drawn"]["price"] == 11.0
    assert len(drawn(store, background)["watch"]["rows"]) == 10


def test_an_answer_holds_only_the_rows_with_long_names_that_fit(store: MemoryStore) -> None:
    watched_rows = drawn(store, Background())["watch"]["rows"]
    assert len(watched_rows) == 10
    few = points_of(*(a_row(symbol=f"{at:032}", source="s" * 32) for at in range(3)))
    assert watched._fitting(few, overview=False) == watched.MOST_BYTES // (watched.ROW_BYTES + 64)
    assert watched._fitting(few, overview=True) < watched._fitting(few, overview=False)


def test_a_slow_query_runs_in_the_background_and_its_last_answer_stays(store: MemoryStore) -> None:
    now, going = [0.0], threading.Event()
    asked: list[None] = []
    background = Background(lambda: now[0])

    def slow() -> int:
        asked.append(None)
        assert going.wait(60)
        return len(asked)

    begun = time.monotonic()
    assert [background.last("slow", slow, -1) for _ in range(3)] == [-1] * 3
    assert time.monotonic() - begun < 30, "none of them waited"
    going.set()
    background.wait()
    assert [background.last("slow", slow, -1) for _ in range(3)] == [1] * 3
    now[0] += 31
    assert background.last("slow", slow, -1) == 1
    background.wait()
    assert background.last("slow", slow, -1) == 2
    now[0] += 31

    def fails() -> int:
        raise StoreUnavailable("It is away.")

    assert background.last("slow", fails, -1) == 2
    background.wait()
    assert background.last("slow", slow, -1) == 2, "a failure keeps the last answer, and is tried again"
    background.wait()


def test_work_is_waited_for_only_so_long_and_done_once_at_a_time() -> None:
    going, background = threading.Event(), Background()
    begun: list[None] = []

    def work() -> None:
        begun.append(None)
        assert going.wait(60)

    def fails() -> None:
        raise StoreUnavailable("It is away.")

    for _ in range(3):
        background.begin("work", work)(0.0)
    until(lambda: len(begun) == 1)
    with pytest.raises(StoreUnavailable, match="away"):
        background.begin("other work", fails)(60.0)
    going.set()
    background.wait()
    background.begin("work", work)(60.0)
    assert len(begun) == 2


def test_alerts_that_take_long_come_with_a_later_refresh(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "MANY", 100)
    monkeypatch.setattr(refresh, "MANY", 100)
    monkeypatch.setattr(refresh, "PATIENCE_SECONDS", 0.0)
    going, background, board = threading.Event(), Background(), Board(MemoryAcks())
    store.write(points_of(a_row(symbol="S01", time_ns=MORNING + SECOND, offset=40, is_anomaly=True)))
    slowly = store.anomalies

    def anomalies(*arguments: Any) -> Points:
        assert going.wait(60)
        return slowly(*arguments)

    monkeypatch.setattr(store, "anomalies", anomalies)
    view = {"symbol": "S01", "range": "1h"}

    def episodes() -> list[object]:
        answer = refresh.draw(
            Rationed(store), view, identity="0-1", threshold=2.0, now_ns=NOW, board=board, background=background
        )
        assert answer["drawn"]["rows"] == 2, "the chart does not wait for them"
        found: list[object] = answer.get("alerts", {"episodes": []})["episodes"]
        return found

    assert episodes() == []
    going.set()
    background.wait()
    assert len(episodes()) == 1


def test_only_a_few_slow_queries_run_at_once() -> None:
    going, background = threading.Event(), Background()
    begun: list[None] = []

    def slow() -> None:
        begun.append(None)
        going.wait(60)

    for at in range(10):
        background.last(at, slow, None)
    until(lambda: len(begun) == MOST_AT_ONCE)
    going.set()
    background.wait()
    assert len(begun) == MOST_AT_ONCE
