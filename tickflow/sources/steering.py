"""Connects a steered replay with the store: passes the readers' commands to the replay, and reports its state."""

import logging
import threading
import time
import uuid
from collections.abc import Callable

import msgspec

from tickflow.backoff import Saying
from tickflow.errors import Stopped, StoreError
from tickflow.sources.pace import Pace
from tickflow.store.steering import ReplayState, SteeringStore

LOOK_SECONDS = 0.25
"""The time between two looks for commands."""
REPORT_SECONDS = 1.0
"""The longest time between two reports; a change of anything but the position is reported at the next look."""
AGAIN_SECONDS = 2.0

logger = logging.getLogger("tickflow.producer")


class Steering:
    """Passes commands on to `pace`, in a thread of its own, so that a store that does not answer stops no tick; used as
    a context manager. `clock` is the wall clock, in ns since 1970.

    Each run has a new name, so that it executes no command that was made for an earlier one.
    """

    def __init__(self, store: SteeringStore, pace: Pace, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._pace = pace
        self._run = uuid.uuid4().hex
        self._clock = clock
        self._begun_ns = clock()
        self._known: set[str] = set()
        self._reported: ReplayState | None = None
        self._trouble = Saying(logger)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="steering", daemon=True)

    def __enter__(self) -> "Steering":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join(AGAIN_SECONDS)
        if not self._thread.is_alive():
            self._store.close()

    def look(self) -> None:
        """Look for commands once, and report the state if that is due. Raises `StoreError`."""
        for kept in self._store.commands(self._run):
            if kept.id not in self._known:
                self._known.add(kept.id)
                self._pace.take(kept)
        state = self._pace.state(self._run, self._begun_ns, self._clock())
        if state is not None and self._is_news(state):
            self._store.report(state)
            self._reported = state

    def _is_news(self, state: ReplayState) -> bool:
        before = self._reported
        if before is None or state.written_ns - before.written_ns >= REPORT_SECONDS * 1e9:
            return True
        moved = msgspec.structs.replace(before, written_ns=state.written_ns, position_us=state.position_us)
        return state != moved

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self.look()
                self._trouble.over("the replay can be steered again")
            except StoreError as error:
                self._trouble(f"the replay continues as it is, since it cannot be steered: {error}")
                self._over.wait(AGAIN_SECONDS)
            except Stopped:
                break
            self._over.wait(LOOK_SECONDS)
        state = self._pace.state(self._run, self._begun_ns, self._clock())
        if state is None:
            return
        try:
            self._store.report(msgspec.structs.replace(state, stopped=True))
        except (StoreError, Stopped) as error:
            logger.info("readers do not learn that the producer has stopped: %s", error)
