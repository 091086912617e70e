"""Waits grow up to a limit and are randomised; they are logged at once, then every 10 s, and at their end."""

import itertools
import logging
import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflow.backoff import SAY_EVERY_SECONDS, Backoff, Saying, sleep

logger = logging.getLogger("tickflow.test_backoff")


@given(st.floats(0.01, 1), st.floats(1, 60), st.integers(0, 1000))
def test_each_delay_lies_between_half_and_all_of_a_doubling_one(first: float, longest: float, seed: int) -> None:
    full = first
    for delay in itertools.islice(Backoff(first, longest, random.Random(seed)), 20):
        assert full / 2 <= delay <= full
        full = min(longest, full * 2)
    assert full == longest


def test_two_waits_are_not_in_step() -> None:
    one, other = (list(itertools.islice(Backoff(rng=random.Random(seed)), 10)) for seed in (1, 2))
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_a_wait_is_logged_at_once_then_every_ten_seconds_and_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 100.0
    saying = Saying(logger, clock=lambda: now)
    heard = []
    for second in range(25):
        now = 100.0 + second
        saying(f"waiting, second {second}")
        heard += [(second, record.getMessage()) for record in caplog.records]
        caplog.clear()
    assert heard == [(second, f"waiting, second {second}") for second in (0, 10, 20)]
    assert SAY_EVERY_SECONDS == 10
    saying.over("it is back")
    expected = [("INFO", "resumed after 24 s: it is back")]
    assert expected == [(record.levelname, record.getMessage()) for record in caplog.records]


def test_at_debug_each_attempt_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    saying = Saying(logger, clock=lambda: 100.0)
    saying("first")
    saying("second")
    expected = [("WARNING", "first"), ("DEBUG", "second")]
    assert expected == [(record.levelname, record.getMessage()) for record in caplog.records]


def test_the_end_of_an_unlogged_wait_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    saying = Saying(logger)
    saying.over("it is back")
    assert caplog.records == []
    saying("away")
    saying.over("it is back")
    saying.over("it is back")
    assert [record.getMessage() for record in caplog.records] == ["away", "resumed after 0 s: it is back"]


def test_a_new_wait_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    saying = Saying(logger, clock=lambda: 100.0)
    saying("away")
    saying.over("back")
    saying("away again")
    assert [record.getMessage() for record in caplog.records] == ["away", "away again"]


def test_sleep_ends_when_asked_to_stop() -> None:
    stop = threading.Event()
    assert sleep(stop, 0.01) is False
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert sleep(stop, 60) is True
    assert time.monotonic() - began < 30
