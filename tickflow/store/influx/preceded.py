"""Finds whether the point before each anomaly was also an anomaly, with few statements: each takes InfluxDB half a
millisecond.

While a page is open, the requested times are among the newest points of their symbols: one statement reads these points
of all symbols. When it opens, often many of the requested times lie among a few points of one symbol. These points are
read together; only times before the oldest of them need their own statement.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tickflow.metrics.points import MEASUREMENT
from tickflow.store.influx.influxql import MOST_NAMED, InfluxQL, Integer, Value, named

STATEMENTS = 100
"""The maximum number of statements in one request."""
ROWS_FOR_ONE = 200
"""Reading this many rows takes InfluxDB about as long as executing one more statement."""
MANY = 10
"""For at least this many symbols, one statement reads the newest points of all of them."""
FEW = 20
"""A symbol with more times than this is left to the queries of single symbols, which return fewer rows."""
NEWEST = 4
"""How many of a symbol's newest points that statement reads, besides one for each requested time."""

_FlagRow: Any = tuple[Integer, bool | None]
_FLAGS = f'SELECT "is_anomaly" FROM "{MEASUREMENT}" WHERE "symbol" = $s{{0}} AND time < $t{{0}}'  # noqa: S608 - only our own name is inserted
_Moment = tuple[str, int]
_Times = dict[str, list[int]]


def read(influxql: InfluxQL, moments: Sequence[_Moment]) -> list[bool]:
    """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""
    found: dict[_Moment, bool] = {}
    for ask in (_newest, _spans, _singles):
        times: _Times = {}
        for symbol, time_ns in dict.fromkeys(moments):
            if (symbol, time_ns) not in found:
                times.setdefault(symbol, []).append(time_ns)
        found |= ask(influxql, times)
    return [found[moment] for moment in moments]


def _newest(influxql: InfluxQL, times: _Times) -> dict[_Moment, bool]:
    """What the newest points of all symbols say, if there are many symbols, each with few times."""
    times = {symbol: of for symbol, of in times.items() if len(of) <= FEW}
    if not MANY <= len(times) <= MOST_NAMED:
        return {}
    condition, params = named(list(times))
    count = NEWEST + max(map(len, times.values()))
    query = (
        f'SELECT "is_anomaly" FROM "{MEASUREMENT}" WHERE {condition} AND time < $until '  # noqa: S608 - only our own names are inserted; values are bound
        f'GROUP BY "symbol" ORDER BY time DESC LIMIT {count}'
    )
    rows = influxql.grouped(_FlagRow, query, params | {"until": max(map(max, times.values()))})
    return _judged(times, rows)


def _spans(influxql: InfluxQL, times: _Times) -> dict[_Moment, bool]:
    """What the points between the times of one symbol say, for each symbol with more than one time."""
    found: dict[_Moment, bool] = {}
    several = [(symbol, of) for symbol, of in times.items() if len(of) > 1]
    for start in range(0, len(several), STATEMENTS):
        part = several[start : start + STATEMENTS]
        params: dict[str, Value] = {f"s{i}": symbol for i, (symbol, _) in enumerate(part)}
        params |= {f"f{i}": min(of) for i, (_, of) in enumerate(part)}
        params |= {f"t{i}": max(of) for i, (_, of) in enumerate(part)}
        queries = [
            f"{_FLAGS.format(i)} AND time >= $f{i} ORDER BY time DESC LIMIT {ROWS_FOR_ONE * len(of)}"
            for i, (_, of) in enumerate(part)
        ]
        rows = influxql.each(_FlagRow, queries, params)
        found |= _judged(dict(part), dict(zip(dict(part), rows, strict=True)))
    return found


def _singles(influxql: InfluxQL, times: _Times) -> dict[_Moment, bool]:
    """What the point before each time says; `False` if there is none."""
    found: dict[_Moment, bool] = {}
    moments = [(symbol, time_ns) for symbol, of in times.items() for time_ns in of]
    for start in range(0, len(moments), STATEMENTS):
        part = moments[start : start + STATEMENTS]
        params: dict[str, Value] = {f"s{i}": symbol for i, (symbol, _) in enumerate(part)}
        params |= {f"t{i}": time_ns for i, (_, time_ns) in enumerate(part)}
        queries = [f"{_FLAGS.format(i)} ORDER BY time DESC LIMIT 1" for i in range(len(part))]
        answers = influxql.each(_FlagRow, queries, params)
        found |= {moment: bool(rows and rows[0][1]) for moment, rows in zip(part, answers, strict=True)}
    return found


def _judged(times: _Times, newest_first: dict[str, list[_FlagRow]]) -> dict[_Moment, bool]:
    """Whether the last point before each time is an anomaly, if it is among the consecutive points that were read."""
    found: dict[_Moment, bool] = {}
    for symbol, of in times.items():
        rows = newest_first.get(symbol, [])[::-1]
        places = np.searchsorted(np.array([row[0] for row in rows], dtype=np.int64), of) - 1
        found |= {(symbol, time): bool(rows[at][1]) for time, at in zip(of, places.tolist(), strict=True) if at >= 0}
    return found
