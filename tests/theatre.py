"""A steered replay without waiting: a clock that advances while the replay waits, and readers with their commands."""

from collections.abc import Sequence

from tickflow.sources.pace import Pace
from tickflow.store.steering import Command, KeptCommand, ReplayState


class Theatre:
    """Readers give their commands at set times, as pairs (s, command); at `until` (s) the process is asked to stop."""

    def __init__(self, commands: Sequence[tuple[float, Command]], until: float) -> None:
        self.now = 0.0
        self.pace = Pace(1.0, lambda: self.now, steered=True)
        self._commands = sorted(commands, key=lambda each: each[0])
        self._until = until

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.now += seconds
        while self._commands and self._commands[0][0] <= self.now:
            at, command = self._commands.pop(0)
            self.pace.take(KeptCommand("run", f"{at}", command, 0))
        return self.now >= self._until


def standing(theatre: Theatre) -> ReplayState:
    """The state that the replay reports now."""
    state = theatre.pace.state("run", 0, 0)
    assert state is not None
    return state
