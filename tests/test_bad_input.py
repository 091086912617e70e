"""What is not a tick, rule by rule: each kind of bad input and the reason it is refused with."""

import json

import pytest

from tests.records import MISSING, body, raw, reason
from tickflow.tick import MAX_RECORD_BYTES, Reason

NOT_TEXT: tuple[object, ...] = (1767623400, 1.5, True, ["A"], {"A": 1})
NOT_WHOLE: tuple[object, ...] = (1.5, 1.0, True, "1", [1], {"A": 1})
R = Reason
BAD: list[tuple[str, bytes | None, str]] = [
    ("tombstone", None, R.TOMBSTONE),
    ("empty", b"", R.NOT_JSON),
    ("not UTF-8", b'{"symbol":"\xff"}', R.NOT_UTF8),
    ("not UTF-8 in an ignored field", body()[:-1] + b',"note":"\xe4"}', R.NOT_UTF8),
    ("UTF-16", body().decode().encode("utf-16"), R.NOT_UTF8),
    ("surrogate as UTF-8", body()[:-1] + b',"note":"\xed\xa0\x80"}', R.NOT_UTF8),
    ("not JSON", b"AAPL,187.5", R.NOT_JSON),
    ("half a record", body()[:-5], R.NOT_JSON),
    ("two records", body() + body(), R.NOT_JSON),
    ("comment", body() + b"// so", R.NOT_JSON),
    ("single quotes", body().replace(b'"', b"'"), R.NOT_JSON),
    ("byte order mark", b"\xef\xbb\xbf" + body(), R.NOT_JSON),
    ("lone surrogate in a symbol", raw("symbol", r'"\ud800"'), R.NOT_JSON),
    ("lone surrogate in a source", raw("source", r'"\udfff"'), R.NOT_JSON),
    ("null", b"null", R.NOT_AN_OBJECT),
    ("array", b"[" + body() + b"]", R.NOT_AN_OBJECT),
    ("string", b'"AAPL"', R.NOT_AN_OBJECT),
    ("number", b"187.5", R.NOT_AN_OBJECT),
    ("true", b"true", R.NOT_AN_OBJECT),
    ("nested 101 deep", body(note="@").replace(b'"@"', b"[" * 100 + b"]" * 100), R.NESTING),
    ("nested a million deep, too large", b"[" * 1_000_000, R.TOO_LARGE),
    ("nested 60,000 deep", b"[" * 60_000, R.NESTING),
    ("a byte over the size", body().ljust(MAX_RECORD_BYTES + 1), R.TOO_LARGE),
    *(("symbol " + repr(text), body(symbol=text), R.SYMBOL_INVALID) for text in (
        "", " ", "AAPL\n", "\nAAPL", "A=B", "A,B", "A\\B", "A B", "'A'", '"A"', "A" * 13, "aapl", "Aapl", "A٣", "Ä",
        "A\0", "A/B", "A_B", "A;B",
    )),
    *((f"symbol {value!r}", body(symbol=value), R.SYMBOL_TYPE) for value in (None, *NOT_TEXT)),
    ("symbol missing", body(symbol=MISSING), R.SYMBOL_MISSING),
    *((f"price {literal[:12]}", raw("price", literal), R.PRICE_RANGE) for literal in (
        "0", "-0.0", "-187.5", "9.9e-10", "1000000000000.1", "1e13", "1e-400", "1e300",
    )),
    *((f"price {literal}", raw("price", literal), R.PRICE_TYPE) for literal in (
        "true", "false", "null", '"187.5"', '""', "[187.5]", "{}",
    )),
    ("price 1e999", raw("price", "1e999"), R.PRICE_RANGE),
    ("price -1e999", raw("price", "-1e999"), R.PRICE_RANGE),
    *((f"price {literal}", raw("price", literal), R.NOT_JSON) for literal in (
        "NaN", "Infinity", "-Infinity", "nan", "+1", ".5", "1.", "0x10", "01", "1_000", "",
    )),
    ("price of 5,000 digits", raw("price", "9" * 5000), R.PRICE_RANGE),
    ("price missing", body(price=MISSING), R.PRICE_MISSING),
    *((f"timestamp {text!r}", body(timestamp=text), R.TIMESTAMP_INVALID) for text in (
        "", "now", "2026-01-05", "14:30:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-05T25:00:00Z",
        "2026-01-05T14:30:00+25:00", "2026-01-05T14:30Z", "20260105T143000Z", "1767623400", "0000-01-01T00:00:00Z",
        "2026-01-05T14:30:00Z\n", "٢٠٢٦-01-05T14:30:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z",
    )),
    *((f"timestamp {text}", body(timestamp=text), R.TIMESTAMP_RANGE) for text in (
        "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59",
        "2262-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2261-12-31T23:59:59-00:01",
        "2261-12-31T23:59:59.9999996Z",
            )),
    *((f"timestamp {value!r}", body(timestamp=value), R.TIMESTAMP_TYPE) for value in (None, *NOT_TEXT)),
    ("timestamp missing", body(timestamp=MISSING), R.TIMESTAMP_MISSING),
    ("far future", body(timestamp="2026-01-05T14:35:01.000001Z"), R.TIMESTAMP_FUTURE),
    *((f"volume {literal[:20]}", raw("volume", literal), R.VOLUME_RANGE) for literal in (
        "-1", str(2**53), str(2**63), str(2**64), "1e400", "9" * 30, "9" * 5000, "-" + "9" * 5000,
    )),
    *((f"volume {literal}", raw("volume", literal), R.VOLUME_TYPE) for literal in (
        "1.5", "100.0", "1e2", "true", '"100"', "[]", "{}",
    )),
    *((f"change_percent {literal}", raw("change_percent", literal), R.CHANGE_PERCENT_TYPE) for literal in (
        "true", '"1%"', "[]", "{}",
    )),
    ("change_percent 1e999", raw("change_percent", "1e999"), R.CHANGE_PERCENT_RANGE),
    ("change_percent NaN", raw("change_percent", "NaN"), R.NOT_JSON),
    *((f"source {text!r}", body(source=text), R.SOURCE_INVALID) for text in (
        "", "Simulated", "a b", "a\n", "a" * 33, "a,b", "a=b", "ä", "a-b",
    )),
    *((f"source {value!r}", body(source=value), R.SOURCE_TYPE) for value in NOT_TEXT),
    ("producer empty", body(producer=""), R.PRODUCER_INVALID),
    ("producer of 65", body(producer="x" * 65), R.PRODUCER_INVALID),
    *((f"producer {value!r}", body(producer=value), R.PRODUCER_TYPE) for value in NOT_TEXT),
    ("seq -1", body(seq=-1), R.SEQ_RANGE),
    *((f"seq {value!r}", body(seq=value), R.SEQ_TYPE) for value in NOT_WHOLE),
    # The decoder reads such a number before it looks for what the field is to hold.
    *((f"{name} {literal[:5]}", raw(name, literal), Reason(f"{name}_type"))
      for name in ("symbol", "timestamp", "source", "producer") for literal in ("1e999", "-1e999", "9" * 5000)),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_values_are_refused_with_their_reason(value: bytes | None, expected: str) -> None:
    # A bad symbol comes with the key that agrees, so that it is not the difference which is refused.
    key = json.loads(value)["symbol"].encode() if value and expected == R.SYMBOL_INVALID else b"AAPL"
    assert reason(value, key) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, R.KEY_MISSING),
        (b"", R.KEY_MISMATCH),
        (b"MSFT", R.KEY_MISMATCH),
        (b"aapl", R.KEY_MISMATCH),
        (b"AAPL ", R.KEY_MISMATCH),
        (b'"AAPL"', R.KEY_MISMATCH),
        (b"\xff", R.KEY_MISMATCH),
        (b"AAPL", None),
    ],
)
def test_the_key_must_be_the_symbol(key: bytes | None, expected: str | None) -> None:
    assert reason(body(), key) == expected


def test_every_reason_but_age_has_a_case_above() -> None:
    seen = {case[2] for case in BAD} | {R.KEY_MISSING, R.KEY_MISMATCH, R.TIMESTAMP_TOO_OLD}
    assert seen == set(Reason)
