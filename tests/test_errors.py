"""Errors are human-readable sentences, carry their data, and form the tree that the module draws."""

import inspect
import re

import pytest

from tickflow import errors
from tickflow.errors import NotAcknowledged, SettingError, StoreUnavailable, TickflowError


def drawn() -> dict[str, str]:
    """Each error with its parent, read from the tree in the module's docstring."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = re.match(r"^((?:    )?[│├└─ ]*)([A-Z][A-Za-z]+)(?:  |$)", line)
        if match is None:
            continue
        depth = len(match[1])
        above = [(d, name) for d, name in above if d < depth]
        if above:
            parents[match[2]] = above[-1][1]
        above.append((depth, match[2]))
    return parents


def test_the_tree_in_the_docstring_matches_the_classes() -> None:
    real = {
        name: error.__bases__[0].__name__
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, TickflowError) and error is not TickflowError
    }
    assert drawn() == real


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SettingError("KAFKA_TOPIC", "a b", "a name"), "KAFKA_TOPIC is 'a b'; expected a name."),
        (SettingError("INFLUXDB_TOKEN", None, "a token"), "INFLUXDB_TOKEN is not set; expected a token."),
        (NotAcknowledged(1234, "the broker is away"), "1,234 records were not acknowledged: the broker is away"),
        (StoreUnavailable("InfluxDB is away", retry_after=3.0), "InfluxDB is away"),
    ],
)
def test_an_error_reads_as_a_sentence(error: TickflowError, sentence: str) -> None:
    assert str(error) == sentence


def test_errors_carry_their_data() -> None:
    wrong = SettingError("KAFKA_TOPIC", "a b", "a name")
    assert (wrong.key, wrong.value, wrong.expected) == ("KAFKA_TOPIC", "a b", "a name")
    assert (NotAcknowledged(2, "why").count, NotAcknowledged(2, "why").cause) == (2, "why")
    assert StoreUnavailable("busy", retry_after=3.0).retry_after == 3.0
    assert StoreUnavailable("busy").retry_after is None
