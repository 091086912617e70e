"""Recognises a file: makes a `Plan` from the names of its columns and its first rows, or raises an error that says
which flag is needed.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from tickflow.sources.files import names as column_names
from tickflow.sources.files.amounts import decimal_sign, is_empty, number, numbers
from tickflow.sources.files.convert import _texts, padded, times_of
from tickflow.sources.files.layouts import Known, Sample, headerless
from tickflow.sources.files.options import EPOCH_UNITS, Options, Unreadable, quoted
from tickflow.sources.files.plan import BARS, MONTHS, QUOTES, TRADES, Plan, Series, TimeRule
from tickflow.sources.files.table import Cells, Chunk
from tickflow.sources.files.times import (
    DAY_US,
    Micros,
    epoch_unit,
    read_clock,
    read_time,
    read_times,
    summer_of,
    zone_in,
)
from tickflow.sources.files.zones import Clock, offsets_said, zone_of
from tickflow.ticks.tick import is_symbol

SECOND_US = 1_000_000
_STANDARD_S = (
    1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 300, 600, 900, 1200, 1800, 2700, 3600, 7200, 10_800, 14_400, 21_600,
    28_800, 43_200, 86_400, 259_200, 604_800,
)  # fmt: skip

_EXCEL = "; if it is a number of days, as Excel keeps dates, format the column as a date there and save it again"
_STARTS = frozenset(
    ("timeopen", "opentime", "starttime", "begin", "beginsat", "timeperiodstart", "barstart", "windowstart", "start",
     "candledatetimeutc", "startsat")
)  # fmt: skip


@dataclass
class Seen:
    """The first rows of a file, and what its metadata state.

    `symbol`, `zone` and `bar_s` are those that the file itself states (in the metadata of DBN or of a JSON answer).
    """

    names: Sequence[str]
    chunk: Chunk
    file: Sequence[str]
    has_header: bool = True
    separator: str = ""
    symbol: str | None = None
    zone: str | None = None
    bar_s: int | None = None
    notes: list[str] = field(default_factory=list)
    messages: bool = False

    @property
    def columns(self) -> Sequence[Cells]:
        """The cells by column."""
        return self.chunk.columns


def plan_of(seen: Seen, options: Options) -> Plan:
    """The plan for a file. Raises `Unreadable`, which says what is missing or ambiguous."""
    return _Recogniser(seen, options).plan()


class _Recogniser:
    def __init__(self, seen: Seen, options: Options) -> None:
        self.seen, self.options = seen, options
        self.texts = [_texts(cells) for cells in seen.columns]
        self.names = list(seen.names)
        self.notes = list(seen.notes)
        if not len(seen.chunk):
            why = (
                f"; the first: line {seen.chunk.refused[0].line}: {seen.chunk.refused[0].why}"
                if seen.chunk.refused
                else ""
            )
            raise Unreadable(
                f"a file with rows of data; this one has {'none that fits its header' if why else 'none'}{why}"
            )
        self.filled = [[cell for cell in cells if not is_empty(cell)] for cells in self.texts]
        self.roles = column_names.roles([name.partition("\0")[0] for name in self.names])
        self.given = self._given()

    def plan(self) -> Plan:
        known = None
        if not self.seen.has_header and not self.given.get("time") and not self.given.get("price"):
            known = headerless(Sample(self.texts), self.seen.file)
            if known is None:
                raise Unreadable(
                    f"columns that can be identified; this file has no header that names them, and its first row is "
                    f"{quoted(', '.join(cells[0] for cells in self.texts), 120)}: say which is which by number, as in "
                    "--columns time=1,price=2"
                )
            self.notes.append(f"no header; the layout is known: {known.what}")
        comma = self._comma()
        self.comma = comma
        kind, series, symbol = self._prices(known)
        time = self._time(known, kind)
        series = self._named(series, symbol, known)
        is_wide = symbol is None and not known and series[0].symbol is not None
        select = known.select if known else self._events(kind)
        plan = Plan(
            kind, time, tuple(series), symbol, self._suffix(symbol), comma,
            known.scale if known else self._scale(series), self.options.bars, select=select,
            lacks=kind == TRADES and (is_wide or self._has_quotes()), messages=self.seen.messages,
            signed=known is not None and known.signed,
        )  # fmt: skip
        plan = self._bars(plan, known)
        plan = replace(plan, direction=self._direction(plan))
        if kind == QUOTES:
            if self.options.quotes != "mid":
                raise Unreadable("trades or bars; these are quotes (bid, ask): --quotes mid takes their midpoints")
            self.notes.append(
                "quotes: each tick is the midpoint of bid and ask, and its source is replay_mid (--quotes mid)"
            )
        return replace(plan, notes=tuple(self.notes))

    # --- which column is what ---

    def _given(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for role, columns in self.options.columns.items():
            places = [
                column_names.column_of(each, [name.replace("\0", " ") for name in self.names]) for each in columns
            ]
            for place, each in zip(places, columns, strict=True):
                if place is None:
                    raise Unreadable(f"the column {quoted(each)} that --columns names; there are {self._all()}")
            found[role] = tuple(place for place in places if place is not None)
        return found

    def _column(self, role: str) -> int | None:
        """The best column of numbers for the role, or `None`."""
        if role in self.given:
            return self.given[role][0]
        for at in self.roles[role]:
            if self._is_numeric(at):
                return self._only(at)
        return None

    def _only(self, at: int) -> int:
        """Return the column `at`. Raises `Unreadable` if another column has the same name but different cells."""
        name = self.names[at].strip().lower()
        for other, each in enumerate(self.names):
            if other != at and each.strip().lower() == name and list(self.texts[other]) != list(self.texts[at]):
                raise Unreadable(
                    f"one column {quoted(self.names[at])}; number {at + 1} and number {other + 1} have that name: say "
                    f"which by its number, as in --columns price={at + 1}"
                )
        return at

    def _is_numeric(self, at: int) -> bool:
        cells = self.seen.columns[at]
        if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
            return True
        filled = self.filled[at][:500]
        if not filled:
            return False
        return sum(number(cell) is not None or number(cell, comma=True) is not None for cell in filled) >= 0.5 * len(
            filled
        )

    def _comma(self) -> bool:
        if self.options.decimal is not None:
            return self.options.decimal == "comma"
        roles = ("open", "high", "low", "close", "price", "bid", "ask", "volume")
        named = {at for role in roles for at in (*self.roles[role], *self.given.get(role, ()))}
        cells = [
            cell for at in (sorted(named) or range(len(self.filled)))
            if not isinstance(self.seen.columns[at], np.ndarray) and self._is_numeric(at)
            for cell in self.filled[at][:500]
        ]  # fmt: skip
        if not any("," in cell for cell in cells):
            return False
        comma = decimal_sign(cells)
        if comma:
            self.notes.append("the decimal sign is a comma (--decimal comma)")
        return comma

    def _prices(self, known: Known | None) -> tuple[str, list[Series], int | None]:
        symbol = self._symbol_column(known)
        if known is not None:
            columns = {role: at for role, at in known.columns.items() if role != "symbol"}
            kind = BARS if "close" in columns else QUOTES if "bid" in columns else TRADES
            return kind, [Series(columns)], symbol
        if several := self._several():
            return several
        found = {role: self._column(role) for role in ("open", "high", "low", "close", "price", "bid", "ask")}
        taken = {at for at in found.values() if at is not None}
        if found["price"] in (found["open"], found["high"], found["low"]):
            found["price"] = None
        volume = self._volume(taken, symbol)
        extra = {} if volume is None else {"volume": volume}
        has_bars = all(found[role] is not None for role in ("open", "high", "low"))
        if "price" in self.given and not has_bars:
            self._say("price", self.given["price"][0])
            return TRADES, [Series({"price": self.given["price"][0]} | extra)], symbol
        close = found["close"] if found["close"] is not None and "price" not in self.given else None
        if close is None and has_bars:
            close = found["price"]
        if has_bars and close is not None:
            columns = {role: at for role in ("open", "high", "low") if (at := found[role]) is not None} | {
                "close": close
            }
            self._say_close(close)
            return BARS, [Series(columns | extra)], symbol
        if found["price"] is not None and (found["close"] in (None, found["price"])):
            self._say("price", found["price"])
            return TRADES, [Series({"price": found["price"]} | extra)], symbol
        if found["close"] is not None:
            self._say_close(found["close"])
            return BARS, [Series({"close": found["close"]} | extra)], symbol
        if found["price"] is not None:
            return TRADES, [Series({"price": found["price"]} | extra)], symbol
        if found["bid"] is not None and found["ask"] is not None:
            return QUOTES, [Series({"bid": found["bid"], "ask": found["ask"]})], symbol
        if wide := self._wide(symbol):
            return wide
        raise Unreadable(
            f"a column with prices; there are {self._all()}, of which none is known "
            "as one and has numbers: say which it is, as in --columns price=NAME"
        )

    def _say(self, role: str, at: int) -> None:
        self.notes.append(f"{role}: column {quoted(self.names[at])}")

    def _say_close(self, at: int) -> None:
        others = [
            self.names[each]
            for each in self.roles["close"]
            if each != at and column_names.plain(self.names[each]).startswith("adj")
        ]
        also = f"; {quoted(others[0])} is not used (--columns price={_shell(others[0])} takes it)" if others else ""
        self.notes.append(f"price: the close, column {quoted(self.names[at])}{also}")

    def _volume(self, taken: set[int], symbol: int | None) -> int | None:
        if "volume" in self.given:
            return self.given["volume"][0]
        short = [column_names.plain(name) for name in self.names]
        for at, name in enumerate(short):  # a column named "s" is the size if it is not the symbol
            if name == "s" and at != symbol and self._is_numeric(at):
                return at
        # In a table of bars, a column named "amount" is a sum of money.
        money = {"amount", "amt"} if all(self.roles[role] for role in ("open", "high", "low")) else set()
        candidates = [
            at for at in self.roles["volume"]
            if at not in taken and at != symbol and short[at] not in money and self._is_numeric(at)
        ]  # fmt: skip
        prefixed = [
            at for at, name in enumerate(short)
            if re.fullmatch(r"vol(?:ume)?[a-z]{2,6}", name) and at not in taken and self._is_numeric(at)
        ]  # fmt: skip
        if len(prefixed) > 1 or not candidates:
            base = [
                at
                for at in prefixed
                if not re.search(r"(?:usdt?|eur|quote|currency|notional|weighted|avg)$", short[at])
            ]
            named = self._first_symbol(symbol)
            own = [
                at
                for at in prefixed
                if named and named.upper().startswith(re.sub(r"^vol(?:ume)?", "", short[at]).upper())
            ]
            ordered = own or base or prefixed
            if ordered and not (candidates and short[candidates[0]] in ("volume", "vol")):
                candidates = [ordered[0], *candidates]
        if (
            len(candidates) > 1
            and short[candidates[0]] == "vol"
            and any(short[at].startswith("tick") for at in candidates)
        ):
            filled = numbers(self.texts[candidates[0]]).values
            if not np.nansum(filled):
                candidates = [at for at in candidates if short[at].startswith("tick")]
        if not candidates:
            return None
        if self.filled[candidates[0]] and all(number(cell) == -1 for cell in self.filled[candidates[0]]):
            self.notes.append(f"no volume: column {quoted(self.names[candidates[0]])} has -1 in each row")
            return None
        self._say("volume", candidates[0])
        return self._only(candidates[0])

    def _first_symbol(self, column: int | None) -> str:
        return self.filled[column][0] if column is not None and self.filled[column] else ""

    # --- what a row is ---

    def _events(self, kind: str) -> tuple[int, frozenset[str]] | None:
        """The column that distinguishes trades from other rows, and its values for trades."""
        if kind != TRADES or not self.seen.has_header or "price" in self.given:
            return None
        if any(column_names.plain(name) == "issnapshot" for name in self.names):
            raise Unreadable("trades, quotes or bars; these rows are changes of an order book (column 'is_snapshot')")
        for at in column_names.events(self.names):
            found = dict.fromkeys(cell.strip() for cell in self.filled[at])
            trades = [each for each in found if each in column_names.TRADE_EVENTS]
            others = [each for each in found if column_names.OTHER_EVENTS.fullmatch(each)]
            if not others and len(trades) < len(found):
                continue
            name = quoted(self.names[at])
            if not trades:
                shown = ", ".join(quoted(each) for each in others[:4])
                raise Unreadable(
                    f"rows that are trades; column {name} says {shown}: --columns price=NAME takes every row as a trade"
                )
            left = [each for each in found if each not in column_names.TRADE_EVENTS]
            beside = f"; {', '.join(quoted(each) for each in left[:4])} are skipped" if left else ""
            self.notes.append(f"trades: the rows with {quoted(trades[0])} in column {name}{beside}")
            return at, column_names.TRADE_EVENTS
        return None

    def _has_quotes(self) -> bool:
        """Whether a table of trades also has rows of quotes, which have no price."""
        return bool(self.roles["bid"] and self.roles["ask"])

    def _scale(self, series: Sequence[Series]) -> float:
        """The scale of the prices: Databento writes them in billionths by default."""
        short = {column_names.plain(name.rsplit(".", 1)[-1]) for name in self.names}
        if not {"tsevent", "publisherid"} <= short:
            return 1.0
        cells = [cell for each in series for role, at in each.columns.items() if role != "volume"
                 for cell in self.filled[at][:500]]  # fmt: skip
        if not cells or not all(re.fullmatch(r"-?\d{5,}", cell.strip()) for cell in cells):
            return 1.0
        self.notes.append("prices are billionths, as in Databento's files")
        return 1e9

    # --- symbols ---

    def _symbol_column(self, known: Known | None) -> int | None:
        if "symbol" in self.given:
            return self.given["symbol"][0]
        if known is not None:
            return known.columns.get("symbol")
        if not self.seen.has_header:
            return None
        short_names = [column_names.plain(name) for name in self.names]
        pairs = [] if self.options.symbol else [
            short_names.index(first) for first, second, _ in column_names.PARTS if {first, second} <= set(short_names)
        ]  # fmt: skip
        for at in [*self.roles["symbol"], *pairs]:
            filled = self.filled[at]
            if not filled or len(filled) < 0.5 * len(self.texts[at]):
                continue
            good = [cell for cell in filled if is_symbol(cell.strip().lstrip("'"))]
            short = column_names.plain(self.names[at])
            if len(good) < 0.5 * len(filled):
                continue
            if short in ("s", "name", "asset", "index", "market", "root", "code", "contract", "security", "stock"):
                if not all(re.search(r"[A-Za-z]", cell) and len(cell) <= 24 for cell in filled[:200]):
                    continue
                if short == "name" and not all(re.fullmatch(r"[A-Z0-9.^=/-]{1,12}", cell) for cell in filled[:200]):
                    continue
            if short == "market" and len(self.roles["symbol"]) > 1:
                continue
            return at
        return None

    def _suffix(self, symbol: int | None) -> tuple[int, str] | None:
        """The second column of the symbol, and the text between both parts: SYM_ROOT and SYM_SUFFIX, base and quote."""
        if symbol is None:
            return None
        short = [column_names.plain(name) for name in self.names]
        given = self.given.get("symbol", ())
        for first, second, between in column_names.PARTS:
            if short[symbol] != first or second not in short or (given and len(given) < 2):
                continue
            at = short.index(second)
            if self.filled[at]:
                self.notes.append(f"symbol: with column {quoted(self.names[at])} behind {quoted(between)}")
                return at, between
        return (given[1], "-") if len(given) > 1 else None

    def _named(self, series: Sequence[Series], symbol: int | None, known: Known | None) -> list[Series]:
        given = self.options.symbol
        if symbol is not None:
            if given is not None and set(self.filled[symbol]) != {given}:
                self.notes.append(
                    f"--symbol {given} is not used: column {quoted(self.names[symbol])} names the symbol of each row"
                )
            else:
                self.notes.append(f"symbol: column {quoted(self.names[symbol])}")
            return list(series)
        if all(each.symbol is not None for each in series):
            return list(series)
        origin = "--symbol"
        name = given
        if name is None and self.seen.symbol is not None:
            name, origin = self.seen.symbol, "the file states it"
        if name is None and known is not None and known.symbol is not None:
            name, origin = known.symbol, "the file's name, as in its layout"
        if name is None and self.seen.file[-1] not in ("-", "the standard input"):
            names = [*reversed(self.seen.file)]
            name = next((found for each in names[:2] if (found := column_names.symbol_in(each))), None)
            origin = "the file's name"
        if name is None:
            raise Unreadable("a symbol: neither a column nor the file's name has it: give --symbol SYMBOL")
        if not is_symbol(name):
            raise Unreadable(
                f"a symbol that a tick can have; {quoted(name)} ({origin}) is not one: give another with --symbol"
            )
        also = next((self.names[at] for at in self.roles["symbol"] if self._has_names(at)), None)
        also = f"; most cells of column {quoted(also)} are not symbols" if also is not None else ""
        self.notes.append(f"symbol: {name} ({origin}{also})")
        return [replace(each, symbol=name) for each in series]

    def _has_names(self, at: int) -> bool:
        """Whether a column with a name such as "symbol" has several cells, most of which are not symbols."""
        is_named = column_names.plain(self.names[at]) in ("symbol", "symbols", "ticker", "tickers", "sym", "instrument")
        return self.seen.has_header and is_named and len(set(self.filled[at])) > 1

    # --- several symbols in a row ---

    def _several(self) -> tuple[str, list[Series], None] | None:
        """Recognise pandas' tables with two header lines, in which each column has a field and a ticker."""
        by_ticker: dict[str, dict[str, int]] = {}
        for at, name in enumerate(self.names):
            label, divides, ticker = name.partition("\0")
            if not divides or not ticker:
                continue
            for role in ("close", "open", "high", "low", "volume"):
                if at in self.roles[role] and not (role == "close" and column_names.plain(label).startswith("adj")):
                    by_ticker.setdefault(ticker, {}).setdefault(role, at)
        series = [Series(columns, ticker) for ticker, columns in by_ticker.items() if "close" in columns]
        if not series:
            return None
        bad = [ticker for ticker in by_ticker if not is_symbol(ticker)]
        if bad:
            raise Unreadable(f"symbols that a tick can have; the header's {quoted(bad[0])} is not one")
        if len(series) == 1 and self.options.symbol:
            series = [replace(series[0], symbol=self.options.symbol)]
        self.notes.append(
            f"a header of two lines; price: the close of {', '.join(each.symbol or '' for each in series[:10])}"
        )
        return BARS, series, None

    def _wide(self, symbol: int | None) -> tuple[str, list[Series], None] | None:
        """Recognise a table with a time and one column of prices per symbol; the header names the symbols."""
        if symbol is not None:
            return None
        times = set(self._time_candidates())
        columns = [
            at for at, name in enumerate(self.names)
            if at not in times and name and re.fullmatch(r"[A-Z0-9^$.][A-Z0-9^$.=/\- ]{0,20}", name) and is_symbol(name)
            and (self._is_numeric(at) or not self.filled[at])
        ]  # fmt: skip
        others = [at for at, name in enumerate(self.names) if at not in times and at not in columns and name]
        if not columns or others:
            return None
        series = [Series({"price": at}, self.names[at]) for at in columns]
        if len(series) == 1 and self.options.symbol:
            series = [replace(series[0], symbol=self.options.symbol)]
        shown = ", ".join(self.names[at] for at in columns[:10])
        self.notes.append(f"a column of prices for each symbol: {shown}{', ...' if len(columns) > 10 else ''}")
        return TRADES, series, None

    # --- times ---

    def _time_candidates(self) -> list[int]:
        found = [*self.roles["time"], *(at for at in self.roles["date"] if at not in self.roles["time"])]
        if (
            not found
            and self.names
            and (
                not self.names[0].strip()
                or re.fullmatch(r"(?:unnamed.*|index|__index_level_0__)", self.names[0].lower())
            )
        ):
            found = [0]
        return found

    def _time(self, known: Known | None, kind: str) -> TimeRule:
        if "time" in self.given:
            rule = self._rule(self.given["time"])
            if rule is None:
                shown = " ".join(self.texts[at][0] for at in self.given["time"])
                raise Unreadable(f"times in the column that --columns names; {quoted(shown)} is not one")
            return self._zoned(rule, known)
        if known is not None:
            if known.clock_unit is not None or known.what.startswith("NYSE TAQ"):
                return self._zoned(self._on_day(known.time[0], known.clock_unit), known)
            rule = self._rule(known.time)
            if rule is None:
                raise Unreadable(f"times; {quoted(self.texts[known.time[0]][0])} is not one")
            return self._zoned(rule, known)
        found: list[tuple[int, TimeRule]] = []
        for at in self._time_candidates():
            rule = self._rule((at,))
            if rule is not None:
                found.append((self._rank(rule), rule))
        if found:
            if kind == BARS:  # a bar may have several times: those of its start, its end, its high and its low
                starts = [each for each in found if column_names.plain(self.names[each[1].columns[0]]) in _STARTS]
                found = starts[:1] + [each for each in found if each not in starts[:1]]
            rank, rule = found[0] if kind == BARS and starts else min(found, key=lambda each: each[0])
            if rank == 3 and (clock := self._clock(rule.columns[0])) is not None:
                rule = self._rule((rule.columns[0], clock)) or rule
            elif rank == 3:
                self._no_clock_unread(rule.columns[0])
            others = [each for _, each in found if each is not rule and each.columns[0] != rule.columns[0]]
            also = (
                f" (beside {', '.join(quoted(self.names[each.columns[0]]) for each in others[:3])})" if others else ""
            )
            self.notes.append(
                f"time: {' and '.join(quoted(self.names[at]) for at in rule.columns)}{also}, {self._said(rule)}"
            )
            return self._zoned(rule, known)
        for at in self.roles["clock"]:
            if (rule := self._rule((at,))) is not None and rule.how == "text":
                self.notes.append(f"time: {quoted(self.names[at])}, {self._said(rule)}")
                return self._zoned(rule, known)
        for at in [*self.roles["clock"], *self.roles["time"]]:
            cells = self.filled[at][:200]
            if cells and all((":" in cell or len(cell) >= 5) and read_clock(cell) for cell in cells):
                return self._zoned(self._on_day(at, None), known)
        raise self._no_time()

    def _no_time(self) -> Unreadable:
        for at in self._time_candidates():
            wrong = [each for each in self.filled[at] if read_time(each, self.options.dates or "mdy") is None]
            cell = next(iter(wrong or self.filled[at]), "")
            where = f"{quoted(cell)} in column {quoted(self.names[at])}"
            if (value := number(cell)) is not None and not math.isnan(value):
                return Unreadable(
                    f"times in a known unit; {where} lies outside the years 1975 to 2100 in seconds, milliseconds, "
                    "microseconds and nanoseconds alike: say --epoch s, ms, us or ns if it is one of them, or which "
                    f"column has the time by --columns time=NAME{_EXCEL if 10_000 < value < 100_000 else ''}"
                )
            if cell:
                return Unreadable(f"times; {where} is not one: if another column has them, say --columns time=NAME")
        return Unreadable(f"a column with times; there are {self._all()}: say which it is, as in --columns time=NAME")

    def _all(self) -> str:
        return ", ".join(quoted(name.replace("\0", " ")) for name in self.names[:30])

    def _rank(self, rule: TimeRule) -> int:
        if rule.how in ("epoch", "typed"):
            return 0
        moments = [
            moment for cell in self.filled[rule.columns[0]][:50] if (moment := read_time(cell, rule.order or "mdy"))
        ]
        if moments and all(moment.zoned for moment in moments):
            return 1
        return 2 if any(moment.has_clock for moment in moments) else 3

    def _no_clock_unread(self, date: int) -> None:
        """Raise `Unreadable` if a column next to dates has times of day that cannot be read."""
        for at in self.roles["clock"]:
            cell = next((cell for cell in self.filled[at][:200] if ":" in cell and read_clock(cell) is None), None)
            if at != date and cell is not None and read_time(cell, "mdy") is None:
                raise Unreadable(
                    f"times of day; {quoted(cell)} in column {quoted(self.names[at])} is not one: "
                    f"--columns time={_shell(self.names[date])} takes the dates alone"
                )

    def _clock(self, date: int) -> int | None:
        """The column with the times of day that belong to the dates in column `date`; `None` if there is none."""
        for at in [*self.roles["clock"], *self.roles["time"]]:
            cells = self.filled[at][:200]
            if at != date and cells and all(read_clock(cell) for cell in cells):
                return at
        return None

    def _rule(self, columns: tuple[int, ...]) -> TimeRule | None:
        """How the times in these columns are read; `None` if the columns have no times."""
        first = self.seen.columns[columns[0]]
        if isinstance(first, np.ndarray) and first.dtype.kind == "M":
            return TimeRule(columns, "typed")
        cells = [cell for cell in self.texts[columns[0]] if not is_empty(cell)]
        if len(columns) == 2:
            unit = self._digits(columns[1])
            pairs = zip(self.texts[columns[0]], self.texts[columns[1]], strict=True)
            cells = [f"{date} {padded(clock, unit)}" for date, clock in pairs]
        if not cells:
            return None
        if (
            self.options.epoch is not None
            and len(columns) == 1
            and all(number(cell) is not None for cell in cells[:50])
        ):
            return TimeRule(columns, "epoch", unit=self.options.epoch)
        orders = [self.options.dates] if self.options.dates else ["mdy", "dmy"]
        share = {order: float(np.mean(~read_times(cells, order).bad)) for order in orders}
        best = max(share.values())
        if not self.options.dates and self._has_year_first(cells, share):
            return TimeRule(columns, "text", unit=self._digits(columns[1]) if len(columns) == 2 else None, order="ymd")
        if best >= 0.5:
            order = self._order(cells, share)
            return TimeRule(columns, "text", unit=self._digits(columns[1]) if len(columns) == 2 else None, order=order)
        if len(columns) == 1 and (unit := self._epoch_unit(cells)) is not None:
            return TimeRule(columns, "epoch", unit=unit)
        return None

    def _digits(self, at: int) -> str | None:
        """The form of times of day that are numbers, or `None` if they are not numbers: 930 means half past nine,
        unless another cell has seconds.
        """
        filled = [cell.strip() for cell in self.filled[at]]
        if not filled or not all(cell.isdecimal() and len(cell) <= 6 for cell in filled):
            return None
        if max(map(len, filled)) <= 2 and max(map(int, filled)) <= 24:
            if column_names.plain(self.names[at]) in ("hour", "hora", "heure", "hours", "ora"):
                return "hh"
            raise Unreadable(
                f"times of day; {quoted(filled[-1])} in column {quoted(self.names[at])} may be an hour or minutes "
                "after midnight: write it as 09:00"
            )
        return "hhmmss" if max(map(int, filled)) > 2400 or max(map(len, filled)) > 4 else "hhmm"

    def _has_year_first(self, cells: Sequence[str], share: Mapping[str, float]) -> bool:
        """Whether the first two digits of a date are its year (24/01/05); this is decided by the number of days that
        the rows span.

        Raises `Unreadable` if all rows have the same date, and it can be read in two ways.
        """
        short = [cell for cell in cells if re.match(r"\d\d([-/.])\d\d\1\d\d(?!\d)", cell.strip())]
        if len(short) < 0.5 * len(cells):
            return False
        front = read_times(cells, "ymd")
        fits, best = float(np.mean(~front.bad)), max(share.values())
        if fits < best or not fits:
            return False
        spans = [_span_days(front.us[~front.bad])]
        for order, each in share.items():
            if each == best > 0:
                other = read_times(cells, order)
                spans.append(_span_days(other.us[~other.bad]))
        if fits == best and spans[0] == min(spans[1:]) == 0 and "." not in short[0]:
            raise Unreadable(
                f"unambiguous dates; {quoted(short[0])} may have the year first or last: say --dates ymd, or "
                "--dates dmy or --dates mdy"
            )
        is_front = fits > best or 20 * spans[0] <= min(spans[1:]) > 0
        if is_front:
            self.notes.append(f"dates have the year first, two digits of it, as {quoted(short[0])} shows (--dates ymd)")
        return is_front

    def _epoch_unit(self, cells: Sequence[str]) -> str | None:
        values = [value for cell in cells if (value := number(cell)) is not None and not math.isnan(value)]
        if len(values) < 0.5 * len(cells):
            return None
        units = Counter(epoch_unit([value]) for value in values)
        unit, often = units.most_common(1)[0]
        if unit is None or often < 0.5 * len(cells):
            return None
        rounded_s = _rounded_to(cells) * EPOCH_UNITS[unit] / EPOCH_UNITS["s"]
        if rounded_s > 1:
            raise Unreadable(
                f"times with all their digits; {quoted(cells[0])} is rounded to {rounded_s:,g} seconds: save that "
                "column as whole numbers, in a spreadsheet by the number format 0"
            )
        return unit

    def _order(self, cells: Sequence[str], share: Mapping[str, float]) -> str | None:
        """Whether the month or the day comes first in a date; `None` if the form of the dates leaves no doubt."""
        if self.options.dates:
            return self.options.dates if self._has_order(cells) else None
        if not self._has_order(cells):
            return None
        month, day = share["mdy"], share["dmy"]
        if month != day:
            order = "mdy" if month > day else "dmy"
            other = next(
                cell
                for cell in cells
                if read_time(cell, order) and not read_time(cell, "dmy" if order == "mdy" else "mdy")
            )
            if min(month, day) > 0 and max(month, day) < 1:
                wrong = next(cell for cell in cells if not read_time(cell, order))
                if read_time(wrong, "dmy" if order == "mdy" else "mdy"):
                    raise Unreadable(
                        f"one order of day and month; {quoted(other)} and {quoted(wrong)} need two: say --dates mdy or "
                        "--dates dmy, which refuses the others"
                    )
            first = "month" if order == "mdy" else "day"
            self.notes.append(f"dates have the {first} first, as {quoted(other)} shows (--dates {order})")
            return order
        if any("$" in cell for cells in self.filled for cell in cells[:3]) or any(
            column_names.plain(name) == "closelast" for name in self.names
        ):
            self.notes.append("dates have the month first, as in the files of nasdaq.com (--dates mdy)")
            return "mdy"
        open_cells = [cell for cell in cells if self._has_order([cell])]
        raise Unreadable(
            f"unambiguous dates; {quoted(open_cells[0])} may have the month or the day first, and so may all "
            f"others up to {quoted(open_cells[-1])}: say --dates mdy or --dates dmy"
        )

    def _has_order(self, cells: Sequence[str]) -> bool:
        return any(re.match(r"\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d{2})(?!\d)", cell.strip()) for cell in cells[:200])

    def _on_day(self, at: int, unit: str | None) -> TimeRule:
        date = next((found for each in reversed(self.seen.file) if (found := column_names.date_in(each))), None)
        if date is None:
            raise Unreadable(
                "a date: the rows have times of day only, and the file's name has no date such as 20240105 or "
                "2024-01-05: rename it"
            )
        epoch = (date - datetime(1970, 1, 1)).days * DAY_US  # noqa: DTZ001 - wall-clock time has no zone
        self.notes.append(f"date: {date.date().isoformat()} (the file's name)")
        return TimeRule((at,), "clock", unit=unit, date_us=epoch)

    def _zoned(self, rule: TimeRule, known: Known | None) -> TimeRule:
        """The rule, with the zone that applies to times without a zone. Raises `Unreadable` if this zone is unknown."""
        if rule.how == "epoch":
            self._unused_zone("since 1970")
            return rule
        if rule.how == "typed":
            cells = self.seen.columns[rule.columns[0]]
            metadata = np.datetime_data(cells.dtype) if isinstance(cells, np.ndarray) else None
            if metadata is not None and self.seen.zone == "UTC":
                self._unused_zone("typed with their zone")
                return rule
        found = times_of(self.seen.columns, replace(rule, zone=UTC) if rule.how == "typed" else rule)
        good = ~found.bad
        share = float(found.zoned[good].mean()) if good.any() else 0.0
        if share == 1.0 or (
            share >= 0.5 and self.options.timezone is None
        ):  # most times have a zone: the few times without one will be refused
            self._unused_zone("written with their zone")
            return rule
        zone: tzinfo | None = None
        origin = "--timezone"
        moments = found.us[good]
        stated = self._stated(rule)
        if self.options.timezone is not None:
            zone = zone_of(self.options.timezone)
            self._agree(zone, stated, moments)
            layout = known.zone if known is not None else None
            if layout is not None and _differ(zone, layout, moments):
                origin = f"--timezone; its layout has {offsets_said(layout)}"
            elif self.seen.zone is not None and _differ(zone, zone_of(self.seen.zone), moments):
                origin = f"--timezone; the file states {self.seen.zone}"
        elif self.seen.zone is not None:
            zone, origin = zone_of(self.seen.zone), "the file states it"
        elif known is not None and known.zone is not None:
            zone, origin = known.zone, "as in its layout"
        elif stated is not None:
            at, zone = stated
            place = summer_of(self.names[at])
            if place is not None and _differ(zone, place, moments):
                raise Unreadable(
                    f"times with a known zone; column {quoted(self.names[at])} says winter time, and some times "
                    f"are in summer: say --timezone {place.key} or --timezone {offsets_said(zone)}"
                )
            origin = f"column {quoted(self.names[at])}"
        if zone is None:
            cell = " ".join(self.texts[at][0] for at in rule.columns)
            raise Unreadable(
                f"times with a zone; {quoted(cell)} has none: say whose clock it is, as in --timezone America/New_York "
                "or --timezone UTC (REPLAY_TIMEZONE)"
            )
        self.notes.append(f"zone: {offsets_said(zone)} ({origin})")
        return replace(rule, zone=zone)

    def _stated(self, rule: TimeRule) -> tuple[int, tzinfo] | None:
        """The zone that the header states for these times, and the column whose name states it."""
        for at in rule.columns:
            if self.seen.has_header and (zone := zone_in(self.names[at])) is not None:
                return at, zone
        return None

    def _agree(self, zone: tzinfo, stated: tuple[int, tzinfo] | None, moments: Micros) -> None:
        """Raise `Unreadable` if the header states a different zone than --timezone."""
        if stated is None or "time" in self.given:
            return
        at, other = stated
        if _differ(zone, other, moments) and summer_of(self.names[at]) is None:
            raise Unreadable(
                f"one zone; column {quoted(self.names[at])} states {offsets_said(other)}, and --timezone says "
                f"{offsets_said(zone)}: leave --timezone out, or, if the header is wrong, say also "
                f"--columns time={_shell(self.names[at])}"
            )

    def _unused_zone(self, why: str) -> None:
        if self.options.timezone is not None:
            self.notes.append(f"--timezone {self.options.timezone} is not used: the times are {why}")

    def _said(self, rule: TimeRule) -> str:
        if rule.how == "epoch":
            names = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
            return f"{names[rule.unit or 's']} since 1970 (--epoch {rule.unit})"
        return "as typed in the file" if rule.how == "typed" else f"as in {quoted(self.texts[rule.columns[0]][0])}"

    # --- bars and order ---

    def _walls(self, plan: Plan) -> tuple[Micros, list[str], bool]:
        """The times of the first rows (wall time or UTC), the symbol of each, and whether the times are dates only."""
        found = times_of(self.seen.columns, plan.time)
        good = np.flatnonzero(~found.bad)
        symbols = self.texts[plan.symbol] if plan.symbol is not None else [""] * len(found.us)
        alone = plan.time.how == "text" and len(plan.time.columns) == 1 and all(
            (moment := read_time(cell, plan.time.order)) is not None and not moment.has_clock
            for cell in self.filled[plan.time.columns[0]][:200]
        )  # fmt: skip
        return found.us[good], [symbols[at] for at in good.tolist()], alone

    def _bars(self, plan: Plan, known: Known | None) -> Plan:
        is_bar = plan.kind == BARS or (known is not None and bool(known.bar_s) and plan.kind == QUOTES)
        if plan.kind == QUOTES and self.seen.has_header:
            is_bar = column_names.plain(self.names[plan.series[0].columns["bid"]]).endswith("close")
        if not is_bar:
            return plan
        length, origin = self._length(plan, known)
        said = "calendar months" if length == MONTHS else _length_said(length)
        if length == 0:
            self.notes.append("bars: times mark their end (--bar-length 0)")
        else:
            what = (
                "four ticks: open, high, low, close" if plan.bars == "ohlc" else "one tick: the close, at the bar's end"
            )
            spelled = "month" if length == MONTHS else f"{length / SECOND_US:g}"
            self.notes.append(f"bars of {said} ({origin}; --bar-length {spelled}); each is {what} (--bars {plan.bars})")
        return replace(plan, bar_us=length)

    def _length(self, plan: Plan, known: Known | None) -> tuple[int, str]:
        if self.options.bar_us is not None:
            return self.options.bar_us, "--bar-length"
        if self.seen.bar_s is not None:
            return self.seen.bar_s * SECOND_US, "the file states it"
        if known is not None and known.bar_s is not None:
            return known.bar_s * SECOND_US, "as in its layout"
        times, symbols, alone = self._walls(plan)
        steps: Counter[int] = Counter()
        last: dict[str, int] = {}
        for time, symbol in zip(times.tolist(), symbols, strict=True):
            if symbol in last and time != last[symbol]:
                steps[abs(time - last[symbol])] += 1
            last[symbol] = time
        named = next(
            (found for each in [*reversed(self.seen.file)][:2] if (found := column_names.interval_in(each))), None
        )
        if not steps:
            if alone:
                return DAY_US, "dates alone"
            if named:
                return named * SECOND_US, "the file's name"
            raise Unreadable(
                "bars of a known length; there is only one: say --bar-length in seconds (0: times are their end)"
            )
        least = min(steps)
        often = steps.most_common(1)[0][0]
        if 27 * DAY_US < often < 32 * DAY_US and (least > 27 * DAY_US):
            return MONTHS, "from the steps between rows"
        clocks = set((times % DAY_US).tolist())
        is_evening = len(clocks) == 1 and (12 <= min(clocks) / 3_600e6 < 17 or min(clocks) >= DAY_US - 60 * SECOND_US)
        if least >= DAY_US and plan.time.zone is not None and is_evening:
            # A wall time of 16:00 or 23:59:59 on each day is the time at which the day closed.
            return 0, "times mark their end"
        if alone or least >= DAY_US - 3_600 * SECOND_US:
            weekly = often == 7 * DAY_US and least >= 4 * DAY_US
            return (7 * DAY_US if weekly else DAY_US), "from the steps between rows"
        if named and named * SECOND_US <= least:
            return named * SECOND_US, "the file's name"
        common = math.gcd(*steps)
        share = steps[least] / sum(steps.values())
        # A single odd row does not make the bars shorter: if at least half of the steps are equal, their length is that
        # of the bars.
        length = often if steps[often] >= 0.5 * sum(steps.values()) else least if share > 0.05 else common
        if length not in {each * SECOND_US for each in _STANDARD_S}:
            fits = [
                each * SECOND_US
                for each in _STANDARD_S
                if each * SECOND_US <= length and length % (each * SECOND_US) == 0
            ]
            length = fits[-1] if fits else length
        return length, "from the steps between rows"

    def _direction(self, plan: Plan) -> int:
        """The order of the rows: -1 if the newest comes first, else 1."""
        times, symbols, _ = self._walls(plan)
        back = ahead = 0
        last: dict[str, int] = {}
        for time, symbol in zip(times.tolist(), symbols, strict=True):
            if symbol in last:
                back += time < last[symbol]
                ahead += time > last[symbol]
            last[symbol] = time
        if back and back >= 4 * ahead:
            return -1
        return 1


def _differ(one: tzinfo, other: tzinfo, moments: Micros) -> bool:
    """Whether two zones have different offsets from UTC at any of these wall times."""
    days = np.unique(moments // DAY_US).tolist()
    walls = [datetime(1970, 1, 1) + timedelta(days=day, hours=12) for day in days]  # noqa: DTZ001 - wall-clock time has no zone
    return any(wall.replace(tzinfo=one).utcoffset() != wall.replace(tzinfo=other).utcoffset() for wall in walls)


def _span_days(us: Micros) -> int:
    return int(us.max() - us.min()) // DAY_US if len(us) else 0


def _rounded_to(cells: Sequence[str]) -> float:
    """The value of one unit of the last digit in numbers such as 1.70447E+12; 0 if any cell has all its digits."""
    places = []
    for cell in cells:
        found = re.fullmatch(r"\d+(?:[.,](\d+))?[eE]\+?(\d{1,2})", cell.strip())
        if found is None:
            return 0.0
        places.append(int(found[2]) - len(found[1] or ""))
    return 10.0 ** min(places, default=0)


def _length_said(us: int) -> str:
    for size, name in (
        (7 * DAY_US, "week"),
        (DAY_US, "day"),
        (3600 * SECOND_US, "hour"),
        (60 * SECOND_US, "minute"),
        (SECOND_US, "second"),
    ):
        if us % size == 0:
            count = us // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{us / SECOND_US:g} seconds"


def _shell(text: str) -> str:
    return f"'{text}'" if " " in text else text


__all__ = ["Clock", "Plan", "Seen", "plan_of"]
