"""The producer is killed (kill -9): the log has every acknowledged tick, and gaps in `seq` show the lost ones."""

import json
from collections import defaultdict
from pathlib import Path

from tests import oracle
from tests.conftest import StartScript
from tests.faults.case import WRAPPER, often
from tests.faults.conftest import MakeCase
from tests.faults.stands import Stand
from tests.integration.chain import wait_until


def test_kill_of_the_producer(case: MakeCase, stand: Stand, script: StartScript, tmp_path: Path) -> None:
    times = often(2, 20)
    one = case("`kill -9` of the producer", stand)
    worker = one.worker()
    worker.wait_for("is ours", 30)
    for number in range(times):
        journal = tmp_path / f"journal-{number}"
        env = stand.env | {"FAULT_JOURNAL": str(journal)}
        producer = script(WRAPPER, "journal", "--interval", "0.02", env=env)
        wait_until(lambda path=journal: bool(oracle.read_journal(path)), "acknowledgement", 30)  # type: ignore[misc]
        one.pause(0.0, 1.5)
        assert producer.is_running, producer.output
        producer.kill()
        if number == 0:
            worker = one.relieve(worker)
        noted = oracle.read_journal(journal)
        assert noted
        one.journal += noted
    one.recover()
    one.finish(times)
    numbers = defaultdict(list)
    for record in stand.all_records(stand.topic):
        tick = json.loads(record.value or b"")
        numbers[tick["producer"], tick["symbol"]].append(tick["seq"])
    assert len({run for run, _ in numbers}) == times
    assert [seqs for seqs in numbers.values() if seqs != list(range(1, len(seqs) + 1))] == []
