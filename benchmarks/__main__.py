"""Measures what the documents claim about performance: `make bench`, or `python -m benchmarks [CASE ...]`.

    contenders one worker compared with programs that others would write for the same task, and with upper bounds
    day        a full day of real trades (388,417) through the whole chain, compared with a recomputation
    page       the page's refreshes with 7 symbols on both stacks, compared with sending whole figures
    overview   refreshes of the overview with 2,000 symbols, and their cost in the browser
    opening    a day of 7 symbols, 604,800 points, opened on both stacks
    viewers    20 pages on one server, on both stacks, compared with sending whole figures
    first-view bytes and seconds until Chromium has drawn a chart, cold and warm
    real-day   the page in Chromium on a real day: opening, wheel, drag, a replay at 60 times its speed, a refresh
    earlier    opening that day by this page and by an earlier version's (EARLIER=its checkout), alternately
    quiet      five minutes of an open page: no request to other hosts, no error
    soak       three hours of an open page in a twentieth of the time: memory of browser and server
    drill      eight faults: how soon metrics, status, log and page report each
    embedded   the embedded stack: the highest rate of the whole chain, and its CPU when little happens
    endurance  half an hour at 5,000 ticks/s: memory, descriptors and threads of all scripts
    knobs      our worker with one setting for high rates changed at a time
    lag        the worker's lag compared with that of klag-exporter, through a restart with 2 million records
    large-file a generated file of 10 GB (or LARGE_GB), replayed: does memory stay flat?
    latency    how long a tick takes until it is stored, at 2,000 and 20,000 per second
    memory     memory per symbol; does the worker's memory stay flat over ten million ticks?
    producing  our producer against a bare loop over kafka-python's, simulated ticks and a replay
    recovery   a worker catching up a million ticks
    restarts   how old the newest data get while one of four workers is restarted or killed
    restore    seconds from a worker's restart to its first point, with 5,000 symbols of which some are quiet
    sharing    two workers of one group against one
    stage      the compute stage alone, from raw bytes to line protocol, compared with the tutorial's script
    storage    bytes per record and per point in Kafka, InfluxDB and the embedded file; a worker's restart
    telemetry  a worker whose metrics are read once a second, against one that serves none
    symbols    5 to 50,000 symbols: CPU per tick, of the worker and of InfluxDB
    malformed  one worker on a topic with half of its ticks malformed, against a clean one
    start      the CPU that each script needs to show its help, to refuse a setting, and to become ready

Runs on real servers, those of `TICKFLOW_TEST_*` or its own. Prints tables, and writes benchmarks/results/CASE.json.
Only ratios within one run mean anything: machines differ, and the same machine differs by the hour.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import (
    contenders,
    day,
    drill,
    earlier,
    embedded,
    endurance,
    first_view,
    knobs,
    lag,
    large_file,
    latency,
    malformed_ratio,
    memory,
    opening,
    overview,
    page,
    producing,
    quiet,
    real_day,
    recovery,
    restarts,
    restore,
    sharing,
    soak,
    stage,
    start,
    storage,
    symbols,
    telemetry,
    viewers,
)
from benchmarks.bench import Bench

CASES = {
    "contenders": contenders.run,
    "day": day.run,
    "page": page.run,
    "overview": overview.run,
    "opening": opening.run,
    "viewers": viewers.run,
    "first-view": first_view.run,
    "real-day": real_day.run,
    "earlier": earlier.run,
    "quiet": quiet.run,
    "soak": soak.run,
    "drill": drill.run,
    "embedded": embedded.run,
    "endurance": endurance.run,
    "knobs": knobs.run,
    "lag": lag.run,
    "large-file": large_file.run,
    "latency": latency.run,
    "malformed": malformed_ratio.run,
    "memory": memory.run,
    "producing": producing.run,
    "recovery": recovery.run,
    "restarts": restarts.run,
    "restore": restore.run,
    "sharing": sharing.run,
    "stage": stage.run,
    "start": start.run,
    "storage": storage.run,
    "symbols": symbols.run,
    "telemetry": telemetry.run,
}
ON_REQUEST = {"drill", "earlier", "endurance", "lag"}
"""Cases that run only if they are named on the command line."""
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="by default all but drill, earlier, endurance and lag")
    parser.add_argument("--short", action="store_true", help="try out the cases: small inputs, and one round")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"unknown case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    print(f"machine: {machine['cores']} cores, Python {machine['python']}")
    with (
        _ended_by_a_signal_as_by_itself(),
        tempfile.TemporaryDirectory(prefix="tickflow-bench-") as folder,
        Bench(Path(folder), short=arguments.short) as bench,
    ):
        for name in arguments.cases or [each for each in CASES if each not in ON_REQUEST]:
            print(f"\n== {name}", flush=True)
            result = CASES[name](bench)
            (RESULTS / f"{name}.json").write_text(
                json.dumps({"machine": machine, "short": arguments.short, **result}, indent=2) + "\n"
            )
    return 0


@contextlib.contextmanager
def _ended_by_a_signal_as_by_itself() -> Iterator[None]:
    """During the block, a SIGTERM ends all that the cases started and deletes temporary files, as Ctrl+C does."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # a further SIGTERM must not interrupt the clean-up
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
