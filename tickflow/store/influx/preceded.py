"""Finds whether the point before each anomaly was also an anomaly, with few statements: each takes InfluxDB half a
millisecond.

Often many of the requested times lie among a few points of one symbol. These points are read together; only times
before the oldest of them need their own statement.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.metrics.points import MEASUREMENT
from tickflow.store.influx.influxql import InfluxQL, Integer, Value

STATEMENTS = 100
"""The maximum number of statements in one request."""
ROWS_FOR_ONE = 200
"""Reading this many rows takes InfluxDB about as long as executing one more statement."""

_FlagRow: Any = tuple[Integer, bool | None]
_FLAGS = f'SELECT "is_anomaly" FROM "{MEASUREMENT}" WHERE "symbol" = $s{{0}} AND time < $t{{0}}'  # noqa: S608 - only our own name is inserted


def read(influxql: InfluxQL, moments: Sequence[tuple[str, int]]) -> list[bool]:
    """For each (symbol, time in ns), whether the last point of the symbol before that time is an anomaly."""
    times: dict[str, list[int]] = {}
    for symbol, time_ns in moments:
        times.setdefault(symbol, []).append(time_ns)
    spans = [(symbol, min(of), max(of), ROWS_FOR_ONE * len(of)) for symbol, of in times.items() if len(of) > 1]
    known = dict(zip((symbol for symbol, *_ in spans), _spans(influxql, spans), strict=True))
    found = [_before(known[symbol], time_ns) if symbol in known else None for symbol, time_ns in moments]
    single = dict.fromkeys(moment for moment, flag in zip(moments, found, strict=True) if flag is None)
    asked = dict(zip(single, _singles(influxql, list(single)), strict=True))
    return [asked[moment] if flag is None else flag for moment, flag in zip(moments, found, strict=True)]


_Flags = tuple[npt.NDArray[np.int64], Sequence[bool | None]]
"""Times of consecutive points of one symbol, and whether each is an anomaly."""


def _before(flags: _Flags, time_ns: int) -> bool | None:
    """Whether the last point before `time_ns` is an anomaly; `None` if this point was not read."""
    at = int(np.searchsorted(flags[0], time_ns)) - 1
    return None if at < 0 else bool(flags[1][at])


def _spans(influxql: InfluxQL, spans: Sequence[tuple[str, int, int, int]]) -> list[_Flags]:
    """For each (symbol, from, until, count), the newest `count` points of the symbol in that time range."""
    found: list[_Flags] = []
    for start in range(0, len(spans), STATEMENTS):
        part = spans[start : start + STATEMENTS]
        params: dict[str, Value] = {f"s{i}": symbol for i, (symbol, *_) in enumerate(part)}
        params |= {f"f{i}": since for i, (_, since, *_) in enumerate(part)}
        params |= {f"t{i}": until for i, (_, _, until, _) in enumerate(part)}
        queries = [
            f"{_FLAGS.format(i)} AND time >= $f{i} ORDER BY time DESC LIMIT {count}"
            for i, (*_, count) in enumerate(part)
        ]
        for rows in influxql.each(_FlagRow, queries, params):
            rows.reverse()
            found.append((np.array([time_ns for time_ns, _ in rows], dtype=np.int64), [flag for _, flag in rows]))
    return found


def _singles(influxql: InfluxQL, moments: Sequence[tuple[str, int]]) -> list[bool]:
    found: list[bool] = []
    for start in range(0, len(moments), STATEMENTS):
        part = moments[start : start + STATEMENTS]
        params: dict[str, Value] = {f"s{i}": symbol for i, (symbol, _) in enumerate(part)}
        params |= {f"t{i}": time_ns for i, (_, time_ns) in enumerate(part)}
        queries = [f"{_FLAGS.format(i)} ORDER BY time DESC LIMIT 1" for i in range(len(part))]
        found += [bool(rows and rows[0][1]) for rows in influxql.each(_FlagRow, queries, params)]
    return found
