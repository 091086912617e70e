"""Opens the stores of both stacks and fills them with a history of ticks for measurements of the page."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.bench import Bench
from config import Settings, load_settings
from tests.fakes import Feed
from tickflow.metrics.points import Points, point_time
from tickflow.stack import open_acks, open_store
from tickflow.store.acks import AckStore
from tickflow.store.base import MetricsStore

STACKS = ("embedded", "influxdb")
BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
AT_A_TIME = 10_000


def settings_of(bench: Bench, stack: str, name: str, **more: str) -> dict[str, str]:
    """The settings of a new, empty store of that stack."""
    if stack == "embedded":
        return {"STACK": "embedded", "EMBEDDED_FILE": str(bench.folder / f"{name}.db"), **more}
    server = bench.influx
    return {
        "STACK": "kafka",
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": server.token,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_BUCKET": bench.new_bucket(),
        **more,
    }


@contextmanager
def opened(values: dict[str, str]) -> Iterator[tuple[MetricsStore, AckStore]]:
    """Open the store that these settings describe; yield it connected, with its store of acknowledgements."""
    settings: Settings = load_settings(values, env_file=None)
    stop = threading.Event()
    acks = open_acks(settings, stop)
    with open_store(settings, stop) as store:
        store.connect()
        yield store, acks
    acks.close()


class History:
    """A history in which every symbol has the same series of `ticks` prices, `gap` apart, at the same moments.

    `turn` adds the next tick of some symbols, at the next moment.
    """

    def __init__(self, symbols: int, ticks: int, *, gap: timedelta = timedelta(seconds=1)) -> None:
        self.names = [f"S{number:05}" for number in range(symbols)]
        feed = Feed(start=BEGIN, gap=gap)
        random = np.random.default_rng(4)
        prices = 100 + np.cumsum(random.normal(0, 0.02, ticks)) + random.normal(0, 0.01, ticks)
        prices = np.round(prices, 2)
        parts = [feed.points("S", prices[at : at + AT_A_TIME].tolist()) for at in range(0, ticks, AT_A_TIME)]
        self._course = Points.joined(parts)
        self._offset = 0
        self._next = feed.now
        self._gap = gap

    def fill(self, store: MetricsStore) -> None:
        """Write the whole history into the store."""
        together = max(1, AT_A_TIME // len(self._course))
        for begin in range(0, len(self.names), together):
            points = Points.joined([self._as(name, self._course) for name in self.names[begin : begin + together]])
            for at in range(0, len(points), AT_A_TIME):
                store.write(points.take(slice(at, at + AT_A_TIME)))

    def turn(self, store: MetricsStore, names: Sequence[str]) -> None:
        """Write the next tick of each of these symbols."""
        last = self._course.take(slice(-1, None))
        moment = dataclasses.replace(last, time_ns=np.array([int(self._next.timestamp() * 1000) * 1_000_000]))
        self._next += self._gap
        store.write(Points.joined([self._as(name, moment) for name in names]))

    def _as(self, name: str, points: Points) -> Points:
        """A copy of the points with the symbol `name` and the next offsets of the log."""
        offsets = np.arange(self._offset, self._offset + len(points))
        self._offset += len(points)
        prices = points.price + offsets[-1] % 7 / 100  # so that every tick moves the price
        return dataclasses.replace(
            points,
            symbol=[name] * len(points),
            price=np.round(prices, 2),
            offset=offsets,
            time_ns=point_time(points.time_ns // 1_000_000 * 1000, offsets),
        )
