"""Opening a real day in Chromium: this page and that of an earlier version, alternately in one run.

    git worktree add --detach ../earlier COMMIT
    EARLIER=../earlier make bench CASES=earlier

Each version fills its own store from the recorded day, with its own producer and worker.
"""

import os
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.bench import PROJECT, Bench, table
from benchmarks.real_day import SYMBOL, WARM_UP, opening
from benchmarks.site import Site, end, start
from benchmarks.visitor import Visitor
from tests.real_day import DAY

ROUNDS = 9
LOAD_SECONDS = 600.0
SETTLED_SECONDS = 20.0
"""The wait after loading: the worker's store still sorts what came last."""


def run(bench: Bench) -> dict[str, Any]:
    named = os.environ.get("EARLIER", "")
    projects = {"earlier": Path(named).absolute(), "now": PROJECT}
    if not named or not (projects["earlier"] / "stock_dashboard.py").is_file() or not DAY.is_file():
        raise RuntimeError(f"set EARLIER to the checkout of an earlier version; it needs the recorded day {DAY.name}")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in projects}
    with ExitStack() as stack:
        urls = {name: stack.enter_context(_filled(bench, name, project)) for name, project in projects.items()}
        playwright = stack.enter_context(sync_playwright())
        visitors = {name: stack.enter_context(Visitor(playwright=playwright)) for name in projects}
        for number in range(WARM_UP + bench.of(ROUNDS, 1)):
            for name in sorted(projects, reverse=bool(number % 2)):
                found[name].append(opening(visitors[name], f"{urls[name]}?symbol={SYMBOL}&range=1d"))
    figures: dict[str, Any] = {
        name: {key: statistics.median(each[key] for each in visits[WARM_UP:]) for key in visits[0]}
        for name, visits in found.items()
    }
    figures["ratios"] = {
        key: round(
            statistics.median(
                now[key] / before[key]
                for before, now in zip(found["earlier"][WARM_UP:], found["now"][WARM_UP:], strict=True)
            ),
            3,
        )
        for key in figures["now"]
    }
    rows: list[tuple[str, ...]] = [("a real day of SPY, opened by a warm browser", "s", "bytes", "renderer's CPU ms")]
    rows += [(name, *(f"{value:,g}" for value in each.values())) for name, each in figures.items()]
    print(table(rows))
    return figures


@contextmanager
def _filled(bench: Bench, name: str, project: Path) -> Iterator[str]:
    """Fill a store with the day by the scripts of `project`; serve its page during the block, yield the address."""
    file = bench.folder / f"{name}.db"
    settings = {"STACK": "embedded", "EMBEDDED_FILE": str(file)}
    producer = start(
        "stock_producer.py",
        settings | {"SOURCE": "replay", "REPLAY_FILE": str(DAY), "REPLAY_SPEED": "max"},
        bench.folder,
        project,
    )
    producer.communicate(timeout=LOAD_SECONDS)
    worker = start("stock_analytics.py", settings, bench.folder, project)
    try:
        deadline = time.monotonic() + LOAD_SECONDS
        while _behind(file):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{project}: the worker did not store the day")
            time.sleep(0.5)
        time.sleep(SETTLED_SECONDS)
        with Site(settings, bench.folder, project) as site:
            yield site.url
    finally:
        end(worker)


def _behind(file: Path) -> bool:
    """Whether the embedded file has ticks that the worker has not committed yet."""
    with closing(sqlite3.connect(file)) as connection:
        (end_,) = connection.execute("SELECT next FROM log_topics WHERE name = 'stock-ticks'").fetchone()
        (committed,) = connection.execute("SELECT max(offset) FROM log_commits WHERE topic = 'stock-ticks'").fetchone()
    return committed is None or committed < end_
