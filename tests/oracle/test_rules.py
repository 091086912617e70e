"""The oracle's own rules and the project's decoder agree: two implementations of one document."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.records import APPENDED_MS, body, raw, reason

RECORDS: list[tuple[bytes | None, bytes | None]] = [
    (b"AAPL", body()),
    (b"AAPL", body(volume=None, change_percent=None, source=None, producer=None, seq=None)),
    (b"AAPL", body(price=187)),
    (b"AAPL", body(timestamp="2026-01-05T14:30:00.1234565")),
    (b"AAPL", body(timestamp="2026-01-05T16:30:00+02:00")),
    (b"AAPL", body(timestamp="2026-02-30T14:30:00Z")),
    (b"AAPL", body(timestamp="2026-01-05T14:36:02Z")),
    (b"AAPL", body(timestamp="1969-12-31T23:59:59Z")),
    (b"AAPL", body(timestamp="yesterday")),
    (b"AAPL", body(timestamp=1)),
    (b"AAPL", body(price="187.5")),
    (b"AAPL", body(price=True)),
    (b"AAPL", body(price=None)),
    (b"AAPL", body(price=0)),
    (b"AAPL", raw("price", "1e999")),
    (b"AAPL", raw("price", "NaN")),
    (b"AAPL", raw("price", "-1")),
    (b"AAPL", raw("price", '1, "price": 2')),
    (b"AAPL", raw("volume", "1.5")),
    (b"AAPL", raw("volume", "-0.0")),
    (b"AAPL", raw("volume", "1e999")),
    (b"AAPL", raw("volume", '"1"')),
    (b"AAPL", raw("volume", "-1")),
    (b"AAPL", raw("volume", str(2**53))),
    (b"AAPL", raw("symbol", '"\\ud800"')),
    (b"AAPL\n", body(symbol="AAPL\n")),
    (None, body()),
    (b"MSFT", body()),
    (b"AAPL", body(source="Wall Street")),
    (b"AAPL", body(producer="")),
    (b"AAPL", body(seq=-1)),
    (b"AAPL", body(deep=[[]] * 100)),
    (b"AAPL", body(note="x" * 70_000)),
    (b"AAPL", b'{"symbol":"AAPL","timestamp":"2026-01-05T14:30:00Z"}'),
    (b"AAPL", b"\xff\xfe"),
    (b"AAPL", b"null"),
    (b"AAPL", b"[]"),
    (b"AAPL", b"{"),
    (b"AAPL", None),
]


def by_the_oracle(key: bytes | None, value: bytes | None) -> str | None:
    judged = oracle.judge(key, value, APPENDED_MS, 1)
    return judged.reason if isinstance(judged, oracle.Refusal) else None


@pytest.mark.parametrize(("key", "value"), RECORDS)
def test_oracle_and_decoder_give_the_same_reason(key: bytes | None, value: bytes | None) -> None:
    assert by_the_oracle(key, value) == reason(value, key)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-01-05T14:30:00Z", "2026-01-05 14:30:00.5", "AAPL", "unknown", []])
)
NAMES = ("symbol", "price", "timestamp", "volume", "change_percent", "source", "producer", "seq", "other")


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw is slow on a busy machine
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3), st.randoms())
def test_oracle_and_decoder_agree_about_any_fields(changes: dict[str, object], order: random.Random) -> None:
    fields = list((json.loads(body()) | changes).items())
    order.shuffle(fields)
    value = json.dumps(dict(fields)).encode()
    assert by_the_oracle(b"AAPL", value) == reason(value, b"AAPL")
