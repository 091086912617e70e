"""How readers steer a replay through the store: their commands, such as pause or jump, and the state that the producer
reports.

Both are kept beside the acknowledgements. Two adapters implement the store: `influx/steering.py` (the bucket
`<bucket>_acks`) and `sqlite/steering.py` (two tables).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from tickflow.ticks.tick import END_YEAR_US

PLAY, PAUSE, SPEED, JUMP = "play", "pause", "speed", "jump"
ACTS = (PLAY, PAUSE, SPEED, JUMP)
SLOWEST, FASTEST = 0.001, 100_000.0
MOST_COMMANDS = 50
"""How many of the newest commands of a run the producer reads at a time."""
FORM = "play, pause, speed FACTOR or jump MICROSECONDS"


@dataclass(frozen=True, slots=True)
class Command:
    """A reader's command to a replay. `value` is the factor of `speed`, or the time of `jump` in µs since 1970;
    otherwise 0. Raises `ValueError` for anything else.
    """

    act: str
    value: float = 0

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise ValueError(f"{self.act[:40]!r} is not a command: expected {FORM}")
        if self.act == SPEED:
            if not SLOWEST <= self.value <= FASTEST:  # NaN is refused too
                raise ValueError(f"the speed {self.value!r} is not from {SLOWEST:g} to {FASTEST:g}")
        elif self.act == JUMP:
            if not (isinstance(self.value, int) and 0 <= self.value < END_YEAR_US):
                raise ValueError(f"the time {self.value!r} is not in whole µs of the years 1970 to 2261")
        elif self.value != 0:
            raise ValueError(f"{self.act} has no value")

    @classmethod
    def parse(cls, text: str) -> "Command":
        """Read what `encode` returns. Raises `ValueError` with a sentence.

        >>> Command.parse("speed 60"), Command.parse("pause")
        (Command(act='speed', value=60.0), Command(act='pause', value=0))
        """
        act, _, rest = text.partition(" ")
        if act == SPEED:
            try:
                return cls(act, float(rest) if rest.isascii() and "_" not in rest else math.nan)
            except ValueError:
                raise ValueError(f"{rest[:40]!r} is not a speed") from None
        if act == JUMP:
            if not (rest.isascii() and rest.isdecimal() and len(rest) <= 19):
                raise ValueError(f"{rest[:40]!r} is not a time in µs since 1970")
            return cls(act, int(rest))
        if rest or text != act:
            raise ValueError(f"{text[:40]!r} is not a command: expected {FORM}")
        return cls(act)

    def encode(self) -> str:
        """The command as text.

        >>> Command(JUMP, 1_381_154_400_000_000).encode()
        'jump 1381154400000000'
        """
        return self.act if self.act in (PLAY, PAUSE) else f"{self.act} {self.value!r}"

    def words(self) -> str:
        """The command for a person.

        >>> Command(JUMP, 1_381_154_400_000_000).words(), Command(SPEED, 60.0).words()
        ('jump to 2013-10-07T14:00:00Z', 'speed 60 ×')
        """
        if self.act == JUMP:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(self.value))
            return f"jump to {moment.isoformat().replace('+00:00', 'Z')}"
        return f"speed {self.value:g} ×" if self.act == SPEED else self.act


@dataclass(frozen=True, slots=True)
class KeptCommand:
    """A command for the run `run` of a producer. `made_ns` is the wall clock of the page that stored it."""

    run: str
    id: str
    command: Command
    made_ns: int
    made_by: str = ""


def kept_command(run: str, number: str, text: str, made_ns: int, made_by: str) -> KeptCommand | None:
    """A stored command; `None` if its text is not a command: then another program stored it."""
    try:
        return KeptCommand(run, number, Command.parse(text), made_ns, made_by)
    except ValueError:
        return None


_Time = Annotated[int, msgspec.Meta(ge=0, le=END_YEAR_US)]


class ReplayState(msgspec.Struct, frozen=True):
    """What the producer of a steered replay reports about itself.

    `run` names the run, which began at `begun_ns` and wrote this at `written_ns` (wall clock, ns since 1970).
    `position_us` is the time in the recording, in whole ms: the replay has given out every tick before it. The
    recording begins at `begin_us` and ends before `end_us` (0: not known yet). While `rewound`, the replay is at a
    moment before ticks that it has given out already; `turns` counts such jumps. `executed` is the id of the last
    command that it executed. `stopped`: this is the last report of the run.
    """

    run: str
    begun_ns: int
    written_ns: int
    position_us: _Time
    begin_us: _Time
    end_us: _Time
    speed: float
    paused: bool
    ended: bool
    rewound: bool
    turns: int
    executed: str
    stopped: bool = False

    def encode(self) -> str:
        """The state as text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str) -> "ReplayState":
        """Read what `encode` returns. Raises `msgspec.DecodeError`."""
        return _parse(text)


_parse = msgspec.json.Decoder(ReplayState).decode


class SteeringStore(ABC):
    """Keeps readers' commands for a replay, and the states that its producer reports. Calls may raise
    `StoreUnavailable` and `StoreMisconfigured`.
    """

    @abstractmethod
    def ask(self, kept: KeptCommand) -> None:
        """Store a command."""

    @abstractmethod
    def commands(self, run: str) -> Sequence[KeptCommand]:
        """The newest `MOST_COMMANDS` commands for a run, in the order in which they were made, without invalid ones."""

    @abstractmethod
    def report(self, state: ReplayState) -> None:
        """Store the state of a run in place of its previous one."""

    @abstractmethod
    def state(self) -> ReplayState | None:
        """The newest report of any run, or `None` if there is none."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
