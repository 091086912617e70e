# ruff: noqa: E501 - a file and its meaning are easiest to read on one line
"""Exports of more programs, vendors and countries are read, given symbol and zone, or refused with a reason."""

import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sources.files.test_corpus import failed

NY = {"timezone": "America/New_York"}
A_NY = {"symbol": "A", **NY}
A = {"symbol": "A"}
UTC = {"timezone": "UTC"}
A_UTC = {"symbol": "A", **UTC}


class Kind(NamedTuple):
    """A file, the expected ticks (time, symbol, price, volume) and error message, and the flags that the file needs."""

    body: str | bytes
    ticks: Sequence[tuple[str, str, float, float | None]] = ()
    complaint: str = ""
    flags: dict[str, Any] | None = None


def text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def ends(*prices: float, symbol: str = "A", volume: Sequence[float] | None = (100, 200, 300), zone: str = "NY") -> Any:
    """The expected ticks of the closes of 3, 4 and 5 January 2024, each at the end of its day."""
    hour = {"NY": "05:00:00", "UTC": "00:00:00"}[zone]
    volumes: Sequence[float | None] = [None] * 3 if volume is None else volume
    return [(f"2024-01-{4 + n:02}T{hour}", symbol, price, volumes[n]) for n, price in enumerate(prices)]


def bars(*prices: float, symbol: str = "A", volume: Sequence[float] | None = (100, 200, 300), hour: int = 14) -> Any:
    """The expected ticks of minute bars from 9:30 to 9:32 in New York on 5 January 2024, each at the end of its bar."""
    volumes: Sequence[float | None] = [None] * 3 if volume is None else volume
    return [(f"2024-01-05T{hour:02}:{31 + n}:00", symbol, price, volumes[n]) for n, price in enumerate(prices)]


def at(
    *seconds: int | str,
    prices: Sequence[float] = (10.5, 10.25, 10.75),
    symbol: str = "A",
    volume: Any = (1, 2, 3),
    hour: int = 14,
) -> Any:
    """The expected ticks of trades at these seconds (or fractions) after 9:30 in New York on 5 January 2024."""
    volumes: Sequence[float | None] = [None] * len(seconds) if volume is None else volume
    return [(f"2024-01-05T{hour:02}:30:{s:02}" if isinstance(s, int) else f"2024-01-05T{hour:02}:30:{s}", symbol, price, v)
            for s, price, v in zip(seconds, prices, volumes, strict=True)]  # fmt: skip


def sqlite_body() -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE ticks (at TEXT, price REAL)")
    return database.serialize()


OHLC3 = [("10.1", "10.9", "10.0", "10.5"), ("10.5", "10.6", "10.2", "10.25"), ("10.2", "10.8", "10.1", "10.75")]
CLOSES = (10.5, 10.25, 10.75)
N = [0, 1, 2]

KINDS: dict[str, Kind] = {
    # --- charts and terminals ---
    "TradingView with plots of one name": Kind(text("time,open,high,low,close,Plot,Plot,Volume", *(f"{1704465000 + 60 * n},{','.join(OHLC3[n])},{n},{n + 1},{100 * n + 100}" for n in N)), bars(*CLOSES), "", A),
    "TradingView's list of trades": Kind(text("Trade #,Type,Signal,Date/Time,Price USD,Contracts,Profit USD", *(f"{n + 1},Entry long,x,2024-01-05 09:30:0{n},{CLOSES[n]},{n + 1},0" for n in N)), at(0, 1, 2), "", A_NY),
    "Yahoo's page, pasted": Kind(text("Date\tOpen\tHigh\tLow\tClose*\tAdj Close**\tVolume", *(f"Jan {3 + n}, 2024\t{o}\t{h}\t{lo}\t{c}\t{float(c) - 1}\t{1000 * (n + 1):,}" for n, (o, h, lo, c) in list(enumerate(OHLC3))[::-1])), ends(*CLOSES, volume=(1000, 2000, 3000)), "", A_NY),
    "Yahoo's page with a dividend": Kind(text("Date\tOpen\tHigh\tLow\tClose*\tAdj Close**\tVolume", *(f"Jan {3 + n:02}, 2024\t{','.join(OHLC3[n]).replace(',', chr(9))}\t9\t{1000 * (n + 1):,}" for n in N), "Jan 05, 2024\t0.24 Dividend"), ends(*CLOSES, volume=(1000, 2000, 3000)), "line 5: 2 cells", A_NY),
    "Yahoo with thousands, quoted": Kind(text("Date,Open,High,Low,Close,Adj Close,Volume", *(f'"Jan {3 + n}, 2024","1,0{o}","1,0{h}","1,0{lo}","1,0{c}","1,0{c}","{n + 1},000"' for n, (o, h, lo, c) in enumerate(OHLC3))), ends(1010.5, 1010.25, 1010.75, volume=(1000, 2000, 3000)), "", A_NY),
    "Bloomberg's sheet": Kind(text("Security,AAPL US Equity", "Start Date,1/3/2024", "End Date,1/31/2024", "Period,D", "", "Date,PX_LAST,PX_VOLUME", *(f"1/{3 + n}/2024,{CLOSES[n]},{100 * n + 100}" for n in N), "1/31/2024,11,400"), [*ends(*CLOSES), ("2024-02-01T05:00:00", "A", 11, 400)], "", A_NY),
    "Refinitiv's bars": Kind(text("#RIC,Alias Underlying RIC,Domain,Date-Time,Type,Open,High,Low,Last,Volume", *(f"A,,Market Price,2024-01-05T14:{30 + n}:00.000000000Z,Intraday 1Min,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), bars(*CLOSES)),
    "Interactive Brokers, Flex": Kind(text('"Symbol","DateTime","TradePrice","Quantity"', *(f'"A","20240105;09300{n}","{CLOSES[n]}","{n + 1}"' for n in N)), at(0, 1, 2), "", NY),
    "Interactive Brokers, statement": Kind(text("Symbol,Date/Time,Quantity,T. Price,Comm/Fee", *(f'A,"2024-01-05, 09:30:0{n}",{n + 1},{CLOSES[n]},-1' for n in N)), at(0, 1, 2), "", NY),
    "Interactive Brokers, historical with its zone": Kind(text(",date,open,high,low,close,volume,average,barCount", *(f"{n},2024-01-05 09:{30 + n}:00-05:00,{','.join(OHLC3[n])},{100.0 * n + 100},{OHLC3[n][3]},7" for n in N)), bars(*CLOSES), "", A),
    "MetaTrader 4": Kind(text(*(f"2024.01.05,09:{30 + n},{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), bars(*CLOSES), "", A_NY),
    "MetaTrader 5, days": Kind(text("<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>", *("\t".join([f"2024.01.{3 + n:02}", *OHLC3[n], f"{100 * n + 100}", "0", "2"]) for n in N)), ends(*CLOSES), "", A_NY),
    "MetaTrader 5, minutes": Kind(text("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>", *("\t".join(["2024.01.05", f"09:{30 + n}:00", *OHLC3[n], "9", f"{100 * n + 100}", "2"]) for n in N)), bars(*CLOSES), "", A_NY),
    "NinjaTrader, days": Kind(text(*(f"2024010{3 + n};{';'.join(OHLC3[n])};{100 * n + 100}" for n in N)), ends(*CLOSES), "", A_NY),
    "MultiCharts": Kind(text('"Date","Time","Open","High","Low","Close","TotalVolume"', *(f"01/05/2024,09:{31 + n}:00,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), (), "may have the month or the day first", A_NY),
    "MultiCharts, decided by a later day": Kind(text('"Date","Time","Open","High","Low","Close","TotalVolume"', *(f"01/17/2024,09:{30 + n}:00,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), [(t.replace("01-05", "01-17"), *r) for t, *r in bars(*CLOSES)], "", A_NY),
    "thinkorswim": Kind(text("Symbol: AAPL", "Timeframe: 1 min", "", "Date,Time,Open,High,Low,Close,Volume", *(f"1/15/24,9:{30 + n} AM,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), [(t.replace("01-05", "01-15"), *r) for t, *r in bars(*CLOSES)], "", A_NY),
    "eSignal": Kind(text("Date,Time,O,H,L,C,V", *(f"1/15/2024,09:{30 + n}:00,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), [(t.replace("01-05", "01-15"), *r) for t, *r in bars(*CLOSES)], "", A_NY),
    "ProRealTime": Kind(text("Date;Heure;Ouv;Haut;Bas;Clot;Volume", *(f"15/01/2024;15:{30 + n};{';'.join(OHLC3[n]).replace('.', ',')};{100 * n + 100}" for n in N)), [(t.replace("01-05", "01-15"), *r) for t, *r in bars(*CLOSES)], "", {"symbol": "A", "timezone": "Europe/Paris"}),
    "Excel with a grid of blanks": Kind(text(",,,", ",Date,Close,Volume", *(f",2024-01-0{3 + n},{CLOSES[n]},{100 * n + 100}" for n in N), ",,,"), ends(*CLOSES), "", A_NY),
    "Google Sheets": Kind(text("Date,Close", *(f"1/{15 + n}/2024 16:00:00,{CLOSES[n]}" for n in N)), [(f"2024-01-{15 + n}T21:00:00", "A", CLOSES[n], None) for n in N], "", A_NY),
    # --- tapes ---
    "TAQ of WRDS with classes of shares": Kind(text("DATE,TIME_M,EX,SYM_ROOT,SYM_SUFFIX,TR_SCOND,SIZE,PRICE", "20240105,9:30:00.000001234,N,BRK,B,@,1,10.5", "20240105,9:30:01.5,N,BRK,A,@,2,500010.25", "20240105,9:30:02,N,IBM,,@,3,10.75"), [("2024-01-05T14:30:00.000001", "BRK.B", 10.5, 1), ("2024-01-05T14:30:01.500000", "BRK.A", 500010.25, 2), ("2024-01-05T14:30:02", "IBM", 10.75, 3)], "", NY),
    "Polygon's flat file": Kind(text("ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp", *(f'A,"12,37",0,11,{n},170446500{n}000000000,{CLOSES[n]},{n},170446500{n}000001499,{n + 1},1,0,0' for n in N)), at("00.000001", "01.000001", "02.000001")),
    "Kaiko's trades": Kind(text("id,exchange,symbol,date,price,amount,sell", *(f"{n},cb,btcusd,170446500{n}000,{CLOSES[n]},0.{n + 1},true" for n in N)), at(0, 1, 2, symbol="btcusd", volume=(0.1, 0.2, 0.3))),
    "Kaiko's trades, version 2": Kind(text("exchange,base_asset,quote_asset,id,timestamp,price,amount,taker_side_sell", *(f"cbse,btc,usd,{n},170446500{n}000,{CLOSES[n]},0.{n + 1},true" for n in N)), at(0, 1, 2, volume=(0.1, 0.2, 0.3)), "", A),
    "Bitcoincharts": Kind(text(*(f"170446500{n},{CLOSES[n]}0000000,0.{n + 1}00000" for n in N)), at(0, 1, 2, volume=(0.1, 0.2, 0.3)), "", A),
    "Bitstamp with unixtimestamp": Kind(text("unixtimestamp,price,amount", *(f"170446500{n},{CLOSES[n]},0.{n + 1}" for n in N)), at(0, 1, 2, volume=(0.1, 0.2, 0.3)), "", A),
    "CryptoDataDownload with a URL": Kind(text("https://www.CryptoDataDownload.com", "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD", *(f"170446{5000 + 60 * n},2024-01-05 14:{30 + n}:00,BTC/USD,{','.join(OHLC3[n])},{100 * n + 100},9" for n in reversed(N))), bars(*CLOSES, symbol="BTC/USD")),
    "Coinbase's fills": Kind(text("portfolio,trade id,product,side,created at,size,size unit,price,fee", *(f"default,{n},BTC-USD,BUY,2024-01-05T14:30:0{n}.123Z,0.{n + 1},BTC,{CLOSES[n]},0.1" for n in N)), at("00.123000", "01.123000", "02.123000", symbol="BTC-USD", volume=(0.1, 0.2, 0.3))),
    "Gemini, newest first": Kind(text("Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume", *(f"{1704465000000 + 60000 * n},2024-01-05 14:{30 + n}:00,BTCUSD,{','.join(OHLC3[n])},{100 * n + 100}" for n in reversed(N))), bars(*CLOSES, symbol="BTCUSD")),
    "CoinAPI": Kind(text("time_period_start;time_period_end;time_open;time_close;price_open;price_high;price_low;price_close;volume_traded;trades_count", *(f"2024-01-05T14:{30 + n}:00.0000000Z;2024-01-05T14:{31 + n}:00.0000000Z;2024-01-05T14:{30 + n}:01Z;2024-01-05T14:{30 + n}:59Z;{';'.join(OHLC3[n])};{100 * n + 100};5" for n in N)), bars(*CLOSES), "", A),
    "CoinAPI's trades": Kind(text("time_exchange;time_coinapi;guid;price;base_amount;taker_side", *(f"2024-01-05T14:30:0{n}.1230000;2024-01-05T14:30:0{n}.2Z;{n}-a;{CLOSES[n]};{n + 1};BUY" for n in N)), at("00.123000", "01.123000", "02.123000"), "", A_UTC),
    "IEX Cloud, minutes": Kind(text("date,minute,label,high,low,open,close,average,volume", *(f"2024-01-05,09:{30 + n},09:{30 + n} AM,{h},{lo},{o},{c},{c},{100 * n + 100}" for n, (o, h, lo, c) in enumerate(OHLC3))), bars(*CLOSES), "", A_NY),
    "Cboe's trades": Kind(text("Symbol,Exec Time,Exec ID,Price,Shares,Liquidity", *(f"A,2024-01-05 09:30:0{n}.123456,X{n},{CLOSES[n]},{n + 1},R" for n in N)), at("00.123456", "01.123456", "02.123456"), "", NY),
    "Cboe's depth of book": Kind(text("time,symbol,side,price,shares,order_id,type", *(f"2024-01-05 09:30:0{n},A,B,{CLOSES[n]},{n + 1},{n},{kind}" for n, kind in enumerate(("A", "X", "E")))), (), "rows that are trades|trades, quotes or bars", NY),
    "ITCH without a day": Kind(text("timestamp,type,stock,price,shares", *(f"3420{n}000000000,P,A,{CLOSES[n]},{n + 1}" for n in N)), (), "lies outside the years 1975 to 2100", NY),
    # --- day files ---
    "Stooq's archive": Kind(text("<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>", *(f"A.US,D,2024010{3 + n},000000,{','.join(OHLC3[n])},{100 * n + 100},0" for n in N)), ends(*CLOSES, symbol="A.US"), "", NY),
    "EODData": Kind(text("Symbol,Date,Open,High,Low,Close,Volume", *(f"A,0{3 + n}-Jan-2024,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), ends(*CLOSES), "", NY),
    "EODData without header": Kind(text(*(f"A,2024010{3 + n},{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), ends(*CLOSES), "", NY),
    "Quandl's WIKI": Kind(text("ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_open,adj_high,adj_low,adj_close,adj_volume", *(f"A,2024-01-0{3 + n},{','.join(OHLC3[n])},{100.0 * n + 100},0.0,1.0,1,1,1,1,1" for n in N)), ends(*CLOSES), "", NY),
    "FirstRate": Kind(text(*(f"2024-01-05 09:{30 + n}:00,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), bars(*CLOSES), "", A_NY),
    "Norgate": Kind(text("Date,Open,High,Low,Close,Volume,Turnover,Unadjusted Close,Dividend", *(f"2024-01-0{3 + n},{','.join(OHLC3[n])},{100 * n + 100},9,99,0" for n in N)), ends(*CLOSES), "", A_NY),
    "Compustat": Kind(text("gvkey,datadate,tic,cshtrd,prccd,prchd,prcld,prcod", *(f"1,2024010{3 + n},A,{100 * n + 100},{c},{h},{lo},{o}" for n, (o, h, lo, c) in enumerate(OHLC3))), ends(*CLOSES), "", NY),
    "CRSP with averages of bid and ask": Kind(text("PERMNO,date,TICKER,PRC,VOL,RET", "1,2024-01-03,A,10.5,100,C", "1,2024-01-04,A,-10.25,200,0.1", "1,2024-01-05,A,10.75,300,0.1"), [("2024-01-03T05:00:00", "A", 10.5, 100), ("2024-01-05T05:00:00", "A", 10.75, 300)], "1 of 3 rows .*line 3: .*'-10.25' is not above zero", NY),
    "Kenneth French's returns": Kind(text("Date,Mkt-RF,SMB,HML,RF", *(f"2024010{3 + n},-0.{n}1,0.22,1.09,0.022" for n in N)), (), "prices", A_NY),
    "a wide table": Kind(text("Date,AAPL,MSFT", *(f"2024-01-0{3 + n},{CLOSES[n]},{CLOSES[n] + 1}" for n in N)), [(f"2024-01-0{3 + n}T05:00:00", s, CLOSES[n] + e, None) for n in N for s, e in (("AAPL", 0), ("MSFT", 1))], "", NY),
    "pairs of currencies": Kind(text("Pair,Time,Bid,Ask", *(f"EUR/USD,2024-01-05 14:30:0{n},1.09{n}0,1.09{n}2" for n in N)), [(f"2024-01-05T14:30:0{n}", "EUR/USD", (float(f"1.09{n}0") + float(f"1.09{n}2")) / 2, None) for n in N], "", UTC),
    # --- countries ---
    "B3's trades": Kind(text("RptDt;TckrSymb;UpdActn;GrssTradAmt;TradQty;NtryTm;TradId;SctyExchTp;TradDt", *(f"2024-01-05;PETR4;0;{str(CLOSES[n]).replace('.', ',')}00;{n + 1};10300{n}123;{n};1;2024-01-05" for n in N)), at("00.123000", "01.123000", "02.123000", symbol="PETR4", hour=13), "", {"timezone": "America/Sao_Paulo"}),
    "B3's trades by their Portuguese names": Kind(text("DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;CodigoIdentificadorNegocio", *(f"2024-01-05;PETR4;0;{str(CLOSES[n]).replace('.', ',')}00;{n + 1};10300{n}123;{n}" for n in N)), at("00.123000", "01.123000", "02.123000", symbol="PETR4", hour=13), "", {"timezone": "America/Sao_Paulo"}),
    "Börse Frankfurt": Kind(text("Datum;Eröffnung;Schluss;Tageshoch;Tagestief;Stücke;Volumen", *(f"0{3 + n}.01.24;{o};{c};{h};{lo};{n + 1}.000;9.999".replace("10.", "1.010,") for n, (o, h, lo, c) in enumerate(OHLC3))), [(f"2024-01-0{3 + n}T23:00:00", "A", 1000 + CLOSES[n], 1000 * n + 1000) for n in N], "", {"symbol": "A", "timezone": "Europe/Berlin"}),
    "Onvista": Kind(text("Datum;Eröffnung;Hoch;Tief;Schluss;Volumen", *(f"{3 + n:02}.01.2024;{';'.join(OHLC3[n]).replace('.', ',')};{n + 1}.000" for n in reversed(N))), [(f"2024-01-0{3 + n}T23:00:00", "A", CLOSES[n], 1000 * n + 1000) for n in N], "", {"symbol": "A", "timezone": "Europe/Berlin"}),
    "Kabutan": Kind(text("日付,始値,高値,安値,終値,前日比,前日比％,売買高(株)", *(f"24/01/0{3 + n},{','.join(OHLC3[n])},0.1,0.2,\"{n + 1},000\"" for n in N)), [(f"2024-01-0{3 + n}T15:00:00", "A", CLOSES[n], 1000 * n + 1000) for n in N], "", {"symbol": "A", "timezone": "Asia/Tokyo"}),
    "Tushare": Kind(text(",ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount", *(f"{n},000001.SZ,2024010{5 - n},{','.join(OHLC3[2 - n])},1,0.1,0.2,{300.0 - 100 * n},9.9" for n in N)), [(f"2024-01-0{3 + n}T16:00:00", "000001.SZ", CLOSES[n], 100 * n + 100) for n in N], "", {"timezone": "Asia/Shanghai"}),
    "Zerodha": Kind(text("date,open,high,low,close,volume", *(f"2024-01-05 20:{n:02}:00+05:30,{','.join(OHLC3[n])},{100 * n + 100}" for n in N)), bars(*CLOSES), "", A),
    "JSE with blanks for thousands": Kind(text("Date;Close;Volume", *(f"2024-01-0{3 + n};1 0{str(CLOSES[n]).replace('.', ',')};{n + 1} 000" for n in N)), ends(1010.5, 1010.25, 1010.75, volume=(1000, 2000, 3000)), "", A_NY),
    "Swiss marks": Kind(text("Date;Close;Volume", *(f"0{3 + n}.01.2024;1'0{CLOSES[n]};{n + 1}'000" for n in N)), ends(1010.5, 1010.25, 1010.75, volume=(1000, 2000, 3000)), "", A_NY),
    # --- times ---
    "weeks of ISO": Kind(text("Date,Close", *(f"2024-W01-{3 + n},{CLOSES[n]}" for n in N)), ends(*CLOSES, volume=None), "", A_NY),
    "days of the year": Kind(text("Date,Close", *(f"2024-00{3 + n},{CLOSES[n]}" for n in N)), ends(*CLOSES, volume=None), "", A_NY),
    "AM and PM": Kind(text("Date,Time,Price", *(f"Jan 5 2024,9:30:0{n} a.m.,{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", A_NY),
    "an offset without colon": Kind(text("Time,Price", *(f"2024-01-05 09:30:0{n} -0500,{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", A),
    "an offset of hours alone": Kind(text("Time,Price", *(f"2024-01-05 09:30:0{n}-05,{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", A),
    "a fraction after a comma": Kind(text("Time;Price", *(f"2024-01-05 09:30:0{n},250;{CLOSES[n]}" for n in N)), at("00.250000", "01.250000", "02.250000", volume=None), "", A_NY),
    "a fraction after a comma, in quotes": Kind(text("Time,Price", *(f'"2024-01-05 09:30:0{n},250",{CLOSES[n]}' for n in N)), at("00.250000", "01.250000", "02.250000", volume=None), "", A_NY),
    "two digits of the year": Kind(text("Date,Close", *(f"0{3 + n}-Jan-24,{CLOSES[n]}" for n in N)), ends(*CLOSES, volume=None), "", A_NY),
    "two digits of the year in front": Kind(text("Date,Close", *(f"24-01-{13 + n},{CLOSES[n]}" for n in N)), [(f"2024-01-{14 + n}T05:00:00", "A", CLOSES[n], None) for n in N], "", A_NY),
    "two digits of the year in front or last": Kind(text("Time,Price", *(f"24/01/13 09:30:0{n},{CLOSES[n]}" for n in N)), (), "'24/01/13 09:30:00' may have the year first or last: say --dates ymd", A_NY),
    "two digits of the year in front, said": Kind(text("Time,Price", *(f"24/01/05 09:30:0{n},{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", {**A_NY, "dates": "ymd"}),
    "names of days": Kind(text("Date,Close", *(f'"{day}, January {3 + n}, 2024",{CLOSES[n]}' for n, day in enumerate(("Wednesday", "Thursday", "Friday")))), ends(*CLOSES, volume=None), "", A_NY),
    "mail's form": Kind(text("Date,Price", *(f'"Fri, 05 Jan 2024 14:30:0{n} GMT",{CLOSES[n]}' for n in N)), at(0, 1, 2, volume=None), "", A),
    "JavaScript's form": Kind(text("Date,Price", *(f"Fri Jan 05 2024 09:30:0{n} GMT-0500 (Eastern Standard Time),{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", A),
    "the form of ctime": Kind(text("Date,Price", *(f"Fri Jan  5 09:30:0{n} 2024,{CLOSES[n]}" for n in N)), at(0, 1, 2, volume=None), "", A_NY),
    "scientific epochs of pandas": Kind(text("ts,price", "1.704465e+09,10.5", "1.704465001e+09,10.25", "1.704465002e+09,10.75"), at(0, 1, 2, volume=None), "", A),
    "scientific epochs that are rounded": Kind(text("ts,price", "1.70447E+12,10.5", "1.70447E+12,10.25", "1.70447E+12,10.75"), (), "'1.70447E\\+12' is rounded to 10,000 seconds: save that column as whole numbers", A),
    "epochs with nanoseconds after a point": Kind(text("ts,price", *(f"170446500{n}.123456789,{CLOSES[n]}" for n in N)), at("00.123457", "01.123457", "02.123457", volume=None), "", A),
    "Zeit with date and time": Kind(text("Zeit;Kurs;Stück", *(f"05.01.2024 15:30:0{n};{str(CLOSES[n]).replace('.', ',')};{n + 1}" for n in N)), at(0, 1, 2), "", {"symbol": "A", "timezone": "Europe/Berlin"}),
    "Uhrzeit with Uhr": Kind(text("Datum;Uhrzeit;Kurs", *(f"05.01.2024;15:30:0{n} Uhr;{str(CLOSES[n]).replace('.', ',')}" for n in N)), at(0, 1, 2, volume=None), "", {"symbol": "A", "timezone": "Europe/Berlin"}),
    "a time of day that is none": Kind(text("Date,Time,Price", *(f"2024-01-05,9:30:0{n} o'clock,{CLOSES[n]}" for n in N)), (), "times of day; \"9:30:00 o'clock\" in column 'Time' is not one", A_NY),
    "hours as numbers": Kind(text("Date,Hour,Price", *(f"2024-01-05,{9 + n},{CLOSES[n]}" for n in N)), [(f"2024-01-05T{14 + n}:00:00", "A", CLOSES[n], None) for n in N], "", A_NY),
    "numbers that may be hours": Kind(text("Date,Time,Price", *(f"2024-01-05,{9 + n},{CLOSES[n]}" for n in N)), (), "'11' in column 'Time' may be an hour or minutes after midnight", A_NY),
    "MetaStock": Kind(text("<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>", *(f"A,I,20240105,093{n}00,{','.join(OHLC3[n])},{100 * n + 100},0" for n in N)), bars(*CLOSES), "", NY),
    "months by name": Kind(text("Date,Close", "Jan 2024,10.5", "Feb 2024,10.25", "Mar 2024,10.75"), [("2024-02-01T05:00:00", "A", 10.5, None), ("2024-03-01T05:00:00", "A", 10.25, None), ("2024-04-01T04:00:00", "A", 10.75, None)], "", A_NY),
    # --- form ---
    "a mark, CRLF and quotes everywhere": Kind(("\ufeff" + text('"Date","Close","Volume"', *(f'"2024-01-0{3 + n}","{CLOSES[n]}","{100 * n + 100}"' for n in N))).replace("\n", "\r\n"), ends(*CLOSES), "", A_NY),
    "separators at the end of data alone": Kind(text("Date;Close;Volume", *(f"2024-01-0{3 + n};{CLOSES[n]};{100 * n + 100};" for n in N)), ends(*CLOSES), "", A_NY),
    "blank lines, and a footer": Kind(text("Date,Close,Volume", "", *(f"2024-01-0{3 + n},{CLOSES[n]},{100 * n + 100}\n" for n in N), "Total,,600", "Source: Example Data"), ends(*CLOSES), "line 9: time 'Total' is not a time", A_NY),
    "no number in many spellings": Kind(text("Date,Close,Volume", *(f"2024-01-0{3 + n},{CLOSES[n]},{v}" for n, v in enumerate(("-", "N/A", "#N/A"))), "2024-01-08,null,1", "2024-01-09,,1"), ends(*CLOSES, volume=None), "", A_NY),
    "a unit beside each price": Kind(text("Date,Close", *(f"2024-01-0{3 + n},${CLOSES[n]}" for n in N)), ends(*CLOSES, volume=None), "", A_NY),
    "separated by blanks": Kind(text("Date Close Volume", *(f"2024-01-0{3 + n} {CLOSES[n]} {100 * n + 100}" for n in N)), (), "a table of ticks, with commas, semicolons, tabs or pipes", A_NY),
    "columns of fixed width": Kind(text("Date        Close   Volume", *(f"2024-01-0{3 + n}  {CLOSES[n]:<8}{100 * n + 100}" for n in N)), (), "a table of ticks, with commas, semicolons, tabs or pipes", A_NY),
    "Markdown": Kind(text("| Date | Close | Volume |", "|---|---|---|", *(f"| 2024-01-0{3 + n} | {CLOSES[n]} | {100 * n + 100} |" for n in N)), ends(*CLOSES), "", A_NY),
    "an endless line of dashes": Kind(text("Date,Close", "-" * 100_000 + "x", *(f"2024-01-0{3 + n},{CLOSES[n]}" for n in N)), ends(*CLOSES, volume=None), "line 2: 1 cell", A_NY),
    "psql": Kind(text("   time    | price | volume ", "-----------+-------+--------", *(f" 2024-01-05 14:30:0{n}+00 | {CLOSES[n]} | {n + 1}" for n in N), "(3 rows)"), at(0, 1, 2), "", A),
    # --- JSON ---
    "JSON with results in results": Kind(json.dumps({"status": "OK", "data": {"ticker": "A", "results": [{"t": 1704465000000 + 1000 * n, "p": CLOSES[n], "s": n + 1} for n in N]}}), at(0, 1, 2)),
    "JSON by symbol": Kind(json.dumps({"A": [{"time": f"2024-01-05T14:30:0{n}Z", "price": CLOSES[n]} for n in N], "B": [{"time": f"2024-01-05T14:30:0{n}Z", "price": CLOSES[n]} for n in N]}), [(t, s, p, v) for s in "AB" for t, _, p, v in at(0, 1, 2, volume=None)]),
    "JSON by time": Kind(json.dumps({"symbol": "A", "historical": {f"2024-01-0{3 + n}": {"open": 10.3, "high": 10.9, "low": 10.0, "close": CLOSES[n], "volume": 100 * n + 100} for n in N}}), ends(*CLOSES), "", NY),
    "JSON of MongoDB": Kind(text(*(json.dumps({"_id": {"$oid": f"{n}"}, "time": {"$date": f"2024-01-05T14:30:0{n}Z"}, "symbol": "A", "price": CLOSES[n], "volume": {"$numberLong": f"{n + 1}"}}) for n in N)), at(0, 1, 2)),
    "JSON of Elasticsearch": Kind(text(*(json.dumps({"_index": "ticks", "_source": {"@timestamp": f"2024-01-05T14:30:0{n}Z", "symbol": "A", "price": CLOSES[n], "size": n + 1}}) for n in N)), at(0, 1, 2)),
    # --- no ticks at all ---
    "SQLite": Kind(sqlite_body(), (), "SQLite database: export the table as CSV", A_NY),
    "a pickle": Kind(b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x06pandas\x94.", (), "pickle", A_NY),
    "an array of numpy": Kind(b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n" + b"\0" * 24, (), "numpy", A_NY),
    "an ORC file": Kind(b"ORC\x08\x03\x10" + b"\0" * 40 + b"ORC", (), "ORC", A_NY),
    "an Avro file": Kind(b"Obj\x01\x04\x16avro.schema\xa8\x01{}" + b"\0" * 40, (), "Avro", A_NY),
    "a dump of DuckDB": Kind(b"\0" * 8 + b"DUCK" + b"\0" * 60, (), "DuckDB", A_NY),
    "a file of Matlab": Kind(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + b" " * 80 + b"\0\x01IM" + b"\0" * 60, (), "Matlab|MATLAB", A_NY),
    "R's data": Kind(b"RDX3\nX\n\0\0\0\x03" + b"\0" * 60, (), "a file of R: write the table as CSV", A_NY),
    "an image": Kind(b"\x89PNG\r\n\x1a\n" + b"\0" * 60, (), "image", A_NY),
    "an SQL dump": Kind(text("INSERT INTO ticks VALUES ('2024-01-05 14:30:00', 'A', 10.5, 1);", "INSERT INTO ticks VALUES ('2024-01-05 14:30:01', 'A', 10.25, 2);"), (), "SQL", A_NY),
    "XML": Kind(text('<?xml version="1.0"?>', "<ticks><tick t='2024-01-05T14:30:00Z' p='10.5'/></ticks>"), (), "XML|web page", A_NY),
    "YAML": Kind(text("- time: 2024-01-05T14:30:00Z", "  price: 10.5"), (), "a table of ticks", A_NY),
    "a pointer of Git LFS": Kind(text("version https://git-lfs.github.com/spec/v1", "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393", "size 12345"), (), "Git LFS", A_NY),
}  # fmt: skip


def outcome(path: Path, kind: Kind) -> tuple[Any, Any, str]:
    """Read the file; return the ticks found, the ticks expected, and the error message."""
    path.write_bytes(kind.body.encode() if isinstance(kind.body, str) else kind.body)
    ticks, complaint = failed(path, **(kind.flags or {}))
    form = "%Y-%m-%dT%H:%M:%S"
    found = [
        (
            f"{tick.timestamp:{form}}" + (f".{tick.timestamp:%f}" if tick.timestamp.microsecond else ""),
            tick.symbol,
            tick.price,
            tick.volume,
        )
        for tick in ticks
    ]
    return found, list(kind.ticks), complaint


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_read_as_it_is_meant_or_refused_with_what_it_is(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    found, meant, complaint = outcome(tmp_path / "some export", kind)
    assert found == meant, complaint
    assert bool(complaint) == bool(kind.complaint), complaint
    assert re.search(kind.complaint, complaint)
