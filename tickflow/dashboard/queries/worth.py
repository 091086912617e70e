"""The alerts of the newest day, strongest first, and the mutes: the part of the list of alerts that is worth reading.

Both come from the store only, so several dashboards show the same. They are read once for all readers, every two
seconds, and sent completely whenever they have changed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from tickflow.alerts.alert import MARKET, MOVE, Alert, sentence
from tickflow.alerts.budget import CAP, Budget
from tickflow.alerts.mutes import Mute, new_id, words
from tickflow.dashboard.drawing import clock
from tickflow.errors import StoreError
from tickflow.metrics.points import Points
from tickflow.sessions import Sessions
from tickflow.store.alerts import AlertStore
from tickflow.store.base import DAY_NS, PageQueries
from tickflow.store.mutes import MuteStore

EVERY_SECONDS = 2.0
SHOWN = 100
HISTORY_DAYS = 30
MOST_READ = 1_000
MOST_MUTES = 50
DETAILS_AT_ONCE = 5
"""The maximum number of new moves per refresh whose duration and holding time are looked up: each needs its own query.
"""
REACH_NS = 300 * 10**9
MINUTE_NS = 60 * 10**9

Story = tuple[int, int]


class Worth:
    """The newest day's alerts and the mutes. Used under the lock of the `Board` that owns it."""

    def __init__(
        self,
        alerts: AlertStore,
        mutes: MuteStore,
        sessions: Sessions,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trouble = ""
        """Why alerts or mutes cannot be read, as a sentence; empty if they can."""
        self.told: dict[str, Any] = {"alerts": [], "mutes": [], "given_up": 0}
        """What the browser receives."""
        self._alerts, self._mutes, self._sessions = alerts, mutes, sessions
        self._monotonic = monotonic
        self._asked = float("-inf")
        self._kept: dict[str, Mute] = {}
        self._stories: dict[tuple[str, str, int], Story] = {}

    def look(self, store: PageQueries, latest: Points, now_ns: int) -> bool:
        """Read what is stored now, at most every two seconds; return whether it changed."""
        if self._monotonic() - self._asked < EVERY_SECONDS:
            return False
        self._asked = self._monotonic()
        try:
            return self._read(store, latest, now_ns)
        except StoreError as error:
            self.trouble = str(error)
            return False

    def mute(self, asked: Mute, now_ns: int) -> None:
        """Store a new mute. Raises `StoreError`."""
        made = replace(asked, id=new_id(), made_ns=now_ns)
        self._mutes.keep(made)
        self._asked = float("-inf")

    def undo(self, number: str) -> None:
        """End the mute with the id `number`, if there is one. Raises `StoreError`."""
        found = self._kept.get(number)
        if found is not None:
            self._mutes.keep(replace(found, undone=True))
            self._asked = float("-inf")

    def _read(self, store: PageQueries, latest: Points, now_ns: int) -> bool:
        newest = int(latest.time_ns.max()) if len(latest) else now_ns
        stored = self._alerts.alerts(newest - HISTORY_DAYS * DAY_NS, count=MOST_READ)
        mutes = [each for each in self._mutes.mutes() if not each.undone and not _is_over(each, now_ns)][-MOST_MUTES:]
        self.trouble = ""
        self._kept = {each.id: each for each in mutes}
        today = _day(newest)
        fresh = sorted((each for each in stored if _day(each.opened) == today), key=strength, reverse=True)[:SHOWN]
        self._look_up(store, fresh)
        told = {
            "alerts": [self._told(each, stored, mutes, now_ns) for each in fresh],
            "mutes": [{"id": each.id, "words": words(each), "by": each.made_by} for each in mutes],
            "given_up": sum(each.notified is False for each in stored if each.opened >= newest - DAY_NS),
        }
        is_news = told != self.told
        self.told = told
        return is_news

    def _look_up(self, store: PageQueries, alerts: Sequence[Alert]) -> None:
        """Compute how long each move took and how long it held, from its ticks, since neither is stored."""
        self._stories = {each.key: self._stories[each.key] for each in alerts if each.key in self._stories}
        missing = [each for each in alerts if each.detector == MOVE and each.symbol != MARKET]
        for each in [each for each in missing if each.key not in self._stories][:DETAILS_AT_ONCE]:
            times = store.points(each.symbol, each.time_ns - REACH_NS, each.time_ns + 1).time_ns // 1000
            self._stories[each.key] = story(times, each.time_ns // 1000)

    def _told(self, alert: Alert, stored: Sequence[Alert], mutes: Sequence[Mute], now_ns: int) -> dict[str, Any]:
        earlier = [
            each
            for each in stored
            if (each.symbol, each.detector) == (alert.symbol, alert.detector) and each.time_ns < alert.time_ns
        ]
        within_us, held_us = self._stories.get(alert.key, (0, 0))
        whole = msgspec.structs.replace(alert, within_us=within_us, held_us=held_us)
        per_tick = alert.budget is not None and Budget(alert.budget).rate < PER_TICK_BELOW
        return {
            "key": [alert.symbol, alert.detector, str(alert.time_ns)],
            "symbol": (alert.members or "").split(",")[0] if alert.symbol == MARKET else alert.symbol,
            "start_us": alert.opened // 1000,
            "wall_ms": float(clock.wall_ms(np.array([alert.opened], dtype=np.int64))[0]),
            "words": sentence(whole, earlier, per_tick=per_tick),
            "direction": alert.direction,
            "price": alert.price,
            "lasted": alert.lasted,
            "muted": any(mute.is_active(now_ns) and mute.covers(alert, self._sessions) for mute in mutes),
        }


PER_TICK_BELOW = 0.01
"""A stored budget below this must be a budget per tick: nobody would wait a hundred days for an alert."""


def strength(alert: Alert) -> tuple[bool, float]:
    """The key that alerts are sorted by: market moves first, then the score. The score of a rule counts as a multiple
    of the rule's limit.
    """
    if alert.budget is None and alert.symbol != MARKET:
        return False, abs(alert.score / alert.threshold) if alert.threshold else 1.0
    return alert.symbol == MARKET, min(alert.score, CAP)


def story(times_us: "np.ndarray[Any, np.dtype[np.int64]]", at_us: int) -> Story:
    """How long a move took and how long it had held at `at_us`, the time of the tick that raised its alert; both in µs.

    A move has held since the traded second before that of its tick, and began in the traded second before that one.

    >>> story(np.array([1_000_000, 2_500_000, 2_900_000, 4_200_000]), 4_200_000)
    (3200000, 2200000)
    """
    seconds = np.unique(times_us[times_us <= at_us] // 1_000_000)
    held_us = at_us - int(seconds[-2]) * 1_000_000 if len(seconds) > 1 else 0
    within_us = at_us - int(seconds[-3]) * 1_000_000 if len(seconds) > 2 else held_us
    return within_us, held_us


def _day(time_ns: int) -> int:
    """The day by the exchange's clock."""
    return int(clock.wall_ms(np.array([time_ns], dtype=np.int64))[0] // 86_400_000)


def _is_over(mute: Mute, now_ns: int) -> bool:
    return bool(mute.until_ns) and mute.until_ns <= now_ns
