"""Each reason for a refusal has a most common cause and a cure."""

import pytest

from tickflow.ticks.cures import CURES, advice
from tickflow.ticks.reasons import Reason


def test_every_reason_has_a_cure() -> None:
    assert list(CURES) == list(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_cause_and_cure_are_sentences(reason: Reason) -> None:
    for words in CURES[reason]:
        assert words[0].isupper() or words[0] == "`"
        assert words.endswith(".")


def test_a_stores_own_message_has_no_advice() -> None:
    assert advice("time outside range") == ""
