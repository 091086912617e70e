"""Records for tests: the JSON of a good tick, in which a field may be changed, left out, or written by hand."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from tickflow.ticklog.base import LOG_APPEND_TIME, Entry
from tickflow.ticks.tick import Limits, decode, epoch_us

CREATE_TIME = 0
GOOD: dict[str, object] = {"symbol": "AAPL", "price": 187.5, "timestamp": "2026-01-05T14:30:00Z"}
APPENDED_MS = epoch_us(datetime(2026, 1, 5, 14, 30, 1, tzinfo=UTC)) // 1000
MISSING = object()


def entry(
    value: bytes | None, key: bytes | None = b"AAPL", *, offset: int = 0, appended_ms: int = APPENDED_MS
) -> Entry:
    return Entry(0, offset, key, value, appended_ms, LOG_APPEND_TIME)


def body(**changes: object) -> bytes:
    """The JSON of a good tick with these fields changed; a field that is `MISSING` is left out."""
    fields: Mapping[str, object] = {**GOOD, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not MISSING}).encode()


def raw(name: str, literal: str) -> bytes:
    """The JSON of a good tick with one field's value replaced by JSON text, valid or not."""
    return body(**{name: "@"}).replace(b'"@"', literal.encode())


def reason(value: bytes | None, key: bytes | None = b"AAPL", limits: Limits | None = None) -> str | None:
    """The reason for refusing that record; `None` if it is accepted."""
    ticks, refused = decode([entry(value, key)], limits)
    assert len(ticks) + len(refused) == 1
    return refused[0].reason if refused else None
