# ruff: noqa: DTZ001, E501 - wall times have no zone here; a row is easiest to read on one line
"""A corpus of files in common layouts, each generated here with the ticks that reading it must produce.

The rows are invented. The ticks of each file are computed by plain arithmetic, independently of the tested code.
"""

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import zstandard

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


class Bar(NamedTuple):
    """A bar: its start in wall time without a zone, its prices and its volume."""

    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int


class Trade(NamedTuple):
    """A trade: its time in UTC, its price and its volume."""

    at: datetime
    price: float
    volume: float | None


Meant = tuple[str, datetime, float, float | None]


@dataclass
class Case:
    """A file: its name, its bytes, the flags it needs, and the expected ticks (symbol, UTC time, price, volume)."""

    layout: str
    name: str
    body: bytes
    meant: Sequence[Meant]
    flags: dict[str, Any] = field(default_factory=dict)
    codec: str = "utf-8"

    @property
    def is_text(self) -> bool:
        """Whether a test can change single lines of the file."""
        return self.name.endswith((".csv", ".txt", ".tsv", ".psv")) and b"\0" not in self.body


def days(count: int = 40, seed: int = 1) -> list[Bar]:
    """Daily bars of weekdays, starting on 2 January 2024."""
    return _bars(
        [at for n in range(count * 2) if (at := datetime(2024, 1, 2) + timedelta(days=n)).weekday() < 5][:count], seed
    )


def minutes(count: int = 60, step: int = 1, start: datetime = datetime(2024, 1, 16, 9, 30), seed: int = 2) -> list[Bar]:
    """Bars of `step` minutes, starting at `start`."""
    return _bars([start + timedelta(minutes=n * step) for n in range(count)], seed)


def _bars(times: Sequence[datetime], seed: int) -> list[Bar]:
    rng = random.Random(seed)
    price, found = 187.5, []
    for at in times:
        opened = price
        price = round(price + rng.gauss(0, 1), 2)
        high = round(max(opened, price) + rng.random() + 0.01, 2)
        low = round(min(opened, price) - rng.random() - 0.01, 2)
        found.append(Bar(at, opened, high, low, price, rng.randrange(100_000, 90_000_000)))
    return found


def trades(count: int = 80, seed: int = 3, step_us: int = 137_251) -> list[Trade]:
    """Several trades per second, starting on 16 January 2024 at 14:30 UTC."""
    rng = random.Random(seed)
    at, price, found = datetime(2024, 1, 16, 14, 30, tzinfo=UTC), 187.5, []
    for _ in range(count):
        at += timedelta(microseconds=rng.randrange(1, step_us))
        price = round(price + rng.choice((-0.01, 0, 0.01, 0.02)), 2)
        found.append(Trade(at, price, float(rng.randrange(1, 500))))
    return found


def at_end(
    bars: Sequence[Bar], zone: Any, length: timedelta, symbol: str, *, whole: bool = False, factor: float = 1
) -> list[Meant]:
    """The bars' closes as ticks at the bars' ends: after `length` of elapsed time, or with `whole`, when the wall clock
    is `length` ahead.
    """
    found: list[Meant] = []
    for bar in bars:
        if whole:
            end = (bar.at + length).replace(tzinfo=zone).astimezone(UTC)
        else:
            end = bar.at.replace(tzinfo=zone).astimezone(UTC) + length
        found.append((symbol, end, bar.close, bar.volume * factor))
    return found


DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CASES: dict[str, Callable[[], Case]] = {}


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    """Add to the corpus a function that makes a file."""
    CASES[make.__name__] = make
    return make


def lines(*rows: str) -> bytes:
    """The rows as bytes, each ended by a newline."""
    return ("\n".join(rows) + "\n").encode()


def epoch(at: datetime, unit: str) -> int:
    """The time since 1970, in the given unit."""
    us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return {"s": us // 1_000_000, "ms": us // 1_000, "us": us, "ns": us * 1_000}[unit]


NY = {"timezone": "America/New_York"}
AAPL = {"symbol": "AAPL"}


# --- daily bars ---


def _daily(
    layout: str, header: str, row: Callable[[Bar], str], name: str = "AAPL.csv", flags: Any = None, newest: bool = False
) -> Case:
    bars = days()
    shown = bars[::-1] if newest else bars
    meant = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True)
    return Case(layout, name, lines(header, *map(row, shown)), meant, NY if flags is None else flags)


@case
def yahoo_daily() -> Case:
    return _daily(
        "Yahoo",
        "Date,Open,High,Low,Close,Adj Close,Volume",
        lambda b: f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.close * 0.98},{b.volume}",
    )


@case
def yfinance_zoned() -> Case:
    bars = days(20)
    rows = [f"{b.at:%Y-%m-%d} 00:00:00-05:00,{b.open},{b.high},{b.low},{b.close},{b.volume},0.0,0.0" for b in bars]
    meant = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True)
    return Case(
        "yfinance",
        "my download.csv",
        lines("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits", *rows),
        meant,
        AAPL,
    )


@case
def yfinance_multi() -> Case:
    bars, other = days(), days(seed=9)
    head = [
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume",
        "Ticker" + ",AAPL,MSFT" * 5,
        "Date" + "," * 10,
    ]
    rows = [
        f"{a.at:%Y-%m-%d},{a.close},{b.close},{a.high},{b.high},{a.low},{b.low},{a.open},{b.open},{a.volume},{b.volume}"
        for a, b in zip(bars, other, strict=True)
    ]
    one, two = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True), at_end(other, NEW_YORK, DAY, "MSFT", whole=True)
    return Case(
        "yfinance, several",
        "dump.csv",
        lines(*head, *rows),
        [tick for pair in zip(one, two, strict=True) for tick in pair],
        NY,
    )


@case
def yfinance_old_multi() -> Case:
    bars, other = days(), days(seed=9)
    head = [",Adj Close,Adj Close,Close,Close,Volume,Volume", ",AAPL,MSFT,AAPL,MSFT,AAPL,MSFT", "Date,,,,,,"]
    rows = [
        f"{a.at:%Y-%m-%d},{a.close / 2},{b.close / 2},{a.close},{b.close},{a.volume},{b.volume}"
        for a, b in zip(bars, other, strict=True)
    ]
    one, two = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True), at_end(other, NEW_YORK, DAY, "MSFT", whole=True)
    return Case(
        "yfinance, several",
        "dump.csv",
        lines(*head, *rows),
        [tick for pair in zip(one, two, strict=True) for tick in pair],
        NY,
    )


@case
def stooq_daily() -> Case:
    return _daily(
        "Stooq",
        "Date,Open,High,Low,Close,Volume",
        lambda b: f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "aapl_us_d.csv",
        NY | AAPL,
    )


@case
def stooq_bulk() -> Case:
    return _daily(
        "Stooq", "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        lambda b: f"AAPL,D,{b.at:%Y%m%d},000000,{b.open},{b.high},{b.low},{b.close},{b.volume},0", "aapl.us.txt",
    )  # fmt: skip


@case
def stooq_headerless() -> Case:
    bars = days()
    rows = [f"AAPL.US,D,{b.at:%Y%m%d},000000,{b.open},{b.high},{b.low},{b.close},{b.volume},0" for b in bars]
    return Case("Stooq", "d_us.txt", lines(*rows), at_end(bars, NEW_YORK, DAY, "AAPL.US", whole=True), NY)


@case
def kaggle_many() -> Case:
    bars, other = days(20), days(20, seed=9)
    rows = [
        f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume},{name}"
        for name, table in (("AAPL", bars), ("AMZN", other))
        for b in table
    ]
    meant = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True) + at_end(other, NEW_YORK, DAY, "AMZN", whole=True)
    return Case("Kaggle", "all_stocks_5yr.csv", lines("date,open,high,low,close,volume,Name", *rows), meant, NY)


@case
def kaggle_indexed() -> Case:
    bars = days()
    rows = [f"{n},{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume},0" for n, b in enumerate(bars)]
    return Case(
        "Kaggle with an index",
        "AAPL.csv",
        lines(",Date,Open,High,Low,Close,Volume,OpenInt", *rows),
        at_end(bars, NEW_YORK, DAY, "AAPL", whole=True),
        NY,
    )


@case
def r_table() -> Case:
    bars = days()
    rows = [f'"{n}","{b.at:%Y-%m-%d}",{b.open},{b.high},{b.low},{b.close},{b.volume}' for n, b in enumerate(bars, 1)]
    return Case(
        "R",
        "AAPL.csv",
        lines('"date","open","high","low","close","volume"', *rows),
        at_end(bars, NEW_YORK, DAY, "AAPL", whole=True),
        NY,
    )


@case
def nasdaq() -> Case:
    return _daily(
        "nasdaq.com", "Date,Close/Last,Volume,Open,High,Low", lambda b: f"{b.at:%m/%d/%Y},${b.close},{b.volume},${b.open},${b.high},${b.low}",
        "HistoricalData_1700000000000.csv", NY | AAPL, newest=True,
    )  # fmt: skip


@case
def investing() -> Case:
    bars = [bar._replace(volume=round(bar.volume, -4)) for bar in days()]
    rows = [
        f'"{b.at:%m/%d/%Y}","{b.close:.2f}","{b.open:.2f}","{b.high:.2f}","{b.low:.2f}","{b.volume / 1e6:.2f}M","0.12%"'
        for b in reversed(bars)
    ]
    meant = at_end(bars, NEW_YORK, DAY, "AAPL", whole=True)
    body = "\ufeff" + lines('"Date","Price","Open","High","Low","Vol.","Change %"', *rows).decode()
    return Case("investing.com", "AAPL Historical Data.csv", body.encode(), meant, NY | AAPL)


@case
def investing_german() -> Case:
    def n(value: float) -> str:
        return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")

    bars = [
        bar._replace(
            volume=round(bar.volume, -4),
            open=bar.open + 1000,
            close=round(bar.close + 1000, 2),
            high=bar.high + 1000,
            low=bar.low + 1000,
        )
        for bar in days()
    ]
    rows = [
        f'"{b.at:%d.%m.%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{b.volume / 1e6:.2f}M"'.replace(
            "M", "M"
        )
        for b in reversed(bars)
    ]
    rows = [
        row if "M" not in row else row[: row.rindex(',"')] + row[row.rindex(',"') :].replace(".", ",") for row in rows
    ]
    return Case(
        "investing.com, German",
        "SAP_historical.csv",
        lines('"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol."', *rows),
        at_end(bars, BERLIN, DAY, "SAP", whole=True),
        {"timezone": "Europe/Berlin", "symbol": "SAP"},
    )


@case
def google_finance() -> Case:
    bars = days()
    rows = [f"{b.at.month}/{b.at.day}/{b.at.year} 16:00:00,{b.close}" for b in bars]
    meant = [
        ("AAPL", (b.at + timedelta(hours=16)).replace(tzinfo=NEW_YORK).astimezone(UTC), b.close, None) for b in bars
    ]
    return Case("Google Finance", "AAPL.csv", lines("Date,Close", *rows), [(s, at, p, v) for s, at, p, v in meant], NY)


@case
def ecb_wide() -> Case:
    bars, other = days(), days(seed=9)
    rows = [f"{a.at:%Y-%m-%d},{a.close},{b.close},N/A," for a, b in zip(bars, other, strict=True)][::-1]
    meant = []
    for a, b in zip(bars, other, strict=True):
        at = a.at.replace(tzinfo=BERLIN).astimezone(UTC)
        meant += [("USD", at, a.close, None), ("JPY", at, b.close, None)]
    return Case("ECB", "eurofxref-hist.csv", lines("Date,USD,JPY,CYP,", *rows), meant, {"timezone": "Europe/Berlin"})


@case
def german_excel() -> Case:
    bars = days()
    rows = [
        f"{b.at:%d.%m.%Y};{b.open:.2f};{b.high:.2f};{b.low:.2f};{b.close:.2f};{b.volume:,}".replace(".", "#")
        .replace(",", ".")
        .replace(";", "|")
        for b in bars
    ]
    rows = [
        row.split("|")[0].replace("#", ".") + "".join(f";{cell.replace('#', ',')}" for cell in row.split("|")[1:])
        for row in rows
    ]
    body = "Datum;Erster;Hoch;Tief;Schlusskurs;Stücke\r\n" + "".join(f"{row}\r\n" for row in rows)
    return Case(
        "Excel, German",
        "wkum_716460_historic.csv",
        body.encode("latin-1"),
        at_end(bars, BERLIN, DAY, "SAP", whole=True),
        {"timezone": "Europe/Berlin", "symbol": "SAP"},
    )


@case
def french_excel() -> Case:
    bars = days()
    rows = [f"{b.at:%d/%m/%Y};{b.open};{b.high};{b.low};{b.close};{b.volume}".replace(".", ",") for b in bars]
    return Case(
        "Excel, French",
        "cours.csv",
        lines("Date;Ouverture;Plus haut;Plus bas;Clôture;Volume", *rows),
        at_end(bars, ZoneInfo("Europe/Paris"), DAY, "AIR.PA", whole=True),
        {"timezone": "Europe/Paris", "symbol": "AIR.PA"},
    )


@case
def zipline() -> Case:
    return _daily(
        "zipline",
        "day,open,high,low,close,volume",
        lambda b: f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "BRK-A.csv",
        NY | AAPL,
    )


@case
def d3_close() -> Case:
    bars = days()
    meant = [(s, at, p, None) for s, at, p, _ in at_end(bars, NEW_YORK, DAY, "AAPL", whole=True)]
    return Case(
        "d3",
        "aapl.csv",
        lines("date,close", *(f"{b.at.day}-{b.at:%b-%y},{b.close}" for b in reversed(bars))),
        meant,
        NY | AAPL,
    )


@case
def vega() -> Case:
    months = [datetime(2000 + n // 12, n % 12 + 1, 1) for n in range(24)]
    meant = [("MSFT", at.replace(tzinfo=NEW_YORK).astimezone(UTC), 40.0 + n, None) for n, at in enumerate(months)]
    return Case(
        "vega",
        "stocks.csv",
        lines("symbol,date,price", *(f"MSFT,{at:%b} {at.day} {at.year},{40 + n}" for n, at in enumerate(months))),
        meant,
        NY,
    )


@case
def monthly() -> Case:
    months = [datetime(2020 + n // 12, n % 12 + 1, 1) for n in range(24)]
    bars = _bars(months, 4)
    meant = [
        (
            "AAPL",
            (b.at.replace(day=28) + timedelta(days=4)).replace(day=1, tzinfo=NEW_YORK).astimezone(UTC),
            b.close,
            b.volume,
        )
        for b in bars
    ]
    return Case(
        "months",
        "AAPL.csv",
        lines(
            "Date,Open,High,Low,Close,Volume",
            *(f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in bars),
        ),
        [(s, a, p, float(v)) for s, a, p, v in meant],
        NY,
    )


@case
def weekly() -> Case:
    bars = _bars([datetime(2024, 1, 1) + timedelta(days=7 * n) for n in range(30)], 5)
    return Case(
        "weeks",
        "AAPL_weekly.csv",
        lines(
            "Date\tOpen\tHigh\tLow\tClose\tVolume",
            *(f"{b.at:%Y-%m-%d}\t{b.open}\t{b.high}\t{b.low}\t{b.close}\t{b.volume}" for b in bars),
        ),
        at_end(bars, NEW_YORK, 7 * DAY, "AAPL", whole=True),
        NY,
    )


@case
def alpha_vantage_csv() -> Case:
    return _daily(
        "Alpha Vantage",
        "timestamp,open,high,low,close,volume",
        lambda b: f"{b.at:%Y-%m-%d},{b.open:.4f},{b.high:.4f},{b.low:.4f},{b.close:.4f},{b.volume}",
        "daily_AAPL.csv",
        NY | AAPL,
        newest=True,
    )


@case
def alpha_vantage_json() -> Case:
    bars = minutes(step=5)
    series = {
        f"{b.at:%Y-%m-%d %H:%M:%S}": {
            "1. open": str(b.open),
            "2. high": str(b.high),
            "3. low": str(b.low),
            "4. close": str(b.close),
            "5. volume": str(b.volume),
        }
        for b in reversed(bars)
    }
    body = {
        "Meta Data": {"1. Information": "Intraday", "2. Symbol": "IBM", "6. Time Zone": "US/Eastern"},
        "Time Series (5min)": series,
    }
    return Case("Alpha Vantage", "query.json", json.dumps(body).encode(), at_end(bars, NEW_YORK, 5 * MINUTE, "IBM"), {})


# --- intraday bars ---


def _intraday(
    layout: str,
    name: str,
    header: Sequence[str],
    row: Callable[[Bar], str],
    symbol: str,
    zone: Any,
    flags: Any,
    step: int = 1,
    factor: float = 1,
    newest: bool = False,
) -> Case:
    bars = minutes(step=step, start=datetime(2024, 1, 16, 9))
    meant = at_end(bars, zone, step * MINUTE, symbol, factor=factor)
    return Case(layout, name, lines(*header, *map(row, bars[::-1] if newest else bars)), meant, flags)


@case
def first_rate() -> Case:
    return _intraday(
        "FirstRate",
        "AAPL_full_1min_adjsplitdiv.txt",
        [],
        lambda b: f"{b.at},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "AAPL",
        NEW_YORK,
        NY,
    )


@case
def metatrader5() -> Case:
    head = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    return _intraday(
        "MetaTrader 5",
        "EURUSD_M1_202401.csv",
        head,
        lambda b: f"{b.at:%Y.%m.%d}\t{b.at:%H:%M:%S}\t{b.open}\t{b.high}\t{b.low}\t{b.close}\t{b.volume}\t0\t2",
        "EURUSD",
        UTC,
        {"timezone": "UTC"},
    )


@case
def metatrader4() -> Case:
    return _intraday(
        "MetaTrader 4",
        "EURUSD15.csv",
        [],
        lambda b: f"{b.at:%Y.%m.%d},{b.at:%H:%M},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "EURUSD",
        BERLIN,
        {"timezone": "Europe/Berlin", "symbol": "EURUSD"},
        step=15,
    )


@case
def histdata_m1() -> Case:
    zone = ZoneInfo("Etc/GMT+5")
    return _intraday(
        "HistData",
        "DAT_ASCII_EURUSD_M1_2024.csv",
        [],
        lambda b: f"{b.at:%Y%m%d %H%M%S};{b.open:.6f};{b.high:.6f};{b.low:.6f};{b.close:.6f};0",
        "EURUSD",
        zone,
        {},
        factor=0,
    )


@case
def dukascopy() -> Case:
    return _intraday(
        "Dukascopy",
        "EURUSD_Candlestick_1_M_BID_16.01.2024-16.01.2024.csv",
        ["Gmt time,Open,High,Low,Close,Volume"],
        lambda b: f"{b.at:%d.%m.%Y %H:%M:%S}.000,{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "EURUSD",
        UTC,
        {},
    )


@case
def dukascopy_local() -> Case:
    return _intraday(
        "Dukascopy",
        "EURUSD_local.csv",
        ["Local time,Open,High,Low,Close,Volume"],
        lambda b: f"{b.at:%d.%m.%Y %H:%M:%S}.000 GMT+0100,{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "EURUSD",
        BERLIN,
        {"symbol": "EURUSD"},
    )


@case
def crypto_data_download() -> Case:
    def row(b: Bar) -> str:
        return f"{epoch(b.at.replace(tzinfo=UTC), 's')},{b.at},BTC/USD,{b.open},{b.high},{b.low},{b.close},{b.volume / 1e6},{b.volume * 2}"

    head = ["https://www.CryptoDataDownload.com", "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD"]
    found = _intraday(
        "CryptoDataDownload", "Bitstamp_BTCUSD_1h.csv", head, row, "BTC/USD", UTC, {}, step=60, newest=True
    )
    found.meant = [(s, at, p, (v or 0) / 1e6) for s, at, p, v in found.meant]
    return found


@case
def crypto_data_download_old() -> Case:
    head = ["https://www.CryptoDataDownload.com", "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD"]
    return _intraday(
        "CryptoDataDownload",
        "Coinbase_BTCUSD_1h.csv",
        head,
        lambda b: f"{b.at:%Y-%m-%d %I-%p},BTCUSD,{b.open},{b.high},{b.low},{b.close},{b.volume},{b.volume * 3}",
        "BTCUSD",
        UTC,
        {"timezone": "UTC"},
        step=60,
        newest=True,
    )


def _binance(unit: str, header: Sequence[str]) -> Case:
    def row(b: Bar) -> str:
        at = b.at.replace(tzinfo=UTC)
        return f"{epoch(at, unit)},{b.open},{b.high},{b.low},{b.close},{b.volume},{epoch(at + MINUTE, unit) - 1},{b.volume * 2},17,3,4,0"

    return _intraday("Binance klines", "BTCUSDT-1m-2024-01.csv", header, row, "BTCUSDT", UTC, {})


@case
def binance_klines_ms() -> Case:
    return _binance("ms", [])


@case
def binance_klines_us() -> Case:
    return _binance("us", [])


@case
def binance_klines_named() -> Case:
    return _binance(
        "ms",
        [
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
        ],
    )


@case
def kraken_ohlcvt() -> Case:
    return _intraday(
        "Kraken OHLCVT",
        "XBTUSD_1.csv",
        [],
        lambda b: f"{epoch(b.at.replace(tzinfo=UTC), 's')},{b.open},{b.high},{b.low},{b.close},{b.volume},7",
        "XBTUSD",
        UTC,
        {},
    )


@case
def coinbase_candles_json() -> Case:
    bars = minutes()
    body = [[epoch(b.at.replace(tzinfo=UTC), "s"), b.low, b.high, b.open, b.close, b.volume] for b in reversed(bars)]
    return Case(
        "Coinbase candles",
        "candles.json",
        json.dumps(body).encode(),
        at_end(bars, UTC, MINUTE, "BTC-USD"),
        {"symbol": "BTC-USD"},
    )


@case
def freqtrade_json() -> Case:
    bars = minutes(step=5)
    body = [[epoch(b.at.replace(tzinfo=UTC), "ms"), b.open, b.high, b.low, b.close, b.volume] for b in bars]
    return Case(
        "freqtrade",
        "UNITTEST_BTC-5m.json",
        json.dumps(body).encode(),
        at_end(bars, UTC, 5 * MINUTE, "BTC"),
        {"symbol": "BTC"},
    )


@case
def polygon_aggregates() -> Case:
    bars = minutes()
    rows = [
        {
            "v": b.volume,
            "vw": b.close,
            "o": b.open,
            "c": b.close,
            "h": b.high,
            "l": b.low,
            "t": epoch(b.at.replace(tzinfo=UTC), "ms"),
            "n": 3,
        }
        for b in bars
    ]
    body = {
        "adjusted": True,
        "queryCount": 2,
        "results": rows,
        "resultsCount": len(rows),
        "status": "OK",
        "ticker": "AAPL",
    }
    return Case(
        "Polygon aggregates", "aggs.json", json.dumps(body, indent=1).encode(), at_end(bars, UTC, MINUTE, "AAPL"), {}
    )


@case
def alpaca_bars() -> Case:
    bars, other = minutes(), minutes(seed=9)
    rows = [
        [
            {
                "t": f"{b.at:%Y-%m-%dT%H:%M:%SZ}",
                "o": b.open,
                "h": b.high,
                "l": b.low,
                "c": b.close,
                "v": b.volume,
                "n": 3,
                "vw": b.close,
            }
            for b in table
        ]
        for table in (bars, other)
    ]
    body = {"bars": {"AAPL": rows[0], "MSFT": rows[1]}, "next_page_token": None}
    return Case(
        "Alpaca bars",
        "bars.json",
        json.dumps(body).encode(),
        at_end(bars, UTC, MINUTE, "AAPL") + at_end(other, UTC, MINUTE, "MSFT"),
        {},
    )


@case
def finnhub_candles() -> Case:
    bars = minutes()
    body = {
        "c": [b.close for b in bars],
        "h": [b.high for b in bars],
        "l": [b.low for b in bars],
        "o": [b.open for b in bars],
        "s": "ok",
        "t": [epoch(b.at.replace(tzinfo=UTC), "s") for b in bars],
        "v": [b.volume for b in bars],
    }
    return Case("Finnhub candles", "candle.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "AAPL"), AAPL)


@case
def yahoo_chart() -> Case:
    bars = minutes()
    quote = {name: [getattr(b, name) for b in bars] for name in ("open", "high", "low", "close", "volume")}
    body = {
        "chart": {
            "result": [
                {
                    "meta": {"symbol": "AAPL"},
                    "timestamp": [epoch(b.at.replace(tzinfo=UTC), "s") for b in bars],
                    "indicators": {"quote": [quote]},
                }
            ],
            "error": None,
        }
    }
    return Case("Yahoo's chart", "chart.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "AAPL"), {})


@case
def iex_intraday() -> Case:
    bars = minutes()
    rows = [
        {
            "date": f"{b.at:%Y-%m-%d}",
            "minute": f"{b.at:%H:%M}",
            "label": "x",
            "open": b.open,
            "high": b.high,
            "low": b.low,
            "close": b.close,
            "volume": b.volume,
        }
        for b in bars
    ]
    return Case(
        "IEX", "intraday-prices.json", json.dumps(rows).encode(), at_end(bars, NEW_YORK, MINUTE, "AAPL"), NY | AAPL
    )


@case
def tiingo_json() -> Case:
    bars = days()
    rows = [
        {
            "date": f"{b.at:%Y-%m-%d}T00:00:00.000Z",
            "close": b.close,
            "high": b.high,
            "low": b.low,
            "open": b.open,
            "volume": b.volume,
            "adjClose": b.close / 2,
            "divCash": 0.0,
            "splitFactor": 1.0,
        }
        for b in bars
    ]
    return Case("Tiingo", "prices.json", json.dumps(rows).encode(), at_end(bars, UTC, DAY, "AAPL"), AAPL)


@case
def pandas_columns_json() -> Case:
    bars = minutes()
    body = {
        name: {
            str(n): (epoch(b.at.replace(tzinfo=UTC), "ms") if name == "Date" else getattr(b, name))
            for n, b in enumerate(bars)
        }
        for name in ("Date", "open", "high", "low", "close", "volume")
    }
    return Case("pandas to_json", "frame.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "AAPL"), AAPL)


@case
def kraken_answer_json() -> Case:
    bars = minutes()
    rows = [
        [
            epoch(b.at.replace(tzinfo=UTC), "s"),
            str(b.open),
            str(b.high),
            str(b.low),
            str(b.close),
            str(round((b.high + b.low) / 2, 3)),
            str(b.volume),
            7,
        ]
        for b in bars
    ]
    body = {"error": [], "result": {"XXBTZUSD": rows, "last": 1}}
    return Case("Kraken's answer", "ohlc.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "XXBTZUSD"))


@case
def nse_bhavcopy() -> Case:
    bars = days(20)
    rows = [
        f'TCS,EQ,{b.at:%d-%b-%Y},3700,{b.open},{b.high},{b.low},3700.5,{b.close},3705,"{b.volume:,}",999.5'
        for b in bars
    ]
    head = "Symbol,Series,Date,Prev Close,Open Price,High Price,Low Price,Last Price,Close Price,Average Price,Total Traded Quantity,Turnover"
    return Case(
        "NSE",
        "data.csv",
        lines(head, *rows),
        at_end(bars, ZoneInfo("Asia/Kolkata"), DAY, "TCS", whole=True),
        {"timezone": "Asia/Kolkata"},
    )


@case
def fxcm_sides() -> Case:
    bars = minutes()
    rows = [
        f"{b.at:%m/%d/%Y %H:%M:%S},{b.open},{b.high},{b.low},{b.close},{b.open + 1},{b.high + 1},{b.low + 1},{b.close + 1},55"
        for b in bars
    ]
    head = "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose,TickQty"
    return Case(
        "FXCM",
        "EURUSD.csv",
        lines(head, *rows),
        [(s, at, (p + (p + 1)) / 2, None) for s, at, p, _ in at_end(bars, UTC, MINUTE, "EURUSD")],
        {"timezone": "UTC", "symbol": "EURUSD"},
    )


@case
def bitmex() -> Case:
    rows = trades()
    text = [
        f"{r.at:%Y-%m-%dD%H:%M:%S.%f}000,XBTUSD,Buy,{int(r.volume or 0)},{r.price},PlusTick,abc,1,2,3" for r in rows
    ]
    return Case(
        "BitMEX",
        "20240116.csv.gz",
        gzip.compress(
            lines(
                "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
                *text,
            )
        ),
        meant_of(rows, "XBTUSD"),
        {"timezone": "UTC"},
    )


@case
def fred() -> Case:
    bars = days(20)
    rows = [f"{b.at:%Y-%m-%d},{'.' if n % 7 == 5 else b.close}" for n, b in enumerate(bars)]
    meant = [
        ("DEXUSEU", b.at.replace(tzinfo=NEW_YORK).astimezone(UTC), b.close, None)
        for n, b in enumerate(bars)
        if n % 7 != 5
    ]
    return Case("FRED", "DEXUSEU.csv", lines("DATE,DEXUSEU", *rows), meant, NY)


# --- trades ---


def meant_of(rows: Sequence[Trade], symbol: str) -> list[Meant]:
    """The trades as expected ticks of that symbol."""
    return [(symbol, row.at, row.price, row.volume) for row in rows]


def in_ms(rows: Sequence[Trade]) -> list[Trade]:
    """The trades with their times cut to whole milliseconds."""
    return [row._replace(at=row.at.replace(microsecond=row.at.microsecond // 1000 * 1000)) for row in rows]


@case
def own_form() -> Case:
    rows = trades()
    return Case(
        "our own",
        "ticks.csv",
        lines("timestamp,symbol,price,volume", *(f"{r.at.isoformat()},AAPL,{r.price},{r.volume}" for r in rows)),
        meant_of(rows, "AAPL"),
    )


def _binance_trades(unit: str, flag: str = "True") -> Case:
    rows = in_ms(trades())
    body = lines(
        *(
            f"{n + 1000},{r.price:.8f},{r.volume:.8f},{r.price * (r.volume or 0):.8f},{epoch(r.at, unit)},{flag},True"
            for n, r in enumerate(rows)
        )
    )
    return Case("Binance trades", "BTCUSDT-trades-2024-01-16.csv", body, meant_of(rows, "BTCUSDT"))


@case
def binance_trades_ms() -> Case:
    return _binance_trades("ms")


@case
def binance_trades_us() -> Case:
    return _binance_trades("us", "false")


@case
def binance_aggregated() -> Case:
    rows = in_ms(trades())
    body = lines(
        *(
            f"{n + 1000},{r.price:.8f},{r.volume:.8f},{n},{n + 1},{epoch(r.at, 'ms')},True,True"
            for n, r in enumerate(rows)
        )
    )
    return Case("Binance aggregated trades", "BTCUSDT-aggTrades-2024-01-16.csv", body, meant_of(rows, "BTCUSDT"))


@case
def binance_futures_named() -> Case:
    rows = in_ms(trades())
    body = lines(
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        *(f"{n},{r.price},{r.volume},{n},{n},{epoch(r.at, 'ms')},true" for n, r in enumerate(rows)),
    )
    return Case("Binance futures", "BTCUSDT-aggTrades-2024-01-16.csv", body, meant_of(rows, "BTCUSDT"))


@case
def kraken_trades() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    return Case(
        "Kraken trades",
        "XBTUSD.csv",
        lines(*(f"{epoch(r.at, 's')},{r.price},{r.volume}" for r in rows)),
        meant_of(rows, "XBTUSD"),
    )


@case
def bitstamp_trades() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    body = [
        {"date": str(epoch(r.at, "s")), "tid": str(n), "price": str(r.price), "type": "0", "amount": f"{r.volume:.8f}"}
        for n, r in enumerate(rows)
    ]
    return Case(
        "Bitstamp", "transactions.json", json.dumps(body[::-1]).encode(), meant_of(rows, "BTCUSD"), {"symbol": "BTCUSD"}
    )


@case
def tardis() -> Case:
    rows = trades()
    body = lines(
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
        *(
            f"deribit,BTC-PERPETUAL,{epoch(r.at, 'us')},{epoch(r.at, 'us') + 9},{n},buy,{r.price},{r.volume}"
            for n, r in enumerate(rows)
        ),
    )
    return Case("Tardis", "trades.csv.gz", gzip.compress(body), meant_of(rows, "BTC-PERPETUAL"))


@case
def polygon_trades_json() -> Case:
    rows = trades()
    body = {
        "results": [
            {
                "conditions": [12],
                "exchange": 11,
                "id": "1",
                "participant_timestamp": epoch(r.at, "ns") - 5000,
                "price": r.price,
                "sequence_number": 7,
                "sip_timestamp": epoch(r.at, "ns"),
                "size": int(r.volume or 0),
            }
            for r in rows
        ],
        "status": "OK",
    }
    return Case("Polygon trades", "v3_trades_AAPL.json", json.dumps(body).encode(), meant_of(rows, "AAPL"), AAPL)


@case
def polygon_trades_flat() -> Case:
    rows = trades()
    body = lines(
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape",
        *(
            f'AAPL,"12,37",0,11,1,{epoch(r.at, "ns") - 9000},{r.price},7,{epoch(r.at, "ns")},{int(r.volume or 0)},1'
            for r in rows
        ),
    )
    return Case("Polygon flat file", "2024-01-16.csv.gz", gzip.compress(body), meant_of(rows, "AAPL"))


@case
def polygon_aggregates_flat() -> Case:
    return _intraday(
        "Polygon flat file",
        "2024-01-16.csv",
        ["ticker,volume,open,close,high,low,window_start,transactions"],
        lambda b: f"AAPL,{b.volume},{b.open},{b.close},{b.high},{b.low},{epoch(b.at.replace(tzinfo=UTC), 'ns')},3",
        "AAPL",
        UTC,
        {},
    )


@case
def alpaca_trades() -> Case:
    rows = trades()
    body = {
        "trades": [
            {
                "t": r.at.isoformat().replace("+00:00", "000Z"),
                "x": "V",
                "p": r.price,
                "s": int(r.volume or 0),
                "c": ["@"],
                "i": 5,
                "z": "C",
            }
            for r in rows
        ],
        "symbol": "AAPL",
    }
    return Case("Alpaca trades", "trades.json", json.dumps(body).encode(), meant_of(rows, "AAPL"))


@case
def polygon_websocket() -> Case:
    rows = in_ms(trades())
    body = [
        [
            {
                "ev": "T",
                "sym": "MSFT",
                "i": "50578",
                "x": 4,
                "p": r.price,
                "s": int(r.volume or 0),
                "t": epoch(r.at, "ms"),
                "q": 3681328,
                "z": 3,
            }
        ]
        for r in rows
    ]
    return Case("Polygon websocket", "feed.jsonl", lines(*map(json.dumps, body)), meant_of(rows, "MSFT"))


@case
def finnhub_websocket() -> Case:
    rows = in_ms(trades())
    body = [
        {"data": [{"p": r.price, "s": "BINANCE:BTCUSDT", "t": epoch(r.at, "ms"), "v": r.volume}], "type": "trade"}
        for r in rows
    ]
    return Case(
        "Finnhub websocket",
        "feed.jsonl",
        lines('{"type":"ping"}', *map(json.dumps, body)),
        meant_of(rows, "BINANCE:BTCUSDT"),
    )


@case
def binance_websocket() -> Case:
    rows = in_ms(trades())
    body = [
        {
            "e": "trade",
            "E": epoch(r.at, "ms") + 3,
            "s": "BNBBTC",
            "t": 12345 + n,
            "p": str(r.price),
            "q": str(r.volume),
            "T": epoch(r.at, "ms"),
            "m": True,
            "M": True,
        }
        for n, r in enumerate(rows)
    ]
    return Case("Binance websocket", "feed.jsonl", lines(*map(json.dumps, body)), meant_of(rows, "BNBBTC"))


@case
def coinbase_websocket() -> Case:
    rows = trades()
    body = [
        {
            "type": "match",
            "trade_id": n,
            "maker_order_id": "a",
            "side": "buy",
            "size": str(r.volume),
            "price": str(r.price),
            "product_id": "BTC-USD",
            "sequence": n,
            "time": r.at.isoformat().replace("+00:00", "Z"),
        }
        for n, r in enumerate(rows)
    ]
    return Case(
        "Coinbase websocket",
        "feed.ndjson",
        lines('{"type":"subscriptions","channels":[]}', *map(json.dumps, body)),
        meant_of(rows, "BTC-USD"),
    )


@case
def nyse_taq() -> Case:
    rows = trades()
    text = [
        f"{r.at.astimezone(NEW_YORK):%H%M%S}{r.at.microsecond:06}000|N|AAPL|@|{int(r.volume or 0)}|{r.price}|0|1"
        for r in rows
    ]
    return Case(
        "NYSE TAQ",
        "EQY_US_ALL_TRADE_20240116.psv",
        lines(
            "Time|Exchange|Symbol|Sale Condition|Trade Volume|Trade Price|Trade Correction Indicator|Sequence Number",
            *text,
        ),
        meant_of(rows, "AAPL"),
        NY,
    )


@case
def nyse_messages() -> Case:
    rows = trades()
    text = [
        f"220,{n},{r.at.astimezone(NEW_YORK):%H:%M:%S.%f}000,AAPL,{n},{n + 9},{r.price},{int(r.volume or 0)},@, ,I, "
        for n, r in enumerate(rows)
    ]
    return Case(
        "NYSE TAQ messages",
        "EQY_US_NYSE_TRADES_20240116.csv",
        lines("3,1,09:00:00.000000,AAPL,1,N,1", *text, "34,2,09:30:00.0,AAPL,2,O"),
        meant_of(rows, "AAPL"),
    )


@case
def wrds_taq() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    text = [
        f"AAPL,{r.at:%Y%m%d},{r.at.astimezone(NEW_YORK).hour}:{r.at.astimezone(NEW_YORK):%M:%S},{r.price},{int(r.volume or 0)},0,@,T"
        for r in rows
    ]
    return Case(
        "TAQ of WRDS", "taq.csv", lines("SYMBOL,DATE,TIME,PRICE,SIZE,CORR,COND,EX", *text), meant_of(rows, "AAPL"), NY
    )


@case
def lobster() -> Case:
    rows = trades()
    text, meant = [], []
    for n, r in enumerate(rows):
        wall = r.at.astimezone(NEW_YORK)
        seconds = f"{wall.hour * 3600 + wall.minute * 60 + wall.second}.{wall.microsecond:06}000"
        kind = (1, 3, 4, 5)[n % 4]
        text.append(f"{seconds},{kind},{n},{int(r.volume or 0)},{round(r.price * 10_000)},{1 if n % 2 else -1}")
        if kind in (4, 5):
            meant.append(("AAPL", r.at, r.price, r.volume))
    return Case("LOBSTER", "AAPL_2024-01-16_34200000_57600000_message_10.csv", lines(*text), meant)


@case
def fix_times() -> Case:
    rows = in_ms(trades())
    return Case(
        "FIX times",
        "fills.csv",
        lines(
            "TransactTime;Symbol;LastPx;LastQty",
            *(
                f"{r.at:%Y%m%d-%H:%M:%S}.{r.at.microsecond // 1000:03};AAPL;{r.price};{int(r.volume or 0)}"
                for r in rows
            ),
        ),
        meant_of(rows, "AAPL"),
        {"timezone": "UTC"},
    )


@case
def am_pm() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    text = [f"{r.at.astimezone(NEW_YORK):%m/%d/%Y %I:%M:%S %p},{r.price},{r.volume}" for r in rows]
    return Case(
        "US times",
        "AAPL_trades.csv",
        lines("Date & Time,Last,Size".replace("Date & Time", "Datetime"), *text),
        meant_of(rows, "AAPL"),
        NY,
    )


# --- quotes ---


@case
def truefx() -> Case:
    rows = in_ms(trades())
    text = [
        f"EUR/USD,{r.at:%Y%m%d %H:%M:%S}.{r.at.microsecond // 1000:03},{r.price},{round(r.price + 0.02, 2)}"
        for r in rows
    ]
    return Case(
        "TrueFX",
        "EURUSD-2024-01.csv",
        lines(*text),
        [("EUR/USD", r.at, (r.price + round(r.price + 0.02, 2)) / 2, None) for r in rows],
    )


@case
def histdata_ticks() -> Case:
    rows = in_ms(trades())
    zone = ZoneInfo("Etc/GMT+5")
    text = [
        f"{r.at.astimezone(zone):%Y%m%d %H%M%S}{r.at.microsecond // 1000:03},{r.price:.6f},{r.price + 0.02:.6f},0"
        for r in rows
    ]
    return Case(
        "HistData ticks",
        "DAT_ASCII_EURUSD_T_202401.csv",
        lines(*text),
        [("EURUSD", r.at, (r.price + float(f"{r.price + 0.02:.6f}")) / 2, None) for r in rows],
    )


@case
def dukascopy_ticks() -> Case:
    rows = in_ms(trades())
    text = [
        f"{r.at:%d.%m.%Y %H:%M:%S}.{r.at.microsecond // 1000:03},{round(r.price + 0.02, 2)},{r.price},1.5,2.25"
        for r in rows
    ]
    return Case(
        "Dukascopy ticks",
        "EURUSD_Ticks.csv",
        lines("Gmt time,Ask,Bid,AskVolume,BidVolume", *text),
        [("EURUSD", r.at, (r.price + round(r.price + 0.02, 2)) / 2, None) for r in rows],
        {"symbol": "EURUSD"},
    )


# --- LEAN ---


def zipped(name: str, body: bytes) -> bytes:
    """A zip file with one member of that name and content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return packed.getvalue()


def _ms(at: datetime) -> int:
    return (at.hour * 3600 + at.minute * 60 + at.second) * 1000 + at.microsecond // 1000


@case
def lean_minute() -> Case:
    bars = minutes()
    body = lines(
        *(
            f"{_ms(b.at)},{round(b.open * 10000)},{round(b.high * 10000)},{round(b.low * 10000)},{round(b.close * 10000)},{b.volume}"
            for b in bars
        )
    )
    return Case(
        "LEAN minutes",
        "20240116_trade.zip",
        zipped("20240116_aapl_minute_trade.csv", body),
        at_end(bars, NEW_YORK, MINUTE, "AAPL"),
    )


@case
def lean_daily() -> Case:
    bars = days()
    body = lines(
        *(
            f"{b.at:%Y%m%d} 00:00,{round(b.open * 10000)},{round(b.high * 10000)},{round(b.low * 10000)},{round(b.close * 10000)},{b.volume}"
            for b in bars
        )
    )
    return Case("LEAN days", "aapl.zip", zipped("aapl.csv", body), at_end(bars, NEW_YORK, DAY, "AAPL", whole=True))


@case
def lean_tick() -> Case:
    rows = in_ms(trades())
    body = lines(
        *(
            f"{_ms(r.at.astimezone(NEW_YORK))},{round(r.price * 10000)},{int(r.volume or 0)},P,0,{int(n % 10 == 0)}"
            for n, r in enumerate(rows)
        )
    )
    return Case(
        "LEAN ticks",
        "20240116_trade.zip",
        zipped("20240116_aapl_tick_Trade.csv".lower(), body),
        [m for n, m in enumerate(meant_of(rows, "AAPL")) if n % 10],
    )


@case
def lean_quotes() -> Case:
    bars = minutes()

    def side(b: Bar, plus: int) -> str:
        return ",".join(str(round(x * 10000) + plus) for x in (b.open, b.high, b.low, b.close))

    body = lines(*(f"{_ms(b.at)},{side(b, 0)},300,{side(b, 100)},500" for b in bars))
    meant = [
        (s, at, (round(p * 10000) / 10000 + (round(p * 10000) + 100) / 10000) / 2, None)
        for s, at, p, _ in at_end(bars, NEW_YORK, MINUTE, "AAPL")
    ]
    return Case(
        "LEAN quotes",
        "20240116_quote.zip",
        zipped("20240116_aapl_minute_quote.csv", body),
        [(s, a, p, v) for s, a, p, v in meant],
    )


@case
def lean_crypto() -> Case:
    bars = [b._replace(volume=b.volume) for b in minutes()]
    body = lines(*(f"{_ms(b.at)},{b.open},{b.high},{b.low},{b.close},{b.volume / 1e7}" for b in bars))
    meant = [(s, at, p, (v or 0) / 1e7) for s, at, p, v in at_end(bars, UTC, MINUTE, "BTCUSD")]
    return Case("LEAN crypto", "crypto_20240116_trade.zip", zipped("20240116_btcusd_minute_trade.csv", body), meant)


# --- encodings, packings, details of text ---


def _own() -> tuple[list[Trade], str]:
    rows = trades()
    return rows, lines(
        "timestamp,symbol,price,volume", *(f"{r.at.isoformat()},AAPL,{r.price},{int(r.volume or 0)}" for r in rows)
    ).decode()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
    "zip": lambda body: zipped("ticks.csv", body),
    "gzip in zip": lambda body: zipped("ticks.csv.gz", gzip.compress(body)),
    "gzip twice": lambda body: gzip.compress(gzip.compress(body)),
}
SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "bom": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "tab": lambda text: text.replace(",", "\t").encode(),
    "pipe": lambda text: text.replace(",", "|").encode(),
    "semicolon, comma": lambda text: text.replace(",", ";").replace(".", ",").encode(),
    "blanks": lambda text: text.replace(",", ", ").encode(),
    "quoted": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) if line else "" for line in text.split("\n")
    ).encode(),
    "comments": lambda text: ("# by a recorder\n# on a day\n" + text).encode(),
    "blank lines": lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode(),
    "repeated header": lambda text: (text + text).encode()[: len(text)] + text.split("\n")[0].encode() + b"\n",
    "trailing comma": lambda text: text.replace("\n", ",\n").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
}
SPELLINGS |= {name: partial(lambda pack, text: pack(text.encode()), pack) for name, pack in PACKINGS.items()}
