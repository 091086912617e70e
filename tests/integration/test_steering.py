"""A replay that readers steer: at each moment that they jump to, the page shows what a recomputation says, on both
stacks.
"""

import contextlib
import csv
import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from devtools.process import free_port
from tests import oracle
from tests.conftest import StartScript
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.loaded_settings import load
from tickflow.dashboard.as_of import AsOf
from tickflow.dashboard.queries.steered import Steered
from tickflow.metrics.points import Points
from tickflow.stack import open_steering, open_store
from tickflow.store.base import MetricsStore
from tickflow.store.steering import JUMP, PAUSE, PLAY, SPEED, Command, KeptCommand, ReplayState, SteeringStore
from tickflow.ticks.tick import epoch_us

TRADES = 6_000
METRICS = ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score")


@pytest.fixture(params=["embedded", "kafka"])
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    found: Chain = request.getfixturevalue(f"{request.param}_chain")
    yield found
    if isinstance(found, KafkaChain):
        with contextlib.suppress(Exception):
            found.influx.delete_bucket(f"{found.bucket}_acks")


class Reader:
    """A reader who steers the replay, and sees what its producer reports."""

    def __init__(self, steering: SteeringStore) -> None:
        self._steering = steering
        self._numbers = itertools.count(1)
        self.steered = Steered(steering)

    def state(self) -> ReplayState | None:
        return self._steering.state()

    def ask(self, command: Command) -> ReplayState:
        """Wait until the producer has executed the command."""
        state = self.state()
        assert state is not None
        number = f"{next(self._numbers):04}"
        self._steering.ask(KeptCommand(state.run, number, command, time.time_ns(), "ann"))
        return self.wait(lambda state: state.executed == number, command.encode())

    def wait(self, holds: "object", what: str) -> ReplayState:
        found: list[ReplayState] = []

        def seen() -> bool:
            state = self.state()
            if state is None or not holds(state):  # type: ignore[operator]
                return False
            found.append(state)
            return True

        wait_until(seen, what, 60)
        return found[0]


def records_of(trades: Path) -> list[tuple[int, tuple[int, int, bytes]]]:
    """Each trade of the file: its time (µs), and the record that a log with one partition would hold."""
    found = []
    with trades.open(encoding="utf-8") as file:
        for offset, row in enumerate(csv.DictReader(file)):
            moment = datetime.fromisoformat(row["timestamp"])
            tick = {"symbol": row["symbol"], "price": float(row["price"]), "volume": float(row["volume"])}
            value = json.dumps(tick | {"timestamp": row["timestamp"], "source": "replay"}).encode()
            found.append((epoch_us(moment), (0, offset, value)))
    return found


def last_of_each(points: pd.DataFrame) -> pd.DataFrame:
    return points.sort_values("offset").groupby("symbol").tail(1).set_index("symbol")


def shown(store: MetricsStore, reader: Reader) -> MetricsStore:
    """The store as the page shows it."""
    reader.steered._asked = float("-inf")
    moment = reader.steered.moment()
    return store if moment is None else AsOf(store, *moment)


def assert_as_recomputed(latest: Points, expected: pd.DataFrame) -> None:
    """Each symbol's newest point has the price and the metrics of its last tick; the oracle's sums differ in the last
    bits.
    """
    assert latest.symbol == sorted(expected.index)
    for name in ("price", "volume", *METRICS):
        np.testing.assert_allclose(
            getattr(latest, name),
            expected.loc[latest.symbol, name].to_numpy(dtype=float),
            rtol=1e-9,
            atol=1e-12,
            err_msg=name,
        )
    assert latest.is_anomaly.tolist() == expected.loc[latest.symbol, "is_anomaly"].tolist()


def test_at_each_moment_that_readers_jump_to_every_metric_is_that_of_the_ticks_before(
    script: StartScript, chain: Chain, trades: Path
) -> None:
    records = records_of(trades)
    first, last = records[0][0], records[-1][0]
    flags = ("--source", "replay", "--replay-file", str(trades), "--replay-speed", "1", "--steer")
    producer = script("stock_producer.py", *flags, env=chain.env)
    settings, stop = load(chain.env), threading.Event()
    with (
        working(chain),
        contextlib.closing(open_steering(settings, stop)) as steering,
        open_store(settings, stop) as store,
    ):
        store.connect()
        reader = Reader(steering)
        wait_until(lambda: reader.state() is not None, "report of the producer", 60)
        assert reader.ask(Command(PAUSE)).paused
        furthest, turns = first, 0
        # forward, back, and forward to a moment before the last published tick
        for share in (0.3, 0.1, 0.05, 0.2, 0.6, 0.59, 0.9, 0.001):
            moment = first + int((last - first) * share) // 1000 * 1000
            reader.ask(Command(JUMP, moment))
            state = reader.wait(lambda state, moment=moment: state.position_us == moment, f"landing at {share}")
            turns += moment < furthest
            assert (state.rewound, state.turns) == (moment < furthest, turns)  # each command was executed once
            furthest = max(furthest, moment)
            chain.wait_for_points(sum(time_us < furthest for time_us, _ in records))
            before = [record for time_us, record in records if time_us < moment]
            page = shown(store, reader)
            expected = oracle.expected_points(before)
            assert_as_recomputed(page.latest(), last_of_each(expected))
            for symbol, count in expected.groupby("symbol").size().items():
                assert page.count(str(symbol), 0, 2**62) == count  # every tick once, however often they jumped
        reader.ask(Command(SPEED, 1000.0))
        reader.ask(Command(JUMP, last + 3_600_000_000))
        assert reader.ask(Command(PLAY)).paused is False
        state = reader.wait(lambda state: state.ended, "end")
        assert state.speed == 1000.0
        chain.wait_for_points(TRADES)
        producer.terminate()
        assert producer.wait(15) == 0, producer.output
        assert reader.wait(lambda state: state.stopped, "last report").ended
    verdict = chain.verdict()
    assert verdict.expected == TRADES
    assert verdict.equal, verdict
    assert "ann asked: pause; the replay is at" in producer.stderr


def test_a_command_for_an_earlier_run_is_not_executed_by_a_later_one(
    script: StartScript, embedded_chain: EmbeddedChain, trades: Path
) -> None:
    flags = ("--source", "replay", "--replay-file", str(trades), "--steer")
    settings, stop = load(embedded_chain.env), threading.Event()
    with contextlib.closing(open_steering(settings, stop)) as steering:
        reader = Reader(steering)
        runs = []
        for _ in range(2):
            producer = script("stock_producer.py", *flags, env=embedded_chain.env)
            state = reader.wait(lambda state: not state.stopped, "report of the producer")
            assert not state.paused
            runs.append(state.run)
            reader.ask(Command(PAUSE))
            producer.terminate()
            assert producer.wait(15) == 0, producer.output
            reader.wait(lambda state: state.stopped, "last report")
    assert runs[0] != runs[1]


@pytest.mark.kafka
def test_a_store_that_is_away_stops_no_tick(
    script: StartScript, kafka_servers: str, topic: str, trades: Path, tmp_path: Path
) -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [f"{(begin + timedelta(seconds=n / 10)).isoformat()},AAPL,{n + 1},1" for n in range(5_000)]
    (tmp_path / "long.csv").write_text("\n".join(["timestamp,symbol,price,volume", *rows]))
    env = {"KAFKA_SERVERS": kafka_servers, "KAFKA_TOPIC": topic, "INFLUXDB_TOKEN": "none-there"}
    env |= {"INFLUXDB_URL": f"http://127.0.0.1:{free_port()}", "REPLAY_SPEED": "10"}
    run = script(
        "stock_producer.py",
        "--source",
        "replay",
        "--replay-file",
        str(tmp_path / "long.csv"),
        "--steer",
        "--yes",
        env=env,
    )
    run.wait_for("the replay continues as it is, since it cannot be steered: ", 30)
    before = len(oracle.read_kafka(kafka_servers, topic))
    wait_until(lambda: len(oracle.read_kafka(kafka_servers, topic)) > before + 100, "further ticks", 30)
    run.terminate()
    assert run.wait(15) == 0, run.output
