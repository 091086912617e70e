"""Warnings about the records that a worker reads: refused ones, expired ones, times without a zone.

Each kind is logged at its first occurrence, with the most common cause and what to do, then at most every ten seconds.
The worker's status has the same sentences, for the page.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from tickflow.metrics.points import Points
from tickflow.store.base import Written
from tickflow.ticks.cures import advice
from tickflow.ticks.tick import TickBatch
from tickflow.worker.report import counted

SAY_EVERY_SECONDS = 10.0
LASTING_SECONDS = 60.0
"""How many seconds the status shows refused and expired records after the last of them."""
SHARE = 0.1
"""The status reports refused records if they are at least this share of the records of the last `LASTING_SECONDS`;
fewer are just a few odd records.
"""
SOURCES = 1_000
"""How many sources whose times have no zone are remembered: a feed may name any number of sources."""
SHOWN_SOURCES = 5

logger = logging.getLogger("tickflow.worker")


class Notices:
    """The warnings of one worker; `clock` is monotonic, in seconds. `letters` is the name of its dead-letter topic."""

    def __init__(self, letters: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._letters = letters
        self._clock = clock
        self._naive: dict[str, float] = {}
        self._refused: Counter[str] = Counter()
        self._refused_said = self._expired_said = -SAY_EVERY_SECONDS
        self._taken: deque[tuple[float, int, Counter[str]]] = deque()
        self._accepted = False
        self._split = 0
        self._split_words = ""
        self._split_said = -SAY_EVERY_SECONDS
        self._expired = 0
        self._expired_words = ""
        self._expired_at = -LASTING_SECONDS

    def naive(self, ticks: TickBatch, begin: int) -> None:
        """For the ticks starting at index `begin`, log once per source that its times have no zone."""
        if len(self._naive) >= SOURCES:
            return
        found = {source for source, naive in zip(ticks.sources[begin:], ticks.naive[begin:], strict=True) if naive}
        for source in sorted(found - self._naive.keys()):
            self._naive[source] = self._clock()
            logger.warning(
                "times of the source %s come without a zone and are taken as UTC; if they are local times, they are "
                "hours off: send Z or an offset such as -05:00 (logged once per source)",
                source,
            )

    def split(self, partition: int, symbols: Mapping[str, int]) -> None:
        """Record the symbols of the partition that also occur in another partition; `symbols` maps each to that other
        partition.
        """
        if not symbols:
            return
        if not self._split:
            symbol, other = next(iter(symbols.items()))
            self._split_words = f"such as {symbol} in {other} and {partition}"
        self._split += len(symbols)
        self.speak()

    def took(self, accepted: int, reasons: Iterable[str]) -> None:
        """Record the outcome of a batch: the number of ticks, and the reason of each refusal."""
        refused = Counter(map(str, reasons))
        if accepted or refused:
            self._accepted = self._accepted or accepted > 0
            self._refused += refused
            self._taken.append((self._clock(), accepted, refused))
        self.speak()

    def expired(self, points: Points, written: Written) -> None:
        """Record that the store dropped some of these points, which lie outside its retention."""
        oldest, newest = (_moment(int(each)) for each in (points.time_ns.min(), points.time_ns.max()))
        self._expired += written.expired
        self._expired_at = self._clock()
        self._expired_words = (
            f"dropped as too old, of a batch from {oldest} to {newest}: "
            f"{written.kept}. Use a bucket that keeps points longer (INFLUXDB_BUCKET), or lengthen its retention."
        )
        self.speak()

    def speak(self) -> None:
        """Log what is due."""
        now = self._clock()
        if self._refused and now - self._refused_said >= SAY_EVERY_SECONDS:
            self._refused_said = now
            logger.warning("%s", self._refusals(self._refused, 0 if self._accepted else self._refused.total()))
            self._refused.clear()
        if self._split and now - self._split_said >= SAY_EVERY_SECONDS:
            self._split_said = now
            logger.warning(
                "%s ticks in more than one partition, %s: each partition averages over a part of them. Their producers "
                "place keys by another rule (librdkafka needs partitioner=murmur2_random), or the topic was given more "
                "partitions",
                *(f"{counted(self._split, 'symbol')} {'has' if self._split == 1 else 'have'}", self._split_words),
            )
            self._split = 0
        if self._expired and now - self._expired_said >= SAY_EVERY_SECONDS:
            self._expired_said = now
            logger.warning("%s %s", counted(self._expired, "tick"), self._expired_words)
            self._expired = 0

    def sentence(self) -> str:
        """The sentence for the status; empty while few or no records of the last minute were refused or expired."""
        now = self._clock()
        while self._taken and now - self._taken[0][0] > LASTING_SECONDS and (self._accepted or len(self._taken) > 1):
            self._taken.popleft()
        refused: Counter[str] = sum((each for _, _, each in self._taken), Counter())
        total = refused.total() + sum(accepted for _, accepted, _ in self._taken)
        parts = []
        if refused and refused.total() >= SHARE * total:
            parts.append(self._refusals(refused, total))
        if now - self._expired_at < LASTING_SECONDS:
            parts.append(f"Ticks are {self._expired_words}")
        if naive := [source for source, at in self._naive.items() if now - at < LASTING_SECONDS][:SHOWN_SOURCES]:
            parts.append(
                f"Times of {', '.join(naive)} come without a zone and are taken as UTC: local times are hours off."
            )
        return " ".join(parts)

    def _refusals(self, refused: Counter[str], total: int) -> str:
        most = refused.most_common(1)[0][0]
        of_all = f"all {counted(total, 'record')}" if total == refused.total() and total > 1 else ""
        of_some = f"{refused.total():,} of {counted(total, 'record')}" if total else counted(refused.total(), "record")
        named = ", ".join(f"{reason} {count:,}" for reason, count in refused.most_common(3))
        more = f" and {len(refused) - 3} more reasons" if len(refused) > 3 else ""
        words = f"{of_all or of_some} refused, to {self._letters} ({named}{more})"
        return f"{words}. {advice(most)}".rstrip()


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
