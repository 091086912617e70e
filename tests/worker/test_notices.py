"""Tests of what a worker reports, and how often, about refused and expired records and times without a zone."""

import logging
from collections.abc import Iterator

import pytest

from tests.point_examples import SECOND, a_row, points_of
from tests.records import body, entry
from tickflow.store.base import Written
from tickflow.ticks.cures import advice
from tickflow.ticks.tick import TickBatch, decode
from tickflow.worker.notices import Notices


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notices(clock: Clock, caplog: pytest.LogCaptureFixture) -> Iterator[Notices]:
    with caplog.at_level(logging.WARNING):
        yield Notices("stock-ticks.dlq", clock)


def ticks(*times: str, source: str = "mine") -> TickBatch:
    found, refused = decode([entry(body(timestamp=time, source=source), offset=at) for at, time in enumerate(times)])
    assert not refused
    return found


def test_a_completely_refused_first_batch_is_reported_at_once_with_cause_and_cure(
    notices: Notices, caplog: pytest.LogCaptureFixture
) -> None:
    notices.took(0, ["key_missing"] * 2_990 + ["not_json"] * 10)
    words = "all 3,000 records refused, to stock-ticks.dlq (key_missing 2,990, not_json 10). " + advice("key_missing")
    assert caplog.messages == [words]
    assert notices.sentence() == words
    assert "a console producer without key" in words


def test_refused_records_are_reported_at_once_and_then_every_ten_seconds(
    notices: Notices, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):  # 25 s of the test's clock
        notices.took(99, ["price_type"])
        notices.speak()
        clock.now += 0.25
    clock.now += 10
    notices.speak()
    notices.speak()
    counts = [int(line.split()[0]) for line in caplog.messages]
    assert counts == [1, 40, 40, 19]


def test_few_refused_records_give_no_notice_and_many_give_one_for_a_minute(notices: Notices, clock: Clock) -> None:
    notices.took(95, ["price_type"] * 5)
    assert notices.sentence() == ""
    notices.took(0, ["price_type"] * 10)
    assert notices.sentence().startswith("15 of 110 records refused")
    clock.now += 61
    assert notices.sentence() == ""


def test_a_worker_that_accepted_nothing_keeps_reporting_it(notices: Notices, clock: Clock) -> None:
    notices.took(0, ["key_missing"] * 7)
    clock.now += 3600
    assert notices.sentence().startswith("all 7 records refused")
    notices.took(1, [])
    assert notices.sentence() == ""


def test_the_first_expired_batch_is_reported_with_bucket_retention_and_times(
    notices: Notices, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    points = points_of(a_row(time_ns=5 * SECOND), a_row(time_ns=86_400 * SECOND))
    written = Written(0, (), 2, kept="the bucket 'stock_data' keeps points for 7 days")
    notices.expired(points, written)
    rest = (
        "dropped as too old, of a batch from 1970-01-01T00:00:05Z to 1970-01-02T00:00:00Z: the bucket 'stock_data' "
        "keeps points for 7 days. Use a bucket that keeps points longer (INFLUXDB_BUCKET), or lengthen its retention."
    )
    assert caplog.messages == [f"2 ticks {rest}"]
    assert notices.sentence() == f"Ticks are {rest}"
    notices.expired(points, written)
    notices.expired(points, written)
    clock.now += 10
    notices.speak()
    assert [line[:8] for line in caplog.messages] == ["2 ticks ", "4 ticks "]
    clock.now += 61
    assert notices.sentence() == ""


def test_times_without_a_zone_are_reported_once_for_each_source(
    notices: Notices, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    notices.naive(ticks("2026-01-05T14:30:00Z"), 0)
    notices.naive(ticks("2026-01-05T14:30:00", "2026-01-05T14:30:01"), 2)
    assert caplog.messages == []
    for source in ("mine", "theirs", "mine"):
        notices.naive(ticks("2026-01-05T14:30:00Z", "2026-01-05T14:30:00", source=source), 0)
    assert [line[:25] for line in caplog.messages] == ["times of the source mine ", "times of the source their"]
    said = "Times of mine, theirs come without a zone and are taken as UTC: local times are hours off."
    assert notices.sentence() == said
    clock.now += 61
    assert notices.sentence() == ""
