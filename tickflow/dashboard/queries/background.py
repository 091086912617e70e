"""Runs slow queries in the background: a refresh takes the last answer and does not wait."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from tickflow.errors import StoreError
from tickflow.store.deadline import DEADLINE

EVERY_SECONDS = 30.0
LONGEST_SECONDS = 60.0
MOST_AT_ONCE = 2
MOST_KEPT = 50

Answer = TypeVar("Answer")
Other = TypeVar("Other")


class Background:
    """The last answers, by key. Thread-safe.

    >>> background = Background()
    >>> background.last("symbols", lambda: 5, None)
    >>> background.wait()
    >>> background.last("symbols", lambda: 6, None)
    5
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._answers: dict[Hashable, tuple[float, Any]] = {}
        self._asking: dict[Hashable, threading.Thread] = {}
        self._doing: dict[Hashable, Future[None]] = {}

    def last(self, key: Hashable, ask: Callable[[], Answer], unknown: Answer, every: float = EVERY_SECONDS) -> Answer:
        """The last answer of `ask`, or `unknown`; if it is older than `every` seconds, a new query starts."""
        with self._lock:
            asked, answer = self._answers.get(key, (float("-inf"), unknown))
            is_due = self._monotonic() - asked >= every
            if is_due and key not in self._asking and len(self._asking) < MOST_AT_ONCE:
                thread = threading.Thread(target=self._ask, args=(key, ask), name="background", daemon=True)
                self._asking[key] = thread
                thread.start()
        return answer  # type: ignore[no-any-return]  # the key determines the answer's type

    def begin(self, key: Hashable, work: Callable[[], object]) -> Callable[[float], None]:
        """Start `work` in the background, unless the work with this key is already running.

        The returned function waits for its end, until the given seconds after this call. It raises the error of `work`;
        an error after that time is lost, and the next call starts the work again.
        """
        called = self._monotonic()
        with self._lock:
            doing = self._doing.get(key)
            if doing is None:
                doing = self._doing[key] = Future()
                threading.Thread(target=self._do, args=(key, doing, work), name="background", daemon=True).start()

        def wait(seconds: float) -> None:
            with suppress(TimeoutError):
                doing.result(max(0.0, called + seconds - self._monotonic()))

        return wait

    def wait(self) -> None:
        """Wait until the running queries have their answers."""
        for thread in list(self._asking.values()):
            thread.join()
        futures.wait(list(self._doing.values()))

    def _ask(self, key: Hashable, ask: Callable[[], Any]) -> None:
        asked = self._monotonic()
        DEADLINE.set(time.monotonic() + LONGEST_SECONDS)
        try:
            with suppress(StoreError):  # the refresh itself fails with the same error
                answer = ask()
                with self._lock:
                    self._answers.pop(key, None)
                    self._answers[key] = asked, answer
                    while len(self._answers) > MOST_KEPT:
                        del self._answers[next(iter(self._answers))]
        finally:
            with self._lock:
                del self._asking[key]

    def _do(self, key: Hashable, doing: "Future[None]", work: Callable[[], object]) -> None:
        DEADLINE.set(time.monotonic() + LONGEST_SECONDS)
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for the result
            failure: BaseException | None = error
        else:
            failure = None
        with self._lock:
            del self._doing[key]
        if failure is None:
            doing.set_result(None)
        else:
            doing.set_exception(failure)


def both(ask: Callable[[], Answer], other: Callable[[], Other]) -> tuple[Answer, Other]:
    """The answers of two queries that run at the same time. Raises the error of either, after both have ended."""
    with ThreadPoolExecutor(1, "other") as pool:
        asked = pool.submit(copy_context().run, other)  # with the deadline of the request
        answer = ask()
        return answer, asked.result()
