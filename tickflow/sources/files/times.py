"""Reads times in every common form: as text, as a number since 1970, as a time of day next to a date.

`read_time` reads one cell and defines what each form means. `read_times` reads a column: cells of the same shape are
read together, as digits at fixed positions, and the others one at a time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from tickflow.sources.files.options import EPOCH_UNITS

Micros = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DAY_US = 86_400_000_000
MONTH_FIRST, DAY_FIRST, YEAR_FIRST = "mdy", "dmy", "ymd"

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier janv enero ene",
            "feb february februar fevrier fev febrero",
            "mar march maerz mars marzo mrz",
            "apr april avril avr abril abr",
            "may mai mayo",
            "jun june juni juin junio",
            "jul july juli juillet juil julio",
            "aug august aout agosto ago",
            "sep sept september septembre septiembre",
            "oct october oktober okt octobre octubre",
            "nov november novembre noviembre",
            "dec december dezember dez decembre diciembre dic",
        ),
        1,
    )
    for name in names.split()
}
_ZONES: dict[str, tzinfo] = {
    "z": UTC, "utc": UTC, "gmt": UTC,
    "est": timezone(timedelta(hours=-5)), "edt": timezone(timedelta(hours=-4)),
    "cst": timezone(timedelta(hours=-6)), "cdt": timezone(timedelta(hours=-5)),
    "pst": timezone(timedelta(hours=-8)), "pdt": timezone(timedelta(hours=-7)),
    "cet": timezone(timedelta(hours=1)), "cest": timezone(timedelta(hours=2)),
}  # fmt: skip

_DAY_NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_DATES = (
    r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
    r"(?P<year>(?:19|20|21|22)\d{2})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<one>\d{1,2})(?P<sep>[-/.])(?P<two>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
    _DAY_NAME + r"(?P<day>\d{1,2})\.?[-\s/]*(?P<name>[a-zé]{3,9})\.?,?[-\s/]*(?P<year>\d{4}|\d{2})",
    _DAY_NAME + r"(?P<name>[a-zé]{3,9})\.?[-\s](?P<day>\d{1,2})(?:st|nd|rd|th)?,?[-\s](?P<year>\d{4})",
    r"(?P<year>\d{4})[-/](?P<name>[a-z]{3})[-/](?P<day>\d{1,2})",
    r"(?P<year>(?:19|20|21|22)\d{2})[-/](?P<month>\d{2})",
    r"(?P<year>\d{4})[年년]\s*(?P<month>\d{1,2})[月월]\s*(?P<day>\d{1,2})[日일]?",
    r"(?P<year>\d{4})-?W(?P<week>\d{2})-?(?P<weekday>[1-7])",
    r"(?P<year>\d{4})-(?P<ordinal>\d{3})",
    r"(?P<name>[a-zé]{3,9})\.?[-\s](?P<year>\d{4})",
)
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,12}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?|\s+uhr)?"
    r"|(?P<hour12>\d{1,2})[-\s]?(?P<half12>[ap])m"
    r"|(?P<hourc>\d{2})(?P<minutec>\d{2})(?P<secondc>\d{2})?\.?(?P<fractionc>(?<=\d{6}|\d{5}\.)\d{1,12})?"
).replace(r"\.?(?P<fractionc>(?<=\d{6}|\d{5}\.)\d{1,12})?", r"(?:[. ]?(?P<fractionc>\d{1,12}))?")
_ZONE = (
    r"\s*(?:(?P<zone>z|utc|gmt|est|edt|cst|cdt|pst|pdt|cet|cest)(?![a-z+-])|(?:utc|gmt)?(?P<sign>[+-])"
    r"(?P<zhour>\d{2}):?(?P<zminute>\d{2})?(?::?00)?)?"
    r"(?:\s*\[?(?P<place>[a-z]+/[a-z_]+(?:/[a-z_]+)?)\]?|\[[\w/+-]+\]|\s*\([\w ]+\))?"
)
_BETWEEN = r"(?:\s*[td\s_,;]\s*|-(?=\d\d:)|:(?=\d\d:)|(?<=\d{8}))"
_MONTHS_ALONE = (6, len(_DATES) - 1)
"""The indexes in `_DATES` of the forms without a day; these have no time of day either."""
_FORMS = tuple(
    re.compile(rf"{date}(?:{_BETWEEN}(?:{_CLOCK}){_ZONE})?", re.ASCII | re.IGNORECASE)
    if number not in _MONTHS_ALONE
    else re.compile(date, re.ASCII | re.IGNORECASE)
    for number, date in enumerate(_DATES)
)  # fmt: skip
_UNIX_DATE = re.compile(
    r"[A-Za-z]{3} ([A-Za-z]{3}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?) (?:([A-Z]{3,4}) )?(\d{4})", re.ASCII
)
"""A time in the form that `date` and ctime write: Fri Jan  5 09:30:00 EST 2024."""
_ONLY_CLOCK = re.compile(rf"(?:{_CLOCK})(?:{_ZONE})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time in a cell: microseconds since 1970, in UTC if `zoned`, else wall time of an unknown zone."""

    us: int
    zoned: bool
    has_clock: bool = True
    form: int = 0


def _found(text: str) -> tuple[int, re.Match[str]] | None:
    for form, pattern in enumerate(_FORMS):
        if match := pattern.fullmatch(text):
            return form, match
    return None


@lru_cache(maxsize=65_536)
def read_time(cell: str, order: str | None = None) -> Moment | None:
    """The time in a cell, or `None`. Digits past the sixth are rounded.

    `order` is "mdy" or "dmy" for 1/2/2024, "ymd" for 24/01/02.

    >>> read_time("2024-01-05T14:30:00.1234565Z").us - read_time("5.1.2024 14:30", "dmy").us
    123457
    >>> read_time("1/2/2024") is None, read_time("30 Feb 2024") is None, read_time("01/05/2024", "mdy").has_clock
    (True, True, False)
    """
    text = cell.strip()
    if len(text) <= 80 and (unix := _UNIX_DATE.fullmatch(text)):  # the year comes last
        text = f"{unix[1]} {unix[2]} {unix[5]} {unix[3]} {unix[4] or ''}".strip()
    if len(text) > 80 or (found := _found(text)) is None:
        return None
    form, match = found
    part = match.groupdict()
    try:
        year, month, day = _date_of(part, order)
        clock = _clock_of(part)
        date = datetime(year, month, day)  # noqa: DTZ001 - wall-clock time has no zone
    except (ValueError, KeyError, TypeError):
        return None
    us = (date - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    if clock is None:
        return Moment(us, zoned=False, has_clock=False, form=form)
    offset = _offset_of(part)
    if (place := part.get("place")) and offset is None and (offset := _offset_at(us + clock, place)) is None:
        return None
    return Moment(us + clock - (offset or 0), zoned=offset is not None, form=form)


def read_clock(cell: str) -> tuple[int, int | None] | None:
    """The time of day in a cell, in microseconds since midnight, and its offset from UTC if it has one.

    >>> read_clock("9:30"), read_clock("93000"), read_clock("093000123456789"), read_clock("25:00")
    ((34200000000, None), (34200000000, None), (34200123457, None), None)
    """
    text = cell.strip()
    if text.isdigit() and len(text) <= 6:
        text = text.zfill(6) if len(text) > 4 or text == "0" else text.zfill(4)
    match = _ONLY_CLOCK.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    try:
        clock = _clock_of(part)
    except ValueError:
        return None
    return None if clock is None else (clock, _offset_of(part))


def _date_of(part: dict[str, str | None], order: str | None) -> tuple[int, int, int]:
    year = int(part["year"] or "")
    if len(part["year"] or "") == 2:
        year += 2000 if year < 70 else 1900
    if name := part.get("name"):
        return year, _MONTHS[name.lower().replace("é", "e").replace("ä", "ae")], int(part.get("day") or 1)
    if part.get("week"):
        date = datetime.fromisocalendar(year, int(part["week"] or ""), int(part["weekday"] or ""))
        return date.year, date.month, date.day
    if part.get("ordinal"):
        date = datetime(year, 1, 1) + timedelta(days=int(part["ordinal"] or "") - 1)  # noqa: DTZ001 - wall-clock time has no zone
        if date.year != year:
            raise ValueError("no such day in that year")
        return date.year, date.month, date.day
    if part.get("one"):
        if order == YEAR_FIRST:
            if len(part["one"] or "") != 2 or len(part["year"] or "") != 2:
                raise ValueError("a year in front has two digits here")
            first = int(part["one"] or "")
            return first + (2000 if first < 70 else 1900), int(part["two"] or ""), int(part["year"] or "")
        if part["sep"] == ".":
            order = DAY_FIRST  # with dots, as in 5.1.2024, the day comes first everywhere
        if order is None:
            raise ValueError("the order of day and month")
        one, two = int(part["one"] or ""), int(part["two"] or "")
        return (year, one, two) if order == MONTH_FIRST else (year, two, one)
    return year, int(part["month"] or ""), int(part.get("day") or 1)


def _clock_of(part: dict[str, str | None]) -> int | None:
    hour: str | None
    minute: str | None
    second: str | None
    if part.get("hour12"):
        hour, minute, second, fraction, half = part["hour12"], "0", "0", None, part["half12"]
    elif part.get("hourc"):
        hour, minute, second = part["hourc"], part["minutec"], part["secondc"]
        fraction, half = part["fractionc"], None
        if fraction and not second:
            raise ValueError("a fraction of a minute")
    elif part.get("hour"):
        hour, minute, second = part["hour"], part["minute"], part["second"]
        fraction, half = part["fraction"], part["half"]
    else:
        return None
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    minutes, seconds = int(minute or 0), int(second or 0)
    is_midnight = hours == 24 and minutes == seconds == 0 and not int(fraction or 0)
    if (hours > 23 or minutes > 59 or seconds > 59) and not is_midnight:
        raise ValueError(hour)
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + _fraction_us(fraction or "")


def _offset_at(wall_us: int, place: str) -> int | None:
    """The UTC offset of a place at a wall-clock time; `None` if this time occurs twice or never, or if the place is
    unknown.
    """
    wall = datetime(1970, 1, 1) + timedelta(microseconds=wall_us)  # noqa: DTZ001 - wall-clock time has no zone
    try:
        zone = ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return None if first is None or first != second else first // timedelta(microseconds=1)


def _fraction_us(digits: str) -> int:
    """The digits after a second's decimal point, in microseconds; half a microsecond is rounded up, as in msgspec."""
    padded = digits.ljust(7, "0")
    return int(padded[:6]) + (padded[6] >= "5")


def _offset_of(part: dict[str, str | None]) -> int | None:
    if zone := part.get("zone"):
        return (_ZONES[zone.lower()].utcoffset(None) or timedelta(0)) // timedelta(microseconds=1)
    if sign := part.get("sign"):
        hours, minutes = int(part["zhour"] or 0), int(part["zminute"] or 0)
        return (hours * 60 + minutes) * 60_000_000 * (1 if sign == "+" else -1)
    return None


@dataclass(frozen=True, slots=True)
class Times:
    """A column of times: `us` in UTC where `zoned`, else wall time; `bad` where a cell is not a time."""

    us: Micros
    zoned: Mask
    bad: Mask


def read_times(cells: Sequence[str], order: str | None = None) -> Times:
    """All cells as times, each read as `read_time` does."""
    count = len(cells)
    us, zoned, bad = np.zeros(count, np.int64), np.zeros(count, bool), np.zeros(count, bool)
    lengths = np.fromiter(map(len, cells), np.int64, count)
    for length in np.unique(lengths).tolist():
        where = np.flatnonzero(lengths == length)
        slow = where
        if len(where) > 8 and length <= 40:
            group = [cells[index] for index in where.tolist()] if len(where) < count else cells
            done = _together(group, length, order)
            if done is not None:
                us[where], zoned[where], is_read = done
                slow = where[~is_read]
        for index in slow.tolist():
            moment = read_time(cells[index], order)
            if moment is None:
                bad[index] = True
            else:
                us[index], zoned[index] = moment.us, moment.zoned
    return Times(us, zoned, bad)


_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _together(cells: Sequence[str], length: int, order: str | None) -> tuple[Micros, bool, Mask] | None:
    """Read all cells that have the length and the shape of the first cell: the times, whether they have a zone, and
    which cells fit.
    """
    first = cells[0]
    if not first.isascii() or first != first.strip() or read_time(first, order) is None:
        return None
    found = _found(first)
    if found is None or found[1].groupdict().get("name") or found[1].groupdict().get("half"):
        return None
    match = found[1]
    part = match.groupdict()
    if part.get("hour12") or part.get("place") or part.get("week") or part.get("ordinal") or _UNIX_DATE.match(first):
        return None
    try:
        matrix = np.array(cells, dtype=f"S{length}").view(np.uint8).reshape(len(cells), length)
    except UnicodeEncodeError:
        return None
    digit = np.array([char.isdigit() for char in first])
    fixed = np.frombuffer(first.encode(), np.uint8)
    is_read: Mask = (matrix[:, ~digit] == fixed[~digit]).all(1)
    digits = matrix[:, digit] - 48  # in unsigned arithmetic any byte that is not a digit becomes more than nine
    is_read &= (digits < 10).all(1)
    places = np.cumsum(digit) - 1

    def field(name: str) -> Micros:
        value: Micros = np.zeros(len(cells), np.int64)
        if part.get(name):
            start, end = match.span(name)
            for at in range(start, end):
                value = value * 10 + digits[:, places[at]]
        return value

    year = field("one" if order == YEAR_FIRST and part.get("one") else "year")
    if len(part["year"]) == 2:
        year += np.where(year < 70, 2000, 1900)
    if part.get("one") and order == YEAR_FIRST:
        month, day = field("two"), field("year")
    elif part.get("one"):
        day_first = part["sep"] == "." or order == DAY_FIRST
        month, day = (field("two"), field("one")) if day_first else (field("one"), field("two"))
    else:
        month, day = field("month"), field("day") if part.get("day") else np.ones(len(cells), np.int64)
    suffix = "c" if part.get("hourc") else ""
    hour, minute, second = field(f"hour{suffix}"), field(f"minute{suffix}"), field(f"second{suffix}")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS_IN_MONTH[np.clip(month, 0, 12)] + (leap & (month == 2))
    is_read &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest) & (year >= 1)
    is_read &= (hour < 24) & (minute < 60) & (second < 60)
    us = _days(year, month, day) * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
    name = f"fraction{suffix}"
    if part.get(name):
        start, end = match.span(name)
        fraction = field(name) if end - start <= 15 else None
        if fraction is None:
            return None
        size = end - start
        us += fraction * 10 ** (6 - size) if size <= 6 else (fraction + 5 * 10 ** (size - 7)) // 10 ** (size - 6)
    offset = _offset_of(part)
    if offset is not None and part.get("sign"):
        minutes = field("zhour") * 60 + field("zminute")
        us -= minutes * 60_000_000 * (1 if part["sign"] == "+" else -1)
    elif offset is not None:
        us -= offset
    return us, offset is not None, is_read


def _days(year: Micros, month: Micros, day: Micros) -> Micros:
    """Days from 1970 to a Gregorian date. The calculation starts years in March, so that a leap day comes last."""
    year = year - (month <= 2)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: Micros = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days


# --- numbers since 1970 ---

_LEAST_S, _MOST_S = 157_766_400, 4_102_444_800  # 1975 to 2100: the ranges of the four units do not overlap


def epoch_unit(values: Sequence[float]) -> str | None:
    """The unit in which all these numbers are times from 1975 to 2100; `None` if no unit fits.

    >>> epoch_unit([1704465000]), epoch_unit([1704465000123456]), epoch_unit([42])
    ('s', 'us', None)
    """
    for unit, factor in EPOCH_UNITS.items():
        scale = 1_000_000_000 / factor
        if all(_LEAST_S * scale <= value < _MOST_S * scale for value in values):
            return unit
    return None


def read_epochs(cells: Sequence[str], unit: str) -> Times:
    """Times written as numbers since 1970 in `unit`; computed exactly and rounded to microseconds."""
    factor = EPOCH_UNITS[unit]
    scale = 1_000_000_000 // factor
    least, most = _LEAST_S * scale, _MOST_S * scale
    try:
        values = np.array(list(map(int, cells)), dtype=np.int64)
        if "_" in "".join(cells):
            raise ValueError
    except (ValueError, OverflowError):
        return _epochs_one_by_one(cells, factor, least, most)
    bad = (values < least) | (values >= most)
    return Times(_rounded_us(np.where(bad, 0, values), factor), np.ones(len(cells), bool), bad)


def epochs_of(values: npt.NDArray[np.int64], unit: str) -> Times:
    """Like `read_epochs`, for numbers instead of text."""
    factor = EPOCH_UNITS[unit]
    scale = 1_000_000_000 // factor
    bad = (values < _LEAST_S * scale) | (values >= _MOST_S * scale)
    return Times(_rounded_us(np.where(bad, 0, values), factor), np.ones(len(values), bool), bad)


def _rounded_us(values: Micros, factor: int) -> Micros:
    return values * (factor // 1000) if factor >= 1000 else (values + 500) // 1000


def _epochs_one_by_one(cells: Sequence[str], factor: int, least: int, most: int) -> Times:
    us, bad = np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
    for index, cell in enumerate(cells):
        value = _decimal(cell)
        if value is None or not least <= value < most:
            bad[index] = True
        else:
            us[index] = int((value * factor + 500) // 1000)
    return Times(us, np.ones(len(cells), bool), bad)


def _decimal(cell: str) -> Decimal | None:
    text = cell.strip().replace(",", ".")
    if len(text) > 40 or "_" in text or not text.isascii():
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and (value == 0 or -40 < value.adjusted() < 21) else None


def seconds_us(cell: str, unit: str) -> int | None:
    """A number of seconds or milliseconds in microseconds, correctly rounded; `None` if the cell is not a number.

    >>> seconds_us("34200.0174595", "s"), seconds_us("15300000", "ms"), seconds_us("x", "s")
    (34200017460, 15300000000, None)
    """
    value = _decimal(cell)
    return None if value is None or value < 0 else int(value * (1_000 if unit == "ms" else 1_000_000) + Decimal("0.5"))


_PLACES = {
    "et": "America/New_York", "eet": "EET", "wet": "WET", "msk": "Europe/Moscow", "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul", "hkt": "Asia/Hong_Kong", "sgt": "Asia/Singapore",
}  # fmt: skip
_SUMMER = {
    "est": "America/New_York", "cst": "America/Chicago", "pst": "America/Los_Angeles", "cet": "Europe/Berlin",
}  # fmt: skip


def zone_in(name: str) -> tzinfo | None:
    """The zone that the name of a column states; `None` if it states none.

    >>> str(zone_in("Gmt time")), zone_in("Local time"), str(zone_in("time (EST)")), str(zone_in("Date (ET)"))
    ('UTC', None, 'UTC-05:00', 'America/New_York')
    >>> str(zone_in("timeUTC")), str(zone_in("Time (UTC+2)")), str(zone_in("date [Europe/Berlin]"))
    ('UTC', 'UTC+02:00', 'Europe/Berlin')
    """
    if found := re.search(r"(?:utc|gmt)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?(?!\d)", name, re.IGNORECASE):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    if found := re.search(r"[A-Z][a-z]+/[A-Z][A-Za-z_]+", name):
        try:
            return ZoneInfo(found[0])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None
    for word in _words_of(name):
        if word in ("utc", "gmt"):
            return UTC
        if word in _ZONES and word != "z":
            return _ZONES[word]
        if word in _PLACES:
            return ZoneInfo(_PLACES[word])
    return None


def summer_of(name: str) -> ZoneInfo | None:
    """The place whose local time a column's name may mean: "EST" is winter time, but many also write it in summer.

    >>> str(summer_of("Date (EST)")), summer_of("Date (EDT)")
    ('America/New_York', None)
    """
    return next((ZoneInfo(_SUMMER[word]) for word in _words_of(name) if word in _SUMMER), None)


def _words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
