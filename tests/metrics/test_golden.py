"""The bits of every metric of one fixed day, as digests: a changed bit is a decision, never an accident.

If a digest changes on purpose, raise `COMPUTATION` in `tickflow/metrics/fields.py` and put the new digests here. The
audit then counts the earlier version's points separately, and does not report them as wrong.
"""

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pytest

from tickflow.metrics.fields import COMPUTATION, TABLE, version_of
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import decode
from tickflow.worker.restore import to_metadata

GOLDEN = {
    1: {
        "time_ns": "91f37379795efd80",
        "price": "514995089943b197",
        "volume": "caac3857a9d08d74",
        "ma_5": "77b5aa6bebc48c50",
        "ma_10": "75246b3d2cb7e361",
        "ma_20": "d816c1500d31af40",
        "volatility": "48d6ec992a74849c",
        "vol_avg_5": "250b141fc6e06206",
        "vol_avg_10": "e98e0daf4d85e072",
        "z_score": "9a8630466f13cd3f",
        "is_anomaly": "bb5a1f4a06e13aa1",
    },
}


def records() -> Iterator[Entry]:
    """6,000 ticks of five symbols, from an integer generator so that they are the same on every machine."""
    state, prices = 12345, [18_725, 9, 4_000_000_000, 250_000, 100_000]
    for offset in range(6_000):
        state = (1_103_515_245 * state + 12_345) % 2**31
        at = (state >> 8) % 5
        prices[at] = max(1, prices[at] + (state >> 12) % 201 - 100 + (5_000 if state % 97 == 0 else 0))
        tick = {
            "symbol": f"S{at}",
            "price": prices[at] / 100,
            "volume": (state >> 10) % 10_000,
            "timestamp": f"2026-01-05T{14 + offset // 3600:02}:{offset // 60 % 60:02}:{offset % 60:02}Z",
        }
        yield Entry(0, offset, tick["symbol"].encode(), json.dumps(tick).encode(), 0, 0)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def points() -> Points:
    ticks, refused = decode(list(records()))
    assert not refused
    return Points.of(0, ticks, measure(Windows(span=400).advance(ticks), 2.0))


def digest(points: Points, name: str) -> str:
    values = np.asarray(getattr(points, name), dtype=np.float64)
    return hashlib.sha256(np.where(np.isnan(values), np.nan, values).tobytes()).hexdigest()[:16]


def test_every_metric_has_the_bits_of_this_version_of_the_computation(points: Points) -> None:
    golden = GOLDEN[COMPUTATION]
    assert {name: digest(points, name) for name in golden} == golden


def test_the_day_has_every_metric_and_its_absence_and_anomalies(points: Points) -> None:
    for name in ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score"):
        absent = np.isnan(getattr(points, name))
        assert 0 < absent.sum() < len(points) / 2, name
    assert 20 < points.is_anomaly.sum() < 1_000


def test_the_version_changes_with_what_the_table_declares() -> None:
    version = version_of(TABLE)
    assert version.startswith(f"{COMPUTATION}-")
    assert version == version_of(tuple(TABLE))
    assert version_of(TABLE[:-1]) != version
    assert f'"by":"{version}"' in to_metadata(500, 120)
