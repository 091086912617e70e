"""User-defined rules, such as `AAPL price > 200; * change_5m < -3; SPY volume_1m > 4x; * silence > 60`.

A rule is a symbol (or a pattern with `*`), a metric with its time span, a comparison and a number:

- `price` is the price of the tick.
- `change_5m` is the change in percent since the last price at least five minutes ago.
- `volume_1m` is the volume traded within a minute; the limit is a number, or a multiple of the usual volume such as
  `4x`.
- `silence` is the number of seconds since the symbol's last trade, measured by the other ticks of its partition.

A span is an integer with s, m, h or d, and is divided into sixty parts (ten for volumes) of event time. A rule that
holds raises one alert, and the next one only after it has not held for a minute.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from tickflow.ticks.tick import SYMBOL_CHARACTERS

SPANS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
LONGEST_US = 30 * SPANS_US["d"]
USUAL_SPANS = 10
"""The usual volume is the mean over this many previous spans."""

_PATTERN = re.compile(rf"[A-Za-z0-9^.$#/*][A-Za-z0-9^.$#/=:_&+@!*\-]{{0,{SYMBOL_CHARACTERS - 1}}}", re.ASCII)
_METRIC = re.compile(r"price|silence|(change|volume)_([1-9]\d{0,4})([smhd])", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})", re.ASCII)
_WORD = re.compile(r"\S+")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda value, limit: value > limit,
    "<": lambda value, limit: value < limit,
    ">=": lambda value, limit: value >= limit,
    "<=": lambda value, limit: value <= limit,
}


class RuleError(ValueError):
    """A rule that cannot be parsed: `place` is the position of the mistake (from 1), `expected` is what the parser
    expected there.
    """

    def __init__(self, text: str, at: int, expected: str) -> None:
        self.place = at + 1
        self.found = found.group() if (found := _WORD.match(text, at)) else ""
        self.expected = expected
        there = repr(self.found) if self.found else "the end" if not text[at:].strip() else repr(text[at])
        super().__init__(f"at character {self.place}, {there}: expected {expected}")


class Rule(NamedTuple):
    """One rule; `span_us` is 0 for a metric without a span, `times` says whether the limit is a multiple of the
    usual volume.
    """

    pattern: str
    metric: str
    span_us: int
    operator: str
    limit: float
    times: bool = False

    @property
    def name(self) -> str:
        """The rule without its pattern: the name of its alerts.

        >>> parse("AAPL price>200 ; * volume_1m > 4x")[1].name
        'volume_1m > 4x'
        """
        span = f"_{_span(self.span_us)}" if self.span_us else ""
        return f"{self.metric}{span} {self.operator} {self.limit:.15g}{'x' if self.times else ''}"

    def __str__(self) -> str:
        return f"{self.pattern} {self.name}"

    def holds(self, value: float) -> bool:
        """Whether the comparison holds."""
        return _COMPARE[self.operator](value, self.limit)

    def is_for(self, symbol: str) -> bool:
        """Whether the rule applies to the symbol."""
        return self.pattern == "*" or fnmatchcase(symbol, self.pattern)


def parse(text: str) -> tuple[Rule, ...]:
    """The rules of a setting, separated by semicolons; empty ones are left out. Raises `RuleError`.

    >>> [str(rule) for rule in parse("AAPL price > 200; * change_90s < -3;")]
    ['AAPL price > 200', '* change_90s < -3']
    >>> parse("AAPL prize > 200")
    Traceback (most recent call last):
    tickflow.alerts.rules.RuleError: at character 6, 'prize': expected price, silence, or a span such as change_5m \
or volume_1m
    """
    rules: list[Rule] = []
    at = 0
    for part in text.split(";"):
        if part.strip():
            rules.append(_rule(text, at, at + len(part)))
        at += len(part) + 1
    return tuple(dict.fromkeys(rules))


def _rule(text: str, start: int, end: int) -> Rule:
    at = _skip(text, start, end)
    pattern = _PATTERN.match(text, at, end)
    if pattern is None or not _ends(text, pattern.end(), end):
        raise RuleError(text, at, "a symbol such as AAPL, or a pattern such as * or BRK*")
    at = _skip(text, pattern.end(), end)
    metric = _METRIC.match(text, at, end)
    if metric is None or not (_ends(text, metric.end(), end) or text[metric.end()] in "<>"):
        raise RuleError(text, at, "price, silence, or a span such as change_5m or volume_1m")
    kind, span_us = metric[1] or metric[0], int(metric[2] or 0) * SPANS_US.get(metric[3] or "s", 0)
    if span_us > LONGEST_US:
        raise RuleError(text, at, "a span of 30 days at most")
    at = _skip(text, metric.end(), end)
    operator = next((each for each in (">=", "<=", ">", "<") if text.startswith(each, at, end)), None)
    if operator is None or (kind == "silence" and operator.startswith("<")):
        raise RuleError(text, at, "> or >=" if kind == "silence" else ">, <, >= or <=")
    at = _skip(text, at + len(operator), end)
    number = _NUMBER.match(text, at, end)
    if number is None:
        raise RuleError(text, at, "a number")
    limit, at = float(number[0]) + 0.0, number.end()
    times = kind == "volume" and text.startswith("x", at, end)
    at = _skip(text, at + 1 if times or (kind == "change" and text.startswith("%", at, end)) else at, end)
    if at < end:
        raise RuleError(text, at, "the end of the rule, or a semicolon before the next one")
    if kind in ("price", "volume", "silence") and limit <= 0:
        raise RuleError(text, number.start(), "a number above 0")
    return Rule(pattern[0], kind, span_us, operator, limit, times)


def _skip(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _ends(text: str, at: int, end: int) -> bool:
    return at >= end or text[at].isspace()


def _span(span_us: int) -> str:
    unit = next(unit for unit in "dhms" if span_us % SPANS_US[unit] == 0)
    return f"{span_us // SPANS_US[unit]}{unit}"


@dataclass(slots=True)
class SpanWindow:
    """What a rule with a span remembers about one symbol: pairs (number of the part, its last price or its volume),
    oldest first.

    `begun` is the number of the part that has the first tick.
    """

    parts: deque[tuple[int, float]]
    begun: int

    def change(self, rule: Rule, time_us: int, price: float) -> tuple[float, float] | None:
        """Add a price; return the change in percent and the old price, or `None` until the span is full."""
        part = time_us * 60 // rule.span_us
        parts = self.parts
        if parts and parts[-1][0] == part:
            parts[-1] = (part, price)
        else:
            parts.append((part, price))
        while len(parts) > 1 and parts[1][0] <= part - 60:
            parts.popleft()
        if parts[0][0] > part - 60:
            return None
        return (price / parts[0][1] - 1.0) * 100.0, parts[0][1]

    def traded(self, rule: Rule, time_us: int, volume: float) -> tuple[float, float] | None:
        """Add a volume; return the volume of the span (as a multiple of the usual volume, if the rule's limit is one)
        and the usual volume, or `None` until the usual volume is known.
        """
        part = time_us * 10 // rule.span_us
        parts = self.parts
        if parts and parts[-1][0] == part:
            parts[-1] = (part, parts[-1][1] + volume)
        else:
            parts.append((part, volume))
        while parts[0][0] <= part - 10 * (USUAL_SPANS + 1):
            parts.popleft()
        now, before = 0.0, 0.0
        for number, amount in parts:
            if number > part - 10:
                now += amount
            else:
                before += amount
        if not rule.times:
            return now, now
        usual = before / USUAL_SPANS
        if part - self.begun < 10 * (USUAL_SPANS + 1) or usual <= 0:
            return None
        return now / usual, usual


def matching(rules: tuple[Rule, ...], symbol: str) -> Iterator[Rule]:
    """The rules about a symbol, except rules about silence."""
    return (rule for rule in rules if rule.metric != "silence" and rule.is_for(symbol))
