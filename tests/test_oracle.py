"""The oracle sees what it is there to see: what is lost, doubled, foreign or different is found, in every field."""

import json
from typing import Any

import pandas as pd
import pytest

from tests import oracle


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    def value(number: int) -> bytes:
        tick = {
            "symbol": "AB"[number % 2],
            "price": 100 + (number * 7) % 13,
            "volume": number,
            "change_percent": 0.5,
            "timestamp": f"2026-01-05T14:30:{number:02}Z",
        }
        return json.dumps(tick).encode()

    return oracle.expected_points([(number % 2, number // 2, value(number)) for number in range(60)])


def test_equal_is_equal_and_in_any_order(expected: pd.DataFrame) -> None:
    verdict = oracle.compare(expected, expected.sample(frac=1, random_state=1))
    assert verdict.equal
    assert verdict.digest == oracle.compare(expected, expected).digest


def test_lost_doubled_and_foreign_points_are_counted(expected: pd.DataFrame) -> None:
    assert oracle.compare(expected, expected.iloc[3:]).lost == 3
    assert oracle.compare(expected, pd.concat([expected, expected.iloc[:2]])).doubled == 2
    assert oracle.compare(expected.iloc[5:], expected).foreign == 5


@pytest.mark.parametrize("column", [name for name in oracle.COLUMNS if name not in ("partition", "offset")])
def test_one_different_value_is_found_in_every_field(expected: pd.DataFrame, column: str) -> None:
    stored = expected.copy()
    old: Any = stored[column].iloc[59]
    new: Any = (not old) if column == "is_anomaly" else (f"{old}X" if isinstance(old, str) else old * (1 + 1e-6) + 1e-6)
    if column in ("volume", "time_ns"):
        new = int(old) + 1
    stored.loc[59, column] = new
    verdict = oracle.compare(expected, stored)
    assert verdict.differing == 1
    assert verdict.digest != oracle.digest(expected)


def test_a_value_where_none_belongs_is_found(expected: pd.DataFrame) -> None:
    stored = expected.copy()
    stored.loc[0, "ma_20"] = 0.0
    assert oracle.compare(expected, stored).differing == 1


def test_an_empty_store_has_lost_everything(expected: pd.DataFrame) -> None:
    assert oracle.compare(expected, expected.iloc[:0]).lost == 60
