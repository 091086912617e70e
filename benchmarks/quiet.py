"""Five minutes with the page open while the chain runs: no request to other hosts, no error in the console."""

import os
import time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.site import Site, scripts
from benchmarks.visitor import DRAWN, Visitor

SECONDS = float(os.environ.get("TICKFLOW_QUIET_SECONDS", "300"))
INTERVAL_SECONDS = 2.0


def run(bench: Bench) -> dict[str, Any]:
    settings = {
        "STACK": "embedded",
        "EMBEDDED_FILE": str(bench.folder / "quiet.db"),
        "UPDATE_INTERVAL": str(INTERVAL_SECONDS),
    }
    with (
        scripts(("stock_analytics.py", "stock_producer.py"), settings, bench.folder),
        Site(settings, bench.folder) as site,
        Visitor() as visitor,
    ):
        visitor.open(site.url)
        visitor.until(DRAWN)
        begun = time.monotonic()
        while time.monotonic() - begun < SECONDS:
            visitor.page.wait_for_timeout(1_000)
        counts, fresh = visitor.refreshes(), visitor.page.locator("#fresh").inner_text()
    result = {
        "seconds": SECONDS,
        "refreshes": counts["answered"],
        "failed": counts["failed"],
        "slowest_ms": round(counts["longest"]),
        "fresh": fresh,
        "errors": visitor.errors,
        "elsewhere": visitor.elsewhere,
    }
    print("; ".join(f"{name}: {value}" for name, value in result.items()))
    if visitor.errors or visitor.elsewhere or counts["failed"] or not fresh.startswith("live"):
        raise RuntimeError("the page was not quiet")
    return result
