"""The rules for a tick, implemented independently in plain Python from their documentation."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_BYTES = 65_536
MAX_BRACKETS = 100
AHEAD_MICROS = 300_000_000
REQUIRED = ("symbol", "price", "timestamp")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))?"
)


@dataclass(frozen=True)
class Refusal:
    """A record that is not a tick, and the reason."""

    reason: str


@dataclass(frozen=True)
class Accepted:
    """A tick: its fields as in the record, and its time in microseconds since 1970."""

    fields: Mapping[str, Any]
    micros: int


class _Broken(Exception):
    """A record breaks a rule; the argument is the reason for the refusal."""


def judge(key: bytes | None, value: bytes | None, time_ms: int, time_type: int) -> Accepted | Refusal:
    """Accept or refuse one record by its key, its bytes and the time at which the log appended it."""
    try:
        return _judge(key, value, time_ms, time_type)
    except _Broken as broken:
        return Refusal(str(broken))


def micros_of(moment: datetime) -> int:
    """The moment in microseconds since 1970; a moment without a zone is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _judge(key: bytes | None, value: bytes | None, time_ms: int, time_type: int) -> Accepted:
    if value is None:
        raise _Broken("tombstone")
    if len(value) > MAX_BYTES:
        raise _Broken("too_large")
    if sum(each in b"[{" for each in value) > MAX_BRACKETS:
        raise _Broken("nesting")
    fields = _fields(value)
    micros = _micros(fields["timestamp"])
    symbol = fields["symbol"]
    _hold(_is_symbol(symbol), "symbol_invalid")
    _hold(key is not None, "key_missing")
    _hold(key == symbol.encode(), "key_mismatch")
    _hold(1e-9 <= fields["price"] <= 1e12, "price_range")
    _hold(0 <= micros < micros_of(datetime(2262, 1, 1, tzinfo=UTC)), "timestamp_range")
    _hold(time_type != 1 or micros <= time_ms * 1000 + AHEAD_MICROS, "timestamp_future")
    _hold(0 <= float(fields.get("volume") or 0) < 2**53, "volume_range")
    source = fields.get("source")
    _hold(source is None or re.fullmatch(r"[a-z0-9_]{1,32}", source), "source_invalid")
    producer = fields.get("producer")
    _hold(producer is None or 1 <= len(producer) <= 64, "producer_invalid")
    _hold((fields.get("seq") or 0) >= 0, "seq_range")
    return Accepted(fields, micros)


def _is_symbol(text: str) -> bool:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    first = letters + letters.lower() + "0123456789^.$#/"
    others = first + "=:_&+@!- "
    return 1 <= len(text) <= 32 and text[0] in first and all(each in others for each in text[1:]) and text[-1] != " "


def _hold(rule: object, reason: str) -> None:
    if not rule:
        raise _Broken(reason)


def _fields(value: bytes) -> dict[str, Any]:
    """The known fields by name, after checking their types; the last of duplicate names counts."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _Broken("not_utf8") from None
    try:
        pairs = json.loads(
            text, object_pairs_hook=_Pairs, parse_constant=_no_constant, parse_int=_whole, parse_float=float
        )
        text.encode().decode()
        json.dumps(pairs, ensure_ascii=False).encode()  # fails for half a surrogate pair
    except (ValueError, RecursionError):
        raise _Broken("not_json") from None
    if not isinstance(pairs, _Pairs):
        raise _Broken("not_an_object")
    for name, found in pairs:
        _check_type(name, found)
    fields = dict(pairs)
    for name in REQUIRED:
        _hold(name in fields, f"{name}_missing")
    return fields


class _Pairs(list[tuple[str, Any]]):
    """The members of one JSON object, in their order."""


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _whole(digits: str) -> float | int:
    return int(digits) if len(digits) < 400 else math.inf


def _check_type(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in ("symbol", "timestamp", "source", "producer"):
        right = isinstance(value, str)
    elif name in ("price", "change_percent", "volume"):
        right = is_number
        _hold(not is_number or _is_finite(value), f"{name}_range")
    elif name == "seq":
        right = is_number and (isinstance(value, int) or value == math.inf)
    else:
        return
    _hold(right or (value is None and name not in REQUIRED), f"{name}_type")
    if name == "timestamp" and isinstance(value, str):
        _micros(value)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _micros(text: str) -> int:
    found = _TIME.fullmatch(text)
    if not found:
        raise _Broken("timestamp_invalid")
    fraction = found[7] or "0"
    scaled = int(fraction[:7].ljust(7, "0"))
    micros = (scaled + 5) // 10  # the seventh digit rounds the sixth
    offset = timedelta(0)
    if found[9]:
        hours, minutes = int(found[10]), int(found[11])
        _hold(hours < 24 and minutes < 60, "timestamp_invalid")
        offset = timedelta(hours=hours, minutes=minutes) * (1 if found[9] == "+" else -1)
    try:
        whole = datetime(*(int(found[n]) for n in range(1, 7)), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise _Broken("timestamp_invalid") from None
    return micros_of(whole) + micros - offset // timedelta(microseconds=1)
