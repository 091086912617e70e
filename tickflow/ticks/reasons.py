"""Why a record is not a tick: one short constant per rule, which dead letters carry."""

import re
from enum import StrEnum

import msgspec

_NUMBERS = ("price", "volume", "change_percent", "seq")
_FIELD = re.compile(r"`\$\.(\w+)`$")
_MISSING = re.compile(r"^Object missing required field `(\w+)`$")


class Reason(StrEnum):
    """Why a record was refused; one short constant per rule."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    BATCH_TOO_LARGE = "batch_too_large"
    NESTING = "nesting"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_MANY_SYMBOLS = "too_many_symbols"
    TOO_MANY_SOURCES = "too_many_sources"
    SYMBOL_MISSING = "symbol_missing"
    SYMBOL_TYPE = "symbol_type"
    SYMBOL_INVALID = "symbol_invalid"
    KEY_MISSING = "key_missing"
    KEY_MISMATCH = "key_mismatch"
    PRICE_MISSING = "price_missing"
    PRICE_TYPE = "price_type"
    PRICE_RANGE = "price_range"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_TYPE = "timestamp_type"
    TIMESTAMP_INVALID = "timestamp_invalid"
    TIMESTAMP_RANGE = "timestamp_range"
    TIMESTAMP_FUTURE = "timestamp_future"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    VOLUME_TYPE = "volume_type"
    VOLUME_RANGE = "volume_range"
    CHANGE_PERCENT_TYPE = "change_percent_type"
    CHANGE_PERCENT_RANGE = "change_percent_range"
    SOURCE_TYPE = "source_type"
    SOURCE_INVALID = "source_invalid"
    PRODUCER_TYPE = "producer_type"
    PRODUCER_INVALID = "producer_invalid"
    SEQ_TYPE = "seq_type"
    SEQ_RANGE = "seq_range"


def reason_of(error: msgspec.ValidationError) -> Reason:
    """The rule that msgspec's typed decoder found broken, derived from its message (its errors carry nothing else)."""
    text = str(error)
    if missing := _MISSING.match(text):
        return Reason(f"{missing[1]}_missing")
    field = _FIELD.search(text)
    if field is None:
        return Reason.NOT_AN_OBJECT
    if "out of range" in text and field[1] in _NUMBERS:  # a number like 1e999 is out of range in any field
        return Reason(f"{field[1]}_range")
    if "RFC3339" in text:
        return Reason.TIMESTAMP_INVALID
    return Reason(f"{field[1]}_type")
