"""The page of a steered replay: the state that it shows, the commands that it stores, and the moment to which it shows
data.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from flask.testing import FlaskClient

from config import Settings
from stock_dashboard import StockDashboard
from tests.contract.test_steering import STATE
from tests.dashboard.test_dashboard import UPDATE, asked, delta, drawing
from tests.fakes import Feed, MemoryAcks, MemoryStore
from tickflow.dashboard.drawing import clock
from tickflow.dashboard.queries.steered import FORGOTTEN_AFTER_SECONDS, GONE_AFTER_SECONDS, Steered
from tickflow.errors import StoreUnavailable
from tickflow.store.sqlite.steering import EmbeddedSteering
from tickflow.store.steering import ACTS, JUMP, PLAY, SPEED, Command, ReplayState, SteeringStore
from tickflow.ticks.tick import epoch_us

BEGIN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
RUN = "0123456789abcdef" * 2
WALL_MS = 1_381_138_200_000.0
"""09:30 in New York, when the ticks begin, as the page's axis has it."""


def reported(second: float, **changes: object) -> ReplayState:
    """A report, written now, of a replay that is at this second."""
    now = time.time_ns()
    plain: dict[str, object] = {"rewound": False, "turns": 0, "executed": "", "run": RUN}
    position = epoch_us(BEGIN + timedelta(seconds=second))
    return msgspec.structs.replace(STATE, written_ns=now, position_us=position, **plain | changes)


@pytest.fixture
def steering(tmp_path: Path) -> SteeringStore:
    return EmbeddedSteering(tmp_path / "stocks.db", stop=threading.Event())


@pytest.fixture
def store() -> MemoryStore:
    """A minute of AAPL and, from its thirtieth second on, of MSFT; every fifteenth tick of AAPL is an outlier."""
    found = MemoryStore()
    feed = Feed(start=BEGIN, source="replay")
    for second in range(60):
        price = 120.0 if second % 15 == 14 else 100.0 + second / 100
        found.write(feed.points("AAPL", [price], at=BEGIN + timedelta(seconds=second)))
        if second >= 30:
            found.write(feed.points("MSFT", [50.0 + second], at=BEGIN + timedelta(seconds=second)))
    return found


@pytest.fixture
def client(store: MemoryStore, steering: SteeringStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setattr("tickflow.dashboard.queries.steered.EVERY_SECONDS", 0.0)
    monkeypatch.setattr("tickflow.dashboard.queries.steered.RARELY_SECONDS", 0.0)
    dashboard = StockDashboard(Settings(), store=store, acks=MemoryAcks(), steering=steering)
    dashboard.gate.start().join()
    with dashboard.app.server.test_client() as client:
        yield client


def steer(client: FlaskClient, **body: object) -> Any:
    return client.post(UPDATE, json=asked("steered", [{"run": RUN, "act": PLAY, "value": 0, "n": 1.5} | body], []))


def test_without_a_steered_producer_nothing_is_told(client: FlaskClient) -> None:
    assert drawing(client)["state"]["replay"] is None


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({}, Command(PLAY)),
        ({"act": "speed", "value": 60}, Command(SPEED, 60.0)),
        ({"act": "jump", "value": WALL_MS}, Command(JUMP, epoch_us(BEGIN))),
    ],
)
def test_what_an_operator_asks_reaches_the_store(
    client: FlaskClient, steering: SteeringStore, body: dict[str, object], command: Command
) -> None:
    answer = steer(client, **body).json["response"]["steered"]["data"]
    (kept,) = steering.commands(RUN)
    assert answer == {"trouble": "", "command": kept.id}
    assert (kept.command, kept.made_by) == (command, "local")


@pytest.mark.parametrize(
    "body",
    [
        *({"act": "stop"}, {"act": "pause", "value": 1}, {"act": "speed"}, {"act": "speed", "value": 1e6}),
        *({"act": "jump"}, {"act": "jump", "value": 1e16}, {"run": "x"}, {"run": RUN + "\n"}),
        *({"more": 1}, {"value": "5"}),
    ],
)
def test_a_command_that_the_page_cannot_make_is_refused(
    client: FlaskClient, steering: SteeringStore, body: dict[str, object]
) -> None:
    assert steer(client, **body).status_code == 400
    assert all(not steering.commands(run) for run in (RUN, "x"))


def test_a_jump_to_before_1970_goes_to_the_beginning(
    client: FlaskClient, steering: SteeringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_used", [ZoneInfo("Asia/Tokyo")])
    assert steer(client, act="jump", value=1_000).status_code == 200
    assert [kept.command for kept in steering.commands(RUN)] == [Command(JUMP, 0)]


def test_every_act_of_a_command_can_be_asked_for(client: FlaskClient) -> None:
    for act in ACTS:
        value = {SPEED: 2.0, JUMP: WALL_MS}.get(act, 0)
        assert steer(client, act=act, value=value).status_code == 200


def test_the_state_is_told_as_its_producer_reports_it(client: FlaskClient, steering: SteeringStore) -> None:
    steering.report(reported(20, paused=True, speed=60.0, executed="00ff"))
    told = drawing(client)["state"]["replay"]
    assert told.pop("age_s") < GONE_AFTER_SECONDS
    assert told == {
        "run": RUN,
        "turn": f"{RUN}:0",
        "position_ms": WALL_MS + 20_000,
        "begin_ms": WALL_MS,
        "end_ms": None,
        "speed": 60.0,
        "paused": True,
        "ended": False,
        "rewound": False,
        "executed": "00ff",
        "gone": False,
        "stopped": False,
    }


def test_a_replay_that_was_moved_back_is_shown_as_it_was_at_that_moment(
    client: FlaskClient, steering: SteeringStore
) -> None:
    steering.report(reported(60))
    present = drawing(client)
    assert {row["symbol"]: row["price"] for row in present["watch"]["rows"]} == {"AAPL": 120.0, "MSFT": 109.0}
    assert present["drawn"]["rows"] == 60

    steering.report(reported(20, rewound=True, turns=1))
    follow = delta(client, present["drawn"], present["watch"]["cursors"])
    assert follow["state"]["replay"]["turn"] == f"{RUN}:1"
    assert "tail" not in follow
    past = drawing(client)
    assert {row["symbol"]: row["price"] for row in past["watch"]["rows"]} == {"AAPL": 100.19}
    assert past["drawn"]["rows"] == 20
    assert past["drawn"]["newest_us"] == epoch_us(BEGIN + timedelta(seconds=19))
    ends = [max(episode["start_us"] for episode in each["alerts"]["episodes"]) for each in (present, past)]
    assert ends[1] < epoch_us(BEGIN + timedelta(seconds=20)) < ends[0]

    steering.report(reported(23, rewound=True, turns=1))  # the replay continues
    follow = delta(client, past["drawn"], past["watch"]["cursors"])
    assert follow["drawn"]["newest_us"] == epoch_us(BEGIN + timedelta(seconds=22))
    assert [row["price"] for row in follow["watch"]["rows"]] == [100.22]
    assert "rebuild" not in follow

    steering.report(reported(60, turns=1))
    follow = delta(client, past["drawn"], past["watch"]["cursors"])
    assert follow["drawn"]["newest_us"] == epoch_us(BEGIN + timedelta(seconds=59))


def test_an_alert_that_only_the_past_list_has_can_be_marked_as_seen(
    client: FlaskClient, steering: SteeringStore
) -> None:
    steering.report(reported(20, rewound=True, turns=1))
    (episode,) = drawing(client)["alerts"]["episodes"]
    answer: Any = client.post(UPDATE, json=asked("acked", [[episode["key"]]], []))
    assert answer.json["response"]["acked"]["data"] == {"trouble": ""}
    assert [each["acked"] for each in drawing(client)["alerts"]["episodes"]] == [True]


def test_the_csv_of_a_replay_that_was_moved_back_has_no_later_tick(
    client: FlaskClient, steering: SteeringStore
) -> None:
    steering.report(reported(20, rewound=True, turns=1))
    answer = client.get("/ticks.csv", query_string={"symbol": "AAPL", "from": WALL_MS, "to": WALL_MS + 60_000})
    assert len(answer.text.splitlines()) == 1 + 20


@pytest.mark.parametrize("stopped", [True, False])
def test_once_its_producer_is_gone_the_page_shows_all_that_is_stored_and_says_so(
    client: FlaskClient, steering: SteeringStore, stopped: bool
) -> None:
    """It said that it stops, or it has not reported for 20 s."""
    age_ns = 0 if stopped else 20 * 10**9
    report = reported(20, rewound=True, turns=1, stopped=stopped)
    steering.report(msgspec.structs.replace(report, written_ns=report.written_ns - age_ns))
    answer = drawing(client)
    assert answer["drawn"]["rows"] == 60
    assert answer["state"]["replay"]["gone"]


def test_a_producer_that_has_gone_long_ago_is_forgotten(steering: SteeringStore) -> None:
    steering.report(reported(20))
    for age, told in ((FORGOTTEN_AFTER_SECONDS - 5, True), (FORGOTTEN_AFTER_SECONDS + 5, False)):
        later = time.time_ns() + round(age * 1e9)
        assert (Steered(steering, lambda later=later: later).told() is not None) == told  # type: ignore[misc]


def test_a_slow_store_of_commands_delays_one_request_alone(
    steering: SteeringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steering.report(reported(20))
    steered = Steered(steering, monotonic=itertools.count(0, 10).__next__)
    before = steered.state()
    assert before is not None
    has_begun, may_end = threading.Event(), threading.Event()

    def waits(_: object) -> ReplayState:
        has_begun.set()
        may_end.wait()
        return before

    monkeypatch.setattr(EmbeddedSteering, "state", waits)
    first, second = (threading.Thread(target=steered.state) for _ in range(2))
    first.start()
    has_begun.wait()
    second.start()
    second.join(10)
    is_delayed = second.is_alive()
    may_end.set()
    first.join()
    assert not is_delayed


def test_while_the_store_of_commands_does_not_answer_the_last_state_counts(
    client: FlaskClient, steering: SteeringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreUnavailable("The store does not answer.")

    steering.report(reported(20))
    before = drawing(client)["state"]["replay"]
    monkeypatch.setattr(EmbeddedSteering, "state", fails)
    monkeypatch.setattr(EmbeddedSteering, "ask", fails)
    after = drawing(client)["state"]["replay"]
    assert after | {"age_s": 0} == before | {"age_s": 0}
    assert steer(client).json["response"]["steered"]["data"] == {"trouble": "The store does not answer."}
