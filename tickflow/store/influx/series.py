"""Chooses the series of a symbol that a query reads: InfluxDB keeps one series per source of the symbol.

Each series that a query touches costs InfluxDB time, however few points it has: 20,000 series take several seconds. So
for a symbol with more than `MOST_SOURCES` sources, the page reads only some of them: the first by name, and the source
of the newest point, without which the chart could stand still while the symbol has new ticks.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickflow.metrics.points import MEASUREMENT
from tickflow.store.influx.influxql import InfluxQL, Integer, Pattern, Value
from tickflow.ticks.tick import is_source

MOST_SOURCES = 100
"""How many sources of a symbol are read: more than the default of `MAX_SOURCES`, the topic's limit. Reading this many
takes InfluxDB a few hundredths of a second.
"""
KNOWN_SECONDS = 30.0
MOST_KNOWN = 1_000
MOST_COUNTED = 1_000_000

_NAMES = f'SHOW TAG VALUES FROM "{MEASUREMENT}" WITH KEY = "source" WHERE "symbol" = $symbol LIMIT'
_NEWEST = f'SELECT last("price"), "source" FROM "{MEASUREMENT}" WHERE "symbol" = $symbol'  # noqa: S608 - only our own name is inserted
_NewestRow: Any = tuple[Integer, float, str | None]


@dataclass(frozen=True, slots=True)
class Series:
    """The series of a symbol that a query reads: those of all its sources, or only those of `sources`.

    >>> Series("AAPL").condition, Series("AAPL", ("replay",)).condition
    ('"symbol" = $symbol', '"symbol" = $symbol AND "source" =~ $sources')
    """

    symbol: str
    sources: tuple[str, ...] | None = None

    @property
    def condition(self) -> str:
        """The condition that a point belongs to these series; `bound` has the values of its parameters."""
        return '"symbol" = $symbol' if self.sources is None else '"symbol" = $symbol AND "source" =~ $sources'

    @property
    def within(self) -> str:
        """The part of a query that names the measurement and the condition, with a time range from `$since` to
        `$until`.
        """
        return self.between("since", "until")

    def between(self, begin: str, end: str) -> str:
        """Like `within`, with the names of other parameters for the start and the end of the time range."""
        return f'FROM "{MEASUREMENT}" WHERE {self.condition} AND time >= ${begin} AND time < ${end}'

    def bound(self, **others: Value) -> dict[str, Value]:
        """The parameters to bind: those of `condition`, and `others`."""
        own: dict[str, Value] = {"symbol": self.symbol}
        return own | ({} if self.sources is None else {"sources": Pattern(self.sources)}) | others


class Sources:
    """For each symbol, chooses the series to read, from a list that is at most `KNOWN_SECONDS` old. Thread-safe."""

    def __init__(
        self, influxql: InfluxQL, most: int = MOST_SOURCES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._influxql = influxql
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Series, int]] = OrderedDict()

    def of(self, symbol: str) -> Series:
        """The series of the symbol to read. Raises `StoreError`."""
        return self._choice(symbol)[0]

    def left_out(self, symbol: str) -> int:
        """How many sources of the symbol are not read. Raises `StoreError`."""
        return self._choice(symbol)[1]

    def _choice(self, symbol: str) -> tuple[Series, int]:
        now = self._monotonic()
        with self._lock:
            asked, series, left_out = self._known.get(symbol, (float("-inf"), Series(symbol), 0))
        if now - asked < KNOWN_SECONDS:
            return series, left_out
        series, left_out = self._ask(symbol)
        with self._lock:
            self._known.pop(symbol, None)
            self._known[symbol] = now, series, left_out
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return series, left_out

    def _ask(self, symbol: str) -> tuple[Series, int]:
        if len(self._names(symbol, self._most + 1)) <= self._most:
            return Series(symbol), 0
        names = self._names(symbol, MOST_COUNTED)
        newest = self._influxql.rows(_NewestRow, _NEWEST, {"symbol": symbol})
        # A name that no tick can have comes from another program, and may have any length: it is left out.
        ours = {name for name in names if is_source(name)}
        chosen = sorted(ours)[: self._most]
        chosen += [source for _, _, source in newest if source in ours and source not in chosen]
        return Series(symbol, tuple(chosen)), len(names) - len(chosen)

    def _names(self, symbol: str, most: int) -> list[str]:
        # Counting the names, or filtering them by an expression, would take InfluxDB several times as long.
        rows = self._influxql.rows(tuple[str, str], f"{_NAMES} {most}", {"symbol": symbol})
        return [name for _, name in rows]
