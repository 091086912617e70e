"""Tests of bad input, rule by rule: each kind, and the reason for its refusal."""

import re
from pathlib import Path

import pytest

from tests.malformed import FILE, Malformed, corpus
from tests.records import body, raw, reason
from tickflow.ticks.tick import Reason

CORPUS = corpus()
# A test cannot be selected by an id with a backslash, which pytest writes for a newline or an umlaut.
IDS = [re.sub(r"[^ -~]|\\", "?", case.name) for case in CORPUS]


@pytest.mark.parametrize("case", CORPUS, ids=IDS)
def test_malformed_records_are_refused_with_their_reason(case: Malformed) -> None:
    assert reason(case.value, case.key) == case.reason


def test_the_corpus_is_large_and_its_case_names_are_unique() -> None:
    assert len(CORPUS) >= 180
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    assert len({(case.key, case.value) for case in CORPUS}) == len(CORPUS)
    assert Path(FILE).stat().st_size < 100_000


def test_the_same_record_with_the_right_key_is_accepted() -> None:
    assert reason(body(), b"AAPL") is None


def test_a_time_just_too_far_ahead_of_the_append_time_is_refused() -> None:
    assert reason(body(timestamp="2026-01-05T14:35:01.000001Z")) == Reason.TIMESTAMP_FUTURE
    assert reason(body(timestamp="2026-01-05T14:35:01Z")) is None


def test_every_reason_but_age_has_a_case_in_the_corpus() -> None:
    not_of_one_record = {
        *(Reason.TIMESTAMP_TOO_OLD, Reason.BATCH_TOO_LARGE),
        *(Reason.TOO_MANY_SYMBOLS, Reason.TOO_MANY_SOURCES),
    }
    assert {case.reason for case in CORPUS} | not_of_one_record == set(Reason)


@pytest.mark.parametrize("name", ["symbol", "timestamp", "source", "producer"])
@pytest.mark.parametrize("literal", ["1e999", "-1e999", "9" * 5000], ids=["huge", "minus huge", "5,000 digits"])
def test_a_huge_number_in_a_text_field_has_the_wrong_type(name: str, literal: str) -> None:
    # The decoder parses such a number before it checks the field's type.
    assert reason(raw(name, literal)) == Reason(f"{name}_type")
