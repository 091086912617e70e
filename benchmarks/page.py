"""The page's refreshes on the embedded stack, beside the plain way: the whole figure and list at each of them.

Bytes are those of the answer's JSON, gzip as it goes over the wire; milliseconds are the server's whole work for it.
"""

import functools
import gzip
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from plotly.io.json import to_json_plotly

from benchmarks.bench import Bench, table
from tests.fakes import Feed
from tickflow.dashboard.alerts import Board
from tickflow.dashboard.refresh import Answer, draw, refresh
from tickflow.dashboard.view import Drawn
from tickflow.store.embedded import EmbeddedStore
from tickflow.store.embedded_acks import EmbeddedAcks

ROUNDS = 60
SHARE = 10
"""One of so many symbols ticks between two refreshes of the overview."""


def run(bench: Bench) -> dict[str, Any]:
    figures = {
        "7 symbols, idle": _case(bench, 7, ticks=900, changed=0),
        "7 symbols, all tick": _case(bench, 7, ticks=900, changed=7),
        "7 symbols, whole figures": _case(bench, 7, ticks=900, changed=7, whole=True),
        "2,000 symbols, a tenth ticks": _case(bench, 2000, ticks=30, changed=2000 // SHARE, overview=True),
        "a day, 86,400 ticks a symbol": _case(bench, 2, ticks=86_400, changed=2, range_name="1d"),
    }
    names = ("open ms", "refresh ms", "bytes", "gzip")
    rows: list[tuple[str, ...]] = [("case", *names)]
    rows += [
        (name, *(f"{value[key]:,.1f}" if "ms" in key else f"{value[key]:,}" for key in names))
        for name, value in figures.items()
    ]
    print(table(rows))
    return figures


def _case(
    bench: Bench,
    symbols: int,
    *,
    ticks: int,
    changed: int,
    whole: bool = False,
    overview: bool = False,
    range_name: str = "15m",
) -> dict[str, Any]:
    stop = threading.Event()
    path = bench.folder / f"page-{symbols}-{ticks}-{changed}-{whole}.db"
    names = [f"S{number:04}" for number in range(symbols)]
    random = np.random.default_rng(4)
    begin = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    feed = Feed(start=begin)
    with EmbeddedStore(path, retention_days=7, stop=stop) as store:
        store.connect()
        for name in names:
            feed.now, feed.gap = begin, timedelta(seconds=1)
            for start in range(0, ticks, 10_000):
                store.write(feed.points(name, (100 + random.normal(0, 0.1, min(ticks - start, 10_000))).tolist()))
        board = Board(EmbeddedAcks(path, retention_days=7, stop=stop))
        view = {"symbol": names[0], "range": range_name, "overview": overview}

        def opened() -> Answer:
            return draw(store, view, identity="1", threshold=2.0, now_ns=time.time_ns(), board=board)

        def refreshed(drawn: Drawn, watched: dict[str, int], stamp: object) -> Answer:
            return refresh(store, drawn, watched, now_ns=time.time_ns(), board=board, stamp=stamp)

        opened()
        shown, open_ms = _timed(opened)
        drawn, watched, stamp = shown["drawn"], shown["watch"]["cursors"], shown.get("alerts", {}).get("stamp", 0)
        times, sizes, packed = [], [], []
        for number in range(ROUNDS if symbols < 100 else 20):
            feed.gap = timedelta(milliseconds=1)
            for name in names[number % SHARE :: SHARE] if overview else names[:changed]:
                store.write(feed.points(name, [100.0 + number % 3]))

            answer, milliseconds = _timed(opened if whole else functools.partial(refreshed, drawn, watched, stamp))
            text = to_json_plotly(answer).encode()
            times.append(milliseconds)
            sizes.append(len(text))
            packed.append(len(gzip.compress(text, 6)))
            drawn = {**drawn, **answer.get("drawn", {})}
            watched = answer["watch"]["cursors"]
            stamp = answer.get("alerts", {}).get("stamp", stamp)
    return {
        "open ms": round(open_ms, 2),
        "refresh ms": round(statistics.median(times), 2),
        "bytes": int(statistics.median(sizes)),
        "gzip": int(statistics.median(packed)),
    }


def _timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    begun = time.perf_counter()
    answer = work()
    return answer, (time.perf_counter() - begun) * 1000
