"""The names that columns have in files, by role; and what a file's name reveals about its symbol and its bars."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

_ROLES: dict[str, str] = {
    # If a file has several names of a role, the one that is listed first here wins.
    "symbol": "symbol ticker tickers sym instrument rawsymbol instrumentsymbol tradingsymbol symbolname"
    " tscode stockcode stock stocksymbol tic tckrsymb codigoinstrumento"
    " symbolid instrumentname pair currencypair market contract productid securityid secid security asset code ric"
    " act_symbol name s underlying root symroot product isin 证券代码 股票代码 代码 股票代號 合约代码 合约"
    " コード 銘柄コード 종목코드 тикер",
    "date": "date day tradedate tradingday traddt rptdt datareferencia datadate datum fecha dt dates"
    " tradingdate quotedate businessdate"
    " sessiondate dtyyyymmdd"
    " yyyymmdd observationdate timeperiod 日期 交易日期 交易日 日付 日付け 일자 날짜 дата data tarih datums dato",
    "clock": "time minute clock timeofday zeit hora uhrzeit hour timem tm heure ora tijd ntrytm horafechamento"
    " 时间 時間 時刻 시간 время",
    "time": "timestamp datetime dateandtime dateutc gmttime utctime timeutc timegmt localtime"
    " datetimeutc exchangetime 日期时间 成交时间 日時"
    " tradetime executiontime transacttime transactiontime eventtime siptimestamp participanttimestamp tsevent"
    " tsrecv rawtimestamp ts unix unixtime"
    " unixtimestamp unixtimestamps epoch epochtime epochms timestampms timestampns timestampus"
    " timeperiodstart opentime timeopen starttime candledatetimeutc createdtime createtime begin"
    " begins_at beginsat start createdat time date datestr timeexchange"
    " time_exchange barstart windowstart"
    " updated lastupdated latestupdate t timems timens timestamps trade_time index datetimeet startsat",
    "price": "price last lastprice lastpx tradeprice px p lasttrade lastsale saleprice trdprice pricelast"
    " executionprice grsstradamt preconegocio rate value"
    " ultimo laatst цена 价格 最新价 成交价 現在値 현재가"
    " kurs cours precio prezzo prijs preis spot"
    " lasttradeprice tradepx settle settlement settlementprice mid midprice pr prc lp",
    "close": "close zuletzt closelast closeprice priceclose prccd closingprice last pxlast c closeask_bid"
    " schluss schlusskurs"
    " cierre cloture clot chiusura fechamento slotkoers zamkniecie 收盘 收盘价 收盤價 終値 종가 закрытие kapanis"
    " closing"
    " dernier adjclose adjustedclose closeadj adjclosingprice clos closevalue mdclose",
    "open": "open openprice priceopen prcod o openingprice eroffnung eroffn erster ouverture ouv apertura"
    " abertura otwarcie откр"
    " открытие 开盘 开盘价 今开 開盤價 始値 시가 acilis pxopen first openvalue mdopen",
    "high": "high highprice pricehigh prchd h max hoch tageshoch plushaut maximo maxima massimo najwyzszy hoog"
    " макс максимум 最高"
    " 最高价 最高價 高値 고가 yuksek pxhigh highvalue mdhigh hochst haut",
    "low": "low lowprice pricelow prcld l min tief tagestief plusbas minimo minima najnizszy laag мин минимум"
    " 最低 最低价 最低價"
    " 安値 저가 dusuk pxlow lowvalue mdlow tiefst bas",
    "volume": "volume vol v qty quantity size lastsize lastsz tradesize tradevolume tradevol lastqty"
    " shares sharestraded amount amt"
    " volumebtc volumeeth volumefrom volumeusd lastvolume sz totalvolume stuck stucke stuecke anzahl volumen menge"
    " wolumen объем 成交量 出来高 거래량 数量 candleacctradevolume volumebase"
    " basevolume volbtc tickvol tickvolume q volumes units pxvolume volumetraded tottrdqty"
    " totaltradedquantity totaltradequantity tradedquantity numberofshares baseamount tradqty"
    " quantidadenegociada cshtrd contracts"
    " 売買高",
    "bid": "bid bidclose bidprice bestbid bidpx bidpx00 bid1 bid1price bp b bestbidprice bidpx0 bidprice1 pricebid",
    "ask": "ask askclose askprice bestask askpx askpx00 ask1 ask1price offer ap a bestaskprice askpx0 askprice1"
    " priceask ofr ofrprice",
    "bidsize": "bidsize bidvolume bestbidsize bidsz bidsz00 bs bidqty bidsiz bidamount bidqty",
    "asksize": "asksize askvolume bestasksize asksz asksz00 as askqty offersize ofrsiz askamount",
    "endtime": "closetime endtime end timeperiodend",
}
ROLES = ("time", "symbol", "price", "volume", "open", "high", "low", "close", "bid", "ask")
"""The roles that `--columns` takes."""


_EVENT_COLUMNS = frozenset(
    ("type", "eventtype", "ticktype", "recordtype", "recordkind", "msgtype", "messagetype", "event", "action",
     "updatetype", "datatype", "类型")
)  # fmt: skip
TRADE_EVENTS = frozenset(
    spelled
    for word in (
        "trade", "trades", "trade nb", "trd", "execution", "executed", "fill", "match", "matched", "last", "last_trade",
        "t", "tas_trade",
    )
    for spelled in (word, word.upper(), word.capitalize())
)  # fmt: skip
"""The values with which a column of events marks a trade."""
OTHER_EVENTS = re.compile(
    r"(?:best[_ ]?)?(?:bid|ask|offer)s?(?:[_ ].*)?|quotes?(?:[_ ].*)?|q|n?bbo|book.*|depth.*|add|cancel\w*"
    r"|modify|delete|clear|order.*|trade[_ ]cancel\w*|trade[_ ]correct\w*|snapshot|update|l2.*|mid|[acmrfn]",
    re.IGNORECASE,
)
"""The values with which a column of events marks something other than a trade."""

_NOT_SYMBOLS = frozenset(
    [
        "TEST",
        "TESTS",
        "DATA",
        "SAMPLE",
        "TICK",
        "TICKS",
        "TRADE",
        "TRADES",
        "QUOTE",
        "QUOTES",
        "STOCK",
        "STOCKS",
        "PRICE",
        "PRICES",
        "BAR",
        "BARS",
        "OHLC",
        "OHLCV",
        "CSV",
        "FILE",
        "EXPORT",
        "DOWNLOAD",
        "TABLE",
        "HISTORY",
        "HIST",
        "HISTORICAL",
        "DAILY",
        "HOURLY",
        "MINUTE",
        "SECOND",
        "WEEKLY",
        "MONTHLY",
        "DAY",
        "HOUR",
        "NEW",
        "OLD",
        "OUT",
        "INPUT",
        "OUTPUT",
        "RESULT",
        "RESULTS",
        "MARKET",
        "INTRADAY",
        "BOOK",
        "EOD",
        "ALL",
        "A",
        "B",
        "C",
        "X",
        "Y",
        "Z",
        "CRYPTO",
        "FOREX",
        "FX",
        "EQUITY",
        "FUTURES",
        "INDEX",
        "README",
        "SHEET1",
        "TAQ",
    ]
)
_INTERVAL_WORDS = {
    "tick": 0, "second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hourly": 3600,
    "daily": 86_400, "day": 86_400, "weekly": 604_800, "week": 604_800,
}  # fmt: skip
_UNITS = {
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "t": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86_400,
    "day": 86_400,
    "w": 604_800,
    "wk": 604_800,
}
_EXCHANGES = "(?:Binance|Bitstamp|Coinbase|Kraken|Gemini|Bitfinex|Poloniex|OKX|Bybit|BitMEX)"
_STEM = re.compile(
    r"\.(csv|txt|tsv|json|jsonl|ndjson|parquet|pq|feather|arrow|dbn|zst|gz|bz2|xz|zip|dat|prn|us|log)$", re.IGNORECASE
)


def plain(name: str) -> str:
    """A column's name in lower-case letters and digits only, without accents, text in brackets or a leading number.

    >>> plain("<CLOSE>"), plain("Close/Last"), plain("4. close"), plain(" Volume (BTC)"), plain("Schlußkurs")
    ('close', 'closelast', 'close', 'volume', 'schlusskurs')
    >>> plain("Último"), plain("Eröffnung"), plain("收盘价(元)")
    ('ultimo', 'eroffnung', '收盘价')
    """
    text = name.strip().strip("\ufeff\"'").lower().replace("ß", "ss").replace("ł", "l")
    if not text.isascii():
        bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
        text = unicodedata.normalize("NFC", bare)
    text = re.sub(r"^\d+[a-z]?\.\s*", "", text)
    short = re.sub(r"[(\[{][^)\]}]*[)\]}]", "", text)
    found = re.sub(r"[\W_]", "", short)
    return found or re.sub(r"[\W_]", "", text)


_CURRENCY = re.compile(r"[\s_](?:USDT?|EUR|GBP|JPY|CHF|CAD|AUD|CNY|HKD|INR|BRL|KRW)$")
PARTS = (("symroot", "symsuffix", "."), ("baseasset", "quoteasset", "-"), ("basecurrency", "quotecurrency", "-"))
"""Pairs of columns that together name the symbol, and the text between the two parts: BRK.B, BTC-USD."""

RANKS: dict[str, dict[str, int]] = {
    role: {plain(name): rank for rank, name in reversed(list(enumerate(text.split())))} for role, text in _ROLES.items()
}


def roles(names: Sequence[str]) -> dict[str, list[int]]:
    """For each role, the columns whose names match it, best match first."""
    found: dict[str, list[int]] = {}
    short = [plain(name) for name in names]
    for role, ranks in RANKS.items():
        ranked = [(ranks[text], at) for at, text in enumerate(short) if text in ranks]
        if not ranked:  # a name in two languages: "price/价格"
            halves = [(plain(half), at) for at, name in enumerate(names) if "/" in name for half in name.split("/")]
            ranked = [(ranks[text], at) for text, at in halves if text in ranks and not names[at].isascii()]
        if not ranked:  # a currency after the name: "Price USD"
            bare = [(plain(_CURRENCY.sub("", name)), at) for at, name in enumerate(names) if _CURRENCY.search(name)]
            ranked = [(ranks[text], at) for text, at in bare if text in ranks and role != "volume"]
        if not ranked:  # nested names in JSON and prefixes of feeds: "k.c", "data.p", "bar_close"
            ranked = [(ranks[tail], at) for at, name in enumerate(names) if (tail := _tail(name)) in ranks]
        found[role] = [at for _, at in sorted(ranked)]
    is_timed = found["time"] or found["date"] or found["clock"]
    if not is_timed and (found["price"] or found["close"] or found["bid"]):
        found["time"] = [at for at, name in enumerate(short) if re.search("time|date|stamp|datum|fecha", name)]
    return found


def events(names: Sequence[str]) -> list[int]:
    """The columns whose names say what a row is: a trade, a quote, a change of the order book.

    >>> events(["time", "EventType", "price"])
    [1]
    """
    return [at for at, name in enumerate(names) if plain(name.rsplit(".", 1)[-1]) in _EVENT_COLUMNS]


def _tail(name: str) -> str:
    return plain(name.rsplit(".", 1)[-1]) if "." in name and not re.match(r"^\d+\.", name) else ""


def stem(file: str) -> str:
    """A file's name without its folder and its extensions.

    >>> stem("/x/AAPL_2024.csv.gz")
    'AAPL_2024'
    """
    name = file.replace("\\", "/").rsplit("/", 1)[-1].rsplit("!", 1)[-1]
    while (shorter := _STEM.sub("", name)) != name:
        name = shorter
    return name


def symbol_in(file: str) -> str | None:
    """The symbol in a file's name, if it is unambiguous.

    >>> symbol_in("AAPL_2024.csv"), symbol_in("BTCUSDT-1m-2024-01.csv"), symbol_in("DAT_ASCII_EURUSD_M1_2023.csv")
    ('AAPL', 'BTCUSDT', 'EURUSD')
    >>> symbol_in("BRK-A.csv"), symbol_in("trades.csv"), symbol_in("EA-15m-no-bad-divs.csv"), symbol_in("aapl.us.txt")
    ('BRK-A', None, None, 'AAPL')
    """
    name = stem(file)
    if re.fullmatch(r"[a-z]{1,5}", name) and re.search(r"\.us\.txt", file):
        return name.upper()
    if found := re.match(r"DAT_[A-Z]+_([A-Z0-9]{3,10})_(?:M1|T)", name):
        return found[1]
    if found := re.match(r"{_EXCHANGES}_([A-Z0-9]{{4,12}})_", name):
        return found[1]
    if re.fullmatch(r"[A-Z0-9^$][A-Z0-9.^=]{0,9}(?:-[A-Z]{1,4})?", name):
        return name if _is_ticker(name) else None
    if found := re.match(r"([A-Z][A-Z0-9.^=]{0,11}(?:-[A-Z]{1,4})?)[-_ ,.](.+)", name):
        rest = re.split(r"[-_ ,.]+", found[2])
        if _is_ticker(found[1]) and all(map(_says_when, rest)):
            return found[1]
    return None


def _is_ticker(text: str) -> bool:
    return (
        text not in _NOT_SYMBOLS
        and re.search(r"[A-Z]", text) is not None
        and not re.fullmatch(r"[A-Z]{2,5}\d{6,}", text)
    )


def _says_when(word: str) -> bool:
    """Whether a word of a file's name states a date, an interval or a kind of rows, and is not a symbol."""
    low = word.lower()
    return bool(
        re.fullmatch(r"\d{1,14}|[mh]|\d+[a-z]{1,3}|[mh]\d{1,2}|d1?|w1|mn1?|\d{1,2}[a-z]{3}\d{2,4}", low)
        or low in _INTERVAL_WORDS
        or low
        in {
            "to",
            "full",
            "trades",
            "trade",
            "quotes",
            "quote",
            "ticks",
            "klines",
            "aggtrades",
            "ohlc",
            "ohlcv",
            "history",
        }
        or low
        in {
            "historical",
            "data",
            "prices",
            "bars",
            "candlestick",
            "bid",
            "ask",
            "last",
            "1min",
            "historicaldata",
            "us",
            "d",
        }
        or low
        in {
            "message",
            "adjsplitdiv",
            "unadjusted",
            "adjsplit",
            "outright",
            "max",
            "stock",
            "price",
            "jan",
            "feb",
            "mar",
        }
    )


def interval_in(file: str) -> int | None:
    """The length of a bar in seconds, from the file's name; 0 for ticks.

    >>> interval_in("BTCUSDT-15m-2024-01.csv"), interval_in("20140605_aapl_minute_trade.csv"), interval_in("AAPL.csv")
    (900, 60, None)
    """
    for word in re.split(r"[-_ ,.!/]+", stem(file).lower()):
        if word in _INTERVAL_WORDS:
            return _INTERVAL_WORDS[word]
        if found := re.fullmatch(r"(\d{1,3})(s|sec|m|min|t|h|hour|d|day|w|wk)", word):
            return int(found[1]) * _UNITS[found[2]]
        if found := re.fullmatch(r"([mh])(\d{1,2})", word):
            return int(found[2]) * _UNITS[found[1]]
        if word == "d1":
            return 86_400
    return None


def date_in(file: str) -> datetime | None:
    """The day in a file's name if there is exactly one, as in the names of LEAN's, LOBSTER's and TAQ's files.

    >>> date_in("AAPL_2012-06-21_34200000_57600000_message_10.csv").date().isoformat()
    '2012-06-21'
    """
    for found in re.finditer(r"(?<!\d)((?:19|20)\d\d)([-_]?)(\d\d)\2(\d\d)(?!\d)", stem(file)):
        try:
            return datetime(int(found[1]), int(found[3]), int(found[4]))  # noqa: DTZ001 - wall-clock time has no zone
        except ValueError:
            continue
    return None


def column_of(given: str, names: Sequence[str]) -> int | None:
    """The index of the column that the user names: by its exact name, by its name regardless of case and punctuation,
    or by its number from 1.

    >>> column_of("close", ["Date", "Close"]), column_of("2", ["Date", "Close"]), column_of("Volume", ["Date"])
    (1, 1, None)
    """
    for same in (str.strip, lambda text: text.strip().lower(), plain):
        hits = [at for at, name in enumerate(names) if same(name) == same(given) and same(given)]
        if len(hits) == 1:
            return hits[0]
    return int(given) - 1 if given.isdecimal() and 0 < int(given) <= len(names) else None


def parse_columns(text: str) -> Mapping[str, tuple[str, ...]]:
    """Parse a value such as `price=Close,time=Date+Time` into columns by role. Raises `ValueError`, which says what is
    wrong.

    >>> parse_columns("price=Close,time=Date+Time")
    {'price': ('Close',), 'time': ('Date', 'Time')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, re.split(r",\s*(?=\w+\s*=)", text.strip())):
        role, equals, column = part.partition("=")
        role = role.strip().lower()
        if not equals or role not in ROLES or not column.strip() or role in found:
            raise ValueError(part)
        several = role in ("time", "symbol")
        found[role] = tuple(each.strip() for each in column.split("+")) if several else (column.strip(),)
    return found
