"""What `status` prints of a worker."""

from dataclasses import replace

import pytest

from tests.fakes import MemoryStore
from tickflow.store.base import WorkerStatus
from tickflow.verbs.status import line, show

NOW_NS = 1_767_623_400 * 10**9
WORKING = WorkerStatus("host-7", NOW_NS - 2 * 10**9, NOW_NS - 3 * 10**9, NOW_NS, 5, 1_200, 3, 0, "")


def test_a_working_worker_is_shown_with_its_figures() -> None:
    expected = (
        "host-7: reported 2 s ago, last tick 3 s ago, 5 records to read, 1,200 ticks accepted, 3 refused, 0 expired"
    )
    assert expected == line(WORKING, NOW_NS)


def test_a_worker_without_a_tick_says_so() -> None:
    assert ", no tick yet, " in line(replace(WORKING, processed_at=None), NOW_NS)


def test_what_holds_a_worker_up_is_shown() -> None:
    assert line(replace(WORKING, held_up_by="no broker"), NOW_NS).endswith("0 expired, held up: no broker")


def test_the_old_figures_of_a_worker_that_no_longer_reports_are_left_out() -> None:
    ended = replace(WORKING, written_at=NOW_NS - 192 * 10**9)
    assert line(ended, NOW_NS) == "host-7: no report for 3 m 12 s: it has ended, or cannot reach the store"


def test_workers_that_report_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    store.write_status(replace(WORKING, worker="ended", written_at=NOW_NS - 3_600 * 10**9))
    store.write_status(WORKING)
    show(store, lambda: NOW_NS)
    assert [text.partition(":")[0] for text in capsys.readouterr().out.splitlines()] == ["host-7", "ended"]
