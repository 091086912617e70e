"""Tests of the problems that `status` reports, and of the states that it accepts."""

from dataclasses import replace

import pytest

from tickflow.metrics import fields
from tickflow.store.base import WorkerStatus
from tickflow.telemetry.health import State
from tickflow.ticklog.base import Bounds, Commit, GroupView
from tickflow.verbs.status import lines
from tickflow.verbs.verdict import Evidence, troubles
from tickflow.worker.restore import to_metadata
from tickflow.worker.status import ENDED

SECOND = 10**9
NOW = 1_767_623_400 * SECOND
WORKING = WorkerStatus("host-7", NOW - SECOND, NOW - SECOND, NOW, 0, 1_000, 1, 0, "", state=State.FINE)
GROUP = GroupView("stable", ("host-7",), {0: "host-7"}, {0: Commit(90, "")}, {0: Bounds(0, 100)})
FINE = Evidence(NOW, "stock-ticks", "g", GROUP, statuses=(WORKING,), oldest_seconds={0: 1.0}, newest_append_ns=NOW)


def test_a_system_that_works_has_no_trouble() -> None:
    assert troubles(FINE) == []
    assert troubles(replace(FINE, file="data/stocks.db", free_bytes=10**9)) == []


def test_a_worker_that_was_asked_to_stop_is_not_reported() -> None:
    ended = replace(WORKING, worker="host-6", written_at=NOW - 3_600 * SECOND, state=ENDED)
    assert troubles(replace(FINE, statuses=(WORKING, ended))) == []


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (replace(FINE, group=None, log_trouble="no answer within 3 s"), "the log cannot be read: no answer within"),
        (replace(FINE, statuses=None, store_trouble="the token is wrong"), "the store does not answer: the token is"),
        (replace(FINE, group=GroupView("unknown")), "there is no topic stock-ticks yet"),
        (replace(FINE, group=replace(GROUP, state="rebalancing")), "the group g is rebalancing"),
        (replace(FINE, group=replace(GROUP, state="empty", members=(), owners={})), "no worker of the group g runs"),
        (replace(FINE, group=replace(GROUP, owners={})), "1 partition without an owner (0)"),
        (
            replace(FINE, oldest_seconds={0: 90.0}),
            "10 records in 1 partition wait to be stored, the oldest for 1 m 30 s",
        ),
        (replace(FINE, newest_append_ns=NOW - 120 * SECOND), "no record has arrived for 2 m 0 s: check the producer"),
        (
            replace(FINE, statuses=(replace(WORKING, written_at=NOW - 31 * SECOND),)),
            "1 worker silent for 30 s or longer (host-7)",
        ),
        (replace(FINE, statuses=()), "a worker is in the group, but none has ever reported to the store"),
        (replace(FINE, statuses=(replace(WORKING, held_up_by="no disk"),)), "host-7 is held up: no disk"),
        (
            replace(FINE, statuses=(replace(WORKING, state=State.RESTORING, doing="restoring: 40% done"),)),
            "host-7 writes nothing yet: restoring: 40% done",
        ),
        (replace(FINE, statuses=(replace(WORKING, notice="ticks are expired"),)), "host-7: ticks are expired"),
        (replace(FINE, statuses=(replace(WORKING, foreign=2),)), "host-7 found 2 commits of another program"),
        (
            replace(FINE, file="data/stocks.db", free_bytes=1_500_000),
            "the disk of the file data/stocks.db (EMBEDDED_FILE) has 1.5 MB left: free some space",
        ),
        (replace(FINE, given_up=3), "messages about 3 alerts of the last day were given up"),
        (replace(FINE, statuses=(replace(WORKING, refused=500),)), "host-7 refused 33% of 1,500 records"),
    ],
)
def test_each_trouble_gives_one_sentence(evidence: Evidence, words: str) -> None:
    (found,) = troubles(evidence)
    assert found.startswith(words)


def test_all_silent_workers_together_give_one_sentence() -> None:
    silent = tuple(replace(WORKING, worker=f"w{n}", written_at=NOW - 60 * SECOND) for n in range(8))
    (found,) = troubles(replace(FINE, statuses=(WORKING, *silent)))
    assert found.startswith("8 workers silent for 30 s or longer (w0, w1, w2, w3, w4, …)")


def test_feeds_that_ended_long_ago_or_never_began_are_not_reported() -> None:
    assert troubles(replace(FINE, newest_append_ns=NOW - 7_200 * SECOND)) == []
    assert troubles(replace(FINE, newest_append_ns=None)) == []


def test_commits_of_another_version_of_the_computation_are_reported() -> None:
    own = Commit(90, to_metadata(90, 0))
    older = Commit(90, own.metadata.replace(fields.VERSION, "0-00000000"))

    def said(commit: Commit) -> list[str]:
        of_status = lines(replace(FINE, group=replace(GROUP, committed={0: commit})), [])
        return [line for line in of_status if "another version of the computation" in line]

    (words,) = said(older)
    assert words.startswith("1 partition last committed by another version of the computation (0-00000000; this ")
    assert fields.VERSION in words
    assert not said(own)
