"""The input of the benchmarks: ticks of a random walk, as Kafka records and as ready-made lines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.store.influx.lines import to_lines
from tickflow.ticklog.base import LOG_APPEND_TIME, Entry
from tickflow.ticks.tick import Tick, decode, encode

BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
STEP = timedelta(milliseconds=250)
APPENDED_MS = int((BEGIN + timedelta(days=30)).timestamp()) * 1000
THRESHOLD = 2.0
BATCH = 5_000


def ticks(count: int, symbols: int) -> Iterator[Tick]:
    """Ticks of all symbols in turn, 250 ms from round to round; every call yields the same ticks."""
    rng = np.random.default_rng(7)
    prices = np.full(symbols, 100.0)
    sent = 0
    for step in range(-(-count // symbols)):
        prices = prices * np.exp(rng.normal(0, 0.0005, symbols))
        moment = BEGIN + STEP * step
        for number, price in enumerate(prices[: count - sent].round(2).tolist()):
            yield Tick(
                f"S{number:03}", price, moment, volume=100 + number % 500, change_percent=0.1, source="simulated"
            )
        sent += symbols


def records(count: int, symbols: int) -> Iterator[tuple[bytes, bytes]]:
    """The ticks of `ticks` as keys and values of Kafka records."""
    for tick in ticks(count, symbols):
        yield tick.symbol.encode(), encode(tick)


def batches(count: int, symbols: int, size: int = BATCH) -> Iterator[list[Entry]]:
    """The ticks of `ticks` as records of one partition, in batches as a poll returns them."""
    made = enumerate(records(count, symbols))
    numbered = (Entry(0, offset, key, value, APPENDED_MS, LOG_APPEND_TIME) for offset, (key, value) in made)
    while batch := list(islice(numbered, size)):
        yield batch


def lines(windows: Windows, batch: list[Entry]) -> list[str]:
    """The compute stage: what the worker does between a poll and a POST, from raw bytes to line protocol."""
    found, _ = decode(batch)
    return to_lines(Points.of(0, found, measure(windows.advance(found), THRESHOLD)))
