"""A steered replay without waiting: a clock that advances while the replay waits, and readers with their wishes."""

from collections.abc import Sequence

from tickflow.sources.pace import Pace
from tickflow.store.steering import KeptWish, ReplayState, Wish


class Theatre:
    """Readers make their wishes at set times, as pairs (s, wish); at `until` (s) the process is asked to stop."""

    def __init__(self, wishes: Sequence[tuple[float, Wish]], until: float) -> None:
        self.now = 0.0
        self.pace = Pace(1.0, lambda: self.now, steered=True)
        self._wishes = sorted(wishes, key=lambda each: each[0])
        self._until = until

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.now += seconds
        while self._wishes and self._wishes[0][0] <= self.now:
            at, wish = self._wishes.pop(0)
            self.pace.wish(KeptWish("run", f"{at}", wish, 0))
        return self.now >= self._until


def standing(theatre: Theatre) -> ReplayState:
    """The state that the replay reports now."""
    state = theatre.pace.state("run", 0, 0)
    assert state is not None
    return state
