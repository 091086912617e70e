from datetime import timedelta

import numpy as np
import pytest

from tests.fakes import BusyStore, Feed, MemoryStore
from tickflow.dashboard.drawing import clock, multiples
from tickflow.dashboard.drawing.multiples import MAX_ADDED, MAX_ROWS, draw, further
from tickflow.dashboard.queries.view import Drawn, chosen, nothing_drawn
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.points import Points

PRICES = [100.0, 101.0, 100.5, 99.0, 100.0, 101.5]


def drawn_from(store: MemoryStore, *symbols: str, range_name: str = "15m") -> tuple[list[multiples.Answer], Drawn]:
    view = chosen({"symbol": symbols[0], "symbols": list(symbols), "range": range_name})
    drawn = nothing_drawn("a drawing", view)
    rows, drawn["multiples"] = draw(store, view, store.latest())
    return rows, drawn


@pytest.fixture
def store() -> MemoryStore:
    store, feed = MemoryStore(), Feed()
    store.write(Points.joined([feed.points(symbol, PRICES) for symbol in ("AAPL", "MSFT")]))
    return store


def feed_after(store: MemoryStore) -> Feed:
    """A feed whose first offset follows the newest point of the store."""
    latest = store.latest()
    feed = Feed()
    feed.points("AAPL", [1.0] * (int(latest.offset.max()) + 1))
    return feed


def test_each_symbol_has_its_rows_in_the_order_requested(store: MemoryStore) -> None:
    rows, drawn = drawn_from(store, "MSFT", "AAPL")
    assert [each["symbol"] for each in rows] == ["MSFT", "AAPL"]
    assert [each["y"].tolist() for each in rows] == [PRICES, PRICES]
    assert [each["room"] for each in drawn["multiples"]] == [MAX_ADDED] * 2


def test_the_range_ends_at_the_newest_point_of_all_symbols() -> None:
    store, feed = MemoryStore(), Feed()
    store.write(feed.points("AAPL", PRICES))
    feed.now += timedelta(hours=1)
    store.write(feed.points("MSFT", PRICES))
    rows, _ = drawn_from(store, "AAPL", "MSFT", range_name="5m")
    assert [len(each["y"]) for each in rows] == [0, len(PRICES)]


def test_a_refresh_sends_only_the_charts_with_new_rows(store: MemoryStore) -> None:
    _, drawn = drawn_from(store, "AAPL", "MSFT")
    assert further(store, drawn, store.latest()) == {}
    store.write(feed_after(store).points("MSFT", [103.0, 104.0]))
    answer = further(store, drawn, store.latest())["multiples"]
    assert [(each["symbol"], each["y"].tolist()) for each in answer["rows"]] == [("MSFT", [103.0, 104.0])]
    drawn["multiples"] = answer["drawn"]
    assert [each["room"] for each in drawn["multiples"]] == [MAX_ADDED, MAX_ADDED - 2]
    assert further(store, drawn, store.latest()) == {}


def test_a_tick_that_comes_while_the_charts_are_drawn_is_in_the_next_refresh() -> None:
    store, feed = BusyStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    store.coming = [feed.points("AAPL", [102.0])]
    rows, drawn = drawn_from(store, "AAPL")
    answer = further(store, drawn, store.latest())["multiples"]
    assert [*rows[0]["y"], *answer["rows"][0]["y"]] == [100.0, 101.0, 102.0]


def test_a_recreated_log_causes_a_new_drawing(store: MemoryStore) -> None:
    _, drawn = drawn_from(store, "AAPL", "MSFT")
    later = Feed()
    later.now += timedelta(hours=1)
    store.write(later.points("AAPL", [103.0]))
    assert further(store, drawn, store.latest()) == {"rebuild": True}


def test_a_symbol_without_ticks_is_drawn_when_its_first_ticks_arrive() -> None:
    store = MemoryStore()
    rows, drawn = drawn_from(store, "AAPL")
    assert rows == [{"symbol": "AAPL", "x": [], "y": [], "marks": [], "sources": []}]
    assert further(store, drawn, store.latest()) == {}
    store.write(Feed().points("AAPL", PRICES))
    assert further(store, drawn, store.latest()) == {"rebuild": True}


def test_a_paused_reader_gets_nothing(store: MemoryStore) -> None:
    _, drawn = drawn_from(store, "AAPL")
    drawn["paused"] = True
    store.write(feed_after(store).points("AAPL", [103.0]))
    assert further(store, drawn, store.latest()) == {}


@pytest.mark.parametrize("range_name", ["6h", "all"])
def test_a_long_range_keeps_its_extremes_and_its_anomalies_at_their_own_times(range_name: str) -> None:
    store, feed = MemoryStore(), Feed()
    prices = [100 + (i % 9) * 0.01 + (20 if i == 2_500 else 0) - (20 if i == 2_600 else 0) for i in range(6 * MAX_ROWS)]
    points = feed.points("AAPL", prices)
    store.write(points)
    (row,), drawn = drawn_from(store, "AAPL", range_name=range_name)
    stored = list(zip(clock.wall_ms(points.time_ns).tolist(), points.price.tolist(), strict=True))
    shown = list(zip(row["x"].tolist(), row["y"].tolist(), strict=True))
    assert {stored[0], stored[2_500], stored[2_600], stored[-1]} <= set(shown) <= set(stored)
    assert (np.diff(row["x"]) > 0).all()
    flagged = [stored[at] for at in np.flatnonzero(points.is_anomaly)]
    assert [tuple(mark) for mark in row["marks"]] == flagged
    assert {stored[2_500], stored[2_600]} <= set(flagged)
    assert len(shown) <= MAX_ROWS + 4 + len(flagged)
    assert further(store, drawn, store.latest()) == {}


def test_marks_are_spread_over_all_parts_that_have_anomalies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiples, "MAX_MARKS", 40)
    store, feed = MemoryStore(), Feed()
    points = feed.points("AAPL", [100 + (i % 11 == 10) * (1 + i / 1000) for i in range(1_000)])
    store.write(points)
    (row, _), _ = drawn_from(store, "AAPL", "MSFT")
    marked = [time for time, _ in row["marks"]]
    flagged = clock.wall_ms(points.time_ns[points.is_anomaly & (points.time_ns >= points.time_ns[-1] - 900 * 10**9)])
    assert len(flagged) > 40
    assert 15 <= len(marked) <= 20
    assert set(marked) <= set(flagged)
    assert np.diff(marked).max() < 2 * (flagged[-1] - flagged[0]) / 10


def test_a_past_period_shows_only_its_own_ticks() -> None:
    store, feed = MemoryStore(), Feed()
    points = feed.points("AAPL", [float(100 + i % 50) for i in range(3 * MAX_ROWS)])
    store.write(points)
    for count in (1, 100):
        period = clock.wall_ms(points.time_ns[[200, 200 + count]]).round().tolist()
        view = chosen({"symbol": "AAPL", "symbols": ["AAPL"], "period": period})
        (row,), _ = draw(store, view, store.latest())
        assert set(row["y"]) == set(points.price[200 : 200 + count])


def test_the_symbols_that_a_browser_compares_are_checked() -> None:
    asked = {"symbols": ["AAPL", "a'--", 5, "AAPL", *(f"S{i}" for i in range(20))]}
    assert chosen(asked)["symbols"] == ["AAPL", *(f"S{i}" for i in range(11))]
    assert chosen({"symbols": "AAPL"})["symbols"] == []


def test_each_chart_has_its_count_of_ticks_and_their_interval(store: MemoryStore) -> None:
    """The count is at most 20, as the longest average needs; it shows the page which symbols warm up or are stale."""
    _, drawn = drawn_from(store, "AAPL", "NONE")
    first, none = drawn["multiples"]
    assert (first["count"], none["count"], none["gap_s"]) == (len(PRICES), 0, None)
    assert first["gap_s"] is not None
    store.write(feed_after(store).points("AAPL", [103.0] * 30))
    drawn["multiples"] = further(store, drawn, store.latest())["multiples"]["drawn"]
    assert drawn["multiples"][0]["count"] == min(DEPTH, 36)


def test_for_a_past_period_the_charts_describe_the_present_ticks(store: MemoryStore) -> None:
    store.write(feed_after(store).points("AAPL", [103.0] * 30))
    begin = float(clock.wall_ms(store.newest("AAPL", 36).time_ns[:1])[0]) - 0.5
    view = chosen({"symbol": "AAPL", "symbols": ["AAPL"], "period": [begin, begin + 3_000.5]})
    (row,), (multiple,) = draw(store, view, store.latest())
    assert len(row["x"]) == 3
    assert (multiple["count"], multiple["gap_s"]) == (min(DEPTH, 36), 1.0)
