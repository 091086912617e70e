"""Episodes of anomalies, newest first, and who has seen them: the content of the list of alerts.

An episode is a run of consecutive flagged ticks of one symbol. It is identified by (symbol, partition, offset of its
first tick), and grows until a tick of its symbol is not flagged.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tickflow.alerts.mutes import Mute
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.queries.deltas import OVERLAP_NS
from tickflow.dashboard.queries.worth import Worth
from tickflow.errors import StoreError
from tickflow.metrics.points import Points
from tickflow.store.acks import Ack, AckStore
from tickflow.store.base import DAY_NS, PageQueries
from tickflow.ticks.tick import is_symbol

MAX_TICKS = 1_000
"""The maximum number of flagged ticks that one read returns; the newest are read first."""
MAX_TAKEN = 20_000
MANY = 3_000
"""With more symbols than this, a read of all symbols takes longer than a reader would wait."""
MAX_EPISODES = 200
ACKS_SECONDS = 2.0
"""Seconds between two reads of the acknowledgements that other dashboards have saved."""

Key = tuple[str, int, int]


@dataclass(slots=True)
class Episode:
    """One episode, with the evidence of its strongest tick. `stamp` grows whenever anything in it changes.

    `wall_ms` is its start on the exchange's clock; it is computed on first use.
    """

    symbol: str
    partition: int
    first_offset: int
    start_ns: int
    last_ns: int
    ticks: int = 0
    stamp: int = 0
    acked: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)
    wall_ms: float | None = None

    @property
    def key(self) -> Key:
        """The identity of the episode."""
        return self.symbol, self.partition, self.first_offset

    def take(self, points: Points, at: int) -> None:
        """Add the next flagged tick."""
        self.ticks += 1
        self.last_ns = int(points.time_ns[at])
        z_score = float(points.z_score[at])
        if self.evidence and not z_score > self.evidence["z"]:
            return
        price, average, volume = float(points.price[at]), float(points.ma_10[at]), float(points.vol_avg_10[at])
        self.evidence = {
            "high": price >= average,
            "z": _known(z_score, 2),
            "price": price,
            "ma10": _known(average, 10),
            "volatility": _known(float(points.volatility[at]), 10),
            "volume_ratio": _known(float(points.volume[at]) / volume, 2) if volume > 0 else None,
            "offset": int(points.offset[at]),
        }

    def ack(self, now_ns: int) -> Ack:
        """The acknowledgement of this episode at the time `now_ns`."""
        return Ack(self.symbol, self.partition, self.first_offset, self.start_ns, now_ns)

    def as_row(self) -> dict[str, Any]:
        """The episode for the browser."""
        return {
            "key": list(self.key),
            "start_us": self.start_ns // 1000,
            "wall_ms": self._wall(),
            "ticks": self.ticks,
            "acked": self.acked,
            **self.evidence,
        }

    def _wall(self) -> float:
        if self.wall_ms is None:
            self.wall_ms = float(clock.wall_ms(np.array([self.start_ns], dtype=np.int64))[0])
        return self.wall_ms


class Board:
    """The newest episodes of all symbols: read once for all readers, whenever the store has new points.

    Thread-safe. Its content comes from the stores only, so that several dashboards show the same.
    """

    def __init__(
        self, acks: AckStore, worth: Worth | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.worth_trouble = ""
        """Why stored alerts or mutes cannot be read, as a sentence; empty if they can."""
        self.trouble = ""
        """Why acknowledgements cannot be read, as a sentence; empty if they can."""
        self._acks = acks
        self._worth = worth
        self._worth_stamp = 0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # random, so that a stamp that a browser keeps from a different board is recognised
        self._first = int.from_bytes(os.urandom(5))
        self._stamp = self._first
        self._episodes: dict[Key, Episode] = {}
        self._last: dict[str, Episode] = {}
        self._taken: dict[tuple[str, int], None] = {}  # (symbol, time) of each flagged tick, oldest entry first
        self._newest: dict[str, int] = {}
        self._asked_acks = float("-inf")

    def look(self, store: PageQueries, latest: Points, now_ns: int = 0) -> None:
        """Read the episodes that are new since the last call; `latest` has each symbol's newest point. Raises
        `StoreError`.
        """
        if not self._lock.acquire(blocking=False):
            return  # another reader's refresh is already reading
        try:
            self._take(store, latest)
            if self._monotonic() - self._asked_acks >= ACKS_SECONDS:
                self._asked_acks = self._monotonic()
                self._read_acks()
            if self._worth is not None and self._worth.look(store, latest, now_ns):
                self._worth_stamp = self._stamp + 1
                self._stamp = self._worth_stamp
            self.worth_trouble = "" if self._worth is None else self._worth.trouble
        finally:
            self._lock.release()

    def since(self, stamp: object) -> dict[str, Any] | None:
        """What changed after `stamp`, or `None` if nothing did. For a stamp from a different board, everything is
        returned.
        """
        now = self._stamp  # read before the episodes: a concurrent change is then returned again
        known = stamp if isinstance(stamp, int) and self._first <= stamp <= now else None
        if known == now:
            return None
        episodes = sorted(self._episodes.values(), key=lambda each: (-each.start_ns, each.key))
        changed = [each.as_row() for each in episodes if known is None or each.stamp > known]
        answer = {"stamp": now, "whole": known is None, "episodes": changed}
        if self._worth is not None and (known is None or self._worth_stamp > known):
            answer["worth"] = self._worth.told
        return answer

    def mute(self, mute: Mute | None, undone: str, now_ns: int) -> None:
        """Store a mute, or end the mute whose id is `undone`. Raises `StoreError`."""
        if self._worth is None:
            return
        with self._lock:
            if mute is not None:
                self._worth.mute(mute, now_ns)
            if undone:
                self._worth.undo(undone)

    def acknowledge(self, keys: object, now_ns: int) -> None:
        """Save that the episodes with these keys have been seen; keys of unknown episodes are left out.

        Raises `StoreError`.
        """
        with self._lock:
            chosen = self._chosen(keys)
            self._acks.acknowledge([each.ack(now_ns) for each in chosen])
            self._mark(chosen)
            self.trouble = ""

    def withdraw(self, keys: object) -> None:
        """Withdraw the acknowledgement of the episodes with these keys. Raises `StoreError`."""
        with self._lock:
            chosen = self._chosen(keys)
            self._acks.withdraw([each.ack(0) for each in chosen])
            self._mark(chosen, is_seen=False)
            self.trouble = ""

    def _chosen(self, keys: object) -> list[Episode]:
        return [self._episodes[key] for key in _keys(keys) if key in self._episodes]

    def _take(self, store: PageQueries, latest: Points) -> None:
        newest = dict(zip(latest.symbol, latest.time_ns.tolist(), strict=True))
        changed = [symbol for symbol, time_ns in newest.items() if self._newest.get(symbol) != time_ns]
        if not changed:
            return
        begin = max(newest.values()) - DAY_NS
        since = min(self._newest.get(symbol, begin) for symbol in changed) - OVERLAP_NS
        is_whole = len(changed) == len(newest) < MANY  # with MANY or more, the store may have further symbols
        points = store.anomalies(since, MAX_TICKS, None if is_whole else changed)
        moments = list(zip(points.symbol, points.time_ns.tolist(), strict=True))
        fresh = [at for at, moment in enumerate(moments) if moment not in self._taken]
        follows = store.preceded([moments[at] for at in fresh])
        self._newest = newest
        if not fresh:
            return
        stamp = self._stamp + 1
        for at, goes_on in zip(fresh, follows, strict=True):
            self._taken[moments[at]] = None
            self._one(points, at, goes_on, stamp)
        self._forget()
        self._stamp = stamp  # set last: a reader who sees this stamp must find every change up to it

    def _one(self, points: Points, at: int, goes_on: bool, stamp: int) -> None:
        symbol, partition, offset = points.symbol[at], int(points.partition[at]), int(points.offset[at])
        episode = self._last.get(symbol) if goes_on else None
        if episode is None or episode.partition != partition:
            if goes_on and episode is None:
                return  # the episode began before the rows that were read, so its key is unknown
            time_ns = int(points.time_ns[at])
            episode = Episode(symbol, partition, offset, time_ns, time_ns)
            self._episodes[episode.key] = self._last[symbol] = episode
        episode.take(points, at)
        episode.stamp = stamp

    def _forget(self) -> None:
        surplus = len(self._episodes) - MAX_EPISODES
        if surplus > 0:
            for each in sorted(self._episodes.values(), key=lambda each: each.start_ns)[:surplus]:
                del self._episodes[each.key]

        for moment in list(itertools.islice(self._taken, max(0, len(self._taken) - MAX_TAKEN))):
            del self._taken[moment]

    def _read_acks(self) -> None:
        if not self._episodes:
            self.trouble = ""  # there is no episode to acknowledge
            return
        try:
            known = {
                (ack.symbol, ack.partition, ack.first_offset, ack.time_ns)
                for ack in self._acks.acknowledged(min(each.start_ns for each in self._episodes.values()))
            }
        except StoreError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        for is_seen in (True, False):  # readers of another dashboard may have marked some, or withdrawn marks
            others = [each for each in self._episodes.values() if each.acked != is_seen]
            self._mark([each for each in others if ((*each.key, each.start_ns) in known) == is_seen], is_seen=is_seen)

    def _mark(self, episodes: Sequence[Episode], *, is_seen: bool = True) -> None:
        stamp = self._stamp + 1
        for each in episodes:
            each.acked, each.stamp = is_seen, stamp
        self._stamp = stamp if episodes else self._stamp


def _keys(asked: object) -> list[Key]:
    """The items of a browser's request that have the form of keys."""
    if not isinstance(asked, list):
        return []
    return [
        (key[0], key[1], key[2])
        for key in asked[:MAX_EPISODES]
        if isinstance(key, list) and len(key) == 3
        if isinstance(key[0], str) and is_symbol(key[0]) and isinstance(key[1], int) and isinstance(key[2], int)
    ]


def _known(value: float, places: int) -> float | None:
    return None if value != value else round(value, places)
