"""Known layouts without a header, recognised by the file's name, by the content of its columns, or by both.

LEAN, Binance, NYSE TAQ, LOBSTER, TrueFX, HistData, Stooq, MetaTrader, and plain rows of a time and prices. The layouts
are those that their vendors document.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tickflow.sources.files import names
from tickflow.sources.files.amounts import number, numbers
from tickflow.sources.files.times import epoch_unit, read_clock, read_time
from tickflow.ticks.tick import SYMBOL_CHARACTERS

NEW_YORK = ZoneInfo("America/New_York")
CANDLES = (
    ("open", "high", "low", "close"),
    ("low", "high", "open", "close"),  # Coinbase
    ("open", "close", "high", "low"),  # Bitfinex
    ("high", "low", "open", "close"),  # IQFeed
)


@dataclass(frozen=True)
class Known:
    """A recognised layout: its name, its columns by role, and how to interpret its times and prices."""

    what: str
    columns: Mapping[str, int]
    time: tuple[int, ...] = (0,)
    clock_unit: str | None = None
    zone: tzinfo | None = None
    scale: float = 1.0
    symbol: str | None = None
    bar_s: int | None = None
    select: tuple[int, frozenset[str]] | None = None
    signed: bool = False


class Sample:
    """The first rows as columns, with checks for the content of a column."""

    def __init__(self, columns: Sequence[Sequence[str]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    def values(self, at: int) -> Any:
        """The column as numbers."""
        return numbers(self.columns[at]).values

    def all(self, at: int, test: Callable[[str], object]) -> bool:
        """Whether the test holds for every filled cell of the column; at least one cell must be filled."""
        filled = [cell for cell in self.columns[at] if cell]
        return bool(filled) and all(map(test, filled))

    def is_number(self, at: int) -> bool:
        """Whether a column holds numbers."""
        return self.all(at, lambda cell: number(cell) is not None)

    def is_int(self, at: int) -> bool:
        """Whether a column holds whole numbers."""
        return self.all(at, lambda cell: re.fullmatch(r"-?\d+", cell))

    def is_epoch(self, at: int) -> bool:
        """Whether a column holds times since 1970."""
        if not self.is_number(at):
            return False
        return epoch_unit([float(value) for value in self.values(at) if value == value]) is not None

    def is_time(self, at: int) -> bool:
        """Whether a column holds dates, with or without a time of day."""
        return self.all(at, lambda cell: read_time(cell, "mdy") or read_time(cell, "dmy"))

    def is_flag(self, at: int) -> bool:
        """Whether a column contains only true and false."""
        return self.all(at, lambda cell: cell.lower() in ("true", "false"))


def headerless(sample: Sample, file: Sequence[str]) -> Known | None:
    """The layout of rows without a header; `file` has the names on the path to the file, its own name last."""
    for recognise in (
        _lean,
        _lobster,
        _taq,
        _binance_trades,
        _kraken_answer,
        _bitfinex_trades,
        _stooq,
        _truefx,
        _iqfeed,
    ):
        if known := recognise(sample, file):
            return known
    return _plain(sample, file)


# --- LEAN ---

_LEAN = re.compile(
    r"(\d{8})_(.+?)_(minute|second|tick|hour|daily)_(trade|quote|openinterest)(?:_(.+))?$", re.IGNORECASE
)
_LEAN_ZIP = re.compile(r"(?:^|_)(\d{8})_(trade|quote)$", re.IGNORECASE)
_MARKETS = (
    "crypto",
    "cryptofuture",
    "forex",
    "cfd",
    "futures",
    "future",
    "options",
    "option",
    "equity",
    "index",
    "indexoption",
    "futureoption",
)


def _lean(sample: Sample, file: Sequence[str]) -> Known | None:
    words = {word for name in file for word in re.split(r"[_/.!-]", name.lower())}
    market = next((each for each in _MARKETS if each in words), None)
    found = _LEAN.match(names.stem(file[-1]))
    if found is None:
        return _lean_days(sample, file, market)
    _, symbol, resolution, kind, rest = (part.lower() if part else "" for part in found.groups())
    if kind == "openinterest" or not (sample.is_number(0) or sample.is_time(0)):
        return None
    symbol = symbol.upper()
    if rest:
        symbol = f"{symbol} {_contract(rest)}"[:SYMBOL_CHARACTERS].strip()
    unit = "ms" if sample.is_int(0) or not sample.is_time(0) else None
    layout = _lean_columns(sample, resolution, kind)
    if layout is None:
        return None
    columns, select = layout
    whole = all(sample.is_int(at) for role, at in columns.items() if role != "volume")
    scale = 10_000.0 if market in ("equity", "option", "options") or (market is None and whole) else 1.0
    zone = _lean_zone(market, scale, sample, columns, words)
    if market in ("option", "options", "future", "futures", "index") and scale == 1.0 and market != "crypto":
        zone = NEW_YORK if market in ("option", "options", "index") else zone
    seconds = {"second": 1, "minute": 60, "hour": 3600, "daily": 86_400}.get(resolution)
    scaled = ", prices in ten-thousandths" if scale != 1.0 else ""
    note = "; ticks that the vendor marked as suspicious are skipped" if select else ""
    return Known(
        f"LEAN {resolution} {kind}s{scaled}{note}", columns, clock_unit=unit, zone=zone, scale=scale, symbol=symbol,
        bar_s=seconds, select=select,
    )  # fmt: skip


def _contract(rest: str) -> str:
    """The contract of an option or a future: "american_call_415000_20141018" becomes "20141018 C 41.5"."""
    parts = rest.split("_")
    days = [part for part in parts if re.fullmatch(r"\d{8}", part)]
    right = next((part[0].upper() for part in parts if part in ("call", "put")), "")
    strikes = [part for part in parts if part.isdigit() and part not in days]
    if right and days and strikes:
        return f"{days[-1]} {right} {int(strikes[0]) / 10_000:g}"
    return (days or strikes or [""])[-1]


def _lean_columns(sample: Sample, resolution: str, kind: str) -> tuple[dict[str, int], Any] | None:
    width = len(sample)
    if kind == "trade" and resolution == "tick":
        if width < 3:
            return None
        flag = 5 if width >= 6 else 3 if width == 4 else None
        select = (flag, frozenset({"0", ""})) if flag is not None and sample.is_int(flag) else None
        return {"price": 1, "volume": 2}, select
    if kind == "quote" and resolution == "tick":
        if width == 3:
            return {"bid": 1, "ask": 2}, None
        if width < 5:
            return None
        flag = 7 if width >= 8 else 5 if width == 6 else None
        select = (flag, frozenset({"0", ""})) if flag is not None and sample.is_int(flag) else None
        return {"bid": 1, "ask": 3}, select
    if kind == "quote":
        return ({"bid": 4, "ask": 9}, None) if width in (10, 11) else None
    if width not in (5, 6, 7):
        return None
    columns = dict(zip(("open", "high", "low", "close", "volume"), range(1, width), strict=False))
    return columns, None


def _lean_days(sample: Sample, file: Sequence[str], market: str | None) -> Known | None:
    """LEAN's daily and hourly bars, one file per symbol: `19980102 00:00,136300,162500,135000,162500,6315000`."""
    if not sample.all(0, lambda cell: re.fullmatch(r"\d{8} \d\d:\d\d", cell)):
        return None
    name = names.stem(file[-1]).lower()
    symbol, _, rest = name.partition("_")
    width = len(sample)
    if width in (10, 11):
        layout: tuple[dict[str, int], Any] | None = ({"bid": 4, "ask": 9}, None)
        kind = "quote"
    else:
        layout, kind = _lean_columns(sample, "daily", "trade"), "trade"
    if layout is None or not all(sample.is_number(at) for at in range(1, min(width, 6))):
        return None
    columns = layout[0]
    contract = _contract(re.sub(r"^(?:trade|quote)_?", "", rest)) if re.search(r"\d{6,8}", rest) else ""
    symbol = f"{symbol.upper()} {contract}".strip()
    whole = all(sample.is_int(at) for role, at in columns.items() if role != "volume")
    scale = 10_000.0 if market in ("equity", "option", "options") or (market is None and whole) else 1.0
    words = {word for each in file for word in re.split(r"[_/.!-]", each.lower())}
    zone = _lean_zone(market, scale, sample, columns, words)
    days = sample.all(0, lambda cell: cell.endswith(" 00:00"))
    scaled = ", prices in ten-thousandths" if scale != 1.0 else ""
    return Known(
        f"LEAN {'daily' if days else 'hourly'} {kind}s{scaled}", columns, zone=zone, scale=scale,
        symbol=symbol, bar_s=86_400 if days else 3600,
    )  # fmt: skip


def _lean_zone(
    market: str | None, scale: float, sample: Sample, columns: Mapping[str, int], words: set[str]
) -> tzinfo | None:
    if scale != 1.0 or market in ("equity", "option", "options", "index", "indexoption"):
        return NEW_YORK
    if market in ("crypto", "cryptofuture") or words & {
        "oanda",
        "binance",
        "coinbase",
        "gdax",
        "bitfinex",
        "kraken",
        "bybit",
    }:
        return UTC
    if market is None and "volume" in columns and not sample.is_int(columns["volume"]):
        return UTC  # volumes are fractions of a coin: a crypto market, in UTC
    return None


# --- others ---


def _lobster(sample: Sample, file: Sequence[str]) -> Known | None:
    """LOBSTER's messages: seconds since midnight, type, order, size, price in ten-thousandths, direction."""
    if len(sample) not in (6, 7) or not all(sample.is_number(at) for at in range(6)):
        return None
    seconds, direction = sample.values(0), sample.columns[5]
    is_it = (
        sample.all(1, lambda cell: cell in {"1", "2", "3", "4", "5", "6", "7"})
        and all(cell in {"1", "-1"} for cell in direction)
        and bool((seconds < 86_400).all() and (seconds > 0).all())
    )
    if not is_it:
        return None
    symbol = re.match(r"([A-Z.]+)_\d{4}-\d\d-\d\d", names.stem(file[-1]))
    return Known(
        "LOBSTER messages, prices in ten-thousandths; the executions (types 4 and 5) and crosses (6) are the trades",
        {"price": 4, "volume": 3}, clock_unit="s", zone=NEW_YORK, scale=10_000.0,
        symbol=symbol[1] if symbol else None, select=(1, frozenset("456")),
    )  # fmt: skip


TAQ_TRADE = "220"
TAQ_MESSAGES = frozenset({"2", "3", "32", "34", "35", "220", "221", "222", "223"})


def _taq(sample: Sample, file: Sequence[str]) -> Known | None:
    """NYSE's TAQ trade messages: 220, sequence, time of day, symbol, sequence of the symbol, trade, price, volume."""
    if len(sample) < 8 or not sample.all(0, lambda cell: cell == TAQ_TRADE):
        return None
    if not (sample.all(2, read_clock) and sample.is_number(6) and sample.is_number(7)):
        return None
    return Known(
        "NYSE TAQ messages; those of type 220 are the trades",
        {"symbol": 3, "price": 6, "volume": 7},
        time=(2,),
        zone=NEW_YORK,
    )


def _binance_trades(sample: Sample, file: Sequence[str]) -> Known | None:
    """Binance's trades (id, price, qty, quote qty, time, flags), and aggregates (first, last before their time)."""
    for at, what in ((4, "trades"), (5, "aggregated trades")):
        fits = len(sample) in (at + 2, at + 3) and sample.is_int(0) and sample.is_epoch(at) and sample.is_flag(at + 1)
        if fits and sample.is_number(1) and sample.is_number(2):
            return Known(f"Binance {what}", {"price": 1, "volume": 2}, time=(at,))
    return None


def _stooq(sample: Sample, file: Sequence[str]) -> Known | None:
    """Stooq's rows: ticker, period, date, time, open, high, low, close, volume, open interest."""
    if len(sample) < 8 or not sample.all(1, lambda cell: re.fullmatch(r"[DWM]|\d{1,4}", cell)):
        return None
    if not (sample.all(2, lambda cell: re.fullmatch(r"\d{8}", cell)) and sample.is_time(2) and sample.is_int(3)):
        return None
    if not all(sample.is_number(at) for at in range(4, 8)) or sample.is_number(0):
        return None
    columns = {"symbol": 0, "open": 4, "high": 5, "low": 6, "close": 7} | ({"volume": 8} if len(sample) > 8 else {})
    return Known("Stooq bars", columns, time=(2, 3))


def _truefx(sample: Sample, file: Sequence[str]) -> Known | None:
    """TrueFX: EUR/USD,20120301 00:00:00.123,1.33230,1.33240, in GMT."""
    if len(sample) != 4 or not sample.all(0, lambda cell: re.fullmatch(r"[A-Z]{3}/[A-Z]{3}", cell)):
        return None
    if not (sample.is_time(1) and sample.is_number(2) and sample.is_number(3)):
        return None
    return Known("TrueFX quotes, times in GMT", {"symbol": 0, "bid": 2, "ask": 3}, time=(1,), zone=UTC)


def _plain(sample: Sample, file: Sequence[str]) -> Known | None:
    """A time (or a date and a time of day), possibly with a symbol in front of it, and then prices."""
    at, columns = 0, dict[str, int]()
    if not (sample.is_time(0) or sample.is_epoch(0)):
        if len(sample) > 2 and sample.all(0, lambda cell: re.fullmatch(r"[A-Za-z][\w.^/=:-]{0,20}", cell)):
            columns["symbol"], at = 0, 1
        if not (sample.is_time(at) or sample.is_epoch(at)):
            return None
    time: tuple[int, ...] = (at,)
    begin = at + 1
    dates_only = sample.all(
        at, lambda cell: (read := read_time(cell, "mdy") or read_time(cell, "dmy")) and not read.has_clock
    )
    is_clock = begin < len(sample) and (
        sample.all(begin, lambda cell: ":" in cell and read_clock(cell)) or _are_clock_numbers(sample, begin)
    )
    if dates_only and is_clock:
        time, begin = (at, begin), begin + 1
    if (
        "symbol" not in columns
        and begin < len(sample)
        and sample.all(begin, lambda cell: re.fullmatch(r"[A-Za-z][\w.^/=:-]{0,20}", cell))
    ):
        columns["symbol"], begin = begin, begin + 1
    prices: list[int] = []
    while begin + len(prices) < len(sample) and sample.is_number(begin + len(prices)):
        prices.append(begin + len(prices))
    zone = _histdata_zone(sample, file)
    note = " in HistData's form, times in EST without summer time" if zone is not None else ""
    if len(prices) >= 4 and (order := candles([sample.values(each) for each in prices[:4]])):
        columns |= dict(zip(order, prices, strict=False))
        if len(prices) > 4:
            is_total = order[0] == "high" and len(prices) > 6  # IQFeed: the day's volume comes before the bar's
            is_second = len(prices) > 5 and (is_total or _is_average(sample, columns, prices[4]))
            columns["volume"] = prices[5 if is_second else 4]
        return Known(f"bars ({', '.join(order)}){note}", columns, time=time, zone=zone)
    if len(prices) == 4 and _is_quoted_trade(sample, prices):
        what = "a price, its bid and ask, and a volume"
        return Known(what, columns | {"price": prices[0], "volume": prices[3]}, time=time)
    if len(prices) >= 2 and _are_quotes(sample, prices[0], prices[1]):
        columns |= {"bid": prices[0], "ask": prices[1]}
        return Known(f"quotes (bid, ask){note}", columns, time=time, zone=zone)
    if len(prices) == 2 and not _are_alike(sample, prices[0], prices[1]):
        return Known("a time, a price and a volume", columns | {"price": prices[0], "volume": prices[1]}, time=time)
    if len(prices) == 1:
        return Known("a time and a price", columns | {"price": prices[0]}, time=time)
    return None


def _is_average(sample: Sample, columns: Mapping[str, int], at: int) -> bool:
    """Whether a column is the average price of its bar, between low and high: Kraken has it before the volume."""
    values, low, high = sample.values(at), sample.values(columns["low"]), sample.values(columns["high"])
    return bool(((values == 0) | ((values >= low * 0.999) & (values <= high * 1.001))).all() and values.any())


def _kraken_answer(sample: Sample, file: Sequence[str]) -> Known | None:
    """Kraken's recent trades: price, volume, time, buy or sell, market or limit."""
    if len(sample) < 5 or not (sample.is_number(0) and sample.is_number(1) and sample.is_epoch(2)):
        return None
    if not (sample.all(3, lambda cell: cell in ("b", "s")) and sample.all(4, lambda cell: cell in ("m", "l"))):
        return None
    return Known("Kraken trades", {"price": 0, "volume": 1}, time=(2,))


def _bitfinex_trades(sample: Sample, file: Sequence[str]) -> Known | None:
    """Bitfinex's trades: number, time, amount (below zero for a sale), price."""
    if len(sample) != 4 or not (
        sample.is_int(0) and sample.is_epoch(1) and sample.is_number(2) and sample.is_number(3)
    ):
        return None
    if sample.is_epoch(0) or not (sample.values(2) < 0).any() or not (sample.values(3) > 0).all():
        return None
    what = "Bitfinex trades; an amount below zero is a sale"
    return Known(what, {"price": 3, "volume": 2}, time=(1,), signed=True)


def _iqfeed(sample: Sample, file: Sequence[str]) -> Known | None:
    """IQFeed's trades: time, last, size, the day's volume, bid, ask, number, basis (C, E or O), ..."""
    if len(sample) < 8 or not (sample.is_time(0) and all(sample.is_number(at) for at in range(1, 7))):
        return None
    if not (sample.all(7, lambda cell: cell in ("C", "E", "O")) and _are_alike(sample, 4, 5)):
        return None
    return Known("IQFeed trades", {"price": 1, "volume": 2})


def _are_clock_numbers(sample: Sample, at: int) -> bool:
    """Whether a column next to a date has times of day such as 930, with the prices of bars after it."""
    if len(sample) < at + 5 or not sample.all(at, lambda cell: cell.isdecimal() and read_clock(cell)):
        return False
    four = range(at + 1, at + 5)
    return all(map(sample.is_number, four)) and candles([sample.values(each) for each in four]) is not None


def _is_quoted_trade(sample: Sample, prices: Sequence[int]) -> bool:
    """Whether four columns are a price, a bid and an ask around it, and a volume (Kibot, NinjaTrader)."""
    price, bid, ask, volume = (sample.values(at) for at in prices)
    with np.errstate(all="ignore"):
        around = (bid <= ask) & (price > 0.9 * bid) & (price < 1.1 * ask) & (volume >= 0)
    inside = (price >= bid) & (price <= ask)
    return bool(
        around.all() and (bid < ask).any() and inside.mean() >= 0.8 and not _are_alike(sample, prices[0], prices[3])
    )


def _histdata_zone(sample: Sample, file: Sequence[str]) -> tzinfo | None:
    if re.match(r"(?:HISTDATA|DAT)_", names.stem(file[-1]), re.IGNORECASE):
        return timezone(timedelta(hours=-5))
    return None


def _are_quotes(sample: Sample, bid: int, ask: int) -> bool:
    spread = sample.values(ask) - sample.values(bid)
    return _are_alike(sample, bid, ask) and bool((spread >= 0).all() and (spread > 0).any())


def _are_alike(sample: Sample, one: int, two: int) -> bool:
    with np.errstate(all="ignore"):
        ratio = sample.values(two) / sample.values(one)
    return bool(((ratio > 0.9) & (ratio < 1.1)).all())


def candles(four: Sequence[Any]) -> tuple[str, ...] | None:
    """The order of four columns of prices (open, high, low, close), deduced from their values; `None` if they are not
    bars.

    >>> candles([[1.0, 2.0], [1.5, 2.5], [0.9, 1.5], [1.2, 2.2]])
    ('open', 'high', 'low', 'close')
    """
    fits: list[tuple[float, tuple[str, ...]]] = []
    with np.errstate(all="ignore"):
        for order in CANDLES:
            found = {role: np.asarray(values, dtype=float) for role, values in zip(order, four, strict=True)}
            rows = ~np.isnan(sum(found.values()))
            if not rows.any():
                return None
            top = np.maximum(found["open"], found["close"])
            bottom = np.minimum(found["open"], found["close"])
            with_sense = (found["low"] > 0) & (found["high"] < 3 * found["low"])
            slack = 1e-6 * np.abs(found["high"])
            inside = (found["high"] >= top - slack) & (found["low"] <= bottom + slack) & with_sense
            fits.append((float(inside[rows].mean()), order))
    best = max(share for share, _ in fits)
    if best < 0.9:
        return None
    winners = [order for share, order in fits if share == best]
    return winners[0] if len(winners) == 1 or CANDLES[0] in winners else None
