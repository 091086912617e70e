"""Tests of the log lines of worker and producer: the script's name, its start, its end, and with DEBUG each step."""

import re

from tests.conftest import StartScript
from tests.integration.chain import Chain


def test_a_first_start_warns_of_nothing_and_each_line_has_its_name(script: StartScript, chain: Chain) -> None:
    worker = script("stock_analytics.py", env=chain.env | {"LOG_LEVEL": "DEBUG"})
    worker.wait_for("is ours", 30)
    producer = script("stock_producer.py", "--ticks", "12", "--interval", "0", env=chain.env)
    assert producer.wait(30) == 0
    chain.wait_for_points(84)
    worker.wait_for("committed", 30)
    worker.terminate()
    assert worker.wait(15) == 0
    for one, name in ((worker, rf"[\w.-]+-{worker.process.pid}|[\w.-]+-\d+"), (producer, "producer")):
        # At a load of 15, the first answer of Kafka took more than the second after which a wait is logged.
        lines = [line for line in one.stderr.splitlines() if not line.endswith("no answer yet")]
        assert [line for line in lines if not re.match(rf"\S+ (INFO|DEBUG) ({name}): ", line)] == []
        assert lines[-1].endswith(": ended")
    for step in ("rebalance: revoked [], assigned [", "batch: partition ", "committed {", "asked to stop"):
        assert step in worker.stderr, step
