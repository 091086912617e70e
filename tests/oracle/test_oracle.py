"""The oracle detects every lost, doubled, foreign or different point, in every field."""

import json
from pathlib import Path
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


def test_equal_points_are_equal_in_any_order(expected: pd.DataFrame) -> None:
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
    if old != old:  # absent
        old = 0.0
    new: Any = (not old) if column == "is_anomaly" else (f"{old}X" if isinstance(old, str) else old * (1 + 1e-6) + 1e-6)
    if column in ("volume", "time_ns"):
        new = int(old) + 1
    stored.loc[59, column] = new
    verdict = oracle.compare(expected, stored)
    assert verdict.differing == 1
    assert verdict.digest != oracle.digest(expected)


def test_a_value_that_should_be_absent_is_found(expected: pd.DataFrame) -> None:
    stored = expected.copy()
    stored.loc[0, "ma_20"] = 0.0
    assert oracle.compare(expected, stored).differing == 1


def test_an_empty_store_has_lost_everything(expected: pd.DataFrame) -> None:
    assert oracle.compare(expected, expected.iloc[:0]).lost == 60


RECORDS = [
    oracle.LogRecord(0, 0, b"A", b'{"symbol":"A","price":5,"timestamp":"2026-01-05T14:30:00Z"}'),
    oracle.LogRecord(0, 1, b"A", b"nonsense"),
    oracle.LogRecord(1, 0, b"A", None),
]


def letter(record: oracle.LogRecord, reason: str, value: bytes | None = None) -> oracle.LogRecord:
    headers = {
        "topic": "t",
        "partition": record.partition,
        "offset": record.offset,
        "stage": "VALUE_CONVERTER",
        "exception.message": reason,
    }
    named = tuple((f"__connect.errors.{name}", str(text).encode()) for name, text in headers.items())
    return oracle.LogRecord(0, 0, record.key, record.value if value is None else value, headers=named)


def test_dead_letters_are_expected_of_what_is_refused_and_of_nothing_else() -> None:
    expected = oracle.expected(RECORDS)
    assert {place: reason for place, (_, reason) in expected.letters.items()} == {
        (0, 1): "not_json",
        (1, 0): "tombstone",
    }
    assert len(expected.points) == 1
    right = [letter(RECORDS[1], "not_json"), letter(RECORDS[2], "tombstone")]
    assert oracle.compare_letters(expected.letters, right, "t").equal
    again = oracle.compare_letters(expected.letters, [*right, right[0]], "t")
    assert again.equal
    assert again.repeated == 1


def test_lost_foreign_and_different_dead_letters_are_counted() -> None:
    letters = oracle.expected(RECORDS).letters
    assert oracle.compare_letters(letters, [letter(RECORDS[1], "not_json")], "t").lost == 1
    assert oracle.compare_letters(letters, [letter(RECORDS[0], "not_json")], "t").foreign == 1
    assert oracle.compare_letters(letters, [letter(RECORDS[1], "tombstone")], "t").differing == 1
    assert oracle.compare_letters(letters, [letter(RECORDS[1], "not_json", b"other")], "t").differing == 1


def test_an_acknowledged_tick_that_is_not_in_the_log_is_missed(tmp_path: Path) -> None:
    journal = oracle.JournalFile(tmp_path / "journal")
    for each in RECORDS:
        journal.write(oracle.Acknowledged(each.partition, each.offset, oracle.fingerprint(each.key, each.value)))
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"1 1 cut")
    noted = oracle.read_journal(tmp_path / "journal")
    assert len(noted) == len(RECORDS)
    assert oracle.missing(noted, RECORDS) == []
    changed = [RECORDS[0], RECORDS[1]._replace(value=b"other")]
    assert [(each.partition, each.offset) for each in oracle.missing(noted, changed)] == [(0, 1), (1, 0)]
