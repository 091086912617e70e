"""The points and dead letters that a log's records must become, computed from whole windows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle.logs import LogRecord
from tests.oracle.rules import Refusal, judge, micros_of

SPAN = 1_000_000


def average(windows: Any) -> Any:
    return windows.mean(axis=1)


def deviation(windows: Any) -> Any:
    equal = windows.max(axis=1) == windows.min(axis=1)
    return np.where(equal, 0.0, windows.std(axis=1, ddof=1))


def score(windows: Any) -> Any:
    spread = deviation(windows)
    distance = np.abs(windows[:, -1] - windows.mean(axis=1))
    return np.divide(distance, spread, out=np.full_like(spread, np.nan), where=spread > 0)


WINDOWED = {
    "ma_5": ("price", 5, average),
    "ma_10": ("price", 10, average),
    "ma_20": ("price", 20, average),
    "volatility": ("price", 10, deviation),
    "vol_avg_5": ("volume", 5, average),
    "vol_avg_10": ("volume", 10, average),
    "z_score": ("price", 10, score),
}
"""For each field, the ticks' column, the window's length, and the formula over the windows."""
METRICS = tuple(WINDOWED)
FLOATS = ("price", "volume", "change_percent", *METRICS)
INTEGERS = ("partition", "offset")
COLUMNS = ("symbol", "source", "time_ns", *FLOATS, *INTEGERS, "is_anomaly")


@dataclass(frozen=True)
class Expected:
    """What must result from a topic: the points, and each refused record with its reason, by partition and offset."""

    points: pd.DataFrame
    letters: Mapping[tuple[int, int], tuple[LogRecord, str]]


def expected(records: Sequence[LogRecord], threshold: float = 2.0) -> Expected:
    """Judge every record: the accepted ones become points, the others dead letters."""
    rows, letters = [], {}
    for record in records:
        judged = judge(record.key, record.value, record.time_ms, record.time_type)
        if isinstance(judged, Refusal):
            letters[record.partition, record.offset] = (record, judged.reason)
        else:
            rows.append(_row(record.partition, record.offset, judged.fields, judged.micros))
    return Expected(_points(rows, threshold), letters)


def expected_points(records: Sequence[tuple[int, int, bytes]], threshold: float = 2.0) -> pd.DataFrame:
    """The points that valid ticks must become: one row per record, with the stored columns, NaN for absent fields."""
    rows = []
    for partition, offset, value in records:
        tick = json.loads(value)
        rows.append(_row(partition, offset, tick, micros_of(datetime.fromisoformat(tick["timestamp"]))))
    return _points(rows, threshold)


def _row(partition: int, offset: int, tick: Mapping[str, Any], micros: int) -> dict[str, Any]:
    slot = 1_000_000 if micros % 1000 == 0 else 1000
    return {
        "symbol": tick["symbol"],
        "source": "unknown" if tick.get("source") is None else tick["source"],
        "time_ns": micros * 1000 + offset % slot,
        "price": float(tick["price"]),
        "change_percent": np.nan if tick.get("change_percent") is None else float(tick["change_percent"]),
        "volume": float(tick.get("volume") or 0),
        "partition": partition,
        "offset": offset,
    }


def _points(rows: Sequence[Mapping[str, Any]], threshold: float) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    ticks = pd.DataFrame(rows).sort_values(["partition", "offset"], ignore_index=True)
    parts = [_with_metrics(group.copy()) for _, group in ticks.groupby(["partition", "symbol"])]
    points = pd.concat(parts, ignore_index=True)
    points["is_anomaly"] = points["z_score"] > threshold
    return points[list(COLUMNS)]


def _with_metrics(ticks: pd.DataFrame) -> pd.DataFrame:
    for name, (column, n, formula) in WINDOWED.items():
        result = pd.Series(np.nan, index=ticks.index)
        if len(ticks) >= n:
            # In extended precision, so that the oracle's own rounding never counts as a difference, however large the
            # prices.
            values = ticks[column].to_numpy(dtype=np.longdouble)
            windows = np.lib.stride_tricks.sliding_window_view(values, n)
            result.iloc[n - 1 :] = formula(windows).astype(float)
        behind = ticks["offset"] - ticks["offset"].shift(n - 1)
        ticks[name] = result.where(behind <= SPAN)
    return ticks
