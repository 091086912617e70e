"""Finds out whether the store would drop a whole replay because all its ticks lie outside the store's retention."""

from collections.abc import Callable
from datetime import UTC, datetime

from tickflow.errors import SourceError
from tickflow.sources.base import Source
from tickflow.ticks.tick import epoch_us

MOST_TICKS = 5_000_000
"""After this many expired ticks the whole replay counts as expired; reading them takes about half a minute."""


def expired(source: Source, keeps: Callable[[int], bool]) -> str:
    """A warning if the store would keep none of the source's ticks, else an empty string. The source must not wait.

    `keeps` says whether the store keeps a point with a given time, in ns since 1970. One tick that the store keeps ends
    the search.
    """
    looked, oldest, newest = 0, 0, 0
    try:
        for batch in source.batches(lambda _: False):
            times = [epoch_us(tick.timestamp) for tick in batch]
            if not times:
                continue
            if keeps(max(times) * 1000):
                return ""
            oldest = min(times) if not looked else min(oldest, *times)
            newest = max(newest, *times)
            looked += len(times)
            if looked >= MOST_TICKS:
                break
    except SourceError:  # rows were refused: the replay itself will report them
        pass
    if not looked:
        return ""
    span = " to ".join(datetime.fromtimestamp(each // 1_000_000, UTC).strftime("%Y-%m-%d") for each in (oldest, newest))
    return f"all {looked:,} ticks, of {span}"
