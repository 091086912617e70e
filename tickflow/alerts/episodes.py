"""Episodes: one alert per run of flags of the same symbol and detector, in event time.

An episode opens with its first flag and closes after 60 s of the symbol's event time without a flag. Its alert is
repeated only if the score has grown by half and also exceeds the threshold that follows the budget. Whether the move
lasted is decided 60 s after the opening. All of this depends only on the symbol's own ticks, so a replay has the same
result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from tickflow.alerts import budget as budgets
from tickflow.alerts.alert import Alert
from tickflow.alerts.budget import Budget, Followed
from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.logarithm import exp

CLOSED_AFTER_US = 60_000_000
JUDGED_AFTER_US = 60_000_000
GROWN = 1.5
BAR_FALLS = 0.02
LASTS = 0.5
"""A move has lasted if at least this share of it remains after `JUDGED_AFTER_US`."""


class Flag(NamedTuple):
    """A tick with a score: its index among the symbol's ticks in the batch, and what the detector found."""

    at: int
    detector: str
    score: float
    direction: int
    price: float
    reference: float
    time_ns: int
    offset: int
    volume_excess: float | None
    """The logarithm of the volume ratio."""
    fixed: float | None = None
    """The threshold, if a user's rule raised the flag: such a threshold follows no budget, and a repetition does not
    need a higher score.
    """
    held_us: int = 0
    within_us: int = 0


class Open(msgspec.Struct):
    """An episode that is open, or that still waits for the decision whether its move lasted. A detector's flags belong
    to it if they score above `bar`; a rule's flags always do.
    """

    alert: Alert
    bar: float
    last_us: int
    opened_us: int
    is_open: bool = True


@dataclass(slots=True)
class Watched:
    """A symbol that has raised an alert: its thresholds by detector, and its episodes."""

    followed: dict[str, Followed] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)

    @property
    def due_us(self) -> int | None:
        """The event time of the next decision: whether an episode has ended, or whether a move lasted. `None` if none
        is due.
        """
        due_us = None
        for each in self.open:
            if each.is_open and (due_us is None or each.last_us + CLOSED_AFTER_US < due_us):
                due_us = each.last_us + CLOSED_AFTER_US
            if (due_us is None or each.opened_us + JUDGED_AFTER_US < due_us) and _is_unjudged(each):
                due_us = each.opened_us + JUDGED_AFTER_US
        return due_us


class Stretch(NamedTuple):
    """A symbol's ticks in one batch: its name, event times that never decrease, prices, and the previous price.

    `counted` is the number of the symbol's ticks before the batch, `begun_us` the time of its first tick ever.
    """

    symbol: str
    time_us: Ints
    price: Floats
    price_before: float
    counted: int
    begun_us: int


class Episodes:
    """The episodes of one partition. `thresholds` are the calibrated thresholds, by (detector, symbol)."""

    def __init__(
        self,
        partition: int,
        budget: Budget,
        *,
        follows: bool = True,
        thresholds: Mapping[tuple[str, str], float] | None = None,
    ) -> None:
        self.partition = partition
        self.budget = budget
        self.follows = follows
        self.thresholds = thresholds or {}
        self.watched: dict[str, Watched] = {}
        self._bars: dict[tuple[str, str], tuple[int, float]] = {}
        self._bars_last = int(BAR_FALLS / (budgets.GAIN * budget.rate) * (1 if budget.per_tick else budgets.DAY_US))
        """The budget time in which a bar falls by `BAR_FALLS`, in logarithms."""

    def bar(self, symbol: str, detector: str, end: int, begun_us: int) -> float:
        """A score that a flag must exceed to matter at any time up to `end`, which is in budget time and never
        decreases.

        `begun_us` is the time of the symbol's first tick. The threshold falls with time unless an alert raises it, so
        the bar of a later time is also one: it is kept until that time, and lies at most 2 % below the bar of `end`.
        """
        until, bar = self._bars.get((symbol, detector), (-1, 0.0))
        if end > until:
            watched = self.watched.get(symbol)
            until = end + self._bars_last
            bars = [exp(self._threshold(symbol, detector, until, begun_us, watched).q)]
            if watched:
                bars += [each.bar for each in watched.open if each.alert.detector == detector]
            bar = min(bars)
            self._bars[symbol, detector] = until, bar
        return bar

    def is_due(self, symbol: str, time_us: int) -> bool:
        """Whether a decision about a symbol is due by an event time, even if none of its ticks is flagged."""
        watched = self.watched.get(symbol)
        due_us = watched.due_us if watched else None
        return due_us is not None and due_us <= time_us

    def take(self, stretch: Stretch, flags: list[Flag]) -> list[Alert]:
        """Process a symbol's ticks and its flags (in order); return each new or changed alert in its current form."""
        watched = self.watched.get(stretch.symbol)
        if watched is None:
            if not flags:
                return []
            watched = Watched()
        changed: dict[tuple[str, int], Alert] = {}
        last_us = int(stretch.time_us[-1])
        at = 0
        while True:
            due_us = watched.due_us
            due = len(stretch.time_us)
            if due_us is not None and due_us <= last_us:
                due = int(np.searchsorted(stretch.time_us, due_us))
            if due < len(stretch.time_us) and (at == len(flags) or due <= flags[at].at):
                self._decide(watched, stretch, due, changed)
            elif at < len(flags):
                self._flagged(watched, stretch, flags[at], changed)
                at += 1
            else:
                break
        if watched.followed or watched.open:
            self.watched[stretch.symbol] = watched
        return list(changed.values())

    def _decide(self, watched: Watched, stretch: Stretch, at: int, changed: dict[tuple[str, int], Alert]) -> None:
        now_us = int(stretch.time_us[at])
        before = float(stretch.price[at - 1]) if at else stretch.price_before
        for each in watched.open:
            alert = each.alert
            if _is_unjudged(each) and now_us >= each.opened_us + JUDGED_AFTER_US:
                whole = alert.price - alert.reference
                alert = msgspec.structs.replace(alert, lasted=(before - alert.reference) / whole >= LASTS)
            if each.is_open and now_us >= each.last_us + CLOSED_AFTER_US:
                each.is_open = False
                alert = msgspec.structs.replace(alert, closed=(each.last_us + CLOSED_AFTER_US) * 1000)
            if alert is not each.alert:
                each.alert = changed[alert.detector, alert.time_ns] = alert
        watched.open = [each for each in watched.open if each.is_open or _is_unjudged(each)]

    def _flagged(self, watched: Watched, stretch: Stretch, flag: Flag, changed: dict[tuple[str, int], Alert]) -> None:
        now_us = int(stretch.time_us[flag.at])
        now = stretch.counted + flag.at if self.budget.per_tick else now_us
        running = next((each for each in watched.open if each.is_open and each.alert.detector == flag.detector), None)
        if running is not None:
            # The flags of a user's rule all belong to it: below a limit, their values do not exceed it.
            if flag.fixed is None and not flag.score > running.bar:
                return
            running.last_us = now_us
            alert = msgspec.structs.replace(running.alert, ticks=running.alert.ticks + 1)
            if flag.fixed is None and flag.score >= GROWN * alert.score:
                followed = self._threshold(stretch.symbol, flag.detector, now, stretch.begun_us, watched)
                if budgets.exceeds(flag.score, followed):
                    self._follow(watched, flag.detector, followed)
                    alert = msgspec.structs.replace(
                        alert, score=flag.score, threshold=exp(followed.q), said=alert.said + 1
                    )
            running.alert = changed[alert.detector, alert.time_ns] = alert
            return
        if flag.fixed is None:
            followed = self._threshold(stretch.symbol, flag.detector, now, stretch.begun_us, watched)
            if not budgets.exceeds(flag.score, followed):
                return
            bar = exp(followed.q)
            self._follow(watched, flag.detector, followed)
        else:
            bar = flag.fixed
        alert = Alert(
            symbol=stretch.symbol,
            detector=flag.detector,
            time_ns=flag.time_ns,
            score=flag.score,
            threshold=bar,
            price=flag.price,
            reference=flag.reference,
            move_percent=(flag.price / flag.reference - 1.0) * 100.0 if flag.reference > 0 else 0.0,
            direction=flag.direction,
            opened=now_us * 1000,
            partition=self.partition,
            offset=flag.offset,
            budget=None if flag.fixed is not None else self.budget.rate,
            volume_ratio=None if flag.volume_excess is None else exp(flag.volume_excess),
            held_us=flag.held_us,
            within_us=flag.within_us,
        )
        watched.open.append(Open(alert, bar, now_us, now_us))
        changed[alert.detector, alert.time_ns] = alert

    def _threshold(self, symbol: str, detector: str, now: int, begun_us: int, watched: Watched | None) -> Followed:
        known = watched.followed.get(detector) if watched else None
        floor = budgets.floor_of(detector)
        if known is None:
            begun = 0 if self.budget.per_tick else begun_us
            known = budgets.start(begun, self.thresholds.get((detector, symbol), budgets.START), floor)
            if not self.follows:
                return known
        return budgets.threshold_at(known, now, self.budget, floor)

    def _follow(self, watched: Watched, detector: str, followed: Followed) -> None:
        if self.follows:
            watched.followed[detector] = budgets.raised(followed)


def _is_unjudged(each: Open) -> bool:
    """Whether the episode still waits for the decision whether its move lasted; a bad print is not a move, and neither
    is a price at the very limit of a rule.
    """
    alert = each.alert
    is_move = alert.direction != 0 and alert.price != alert.reference and alert.detector != "bad_print"
    return alert.lasted is None and is_move
