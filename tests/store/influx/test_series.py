"""In every query, a bounded store reads only some sources of a symbol that has too many, and counts the others."""

import dataclasses
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from devtools.influxdb import InfluxServer
from tests.fakes import MemoryStore
from tests.point_examples import MORNING, SECOND, Clock, a_row, bits, points_of
from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries
from tickflow.store.influx.influxql import InfluxQL
from tickflow.store.influx.series import KNOWN_SECONDS, Series, Sources
from tickflow.store.influx.store import InfluxStore

pytestmark = pytest.mark.influx

END = MORNING + 600 * SECOND
HOURS = 9 * 3600 * SECOND
"""A duration in ns, long enough that the store keeps columns of it in memory."""

QUERIES: dict[str, Callable[[PageQueries], object]] = {
    "points": lambda store: store.points("AAPL", MORNING, END),
    "first points": lambda store: store.points("AAPL", MORNING, END, 7),
    "newest": lambda store: store.newest("AAPL", 5),
    "newest one": lambda store: store.latest(["AAPL"]),
    "count": lambda store: store.count("AAPL", MORNING, END),
    "totals": lambda store: store.totals("AAPL", MORNING, END),
    "first_time": lambda store: store.first_time("AAPL"),
    "at_most": lambda store: store.at_most("AAPL", MORNING, END, 1_000),
    "at_most, too many": lambda store: store.at_most("AAPL", MORNING, END, 20),
    "candles": lambda store: store.candles("AAPL", MORNING, END, 60 * SECOND),
    "pixels": lambda store: store.pixels("AAPL", MORNING, END, 60 * SECOND),
    "kept pixels": lambda store: store.pixels("AAPL", MORNING - HOURS, END + HOURS, 400 * SECOND),
    "digest": lambda store: store.digest("AAPL", MORNING, END, 10),
    "outline": lambda store: store.outline("AAPL", MORNING, END, 10),
    "strongest": lambda store: store.strongest("AAPL", [(MORNING, MORNING + 300 * SECOND), (MORNING, END)]),
}


def of_sources(count: int, symbol: str = "AAPL") -> Points:
    """Sixty points, ten seconds apart, from the sources in turn: each source has its own prices, some of them
    anomalies.
    """
    return points_of(
        *(
            a_row(
                symbol=symbol,
                source=f"s{(at + 7) % count}",
                time_ns=MORNING + 10 * SECOND * at,
                price=100.0 + at % count + at / 100,
                ma_10=100.0,
                volume=float(at + 1),
                offset=at,
                is_anomaly=at % 4 == 0,
            )
            for at in range(60)
        )
    )


def plain(found: object) -> Any:
    """An answer as plain values that can be compared."""
    if isinstance(found, Points):
        return bits(found)
    if dataclasses.is_dataclass(found):
        return {each.name: plain(getattr(found, each.name)) for each in dataclasses.fields(found)}
    if isinstance(found, np.ndarray):
        return [None if value != value else round(value, 9) for value in found.tolist()]
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    if isinstance(found, tuple):
        return list(found)
    return round(found, 6) if isinstance(found, float) else found


def check(store: PageQueries, points: Points) -> None:
    """Every query answers like a store that has only these points."""
    expected = MemoryStore()
    expected.write(points)
    for name, query in QUERIES.items():
        assert plain(query(store)) == plain(query(expected)), name


def only(points: Points, *sources: str) -> Points:
    return points.take([at for at, source in enumerate(points.source) if source in sources])


def test_every_query_reads_the_first_sources_by_name_and_that_of_the_newest_point(store: InfluxStore) -> None:
    points = of_sources(9)
    store.write(points)
    assert (points.source[0], points.source[-1]) == ("s7", "s3")
    page = store.bounded(3)
    check(page, only(points, "s0", "s1", "s2", "s3"))
    assert page.sources_left_out("AAPL") == 5
    check(store, points)
    assert store.sources_left_out("AAPL") == 0


def test_few_sources_are_all_read(store: InfluxStore) -> None:
    points = of_sources(3)
    store.write(points)
    store.write(of_sources(9, "MSFT"))
    page = store.bounded(3)
    check(page, points)
    assert [page.sources_left_out(symbol) for symbol in ("AAPL", "MSFT", "NONE")] == [0, 5, 0]


def test_names_that_no_tick_can_have_are_counted_and_not_read(
    store: InfluxStore, influx: InfluxServer, bucket: str
) -> None:
    """Another program may have written them."""
    points = of_sources(4)
    store.write(points)
    foreign = ("A", "0" * 5_000, "a.b|c", '"x"', "a\\ 'b")
    lines = "\n".join(
        f"stock_metrics,symbol=AAPL,source={name} price=5,volume=1,partition=0i,offset={at}i,is_anomaly=true {END + at}"
        for at, name in enumerate(foreign)
    )
    query = urllib.parse.urlencode({"org": influx.org, "bucket": bucket})
    headers = {"Authorization": f"Token {influx.token}"}
    request = urllib.request.Request(f"{influx.url}/api/v2/write?{query}", data=lines.encode(), headers=headers)
    urllib.request.urlopen(request, timeout=60).close()
    page = store.bounded(5)
    check(page, points)
    assert page.sources_left_out("AAPL") == len(foreign)


def test_the_choice_is_made_again_after_half_a_minute(store: InfluxStore, influxql: InfluxQL) -> None:
    clock = Clock()
    sources = Sources(influxql, 2, clock)
    store.write(of_sources(2))
    assert sources.of("AAPL") == Series("AAPL")
    store.write(of_sources(4))
    clock.now += KNOWN_SECONDS - 1
    assert sources.of("AAPL") == Series("AAPL")
    clock.now += 1
    assert sources.of("AAPL") == Series("AAPL", ("s0", "s1", "s2"))
    assert sources.left_out("AAPL") == 1
