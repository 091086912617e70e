"""Simulated prices: a random walk per symbol with the stylised facts of real ones.

A geometric Brownian walk alone looks wrong: real returns have heavy tails, jumps, and volatility that comes in clusters
and brings volume with it (R. Cont, "Empirical properties of asset returns: stylized facts and statistical issues",
Quantitative Finance 1, 2001). Each of these properties is one line of `_Walk.block`. There is no drift, since a real
drift is invisible over a few hours.

Every symbol draws from its own generator, seeded by (seed, symbol): the same seed gives the same ticks for a symbol,
whichever other symbols are simulated. (This holds for one version of numpy: its distributions may change between
versions, see NEP 19.)
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Self

import numpy as np

from tickflow.errors import SettingError
from tickflow.sources.base import Wait
from tickflow.ticks.tick import PRICE_MAX, Tick, is_symbol

Clock = Callable[[], int]
"""Returns the event time of the next step, in microseconds since 1970."""

YEAR_SECONDS = 252 * 6.5 * 3600
"""How many seconds per year a market is open: annual volatility is spread over these."""

MIN_STEP_SECONDS = 10.0
"""The shortest market time, in seconds, that one step simulates, however short the interval is: otherwise prices in
whole cents would hardly ever change.
"""

TAIL_DEGREES = 4
"""The degrees of freedom of the Student t distribution of returns: Cont (2001) reports tail indexes between 2 and 5."""

JUMP_RATE, JUMP_SIZE = 1 / 500, (5.0, 12.0)
"""The probability of a jump per step, and the range of its size in usual returns. Jumps stand for news (R. Merton,
"Option pricing when underlying stock returns are discontinuous", 1976). With seven symbols every 2 s, one jump comes
about every two and a half minutes.
"""

CLUSTER_SECONDS, CLUSTER_SPREAD = 300.0, 0.45
"""Log-volatility reverts to its mean in about the first of these (in seconds), with the second as its standard
deviation. The volatility is then between 0.4 and 2.5 times its mean for 95 % of the time (S. Taylor, "Modelling
Financial Time Series", 1986).
"""

VOLUME_SPREAD, VOLUME_ON_VOLATILITY, VOLUME_ON_RETURN = 0.6, 1.0, 0.4
"""The standard deviation of log-volume by itself, and how log-volume rises with log-volatility and with the size of the
return: volume and volatility both follow the flow of information (P. Clark, 1973; J. Karpoff, "The relation between
price changes and trading volume", 1987).
"""

BLOCK = 256
"""How many steps are drawn at a time. With a different number, the same seed gives different prices."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Character:
    """The character of a symbol: its first price (USD), its annual volatility (0.25 is 25 %), and its median volume per
    tick.
    """

    level: float
    volatility: float
    volume: float


KNOWN: Mapping[str, Character] = {
    "AAPL": Character(229.0, 0.25, 900),
    "GOOGL": Character(178.0, 0.28, 500),
    "MSFT": Character(421.0, 0.22, 350),
    "AMZN": Character(204.0, 0.30, 650),
    "TSLA": Character(338.0, 0.60, 1500),
    "NVDA": Character(142.0, 0.50, 3500),
    "META": Character(589.0, 0.33, 250),
}


def character_of(symbol: str) -> Character:
    """The known character of a symbol, or else one derived from a hash of its name, so that it is always the same."""
    known = KNOWN.get(symbol)
    if known is not None:
        return known
    first, second, third = (byte / 255 for byte in hashlib.sha256(symbol.encode()).digest()[:3])
    return Character(round(20 * 25**first, 2), 0.2 + 0.4 * second, round(100 * 20**third))


@dataclass(frozen=True, slots=True)
class Injection:
    """A jump for demonstrations: starting at tick number `at_tick` (counted from 1), the price is `percent` higher."""

    symbol: str
    percent: float
    at_tick: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `SYMBOL:PERCENT:AT_TICK`. Raises `SettingError`.

        >>> Injection.parse("AAPL:-7.5:30")
        Injection(symbol='AAPL', percent=-7.5, at_tick=30)
        >>> Injection.parse("X:BTCUSD:8:30").symbol
        'X:BTCUSD'
        """
        symbol, *numbers = text.rsplit(":", 2)  # a symbol may itself contain colons
        try:
            percent, at_tick = float(numbers[0]), int(numbers[1])
        except (ValueError, IndexError):
            percent, at_tick = math.nan, 0
        if len(numbers) != 2 or not is_symbol(symbol) or not -100 < percent <= 10_000 or at_tick < 1:
            expected = (
                "SYMBOL:PERCENT:AT_TICK such as AAPL:8:30, percent above -100 and up to 10000, ticks counted from 1"
            )
            raise SettingError("--inject", text, expected)
        return cls(symbol, percent, at_tick)


class _Walk:
    """One symbol's prices."""

    def __init__(self, symbol: str, seed: int, interval: float, injections: Sequence[Injection]) -> None:
        self._rng = np.random.default_rng([seed, int.from_bytes(symbol.encode())])
        self._injections = injections
        self._character = character_of(symbol)
        seconds = max(interval, MIN_STEP_SECONDS)
        self._usual_return = self._character.volatility * math.sqrt(seconds / YEAR_SECONDS)
        self._memory = math.exp(-max(interval, 1.0) / CLUSTER_SECONDS)
        self._log_price = math.log(self._character.level)
        self._log_volatility = CLUSTER_SPREAD * self._rng.standard_normal()
        self._steps = 0

    def block(self) -> list[tuple[float, int, float]]:
        """The next `BLOCK` steps as (price, volume, change in percent since the start of the run)."""
        rng = self._rng
        noise = CLUSTER_SPREAD * math.sqrt(1 - self._memory**2) * rng.standard_normal(BLOCK)
        clusters = np.fromiter(
            accumulate(noise.tolist(), lambda h, e: self._memory * h + e, initial=self._log_volatility), np.float64
        )
        self._log_volatility = float(clusters[-1])
        log_volatility = clusters[:-1]

        returns = rng.standard_t(TAIL_DEGREES, BLOCK) * math.sqrt((TAIL_DEGREES - 2) / TAIL_DEGREES)
        returns *= np.exp(log_volatility - CLUSTER_SPREAD**2)  # so that the mean of the squared factors is 1
        jumps = rng.uniform(*JUMP_SIZE, BLOCK) * rng.choice((-1.0, 1.0), BLOCK) * (rng.random(BLOCK) < JUMP_RATE)
        returns += jumps

        log_prices = self._log_price + np.cumsum(returns * self._usual_return)
        self._log_price = float(log_prices[-1])
        tick_numbers = self._steps + np.arange(1, BLOCK + 1)
        self._steps += BLOCK
        for injection in self._injections:
            log_prices = log_prices + np.where(
                tick_numbers >= injection.at_tick, math.log1p(injection.percent / 100), 0.0
            )
        prices = _quoted(np.exp(np.minimum(log_prices, math.log(PRICE_MAX))))
        changes = np.round((prices / self._character.level - 1) * 100, 4)

        log_volumes = VOLUME_ON_VOLATILITY * log_volatility + VOLUME_ON_RETURN * np.minimum(np.abs(returns), 6)
        log_volumes += VOLUME_SPREAD * rng.standard_normal(BLOCK)
        volumes = np.maximum(1, np.rint(self._character.volume * np.exp(log_volumes))).astype(np.int64)
        return list(zip(prices.tolist(), volumes.tolist(), changes.tolist(), strict=True))


def _quoted(
    prices: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Prices as US exchanges quote them: in cents, or below one dollar in hundredths of a cent (Regulation NMS, rule
    612).
    """
    return np.where(prices >= 1, np.round(prices, 2), np.maximum(np.round(prices, 4), 0.0001))


class Simulator:
    """Yields one tick per symbol at each step, and a step every `interval` seconds, without end.

    `clock` gives the event times; if it stands still or goes back, the next step is 1 us later than the previous one.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        seed: int,
        interval: float,
        injections: Sequence[Injection] = (),
        clock: Clock | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self._seed = seed
        self._interval = interval
        self._clock = clock or wall_clock
        self._walks = [
            _Walk(symbol, seed, interval, [one for one in injections if one.symbol == symbol]) for symbol in symbols
        ]

    @property
    def what(self) -> str:
        """The description of this source in the first log line."""
        pace = f"every {self._interval:g} s" if self._interval else "without pause"
        return f"simulated prices, not real ones, of {', '.join(self.symbols)} {pace} (SIMULATOR_SEED={self._seed})"

    def steps(self) -> Iterator[list[Tick]]:
        """One tick per symbol and step, without waiting."""
        last_us = -1
        while True:
            for row in zip(*[walk.block() for walk in self._walks], strict=True):
                last_us = max(self._clock(), last_us + 1)
                moment = _EPOCH + timedelta(microseconds=last_us)
                yield [
                    Tick(symbol, price, moment, volume, change, "simulated")
                    for symbol, (price, volume, change) in zip(self.symbols, row, strict=True)
                ]

    def batches(self, wait: Wait) -> Iterator[list[Tick]]:
        """Yield the steps, one every `interval` seconds by the monotonic clock; an interval of 0 means no pause."""
        due = time.monotonic()
        for step in self.steps():
            yield step
            if self._interval:
                now = time.monotonic()
                # so that no burst of steps follows a suspension of the machine
                due = max(due + self._interval, now - self._interval)
                if wait(max(0.0, due - now)):
                    return

    def progress(self) -> str:
        """Empty: this source has no end."""
        return ""


def wall_clock() -> int:
    """The current time in microseconds since 1970."""
    return time.time_ns() // 1000


def stepping_clock(start: datetime, interval: float) -> Clock:
    """A clock that starts at `start` and advances by `interval` seconds (at least 1 us) at each reading."""
    first, step = (start - _EPOCH) // timedelta(microseconds=1), max(1, round(interval * 1_000_000))
    times = iter(range(first, 1 << 62, step))
    return lambda: next(times)
