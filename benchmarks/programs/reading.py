"""A program to measure: reads a file as ticks, without a log; prints the rate and the memory as one JSON line."""

import json
import math
import sys
import time
from pathlib import Path

from benchmarks.figures import peak_mb
from tickflow.sources.replay import Replay

SAMPLES = 10


def resident_mb() -> float:
    """The resident memory of this process now."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> int:
    path, expected = Path(sys.argv[1]), int(sys.argv[2])
    begun = time.monotonic()
    replay = Replay(path, speed=math.inf)
    ticks, resident = 0, list[float]()
    for batch in replay.batches(lambda _: False):
        ticks += len(batch)
        if ticks * SAMPLES >= expected * (len(resident) + 1):
            resident.append(round(resident_mb(), 1))
    seconds = time.monotonic() - begun
    print(json.dumps({"ticks": ticks, "ticks_per_s": ticks / seconds, "resident_mb": resident, "peak_mb": peak_mb()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
