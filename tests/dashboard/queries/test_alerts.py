"""Tests of the board of alerts with a store in memory."""

from datetime import timedelta
from typing import Any

import pytest

from tests.fakes import Feed, MemoryAcks, MemoryStore
from tests.point_examples import MORNING, SECOND, a_row, points_of
from tickflow.dashboard.queries import alerts as module
from tickflow.dashboard.queries.alerts import ACKS_SECONDS, Board
from tickflow.dashboard.queries.deltas import OVERLAP_NS
from tickflow.dashboard.queries.refresh import draw, refresh
from tickflow.errors import StoreUnavailable

CALM = [100.0 + (i % 2) * 0.1 for i in range(20)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def acks() -> MemoryAcks:
    return MemoryAcks()


def write(store: MemoryStore, flags: str, symbol: str = "AAPL", first: int = 0, partition: int = 0) -> None:
    """Write ticks a second apart, one per character of `flags`; `!` makes an anomaly."""
    rows = [
        a_row(
            symbol=symbol,
            time_ns=MORNING + i * SECOND,
            offset=i,
            partition=partition,
            is_anomaly=flag == "!",
            z_score=2.1 + i / 100 if flag == "!" else 1.0,
            ma_10=180.0,
        )
        for i, flag in enumerate(flags, first)
    ]
    store.write(points_of(*rows))


def look(board: Board, store: MemoryStore) -> None:
    board.look(store, store.latest())


def keys(news: dict[str, Any] | None) -> list[tuple[list[object], int]]:
    assert news is not None
    return [(each["key"], each["ticks"]) for each in news["episodes"]]


def test_flagged_ticks_that_follow_one_another_are_one_episode_the_newest_first(
    store: MemoryStore, acks: MemoryAcks
) -> None:
    write(store, "..!!!.!..!!")
    board = Board(acks)
    look(board, store)
    assert keys(board.since(None)) == [(["AAPL", 0, 9], 2), (["AAPL", 0, 6], 1), (["AAPL", 0, 2], 3)]


def test_another_symbols_ticks_do_not_end_an_episode(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!!.")
    write(store, "....", symbol="MSFT")
    board = Board(acks)
    look(board, store)
    assert keys(board.since(None)) == [(["AAPL", 0, 1], 2)]


def test_an_episode_grows_under_its_key_and_only_changes_are_sent(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, "!..!")
    board = Board(acks)
    look(board, store)
    first = board.since(0)
    assert first is not None
    look(board, store)
    assert board.since(first["stamp"]) is None, "nothing is news twice"
    write(store, "!", first=4)
    look(board, store)
    news = board.since(first["stamp"])
    assert keys(news) == [(["AAPL", 0, 3], 2)]
    assert (first["whole"], news and news["whole"]) == (True, False)


def test_the_evidence_belongs_to_the_strongest_tick() -> None:
    store = MemoryStore()
    feed = Feed()
    store.write(feed.points("AAPL", [*CALM, 90.0, 70.0]))
    board = Board(MemoryAcks())
    look(board, store)
    news = board.since(None)
    assert news is not None
    episode = news["episodes"][0]
    assert (episode["high"], episode["volume_ratio"], episode["ticks"]) == (False, 1.0, 2)
    strongest = max(store.anomalies(0, 5).z_score.tolist())
    assert episode["z"] == round(strongest, 2)


def test_the_volume_ratio_of_a_fractional_volume(store: MemoryStore, acks: MemoryAcks) -> None:
    measured = {"ma_10": 1.0, "z_score": 3.0, "volatility": 0.1, "volume": 0.5, "vol_avg_10": 0.25}
    store.write(
        points_of(a_row(is_anomaly=False), a_row(time_ns=MORNING + SECOND, offset=1, is_anomaly=True, **measured))
    )
    board = Board(acks)
    look(board, store)
    news = board.since(None)
    assert news is not None
    assert [each["volume_ratio"] for each in news["episodes"]] == [2.0]


def test_an_episode_that_began_before_the_rows_that_were_read_is_left_out(
    store: MemoryStore, acks: MemoryAcks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TICKS", 3)
    write(store, ".!!!.!")
    board = Board(acks)
    look(board, store)
    assert keys(board.since(None)) == [(["AAPL", 0, 5], 1)]


def test_an_acknowledgement_covers_the_episode_while_it_grows(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!")
    board = Board(acks)
    look(board, store)
    board.acknowledge([["AAPL", 0, 1]], now_ns=5)
    write(store, "!", first=2)
    look(board, store)
    news = board.since(None)
    assert keys(news) == [(["AAPL", 0, 1], 2)]
    assert news is not None
    assert news["episodes"][0]["acked"] is True


def test_other_dashboards_show_the_acknowledgement_too(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!.!")
    clock = Clock()
    board, other = Board(acks), Board(acks, monotonic=clock)
    look(board, store)
    look(other, store)
    answer = other.since(None)
    assert answer is not None
    board.acknowledge([["AAPL", 0, 1]], now_ns=5)
    look(other, store)
    assert other.since(answer["stamp"]) is None, "not looked for at every refresh"
    clock.now += module.ACKS_SECONDS
    look(other, store)
    news = other.since(answer["stamp"])
    assert news is not None
    assert [(each["key"], each["acked"]) for each in news["episodes"]] == [(["AAPL", 0, 1], True)]


def test_what_one_dashboard_takes_back_is_new_again_on_all(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!.!")
    clock = Clock()
    board, other = Board(acks), Board(acks, monotonic=clock)
    look(board, store)
    board.acknowledge([["AAPL", 0, 1], ["AAPL", 0, 3]], now_ns=5)
    look(other, store)
    board.withdraw([["AAPL", 0, 3], ["NONE", 0, 1], 7])
    clock.now += module.ACKS_SECONDS
    look(other, store)
    for one in (board, other):
        news = one.since(None)
        assert news is not None
        assert {str(each["key"]): each["acked"] for each in news["episodes"]} == {
            "['AAPL', 0, 1]": True,
            "['AAPL', 0, 3]": False,
        }
    acks.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        board.withdraw([["AAPL", 0, 1]])
    assert board.since(None) is not None
    assert board.since(None)["episodes"][1]["acked"] is True  # type: ignore[index]  # there is an answer


def test_a_recreated_log_begins_without_acknowledgements(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!.....")
    board = Board(acks)
    look(board, store)
    board.acknowledge([["AAPL", 0, 1]], now_ns=5)
    later = MORNING + 3600 * SECOND
    store.write(points_of(a_row(time_ns=later + 1, offset=1, is_anomaly=True, z_score=2.5, ma_10=1.0)))
    look(board, store)
    fresh = Board(acks)
    look(fresh, store)
    for one in (board, fresh):
        news = one.since(None)
        assert news is not None
        assert (news["episodes"][0]["start_us"], news["episodes"][0]["acked"]) == ((later + 1) // 1000, False)


@pytest.mark.parametrize(
    "asked", [None, 5, "AAPL", [5], [["AAPL"]], [["A' OR", 0, 1]], [["AAPL", "0", 1]], [[[], 0, 1]], [["MSFT", 0, 1]]]
)
def test_an_unknown_key_acknowledges_nothing(store: MemoryStore, acks: MemoryAcks, asked: object) -> None:
    write(store, ".!")
    board = Board(acks)
    look(board, store)
    board.acknowledge(asked, now_ns=5)
    assert acks.acknowledged(0) == []


def test_concurrent_readers_miss_no_alert(
    store: MemoryStore, acks: MemoryAcks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that asks between any two steps of a read, and once after it, has seen all alerts."""
    write(store, ".!.")
    board = Board(acks)
    look(board, store)
    stamp, known = 0, dict[tuple[object, ...], bool]()

    def asks() -> None:
        nonlocal stamp
        news = board.since(stamp)
        if news is not None:
            stamp = news["stamp"]
            known.update({tuple(each["key"]): each["acked"] for each in news["episodes"]})

    one = board._one

    def interrupted(*arguments: Any) -> None:
        asks()
        one(*arguments)
        asks()

    monkeypatch.setattr(board, "_one", interrupted)
    write(store, "!.!.!.", first=3)
    look(board, store)
    asks()
    assert set(known) == {("AAPL", 0, offset) for offset in (1, 3, 5, 7)}


def test_a_failed_acknowledgement_is_raised_and_marks_nothing(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!")
    board = Board(acks)
    look(board, store)
    acks.failure = StoreUnavailable("It is away.")
    with pytest.raises(StoreUnavailable):
        board.acknowledge([["AAPL", 0, 1]], now_ns=5)
    news = board.since(None)
    assert news is not None
    assert news["episodes"][0]["acked"] is False


def test_acknowledgements_that_cannot_be_read_do_not_stop_the_alerts(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!")
    acks.failure = StoreUnavailable("It is away.")
    board = Board(acks)
    look(board, store)
    assert board.trouble == "It is away."
    assert keys(board.since(None)) == [(["AAPL", 0, 1], 1)]
    drawn = draw(store, None, identity="1", threshold=2.0, now_ns=0, board=board)
    assert drawn["trouble"] == "It is away."
    answer = refresh(store, drawn["drawn"], {}, now_ns=0, board=board, stamp=drawn["alerts"]["stamp"])
    assert answer["trouble"] == "It is away."


def test_a_failed_read_is_reported_only_while_it_fails(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, ".!")
    acks.failure = StoreUnavailable("It is away.")
    now = Clock()
    board = Board(acks, monotonic=now)
    look(board, store)
    acks.failure = None
    now.now += ACKS_SECONDS
    look(board, store)
    assert "trouble" not in draw(store, None, identity="1", threshold=2.0, now_ns=0, board=board)


def test_an_empty_list_is_sent_once(store: MemoryStore, acks: MemoryAcks) -> None:
    board = Board(acks)
    board.look(store, store.latest())
    answer = board.since(0)
    assert answer is not None
    assert (answer["whole"], answer["episodes"]) == (True, [])
    assert board.since(answer["stamp"]) is None


@pytest.mark.parametrize("stamp", [None, -1, "5", 2**60, [], True])
def test_a_stamp_of_another_board_gets_everything(store: MemoryStore, acks: MemoryAcks, stamp: object) -> None:
    write(store, ".!")
    board = Board(acks)
    look(board, store)
    news = board.since(stamp)
    assert news is not None
    assert news["whole"] is True


def test_old_episodes_are_dropped(store: MemoryStore, acks: MemoryAcks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EPISODES", 3)
    write(store, ".!" * 10)
    board = Board(acks)
    look(board, store)
    assert [key[2] for key, _ in keys(board.since(None))] == [19, 17, 15]


def test_a_lagging_symbol_is_read_from_its_own_last_position(store: MemoryStore, acks: MemoryAcks) -> None:
    write(store, "." * 200, symbol="MSFT")
    write(store, ".")
    board = Board(acks)
    look(board, store)
    write(store, ".!.", first=1)
    look(board, store)
    assert keys(board.since(None)) == [(["AAPL", 0, 2], 1)]
    assert timedelta(seconds=200).total_seconds() * SECOND > OVERLAP_NS, "it lies further back than the overlap"
