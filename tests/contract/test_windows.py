"""On both stores, the columns that the page draws for any range of a real day equal a recomputation from its ticks."""

import itertools
import threading
import uuid
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests import real_day
from tickflow.metrics.points import Points
from tickflow.store.base import MetricsStore
from tickflow.store.influx.store import InfluxStore
from tickflow.store.pixels import MEASURES, rounded, strength
from tickflow.store.sqlite.store import EmbeddedStore

WINDOWS = 12


@pytest.fixture(scope="module")
def day() -> Points:
    return real_day.points()


@pytest.fixture(scope="module", params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, day: Points
) -> Iterator[MetricsStore]:
    """A store that holds all points of the day."""
    stop = threading.Event()
    found: MetricsStore
    if request.param == "embedded":
        found = EmbeddedStore(tmp_path_factory.mktemp("day") / "stocks.db", retention_days=7, stop=stop)
    else:
        server = request.getfixturevalue("influx")
        bucket = f"test-{uuid.uuid4().hex[:12]}"
        server.create_bucket(bucket)
        found = InfluxStore(server.url, token=server.token, org=server.org, bucket=bucket, stop=stop)
    with found:
        found.connect()
        for at in range(0, len(day), 20_000):
            found.write(day.take(slice(at, at + 20_000)))
        yield found
    if request.param == "influx":
        server.delete_bucket(bucket)


def windows(day: Points, symbol: str) -> Iterator[tuple[int, int, int]]:
    """Random time ranges, from milliseconds to more than the day, each with a width for its columns."""
    rng = np.random.default_rng(14)
    first, last = int(day.time_ns.min()), int(day.time_ns.max())
    yield first - 10**12, last + 10**12, (last - first) // 700
    for _ in range(WINDOWS):
        length = int(np.exp(rng.uniform(np.log(5e6), np.log(last - first))))
        begin = int(rng.integers(first - length // 2, last))
        width = max(1, -(-length // int(rng.integers(1, 1_500))))
        yield begin, begin + length, rounded(width) if rng.random() < 0.5 else width


@cache
def ticks_of(symbol: str) -> pd.DataFrame:
    """All points of the symbol in time order."""
    day = real_day.points()
    frame = pd.DataFrame({name: getattr(day, name) for name in (*MEASURES, "time_ns", "price", "volume", "is_anomaly")})
    frame["strength"] = strength(day)
    ticks: pd.DataFrame = frame[np.array(day.symbol) == symbol]
    return ticks.sort_values("time_ns")


def within(symbol: str, since: int, until: int) -> pd.DataFrame:
    ticks = ticks_of(symbol)
    return ticks[(ticks.time_ns >= since) & (ticks.time_ns < until)]


@pytest.mark.parametrize("symbol", ["SPY", "AIG"])
def test_columns_of_any_time_range_equal_a_recomputation(store: MetricsStore, day: Points, symbol: str) -> None:
    seen = 0
    for since, until, width in windows(day, symbol):
        ticks = within(symbol, since, until)
        found = store.pixels(symbol, since, until, width)
        grouped = ticks.groupby(ticks.time_ns // width * width)
        price, flagged = grouped.price, ticks[ticks.is_anomaly]
        assert found.time_ns.tolist() == list(grouped.groups)
        for name, expected in (
            ("open", price.first()), ("high", price.max()), ("low", price.min()), ("close", price.last()),
            ("volume", grouped.volume.sum()), ("ticks", grouped.size()), ("anomalies", grouped.is_anomaly.sum()),
        ):  # fmt: skip
            assert getattr(found, name).tolist() == expected.tolist(), name
        for name in MEASURES:
            for bounds, expected in ((found.lows, grouped[name].min()), (found.highs, grouped[name].max())):
                np.testing.assert_array_equal(bounds[name], expected.to_numpy(), err_msg=name)
        strongest = flagged.groupby(flagged.time_ns // width * width).strength.max().reindex(list(grouped.groups))
        np.testing.assert_allclose(found.strength, strongest.to_numpy(), rtol=1e-12)
        seen += len(flagged)
    assert seen > 100, "no window had anomalies to speak of"


def test_a_range_with_few_ticks_returns_them_all_and_one_with_many_is_refused(store: MetricsStore, day: Points) -> None:
    few = many = 0
    for since, until, _ in windows(day, "SPY"):
        ticks = within("SPY", since, until)
        found = store.at_most("SPY", since, until, 2_000)
        if len(ticks) > 2_000:
            assert found is None
            many += 1
        else:
            assert found is not None
            assert found.time_ns.tolist() == ticks.time_ns.tolist()
            assert found.price.tolist() == ticks.price.tolist()
            few += 1
    assert few >= 2
    assert many >= 2
    exactly = within("SPY", 0, 2**62).time_ns.to_numpy()[:2_001]
    assert store.at_most("SPY", int(exactly[0]), int(exactly[2_000]), 2_000) is not None
    assert store.at_most("SPY", int(exactly[0]), int(exactly[2_000]) + 1, 2_000) is None


def test_the_strongest_anomaly_of_a_part_of_time_is_the_farthest_from_its_average(
    store: MetricsStore, day: Points
) -> None:
    times = day.time_ns[np.flatnonzero(np.array(day.symbol) == "SPY")]
    bounds = np.sort(times)[:: max(1, len(times) // 15)].tolist()
    spans = [*itertools.pairwise(bounds), (0, 1)]
    found = store.strongest("SPY", spans)
    expected = []
    for since, until in spans:
        flagged = within("SPY", since, until).query("is_anomaly")
        if len(flagged):
            expected.append(float(flagged.strength.max()))
    assert len(expected) > 3
    np.testing.assert_allclose(strength(found), expected, rtol=1e-12)
    assert found.is_anomaly.all()


def test_the_first_stored_tick_is_known(store: MetricsStore) -> None:
    assert store.first_time("SPY") == within("SPY", 0, 2**62).time_ns.min()
    assert store.first_time("NONE") is None
