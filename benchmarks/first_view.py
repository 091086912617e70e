"""The first view of the page in Chromium, cold and warm: bytes over the wire, and seconds until a chart is drawn."""

import statistics
from typing import Any

from benchmarks.bench import Bench, table
from benchmarks.site import Site
from benchmarks.stores import History, opened, settings_of
from benchmarks.visitor import Visitor

ROUNDS = 3
LIMITS = {"cold": {"bytes": 2_400_000, "seconds": 2.5}, "warm": {"bytes": 60_000, "seconds": 2.0}}


def run(bench: Bench) -> dict[str, Any]:
    settings = settings_of(bench, "embedded", "first-view")
    history = History(7, 900)
    visits: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    with opened(settings) as (store, _), Site(settings, bench.folder) as site:
        history.fill(store)
        for _ in range(ROUNDS):
            with Visitor() as visitor:
                visits["cold"].append(_visit(visitor, site.url))
                visitor.page.close()
                visits["warm"].append(_visit(visitor, site.url))
    figures: dict[str, Any] = {"limits": LIMITS}
    rows: list[tuple[str, ...]] = [("first view", "bytes over the wire", "seconds to a drawn chart", "requests")]
    for name, each in visits.items():
        figures[name] = {key: round(statistics.median(visit[key] for visit in each), 2) for key in each[0]}
        rows.append((name, *(f"{value:,}" for value in figures[name].values())))
    print(table(rows))
    return figures


def _visit(visitor: Visitor, url: str) -> dict[str, float]:
    """Open the page; count requests, bytes over the wire (with headers), and seconds until the chart is drawn."""
    received: list[float] = []

    def listen() -> None:
        visitor.devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        visitor.devtools.send("Network.enable")

    visitor.open(url, before=listen)
    seconds = visitor.drawn()
    visitor.page.wait_for_timeout(500)
    return {"bytes": sum(received), "seconds": round(seconds, 2), "requests": len(received)}
