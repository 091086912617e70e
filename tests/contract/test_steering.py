"""The contract of every store through which a replay is steered, on the embedded file and on a real InfluxDB."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from devtools.process import ServerError
from tests.point_examples import MORNING, SECOND
from tickflow.store.influx.steering import InfluxSteering
from tickflow.store.sqlite.steering import EmbeddedSteering
from tickflow.store.steering import JUMP, MOST_COMMANDS, PAUSE, SPEED, Command, KeptCommand, ReplayState, SteeringStore

STATE = ReplayState(
    run="0123456789abcdef0123456789abcdef",
    begun_ns=MORNING,
    written_ns=MORNING + SECOND,
    position_us=1_381_154_400_000_000,
    begin_us=1_381_152_600_000_000,
    end_us=0,
    speed=60.0,
    paused=False,
    ended=False,
    rewound=True,
    turns=2,
    executed="00ff",
)


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def steering(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SteeringStore]:
    found: SteeringStore
    if request.param == "embedded":
        found = EmbeddedSteering(tmp_path / "stocks.db", stop=threading.Event())
    else:
        server, bucket = request.getfixturevalue("influx"), f"{request.getfixturevalue('bucket')}_acks"
        found = InfluxSteering(server.url, token=server.token, org=server.org, bucket=bucket)
    yield found
    found.close()
    if isinstance(found, InfluxSteering):
        with contextlib.suppress(ServerError):
            server.delete_bucket(bucket)


def test_commands_of_a_run_come_in_the_order_in_which_they_were_made(steering: SteeringStore) -> None:
    assert list(steering.commands("a-1")) == []
    later = KeptCommand("a-1", "02", Command(JUMP, 1_381_154_400_000_001), MORNING + 2, 'Ann "B", C=D')
    first = KeptCommand("a-1", "01", Command(SPEED, 0.1 + 0.2), MORNING + 1)
    other = KeptCommand("b-2", "03", Command(PAUSE), MORNING)
    for kept in (later, first, other):
        steering.ask(kept)
    assert list(steering.commands("a-1")) == [first, later]
    assert list(steering.commands("b-2")) == [other]


def test_of_very_many_commands_the_newest_are_read(steering: SteeringStore) -> None:
    made = [KeptCommand("a-1", f"{n:02}", Command(SPEED, 1.0 + n), MORNING + n) for n in range(MOST_COMMANDS + 3)]
    for kept in made:
        steering.ask(kept)
    assert list(steering.commands("a-1")) == made[3:]


def test_the_state_is_the_newest_report_of_any_run(steering: SteeringStore) -> None:
    assert steering.state() is None
    steering.report(STATE)
    assert steering.state() == STATE
    other = msgspec.structs.replace(STATE, run="b-2", begun_ns=MORNING + 5, written_ns=MORNING + 3 * SECOND)
    steering.report(other)
    assert steering.state() == other
    again = msgspec.structs.replace(STATE, written_ns=MORNING + 4 * SECOND, rewound=False, stopped=True)
    steering.report(again)
    assert steering.state() == again
