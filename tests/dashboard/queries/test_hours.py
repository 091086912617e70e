"""The page's session values equal a recomputation from all ticks of three days."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from plotly.io.json import to_json_plotly

from tests.fakes import Feed, MemoryStore
from tickflow.dashboard.queries import watched
from tickflow.dashboard.queries.refresh import Answer, draw, look, refresh
from tickflow.sessions import Sessions

NEW_YORK = ZoneInfo("America/New_York")
SESSIONS = Sessions("XNYS")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def wall(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%m-%d %H:%M")


def opened(store: MemoryStore, now: str, sessions: Sessions = SESSIONS, **view: object) -> Answer:
    asked = {"symbol": "SPY", "range": "1d", **view}
    now_ns = int(at(now).timestamp()) * 10**9
    answer = draw(store, asked, identity="1", threshold=2.0, now_ns=now_ns, sessions=sessions)
    return json.loads(to_json_plotly(answer))  # type: ignore[no-any-return]  # the parsed answer


def three_days(source: str = "replay") -> tuple[MemoryStore, Feed]:
    """A tick every ten minutes from 08:00 to 17:00, on the eve of Thanksgiving, the half day after it, and Monday."""
    store, feed = MemoryStore(), Feed(gap=timedelta(minutes=10), source=source)
    rng = np.random.default_rng(1)
    for day in ("2024-11-27", "2024-11-29", "2024-12-02"):
        feed.now = at(f"{day}T08:00")
        store.write(feed.points("SPY", np.round(500 + rng.normal(0, 3, 54), 2).tolist()))
    return store, feed


def test_a_session_has_its_previous_close_high_low_and_average_price() -> None:
    store, _ = three_days()
    day = opened(store, "2024-12-02T17:00")["drawn"]["day"]
    begin, end, before = (
        int(at(each).timestamp()) * 10**9 for each in ("2024-12-02T09:30", "2024-12-02T16:00", "2024-11-29T13:00")
    )
    inside = store.points("SPY", begin, end)
    assert (day["open_us"], day["close_us"]) == (begin // 1000, end // 1000)
    assert (day["high"], day["low"], day["volume"]) == (inside.price.max(), inside.price.min(), inside.volume.sum())
    assert day["value"] / day["volume"] == pytest.approx(np.average(inside.price, weights=inside.volume))
    assert day["previous"] == store.points("SPY", 0, before).price[-1]


def test_an_updated_session_equals_a_recomputed_one() -> None:
    store, feed = three_days()
    feed.now, feed.gap = at("2024-12-03T09:25"), timedelta(minutes=1)
    store.write(feed.points("SPY", [500.0]))
    answer = opened(store, "2024-12-03T09:26", range="5m")
    drawn, watched = answer["drawn"], answer["watch"]["cursors"]
    assert (drawn["day"]["high"], drawn["day"]["low"]) == (None, None)
    for prices in ([501.0, 502.0, 503.0, 504.0], [499.0, 507.5], [498.25]):
        store.write(feed.points("SPY", prices))
        news = refresh(store, drawn, watched, now_ns=0, sessions=SESSIONS)
        drawn = json.loads(to_json_plotly({**drawn, **news["drawn"]}))
        watched = news["watch"]["cursors"]
        assert drawn["day"] == opened(store, "2024-12-03T09:40", range="5m")["drawn"]["day"]
    assert (drawn["day"]["high"], drawn["day"]["low"]) == (507.5, 498.25)


def test_a_new_session_causes_a_new_picture() -> None:
    store, feed = three_days()
    before = opened(store, "2024-12-02T17:00", range="15m")
    feed.now = at("2024-12-03T09:30")
    store.write(feed.points("SPY", [500.0]))
    assert refresh(store, before["drawn"], {}, now_ns=0, sessions=SESSIONS)["rebuild"] is True


def test_the_change_of_a_day_counts_from_the_previous_close() -> None:
    store, _ = three_days()
    half_day = int(at("2024-11-29T13:00").timestamp()) * 10**9
    close = float(store.points("SPY", 0, half_day).price[-1])
    (row,) = opened(store, "2024-12-02T17:00")["watch"]["rows"]
    assert row["since"] == "close"
    assert row["change"] == pytest.approx(100 * (row["price"] / close - 1), abs=1e-4)
    (row,) = opened(store, "2024-12-02T17:00", range="1h")["watch"]["rows"]
    assert row["since"] == "range"


def test_a_picture_names_the_sessions_that_it_shows() -> None:
    store, _ = three_days()
    hours = opened(store, "2024-12-02T17:00", range="all")["picture"]["hours"]
    assert [[wall(bound) for bound in each] for each in hours[:3]] == [
        ["11-27 04:00", "11-27 09:30", "11-27 16:00", "11-27 20:00"],
        ["11-29 04:00", "11-29 09:30", "11-29 13:00", "11-29 17:00"],
        ["12-02 04:00", "12-02 09:30", "12-02 16:00", "12-02 20:00"],
    ]
    asked = {"symbol": "SPY", "range": "all", "sight": [hours[1][1], hours[1][2]]}
    seen = look(store, asked, identity="1", threshold=2.0, sessions=SESSIONS)["picture"]["hours"]
    assert hours[1] in seen


def test_exchange_hours_do_not_apply_to_simulated_ticks() -> None:
    store, _ = three_days("simulated")
    answer = opened(store, "2024-12-02T17:00")
    assert (answer["drawn"]["day"], answer["picture"]["hours"]) == (None, [])
    assert answer["watch"]["rows"][0]["since"] == "range"
    always = opened(store, "2024-12-02T17:00", Sessions("24/7"))
    assert always["drawn"]["day"]["close_us"] - always["drawn"]["day"]["open_us"] == 86_400_000_000


def test_with_very_many_symbols_first_prices_do_not_wait_for_trends(monkeypatch: pytest.MonkeyPatch) -> None:
    store, feed = three_days()
    store.write(feed.points("AIG", [48.5, 48.75]))
    assert all("trend" in row for row in opened(store, "2024-12-02T17:00")["watch"]["rows"])
    monkeypatch.setattr(watched, "MOST_TRENDS", 1)
    answer = opened(store, "2024-12-02T17:00")["watch"]
    assert [("trend" in row, row["price"] > 0) for row in answer["rows"]] == [(False, True)] * 2
    assert answer["step_us"] > 0


def test_columns_are_as_fine_as_the_screen_without_the_closed_hours() -> None:
    store, feed = MemoryStore(), Feed(gap=timedelta(seconds=15), source="replay")
    for day in ("2024-12-02", "2024-12-03"):
        feed.now = at(f"{day}T09:30")
        store.write(feed.points("SPY", [500.0] * (4 * 390)))
    whole, trading = (
        opened(store, "2024-12-03T16:00", range="all", width=500, trading=each)["picture"] for each in (False, True)
    )
    assert whole["width_ms"] > 2 * trading["width_ms"]
    assert len(trading["x"]) > 2 * len(whole["x"]) > 0


def test_the_overview_has_volatility_as_a_share_of_the_price() -> None:
    store, _ = three_days()
    (row,) = opened(store, "2024-12-02T17:00", overview=True)["watch"]["rows"]
    newest = store.newest("SPY", 10)
    assert row["volatility_share"] == pytest.approx(100 * np.std(newest.price, ddof=1) / newest.price[-1], rel=1e-4)
