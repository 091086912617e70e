"""Tests of the verb `status` as a process, while the servers are running, down or frozen."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devtools.servers import Influxd
from tests.conftest import StartScript
from tests.integration.chain import EmbeddedChain, KafkaChain, wait_until
from tests.scripts import Script

LOADED_SECONDS = 20.0
"""How long the verb may take on a busy machine: at a load average of 15, starting Python takes seconds. The verb's own
limit is 3 s.
"""


def asked(script: StartScript, env: Mapping[str, str], *flags: str) -> Script:
    done = script("stock_analytics.py", "status", *flags, env=env)
    done.wait(60)
    return done


def as_json(script: StartScript, env: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(script, env, "--json").stdout)
    return found


def test_status_succeeds_for_a_working_chain_and_fails_for_a_stopped_one(script: StartScript, tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    producer = script("stock_producer.py", "--interval", "0.2", env=chain.env)
    worker = script("stock_analytics.py", env=chain.env)
    chain.wait_for_points(20)
    wait_until(lambda: as_json(script, chain.env)["ok"], "a system that is fine")
    fine = asked(script, chain.env)
    assert (fine.wait(), fine.stdout.splitlines()[0]) == (0, "Fine: nothing is wrong.")
    worker.terminate()
    assert worker.wait() == 0
    stopped = asked(script, chain.env)
    assert stopped.wait() == 1
    assert stopped.stdout.startswith("TROUBLE: no worker of the group stock-analytics runs")
    assert "1 worker ended within the last day" in stopped.stdout
    producer.terminate()


def test_a_frozen_store_and_an_absent_log_delay_the_status_by_at_most_three_seconds(
    script: StartScript, kafka_servers: str, topic: str, own_influx: Influxd
) -> None:
    chain = KafkaChain(kafka_servers, topic, own_influx.server, "stock_data")
    script("stock_producer.py", "--interval", "0.2", env=chain.env)
    script("stock_analytics.py", env=chain.env)
    found: dict[str, Any] = {}

    def is_fine() -> bool:  # keeps the first good answer, since a later one may be incomplete
        found.update(as_json(script, chain.env))
        return bool(found["ok"])

    wait_until(is_fine, "a system that is fine")
    assert {each["owner"] for each in found["partitions"].values()} == {found["workers"][0]["worker"]}
    own_influx.pause()
    try:
        begun = time.monotonic()
        frozen = asked(script, chain.env)
        took = time.monotonic() - begun
        assert "TROUBLE: the store does not answer: no answer within 3 s" in frozen.stdout
        assert "4 partitions, 1 worker in" in frozen.stdout
        assert frozen.wait() == 1
        assert took < LOADED_SECONDS
        # On a busy machine the 3 s may be over before the reason is known.
        words = "TROUBLE: the log cannot be read: Kafka at 127.0.0.1:1 (KAFKA_SERVERS)"
        absent = chain.env | {"KAFKA_SERVERS": "127.0.0.1:1"}
        wait_until(lambda: words in asked(script, absent).stdout, "the reason why the log cannot be read")
    finally:
        own_influx.resume()


def test_watching_ends_when_it_is_asked_to(script: StartScript, tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    watching = script("stock_analytics.py", "status", "--watch", env=chain.env)
    watching.wait_for("TROUBLE: no worker of the group", 60)
    watching.terminate()
    assert watching.wait() == 1
