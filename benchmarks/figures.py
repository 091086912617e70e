"""The figures that a measured program prints as one JSON line."""

import json
import resource
import time
from pathlib import Path


class Figures:
    """Measures wall time and CPU time of this process, from `begin` to `end`."""

    def __init__(self) -> None:
        self.begun_at = 0.0
        self._cpu = 0.0
        self._values: dict[str, float] = {}

    @property
    def begun(self) -> bool:
        return self.begun_at > 0

    def begin(self) -> None:
        self.begun_at = time.monotonic()
        self._cpu = _cpu_seconds()

    def end(self, ticks: int) -> None:
        seconds = time.monotonic() - self.begun_at
        self._values = {
            "ticks": ticks,
            "seconds": seconds,
            "ticks_per_s": ticks / seconds,
            "cpu_us_per_tick": (_cpu_seconds() - self._cpu) / ticks * 1e6,
            "peak_mb": peak_mb(),
            "begun_at": self.begun_at,
            "ended_at": self.begun_at + seconds,
        }

    def to_json(self, **more: float) -> str:
        return json.dumps({name: round(value, 3) for name, value in (self._values | more).items()})


def peak_mb() -> float:
    """The peak resident memory of this process."""
    # Not ru_maxrss, which starts at the size of the parent process.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
