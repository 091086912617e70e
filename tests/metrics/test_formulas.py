"""The formulas against pandas, step by step, and their bits against every way of batching."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickflow.metrics.detectors.zscore import MAX_Z_SCORE, anomalies
from tickflow.metrics.formulas import deviation, mean, z_score
from tickflow.metrics.measures import measure
from tickflow.metrics.windows import Windows
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import decode

prices = st.floats(min_value=1e-9, max_value=1e12)
cents = st.integers(min_value=1, max_value=100_000_000).map(lambda number: number / 100)
NAMES = ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score", "is_anomaly", "depth")


def record(offset: int, symbol: str, price: float, volume: int = 1) -> Entry:
    tick = {"symbol": symbol, "price": price, "volume": volume, "timestamp": "2026-01-05T14:30:00Z"}
    return Entry(0, offset, symbol.encode(), json.dumps(tick).encode(), 0, 0)


def run(
    records: Sequence[Entry], sizes: Sequence[int], span: int = 1_000_000
) -> tuple[dict[str, list[float]], int | None]:
    """The metrics of all records, taken in batches of the given sizes (the last one as often as it takes)."""
    windows = Windows(span)
    columns: dict[str, list[float]] = {name: [] for name in NAMES}
    begin, turn = 0, 0
    while begin < len(records):
        size = sizes[min(turn, len(sizes) - 1)]
        ticks, refused = decode(records[begin : begin + size])
        assert not refused
        metrics = measure(windows.advance(ticks), 2.0)
        for name in NAMES:
            columns[name] += (metrics.depth if name == "depth" else metrics[name]).tolist()
        begin, turn = begin + size, turn + 1
    return columns, windows.oldest


@given(st.lists(prices, min_size=2, max_size=40))
def test_mean_and_deviation_are_those_of_pandas(values: list[float]) -> None:
    window = np.array(values)[:, None]
    series = pd.Series(values)
    assert mean(window)[0] == pytest.approx(series.mean(), rel=1e-12)
    assert deviation(window)[0] == pytest.approx(series.std(ddof=1), rel=1e-6, abs=1e-9 * max(values))


@given(prices)
def test_ten_equal_prices_have_no_deviation_at_all_and_no_score(price: float) -> None:
    columns, _ = run([record(offset, "A", price) for offset in range(10)], [10])
    assert columns["volatility"][-1] == 0.0
    assert columns["ma_10"][-1] == price
    assert np.isnan(columns["z_score"][-1])
    assert columns["is_anomaly"][-1] is False


def test_large_prices_lose_no_digits() -> None:
    base = 1e11
    values = [base + step / 100 for step in (0, 1, 0, 2, 0, 1, 0, 3, 0, 1)]
    columns, _ = run([record(offset, "A", value) for offset, value in enumerate(values)], [10])
    steps = pd.Series([value - base for value in values])
    exact = steps.std(ddof=1)
    assert columns["volatility"][-1] == pytest.approx(exact, rel=1e-9)
    assert columns["z_score"][-1] == pytest.approx(abs(steps.iloc[-1] - steps.mean()) / exact, rel=1e-9)


@given(st.lists(cents, min_size=10, max_size=10), cents)
def test_no_score_exceeds_what_the_threshold_is_checked_against(nine: list[float], last: float) -> None:
    values = [*nine[:9], last]
    columns, _ = run([record(offset, "A", value) for offset, value in enumerate(values)], [10])
    assert not columns["z_score"][-1] > MAX_Z_SCORE * (1 + 1e-9)


def test_the_score_is_absent_without_a_deviation_and_an_absent_score_is_no_anomaly() -> None:
    score = z_score(np.array([[5.0, 5.0], [6.0, 6.0]]), np.array([0.0, np.nan]))
    assert np.isnan(score).all()
    assert not anomalies(score, 2.0).any()


def test_a_score_equal_to_the_threshold_is_no_anomaly() -> None:
    assert anomalies(np.array([2.0, np.nextafter(2.0, 3.0)]), 2.0).tolist() == [False, True]


ticks_of_some_symbols = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C.D", "E-F"]), cents, st.integers(0, 2**53 - 1), st.integers(1, 30)),
    min_size=1,
    max_size=120,
)


def as_records(drawn: list[tuple[str, float, int, int]]) -> list[Entry]:
    offset, records = 0, []
    for symbol, price, volume, step in drawn:
        offset += step
        records.append(record(offset, symbol, price, volume))
    return records


@settings(max_examples=60)
@given(ticks_of_some_symbols, st.lists(st.integers(1, 40), min_size=1, max_size=10), st.sampled_from([50, 1_000_000]))
def test_the_bits_of_a_value_do_not_depend_on_batches(
    drawn: list[tuple[str, float, int, int]], sizes: list[int], span: int
) -> None:
    records = as_records(drawn)
    whole, oldest = run(records, [len(records)], span)
    batched, batched_oldest = run(records, sizes, span)
    assert oldest == batched_oldest
    for name in NAMES:
        np.testing.assert_array_equal(np.array(whole[name]), np.array(batched[name]), err_msg=name)


@settings(max_examples=60)
@given(ticks_of_some_symbols, st.sampled_from([40, 200, 1_000_000]))
def test_every_metric_is_what_pandas_says_of_the_same_window(
    drawn: list[tuple[str, float, int, int]], span: int
) -> None:
    records = as_records(drawn)
    columns, _ = run(records, [7], span)
    frame = pd.DataFrame(drawn, columns=["symbol", "price", "volume", "step"])
    frame["offset"] = frame["step"].cumsum()
    frame["volume"] = frame["volume"].astype(float)
    for index in range(len(frame)):
        row = frame.loc[index]
        own = frame.loc[:index][frame.loc[:index, "symbol"] == row["symbol"]]
        for name, column, n in (
            ("ma_5", "price", 5),
            ("ma_10", "price", 10),
            ("ma_20", "price", 20),
            ("vol_avg_5", "volume", 5),
            ("vol_avg_10", "volume", 10),
            ("volatility", "price", 10),
        ):
            window = own.tail(n)
            counts = len(window) == n and row["offset"] - window["offset"].iloc[0] <= span
            found = columns[name][index]
            if not counts:
                assert np.isnan(found), name
            elif name == "volatility":
                assert found == pytest.approx(window[column].std(ddof=1), rel=1e-9, abs=1e-9)
            else:
                assert found == pytest.approx(window[column].mean(), rel=1e-12)
        in_span = own[row["offset"] - own["offset"] <= span]
        assert columns["depth"][index] == min(len(in_span), 20)
