"""Tests of indicators as the page requests them: computed from stored candles, some before the visible range."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.fakes import Feed
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.queries.indicated import Asked, indicated
from tickflow.metrics.points import Points
from tickflow.sessions import NEW_YORK
from tickflow.store.sqlite.store import EmbeddedStore

DAY = datetime(2013, 10, 7, 13, 0, tzinfo=UTC)  # half an hour before the exchange opens


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    found = EmbeddedStore(tmp_path / "stocks.db", retention_days=7, stop=threading.Event())
    found.connect()
    yield found
    found.close()


def written(store: EmbeddedStore) -> Points:
    random = np.random.default_rng(7)
    prices = (100 + np.cumsum(random.normal(0, 0.05, 6_000))).round(2).tolist()
    points = Feed(start=DAY, source="replay", gap=timedelta(seconds=2)).points("AAPL", prices)
    store.write(points)
    return points


def asked(begin: datetime, end: datetime, *names: str, candles: str | None = "1m") -> Asked:
    sight = [float(clock.wall_ms(np.array([int(at.timestamp()) * 10**9]))[0]) for at in (begin, end)]
    return {"symbol": "AAPL", "sight": sight, "candles": candles, "names": list(names), "n": 1.0}


def minutes(points: Points) -> pd.DataFrame:
    """The points' candles of one minute, computed by pandas."""
    index = pd.to_datetime(points.time_ns, unit="ns", utc=True)
    frame = pd.DataFrame({"price": points.price, "volume": points.volume.astype(float)}, index=index)
    table = frame["price"].resample("1min").ohlc()
    table["volume"] = frame["volume"].resample("1min").sum()
    return table


def test_an_average_over_candles_uses_all_stored_candles(store: EmbeddedStore) -> None:
    table = minutes(written(store))
    begin = DAY + timedelta(minutes=100)
    found = indicated(store, NEW_YORK, asked(begin, begin + timedelta(minutes=40), "ema.9", "bollinger"))
    assert found["width_ms"] == 60_000
    close = table["close"]
    seeded = close.iloc[8:].copy()
    seeded.iloc[0] = close.iloc[:9].mean()
    expected = seeded.ewm(span=9, adjust=False).mean()
    times = pd.to_datetime([clock.utc_ns(at) for at in found["x"]], unit="ns", utc=True)
    assert times[0] == pd.Timestamp(begin - timedelta(minutes=20)), "half as much again on either side"
    np.testing.assert_allclose(found["lines"]["ema.9"]["line"], expected.reindex(times), atol=1e-4)
    np.testing.assert_allclose(found["lines"]["bollinger"]["line"], close.rolling(20).mean().reindex(times), atol=1e-4)


def test_vwap_counts_trades_from_the_open_at_any_zoom(store: EmbeddedStore) -> None:
    points = written(store)
    opened = int((DAY + timedelta(minutes=30)).timestamp() * 1e9)
    begin = DAY + timedelta(minutes=150)
    found = indicated(store, NEW_YORK, asked(begin, begin + timedelta(seconds=40), "vwap", candles=None))
    assert found["width_ms"] == 1_000
    inside = points.time_ns >= opened
    value = np.cumsum(np.where(inside, points.price * points.volume, 0))
    volume = np.cumsum(np.where(inside, points.volume, 0))
    for at, line in list(zip(found["x"], found["lines"]["vwap"]["line"], strict=True))[5:]:
        last = int(np.searchsorted(points.time_ns, clock.utc_ns(at) + 10**9)) - 1
        assert line == pytest.approx(value[last] / volume[last], abs=1e-4)


def test_before_the_open_there_is_no_vwap(store: EmbeddedStore) -> None:
    written(store)
    found = indicated(store, NEW_YORK, asked(DAY, DAY + timedelta(minutes=60), "vwap"))
    line = np.array(found["lines"]["vwap"]["line"])
    assert np.isnan(line[:30]).all()
    assert np.isfinite(line[30:]).all()


def test_a_symbol_without_ticks_has_no_lines(store: EmbeddedStore) -> None:
    found = indicated(store, NEW_YORK, asked(DAY, DAY + timedelta(minutes=60), "vwap", "rsi", "macd", "atr.5"))
    assert len(found["x"]) == 0
    assert all(len(line) == 0 for lines in found["lines"].values() for line in lines.values())
