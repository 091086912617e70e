"""The arenas of the C library's memory: how many pools a process with many threads allocates from.

glibc gives each new thread an arena of its own, up to eight per core. What a thread frees stays in its arena, so each
arena grows to the most that any request of its threads has needed. The page answers with some twenty threads: in a
half-hour soak, its 16 arenas grew by 0.5 MB a minute. Python's lock lets one thread at a time allocate objects, so a
second arena is enough. Source: mallopt(3) of the Linux man-pages, M_ARENA_MAX.
"""

import ctypes
import os

MOST_ARENAS = 2
_M_ARENA_MAX = -8
_OF_THE_USER = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


def limit() -> bool:
    """Use at most `MOST_ARENAS` from now on; return whether the C library does. Other C libraries have no arenas, and a
    limit that the environment sets (MALLOC_ARENA_MAX, GLIBC_TUNABLES) stays.
    """
    if any(name in os.environ for name in _OF_THE_USER):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; on Windows, CDLL takes no `None`
        return False
    return bool(mallopt(_M_ARENA_MAX, MOST_ARENAS))
