"""Parses numbers as files write them: with a decimal comma, thousands separators, a currency sign, or K, M and B."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tickflow.arrays import Floats
from tickflow.sources.files.options import Unreadable, quoted

EMPTY = frozenset({"", "-", "--", "na", "n/a", "nan", "null", "none", "nil", "#n/a", ".", "–", "\\n"})
"""Cells that mean "no value", in lower case."""

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_CURRENCY = re.compile(r"^([+-]?)(?:US\$|USD|EUR|GBP|[$€£¥])\s?|\s?(?:USD|EUR|GBP|[$€£¥])$")
_SUFFIX = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?", re.ASCII)
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?", re.ASCII)
_SPACE_GROUPS = re.compile(r"[+-]?\d{1,3}(?:[ '’\u00a0\u202f]\d{3})+(?:[.,]\d*)?")
_SPACES = re.compile(r"[ '’\u00a0\u202f]")


def is_empty(cell: str) -> bool:
    """Whether a cell means "no value".

    >>> is_empty(" N/A "), is_empty("0")
    (True, False)
    """
    return cell.strip().lower() in EMPTY


def number(cell: str, comma: bool = False) -> float | None:
    """The number in a cell, correctly rounded; NaN if it is empty, `None` if it is not a number.

    With `comma`, the decimal sign is a comma.

    >>> number("$1,234.50"), number("1.234,5", comma=True), number("63.27M"), number("1_0"), number("1,5")
    (1234.5, 1234.5, 63270000.0, None, None)
    """
    text = cell.strip()
    if not comma and _PLAIN.fullmatch(text):
        return float(text)
    if text.lower() in EMPTY:
        return math.nan
    text = _CURRENCY.sub(r"\1", text).strip()
    factor = _SUFFIX.get(text[-1:].upper(), 1.0)
    if factor != 1.0:
        text = text[:-1].strip()
    if _SPACE_GROUPS.fullmatch(text):
        text = _SPACES.sub("", text)
    if comma:
        if "," in text and "." not in text and text.count(",") == 1:
            text = text.replace(",", ".")
        elif _COMMA_GROUPS.fullmatch(text):
            text = text.replace(".", "").replace(",", ".")
        elif "," in text or re.fullmatch(r"[+-]?\d+\.\d+", text):
            return None
    elif _POINT_GROUPS.fullmatch(text):
        text = text.replace(",", "")
    if not _PLAIN.fullmatch(text):
        return None
    return float(text) if factor == 1.0 else float(f"{text}e{round(math.log10(factor))}") if "e" not in text else None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a column, NaN for an empty cell; `bad` has the indexes of the cells that are not numbers."""

    values: Floats
    bad: Sequence[int] = ()


def numbers(cells: Sequence[str], comma: bool = False) -> Numbers:
    """All cells as numbers, each read as `number` does."""
    if not comma:
        try:
            values = np.array(list(map(float, cells)), dtype=np.float64)
        except ValueError:
            pass
        else:
            # float() also accepts 1_000, nan, infinity and digits of other scripts.
            joined = "".join(cells)
            if np.isfinite(values).all() and joined.isascii() and "_" not in joined:
                return Numbers(values)
    found = [number(cell, comma) for cell in cells]
    bad = [index for index, value in enumerate(found) if value is None]
    return Numbers(np.array([math.nan if value is None else value for value in found], dtype=np.float64), bad)


def decimal_sign(cells: Sequence[str]) -> bool:
    """Whether these cells have a decimal comma.

    A few cells that contradict many others are errors in their rows. Raises `Unreadable` if many cells need a comma and
    many others need a point, or if the cells allow either.

    >>> decimal_sign(["187.50", "1,234.00"]), decimal_sign(["187,50", "1.234"]), decimal_sign(["1.234"])
    (False, True, False)
    """
    point = comma = unclear = ""
    points = commas = 0
    for raw in cells:
        if ("," not in raw and "." not in raw) or not any(map(str.isdigit, raw)):
            continue
        as_point, as_comma = number(raw), number(raw, comma=True)
        if as_point is not None and as_comma is None:
            point, points = point or raw, points + 1
        elif as_comma is not None and as_point is None:
            comma, commas = comma or raw, commas + 1
        elif as_point is not None and "," in raw:
            unclear = unclear or raw
    if min(points, commas) > max(1, 0.05 * max(points, commas)):
        raise Unreadable(
            f"one decimal sign; {quoted(point)} has a point and {quoted(comma)} a comma: --decimal point or "
            "--decimal comma says which is right, and refuses the other rows"
        )
    if unclear and not (point or comma):
        raise Unreadable(
            f"an unambiguous decimal sign; {quoted(unclear)} may be {number(unclear):g} or "
            f"{number(unclear, comma=True):g}: say --decimal point or --decimal comma"
        )
    return commas > points
