"""`--source topic`: each record becomes a tick at least once, even after a kill -9, on both stacks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartScript
from tests.integration.chain import wait_until
from tests.integration.topics import Topics
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import decode

MAP = """
symbol = "data.s"
price = "data.p"
timestamp = "data.t"
epoch = "ms"
volume = "data.v"
source = "raw_feed"
"""
SYMBOLS = ("AAPL", "MSFT", "TSLA")


def raw(number: int) -> bytes:
    data = {"s": SYMBOLS[number % 3], "p": f"{100 + number / 100}", "t": 1_767_623_400_000 + number, "v": str(number)}
    return json.dumps({"type": "trade", "data": data}).encode()


def records(numbers: range) -> Iterator[tuple[bytes | None, bytes]]:
    for number in numbers:
        yield None, b"not json" if number % 100 == 50 else raw(number)


@pytest.mark.timeout(300)
def test_each_record_becomes_a_tick_at_least_once_even_across_a_kill(
    topics: Topics, script: StartScript, tmp_path: Path
) -> None:
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    source = f"{topics.topic}-raw"
    topics.create(source)
    topics.send(source, records(range(2_000)))
    lines = {**topics.env, "SOURCE": "topic", "FROM_TOPIC": source, "FROM_TOPIC_MAP": str(tmp_path / "map.toml")}
    (tmp_path / ".env").write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
    flags = ("--source", "topic", "--from-topic", source, "--map", str(tmp_path / "map.toml"))

    def ticks() -> dict[float, tuple[str, float, int | None]]:
        published = topics.records(topics.topic)
        found, refused = decode([Entry(each.partition, each.offset, each.key, each.value, 0, 0) for each in published])
        assert not refused
        assert set(found.sources) <= {"raw_feed"}
        rows = zip(found.volumes.tolist(), found.symbols, found.prices.tolist(), found.seqs, strict=True)
        return {volume: (symbol, price, seq) for volume, symbol, price, seq in rows}

    first = script("stock_producer.py")  # all settings come from .env
    wait_until(lambda: len(ticks()) > 500, "ticks")
    first.kill()
    topics.send(source, records(range(2_000, 3_000)))
    (tmp_path / ".env").write_text("", encoding="utf-8")
    second = script("stock_producer.py", *flags, env=topics.env)
    expected = [number for number in range(3_000) if number % 100 != 50]
    wait_until(lambda: len(ticks()) == len(expected), "ticks", 90)
    found = ticks()
    assert sorted(found) == expected
    assert all(found[n][:2] == (SYMBOLS[n % 3], 100 + n / 100) for n in expected)
    places = {(each.partition, each.value): each.offset for each in topics.records(source)}
    assert {(value, found[n][2]) for n in expected for value in [raw(n)]} == {
        (value, offset) for (_, value), offset in places.items() if value != b"not json"
    }
    second.terminate()
    assert second.wait(60) == 0
    assert "left out of" in second.stderr + first.stderr

    before = len(topics.records(topics.topic))
    third = script("stock_producer.py", *flags, env=topics.env)
    topics.send(source, records(range(3_000, 3_001)))
    wait_until(lambda: len(topics.records(topics.topic)) > before, "one more tick")
    third.terminate()
    assert third.wait(60) == 0
    assert len(topics.records(topics.topic)) == before + 1, "after a clean stop nothing is published twice"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "FROM_TOPIC is not set; expected the topic to read"),
        ({"FROM_TOPIC": "raw"}, "FROM_TOPIC_MAP is not set; expected the TOML file that maps"),
        ({"FROM_TOPIC": "ticks", "FROM_TOPIC_MAP": "map.toml"}, "a topic other than KAFKA_TOPIC"),
        ({"FROM_TOPIC": "raw", "FROM_TOPIC_MAP": "none.toml"}, "FROM_TOPIC_MAP is 'none.toml'; expected a map"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_read(
    script: StartScript, tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "log.db"), "SOURCE": "topic", "KAFKA_TOPIC": "ticks"}
    run = script("stock_producer.py", env=env | settings)
    assert run.wait() == 2
    assert sentence in run.stderr
    assert "Traceback" not in run.output
    assert not (tmp_path / "log.db").exists()
