"""A replay that readers steer: what its producer reports, and which moment the page therefore shows.

The state comes from the store only, so several readers and several dashboards see the same.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tickflow.alerts.alert import Alert
from tickflow.dashboard.as_of import AsOf
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.queries.alerts import Board
from tickflow.dashboard.queries.background import Background
from tickflow.errors import StoreError
from tickflow.store.alerts import AlertStore
from tickflow.store.base import MetricsStore
from tickflow.store.steering import JUMP, Command, KeptCommand, ReplayState, SteeringStore

EVERY_SECONDS = 0.5
"""How often the state is read at most, for all readers."""
RARELY_SECONDS = 5.0
"""How often it is read while no producer has reported."""
GONE_AFTER_SECONDS = 5.0
"""A producer reports every second; one that has not done so for this long is gone."""
FORGOTTEN_AFTER_SECONDS = 600.0
"""The page stops saying that a producer is gone this long after its last report."""

Told = dict[str, Any]


class Steered:
    """The newest state of a steered replay. Thread-safe. `now_ns` is the wall clock, in ns since 1970."""

    def __init__(
        self,
        store: SteeringStore,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._state: ReplayState | None = None
        self._asked = float("-inf")

    def state(self) -> ReplayState | None:
        """The newest report, unless it is forgotten; while the store does not answer, the last one that was read."""
        if self._lock.acquire(blocking=False):  # otherwise another request reads: a slow store delays only that one
            try:
                wait = RARELY_SECONDS if self._state is None else EVERY_SECONDS
                if self._monotonic() - self._asked >= wait:
                    self._asked = self._monotonic()
                    self._state = self._store.state()
            except StoreError:  # every refresh fails with the same error, and reports it
                return self._state
            finally:
                self._lock.release()
        state = self._state
        return None if state is None or self._age(state) > FORGOTTEN_AFTER_SECONDS else state

    def moment(self) -> tuple[int, str] | None:
        """While a producer reports that its replay was moved back: the moment that the page shows, in ns, and the jump
        that led there.
        """
        state = self.state()
        if state is None or not state.rewound or self._is_gone(state):
            return None
        return state.position_us * 1000, _turn(state)

    def told(self) -> Told | None:
        """The state for the browser; `None` without a steered producer. Times are in ms of the exchange's clock."""
        state = self.state()
        if state is None:
            return None
        position, begin = clock.wall_ms(np.array([state.position_us, state.begin_us], dtype=np.int64) * 1000).tolist()
        return {
            "run": state.run,
            "turn": _turn(state),
            "position_ms": position,
            "begin_ms": begin,
            "end_ms": float(clock.wall_ms(np.array([state.end_us * 1000]))[0]) if state.end_us else None,
            "speed": state.speed,
            "paused": state.paused,
            "ended": state.ended,
            "rewound": state.rewound,
            "executed": state.executed,
            "gone": self._is_gone(state),
            "stopped": state.stopped,
            "age_s": round(self._age(state), 1),
        }

    def ask(self, run: str, act: str, value: float, person: str) -> str:
        """Store a reader's command for the run; return the command's id. The `value` of a jump is in ms of the
        exchange's clock. Raises `StoreError`.
        """
        command = Command(JUMP, max(0, clock.utc_ns(value) // 1000)) if act == JUMP else Command(act, value)
        kept = KeptCommand(run, uuid.uuid4().hex[:16], command, self._now_ns(), person)
        self._store.ask(kept)
        self._asked = float("-inf")
        return kept.id

    def _age(self, state: ReplayState) -> float:
        return max(0.0, (self._now_ns() - state.written_ns) / 1e9)

    def _is_gone(self, state: ReplayState) -> bool:
        return state.stopped or self._age(state) > GONE_AFTER_SECONDS


def _turn(state: ReplayState) -> str:
    return f"{state.run}:{state.turns}"


class Before(AlertStore):
    """The alerts of `store` before a moment, in ns since 1970, which may move forward."""

    def __init__(self, store: AlertStore) -> None:
        self.where = store.where
        self.moment_ns = 0
        self._store = store

    def write(self, alerts: Sequence[Alert]) -> None:
        """See `AlertStore.write`."""
        self._store.write(alerts)

    def mark_notified(self, alerts: Sequence[Alert], *, sent: bool = True) -> None:
        """See `AlertStore.mark_notified`."""
        self._store.mark_notified(alerts, sent=sent)

    def alerts(
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        """See `AlertStore.alerts`."""
        end = self.moment_ns if until_ns is None else min(until_ns, self.moment_ns)
        return self._store.alerts(since_ns, end, count, symbols)

    def close(self) -> None:
        """See `AlertStore.close`."""
        self._store.close()


class Lists:
    """The list of alerts, and the slow queries, that belong to a store: those of the present or, while a replay is
    moved back, those of the moment shown. Each jump back starts new ones.

    `make` makes a list of alerts, for the present (`None`) or for the alerts before a moment.
    """

    def __init__(self, make: Callable[[Before | None], Board], alerts: AlertStore | None) -> None:
        self._make = make
        self._alerts = alerts
        self.present = make(None)
        self._background = Background()
        self._lock = threading.Lock()
        self._past: tuple[str, Board, Background, Before | None] | None = None

    def of(self, store: MetricsStore) -> tuple[Board, Background]:
        """The list and the queries for this store."""
        if not isinstance(store, AsOf):
            return self.present, self._background
        with self._lock:
            if self._past is None or self._past[0] != store.turn:
                before = None if self._alerts is None else Before(self._alerts)
                self._past = (store.turn, self._make(before), Background(), before)
            _, board, background, before = self._past
            if before is not None:
                before.moment_ns = max(before.moment_ns, store.moment_ns)
        return board, background
