"""Reads Databento's DBN: trades, quotes with trades, and bars; databento-dbn is loaded only for such a file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tickflow.sources.files.columns import symbols_of
from tickflow.sources.files.options import Unreadable
from tickflow.sources.files.packing import Member
from tickflow.sources.files.table import Chunk

MAGIC = b"DBN"
_PIECE_BYTES = 262_144
_UNDEFINED = 2**63 - 1
_BARS = {"ohlcv-1s": 1, "ohlcv-1m": 60, "ohlcv-1h": 3600, "ohlcv-1d": 86_400, "ohlcv-eod": 86_400}
_QUOTES = {"bbo-1s", "bbo-1m", "cbbo-1s", "cbbo-1m", "cmbp-1", "mbp-1", "mbp-10", "mbo"}
_TRADES = {"trades", "tbbo", "tcbbo"}


def is_dbn(head: bytes) -> bool:
    """Whether a file, once unpacked, is DBN."""
    return head.startswith(MAGIC) and len(head) > 8 and head[3] in (1, 2, 3)


class DbnFile:
    """A DBN file: `names` are its columns. Raises `Unreadable` if it is damaged or holds no prices."""

    def __init__(self, member: Member) -> None:
        import databento_dbn

        self._library = databento_dbn
        self._member = member
        self._by_day: dict[tuple[int, str], str] = {}
        decoder = self._decoder()
        try:
            decoder.write(member.head)
            found = decoder.decode()
        except BaseException as error:  # the library has a separate error class for each of a dozen causes
            _raise_others(error)
            raise Unreadable(f"a DBN file that is whole ({_short(error)})") from error
        if not found:
            raise Unreadable("a DBN file with its whole metadata; this one ends within them")
        metadata = found[0]
        self.schema = str(metadata.schema or "")
        self.bar_s = _BARS.get(self.schema)
        if self.bar_s is None and self.schema not in _TRADES | _QUOTES:
            raise Unreadable(f"DBN of trades, quotes or bars; the schema of this one is {self.schema or 'mixed'!r}")
        self._spans: dict[int, list[tuple[str, str, str]]] = {}
        for symbol, intervals in dict(metadata.mappings).items():
            for span in intervals:
                raw, number = (
                    (symbol, str(span["symbol"])) if str(span["symbol"]).isdigit() else (str(span["symbol"]), symbol)
                )
                if number.isdigit():
                    self._spans.setdefault(int(number), []).append(
                        (str(span["start_date"]), str(span["end_date"]), raw)
                    )
        if self.bar_s is not None:
            self.names = ["ts_event", "symbol", "open", "high", "low", "close", "volume"]
        else:
            self.names = ["ts_event", "symbol", "price", "size"]

    @property
    def is_named(self) -> bool:
        """Whether the file maps the number of each instrument to a symbol."""
        return bool(self._spans)

    def _decoder(self) -> Any:
        return self._library.DBNDecoder()

    def chunks(self) -> Iterator[Chunk]:
        """All trades or bars, numbered from 1. Raises `EOFError` if the file is cut off."""
        with self._member.open() as stream:
            yield from self._read(stream)

    def _read(self, stream: Any) -> Iterator[Chunk]:
        decoder, number = self._decoder(), 0
        while True:
            piece = stream.read(_PIECE_BYTES)
            if not piece:
                break
            try:
                decoder.write(piece)
                records = decoder.decode()
            except BaseException as error:  # the library has a separate error class for each cause
                _raise_others(error)
                raise EOFError(_short(error)) from error
            rows, numbers = [], []
            passed = 0
            for record in records:
                name = type(record).__name__
                if name == "Metadata":
                    continue
                if name.startswith("SymbolMapping"):
                    self._spans.setdefault(record.instrument_id, []).append(
                        ("0000", "9999", str(record.stype_out_symbol))
                    )
                    continue
                number += 1
                row = self._row(record)
                if row is None:
                    passed += 1
                else:
                    rows.append(row)
                    numbers.append(number)
            if rows or passed:
                yield self._chunk(rows, numbers, passed)
        rest = getattr(decoder, "buffer", None)
        left = len(rest()) if callable(rest) else 0
        if left:
            raise EOFError(f"it ends in the middle of a record, with {left} bytes")

    def _row(self, record: Any) -> tuple[Any, ...] | None:
        if self.bar_s is not None:
            if not hasattr(record, "close") or record.close == _UNDEFINED:
                return None
            return (
                record.ts_event,
                self._symbol(record),
                record.open,
                record.high,
                record.low,
                record.close,
                record.volume,
            )
        action = str(getattr(record, "action", ""))
        if self.schema not in _TRADES and not action.endswith("T") and "TRADE" not in action.upper():
            return None
        price = getattr(record, "price", _UNDEFINED)
        if price == _UNDEFINED:
            return None
        return record.ts_event, self._symbol(record), price, record.size

    def _chunk(self, rows: list[tuple[Any, ...]], numbers: list[int], passed: int) -> Chunk:
        if not rows:
            return Chunk([() for _ in self.names], np.array([], dtype=np.int64), passed=passed)
        columns = list(zip(*rows, strict=True))
        cells: list[Any] = []
        for name, values in zip(self.names, columns, strict=True):
            if name == "ts_event":
                stamps = np.array(values, dtype=np.uint64)
                stamps[stamps > np.uint64(2**63 - 1)] = np.uint64(
                    2**63
                )  # an undefined time becomes NumPy's "not a time"
                cells.append(stamps.view(np.int64).view("datetime64[ns]"))
            elif name == "symbol":
                cells.append(symbols_of(values))
            elif name in ("size", "volume"):
                cells.append(np.array(values, dtype=np.float64))
            else:  # dividing two integers rounds only once
                cells.append(np.array([value / 1_000_000_000 for value in values], dtype=np.float64))
        return Chunk(cells, np.array(numbers, dtype=np.int64), passed=passed)

    def _symbol(self, record: Any) -> str:
        number = record.instrument_id
        spans = self._spans.get(number)
        if not spans:
            return ""
        if len(spans) == 1:
            return spans[0][2]
        day = datetime.fromtimestamp(record.ts_event / 1e9, UTC).date().isoformat()
        return next((symbol for start, end, symbol in spans if start <= day < end), spans[-1][2])


def _raise_others(error: BaseException) -> None:
    """Raise any error that is not the library's. (On a damaged record the library panics, with an error that is not an
    `Exception`.)
    """
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
