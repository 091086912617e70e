"""A replay and a recording are interrupted, by Ctrl+C and by kill -9, on both stacks."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import tickflow
from tests import oracle
from tests.conftest import StartScript
from tests.integration.chain import wait_until
from tests.integration.topics import EmbeddedTopics, KafkaTopics, Topics
from tickflow.ticks.tick import Tick, encode

PRODUCER = "stock_producer.py"
ROWS = 12_000
PATIENCE = 150.0
"""A timeout in seconds for what takes a few seconds on a quiet machine."""
MORNING = datetime(2026, 1, 5, 23, 59, 59, 500_000, tzinfo=UTC)  # the ticks continue into the next day


@pytest.mark.timeout(900)
def test_a_replay_that_was_killed_and_then_stopped_publishes_each_tick_once(
    topics: Topics, script: StartScript, tmp_path: Path
) -> None:
    rows = [f"2024-01-05T14:30:00.{n // 40:03}Z,{'ABC'[n % 3]},{n + 1},{n % 7}\n" for n in range(ROWS)]
    path = tmp_path / "ticks.csv"
    path.write_text("timestamp,symbol,price,volume\n" + "".join(rows))
    flags = ("--source", "replay", "--replay-file", str(path))
    slowly = ("--replay-speed", "0.025")  # 1,000 ticks per second

    first = script(PRODUCER, *flags, *slowly, env=topics.env)
    wait_until(lambda: len(topics.records(topics.topic)) > 500, "ticks", PATIENCE)
    first.kill()
    killed_at = len(topics.records(topics.topic))
    assert killed_at < ROWS

    second = script(PRODUCER, *flags, *slowly, "--resume", env=topics.env)
    wait_until(lambda: len(topics.records(topics.topic)) > killed_at + 500, "further ticks", PATIENCE)
    second.interrupt()
    assert second.wait(PATIENCE) == 0, second.output
    assert "--resume: the log has " in second.stderr
    stopped_at = len(topics.records(topics.topic))
    assert stopped_at < ROWS

    last = script(PRODUCER, *flags, "--replay-speed", "max", "--resume", env=topics.env)
    assert last.wait(PATIENCE) == 0, last.output
    assert f"--resume: the log has {stopped_at:,} ticks of this replay" in last.stderr

    by_symbol: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for record in topics.records(topics.topic):
        tick = json.loads(record.value or b"")
        by_symbol[tick["symbol"]].append(tick)
    for place, symbol in enumerate("ABC"):
        ticks = by_symbol[symbol]
        assert [tick["price"] for tick in ticks] == [n + 1 for n in range(place, ROWS, 3)], "each once, in order"
        assert [tick["seq"] for tick in ticks] == list(range(1, len(ticks) + 1))
    assert len({tick["producer"] for ticks in by_symbol.values() for tick in ticks}) == 1, "it is one run"


def a_tick(number: int) -> Tick:
    moment = MORNING + timedelta(milliseconds=number)
    return Tick(f"S{number % 80:02}", 100 + number / 8, moment, volume=number / 4, change_percent=number / 1e3)


def elsewhere(topics: Topics, tmp_path: Path) -> Topics:
    """A second, empty topic on the same stack."""
    if isinstance(topics, KafkaTopics):
        return KafkaTopics(topics.servers, f"{topics.topic}-again")
    return EmbeddedTopics(tmp_path / "again.db", topics.topic)


@pytest.mark.timeout(900)
def test_the_recording_command_killed_while_it_reads_and_while_it_writes_goes_on_and_gives_the_same_points(
    topics: Topics, script: StartScript, tmp_path: Path
) -> None:
    folder = tmp_path / "rec"
    ticks = [a_tick(number) for number in range(2_000)]

    def send(start: int, end: int) -> None:
        topics.send(topics.topic, [(tick.symbol.encode(), encode(tick)) for tick in ticks[start:end]])

    def files() -> list[Path]:
        return sorted(folder.glob("[!.]*/*/*.parquet"))

    topics.create(topics.topic)
    send(0, 1_000)
    reading = script(PRODUCER, "--record", str(folder), env=topics.env)
    wait_until((folder / "recording.json").is_file, "place of the recording", PATIENCE)
    reading.kill()
    assert not files(), "nothing is written before its time"

    writing = script(PRODUCER, "--record", str(folder), env=topics.env)
    writing.wait_for("1,000 ticks read up to the end of the topic", PATIENCE)
    writing.terminate()  # before it ends, it has 160 files to write
    wait_until(lambda: bool(files()), "file", PATIENCE)
    writing.kill()
    for file in files():
        assert len(pd.read_parquet(file)) > 0, "a file is whole"

    send(1_000, 2_000)
    last = script(PRODUCER, "--record", str(folder), env=topics.env)
    last.wait_for("ticks read up to the end of the topic", PATIENCE)
    last.terminate()
    assert last.wait(PATIENCE) == 0, last.output
    table = tickflow.read(folder)
    assert sorted(table["price"]) == [tick.price for tick in ticks], "each tick once"
    assert not list((folder / ".writing").glob("*.parquet")), "no half file is left"

    again = elsewhere(topics, tmp_path)
    replay = script(
        PRODUCER, "--source", "replay", "--replay-file", str(folder), "--replay-speed", "max", env=again.env
    )
    assert replay.wait(PATIENCE) == 0, replay.output
    points = [
        oracle.expected_points(
            [(each.partition, each.offset, each.value or b"") for each in where.records(where.topic)]
        )
        for where in (topics, again)
    ]
    assert len(points[0]) == 2_000
    pd.testing.assert_frame_equal(points[0], points[1], check_exact=True)
