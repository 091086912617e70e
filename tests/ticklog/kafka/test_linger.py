"""The wait between two polls follows what a turn costs."""

from collections.abc import Iterable

import pytest

from tickflow.ticklog.kafka.linger import FEW_RECORDS, LONGEST_SECONDS, MOST_OF_A_CORE, SHORTEST_SECONDS, Linger


class Processor:
    """The CPU clock of a worker whose turns take `turn` seconds."""

    def __init__(self, turn: float) -> None:
        self.turn = turn
        self.used = 0.0

    def __call__(self) -> float:
        return self.used

    def waits(self, linger: Linger, polls: Iterable[int], *, is_all: bool = True) -> list[float]:
        """The wait after each poll, given the number of its records."""
        found = []
        for records in polls:
            found.append(linger.seconds(records, is_all=is_all))
            self.used += self.turn
        return found


@pytest.mark.parametrize("turn", [0.0, 0.004, 0.006, 0.0075, 0.009, 0.030])
def test_a_turn_takes_at_most_its_share_of_a_core(turn: float) -> None:
    processor = Processor(turn)
    waits = processor.waits(Linger(processor), [10] * 20)
    assert waits[0] == SHORTEST_SECONDS, "nothing is known yet"
    assert waits[1:] == pytest.approx([min(max(SHORTEST_SECONDS, turn / MOST_OF_A_CORE), LONGEST_SECONDS)] * 19)


def test_the_wait_follows_a_turn_that_becomes_cheaper() -> None:
    processor = Processor(0.009)
    linger = Linger(processor)
    assert processor.waits(linger, [10] * 20)[-1] == pytest.approx(0.036)
    processor.turn = 0.006
    waits = processor.waits(linger, [10] * 80)
    assert waits[1:] == sorted(waits[1:], reverse=True)
    assert waits[2] > 0.033, "one turn alone changes little"
    assert waits[-1] == pytest.approx(0.024, rel=0.01)


@pytest.mark.parametrize(("records", "is_all"), [(0, True), (FEW_RECORDS, True), (10, False)])
def test_a_backlog_and_an_empty_poll_are_followed_by_no_wait(records: int, is_all: bool) -> None:
    assert Linger().seconds(records, is_all=is_all) == 0.0
    assert Linger().seconds(FEW_RECORDS - 1, is_all=True) == SHORTEST_SECONDS


def test_the_cost_of_a_backlog_is_no_cost_of_a_turn() -> None:
    processor = Processor(0.004)
    linger = Linger(processor)
    processor.waits(linger, [10, 10, 10])
    processor.turn = 1.0
    processor.waits(linger, [5_000] * 5, is_all=False)
    processor.turn = 0.004
    assert processor.waits(linger, [10, 10, 10]) == [SHORTEST_SECONDS] * 3
