import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plotly.io.json import to_json_plotly

from tests.fakes import BusyStore, Feed, MemoryStore, a_status
from tests.point_examples import MORNING, SECOND, a_row, points_of
from tickflow.dashboard.queries import refresh as module
from tickflow.dashboard.queries.deltas import recent_gap
from tickflow.dashboard.queries.refresh import Answer, draw, look, refresh
from tickflow.dashboard.queries.state import state_of
from tickflow.dashboard.queries.view import chosen, nothing_drawn
from tickflow.errors import StoreUnavailable
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.points import Points
from tickflow.store.pixels import strength

NOW = MORNING + 3600 * SECOND


def drawn_from(store: MemoryStore, symbol: str | None = "AAPL", range_name: str = "15m") -> Answer:
    """A drawing as the browser receives it, converted to JSON and back."""
    answer = draw(store, {"symbol": symbol, "range": range_name}, identity="1", threshold=2.0, now_ns=NOW)
    return json.loads(to_json_plotly(answer))  # type: ignore[no-any-return]  # the parsed answer


def refreshed(store: MemoryStore, before: Answer) -> Answer:
    answer = refresh(store, before["drawn"], before["watch"]["cursors"], now_ns=NOW)
    return json.loads(to_json_plotly(answer))  # type: ignore[no-any-return]  # the parsed answer


def prices_of(answer: Answer) -> list[float]:
    return answer["picture"]["y"]["price"]  # type: ignore[no-any-return]  # plain JSON


def test_a_drawing_holds_the_rows_of_the_range_counted_back_from_the_newest() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(minutes=1))
    store.write(feed.points("AAPL", [float(price) for price in range(100, 130)]))
    answer = drawn_from(store, range_name="5m")
    assert prices_of(answer) == [124.0, 125.0, 126.0, 127.0, 128.0, 129.0]
    assert tuple(answer["drawn"][key] for key in ("rows", "count", "range_ms")) == (6, min(DEPTH, 30), 300_000.0)
    assert len(prices_of(drawn_from(store, range_name="all"))) == 30


def test_without_a_symbol_the_first_by_name_is_drawn() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("TSLA", [300.0]))
    store.write(feed.points("AAPL", [100.0]))
    assert drawn_from(store, symbol=None)["drawn"]["symbol"] == "AAPL"


def test_an_empty_store_draws_nothing_until_ticks_arrive() -> None:
    store = MemoryStore()
    before = drawn_from(store, symbol=None)
    assert (before["drawn"]["symbol"], before["drawn"]["rows"]) == (None, 0)
    assert refreshed(store, before)["rebuild"] is False
    store.write(Feed().points("AAPL", [100.0]))
    assert refreshed(store, before)["rebuild"] is True


def test_an_empty_period_is_drawn_once() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0]))
    view = {"symbol": "AAPL", "period": [1.0, 2.0]}
    before = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    assert (before["drawn"]["rows"], before["drawn"]["total"]) == (0, 0)
    store.write(feed.points("AAPL", [101.0]))
    assert "rebuild" not in refreshed(store, before)


def test_a_symbol_without_ticks_is_drawn_once_its_own_arrive() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0]))
    before = drawn_from(store, symbol="TSLA")
    assert (before["drawn"]["rows"], before["drawn"]["symbol"]) == (0, "TSLA")
    assert refreshed(store, before)["rebuild"] is False
    store.write(feed.points("TSLA", [300.0]))
    assert refreshed(store, before)["rebuild"] is True


def test_an_idle_refresh_sends_no_rows() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 101.0]))
    answer = refreshed(store, drawn_from(store))
    assert "tail" not in answer
    assert "rebuild" not in answer
    assert answer["watch"]["rows"] == []


def test_a_refresh_sends_just_the_new_rows() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    before = drawn_from(store)
    store.write(feed.points("AAPL", [102.0, 103.0]))
    answer = refreshed(store, before)
    assert answer["tail"]["y"]["price"] == [102.0, 103.0]
    assert tuple(answer["drawn"][key] for key in ("cursors", "count", "rows")) == ({"0": 3}, 4, 4)
    assert answer["of"] == "1"


def test_rows_of_another_partition_are_not_mistaken_for_old_ones() -> None:
    """Adding partitions moves a symbol to a different partition, in which its offsets start at 0."""
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0] * 40))
    before = drawn_from(store)
    other = Feed(start=feed.now, partition=1)
    store.write(other.points("AAPL", [101.0]))
    answer = refreshed(store, before)
    assert answer["tail"]["y"]["price"] == [101.0]
    assert answer["drawn"]["cursors"] == {"0": 39, "1": 0}


def test_rows_that_share_the_newest_microsecond_are_still_sent() -> None:
    store = MemoryStore()
    store.write(points_of(a_row(time_ns=MORNING + 7, offset=7)))
    before = drawn_from(store)
    store.write(points_of(a_row(time_ns=MORNING + 8, offset=8, price=9.0)))
    assert refreshed(store, before)["tail"]["y"]["price"] == [9.0]


def test_an_earlier_row_within_the_newest_microsecond_causes_a_new_drawing() -> None:
    store = MemoryStore()
    store.write(points_of(a_row(time_ns=MORNING + 7, offset=7)))
    before = drawn_from(store)
    store.write(points_of(a_row(time_ns=MORNING + 2, offset=2, partition=1)))
    assert refreshed(store, before)["rebuild"] is True


def test_a_row_before_the_drawn_ones_causes_a_new_drawing() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0, 102.0]))
    before = drawn_from(store)
    store.write(feed.points("AAPL", [99.0], at=feed.now - timedelta(seconds=2, milliseconds=500)))
    answer = refreshed(store, before)
    assert answer["rebuild"] is True
    assert "tail" not in answer
    assert prices_of(drawn_from(store)) == [100.0, 99.0, 101.0, 102.0]


def test_a_recreated_log_causes_a_new_drawing() -> None:
    """The new log's offsets start at 0, below the cursor, although times continue."""
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0] * 50))
    before = drawn_from(store)
    store.write(Feed(start=feed.now + timedelta(minutes=1)).points("AAPL", [101.0]))
    assert refreshed(store, before)["rebuild"] is True
    assert "rebuild" not in refreshed(store, drawn_from(store)), "and then it can be extended again"


def test_chart_and_watch_list_show_one_price_although_ticks_arrive_between_their_reads() -> None:
    store, feed = BusyStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    store.coming = [feed.points("AAPL", prices) for prices in ([102.0], [103.0], [104.0, 105.0])]
    answer = drawn_from(store)
    assert prices_of(answer)[-1] == answer["watch"]["rows"][0]["price"] == 101.0
    seen = prices_of(answer)
    for price in (102.0, 103.0, 105.0):
        news = refreshed(store, answer)
        seen += news["tail"]["y"]["price"]
        assert seen[-1] == news["drawn"]["price"] == news["watch"]["rows"][0]["price"] == price
        answer = {"drawn": answer["drawn"] | news["drawn"], "watch": news["watch"]}
    assert seen == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]


def test_a_picture_of_two_sources_names_the_source_of_each_row() -> None:
    store, feed = MemoryStore(), Feed(source="replay")
    store.write(feed.points("AAPL", [100.0, 101.0]))
    before = drawn_from(store)
    feed.source = "simulated"
    store.write(feed.points("AAPL", [102.0, 103.0]))
    assert refreshed(store, before)["rebuild"] is True
    picture = drawn_from(store)["picture"]
    times = picture["x"]
    assert picture["sources"] == [[times[0], "replay"], [times[2], "simulated"]]


def test_a_flood_of_rows_causes_a_new_drawing() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0]))
    before = drawn_from(store)
    store.write(feed.points("AAPL", [101.0] * (module.MAX_DELTA + 1)))
    assert refreshed(store, before)["rebuild"] is True


def test_a_drawing_that_failed_with_the_store_follows_when_the_store_answers() -> None:
    before = {"drawn": nothing_drawn("1", chosen({"symbol": "AAPL"}), failed=True), "watch": {"cursors": {}}}
    assert refreshed(MemoryStore(), before)["rebuild"] is True


def test_a_failing_store_raises_to_the_caller() -> None:
    store = MemoryStore()
    store.failure = StoreUnavailable("It is away.")
    with pytest.raises(StoreUnavailable):
        draw(store, {}, identity="1", threshold=2.0, now_ns=NOW)
    with pytest.raises(StoreUnavailable):
        refresh(store, nothing_drawn("1", chosen({"symbol": "AAPL"})), {}, now_ns=NOW)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=25))
def test_in_whatever_order_rows_arrive_the_browser_shows_what_is_stored(steps: list[tuple[int, int]]) -> None:
    """Each step writes some ticks to one of three partitions, sometimes with a late one, and then refreshes."""
    store, feeds = MemoryStore(), [Feed(partition=number) for number in range(3)]
    start = feeds[0].now
    store.write(feeds[0].points("AAPL", [100.0]))
    shown = drawn_from(store)
    seen = list(prices_of(shown))
    for number, (partition, count) in enumerate(steps):
        feed = feeds[partition]
        feed.now = start + timedelta(seconds=10 + 5 * number)  # no two ticks at one instant
        late = feed.now - timedelta(seconds=7, milliseconds=500) if count == 3 else None  # within the overlap of 30 s
        store.write(feed.points("AAPL", [float(200 + number)] * count, at=late))
        answer = refreshed(store, shown)
        if answer.get("rebuild"):
            shown = drawn_from(store)
            seen = list(prices_of(shown))
        elif "tail" in answer:
            seen += answer["tail"]["y"]["price"]
            shown = shown | {"drawn": shown["drawn"] | answer["drawn"]}
        assert store.points("AAPL", 0).price.tolist() == seen


def test_a_range_is_complete_for_any_size_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TICKS", 20)
    store = MemoryStore()
    store.write(Feed(gap=timedelta(seconds=10)).points("AAPL", [100.0] * 150))
    assert drawn_from(store, range_name="5m")["drawn"]["total"] == 31
    assert drawn_from(store, range_name="all")["drawn"]["total"] == 150


def test_a_long_range_is_drawn_and_extended_in_columns() -> None:
    store, count = MemoryStore(), 3 * module.MAX_TICKS
    prices = (100 + np.cumsum(np.random.default_rng(1).normal(0, 0.01, count))).tolist()
    feed = Feed()
    store.write(feed.points("AAPL", prices))
    answer = drawn_from(store, range_name="all")
    drawn, picture = answer["drawn"], answer["picture"]
    assert (picture["kind"], drawn["total"]) == ("columns", count)
    assert 900 < len(picture["x"]) == drawn["rows"] <= 1_001, "as many columns as the chart has pixels"
    assert (max(picture["y"]["high"]), min(picture["y"]["low"])) == (max(prices), min(prices))
    assert sum(picture["y"]["volume"]) == 100 * count
    store.write(feed.points("AAPL", [50.0, 500.0, 60.0]))
    tail = refreshed(store, answer)["tail"]
    assert (min(tail["y"]["low"]), max(tail["y"]["high"]), tail["y"]["close"][-1]) == (50.0, 500.0, 60.0)
    from_ = picture["x"].index(tail["x"][0]) if tail["x"][0] in picture["x"] else len(picture["x"])
    joined = {name: values[:from_] + tail["y"][name] for name, values in picture["y"].items()}
    whole = drawn_from(store, range_name="all")["picture"]["y"]
    assert sum(joined["volume"]) == sum(whole["volume"]) == 100 * (count + 3)
    assert sum(joined["anomalies"]) == sum(whole["anomalies"])


def test_only_the_strongest_anomalies_are_marked_but_all_are_counted() -> None:
    store, feed = MemoryStore(), Feed()
    prices = [100 + (i % 3) * 0.01 + (5 + i / 1000 if i % 40 == 39 else 0) for i in range(8_000)]
    points = feed.points("AAPL", prices)
    store.write(points)
    picture = drawn_from(store, range_name="all")["picture"]
    flagged = points.take(np.flatnonzero(points.is_anomaly))
    assert sum(picture["y"]["anomalies"]) == len(flagged) > 150
    assert 20 < len(picture["marks"]["x"]) <= module.MAX_MARKS
    assert max(picture["marks"]["strength"]) == pytest.approx(strength(flagged).max(), abs=1e-6)


def looked(store: MemoryStore, sight: list[float], **more: object) -> Answer:
    view = {"symbol": "AAPL", "sight": sight, **more}
    return json.loads(to_json_plotly(look(store, view, identity="2", threshold=2.0)))  # type: ignore[no-any-return]


def test_a_reader_may_move_outside_the_range() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [float(price) for price in range(100, 4_000)]))
    wall = 1_767_605_400_000.0  # 09:30 in New York, where the feed begins
    answer = looked(store, [wall + 10_000, wall + 20_000])
    assert answer["picture"]["kind"] == "ticks"
    assert {110.0, 119.0} <= set(answer["picture"]["y"]["price"])
    assert answer["picture"]["covers"] == [wall + 5_000, wall + 25_000], "half as much on either side too"
    assert answer["drawn"]["follows"] is False, "what comes now lies far behind it"
    assert answer["drawn"]["begin_us"] == MORNING // 1000
    wide = looked(store, [wall - 1e6, wall + 1e7])
    assert (wide["picture"]["kind"], wide["drawn"]["total"], wide["drawn"]["follows"]) == ("columns", 3_900, True)


def test_a_picture_of_candles_has_averages_over_candles() -> None:
    store, feed = MemoryStore(), Feed()
    prices = (100 + np.cumsum(np.random.default_rng(2).normal(0, 0.1, 3_000))).tolist()
    store.write(feed.points("AAPL", prices))
    view = {"symbol": "AAPL", "range": "all", "candles": "1m"}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    y = answer["picture"]["y"]
    minutes = [prices[at : at + 60] for at in range(0, 3_000, 60)]
    closes = np.array([minute[-1] for minute in minutes])
    assert y["volume"] == [6_000] * 50
    assert y["ticks"] == [60] * 50
    assert y["close"] == closes.tolist()
    frame = pd.Series(closes)
    for name, expected in (("ma_5", frame.rolling(5).mean()), ("volatility", frame.rolling(10).std())):
        found = np.array([np.nan if value is None else value for value in y[name]])
        np.testing.assert_allclose(found, expected.to_numpy(), atol=1e-4)
    assert answer["drawn"]["width_ns"] == 60 * SECOND


def test_a_symbol_that_ticks_very_often_is_drawn_once() -> None:
    """Within 30 s, more rows arrive than one read returns; late rows among them must not cause endless drawings."""
    store, feed = MemoryStore(), Feed(gap=timedelta(milliseconds=100))
    store.write(feed.points("AAPL", [100.0] * 100))
    late = feed.now - timedelta(seconds=5, milliseconds=50)
    store.write(feed.points("AAPL", [99.0], at=late))
    answer = drawn_from(store)
    assert "rebuild" not in refreshed(store, answer)
    assert "tail" not in refreshed(store, answer)


def test_warm_up_counts_the_symbols_own_ticks() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("TSLA", [300.0] * 30))
    store.write(feed.points("AAPL", [100.0] * 7))
    before = drawn_from(store)
    assert before["drawn"]["count"] == 7
    store.write(feed.points("AAPL", [100.0] * 20))
    assert refreshed(store, before)["drawn"]["count"] == min(DEPTH, 27)


def test_the_watch_list_counts_every_change_from_where_the_range_starts() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(minutes=1))
    store.write(feed.points("TSLA", [50.0, 200.0]))
    store.write(feed.points("AAPL", [100.0, 101.0, 102.0, 103.0]))
    store.write(feed.points("TSLA", [220.0]))
    store.write(feed.points("AAPL", [110.0]))
    rows = {row["symbol"]: row for row in drawn_from(store, "AAPL", "5m")["watch"]["rows"]}
    assert pytest.approx(rows["AAPL"]["change"]) == 10.0
    assert rows["TSLA"]["change"] == 0.0, "its ticks before the range do not count"
    assert rows["AAPL"]["price"] == 110.0


def test_a_symbol_that_has_no_tick_in_the_range_has_no_change() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(minutes=10))
    store.write(feed.points("TSLA", [50.0]))
    store.write(feed.points("AAPL", [100.0]))
    rows = {row["symbol"]: row for row in drawn_from(store, "AAPL", "5m")["watch"]["rows"]}
    assert rows["TSLA"]["change"] is None


def test_the_watch_list_sends_just_the_rows_that_changed() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("TSLA", [50.0]))
    store.write(feed.points("AAPL", [100.0]))
    before = drawn_from(store)
    store.write(feed.points("TSLA", [51.0]))
    assert [row["symbol"] for row in refreshed(store, before)["watch"]["rows"]] == ["TSLA"]


def test_the_watch_list_is_sent_whole_after_the_log_was_recreated() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("TSLA", [50.0] * 9))
    store.write(feed.points("AAPL", [100.0] * 9))
    before = drawn_from(store)
    store.forget()
    later = Feed(start=feed.now)
    store.write(later.points("TSLA", [51.0]))
    store.write(later.points("AAPL", [101.0]))
    assert [row["symbol"] for row in refreshed(store, before)["watch"]["rows"]] == ["AAPL", "TSLA"]


def test_the_watch_list_continues_in_a_recreated_log_despite_a_symbol_that_no_longer_ticks() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0] * 9))
    store.write(feed.points("TSLA", [50.0] * 9))
    answer = drawn_from(store)
    later = Feed(start=feed.now)
    for price in (101.0, 102.0, 103.0):
        store.write(later.points("AAPL", [price]))
        news = refreshed(store, answer)["watch"]
        assert [row["price"] for row in news["rows"] if row["symbol"] == "AAPL"] == [price]
        answer = {"drawn": answer["drawn"], "watch": news}
    assert refreshed(store, answer)["watch"]["rows"] == []


@pytest.mark.parametrize(
    "view",
    [
        None,
        5,
        [],
        {},
        {"symbol": "=AAPL"},
        {"symbol": "A' OR 1=1 --"},
        {"symbol": ["AAPL"]},
        {"range": "2y"},
        {"range": {}},
    ],
)
def test_an_invalid_symbol_or_range_never_reaches_the_store(view: object) -> None:
    assert (chosen(view)["symbol"], chosen(view)["range"]) == (None, "15m")


def rows_at(*seconds: float) -> Points:
    return points_of(*(a_row(time_ns=MORNING + int(at * SECOND)) for at in seconds))


def test_the_recent_gap_is_the_median_gap() -> None:
    assert recent_gap(rows_at(0, 2, 4, 6, 60, 62)) == 2.0
    assert recent_gap(rows_at(5)) is None


def test_gaps_longer_than_the_overlap_are_measured_too() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(seconds=60))
    store.write(feed.points("AAPL", [100.0]))
    before = drawn_from(store)
    assert before["drawn"]["gap_s"] is None
    store.write(feed.points("AAPL", [101.0]))
    assert refreshed(store, before)["drawn"]["gap_s"] == 60.0


def test_a_replay_of_old_days_is_as_fresh_as_its_processing() -> None:
    old = MORNING - 10 * 365 * 86_400 * SECOND
    state = state_of([a_status(now_ns=NOW, processed_ns=NOW - SECOND, newest_ns=old)], NOW)
    assert (1.0, old // 1000, False) == (state["processed_s"], state["newest_event_us"], state["gone"])


def test_the_state_has_the_notices_of_live_workers() -> None:
    names = {"a": "all 9 records refused.", "b": "", "c": "all 9 records refused.", "d": "ticks are dropped."}
    written = [
        a_status(now_ns=NOW, processed_ns=NOW, newest_ns=NOW, worker=name, notice=words)
        for name, words in names.items()
    ]
    assert state_of(written, NOW)["notice"] == "all 9 records refused. ticks are dropped."
    assert state_of(written, NOW + 11 * SECOND)["notice"] == ""


def test_a_worker_that_has_not_reported_for_ten_seconds_is_gone() -> None:
    written = a_status(now_ns=NOW, processed_ns=NOW, newest_ns=NOW, held_up_by="the store")
    assert tuple(state_of([written], NOW + 9 * SECOND)[key] for key in ("held_up_by", "gone")) == ("the store", False)
    later = state_of([written], NOW + 11 * SECOND)
    assert tuple(later[key] for key in ("held_up_by", "gone", "reported_s")) == ("", True, 11.0)


def test_among_several_workers_the_freshest_time_counts_and_totals_add_up() -> None:
    first = replace(a_status(now_ns=NOW, processed_ns=NOW - SECOND, newest_ns=NOW), lag_records=3, refused=1)
    second = replace(first, worker="worker-2", processed_at=None, newest_event=None, lag_records=4, refused=2)
    state = state_of([first, second], NOW)
    assert tuple(state[key] for key in ("processed_s", "lag", "refused")) == (1.0, 7, 3)


def test_without_a_worker_the_state_is_unknown() -> None:
    state = state_of([], NOW)
    assert tuple(state[key] for key in ("processed_s", "newest_event_us", "reported_s", "gone")) == (
        None,
        None,
        None,
        True,
    )


def test_times_sent_to_a_browser_fit_its_numbers() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 101.0]))

    def numbers(part: object) -> list[int]:
        if isinstance(part, dict):
            return [number for value in part.values() for number in numbers(value)]
        if isinstance(part, list):
            return [number for value in part for number in numbers(value)]
        return [part] if isinstance(part, int) else []

    assert max(numbers(drawn_from(store))) < 2**53


def test_a_period_is_read_on_the_exchanges_clock_and_is_not_extended() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(seconds=1))
    store.write(feed.points("AAPL", [float(price) for price in range(100, 200)]))
    wall = 1_767_605_400_000.0  # 09:30 in New York, where the feed begins
    view = {"symbol": "AAPL", "period": [wall + 10_000, wall + 13_000]}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    assert prices_of(answer) == [110.0, 111.0, 112.0]
    store.write(feed.points("AAPL", [300.0]))
    later = refreshed(store, answer)
    assert "tail" not in later
    (row,) = later["watch"]["rows"]
    assert (row["price"], row["since"]) == (112.0, "period")


def test_in_a_period_the_list_has_the_price_and_the_change_at_its_end() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(seconds=1))
    store.write(feed.points("AAPL", [float(price) for price in range(100, 200)]))
    store.write(Feed(start=feed.now, gap=timedelta(minutes=1), partition=1).points("AAPL", [200.0] * 30))
    wall = 1_767_605_400_000.0  # 09:30 in New York, where the feed begins
    view = {"symbol": "AAPL", "range": "5m", "period": [wall + 10_000, wall + 13_000]}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    (row,) = answer["watch"]["rows"]
    assert (row["price"], row["change"]) == (112.0, round(100 * (112 / 110 - 1), 4))
    assert row["event_us"] == answer["drawn"]["newest_us"], "the age is that of the newest tick"
    assert [float(price) for price in row["trend"]] == [110.0, 111.0, 112.0]
    assert (answer["drawn"]["gap_s"], answer["drawn"]["count"]) == (60.0, min(DEPTH, 50))


def test_a_period_without_ticks_has_no_price_and_no_trend() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 101.0]))
    view = {"symbol": "AAPL", "period": [1_999_999_000_000.0, 2_000_000_000_000.0]}
    (row,) = draw(store, view, identity="1", threshold=2.0, now_ns=NOW)["watch"]["rows"]
    assert (row["price"], row["change"], row["trend"]) == (None, None, [])


@pytest.mark.parametrize(
    "period", [5, [1], [5, 5], [9, 5], ["1", "2"], [1, float("inf")], [True, 5], [1, 2, 3], [-5, 5]]
)
def test_an_invalid_period_counts_as_none(period: object) -> None:
    assert chosen({"period": period})["period"] is None


def test_small_charts_have_utc_offsets_even_if_the_chosen_symbol_has_no_ticks() -> None:
    store = MemoryStore()
    november = datetime(2026, 11, 1, 5, 59, tzinfo=UTC)  # a minute before the clocks are set back
    store.write(Feed(start=november, gap=timedelta(seconds=30)).points("AAPL", [100.0] * 8))
    view = {"symbol": "TSLA", "symbols": ["AAPL", "TSLA"]}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    assert [(each["symbol"], len(each["x"])) for each in answer["multiples"]] == [("AAPL", 8), ("TSLA", 0)]
    assert [hours / 3_600_000 for _, hours in answer["drawn"]["offsets"]] == [-4, -5]


def test_small_charts_are_drawn_even_if_the_chosen_symbol_has_no_ticks() -> None:
    store = MemoryStore()
    view = {"symbol": "TSLA", "symbols": ["AAPL", "TSLA"]}
    before = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    assert refreshed(store, before)["rebuild"] is False
    store.write(Feed().points("AAPL", [100.0]))
    assert refreshed(store, before)["rebuild"] is True


def test_a_paused_browser_gets_no_rows_until_it_resumes() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    before = drawn_from(store)
    store.write(feed.points("AAPL", [102.0]))
    before["drawn"]["paused"] = True
    assert "tail" not in refreshed(store, before)
    before["drawn"]["paused"] = False
    assert refreshed(store, before)["tail"]["y"]["price"] == [102.0]


def test_candles_are_complete_even_where_the_line_is_thinned() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 103.0, 99.0, 101.0]))
    view = {"symbol": "AAPL", "range": "15m", "candles": "1m"}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    picture = answer["picture"]
    assert [picture["kind"], *(picture["y"][side] for side in ("open", "high", "low", "close"))] == [
        "candles", [100.0], [103.0], [99.0], [101.0],
    ]  # fmt: skip
    assert picture["width_ms"] == 60_000


def test_a_change_counts_from_the_same_moment_whichever_symbol_is_drawn() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(minutes=1))
    store.write(feed.points("STOPS", [50.0, 55.0]))
    store.write(feed.points("AAPL", [float(price) for price in range(100, 110)]))
    changes = [
        {row["symbol"]: row["change"] for row in drawn_from(store, symbol, "5m")["watch"]["rows"]}
        for symbol in ("AAPL", "STOPS")
    ]
    assert changes[0] == changes[1]
    assert changes[0]["AAPL"] == pytest.approx(100 * (109 / 104 - 1), abs=1e-4)


def test_the_overview_has_measures_and_each_row_gets_its_trend_once() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(seconds=1))
    store.write(feed.points("AAPL", [*([100.0, 100.5] * 15), 90.0]))
    view = {"symbol": "AAPL", "overview": True}
    answer = json.loads(to_json_plotly(draw(store, view, identity="1", threshold=2.0, now_ns=NOW)))
    (row,) = answer["watch"]["rows"]
    assert (row["anomalies"], row["volume"], row["volume_ratio"]) == (1, 100, 1.0)
    assert row["z"] > 2
    assert row["trend"][-1] == 90.0
    store.write(feed.points("AAPL", [91.0]))
    (later,) = refreshed(store, answer)["watch"]["rows"]
    assert "trend" not in later
    assert later["anomalies"] >= 1


def test_beside_the_chart_the_measures_are_not_sent() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0]))
    assert "z" not in drawn_from(store)["watch"]["rows"][0]


@pytest.mark.parametrize(("source", "hours", "closed"), [("alpha_vantage", 0, False), ("alpha_vantage", 8, True)])
def test_the_state_of_a_live_source_includes_a_closed_exchange(source: str, hours: int, closed: bool) -> None:
    store = MemoryStore()
    store.write(Feed(source=source).points("AAPL", [100.0]))
    answer = draw(store, {}, identity="1", threshold=2.0, now_ns=MORNING + 60 * SECOND + hours * 3600 * SECOND)
    assert answer["state"]["closed"] is closed


def test_columns_are_extended_after_any_number_of_ticks() -> None:
    """A replay at 60 times its speed brings more ticks than a picture may gain; the chart must not stand still."""
    store, feed = MemoryStore(), Feed(gap=timedelta(milliseconds=100))
    store.write(feed.points("AAPL", [100.0 + at % 7 for at in range(2_500)]))
    before = drawn_from(store)
    assert before["drawn"]["kind"] == "columns"
    for _ in range(3):
        store.write(feed.points("AAPL", [100.0] * 1_500))
        after = refreshed(store, before)
        assert after["drawn"]["room"] >= 0
        before = {**before, "drawn": {**before["drawn"], **after["drawn"]}, "watch": after["watch"]}
    assert before["drawn"]["total"] == 7_000


def test_no_exchange_applies_to_replays_and_simulations() -> None:
    store = MemoryStore()
    store.write(Feed(source="replay").points("AAPL", [100.0]))
    assert "closed" not in draw(store, {}, identity="1", threshold=2.0, now_ns=NOW)["state"]
