"""A tick: one price of one symbol at one moment, its JSON form and the rules that accept or refuse it.

`decode` turns records of the log into a `TickBatch` (columns, in log order) and the refused rest, each with its
`Reason`. A record is accepted or refused by its own content and append time alone, never by the clock of the
machine that reads it, so that every replay has the same result.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import accumulate, chain

import msgspec
import numpy as np
import numpy.typing as npt

from tickflow.ticklog.base import LOG_APPEND_TIME, Entry, Oversized, Record
from tickflow.ticks.reasons import Reason as Reason  # part of the result of decoding
from tickflow.ticks.reasons import reason_of

MAX_RECORD_BYTES = 65_536
MAX_NESTING = 100
MAX_AHEAD_US = 5 * 60 * 1_000_000
PRICE_MIN, PRICE_MAX = 1e-9, 1e12
VOLUME_LIMIT = 2**53
FIRST_YEAR_US = 0
END_YEAR_US = (datetime(2262, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = _EPOCH.replace(tzinfo=None)
SYMBOL_CHARACTERS = 32
"""The largest number of characters in a symbol."""
SYMBOL = (
    r"[A-Za-z0-9^.$#/]"
    rf"(?:[A-Za-z0-9^.$#/=:_&+@!\- ]{{0,{SYMBOL_CHARACTERS - 2}}}[A-Za-z0-9^.$#/=:_&+@!\-])?"
)
"""The regular expression that a whole symbol matches."""
_SYMBOL = re.compile(SYMBOL)
_SOURCE_CHARACTERS = 32
_SOURCE = re.compile(rf"[a-z0-9_]{{1,{_SOURCE_CHARACTERS}}}")
# A name may be as long as its record. Before it is checked and cached it is cut to one character more than is allowed:
# short enough for the cache, and still too long to be accepted.
_SYMBOL_CUT, _SOURCE_CUT = SYMBOL_CHARACTERS + 1, _SOURCE_CHARACTERS + 1


class Tick(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One price of one symbol at one moment.

    `timestamp` is the event's own time; without a zone it is taken as UTC. `change_percent` is the source's own
    figure, in percent. `volume` is in shares (coins, contracts), of which fractions are common. `producer` and `seq`
    (this run, and its counter per symbol from 1) are for diagnosis only.
    """

    symbol: str
    price: float
    timestamp: datetime
    volume: float | None = None
    change_percent: float | None = None
    source: str | None = None
    producer: str | None = None
    seq: int | None = None


_decode_tick = msgspec.json.Decoder(Tick).decode
_encode = msgspec.json.Encoder().encode


def encode(tick: Tick) -> bytes:
    """The tick as the JSON object that a record carries.

    >>> encode(Tick("AAPL", 187.5, datetime(2026, 1, 5, 14, 30, tzinfo=UTC), volume=100, source="simulated"))
    b'{"symbol":"AAPL","price":187.5,"timestamp":"2026-01-05T14:30:00Z","volume":100,"source":"simulated"}'
    """
    return _encode(tick)


_read_float = msgspec.json.Decoder(float).decode
_NO_LOG_TIME = 0
_OF_TEXTS = partial(Entry, 0, 0, timestamp=0, timestamp_type=_NO_LOG_TIME)  # these entries come from no log


def from_text(symbol: str, price: str, timestamp: str, volume: str, source: str) -> Tick | Reason:
    """Make a tick from texts such as the cells of a CSV row; return the reason instead if its record would be refused.

    The texts are read as `decode` reads a record, so what passes here is accepted there, unless it breaks a rule about
    the log's append time, which is not known here.

    >>> from_text("SPY", "167.41", "2013-10-07T13:30:00.007Z", "none", "replay")
    <Reason.VOLUME_TYPE: 'volume_type'>
    """
    try:
        tick = Tick(
            symbol, _read_float(price), msgspec.convert(timestamp, datetime), _read_float(volume), source=source
        )
    except msgspec.DecodeError:
        return _reason_of_text(price, timestamp)
    if not symbol.isascii():
        return Reason.SYMBOL_INVALID
    read = _read(_OF_TEXTS(key=symbol.encode(), value=_encode(tick)), Limits())
    return read if isinstance(read, Reason) else tick


def _reason_of_text(price: str, timestamp: str) -> Reason:
    try:
        _read_float(price)
    except msgspec.DecodeError as error:
        return Reason.PRICE_RANGE if "out of range" in str(error) else Reason.PRICE_TYPE
    try:
        msgspec.convert(timestamp, datetime)
    except msgspec.ValidationError:
        return Reason.TIMESTAMP_INVALID
    return Reason.VOLUME_TYPE


def is_symbol(text: str) -> bool:
    """Whether all of `text` is a symbol; case counts. A symbol has 1 to 32 characters: the first is one of `A-Z a-z 0-9
    ^ . $ # /`, the others are these, `= : _ & + @ ! -` or blanks, and the last is not a blank. So no symbol is taken
    for a formula by a spreadsheet, and none needs quotes in a CSV.

    >>> is_symbol("BRK.B"), is_symbol("ES=F"), is_symbol("AAPL  240119C00190000"), is_symbol("=A"), is_symbol("AAPL\\n")
    (True, True, True, False, False)
    """
    return _SYMBOL.fullmatch(text) is not None


@lru_cache(maxsize=65_536)
def _known(symbol: str) -> tuple[str, bytes] | None:
    """The symbol (the same object each time) and the key of its records; `None` if the text is not a symbol."""
    return (symbol, symbol.encode()) if is_symbol(symbol) else None


def is_source(text: str) -> bool:
    """Whether the text can be the source of a tick.

    >>> is_source("my_feed"), is_source("My feed")
    (True, False)
    """
    return _SOURCE.fullmatch(text) is not None


@lru_cache(maxsize=1_024)
def _source(text: str) -> str | None:
    return text if _SOURCE.fullmatch(text) else None


def epoch_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly; a datetime without a zone is taken as UTC.

    >>> epoch_us(datetime(1970, 1, 1, 0, 0, 1, 5))
    1000005
    """
    delta = moment - (_EPOCH_NAIVE if moment.tzinfo is None else _EPOCH)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment_of(us: int) -> datetime:
    """The moment, in UTC, that is `us` microseconds after the start of 1970: the inverse of `epoch_us`.

    >>> moment_of(1_000_005)
    datetime.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=datetime.timezone.utc)
    """
    return _EPOCH + timedelta(microseconds=us)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that settings can change: the size of a record, the age of a tick (`None`: any age), and how many
    symbols a partition and how many sources a symbol may have (see `names`).
    """

    max_record_bytes: int = MAX_RECORD_BYTES
    max_age_us: int | None = None
    max_symbols: int = 10_000
    max_sources: int = 32


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is not a tick, and the reason."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class TickBatch:
    """Accepted ticks as columns of equal length: one partition in log order, or several partitions one after another.

    `time_us` is the event time in microseconds since 1970; `change_percent` is NaN where the tick has none; `naive`
    says whether the tick's timestamp had no zone.
    """

    records: list[Record]
    symbols: list[str]
    sources: list[str]
    offsets: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]
    volumes: npt.NDArray[np.float64]
    change_percent: npt.NDArray[np.float64]
    producers: list[str | None]
    seqs: list[int | None]
    naive: list[bool]

    def __len__(self) -> int:
        return len(self.records)

    @classmethod
    def joined(cls, parts: Sequence["TickBatch"]) -> "TickBatch":
        """All ticks of `parts` (at least one part), in order."""
        if len(parts) == 1:
            return parts[0]
        values: dict[str, object] = {}
        for name in cls.__slots__:
            columns = [getattr(part, name) for part in parts]
            values[name] = np.concatenate(columns) if isinstance(columns[0], np.ndarray) else list(chain(*columns))
        return cls(**values)  # type: ignore[arg-type]  # each by name, with its own type

    def take(self, places: Sequence[int]) -> "TickBatch":
        """The ticks at the indexes `places`, in the order of `places`."""
        picked: dict[str, object] = {}
        for name in self.__slots__:
            column = getattr(self, name)
            picked[name] = column[places] if isinstance(column, np.ndarray) else [column[at] for at in places]
        return TickBatch(**picked)  # type: ignore[arg-type]  # each by name, with its own type

    def split(self, counts: Sequence[int]) -> list["TickBatch"]:
        """The first `counts[0]` ticks, the next `counts[1]` and so on; the counts must add up to all ticks."""
        if len(counts) == 1:
            return [self]
        columns = [getattr(self, name) for name in self.__slots__]
        ends = accumulate(counts)
        return [
            TickBatch(*(column[end - count : end] for column in columns))
            for count, end in zip(counts, ends, strict=True)
        ]

    def after(self, offset: int) -> int:
        """The index of the first tick at or past `offset`; all ticks must be of one partition."""
        return int(np.searchsorted(self.offsets, offset))


def decode(records: Sequence[Record], limits: Limits | None = None) -> tuple[TickBatch, list[Refused]]:
    """Read records as ticks; return the accepted ticks, and the refused records with their reasons, in log order."""
    limits = limits or Limits()
    batch = _read_together(records, limits)
    if batch is not None:
        return batch, []
    kept: list[Record] = []
    symbols: list[str] = []
    sources: list[str] = []
    ticks: list[Tick] = []
    refused: list[Refused] = []
    for record in records:
        row = _read(record, limits)
        if isinstance(row, Reason):
            refused.append(Refused(record, row))
        else:
            symbol, source, tick = row
            kept.append(record)
            symbols.append(symbol)
            sources.append(source)
            ticks.append(tick)
    return _batch(kept, symbols, sources, ticks), refused


def _batch(records: Sequence[Record], symbols: list[str], sources: list[str], ticks: Sequence[Tick]) -> TickBatch:
    time_us, naive = _times([tick.timestamp for tick in ticks])
    return TickBatch(
        records=list(records),
        symbols=symbols,
        sources=sources,
        offsets=np.array([record.offset for record in records], dtype=np.int64),
        time_us=time_us,
        prices=np.array([tick.price for tick in ticks], dtype=np.float64),
        volumes=np.array([tick.volume or 0.0 for tick in ticks], dtype=np.float64),
        change_percent=np.array([tick.change_percent for tick in ticks], dtype=np.float64),  # None becomes NaN
        producers=[tick.producer for tick in ticks],
        seqs=[tick.seq for tick in ticks],
        naive=naive,
    )


_EXACT_SECONDS = 2.0**31
"""Up to this many seconds (68 years), a time in seconds is less than half a microsecond off as a float."""


def _times(moments: Sequence[datetime]) -> tuple[npt.NDArray[np.int64], list[bool]]:
    """`epoch_us` of each moment, and whether it has no zone.

    Computed as distances from the first moment, all of them take a third of the time that calls of `epoch_us` would
    take.
    """
    try:
        away = np.array([(moment - moments[0]).total_seconds() for moment in moments], dtype=np.float64)
    except TypeError:  # some have a zone, others none
        away = np.array([np.inf])
    if np.abs(away).max(initial=0.0) > _EXACT_SECONDS:
        exact = np.array([epoch_us(moment) for moment in moments], dtype=np.int64)
        return exact, [moment.tzinfo is None for moment in moments]
    first_us, is_naive = (epoch_us(moments[0]), moments[0].tzinfo is None) if moments else (0, False)
    return first_us + np.rint(away * 1e6).astype(np.int64), [is_naive] * len(moments)


def _read_together(records: Sequence[Record], limits: Limits) -> TickBatch | None:
    """All records as ticks, in half the time that `_read` takes; `None` if any of them might be refused."""
    values = [record.value for record in records if record.value is not None]
    if not values or len(values) < len(records):
        return None
    whole = b"".join(values)
    # Each tick has at least one opening bracket: if all values together have fewer than MAX_NESTING beyond one each, no
    # value has more than MAX_NESTING.
    openings = whole.count(b"[") + whole.count(b"{")
    if not whole.isascii() or openings >= len(values) + MAX_NESTING or max(map(len, values)) > limits.max_record_bytes:
        return None
    try:
        ticks = [_decode_tick(value) for value in values]
        texts, given = [tick.symbol for tick in ticks], [tick.source for tick in ticks]
        # A batch has few names, and each is checked once. The ticks get the text that `_known` keeps.
        known = {text: _known(text[:_SYMBOL_CUT]) for text in set(texts)}
        named = {text: _source("unknown" if text is None else text[:_SOURCE_CUT]) for text in set(given)}
        symbols = {text: names[0] for text, names in known.items() if names}
        keys = {text: names[1] for text, names in known.items() if names}
        sources = {text: source for text, source in named.items() if source}
        if len(symbols) < len(known) or len(sources) < len(named):
            return None
        if list(map(keys.__getitem__, texts)) != [record.key for record in records]:
            return None
        batch = _batch(records, list(map(symbols.__getitem__, texts)), list(map(sources.__getitem__, given)), ticks)
    except (msgspec.DecodeError, RecursionError, OverflowError):
        return None
    is_plain = (
        (batch.prices.min() >= PRICE_MIN and batch.prices.max() <= PRICE_MAX)
        and (batch.time_us.min() >= FIRST_YEAR_US and batch.time_us.max() < END_YEAR_US)
        and (batch.volumes.min() >= 0 and batch.volumes.max() < VOLUME_LIMIT)
        and all(producer is None or 1 <= len(producer) <= 64 for producer in set(batch.producers))
        and min(filter(None, batch.seqs), default=0) >= 0
        and _are_in_time(batch, limits)
    )
    return batch if is_plain else None


def _are_in_time(batch: TickBatch, limits: Limits) -> bool:
    kinds = {record.timestamp_type for record in batch.records}
    if kinds != {LOG_APPEND_TIME}:
        return LOG_APPEND_TIME not in kinds
    appended_ms = np.array([record.timestamp for record in batch.records])
    # Compared in whole milliseconds, rounded to the strict side: append times in microseconds might exceed 64 bits.
    not_ahead = np.all(-(-(batch.time_us - MAX_AHEAD_US) // 1000) <= appended_ms)
    not_old = limits.max_age_us is None or np.all((batch.time_us + limits.max_age_us) // 1000 >= appended_ms)
    return bool(not_ahead and not_old)


def _read(record: Record, limits: Limits) -> tuple[str, str, Tick] | Reason:
    value = record.value
    if value is None:
        return Reason.BATCH_TOO_LARGE if isinstance(record, Oversized) else Reason.TOMBSTONE
    if len(value) > limits.max_record_bytes:
        return Reason.TOO_LARGE
    if value.count(b"[") + value.count(b"{") > MAX_NESTING:
        return Reason.NESTING
    try:
        if not value.isascii():
            value.decode()
        tick = _decode_tick(value)
    except UnicodeDecodeError:
        return Reason.NOT_UTF8
    except msgspec.ValidationError as error:
        return reason_of(error)
    except msgspec.DecodeError:
        return Reason.NOT_JSON
    known = _known(tick.symbol[:_SYMBOL_CUT])
    if known is None:
        return Reason.SYMBOL_INVALID
    symbol, key = known
    if record.key != key:
        return Reason.KEY_MISSING if record.key is None else Reason.KEY_MISMATCH
    if not PRICE_MIN <= tick.price <= PRICE_MAX:
        return Reason.PRICE_RANGE
    time_us = epoch_us(tick.timestamp)
    if not FIRST_YEAR_US <= time_us < END_YEAR_US:
        return Reason.TIMESTAMP_RANGE
    if record.timestamp_type == LOG_APPEND_TIME:
        appended_us = record.timestamp * 1000
        if time_us > appended_us + MAX_AHEAD_US:
            return Reason.TIMESTAMP_FUTURE
        if limits.max_age_us is not None and time_us < appended_us - limits.max_age_us:
            return Reason.TIMESTAMP_TOO_OLD
    if tick.volume is not None and not 0 <= tick.volume < VOLUME_LIMIT:
        return Reason.VOLUME_RANGE
    source = _source("unknown" if tick.source is None else tick.source[:_SOURCE_CUT])
    if source is None:
        return Reason.SOURCE_INVALID
    if tick.producer is not None and not 1 <= len(tick.producer) <= 64:
        return Reason.PRODUCER_INVALID
    if tick.seq is not None and tick.seq < 0:
        return Reason.SEQ_RANGE
    return symbol, source, tick
