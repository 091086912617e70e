"""The formulas agree with pandas at every step, and their bits do not depend on the batches."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tickflow.metrics import measures
from tickflow.metrics.detectors.zscore import MAX_Z_SCORE, anomalies
from tickflow.metrics.fields import DEPTH, MEASURED, Field, Flags
from tickflow.metrics.formulas import deviation, mean, z_score
from tickflow.metrics.measures import measure
from tickflow.metrics.windows import Windows, WindowView
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import TickBatch, decode

prices = st.floats(min_value=1e-9, max_value=1e12)
cents = st.integers(min_value=1, max_value=100_000_000).map(lambda number: number / 100)
NAMES = ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score", "is_anomaly", "depth")


def record(offset: int, symbol: str, price: float, volume: int = 1) -> Entry:
    tick = {"symbol": symbol, "price": price, "volume": volume, "timestamp": "2026-01-05T14:30:00Z"}
    return Entry(0, offset, symbol.encode(), json.dumps(tick).encode(), 0, 0)


def run(
    records: Sequence[Entry], sizes: Sequence[int], span: int = 1_000_000
) -> tuple[dict[str, list[float]], int | None]:
    """The metrics of all records in batches of these sizes (the last repeats), and the oldest offset needed."""
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
def test_mean_and_deviation_equal_those_of_pandas(values: list[float]) -> None:
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
def test_no_score_exceeds_the_largest_allowed_threshold(nine: list[float], last: float) -> None:
    values = [*nine[:9], last]
    columns, _ = run([record(offset, "A", value) for offset, value in enumerate(values)], [10])
    assert not columns["z_score"][-1] > MAX_Z_SCORE * (1 + 1e-9)


def test_the_score_is_absent_without_a_deviation_and_an_absent_score_is_not_an_anomaly() -> None:
    score = z_score(np.array([[5.0, 5.0], [6.0, 6.0]]), np.array([0.0, np.nan]))
    assert np.isnan(score).all()
    assert not anomalies(score, 2.0).any()


def test_a_score_equal_to_the_threshold_is_not_an_anomaly() -> None:
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


WINDOWED = (
    ("ma_5", "price", 5),
    ("ma_10", "price", 10),
    ("ma_20", "price", 20),
    ("vol_avg_5", "volume", 5),
    ("vol_avg_10", "volume", 10),
    ("volatility", "price", 10),
)


def a_day(seed: int) -> list[tuple[str, float, int, int]]:
    """90 to 160 ticks of two symbols. One of them has at least 45, so every window fills and moves on."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(90, 160))
    prices_of = rng.integers(1, int(rng.choice([200, 100_000_000])), count) / 100
    volumes = rng.integers(0, int(rng.choice([1_000, 2**53])), count)
    symbols, steps = rng.choice(["A", "B"], count), rng.integers(1, 5, count)
    return list(zip(symbols.tolist(), prices_of.tolist(), volumes.tolist(), steps.tolist(), strict=True))


long_days = st.integers(0, 2**32 - 1).map(a_day)


def hold_against_pandas(drawn: list[tuple[str, float, int, int]], span: int, sizes: Sequence[int]) -> dict[str, int]:
    """Compare every metric of every tick with pandas; return how often each metric was known."""
    columns, _ = run(as_records(drawn), sizes, span)
    frame = pd.DataFrame(drawn, columns=["symbol", "price", "volume", "step"])
    frame["offset"] = frame["step"].cumsum()
    there: dict[str, int] = {}
    for _, own in frame.groupby("symbol"):
        at = own.index.to_numpy()
        for name, column, n in WINDOWED:
            windows = pd.DataFrame(sliding_window_view(own[column].to_numpy(dtype=float), n) if len(own) >= n else [])
            wanted = windows.std(axis=1, ddof=1) if name == "volatility" else windows.mean(axis=1)
            expected = np.concatenate([np.full(min(n - 1, len(own)), np.nan), wanted])
            behind = own["offset"].to_numpy() - own["offset"].shift(n - 1).to_numpy()
            expected[behind > span] = np.nan
            found = np.array(columns[name])[at]
            relative, absolute = (1e-9, 1e-9) if name == "volatility" else (1e-12, 0.0)
            np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute, err_msg=name)
            there[name] = there.get(name, 0) + int((~np.isnan(found)).sum())
        offsets = own["offset"].to_numpy()
        in_span = [int((offsets[: end + 1] >= offsets[end] - span).sum()) for end in range(len(own))]
        np.testing.assert_array_equal(np.array(columns["depth"])[at], np.minimum(in_span, DEPTH), err_msg="depth")
    return there


@settings(max_examples=20)
@given(long_days, st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_every_metric_equals_pandas_over_the_same_window(
    drawn: list[tuple[str, float, int, int]], sizes: list[int]
) -> None:
    there = hold_against_pandas(drawn, 1_000_000, sizes)
    assert there["ma_20"] >= 26, "the longest window fills, and moves on"
    assert there["vol_avg_10"] == there["ma_10"] == there["volatility"] >= there["ma_20"]


@settings(max_examples=20)
@given(long_days, st.sampled_from([12, 25, 60]))
def test_a_window_that_reaches_beyond_the_span_has_no_metric(
    drawn: list[tuple[str, float, int, int]], span: int
) -> None:
    hold_against_pandas(drawn, span, [7])


@settings(max_examples=20)
@given(ticks_of_some_symbols, st.sampled_from([40, 200, 1_000_000]))
def test_a_few_ticks_of_many_symbols_equal_pandas_too(drawn: list[tuple[str, float, int, int]], span: int) -> None:
    hold_against_pandas(drawn, span, [7])


A_LONG_DAY = [("AB"[n % 3 == 0], 100 + n * 37 % 101 / 8, n * 7919 % 1_000, 1 + n % 3) for n in range(120)]


def shorter(name: str) -> list[Field]:
    """The table of fields, in which that field's window lacks its oldest value."""

    def over_fewer(formula: Callable[..., Any]) -> Callable[..., Any]:
        return lambda window, *others: formula(window[1:], *others)

    return [replace(each, formula=over_fewer(each.formula)) if each.name == name else each for each in MEASURED]


def span_ignored(view: WindowView, n: int) -> Flags:
    result: Flags = view.available >= n
    return result


class Forgetful(Windows):
    """A broken variant that carries one tick less than the windows need."""

    def advance(self, ticks: TickBatch) -> WindowView:
        view = super().advance(ticks)
        for rows in self._values.values():
            rows[:, 1] = rows[:, 2]
        return view


SEEDED_BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "ma_20 over 19 prices": lambda patch: patch.setattr(measures, "MEASURED", shorter("ma_20")),
    "ma_10 over 9 prices": lambda patch: patch.setattr(measures, "MEASURED", shorter("ma_10")),
    "volatility over 9 prices": lambda patch: patch.setattr(measures, "MEASURED", shorter("volatility")),
    "vol_avg_10 over 9 volumes": lambda patch: patch.setattr(measures, "MEASURED", shorter("vol_avg_10")),
    "span ignored": lambda patch: patch.setattr(WindowView, "full", span_ignored),
    "one tick less carried": lambda patch: patch.setitem(run.__globals__, "Windows", Forgetful),
}


def test_without_a_bug_the_long_day_is_right() -> None:
    hold_against_pandas(A_LONG_DAY, 60, [7])
    assert hold_against_pandas(A_LONG_DAY, 1_000_000, [7])["ma_20"] > 60


@pytest.mark.parametrize("bug", SEEDED_BUGS)
def test_a_seeded_bug_does_not_pass(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SEEDED_BUGS[bug](monkeypatch)
    with pytest.raises(AssertionError):
        hold_against_pandas(A_LONG_DAY, 60 if bug == "span ignored" else 1_000_000, [7])
