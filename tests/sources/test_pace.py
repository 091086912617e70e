"""The clock of a replay, its commands, and the ticks that a steered replay gives out."""

import contextlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.test_steering import STATE
from tests.theatre import Theatre, standing
from tickflow.sources.pace import Clock
from tickflow.sources.replay import Replay
from tickflow.store.steering import ACTS, FASTEST, JUMP, PAUSE, PLAY, SLOWEST, SPEED, Command, KeptCommand, ReplayState
from tickflow.ticks.tick import END_YEAR_US, epoch_us

BEGIN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
BEGIN_US = epoch_us(BEGIN)

SPEEDS = st.floats(SLOWEST, FASTEST)
TIMES_US = st.integers(0, END_YEAR_US - 1)
READINGS = st.floats(0, 1e6)
CLOCKS = st.builds(Clock, TIMES_US, READINGS, SPEEDS, st.booleans())
COMMANDS = st.one_of(
    st.sampled_from([Command(PLAY), Command(PAUSE)]),
    st.builds(lambda speed: Command(SPEED, speed), SPEEDS),
    st.builds(lambda us: Command(JUMP, us), TIMES_US),
)


@given(CLOCKS, READINGS, SPEEDS)
def test_a_clock_shows_the_same_time_when_it_is_paused_or_sped_up(clock: Clock, now: float, speed: float) -> None:
    shown = clock.reads(now)
    for changed in (clock.sped(speed, now), clock.halted(now, paused=True), clock.halted(now, paused=False)):
        assert changed.reads(now) == shown
    assert clock.halted(now, paused=True).reads(now + 1e6) == shown


@given(CLOCKS, READINGS, TIMES_US)
def test_a_clock_that_is_moved_shows_that_time(clock: Clock, now: float, target: int) -> None:
    assert clock.moved(target, now).reads(now) == target


@given(TIMES_US, READINGS, SPEEDS, st.floats(0, 1e5))
def test_a_tick_is_due_when_the_clock_shows_its_time(at_us: int, since: float, speed: float, later: float) -> None:
    clock = Clock(at_us, since, speed)
    us = clock.reads(since + later)
    assert float(clock.due(us)) == pytest.approx(since + later, abs=1e-6 + 1.1e-6 / speed)
    assert clock.reads(since + later) >= clock.reads(since)


@given(COMMANDS)
def test_a_command_is_read_as_it_was_written(command: Command) -> None:
    assert Command.parse(command.encode()) == command
    assert command.words()


@given(st.one_of(st.text(), st.builds(lambda act, rest: f"{act} {rest}", st.sampled_from(ACTS), st.text())))
def test_any_text_is_a_command_or_refused_with_a_sentence(text: str) -> None:
    command: Command | None = None
    with contextlib.suppress(ValueError):  # no other exception
        command = Command.parse(text)
    if command is not None:
        assert Command.parse(command.encode()) == command


@pytest.mark.parametrize(
    "text",
    [
        *("", "stop", "PLAY", "play 1", "pause "),
        *("speed", "speed 0", "speed nan", "speed -1", "speed 1e9", "speed 1_0", "speed ١"),
        *("jump", "jump -1", "jump 1.5", "jump 1e3", "jump ١", f"jump {END_YEAR_US}", "jump 99999999999999999999"),
    ],
)
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a command|speed|time"):
        Command.parse(text)


@given(
    st.builds(
        ReplayState,
        *(st.text(max_size=40), st.integers(0, 2**63), st.integers(0, 2**63), TIMES_US, TIMES_US, TIMES_US, SPEEDS),
        *(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**31), st.text(max_size=16), st.booleans()),
    )
)
def test_a_state_is_read_as_it_was_written(state: ReplayState) -> None:
    assert ReplayState.parse(state.encode()) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"run":1}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        ReplayState.parse(text)


@pytest.mark.parametrize("name", ["position_us", "begin_us", "end_us"])
@pytest.mark.parametrize("us", [-1, END_YEAR_US + 1, 2**63])
def test_a_state_with_a_time_that_cannot_be_shown_is_refused(name: str, us: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        ReplayState.parse(msgspec.structs.replace(STATE, **{name: us}).encode())


# --- a steered replay ---


def written(path: Path, seconds: Sequence[float]) -> Path:
    rows = "".join(f"{(BEGIN + timedelta(seconds=at)).isoformat()},SPY,{n + 1},1\n" for n, at in enumerate(seconds))
    path.write_text(f"timestamp,symbol,price,volume\n{rows}")
    return path


def at(second: float) -> int:
    return BEGIN_US + round(second * 1e6)


def steered(path: Path, commands: Sequence[tuple[float, Command]], until: float) -> tuple[list[float], Theatre]:
    """Run a replay with these commands until `until` (s); return the prices it gave out, and the theatre."""
    theatre = Theatre(commands, until)
    found: list[float] = []
    for batch in Replay(path, pace=theatre.pace).batches(theatre.wait):
        found += [tick.price for tick in batch]
    return found, theatre


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "ticks.csv", range(100))


def test_a_paused_replay_gives_out_nothing_and_goes_on_where_it_was(file: Path) -> None:
    found, theatre = steered(file, [(10.05, Command(PAUSE))], 50.0)
    assert found == list(range(1, 12))
    assert standing(theatre).paused
    assert standing(theatre).position_us == pytest.approx(at(10.05), abs=200_000)
    found, theatre = steered(file, [(10.05, Command(PAUSE)), (40.0, Command(PLAY))], 50.0)
    assert found == list(range(1, 22))


def test_speed_counts_from_the_moment_of_the_command(file: Path) -> None:
    found, theatre = steered(file, [(10.05, Command(SPEED, 4.0))], 20.0)
    assert found == list(range(1, 51))
    assert standing(theatre).speed == 4.0


def test_a_jump_forward_gives_out_every_tick_before_its_target_and_no_other(file: Path) -> None:
    found, theatre = steered(file, [(5.05, Command(PAUSE)), (6.0, Command(JUMP, at(60)))], 30.0)
    assert found == list(range(1, 61))  # those of the seconds 0 to 59
    state = standing(theatre)
    assert (state.position_us, state.rewound, state.turns, state.executed) == (at(60), False, 0, "6.0")


def test_after_a_jump_back_no_tick_is_given_out_twice(file: Path) -> None:
    commands = [(30.05, Command(JUMP, at(10)))]
    found, theatre = steered(file, commands, 45.0)
    assert found == list(range(1, 32))
    state = standing(theatre)
    assert (state.rewound, state.turns) == (True, 1)
    assert state.position_us == pytest.approx(at(25), abs=200_000)
    found, theatre = steered(file, commands, 60.0)  # it passed the last tick, 20 s after the jump
    assert found == list(range(1, 41))
    assert not standing(theatre).rewound


def test_a_replay_that_was_moved_back_stays_so_while_nothing_new_is_given_out() -> None:
    theatre = Theatre([], 100.0)
    theatre.pace.begin(BEGIN_US)
    theatre.pace.take(KeptCommand("run", "1", Command(JUMP, at(2)), 0))
    for _ in range(2):  # a recording gives out the rest of a batch, which may be empty
        theatre.pace.given(at(10))
        assert standing(theatre).rewound
    theatre.pace.given(at(11))
    assert not standing(theatre).rewound


def test_a_jump_back_while_paused_stands_at_its_target_to_the_microsecond(file: Path) -> None:
    found, theatre = steered(file, [(30.05, Command(PAUSE)), (31.0, Command(JUMP, at(10)))], 45.0)
    assert found == list(range(1, 32))
    assert standing(theatre).position_us == at(10)


def test_jumps_end_at_the_ends_of_the_recording(file: Path) -> None:
    found, theatre = steered(file, [(5.05, Command(JUMP, at(1e6)))], 30.0)
    assert found == list(range(1, 101))
    state = standing(theatre)
    assert (state.ended, state.position_us, state.end_us) == (True, at(99), at(99) + 1)
    _, theatre = steered(file, [(5.05, Command(PAUSE)), (6.0, Command(JUMP, 0))], 30.0)
    assert standing(theatre).position_us == BEGIN_US


def test_after_the_end_readers_can_jump_back_and_it_ends_again(file: Path) -> None:
    commands = [(1.0, Command(JUMP, at(500))), (10.0, Command(JUMP, at(90)))]
    found, theatre = steered(file, commands, 15.0)
    assert found == list(range(1, 101))
    state = standing(theatre)
    assert (state.ended, state.rewound) == (False, True)
    assert state.position_us == pytest.approx(at(95), abs=300_000)
    found, theatre = steered(file, commands, 30.0)
    assert len(found) == 100
    assert standing(theatre).ended


def test_ticks_out_of_order_go_with_those_before_them_after_a_jump_too(tmp_path: Path) -> None:
    file = written(tmp_path / "ticks.csv", [0, 1, 5, 2, 3, 9])
    found, theatre = steered(file, [(1.5, Command(PAUSE)), (2.0, Command(JUMP, at(5)))], 10.0)
    assert found == [1, 2]
    far = written(tmp_path / "far.csv", [0, 1, 9, 2, 3, 4, 5, 6, 20])
    found, theatre = steered(far, [(0.5, Command(PAUSE)), (0.8, Command(JUMP, at(6.5)))], 10.0)
    assert found == [1, 2]
    found, theatre = steered(file, [(5.5, Command(JUMP, at(1))), (5.6, Command(PAUSE))], 60.0)
    assert found == [1, 2, 3, 4, 5]
    assert standing(theatre).rewound


@given(
    st.lists(st.floats(0, 100).map(lambda second: round(second, 3)), min_size=1, max_size=30).map(sorted),
    st.lists(
        st.tuples(
            st.floats(0.1, 60),
            st.one_of(
                st.sampled_from([Command(PLAY), Command(PAUSE), Command(SPEED, 10.0), Command(SPEED, 0.5)]),
                st.integers(-10, 130).map(lambda second: Command(JUMP, at(second))),
            ),
        ),
        max_size=8,
    ),
)
def test_however_it_is_steered_every_tick_before_its_moment_was_given_out_once(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float], commands: list[tuple[float, Command]]
) -> None:
    file = written(tmp_path_factory.mktemp("steered") / "ticks.csv", seconds)
    found, theatre = steered(file, commands, 61.0)
    assert found == list(range(1, len(found) + 1))  # in order, each once
    state = standing(theatre)
    before = sum(at(second) < state.position_us for second in seconds)
    if state.rewound:
        assert before <= len(found)
    else:
        # Ticks within the last step may have been given out after the clock was last read.
        assert before <= len(found)
        assert all(at(second) <= state.position_us + 1000 for second in seconds[: len(found)])
    assert math.isfinite(state.speed)
