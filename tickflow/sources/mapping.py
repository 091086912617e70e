"""Maps foreign JSON records to ticks: a TOML file says which value of a record becomes which field of a tick.

    symbol = "data.s"              # a path into the record; numbers count in arrays, from 0
    price = "data.p"
    timestamp = "data.t"
    epoch = "ms"                   # the unit of numeric times: s, ms, us or ns since 1970
    volume = "data.v"              # optional, as is change_percent
    source = "my_feed"             # optional; the tick's source

`symbol = { constant = "BTC-USD" }` gives all records one symbol, `symbol = { key = true }` takes the record's key. Text
times without a zone need `timezone = "America/New_York"`. Numbers may be text.
"""

import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tickflow.errors import SettingError
from tickflow.ticks.tick import Tick, from_text, is_source, is_symbol

UNITS = {"s": 6, "ms": 3, "us": 0, "ns": -3}
"""For each unit, the power of ten by which a time is multiplied to get microseconds."""
KEYS = ("symbol", "price", "timestamp", "epoch", "timezone", "volume", "change_percent", "source")

DIGITS = 40
"""The maximum number of digits before or after the decimal point: written out, 1e999999 would have a million
characters.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.Decoder().decode
_KEY = "FROM_TOPIC_MAP"


class Unmapped(ValueError):
    """A record that the map cannot turn into a tick; the text says why."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """The map from a record's values to a tick's fields. `symbol` is a path, unless `constant` gives the symbol or
    `by_key` makes the record's key the symbol.
    """

    symbol: tuple[str, ...]
    constant: str | None
    by_key: bool
    price: tuple[str, ...]
    timestamp: tuple[str, ...]
    epoch: str | None
    zone: tzinfo | None
    volume: tuple[str, ...] | None
    change_percent: tuple[str, ...] | None
    source: str

    @classmethod
    def read(cls, path: Path) -> "Mapping":
        """Read the map in a TOML file. Raises `SettingError`, which names the file and the mistake."""
        try:
            return cls.of(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # errors of TOML and errors in its content
            raise SettingError(_KEY, str(path), f"a map as docs/feeds.md has it ({error})") from error

    @classmethod
    def of(cls, table: Table[str, Any]) -> "Mapping":
        """The map in a parsed TOML file. Raises `ValueError`.

        >>> mapping = Mapping.of({"symbol": "s", "price": "p", "timestamp": "t", "epoch": "ms"})
        >>> mapping.tick(None, b'{"s": "AAPL", "p": "187.5", "t": 1767623400120}').timestamp.isoformat()
        '2026-01-05T14:30:00.120000+00:00'
        """
        if unknown := sorted(set(table) - set(KEYS)):
            raise ValueError(f"unknown key {unknown[0]}; known are {', '.join(KEYS)}")
        symbol = table.get("symbol")
        constant = symbol.get("constant") if isinstance(symbol, dict) else None
        by_key = isinstance(symbol, dict) and symbol.get("key") is True
        if isinstance(symbol, dict) and (len(symbol) != 1 or not (by_key or isinstance(constant, str))):
            raise ValueError("symbol is a path, { constant = ... } or { key = true }")
        if constant is not None and not is_symbol(constant):
            raise ValueError(f"{constant!r} is not a symbol")
        epoch, source = table.get("epoch"), table.get("source", "topic")
        if epoch is not None and epoch not in UNITS:
            raise ValueError(f"epoch is one of {', '.join(UNITS)}")
        if not (isinstance(source, str) and is_source(source)):
            raise ValueError("source is 1 to 32 of a-z, 0-9 and underscore")
        return cls(
            () if isinstance(symbol, dict) else _path(table, "symbol"),
            constant,
            by_key,
            _path(table, "price"),
            _path(table, "timestamp"),
            epoch,
            _zone(table.get("timezone")),
            _path(table, "volume") if "volume" in table else None,
            _path(table, "change_percent") if "change_percent" in table else None,
            source,
        )

    def tick(self, key: bytes | None, value: bytes | None, seq: int | None = None) -> Tick:
        """The tick made from a record; `seq` becomes its number. Raises `Unmapped`."""
        try:
            record = _decode(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unmapped("not_json") from None
        symbol = self.constant or self._symbol(key, record)
        price, volume = _number(record, self.price), "0"
        if self.volume is not None and (found := _number(record, self.volume, "")):
            volume = found
        read = from_text(symbol, price, self._time(record), volume, self.source)
        if not isinstance(read, Tick):
            raise Unmapped(str(read))
        change = _number(record, self.change_percent, "") if self.change_percent else ""
        return msgspec.structs.replace(
            read,
            volume=None if self.volume is None else read.volume,
            change_percent=float(change) if change else None,
            seq=seq,
        )

    def _symbol(self, key: bytes | None, record: object) -> str:
        if self.by_key:
            return (key or b"").decode("utf-8", "replace")
        found = _at(record, self.symbol)
        if not isinstance(found, str):
            raise Unmapped(f"no text at {'.'.join(self.symbol)}, where the symbol should be")
        return found

    def _time(self, record: object) -> str:
        found = _at(record, self.timestamp)
        if self.epoch is not None:
            number = _decimal(found, self.timestamp)
            us = number.scaleb(UNITS[self.epoch])
            try:
                return (_EPOCH + timedelta(microseconds=round(us))).isoformat()
            except OverflowError:
                raise Unmapped(f"{found} is not a time in {self.epoch} since 1970") from None
        if not isinstance(found, str):
            raise Unmapped(f"the time {found!r} is not text; set epoch in the map if it is a number since 1970")
        try:
            moment = msgspec.convert(found, datetime)
        except msgspec.ValidationError:
            raise Unmapped(f"the time {found[:40]!r} is not RFC 3339") from None
        if moment.tzinfo is None:
            if self.zone is None:
                raise Unmapped(f"the time {found[:40]!r} has no zone; set timezone in the map")
            moment = moment.replace(tzinfo=self.zone)
        return moment.astimezone(UTC).isoformat()


def _path(table: Table[str, Any], name: str) -> tuple[str, ...]:
    found = table.get(name)
    if not isinstance(found, str) or not found:
        raise ValueError(f"{name} must be a path such as {name!r} or 'data.{name[0]}'")
    return tuple(found.split("."))


def _zone(name: object) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone such as America/New_York") from None


def _at(record: object, path: tuple[str, ...]) -> object:
    for part in path:
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and part.isascii() and part.isdigit() and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


def _decimal(found: object, path: tuple[str, ...]) -> Decimal:
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        try:
            number = Decimal(str(found).strip())
        except InvalidOperation:
            pass
        else:
            if number.is_finite() and abs(number.adjusted()) <= DIGITS:
                return number
    raise Unmapped(f"no number at {'.'.join(path)}")


def _number(record: object, path: tuple[str, ...], absent: str | None = None) -> str:
    """The number at `path`, as text; `absent` if there is none."""
    found = _at(record, path)
    if found is None and absent is not None:
        return absent
    return format(_decimal(found, path), "f")
