"""Indicators agree with pandas, which computes them differently, and have the properties common to all of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tickflow.metrics import indicators
from tickflow.metrics.indicators import INDICATORS, Bars

SEEDS = range(5)


def bars(seed: int, count: int = 300) -> Bars:
    """Candles of a random walk: a session, closed hours, and a session."""
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.normal(0, 0.3, count))
    away = np.abs(random.normal(0, 0.2, (2, count)))
    session = np.repeat([0.0, -1.0, 1.0], [count // 3, count // 3, count - 2 * (count // 3)])
    volume = np.asarray(np.round(np.abs(random.normal(1_000, 600, count))), dtype=np.float64)
    return Bars(close + away[0], close - away[1], close, volume, session, 5_000.0, 5_000.0 * 99.5)


def smoothed(values: Any, n: int, weight: float) -> NDArray[np.float64]:
    """The exponential average by pandas; its first value is the mean of the first n known values."""
    known = values.dropna()
    seeded = known.iloc[n - 1 :].copy()
    seeded.iloc[0] = known.iloc[:n].mean()
    return np.asarray(seeded.ewm(alpha=weight, adjust=False).mean().reindex(values.index), dtype=np.float64)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [2, 14, 50])
def test_ema_equals_that_of_pandas(seed: int, n: int) -> None:
    close = bars(seed).close
    expected = smoothed(pd.Series(close), n, 2 / (n + 1))
    np.testing.assert_allclose(indicators.ema(close, n), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_bollinger_equals_that_of_pandas(seed: int) -> None:
    close = bars(seed).close
    window = pd.Series(close).rolling(20)
    low, middle, high = indicators.bollinger(close, 20)
    np.testing.assert_allclose(middle, window.mean(), rtol=1e-12)
    np.testing.assert_allclose(high, window.mean() + 2 * window.std(ddof=0), rtol=1e-10)
    np.testing.assert_allclose(low, window.mean() - 2 * window.std(ddof=0), rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_rsi_is_wilders_by_pandas(seed: int) -> None:
    prices = bars(seed).close
    close = pd.Series(prices)
    up, down = close.diff().clip(lower=0), -close.diff().clip(upper=0)
    strength = smoothed(up, 14, 1 / 14) / smoothed(down, 14, 1 / 14)
    np.testing.assert_allclose(indicators.rsi(prices, 14), 100 - 100 / (1 + strength), rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_macd_equals_that_of_pandas(seed: int) -> None:
    prices = bars(seed).close
    close = pd.Series(prices)
    line = smoothed(close, 12, 2 / 13) - smoothed(close, 26, 2 / 27)
    signal = smoothed(pd.Series(line), 9, 2 / 10)
    found = indicators.macd(prices)
    for each, expected in zip(found, (line, signal, line - signal), strict=True):
        np.testing.assert_allclose(each, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_atr_is_wilders_by_pandas(seed: int) -> None:
    high, low, close, *_ = bars(seed)
    before = pd.Series(close).shift()
    ranges = pd.concat([pd.Series(high - low), (high - before).abs(), (low - before).abs()], axis=1)
    true_range = ranges.max(axis=1, skipna=False)
    np.testing.assert_allclose(indicators.atr(high, low, close, 14), smoothed(true_range, 14, 1 / 14), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_vwap_equals_that_of_pandas_and_begins_again_with_each_session(seed: int) -> None:
    given = bars(seed)
    table = pd.DataFrame({"session": given.session, "volume": given.volume})
    table["value"] = (given.high + given.low + given.close) / 3 * given.volume
    sums = table.groupby("session")[["value", "volume"]].cumsum()
    first = given.session == 0
    sums.loc[first, "value"] += given.value_before
    sums.loc[first, "volume"] += given.volume_before
    expected = (sums["value"] / sums["volume"]).where(given.session >= 0)
    np.testing.assert_allclose(indicators.vwap(given), expected, rtol=1e-12)
    assert np.isnan(indicators.vwap(given)[given.session < 0]).all()


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 40])
def test_with_few_candles_unknown_values_are_absent(name: str, count: int) -> None:
    indicator = INDICATORS[name]
    found = indicator.of(bars(1, count), max(2, indicator.length))
    assert len(found) == len(indicator.lines)
    assert all(len(each) == count for each in found)


def test_without_a_price_change_rsi_is_50_and_atr_is_0() -> None:
    still = np.full(40, 10.0)
    assert set(indicators.rsi(still, 14)[14:]) == {50.0}
    assert set(indicators.atr(still, still, still, 14)[14:]) == {0.0}
    assert set(indicators.macd(still)[0][25:]) == {0.0}


def test_values_before_the_lead_no_longer_matter() -> None:
    """A reader who scrolls sees stable values: the longest average keeps less than 0.1 % of an earlier move."""
    close = bars(3, 1_200).close
    shifted = close.copy()
    shifted[:400] += 1
    for n in (20, indicators.MAX_LENGTH):
        apart = np.abs(indicators.ema(close, n)[-1] - indicators.ema(shifted, n)[-1])
        assert apart < 1e-3
