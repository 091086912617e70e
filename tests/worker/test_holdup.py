"""A worker's hold-up is logged with its reason, further attempts are logged at DEBUG, and its end with the duration."""

import logging

import pytest

import stock_analytics
from tests.memory_log import MemoryTopic
from tests.records import body
from tests.worker.test_adding_up import PickyStore, Worker
from tickflow.ticklog.base import Commit


def test_a_hold_up_is_logged_with_its_reason_and_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_analytics, "POLL_SECONDS", 0.0)
    topic, store = MemoryTopic(1), PickyStore()
    topic.commits = {0: Commit(0, "")}
    worker = Worker(topic, store)
    worker.log.give(0)
    store.away = 2
    topic.append(0, b"AAPL", body())
    with caplog.at_level(logging.DEBUG, logger="tickflow"):
        worker.read()  # the assignment
        worker.read()
    found = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert ("WARNING", "held up: as the test asked") in found
    assert ("DEBUG", "held up: as the test asked") in found, "the second attempt"
    assert [message for _, message in found if message.startswith("next attempt in ")]
    assert ("INFO", f"resumed after 0 s: {store.where} accepts writes again") in found
    assert found.index(("DEBUG", "committed {0: 1}")) > found.index(
        ("DEBUG", "batch: partition 0, offsets 0 to 0, 1 ticks, 0 refused")
    )
