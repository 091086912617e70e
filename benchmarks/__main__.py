"""What the performance claims rest on: `make bench`, or `python -m benchmarks [CASE ...]`.

    day        a full day of real trades (388,417) through the whole chain, equal to a recomputation
    page       the page's refreshes with 7 symbols on both stacks, beside whole figures
    overview   the same with 2,000 symbols in the overview, and what a refresh costs the browser
    opening    a day of 7 symbols, 604,800 points, opened on both stacks
    viewers    20 pages on one server, on both stacks, beside whole figures
    first-view bytes and seconds until Chromium has drawn a chart, cold and warm
    quiet      five minutes of an open page: no request to elsewhere, no error
    soak       three hours of an open page in a twentieth of the time: memory of browser and server
    tutorial   one worker against the consumer that tutorials show, on the same topic, alternating
    malformed  one worker on ticks of which half are malformed, against clean ones, alternating

Real servers, those of `TICKFLOW_TEST_*` or its own. Prints tables, and writes benchmarks/results/CASE.json. Only
ratios within one run mean anything: machines differ, and the same machine differs by the hour.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import day, first_view, malformed_ratio, opening, overview, page, quiet, soak, tutorial_ratio, viewers
from benchmarks.bench import Bench

CASES = {
    "day": day.run,
    "page": page.run,
    "overview": overview.run,
    "opening": opening.run,
    "viewers": viewers.run,
    "first-view": first_view.run,
    "quiet": quiet.run,
    "soak": soak.run,
    "tutorial": tutorial_ratio.run,
    "malformed": malformed_ratio.run,
}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="by default all")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    print(f"machine: {machine['cores']} cores, Python {machine['python']}")
    with tempfile.TemporaryDirectory(prefix="tickflow-bench-") as folder, Bench(Path(folder)) as bench:
        for name in arguments.cases or CASES:
            print(f"\n== {name}", flush=True)
            result = CASES[name](bench)
            (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, **result}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
