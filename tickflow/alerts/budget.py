"""Limits the number of alerts: a threshold follows a budget, so that the number has a bound for any data.

The log threshold q rises by `GAIN` at each alert and falls with time, by `GAIN` · budget per trading day (or by `GAIN`
per 1/budget ticks), but never below the logarithm of the detector's floor. This is adaptive conformal inference (Gibbs
and Candès, "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021) on a logarithmic scale.

The bound: with scores capped at `CAP`, alerts <= budget · T + ln(CAP / FLOOR) / GAIN + 1 for any data, where T is the
time since the symbol's first tick. Proof: each alert raises q by GAIN, in T days q falls by at most GAIN · budget · T,
and no alert is raised while q >= ln(CAP). So before the last of n alerts ln(FLOOR) + (n - 1) · GAIN - GAIN · budget · T
<= q < ln(CAP).
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from tickflow.metrics.detectors.logarithm import exp, log

GAIN = 0.5
CAP = 100.0
FLOOR = 2.0
"""The lowest threshold of `move`.

For a 14-dollar stock, whose price moves by cents, the five largest moves of a day score just above 2. With a floor
of 4, two in five steps of 20 basis points would be missed.
"""
OTHERS_FLOOR = 4.0
"""The lowest threshold of all detectors but `move`. With a floor of 2, `volume` would flag one second in fifty."""
START = 8.0
"""The first threshold of a symbol without history."""
DAY_US = 86_400_000_000


@cache
def _log(value: float) -> float:
    return float(log(np.array([value]))[0])


_LOG_CAP = _log(CAP)
_THURSDAY = 3  # 1 January 1970
_BUDGET = re.compile(r"(?:(\d{1,9}(?:\.\d{1,9})?)|1/([1-9]\d{0,11}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """The permitted number of alerts per symbol and detector: `rate` per trading day, or `rate` per tick.

    A trading day is a weekday of event time, all 24 hours of it (UTC); Saturdays and Sundays do not count as time.
    """

    rate: float
    per_tick: bool = False

    @property
    def constant(self) -> float:
        """The maximum number of alerts above the budget, over any length of time."""
        return (_LOG_CAP - _log(FLOOR)) / GAIN + 1

    def elapsed(self, since: int, until: int) -> float:
        """The budget time between two moments: in trading days for times in µs since 1970, or in ticks."""
        return float(until - since) if self.per_tick else (weekday_us(until) - weekday_us(since)) / DAY_US


class Followed(NamedTuple):
    """A threshold at the time `since` (µs since 1970, or ticks): `q` is its natural logarithm."""

    q: float
    since: int


def floor_of(detector: str) -> float:
    """The lowest threshold of a detector."""
    return FLOOR if detector == "move" else OTHERS_FLOOR


def start(since: int, threshold: float = START, floor: float = FLOOR) -> Followed:
    """The initial threshold of a symbol, never below the floor."""
    return Followed(_log(max(threshold, floor)), since)


def threshold_at(followed: Followed, now: int, budget: Budget, floor: float = FLOOR) -> Followed:
    """The threshold at the later time `now`.

    >>> round(exp(threshold_at(start(0), DAY_US, Budget(1.0)).q), 3)
    4.852
    """
    fallen = GAIN * budget.rate * budget.elapsed(followed.since, max(now, followed.since))
    return Followed(max(followed.q - fallen, _log(floor)), max(now, followed.since))


def exceeds(score: float, followed: Followed) -> bool:
    """Whether a score, capped at `CAP`, exceeds the threshold at the same moment."""
    return followed.q < _LOG_CAP and min(score, CAP) > exp(followed.q)


def raised(followed: Followed) -> Followed:
    """The threshold after an alert."""
    return Followed(followed.q + GAIN, followed.since)


def weekday_us(time_us: int) -> int:
    """The time since 1970 that fell on Mondays to Fridays, in µs.

    >>> friday = 1_381_449_600_000_000 + DAY_US  # 11 October 2013
    >>> (weekday_us(friday + 4 * DAY_US) - weekday_us(friday)) // DAY_US
    2
    """
    days, rest = divmod(time_us, DAY_US)
    weeks, day = divmod(days + _THURSDAY, 7)  # weeks are counted from Monday, 29 December 1969
    return (weeks * 5 + min(day, 5) - _THURSDAY) * DAY_US + (rest if day < 5 else 0)


def parse(text: str) -> Budget:
    """The budget in the text of a setting: `1` or `0.5` per trading day, or `1/10000` ticks. Raises `ValueError`.

    >>> parse("1/10000"), parse("5")
    (Budget(rate=0.0001, per_tick=True), Budget(rate=5.0, per_tick=False))
    """
    found = _BUDGET.fullmatch(text.strip())
    if found is None or (found[1] and not 0 < float(found[1]) <= 10_000):
        raise ValueError(BUDGET_RULE)
    return Budget(1 / int(found[2]), per_tick=True) if found[2] else Budget(float(found[1]))


BUDGET_RULE = "alerts per symbol and trading day (above 0, up to 10000), or one per number of ticks, such as 1/10000"


def at_most(budget: Budget) -> str:
    """The budget in words, for the text of an alert.

    >>> at_most(Budget(1.0)), at_most(Budget(1 / 10_000, per_tick=True))
    ('At most 1 a day for this symbol.', 'At most 1 in 10,000 ticks of this symbol.')
    """
    if budget.per_tick:
        return f"At most 1 in {round(1 / budget.rate):,} ticks of this symbol."
    return f"At most {budget.rate:g} a day for this symbol."


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count (Garwood, "Fiducial Limits", Biometrika 28, 1936).

    >>> tuple(round(end, 2) for end in poisson_interval(20))
    (12.22, 30.89)
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _below(count, mean) - tail, 0.0, float(count))
    high = _solve(lambda mean: tail - _below(count + 1, mean), float(count), count + 10 * math.sqrt(count + 1) + 10)
    return low, high


def _below(count: int, mean: float) -> float:
    """The probability that a Poisson variable with the mean `mean` is below `count`."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))


def _solve(rising, low: float, high: float) -> float:  # type: ignore[no-untyped-def]  # a function of a float
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
