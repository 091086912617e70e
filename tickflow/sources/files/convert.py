"""Turns the rows of a file into ticks according to the file's plan; a row that is not a tick is refused, with its line
and the offending cell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.sources.files.amounts import Numbers, number, numbers
from tickflow.sources.files.columns import Columns, joined, symbols_of
from tickflow.sources.files.options import Refusal, quoted
from tickflow.sources.files.plan import BARS, MONTHS, QUOTES, Plan, Series, TimeRule
from tickflow.sources.files.table import Cells, Chunk
from tickflow.sources.files.times import (
    DAY_US,
    Micros,
    Times,
    epochs_of,
    read_clock,
    read_epochs,
    read_time,
    read_times,
    seconds_us,
)
from tickflow.sources.files.zones import Clock
from tickflow.ticks.tick import END_YEAR_US, FIRST_YEAR_US, PRICE_MAX, PRICE_MIN, VOLUME_LIMIT, is_symbol

MID = "replay_mid"
"""The source of ticks that are midpoints of quotes."""
_NO_SYMBOLS = frozenset({"nan", "NaN", "NaT", "None", "null", "NULL", "N/A", "n/a", "#N/A"})
"""What programs write for an absent symbol. (NAN and NA are symbols of real shares.)"""


@dataclass
class Converted:
    """Ticks, and the other rows: the refused ones, and how many are `empty` because they have no price."""

    ticks: Columns
    refused: list[Refusal] = field(default_factory=list)
    empty: int = 0
    passed: int = 0


class Converter:
    """Turns the chunks of one file into ticks, one chunk after another."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        zone = plan.time.zone
        is_long = plan.bar_us == MONTHS or plan.bar_us >= DAY_US
        step = 0 if plan.kind != BARS else DAY_US if is_long else plan.bar_us
        self._clock = None if zone is None else Clock(zone, plan.direction, step)
        self._end_clock = None if zone is None else Clock(zone, plan.direction, step)
        self._adds_on_the_wall = is_long

    @property
    def folded(self) -> int:
        """How many rows in a repeated hour got their UTC time from the order of the rows."""
        return self._clock.folded if self._clock is not None else 0

    def convert(self, chunk: Chunk) -> Converted:
        """The ticks of a chunk, in order."""
        plan, why = self.plan, dict[int, str]()
        passed = chunk.passed
        if plan.select is not None and len(chunk):
            chunk, cut = _selected(chunk, plan.select)
            passed += cut
        if plan.messages and len(chunk):
            chunk, cut = self._without_messages(chunk)
            passed += cut
        count = len(chunk)
        named = self._named(chunk)
        start, end = self._times(chunk, named, why)
        if named is not None:
            for name in {name for name in named if not is_symbol(name) or name in _NO_SYMBOLS}:
                for index, each in enumerate(named):
                    if each == name:
                        why.setdefault(index, f"{quoted(name)} is not a symbol")
        parts: list[Columns] = []
        order: list[npt.NDArray[np.float64]] = []
        empty = np.ones(count, bool)
        for place, series in enumerate(plan.series):
            symbols = symbols_of([series.symbol] * count if series.symbol is not None else named or [])
            for at, (times, prices, volumes, is_empty) in enumerate(self._prices(chunk, series, start, end, why)):
                empty &= is_empty
                parts.append(
                    Columns(times, prices, volumes, symbols, chunk.lines, MID if plan.kind == QUOTES else "replay")
                )
                order.append(
                    np.where(is_empty, np.nan, np.arange(count) + (place * 4 + at) / (4 * len(plan.series) + 4))
                )
        good = np.ones(count, bool)
        good[list(why)] = False
        kept, keys = [], []
        for part, key in zip(parts, order, strict=True):
            mask = good & ~np.isnan(key)
            whole = bool(mask.all())
            kept.append(part if whole else part.take(mask))
            keys.append(key if whole else key[mask])
        ticks = joined(kept)
        if len(kept) > 1:
            ticks = ticks.take(np.argsort(np.concatenate(keys), kind="stable"))
        refused = [*chunk.refused, *(Refusal(int(chunk.lines[index]), text) for index, text in why.items())]
        refused.sort(key=lambda refusal: refusal.line)
        return Converted(ticks, refused, int((empty & good).sum()), passed)

    def _named(self, chunk: Chunk) -> list[str] | None:
        """The symbol of each row; `None` if no column has it."""
        plan = self.plan
        if plan.symbol is None:
            return None
        named = [text.strip().lstrip("'") for text in _texts(chunk.columns[plan.symbol])]
        if plan.suffix is not None:
            at, between = plan.suffix
            suffixes = (text.strip() for text in _texts(chunk.columns[at]))
            named = [f"{name}{between}{more}" if more else name for name, more in zip(named, suffixes, strict=True)]
        return named

    def _without_messages(self, chunk: Chunk) -> tuple[Chunk, int]:
        columns = {*self.plan.time.columns, *(at for series in self.plan.series for at in series.columns.values())}
        filled = [chunk.columns[at] for at in columns]
        keep = np.fromiter((any(cells) for cells in zip(*filled, strict=True)), bool, len(chunk))
        return (chunk, 0) if keep.all() else _kept(chunk, keep)

    # --- prices ---

    def _prices(
        self, chunk: Chunk, series: Series, start: Micros, end: Micros, why: dict[int, str]
    ) -> list[tuple[Micros, npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
        plan, columns = self.plan, series.columns
        volumes = self._volumes(chunk, columns, why)
        if plan.kind == QUOTES:
            bid, ask = (self._price(chunk, columns, side, why, may_lack=True) for side in ("bid", "ask"))
            lacks = np.isnan(bid) | np.isnan(ask)
            price = (bid + ask) / 2
            return [(end, price, volumes, lacks)]
        if plan.kind == BARS and plan.bars == "ohlc" and "open" in columns:
            found = {
                role: self._price(chunk, columns, role, why, may_lack=True) for role in ("open", "high", "low", "close")
            }
            third = (end - start) // 3
            moments = {"open": start, "high": start + third, "low": end - third, "close": end}
            nothing = np.full(len(chunk), math.nan)
            return [
                (moments[role], prices, volumes if role == "close" else nothing, np.isnan(prices))
                for role, prices in found.items()
            ]
        role = "close" if plan.kind == BARS else "price"
        may_lack = plan.kind == BARS or plan.lacks
        price = self._price(chunk, columns, role, why, may_lack=may_lack)
        return [(end, price, volumes, np.isnan(price))]

    def _price(
        self, chunk: Chunk, columns: Any, role: str, why: dict[int, str], *, may_lack: bool
    ) -> npt.NDArray[np.float64]:
        cells = chunk.columns[columns[role]]
        found = _numbers(cells, self.plan.comma)
        for index in found.bad:
            why.setdefault(index, f"{role} {quoted(str(cells[index]))} is not a number")
        values = found.values if self.plan.scale == 1.0 else found.values / self.plan.scale
        if self.plan.scale == 1e9:
            values = np.where(found.values >= 2.0**63, math.nan, values)  # Databento's "undefined"
        absent = np.isnan(values)
        if not may_lack:
            for index in _where(absent):
                why.setdefault(index, f"{role} {quoted(str(cells[index]))} is empty")
        wrong = ~absent & ~((values >= PRICE_MIN) & (values <= PRICE_MAX))
        for index in _where(wrong):
            cell = quoted(str(cells[index]))
            rule = "is not above zero" if values[index] <= 0 else f"is not from {PRICE_MIN:g} to {PRICE_MAX:g}"
            why.setdefault(index, f"{role} {cell} {rule}")
        return values

    def _volumes(self, chunk: Chunk, columns: Any, why: dict[int, str]) -> npt.NDArray[np.float64]:
        if "volume" not in columns:
            return np.full(len(chunk), math.nan)
        cells = chunk.columns[columns["volume"]]
        found = _numbers(cells, self.plan.comma)
        for index in found.bad:
            why.setdefault(index, f"volume {quoted(str(cells[index]))} is not a number")
        values = np.abs(found.values) if self.plan.signed else found.values
        for index in _where((values < 0) | (values >= VOLUME_LIMIT)):
            why.setdefault(index, f"volume {quoted(str(cells[index]))} is not from 0 to 2^53")
        return values

    # --- times ---

    def _times(self, chunk: Chunk, named: list[str] | None, why: dict[int, str]) -> tuple[Micros, Micros]:
        """The start and the end time of each row's tick or bar."""
        plan, rule = self.plan, self.plan.time
        found = times_of(chunk.columns, rule)
        for index in _where(found.bad):
            why.setdefault(index, _why_no_time(chunk.columns, rule, index))
        wall = np.where(found.bad, 0, found.us)
        length = plan.bar_us if plan.kind in (BARS, QUOTES) else 0
        end_wall = _after(wall, length) if self._adds_on_the_wall else wall
        start, end = self._in_utc(wall, end_wall, found, named, why, chunk, rule)
        if not self._adds_on_the_wall:
            end = end + length
        for index in _where((start < FIRST_YEAR_US) | (end >= END_YEAR_US)):
            why.setdefault(int(index), f"time {_cells_of(chunk.columns, rule, index)} is not in the years 1970 to 2261")
        return start, end

    def _in_utc(
        self, wall: Micros, end_wall: Micros, found: Times, named: list[str] | None, why: dict[int, str], chunk: Chunk,
        rule: TimeRule,
    ) -> tuple[Micros, Micros]:  # fmt: skip
        naive = ~found.zoned & ~found.bad
        if not naive.any():
            return wall, end_wall
        if self._clock is None or self._end_clock is None:
            for index in _where(naive):
                cell = _cells_of(chunk.columns, rule, index)
                why.setdefault(index, f"time {cell} has no zone, unlike other rows: name it with --timezone")
            return wall, end_wall
        which = _where(naive)
        symbols = None if named is None else [named[index] for index in which]
        start, end = wall.copy(), end_wall.copy()
        start[which], refused = self._clock.to_utc(wall[which], symbols)
        if self._adds_on_the_wall:
            end[which], refused = self._end_clock.to_utc(end_wall[which], symbols)
        else:
            end[which] = start[which]
        for index, text in refused.items():
            at = int(which[index])
            why.setdefault(at, f"time {_cells_of(chunk.columns, rule, at)}: {text}")
        return start, end


def times_of(columns: Sequence[Cells], rule: TimeRule) -> Times:
    """The times of all rows, as their cells state them."""
    cells = columns[rule.columns[0]]
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return _typed(cells, rule)
    if rule.how == "epoch":
        if isinstance(cells, np.ndarray) and cells.dtype.kind in "iu":
            return epochs_of(cells.astype(np.int64), rule.unit or "s")
        return read_epochs(_texts(cells), rule.unit or "s")
    if rule.how == "clock":
        return _clock_times(_texts(cells), rule)
    if len(rule.columns) == 2:
        dates, clocks = (_texts(columns[at]) for at in rule.columns)
        if rule.unit is not None:
            clocks = [padded(text, rule.unit) for text in clocks]
        return read_times([f"{date} {clock}" for date, clock in zip(dates, clocks, strict=True)], rule.order)
    return read_times(_texts(cells), rule.order)


def padded(clock: str, unit: str | None) -> str:
    """The number of a time of day, with its leading zeros.

    >>> padded("930", "hhmm"), padded("93000", "hhmmss"), padded("9:30", None)
    ('0930', '093000', '9:30')
    """
    text = clock.strip()
    if unit is None or not text.isdecimal():
        return clock
    size = len(unit)
    if unit == "hh":
        return f"{text.zfill(2)}:00" if len(text) <= 2 else "-"
    return text.zfill(size) if len(text) <= size else "-"


def _typed(cells: npt.NDArray[Any], rule: TimeRule) -> Times:
    bad = np.isnat(cells)
    unit = np.datetime_data(cells.dtype)[0]
    whole = cells.astype(np.int64)
    us: Micros = (whole + 500) // 1000 if unit == "ns" else cells.astype("datetime64[us]").astype(np.int64)
    return Times(np.where(bad, 0, us), np.full(len(cells), rule.zone is None), bad)


def _clock_times(cells: Sequence[str], rule: TimeRule) -> Times:
    """Times of day on the date in `rule`; a cell is text, or a number of milliseconds or seconds since midnight."""
    count = len(cells)
    date = rule.date_us or 0
    if rule.unit in ("ms", "s"):
        exact = [seconds_us(cell, rule.unit) for cell in cells]
        bad = np.array([clock is None or clock > DAY_US for clock in exact], dtype=bool)
        wall = np.array([0 if clock is None or clock > DAY_US else date + clock for clock in exact], dtype=np.int64)
        return Times(wall, np.zeros(count, bool), bad)
    day = np.datetime64(date, "us").astype("datetime64[D]")
    whole = read_times([f"{day} {cell}" if ":" in cell else f"{str(day).replace('-', '')} {cell}" for cell in cells])
    us, zoned, bad = whole.us, whole.zoned, whole.bad
    for index in _where(bad):
        if (found := read_clock(cells[index])) is not None:
            us[index], zoned[index], bad[index] = date + found[0] - (found[1] or 0), found[1] is not None, False
    return Times(us, zoned, bad)


def _after(wall: Micros, length: int) -> Micros:
    if length != MONTHS:
        return wall + length
    moments = wall.astype("datetime64[us]")
    months = moments.astype("datetime64[M]")
    within = moments - months.astype("datetime64[us]")
    after: Micros = ((months + 1).astype("datetime64[us]") + within).astype(np.int64)
    return after


def _why_no_time(columns: Sequence[Cells], rule: TimeRule, index: int) -> str:
    cell = _cells_of(columns, rule, index)
    if rule.how == "epoch":
        return f"time {cell} is not a time in {rule.unit} since 1970"
    return f"time {cell} is not a time{' with the ' + _order_said(rule.order) if rule.order else ''}"


def _order_said(order: str) -> str:
    first = {"mdy": "month", "dmy": "day", "ymd": "year"}[order]
    return f"{first} first (--dates {order})"


def _cells_of(columns: Sequence[Cells], rule: TimeRule, index: int) -> str:
    return quoted(" ".join(str(columns[at][index]) for at in rule.columns))


# --- cells ---


def _where(mask: npt.NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(mask).tolist()
    return found


def _texts(cells: Cells) -> Sequence[str]:
    if isinstance(cells, np.ndarray):
        if cells.dtype.kind in "iu":
            return list(map(str, cells.tolist()))
        if cells.dtype.kind == "f":
            return [
                "" if value != value else str(int(value)) if value.is_integer() else repr(value)
                for value in cells.tolist()
            ]
        return ["" if value is None else str(value) for value in cells.tolist()]
    return cells


def _numbers(cells: Cells, comma: bool) -> Numbers:
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        return Numbers(cells.astype(np.float64))
    return numbers(_texts(cells), comma and not isinstance(cells, np.ndarray))


def _selected(chunk: Chunk, select: tuple[int, frozenset[str]]) -> tuple[Chunk, int]:
    column, wanted = select
    cells = [str(cell).strip() for cell in _texts(chunk.columns[column])]
    mask = np.fromiter((cell in wanted for cell in cells), bool, len(chunk))
    if mask.all():
        return chunk, 0
    kept, passed = _kept(chunk, mask)
    if not any(
        map(str.isdigit, wanted)
    ):  # the column has names of events: a number or a time there means that the row's cells are shifted
        shifted = [at for at in _where(~mask) if number(cells[at]) is not None or read_time(cells[at], "mdy")]
        kept.refused = [*kept.refused, *(_no_event(chunk, at, cells[at]) for at in shifted)]
        passed -= len(shifted)
    return kept, passed


def _no_event(chunk: Chunk, at: int, cell: str) -> Refusal:
    return Refusal(int(chunk.lines[at]), f"{quoted(cell)} is not a kind of event like the other cells of that column")


def _kept(chunk: Chunk, mask: npt.NDArray[np.bool_]) -> tuple[Chunk, int]:
    where = _where(mask)
    columns = [
        cells[where] if isinstance(cells, np.ndarray) else [cells[at] for at in where] if len(cells) else cells
        for cells in chunk.columns
    ]
    return Chunk(columns, chunk.lines[np.array(where, dtype=np.int64)], chunk.refused), int((~mask).sum())
