# ruff: noqa: E501 - wall times have no zone here; a row is easiest to read on one line; Chinese brackets
"""More layouts of vendors, programs and languages, each generated here with the expected ticks."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.sources.files.corpus import (
    AAPL,
    DAY,
    MINUTE,
    NEW_YORK,
    NY,
    Bar,
    Case,
    Meant,
    Trade,
    at_end,
    case,
    days,
    epoch,
    in_ms,
    lines,
    meant_of,
    minutes,
    trades,
)

UTC_FLAG = {"timezone": "UTC"}


def _days(
    layout: str, header: Sequence[str] | str, row: Callable[[Bar], str], name: str = "AAPL.csv", *,
    symbol: str = "AAPL", zone: ZoneInfo = NEW_YORK, flags: Any = None, newest: bool = False, codec: str = "utf-8",
    volume: bool = True, body: Sequence[Bar] | None = None, footer: Sequence[str] = (),
) -> Case:  # fmt: skip
    bars = list(body or days())
    shown = bars[::-1] if newest else bars
    meant: list[Meant] = at_end(bars, zone, DAY, symbol, whole=True)
    if not volume:
        meant = [(s, at, price, None) for s, at, price, _ in meant]
    head = [header] if isinstance(header, str) else list(header)
    text = lines(*head, *map(row, shown), *footer).decode().encode(codec)
    return Case(layout, name, text, meant, NY if flags is None else flags, codec)


def _minutes(
    layout: str, header: Sequence[str] | str, row: Callable[[Bar], str], name: str, *, symbol: str = "AAPL",
    zone: Any = NEW_YORK, flags: Any = None, newest: bool = False, volume: bool = True, footer: Sequence[str] = (),
) -> Case:  # fmt: skip
    bars = minutes()
    meant: list[Meant] = at_end(bars, zone, MINUTE, symbol)
    if not volume:
        meant = [(s, at, price, None) for s, at, price, _ in meant]
    head = [header] if isinstance(header, str) else list(header)
    return Case(
        layout,
        name,
        lines(*head, *map(row, bars[::-1] if newest else bars), *footer),
        meant,
        NY if flags is None else flags,
    )


def _trades(
    layout: str, header: Sequence[str] | str, row: Callable[[int, Trade], str], name: str, *, symbol: str = "AAPL",
    flags: Any = None, newest: bool = False, rows: Sequence[Trade] | None = None, volume: bool = True,
) -> Case:  # fmt: skip
    found = in_ms(trades()) if rows is None else list(rows)
    numbered = list(enumerate(found))
    head = [header] if isinstance(header, str) else list(header)
    body = lines(*head, *(row(n, r) for n, r in (numbered[::-1] if newest else numbered)))
    meant = meant_of(found, symbol)
    if not volume:
        meant = [(s, at, price, None) for s, at, price, _ in meant]
    return Case(layout, name, body, meant, {} if flags is None else flags)


def n(value: float, places: int = 2) -> str:
    """A number in German notation, such as 1.234,50."""
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


# --- languages ---


@case
def chinese_eastmoney() -> Case:
    return _days(
        "Eastmoney",
        "日期,股票代码,开盘,收盘,最高,最低,成交量,成交额,振幅,涨跌幅,涨跌额,换手率",
        lambda b: (
            f"{b.at:%Y-%m-%d},600519,{b.open},{b.close},{b.high},{b.low},{b.volume},{b.volume * 100.5},1.2,0.3,0.5,0.1"
        ),
        "600519.csv",
        symbol="600519",
        zone=ZoneInfo("Asia/Shanghai"),
        flags={"timezone": "Asia/Shanghai"},
    )


@case
def chinese_gbk() -> Case:
    return _days(
        "NetEase",
        "日期,股票代码,名称,收盘价,最高价,最低价,开盘价,前收盘,涨跌额,涨跌幅,换手率,成交量,成交金额",
        lambda b: (
            f"{b.at:%Y-%m-%d},'600000,浦发银行,{b.close},{b.high},{b.low},{b.open},{b.open},0.1,0.2,0.3,{b.volume},{b.volume * 9.5}"
        ),
        "600000.csv",
        symbol="600000",
        zone=ZoneInfo("Asia/Shanghai"),
        flags={"timezone": "Asia/Shanghai"},
        newest=True,
        codec="gb18030",
    )


@case
def chinese_wind() -> Case:
    return _days(
        "Wind",
        "代码,简称,日期,开盘价(元),最高价(元),最低价(元),收盘价(元),成交额(百万),成交量(股)",
        lambda b: f'600519.SH,贵州茅台,{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},12.5,"{b.volume:,}"',
        "wind.csv",
        symbol="600519.SH",
        zone=ZoneInfo("Asia/Shanghai"),
        flags={"timezone": "Asia/Shanghai"},
    )


@case
def japanese_sjis() -> Case:
    return _days(
        "Japanese",
        "日付,始値,高値,安値,終値,出来高,終値調整",
        lambda b: f'"{b.at:%Y/%m/%d}","{b.open}","{b.high}","{b.low}","{b.close}","{b.volume}","{b.close / 2}"',
        "stocks_7203-T.csv",
        symbol="7203.T",
        zone=ZoneInfo("Asia/Tokyo"),
        flags={"timezone": "Asia/Tokyo", "symbol": "7203.T"},
        codec="shift_jis",
    )


@case
def japanese_dates() -> Case:
    return _days(
        "Japanese",
        "日付け,終値,始値,高値,安値,出来高,変化率 %",
        lambda b: (
            f'"{b.at.year}年{b.at.month:02}月{b.at.day:02}日","{b.close:,.2f}","{b.open:,.2f}","{b.high:,.2f}","{b.low:,.2f}","{b.volume / 1e6:.2f}M","0.10%"'
        ),
        "7203 過去データ.csv",
        symbol="7203.T",
        zone=ZoneInfo("Asia/Tokyo"),
        flags={"timezone": "Asia/Tokyo", "symbol": "7203.T"},
        newest=True,
        body=_millions(),
    )


def _millions() -> list[Bar]:
    return [bar._replace(volume=round(bar.volume, -4)) for bar in days()]


@case
def korean() -> Case:
    return _days(
        "Korean",
        "일자,종가,대비,등락률,시가,고가,저가,거래량,거래대금",
        lambda b: f'"{b.at:%Y/%m/%d}","{b.close}","1","0.5","{b.open}","{b.high}","{b.low}","{b.volume}","9"',
        "data_1234.csv",
        symbol="005930",
        zone=ZoneInfo("Asia/Seoul"),
        flags={"timezone": "Asia/Seoul", "symbol": "005930"},
        newest=True,
        codec="cp949",
    )


@case
def polish_stooq() -> Case:
    return _days(
        "Stooq, Polish",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen",
        lambda b: f"{b.at:%Y-%m-%d},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "pko_d.csv",
        symbol="PKO",
        zone=ZoneInfo("Europe/Warsaw"),
        flags={"timezone": "Europe/Warsaw", "symbol": "PKO"},
    )


@case
def german_ariva() -> Case:
    return _days(
        "Ariva",
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen",
        lambda b: (
            f"{b.at:%Y-%m-%d};{n(b.open)};{n(b.high)};{n(b.low)};{n(b.close)};{b.volume:_};{n(b.volume * b.close, 0)}".replace(
                "_", "."
            )
        ),
        "wkn_716460_historic.csv",
        symbol="SAP",
        zone=ZoneInfo("Europe/Berlin"),
        flags={"timezone": "Europe/Berlin", "symbol": "SAP"},
        newest=True,
    )


@case
def german_money_first() -> Case:
    return _days(
        "Boerse",
        "Datum;Eröffnung;Tageshoch;Tagestief;Schluss;Volumen (EUR);Stück",
        lambda b: (
            f"{b.at:%d.%m.%Y};{n(b.open)};{n(b.high)};{n(b.low)};{n(b.close)};{n(b.volume * b.close)};{n(b.volume, 0)}"
        ),
        "SAP.csv",
        symbol="SAP",
        zone=ZoneInfo("Europe/Berlin"),
        flags={"timezone": "Europe/Berlin"},
        newest=True,
        codec="cp1252",
    )


@case
def french_boursorama() -> Case:
    return _days(
        "Boursorama",
        "date;ouv;haut;bas;clot;vol;devise",
        lambda b: f"{b.at:%d/%m/%Y 00:00};{b.open};{b.high};{b.low};{b.close};{b.volume};EUR",
        "AIRLIQUIDE_2024-02-26.txt",
        symbol="AI",
        zone=ZoneInfo("Europe/Paris"),
        flags={"timezone": "Europe/Paris", "symbol": "AI"},
    )


@case
def french_headers() -> Case:
    return _days(
        "French",
        "Date;Ouverture;Plus Haut;Plus Bas;Clôture;Volume",
        lambda b: f"{b.at:%d/%m/%Y};{n(b.open)};{n(b.high)};{n(b.low)};{n(b.close)};{b.volume}",
        "AI.csv",
        symbol="AI",
        zone=ZoneInfo("Europe/Paris"),
        flags={"timezone": "Europe/Paris"},
        codec="latin-1",
    )


@case
def french_investing() -> Case:
    return _days(
        "investing.com, French",
        '"Date","Dernier","Ouv."," Plus Haut","Plus Bas","Vol.","Variation %"',
        lambda b: (
            f'"{b.at:%d/%m/%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "AI - Données Historiques.csv",
        symbol="AI",
        zone=ZoneInfo("Europe/Paris"),
        flags={"timezone": "Europe/Paris", "symbol": "AI"},
        newest=True,
        body=_millions(),
    )


@case
def spanish_investing() -> Case:
    return _days(
        "investing.com, Spanish",
        '"Fecha","Último","Apertura","Máximo","Mínimo","Vol.","% var."',
        lambda b: (
            f'"{b.at:%d.%m.%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "Datos históricos SAN.csv",
        symbol="SAN",
        zone=ZoneInfo("Europe/Madrid"),
        flags={"timezone": "Europe/Madrid", "symbol": "SAN"},
        newest=True,
        body=_millions(),
    )


@case
def spanish_headers() -> Case:
    return _days(
        "Spanish",
        "Fecha;Cierre;Apertura;Máximo;Mínimo;Volumen",
        lambda b: f"{b.at:%d/%m/%Y};{n(b.close)};{n(b.open)};{n(b.high)};{n(b.low)};{n(b.volume, 0)}",
        "SAN.csv",
        symbol="SAN",
        zone=ZoneInfo("Europe/Madrid"),
        flags={"timezone": "Europe/Madrid"},
    )


@case
def italian_investing() -> Case:
    return _days(
        "investing.com, Italian",
        '"Data","Ultimo","Apertura","Massimo","Minimo","Vol.","Var. %"',
        lambda b: (
            f'"{b.at:%d.%m.%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "ENI.csv",
        symbol="ENI",
        zone=ZoneInfo("Europe/Rome"),
        flags={"timezone": "Europe/Rome"},
        newest=True,
        body=_millions(),
    )


@case
def portuguese_investing() -> Case:
    return _days(
        "investing.com, Portuguese",
        '"Data","Último","Abertura","Máxima","Mínima","Vol.","Var%"',
        lambda b: (
            f'"{b.at:%d.%m.%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "PETR4.csv",
        symbol="PETR4",
        zone=ZoneInfo("America/Sao_Paulo"),
        flags={"timezone": "America/Sao_Paulo"},
        newest=True,
        body=_millions(),
    )


@case
def russian_investing() -> Case:
    return _days(
        "investing.com, Russian",
        '"Дата","Цена","Откр.","Макс.","Мин.","Объём","Изм. %"',
        lambda b: (
            f'"{b.at:%d.%m.%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "SBER.csv",
        symbol="SBER",
        zone=ZoneInfo("Europe/Moscow"),
        flags={"timezone": "Europe/Moscow"},
        newest=True,
        body=_millions(),
    )


@case
def dutch_investing() -> Case:
    return _days(
        "investing.com, Dutch",
        '"Datum","Laatst","Open","Hoog","Laag","Vol.","Verschil %"',
        lambda b: (
            f'"{b.at:%d-%m-%Y}","{n(b.close)}","{n(b.open)}","{n(b.high)}","{n(b.low)}","{n(b.volume / 1e6)}M","0,12%"'
        ),
        "ASML.csv",
        symbol="ASML",
        zone=ZoneInfo("Europe/Amsterdam"),
        flags={"timezone": "Europe/Amsterdam"},
        newest=True,
        body=_millions(),
    )


@case
def finam() -> Case:
    return _minutes(
        "Finam",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        lambda b: f"SBER,1,{b.at:%Y%m%d},{b.at:%H%M%S},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "SBER_240116_240116.csv",
        symbol="SBER",
        zone=ZoneInfo("Europe/Moscow"),
        flags={"timezone": "Europe/Moscow"},
    )


@case
def finam_ticks() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    return _trades(
        "Finam ticks",
        "<TICKER>;<PER>;<DATE>;<TIME>;<LAST>;<VOL>",
        lambda _, r: f"SBER;0;{r.at:%Y%m%d};{r.at:%H%M%S};{r.price:.6f};{r.volume:.0f}",
        "SBER.txt",
        symbol="SBER",
        flags=UTC_FLAG,
        rows=rows,
    )


# --- programs ---


@case
def ib_frame() -> Case:
    return _minutes(
        "Interactive Brokers",
        ",date,open,high,low,close,volume,average,barCount",
        lambda b: f"{b.at.minute},{b.at}-05:00,{b.open},{b.high},{b.low},{b.close},{b.volume},{b.close},12",
        "AAPL_1min.csv",
        flags={},
    )


@case
def ib_zone_in_cell() -> Case:
    return _minutes(
        "Interactive Brokers",
        "Date,Open,High,Low,Close,Volume",
        lambda b: f"{b.at:%Y%m%d %H:%M:%S} US/Eastern,{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "AAPL.csv",
        flags={},
    )


@case
def ib_two_blanks() -> Case:
    return _minutes(
        "Interactive Brokers",
        "Date,Open,High,Low,Close,Volume,WAP,Count",
        lambda b: f"{b.at:%Y%m%d  %H:%M:%S},{b.open},{b.high},{b.low},{b.close},{b.volume},{b.close},3",
        "AAPL.csv",
    )


@case
def ninjatrader_minutes() -> Case:
    return _minutes(
        "NinjaTrader",
        [],
        lambda b: f"{b.at:%Y%m%d %H%M%S};{b.open};{b.high};{b.low};{b.close};{b.volume}",
        "ES 03-24.Last.txt",
        symbol="ES",
        zone=UTC,
        flags=UTC_FLAG | {"symbol": "ES"},
    )


@case
def ninjatrader_ticks() -> Case:
    return _trades(
        "NinjaTrader ticks",
        [],
        lambda _, r: (
            f"{r.at:%Y%m%d %H%M%S} {r.at.microsecond * 10:07};{r.price};{r.price - 0.25};{r.price};{r.volume:.0f}"
        ),
        "ES 03-24.Last.txt",
        symbol="ES",
        flags=UTC_FLAG | {"symbol": "ES"},
    )


@case
def tradingview() -> Case:
    return _minutes(
        "TradingView",
        "time,open,high,low,close,VWAP,Upper Band #1,Volume,Volume MA",
        lambda b: (
            f"{epoch(b.at.replace(tzinfo=NEW_YORK), 's')},{b.open},{b.high},{b.low},{b.close},{b.close},{b.high},{b.volume},55"
        ),
        "BATS_AAPL, 1.csv",
        flags=AAPL,
    )


@case
def tradingview_iso() -> Case:
    return _minutes(
        "TradingView",
        "time,open,high,low,close",
        lambda b: f"{b.at:%Y-%m-%dT%H:%M:%S}-05:00,{b.open},{b.high},{b.low},{b.close}",
        "NASDAQ_AAPL, 1.csv",
        flags=AAPL,
        volume=False,
    )


@case
def tradestation() -> Case:
    return _minutes(
        "TradeStation",
        '"Date","Time","Open","High","Low","Close","Up","Down"',
        lambda b: f"{b.at:%m/%d/%Y},{b.at:%H:%M},{b.open},{b.high},{b.low},{b.close},10,20",
        "AAPL.txt",
        volume=False,
    )


@case
def sierra_chart() -> Case:
    return _minutes(
        "Sierra Chart",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume",
        lambda b: (
            f"{b.at.year}/{b.at.month}/{b.at.day}, {b.at:%H:%M:%S}, {b.open}, {b.high}, {b.low}, {b.close}, {b.volume}, 7, 3, 4"
        ),
        "AAPL.scid_BarData.txt",
        flags=NY | AAPL,
    )


@case
def amibroker() -> Case:
    return _minutes(
        "AmiBroker",
        "Ticker,Date/Time,Open,High,Low,Close,Volume",
        lambda b: f"AAPL,{b.at:%Y-%m-%d %H:%M:%S},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "export.csv",
    )


@case
def barchart() -> Case:
    return _minutes(
        "Barchart",
        "Time,Open,High,Low,Last,Change,%Chg,Volume",
        lambda b: f'"{b.at:%Y-%m-%d %H:%M}",{b.open},{b.high},{b.low},{b.close},0.1,"0.05%",{b.volume}',
        "aapl_intraday-1min_historical-data-01-17-2024.csv",
        newest=True,
        flags=NY | AAPL,
        footer=['"Downloaded from Barchart.com as of 01-17-2024 09:15am CST"'],
    )


@case
def metatrader5_ticks() -> Case:
    rows = in_ms(trades())
    body = lines(
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>",
        *(
            f"{r.at:%Y.%m.%d}\t{r.at:%H:%M:%S.}{r.at.microsecond // 1000:03}\t{r.price}\t{r.price + 0.25 if k % 4 else ''}\t\t\t6"
            for k, r in enumerate(rows)
        ),
    )
    meant: list[Meant] = [("EURUSD", r.at, (r.price + r.price + 0.25) / 2, None) for k, r in enumerate(rows) if k % 4]
    return Case("MetaTrader 5 ticks", "EURUSD_202401161430_202401161431.csv", body, meant, UTC_FLAG)


@case
def metatrader5_exchange_ticks() -> Case:
    rows = in_ms(trades())
    body = lines(
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>",
        *(
            f"{r.at:%Y.%m.%d}\t{r.at:%H:%M:%S.}{r.at.microsecond // 1000:03}\t{r.price - 1}\t{r.price + 1}\t{r.price if k % 3 else ''}\t{int(r.volume or 0) if k % 3 else ''}\t6"
            for k, r in enumerate(rows)
        ),
    )
    return Case(
        "MetaTrader 5 ticks",
        "PETR4_202401161430_202401161431.csv",
        body,
        [m for k, m in enumerate(meant_of(rows, "PETR4")) if k % 3],
        UTC_FLAG,
    )


@case
def iqfeed_minutes() -> Case:
    total = iter(range(1_000_000_000, 100_000_000_000, 100_000_000))
    return _minutes(
        "IQFeed",
        [],
        lambda b: f"{b.at},{b.high},{b.low},{b.open},{b.close},{next(total)},{b.volume},0,",
        "AAPL_1min.csv",
    )


@case
def iqfeed_ticks() -> Case:
    return _trades(
        "IQFeed ticks",
        [],
        lambda k, r: (
            f"{r.at:%Y-%m-%d %H:%M:%S.%f},{r.price:.4f},{r.volume:.0f},{100_000 + 500 * k},{r.price - 0.01:.4f},{r.price + 0.01:.4f},{9000 + k},C,26,3D87,"
        ),
        "AAPL.csv",
        flags=UTC_FLAG,
        newest=True,
    )


# --- vendors of stocks ---


@case
def kibot_minutes() -> Case:
    return _minutes(
        "Kibot",
        [],
        lambda b: f"{b.at:%m/%d/%Y},{b.at:%H:%M},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "AAPL.txt",
    )


@case
def kibot_ticks() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    return _trades(
        "Kibot ticks",
        [],
        lambda k, r: (
            f"{r.at:%m/%d/%Y},{r.at:%H:%M:%S},{r.price},{r.price - 0.02:.2f},{r.price + 0.01 * (k % 2):.2f},{r.volume:.0f}"
        ),
        "AAPL.txt",
        flags=UTC_FLAG,
        rows=rows,
    )


@case
def tick_data() -> Case:
    return _trades(
        "TickData",
        [],
        lambda _, r: f"{r.at:%m/%d/%Y},{r.at:%H:%M:%S.}{r.at.microsecond // 1000:03},{r.price},{r.volume:.0f},Q,@,,0",
        "AAPL_2024_01_16.csv",
        flags=UTC_FLAG,
    )


@case
def algoseek() -> Case:
    rows = trades()
    kinds = ("QUOTE BID NB", "TRADE NB", "QUOTE ASK", "TRADE")
    body = lines(
        "Date,Timestamp,EventType,Ticker,Price,Quantity,Exchange,Conditions",
        *(
            f"{r.at:%Y%m%d},{r.at:%H:%M:%S.%f}000,{kinds[k % 4]},AAPL,{r.price if k % 2 else r.price + 5},{r.volume:.0f},NASDAQ,00000001"
            for k, r in enumerate(rows)
        ),
    )
    return Case("AlgoSeek", "AAPL.csv", body, [m for k, m in enumerate(meant_of(rows, "AAPL")) if k % 2], UTC_FLAG)


@case
def refinitiv() -> Case:
    rows = trades()
    body = lines(
        "#RIC,Domain,Date-Time,GMT Offset,Type,Price,Volume,Bid Price,Bid Size,Ask Price,Ask Size,Qualifiers",
        *(
            f"AAPL.O,Market Price,{r.at:%Y-%m-%dT%H:%M:%S.%f}000Z,-5,{f'Trade,{r.price},{r.volume:.0f},,,,' if k % 3 else f'Quote,,,{r.price},1,{r.price + 1},2'},x"
            for k, r in enumerate(rows)
        ),
    )
    return Case("Refinitiv", "AAPL.O-2024.csv", body, [m for k, m in enumerate(meant_of(rows, "AAPL.O")) if k % 3], {})


@case
def bloomberg_days() -> Case:
    return _days(
        "Bloomberg",
        [
            "Security,AAPL US Equity,,,,",
            "Start Date,1/2/2024,,,,",
            "End Date,3/1/2024,,,,",
            ",,,,,",
            "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME",
        ],
        lambda b: f"{b.at.month}/{b.at.day}/{b.at.year},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "grid1.csv",
        flags=NY | AAPL,
    )


@case
def bloomberg_ticks() -> Case:
    rows = trades()
    body = lines(
        "time,type,value,size,conditionCodes",
        *(
            f"{r.at:%Y-%m-%dT%H:%M:%S.%f}Z,{'TRADE' if k % 3 else 'BID'},{r.price if k % 3 else r.price - 2},{r.volume:.0f},"
            for k, r in enumerate(rows)
        ),
    )
    return Case("Bloomberg ticks", "AAPL.csv", body, [m for k, m in enumerate(meant_of(rows, "AAPL")) if k % 3], {})


@case
def nyse_daily_taq() -> Case:
    rows = trades()
    body = lines(
        "Time|Exchange|Symbol|Sale Condition|Trade Volume|Trade Price|Trade Stop Stock Indicator|Trade Correction Indicator|Sequence Number|Trade Id|Source of Trade|Trade Reporting Facility|Participant Timestamp|Trade Reporting Facility TRF Timestamp|Trade Through Exempt Indicator",
        *(
            f"{r.at.astimezone(NEW_YORK):%H%M%S%f}000|P|BRK A|@ TI|{r.volume:.0f}|{r.price}||00|{k}|{k}|C||{r.at.astimezone(NEW_YORK):%H%M%S%f}000||0"
            for k, r in enumerate(rows)
        ),
    )
    return Case("NYSE daily TAQ", "EQY_US_ALL_TRADE_20240116.txt", body, meant_of(rows, "BRK A"), NY)


@case
def monthly_taq() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    return _trades(
        "WRDS monthly TAQ",
        "SYMBOL,DATE,TIME,PRICE,SIZE,G127,CORR,COND,EX",
        lambda _, r: f"AAPL,{r.at:%Y%m%d},{r.at.hour}:{r.at:%M:%S},{r.price},{r.volume:.0f},0,0,@,T",
        "taq.csv",
        flags=UTC_FLAG,
        rows=rows,
    )


@case
def iex_hist_trades() -> Case:
    return _trades(
        "IEX HIST, as CSV",
        "Packet Capture Time,Send Time,Raw Timestamp,Tick Type,Symbol,Size,Price,Trade ID,Sale Condition",
        lambda k, r: (
            f"{epoch(r.at, 'ns') + 900},{epoch(r.at, 'ns') + 500},{epoch(r.at, 'ns')},T,AAPL,{r.volume:.0f},{r.price},{k},EXTENDED_HOURS"
        ),
        "20240116_trd.csv",
        rows=trades(),
    )


@case
def databento_csv() -> Case:
    return _trades(
        "Databento, CSV",
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol",
        lambda k, r: (
            f"{epoch(r.at, 'ns') + 2000},{epoch(r.at, 'ns')},0,2,32,T,A,0,{round(r.price * 100)}0000000,{r.volume:.0f},130,165,{k},AAPL"
        ),
        "xnas-itch-20240116.trades.csv",
        rows=[r._replace(at=r.at) for r in trades()],
    )


@case
def databento_csv_pretty() -> Case:
    return _trades(
        "Databento, CSV",
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol",
        lambda k, r: (
            f"{r.at:%Y-%m-%dT%H:%M:%S.%f}000Z,{r.at:%Y-%m-%dT%H:%M:%S.%f}000Z,0,2,32,T,A,0,{r.price:.9f},{r.volume:.0f},130,165,{k},AAPL"
        ),
        "xnas-itch-20240116.trades.csv",
        rows=trades(),
    )


@case
def databento_books() -> Case:
    rows = trades()
    body = lines(
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol",
        *(
            f"{r.at:%Y-%m-%dT%H:%M:%S.%f}000Z,{r.at:%Y-%m-%dT%H:%M:%S.%f}000Z,1,2,32,{'T' if k % 3 else 'A'},A,0,{r.price if k % 3 else r.price + 3},{r.volume:.0f},130,165,{k},{r.price},{r.price + 1},1,1,1,1,AAPL"
            for k, r in enumerate(rows)
        ),
    )
    return Case(
        "Databento, mbp-1",
        "xnas-itch-20240116.mbp-1.csv",
        body,
        [m for k, m in enumerate(meant_of(rows, "AAPL")) if k % 3],
        {},
    )


@case
def tiingo_csv() -> Case:
    return _days(
        "Tiingo",
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor",
        lambda b: (
            f"{b.at:%Y-%m-%d},{b.close},{b.high},{b.low},{b.open},{b.volume},{b.close / 2},{b.high / 2},{b.low / 2},{b.open / 2},{b.volume * 2},0.0,1.0"
        ),
    )


@case
def eodhd_intraday() -> Case:
    return _minutes(
        "EODHD",
        "Timestamp,Gmtoffset,Datetime,Open,High,Low,Close,Volume",
        lambda b: f"{epoch(b.at.replace(tzinfo=UTC), 's')},0,{b.at},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "AAPL.csv",
        zone=UTC,
        flags={},
    )


@case
def twelve_data() -> Case:
    return _minutes(
        "Twelve Data",
        "datetime;open;high;low;close;volume",
        lambda b: f"{b.at};{b.open:.5f};{b.high:.5f};{b.low:.5f};{b.close:.5f};{b.volume}",
        "AAPL.csv",
        newest=True,
    )


@case
def twelve_data_json() -> Case:
    bars = minutes()
    body = {
        "meta": {
            "symbol": "AAPL",
            "interval": "1min",
            "currency": "USD",
            "exchange_timezone": "America/New_York",
            "exchange": "NASDAQ",
        },
        "values": [
            {
                "datetime": str(b.at),
                "open": str(b.open),
                "high": str(b.high),
                "low": str(b.low),
                "close": str(b.close),
                "volume": str(b.volume),
            }
            for b in bars[::-1]
        ],
        "status": "ok",
    }
    return Case("Twelve Data", "answer.json", json.dumps(body).encode(), at_end(bars, NEW_YORK, MINUTE, "AAPL"), NY)


@case
def fmp_json() -> Case:
    bars = days()
    body = {
        "symbol": "AAPL",
        "historical": [
            {
                "date": f"{b.at:%Y-%m-%d}",
                "open": b.open,
                "high": b.high,
                "low": b.low,
                "close": b.close,
                "adjClose": b.close / 2,
                "volume": b.volume,
                "unadjustedVolume": b.volume,
                "change": 0.1,
                "changePercent": 0.2,
                "vwap": b.close,
                "label": "January 02, 24",
            }
            for b in bars[::-1]
        ],
    }
    return Case("FMP", "answer.json", json.dumps(body).encode(), at_end(bars, NEW_YORK, DAY, "AAPL", whole=True), NY)


@case
def marketstack_json() -> Case:
    bars = days()
    body = {
        "pagination": {"limit": 100, "offset": 0, "count": 40, "total": 40},
        "data": [
            {
                "open": b.open,
                "high": b.high,
                "low": b.low,
                "close": b.close,
                "volume": float(b.volume),
                "adj_close": b.close / 2,
                "split_factor": 1.0,
                "dividend": 0.0,
                "symbol": "AAPL",
                "exchange": "XNAS",
                "date": f"{b.at:%Y-%m-%d}T00:00:00+0000",
            }
            for b in bars[::-1]
        ],
    }
    return Case("marketstack", "answer.json", json.dumps(body).encode(), at_end(bars, UTC, DAY, "AAPL", whole=True), {})


@case
def quandl_json() -> Case:
    bars = days()
    body = {
        "dataset": {
            "id": 9775409,
            "dataset_code": "AAPL",
            "database_code": "WIKI",
            "name": "Apple Inc",
            "column_names": [
                "Date",
                "Open",
                "High",
                "Low",
                "Close",
                "Volume",
                "Ex-Dividend",
                "Split Ratio",
                "Adj. Close",
            ],
            "frequency": "daily",
            "data": [
                [f"{b.at:%Y-%m-%d}", b.open, b.high, b.low, b.close, float(b.volume), 0.0, 1.0, b.close / 2]
                for b in bars[::-1]
            ],
        }
    }
    return Case(
        "Quandl", "AAPL.json", json.dumps(body).encode(), at_end(bars, NEW_YORK, DAY, "AAPL", whole=True), NY | AAPL
    )


@case
def schwab_json() -> Case:
    bars = minutes()
    body = {
        "candles": [
            {
                "open": b.open,
                "high": b.high,
                "low": b.low,
                "close": b.close,
                "volume": b.volume,
                "datetime": epoch(b.at.replace(tzinfo=NEW_YORK), "ms"),
            }
            for b in bars
        ],
        "symbol": "AAPL",
        "empty": False,
    }
    return Case("Schwab", "answer.json", json.dumps(body).encode(), at_end(bars, NEW_YORK, MINUTE, "AAPL"), {})


@case
def moex_json() -> Case:
    bars = minutes()
    zone = ZoneInfo("Europe/Moscow")
    body = {
        "candles": {
            "metadata": {"open": {"type": "double"}},
            "columns": ["open", "close", "high", "low", "value", "volume", "begin", "end"],
            "data": [
                [b.open, b.close, b.high, b.low, 9.5, b.volume, str(b.at), str(b.at + timedelta(seconds=59))]
                for b in bars
            ],
        }
    }
    return Case(
        "MOEX",
        "SBER.json",
        json.dumps(body).encode(),
        at_end(bars, zone, MINUTE, "SBER"),
        {"timezone": "Europe/Moscow"},
    )


@case
def nse_website() -> Case:
    return _days(
        "NSE",
        '"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ","vwap ","52W H ","52W L ","VOLUME ","VALUE ","No of trades "',
        lambda b: (
            f'"{b.at:%d-%b-%Y}","EQ","{b.open:,.2f}","{b.high:,.2f}","{b.low:,.2f}","{b.open:,.2f}","{b.close + 0.5:,.2f}","{b.close:,.2f}","{b.close:,.2f}","999.00","100.00","{b.volume:,}","{b.volume * 9:,}","55"'
        ),
        "Quote-Equity-INFY-EQ.csv",
        symbol="INFY",
        zone=ZoneInfo("Asia/Kolkata"),
        flags={"timezone": "Asia/Kolkata", "symbol": "INFY"},
        newest=True,
    )


@case
def euronext() -> Case:
    return _days(
        "Euronext",
        [
            '"Historical Data"',
            '"From 2024-01-01 to 2024-03-01"',
            "FR0000120073",
            "Date;Open;High;Low;Last;Close;Number of Shares;Number of Trades;Turnover;vwap",
        ],
        lambda b: (
            f"{b.at:%d/%m/%Y};{b.open};{b.high};{b.low};{b.close};{b.close};{b.volume};{b.volume // 9};9.5;{b.close}"
        ),
        "AI.csv",
        symbol="AI",
        zone=ZoneInfo("Europe/Paris"),
        flags={"timezone": "Europe/Paris"},
        newest=True,
    )


@case
def quantquote() -> Case:
    return _minutes(
        "QuantQuote",
        [],
        lambda b: f"{b.at:%Y%m%d},{b.at.hour * 100 + b.at.minute},{b.open},{b.high},{b.low},{b.close},{b.volume},1,0,0",
        "table_aapl.csv",
        flags=NY | AAPL,
    )


# --- vendors of currencies and coins ---


@case
def dukascopy_eet() -> Case:
    return _minutes(
        "Dukascopy",
        "Time (EET),Open,High,Low,Close,Volume ",
        lambda b: f"{b.at:%Y.%m.%d %H:%M:%S},{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "EURUSD_1 Min_Bid_2024.01.16_2024.01.17.csv",
        symbol="EURUSD",
        zone=ZoneInfo("EET"),
        flags={"symbol": "EURUSD"},
    )


@case
def dukascopy_node_ticks() -> Case:
    rows = in_ms(trades())
    body = lines(
        "timestamp,askPrice,bidPrice,askVolume,bidVolume",
        *(f"{epoch(r.at, 'ms')},{r.price + 0.25},{r.price},0.9,1.2" for r in rows),
    )
    return Case(
        "Dukascopy",
        "eurusd-tick-2024-01-16-2024-01-17.csv",
        body,
        [("EURUSD", r.at, (r.price + 0.25 + r.price) / 2, None) for r in rows],
        {"symbol": "EURUSD"},
    )


@case
def histdata_metatrader() -> Case:
    return _minutes(
        "HistData",
        [],
        lambda b: f"{b.at:%Y.%m.%d},{b.at:%H:%M},{b.open:.6f},{b.high:.6f},{b.low:.6f},{b.close:.6f},{b.volume}",
        "DAT_MT_EURUSD_M1_2024.csv",
        symbol="EURUSD",
        zone=ZoneInfo("Etc/GMT+5"),
        flags={},
    )


@case
def coinbase_candles_csv() -> Case:
    return _minutes(
        "Coinbase",
        [],
        lambda b: f"{epoch(b.at.replace(tzinfo=UTC), 's')},{b.low},{b.high},{b.open},{b.close},{b.volume}",
        "BTC-USD.csv",
        symbol="BTC-USD",
        zone=UTC,
        flags={},
        newest=True,
    )


@case
def coinbase_trades_json() -> Case:
    rows = trades()
    body = [
        {
            "trade_id": 1000 + k,
            "side": "buy",
            "size": f"{r.volume:.8f}",
            "price": f"{r.price:.2f}",
            "time": f"{r.at:%Y-%m-%dT%H:%M:%S.%f}Z",
        }
        for k, r in reversed(list(enumerate(rows)))
    ]
    return Case("Coinbase trades", "BTC-USD.json", json.dumps(body).encode(), meant_of(rows, "BTC-USD"), {})


@case
def bitfinex_candles() -> Case:
    bars = minutes()
    body = [[epoch(b.at.replace(tzinfo=UTC), "ms"), b.open, b.close, b.high, b.low, b.volume / 4] for b in bars[::-1]]
    return Case(
        "Bitfinex candles",
        "tBTCUSD.json",
        json.dumps(body).encode(),
        at_end(bars, UTC, MINUTE, "BTCUSD", factor=0.25),
        {"symbol": "BTCUSD"},
    )


@case
def bitfinex_trades() -> Case:
    rows = in_ms(trades())
    body = [
        [5000 + k, epoch(r.at, "ms"), -(r.volume or 0) / 8 if k % 2 else (r.volume or 0) / 8, r.price]
        for k, r in reversed(list(enumerate(rows)))
    ]
    return Case(
        "Bitfinex trades",
        "answer.json",
        json.dumps(body).encode(),
        [(s, at, p, (v or 0) / 8) for s, at, p, v in meant_of(rows, "BTCUSD")],
        {"symbol": "BTCUSD"},
    )


@case
def bybit_trades() -> Case:
    rows = in_ms(trades())
    return _trades(
        "Bybit",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
        lambda k, r: (
            f"{epoch(r.at, 'ms') / 1000:.4f},BTCUSDT,Buy,{r.volume},{r.price},ZeroPlusTick,{k:08x}-1111,{r.price * 1e8},{r.volume},{r.price}"
        ),
        "BTCUSDT2024-01-16.csv",
        symbol="BTCUSDT",
        rows=rows,
    )


@case
def okx_trades() -> Case:
    return _trades(
        "OKX",
        "instrument_name,trade_id,side,price,size,created_time",
        lambda k, r: f"BTC-USDT,{k},buy,{r.price},{r.volume},{epoch(r.at, 'ms')}",
        "BTC-USDT-trades-2024-01-16.csv",
        symbol="BTC-USDT",
    )


@case
def okx_chinese() -> Case:
    return _trades(
        "OKX",
        "trade_id/撮合id,side/交易方向,size/数量,price/价格,created_time/成交时间",
        lambda k, r: f"{k},BUY,{r.volume},{r.price},{epoch(r.at, 'ms')}",
        "BTC-USDT-trades-2023-01-16.csv",
        symbol="BTC-USDT",
        flags={"symbol": "BTC-USDT"},
    )


@case
def kucoin_trades() -> Case:
    return _trades(
        "KuCoin",
        "trade_id,trade_time,price,size,side",
        lambda k, r: f"{k + 10**12},{epoch(r.at, 'ms')},{r.price},{r.volume},BUY",
        "BTCUSDT-trades-2024-01-16.csv",
        symbol="BTCUSDT",
    )


@case
def gate_trades() -> Case:
    return _trades(
        "Gate.io",
        [],
        lambda k, r: f"{epoch(r.at, 'ms') / 1000:.6f},{k + 9_000_000},{r.price},{r.volume},{1 + k % 2}",
        "BTC_USDT-202401.csv",
        symbol="BTC_USDT",
        flags={"symbol": "BTC_USDT", "columns": {"time": ("1",), "price": ("3",), "volume": ("4",)}},
    )


@case
def tardis_quotes() -> Case:
    rows = trades()
    body = lines(
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
        *(
            f"deribit,BTC-PERPETUAL,{epoch(r.at, 'us')},{epoch(r.at, 'us') + 9},5,{r.price + 0.5},{r.price},7"
            for r in rows
        ),
    )
    return Case(
        "Tardis quotes",
        "deribit_quotes_2024-01-16_BTC-PERPETUAL.csv",
        body,
        [("BTC-PERPETUAL", r.at, (r.price + 0.5 + r.price) / 2, None) for r in rows],
        {},
    )


@case
def binance_book_ticker() -> Case:
    rows = in_ms(trades())
    body = lines(
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
        *(
            f"{k},{r.price},1.5,{r.price + 0.5},2.5,{epoch(r.at, 'ms')},{epoch(r.at, 'ms') + 3}"
            for k, r in enumerate(rows)
        ),
    )
    return Case(
        "Binance book ticker",
        "BTCUSDT-bookTicker-2024-01-16.csv",
        body,
        [("BTCUSDT", r.at, (r.price + 0.5 + r.price) / 2, None) for r in rows],
        {"symbol": "BTCUSDT"},
    )


@case
def binance_aggregated_us() -> Case:
    return _trades(
        "Binance aggregated trades",
        [],
        lambda k, r: f"{k},{r.price:.8f},{r.volume:.8f},{k},{k + 1},{epoch(r.at, 'us')},True,True",
        "BTCUSDT-aggTrades-2025-01-16.csv",
        symbol="BTCUSDT",
        rows=trades(),
    )


@case
def binance_rest_klines() -> Case:
    bars = minutes()
    body = [
        [
            epoch(b.at.replace(tzinfo=UTC), "ms"),
            str(b.open),
            str(b.high),
            str(b.low),
            str(b.close),
            str(b.volume),
            epoch(b.at.replace(tzinfo=UTC), "ms") + 59_999,
            "9.5",
            5,
            "1.5",
            "2.5",
            "0",
        ]
        for b in bars
    ]
    return Case(
        "Binance klines", "BTCUSDT-1m.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "BTCUSDT"), {}
    )


@case
def coinmarketcap() -> Case:
    bars = days()
    body = lines(
        "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp",
        *(
            f'"{b.at:%Y-%m-%d}T00:00:00.000Z";"{b.at:%Y-%m-%d}T23:59:59.999Z";"{b.at:%Y-%m-%d}T13:00:00.000Z";"{b.at:%Y-%m-%d}T02:00:00.000Z";"2781";{b.open};{b.high};{b.low};{b.close};{b.volume};{b.close * 1e9};"{b.at:%Y-%m-%d}T23:59:59.999Z"'
            for b in bars[::-1]
        ),
    )
    return Case(
        "CoinMarketCap",
        "Bitcoin_1_1_2024-3_1_2024_historical_data_coinmarketcap.csv",
        body,
        at_end(bars, UTC, DAY, "BTC", whole=True),
        {"symbol": "BTC"},
    )


@case
def coingecko_json() -> Case:
    rows = in_ms(trades())
    body = {
        "prices": [[epoch(r.at, "ms"), r.price] for r in rows],
        "market_caps": [[epoch(r.at, "ms"), r.price * 1e7] for r in rows],
        "total_volumes": [[epoch(r.at, "ms"), 5.5] for r in rows],
    }
    return Case(
        "CoinGecko",
        "answer.json",
        json.dumps(body).encode(),
        [(s, at, p, None) for s, at, p, _ in meant_of(rows, "BTC")],
        {"symbol": "BTC"},
    )


@case
def cryptocompare_json() -> Case:
    bars = minutes()
    body = {
        "Response": "Success",
        "Message": "",
        "HasWarning": False,
        "Type": 100,
        "RateLimit": {},
        "Data": {
            "Aggregated": False,
            "TimeFrom": 1,
            "TimeTo": 2,
            "Data": [
                {
                    "time": epoch(b.at.replace(tzinfo=UTC), "s"),
                    "high": b.high,
                    "low": b.low,
                    "open": b.open,
                    "volumefrom": b.volume / 2,
                    "volumeto": 99.5,
                    "close": b.close,
                    "conversionType": "direct",
                    "conversionSymbol": "",
                }
                for b in bars
            ],
        },
    }
    return Case(
        "CryptoCompare",
        "answer.json",
        json.dumps(body).encode(),
        at_end(bars, UTC, MINUTE, "BTC", factor=0.5),
        {"symbol": "BTC"},
    )


@case
def deribit_json() -> Case:
    rows = in_ms(trades())
    body = {
        "jsonrpc": "2.0",
        "result": {
            "trades": [
                {
                    "trade_seq": k,
                    "trade_id": str(k),
                    "timestamp": epoch(r.at, "ms"),
                    "tick_direction": 0,
                    "price": r.price,
                    "mark_price": r.price + 1,
                    "instrument_name": "BTC-PERPETUAL",
                    "index_price": r.price - 1,
                    "direction": "buy",
                    "amount": r.volume,
                }
                for k, r in enumerate(rows)
            ],
            "has_more": True,
        },
        "usIn": 1,
        "usOut": 2,
        "testnet": False,
    }
    return Case("Deribit", "answer.json", json.dumps(body).encode(), meant_of(rows, "BTC-PERPETUAL"), {})


@case
def oanda_json() -> Case:
    bars = minutes()
    body = {
        "instrument": "EUR_USD",
        "granularity": "M1",
        "candles": [
            {
                "complete": True,
                "volume": b.volume,
                "time": f"{b.at:%Y-%m-%dT%H:%M:%S}.000000000Z",
                "mid": {"o": str(b.open), "h": str(b.high), "l": str(b.low), "c": str(b.close)},
            }
            for b in bars
        ],
    }
    return Case("Oanda", "answer.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "EUR_USD"), {})


@case
def bitstamp_json() -> Case:
    bars = minutes()
    body = {
        "data": {
            "pair": "BTC/USD",
            "ohlc": [
                {
                    "timestamp": str(epoch(b.at.replace(tzinfo=UTC), "s")),
                    "open": str(b.open),
                    "high": str(b.high),
                    "low": str(b.low),
                    "close": str(b.close),
                    "volume": str(b.volume),
                }
                for b in bars
            ],
        }
    }
    return Case("Bitstamp", "answer.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "BTC/USD"), {})


@case
def bitstamp_trades_json() -> Case:
    rows = [r._replace(at=r.at.replace(microsecond=0)) for r in trades()]
    body = [
        {"amount": str(r.volume), "date": str(epoch(r.at, "s")), "price": str(r.price), "tid": k, "type": k % 2}
        for k, r in reversed(list(enumerate(rows)))
    ]
    return Case("Bitstamp", "btcusd.json", json.dumps(body).encode(), meant_of(rows, "BTCUSD"), {"symbol": "BTCUSD"})


# --- databases and libraries ---


@case
def pandas_split_json() -> Case:
    bars = minutes()
    body = {
        "columns": ["open", "high", "low", "close", "volume"],
        "index": [epoch(b.at.replace(tzinfo=UTC), "ms") for b in bars],
        "data": [[b.open, b.high, b.low, b.close, b.volume] for b in bars],
    }
    return Case("pandas, split", "AAPL.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "AAPL"), {})


@case
def pandas_table_json() -> Case:
    bars = minutes()
    body = {
        "schema": {
            "fields": [{"name": "Datetime", "type": "datetime"}],
            "primaryKey": ["Datetime"],
            "pandas_version": "1.4.0",
        },
        "data": [
            {
                "Datetime": f"{b.at:%Y-%m-%dT%H:%M:%S}.000Z",
                "Open": b.open,
                "High": b.high,
                "Low": b.low,
                "Close": b.close,
                "Volume": b.volume,
            }
            for b in bars
        ],
    }
    return Case("pandas, table", "AAPL.json", json.dumps(body).encode(), at_end(bars, UTC, MINUTE, "AAPL"), {})


@case
def clickhouse_compact_json() -> Case:
    rows = trades()
    body = {
        "meta": [
            {"name": "ts", "type": "DateTime64(6)"},
            {"name": "sym", "type": "String"},
            {"name": "px", "type": "Float64"},
            {"name": "qty", "type": "Float64"},
        ],
        "data": [[f"{r.at:%Y-%m-%d %H:%M:%S.%f}", "AAPL", r.price, r.volume] for r in rows],
        "rows": len(rows),
    }
    return Case("ClickHouse", "rows.json", json.dumps(body).encode(), meant_of(rows, "AAPL"), UTC_FLAG)


@case
def kdb() -> Case:
    return _trades(
        "kdb+",
        "time,sym,price,size",
        lambda _, r: f"{r.at:%Y.%m.%dD%H:%M:%S.%f}000,AAPL,{r.price},{r.volume:.0f}",
        "trade.csv",
        flags=UTC_FLAG,
        rows=trades(),
    )


@case
def questdb() -> Case:
    return _trades(
        "QuestDB",
        '"symbol","side","price","amount","timestamp"',
        lambda _, r: f'"BTC-USD","buy",{r.price},{r.volume},"{r.at:%Y-%m-%dT%H:%M:%S.%f}Z"',
        "questdb-query-1705400000000.csv",
        symbol="BTC-USD",
        rows=trades(),
    )


@case
def influx_annotated() -> Case:
    rows = trades()
    head = [
        "#group,false,false,false,false,true",
        "#datatype,string,long,dateTime:RFC3339,double,string",
        "#default,_result,,,,",
    ]
    return _trades(
        "InfluxDB, annotated",
        [*head, ",result,table,_time,price,symbol"],
        lambda _, r: f",,0,{r.at:%Y-%m-%dT%H:%M:%S.%f}Z,{r.price},AAPL",
        "query.csv",
        rows=rows,
        volume=False,
    )


@case
def bigquery() -> Case:
    return _trades(
        "BigQuery",
        "trade_time,ticker,trade_price,trade_size",
        lambda _, r: f"{r.at:%Y-%m-%d %H:%M:%S.%f} UTC,AAPL,{r.price},{r.volume:.0f}",
        "bq-results-20240116.csv",
        rows=trades(),
    )


@case
def zipline_minutes() -> Case:
    return _minutes(
        "ISO with a zone per row",
        "date,open,high,low,close,volume",
        lambda b: f"{b.at:%Y-%m-%d %H:%M:%S}+05:30,{b.open},{b.high},{b.low},{b.close},{b.volume}",
        "INFY.csv",
        symbol="INFY",
        zone=ZoneInfo("Asia/Kolkata"),
        flags={},
    )
