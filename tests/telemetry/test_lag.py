from collections.abc import Sequence

from hypothesis import event, given
from hypothesis import strategies as st

from tickflow.telemetry.lag import LagClock, Stretch


@given(
    gaps=st.lists(st.integers(0, 5_000), min_size=1, max_size=60),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=60),
    commits=st.lists(st.integers(0, 3), min_size=1, max_size=60),
)
def test_the_age_is_that_of_the_oldest_uncommitted_batch(
    gaps: Sequence[int], sizes: Sequence[int], commits: Sequence[int]
) -> None:
    times = [1_000 + sum(gaps[: at + 1]) for at in range(len(gaps))]
    lag = LagClock()
    lag.follow({0: ("a", 0)})
    at, committed, batches, asked = 0, 0, [], 0
    for size, how_many in zip(sizes, commits, strict=False):
        batch = list(range(at, min(at + size, len(times))))
        if batch:
            lag.read(0, Stretch(times[batch[0]], batch[-1] + 1))
            batches.append(batch)
            at = batch[-1] + 1
        for _ in range(min(how_many, len(batches))):
            committed = batches.pop(0)[-1] + 1
            lag.commit(0, committed, times[committed - 1])
        now = times[-1] + 10_000
        if batches:
            asked += 1
            assert lag.seconds(0, at, now) == (now - times[batches[0][0]]) / 1000
        else:
            assert lag.seconds(0, committed, now) == 0.0
    event("a batch in flight" if asked else "none in flight")


def test_the_age_of_unread_records_is_looked_up() -> None:
    lag = LagClock()
    lag.follow({0: ("a", 100)})
    assert lag.seconds(0, 200, 10_000) is None
    assert lag.unknown() == [(0, 100)]
    lag.look_up(0, 99, 1)  # a late answer about an earlier offset
    lag.look_up(0, 100, 4_000)
    assert (lag.seconds(0, 200, 10_000), lag.unknown()) == (6.0, [])


def test_records_that_warm_windows_are_not_behind() -> None:
    lag = LagClock()
    lag.follow({0: ("a", 100)})
    lag.read(0, Stretch(append_ms=1, next_offset=50))
    assert lag.seconds(0, 100, 10_000) == 0.0


def test_a_new_assignment_starts_from_zero() -> None:
    lag = LagClock()
    lag.follow({0: ("a", 0), 1: ("a", 0)})
    lag.read(0, Stretch(1_000, 10))
    lag.follow({0: ("b", 5)})
    assert (lag.seconds(0, 10, 10_000), lag.seconds(1, 10, 10_000)) == (None, None)
