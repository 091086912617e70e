"""Reads delimited text: recognises separator and header, and splits rows into cells, block by block.

No cell of a tick has a line break, so each line is a row, regardless of quotation marks, and a stray quotation mark
spoils no line but its own.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.sources.files import names as column_names
from tickflow.sources.files.amounts import is_empty, number
from tickflow.sources.files.options import Refusal, Unreadable, quoted
from tickflow.sources.files.text import Encoding, Readable, blocks
from tickflow.sources.files.times import read_time

Cells = Sequence[str] | npt.NDArray[Any]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
MOST_COLUMNS = 20_000
"""A line with more cells than this is not taken for a table: examining it would take seconds."""
ROWS = 20_000
"""The maximum number of rows in a chunk, and thus in memory at a time."""


@dataclass
class Chunk:
    """Several rows: cells by column, the line of each row, and the rows that could not be split.

    `passed` counts lines that are not rows: comments and repeated headers.
    """

    columns: Sequence[Cells]
    lines: npt.NDArray[np.int64]
    refused: list[Refusal] = field(default_factory=list)
    passed: int = 0

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True)
class Shape:
    """The shape of delimited text: `header` is the number of lines before the data, `levels` are the header's lines.

    With `drops`, each row starts with an extra cell that has no name in the header: a number that counts the rows.
    """

    separator: str
    names: tuple[str, ...]
    skipped: int
    levels: tuple[tuple[str, ...], ...] = ()
    drops: bool = False
    has_header: bool = True
    only: tuple[int, frozenset[str]] | None = None
    """(column index, values): a line with any other value in this column is a message of a different kind, not a row.
    """

    @property
    def width(self) -> int:
        """The number of cells per row."""
        return len(self.names) + self.drops


def split(line: str, separator: str) -> list[str]:
    """The cells of one line. Raises `ValueError` for an unbalanced quotation mark.

    >>> split('a, "b,c" ,d', ","), split("1;'2'", ";")
    (['a', 'b,c', 'd'], ['1', '2'])
    """
    if separator == "|" and (bare := line.strip()).startswith("|") and bare.endswith("|") and len(bare) > 1:
        line = bare[1:-1]
    if '"' not in line:
        cells = line.split(separator)
        if "'" in line:
            cells = [each.strip()[1:-1] if re.fullmatch(r"\s*'[^']*'\s*", each) else each for each in cells]
        return [each.strip() for each in cells]
    try:
        (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=False)
    except (csv.Error, ValueError) as error:
        raise ValueError(str(error)) from error
    opened = re.sub(r'""', "", line).count('"')
    if opened % 2:
        raise ValueError('a quotation mark (") without its partner')
    return [each.strip().strip('"').strip() for each in row]


def shape_of(lines: Sequence[str], wanted: Sequence[str] = ()) -> Shape:
    """The separator, the header and the first row of delimited text. `wanted` are column names that the user gave.

    Raises `Unreadable` for text that is not a table.
    """
    filled = [(at, line) for at, line in enumerate(lines) if line.strip()]
    if not filled:
        raise Unreadable("a file with rows; this one is empty")
    first = filled[0][1].lstrip("\ufeff").lstrip()
    if re.match(r"<(!doctype|html|\?xml|head|body|script|error|!--)", first, re.IGNORECASE):
        text = " ".join(re.sub(r"<[^>]*>", " ", " ".join(lines[:40])).split())
        raise Unreadable(f"a table of ticks; this is a web page, perhaps an error that was saved: {quoted(text)}")
    if re.match(r"(insert\s+into|create\s+table|--.*dump|set\s+[\w.@]+\s*=)", first, re.IGNORECASE):
        raise Unreadable(f"a table of ticks; these are commands in SQL: export the table as CSV; {quoted(first)}")
    best: tuple[tuple[float, ...], Shape] | None = None
    for separator in ("\t", ";", "|", ","):
        found = _shape(filled, separator, wanted)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        text = " ".join(" ".join(line for _, line in filled[:3]).split())
        raise Unreadable(
            f"a table of ticks, with commas, semicolons, tabs or pipes between its columns; this begins {quoted(text)}"
        )
    return best[1]


def _shape(
    filled: Sequence[tuple[int, str]], separator: str, wanted: Sequence[str]
) -> tuple[tuple[float, ...], Shape] | None:
    rows: list[tuple[int, list[str]]] = []
    broken: list[tuple[int, str]] = []
    rules = {at for at, line in filled if _is_rule(line)}
    for at, line in filled:
        if at in rules:
            continue
        try:
            rows.append((at, split(line, separator)))
        except ValueError:
            broken.append((at, line))
    counts = Counter(len(cells) for _, cells in rows)
    if not counts:
        return None
    width, often = max(counts.items(), key=lambda item: (item[0] > 1) * item[1])
    if width < 2 or max(counts) > MOST_COLUMNS:
        return None
    share = often / len(rows)
    for position, (at, cells) in enumerate(rows[:60]):
        if cells and cells[0].startswith("#") and not _looks_named(_uncommented(cells), wanted):
            continue
        if _looks_named(_uncommented(cells), wanted):
            levels, body = _levels(rows[position:])
            header = list(_uncommented(levels[0])) if len(levels) == 1 else _joined(levels)
            while header and not header[-1] and len(header) > 1:
                header.pop()
            drops = _is_counted(header, body)
            after = rows[position + len(levels) - 1][0] + 1
            while after in rules:
                after += 1
            shape = Shape(separator, tuple(header), after, tuple(map(tuple, levels)), drops)
            agrees = sum(len(cells) >= len(header) for _, cells in body) / max(1, len(body))
            return (2.0, agrees, share, len(header)), shape
        if _is_data(cells) and len(cells) >= 2:
            if position and len(cells) < width:
                continue
            body = rows[position:]
            before = rows[position - 1][1] if position else []
            if len(before) == len(cells) and all(before) and not any(map(_is_value, before)):
                shape = Shape(separator, tuple(_uncommented(before)), at, (tuple(before),))
                return (1.5, share, 0.0, len(cells)), shape
            whole = [each for _, each in body if len(each) == len(cells)]
            while len(cells) > 2 and not any(each[len(cells) - 1] for each in whole):
                cells = cells[:-1]
            numbered = tuple(str(number) for number in range(1, len(cells) + 1))
            begin = min([at, *(line_at for line_at, line in broken if _is_data(line.split(separator)))])
            shape = Shape(separator, numbered, begin, has_header=False)
            return (1.0, share, 0.0, len(cells)), shape
    return None


def _uncommented(cells: Sequence[str]) -> list[str]:
    return [cells[0].lstrip("#% ").strip(), *cells[1:]] if cells and cells[0].startswith(("#", "%")) else list(cells)


def _looks_named(cells: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether these cells are column names: few are values, and a time and another column have known or given names."""
    if len(cells) < 2 or sum(map(_is_value, cells)) > len(cells) / 4:
        return False
    by_name = [each for each in wanted if not each.isdecimal()]
    if by_name and all(column_names.column_of(each, cells) is not None for each in by_name):
        return True
    found = column_names.roles(cells)
    is_timed = bool(found["time"] or found["date"] or found["clock"])
    has_price = any(found[role] for role in ("price", "close", "bid", "open", "volume", "symbol", "ask"))
    multi = column_names.plain(cells[0]) in ("price", "ticker", "attributes", "") and len(
        set(map(column_names.plain, cells[1:]))
    ) < len(cells)
    names_prices = any(found[role] for role in ("close", "price", "open"))
    unnamed_first = not cells[0].strip() and names_prices
    wide = bool(found["time"] or found["date"]) and all(
        re.fullmatch(r"[A-Z0-9^$.=/\- ]{1,20}", each) for each in cells[1:] if each
    )
    return (is_timed and has_price) or (multi and names_prices) or unnamed_first or (wide and any(cells[1:]))


def _is_value(cell: str) -> bool:
    return bool(cell) and not is_empty(cell) and (number(cell) is not None or read_time(cell, "mdy") is not None)


def _is_data(cells: Sequence[str]) -> bool:
    return sum(map(_is_value, cells)) >= 2


def _levels(rows: Sequence[tuple[int, list[str]]]) -> tuple[list[list[str]], Sequence[tuple[int, list[str]]]]:
    """The lines of the header (one, or the two or three of pandas' tables of several symbols), and the rows
    after them.
    """
    levels = [rows[0][1]]
    for level, (_, cells) in enumerate(rows[1:3], 1):
        first = column_names.plain(cells[0])
        is_level = (
            level == 1
            and first in ("ticker", "price", "symbol", "symbols", "")
            and len(cells) == len(levels[0])
            and not any(map(_is_value, cells))
        )
        is_index = first in ("date", "datetime", "timestamp", "time", "index") and not any(cells[1:])
        if not (is_level or is_index):
            break
        levels.append(cells)
    return levels, rows[len(levels) :]


def _joined(levels: Sequence[Sequence[str]]) -> list[str]:
    """One name per column for a header of several lines, such as "Close AAPL"; the index column keeps its own name."""
    index = next((level[0] for level in levels[1:] if not any(level[1:])), levels[0][0] or "Date")
    two = [level for level in levels if any(level[1:])]
    if len(two) == 1:
        return [index, *two[0][1:]]
    fields = max(two, key=lambda level: sum(bool(hits) for hits in column_names.roles(level[1:]).values()))
    tickers = two[1] if fields is two[0] else two[0]
    return [index, *(f"{name}\0{ticker}" for name, ticker in zip(fields[1:], tickers[1:], strict=False))]


def _is_counted(header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether each row starts with an extra cell that counts 1, 2, 3 (as in tables written by R)."""
    firsts = [int(cells[0]) for _, cells in body[:50] if len(cells) == len(header) + 1 and cells[0].isdecimal()]
    if len(firsts) < 0.9 * len(body[:50]) or len(firsts) < 2 or firsts[0] > 1:
        return False
    return sum(b - a == 1 for a, b in pairwise(firsts)) >= 0.9 * (len(firsts) - 1)


def _is_remark(cells: Sequence[str], line: str) -> bool:
    """Whether a line is a note ("Downloaded from ... as of ...") or the last line of an NYSE file rather than a row."""
    if cells[0] == "END" or _ROW_COUNT.fullmatch(line.strip()):
        return True
    return len(cells) == 1 and not _is_value(cells[0].split()[0]) and len(re.findall(r"[^\W\d_]{2,}", line)) >= 4


_ROW_COUNT = re.compile(r"\(\d[\d,]* rows?(?: affected)?\)")
"""The line with which database clients end a table."""


def _is_rule(line: str) -> bool:
    """Whether a line is a drawn ruler such as |---|---| or -----+-----."""
    return ("---" in line or "===" in line) and not line.strip(" \t|+:=,;-")


_FIRST_NAMES = frozenset(
    spelled
    for role in ("time", "date", "symbol", "clock")
    for name in column_names.RANKS[role]
    if len(name) > 3
    for spelled in (name, name.upper(), name.capitalize())
)
"""The usual names in the first cell of a header."""


class Rows:
    """The rows of delimited text with the given shape, in chunks."""

    def __init__(self, shape: Shape, encoding: Encoding) -> None:
        self._shape = shape
        self._encoding = encoding
        self._headers = {tuple(level) for level in shape.levels}
        self._plain = [column_names.plain(name) for name in shape.names]
        self._first_names = {*shape.names, *(level[0] for level in shape.levels), *_FIRST_NAMES} - {""}
        self._nothing = shape.separator * (shape.width - 1)

    def chunks(self, stream: Readable) -> Iterator[Chunk]:
        """All rows after the header; lines are counted from 1."""
        at, skip = 1, self._shape.skipped
        for block in blocks(stream, self._encoding):
            text = block.decode("utf-8", "surrogatepass")
            lines = text.split("\n")
            if not lines[-1]:
                lines.pop()
            start = 0
            if skip:
                start = min(skip, len(lines))
                skip -= start
            for cut in range(start, len(lines), ROWS):
                yield self._chunk(lines[cut : cut + ROWS], at + cut)
            at += len(lines)

    def _chunk(self, lines: list[str], first: int) -> Chunk:
        shape = self._shape
        separator, width = shape.separator, shape.width
        joined = separator.join(lines)
        if '"' not in joined and "'" not in joined and "#" not in joined and not shape.only:
            cells = joined.split(separator)
            is_even = len(cells) == width * len(lines) and self._is_even(lines)
            if is_even and self._first_names.isdisjoint(cells[::width]) and self._nothing not in lines:
                columns = [cells[index::width] for index in range(shape.drops, width)]
                if f"{separator} " in joined or f" {separator}" in joined:
                    columns = [[cell.strip() for cell in column] for column in columns]
                return Chunk(columns, np.arange(first, first + len(lines)))
        return self._one_by_one(lines, first)

    def _is_even(self, lines: list[str]) -> bool:
        separator, expected = self._shape.separator, self._shape.width - 1
        return all(line.count(separator) == expected for line in lines)

    def _one_by_one(self, lines: list[str], first: int) -> Chunk:
        shape = self._shape
        rows: list[list[str]] = []
        numbers: list[int] = []
        refused: list[Refusal] = []
        passed = 0
        for at, line in enumerate(lines, first):
            if not line.strip():
                continue
            if line.lstrip().startswith("#") or _is_rule(line):
                passed += 1
                continue
            try:
                cells = split(line, shape.separator)
            except ValueError as error:
                refused.append(Refusal(at, f"{error}: {quoted(line)}"))
                continue
            if not any(cells):
                continue
            if tuple(cells) in self._headers or (shape.has_header and self._is_header(cells, at)):
                passed += 1
                continue
            if len(cells) < shape.width and _is_remark(cells, line):
                passed += 1
                continue
            if shape.only and (len(cells) <= shape.only[0] or cells[shape.only[0]] not in shape.only[1]):
                passed += 1
                continue
            while len(cells) > shape.width and not cells[-1]:
                cells.pop()
            if len(cells) > shape.width:
                refused.append(
                    Refusal(
                        at,
                        f"{len(cells)} cells where {'the header' if shape.has_header else 'the first row'} has "
                        f"{shape.width}; the first too many is {quoted(next(filter(None, cells[shape.width :])))}",
                    )
                )
            elif len(cells) < shape.width:
                refused.append(
                    Refusal(
                        at,
                        f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'} where "
                        f"{'the header' if shape.has_header else 'the first row'} has {shape.width}; "
                        f"the last is {quoted(cells[-1])}",
                    )
                )
            else:
                rows.append(cells[shape.drops :])
                numbers.append(at)
        columns = list(zip(*rows, strict=True)) if rows else [() for _ in shape.names]
        return Chunk(columns, np.array(numbers, dtype=np.int64), refused, passed)

    def _is_header(self, cells: Sequence[str], at: int) -> bool:
        """Whether this row repeats the header. Raises `Unreadable` for a different header: the rows after it would have
        a different meaning.
        """
        if cells[0] not in self._first_names or any(map(_is_value, cells)):
            return False
        again = [column_names.plain(cell) for cell in cells]
        while len(again) > len(self._plain) and not again[-1]:
            again.pop()
        if again == self._plain:
            return True
        if len(self._shape.levels) <= 1 and _looks_named(cells, ()):
            raise Unreadable(
                f"one header; line {at:,} has another one, {quoted(self._shape.separator.join(cells))}: split the file "
                "there"
            )
        return False
