"""A process with many threads allocates from few arenas."""

import os
import subprocess
import sys

import pytest

ARENA_BYTES = 64 * 2**20
PROGRAM = f"""
import threading
import numpy as np
from tickflow import arenas
if LIMITED:
    assert arenas.limit()
meeting = threading.Barrier(9)

def hold():
    meeting.wait()
    kept = [np.ones(1_000) for _ in range(100)]
    meeting.wait()
    meeting.wait()

for _ in range(8):
    threading.Thread(target=hold).start()
meeting.wait()
meeting.wait()
with open("/proc/self/maps") as maps:
    regions = [line.split() for line in maps]
begins = [int(region[0].partition("-")[0], 16) for region in regions if len(region) == 5 and region[1] == "rw-p"]
print(sum(begin % {ARENA_BYTES} == 0 for begin in begins))
meeting.wait()
"""
"""Prints how many arenas besides the first there are: each begins at a multiple of its largest size."""


def arenas_of(*, is_limited: bool, **environment: str) -> int:
    """The arenas of a process whose eight threads allocate at the same time."""
    program = PROGRAM.replace("LIMITED", str(is_limited))
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC", "GLIBC"))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=others | environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(
    not (sys.platform == "linux" and "CS_GNU_LIBC_VERSION" in os.confstr_names), reason="only glibc has such arenas"
)
def test_threads_share_few_arenas() -> None:
    assert arenas_of(is_limited=False) >= 4, "without the limit this test has nothing to show"
    assert arenas_of(is_limited=True) <= 1
