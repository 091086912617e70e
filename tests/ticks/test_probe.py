"""A probe is sent when it is due, and never twice with the same time."""

from datetime import UTC, datetime

from tickflow.ticks.probe import PRICE, PROBE, SOURCE, Prober
from tickflow.ticks.tick import Tick

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9


def test_a_probe_is_due_at_once_and_then_every_so_many_seconds() -> None:
    now = 100.0
    prober = Prober(10, lambda: NOON_NS, lambda: now)
    assert prober.seconds_left == 0
    assert prober.due() == Tick(PROBE, PRICE, NOON, source=SOURCE)
    assert (prober.due(), prober.seconds_left) == (None, 10)
    now = 109.5
    assert (prober.due(), prober.seconds_left) == (None, 0.5)
    now = 111.0
    assert prober.due() is not None
    assert prober.seconds_left == 10, "a late probe does not bring the next one forward"


def test_without_an_interval_no_probe_is_ever_due() -> None:
    prober = Prober(None)
    assert prober.due() is None
    assert prober.seconds_left == float("inf")


def test_the_first_probe_of_a_clock_at_its_epoch_has_a_time_after_it() -> None:
    probe = Prober(1, lambda: 0).due()
    assert probe is not None
    assert probe.timestamp == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_times_increase_even_when_the_clock_stands_still_or_is_set_back() -> None:
    clock = iter((NOON_NS + 999, NOON_NS, NOON_NS - 10**9, NOON_NS + 10**9))
    prober = Prober(0.1, lambda: next(clock), iter(range(100)).__next__)
    times = [probe.timestamp for _ in range(4) if (probe := prober.due())]
    assert [time.microsecond for time in times] == [0, 1, 2, 0]
    assert times == sorted(times)
