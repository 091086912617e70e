"""Tests of the members that were killed: the next member of the machine has them removed from the group."""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaConnectionError

from tests.contract.ticklogs import join
from tests.scripts import PROJECT
from tests.waiting import until
from tickflow.process import StopEvent
from tickflow.ticklog.kafka import membership
from tickflow.ticklog.kafka.cluster import Cluster
from tickflow.ticklog.kafka.log import KafkaTickLog

MEMBER = """
import sys
from tests.ticklog.kafka.test_membership import member
from tests.contract.ticklogs import join
with member(*sys.argv[1:]) as log:
    print(len(join(log)), flush=True)
    while True:
        log.poll(1.0)
"""
REMOVED = "removed from the group"
pytestmark = pytest.mark.kafka


def member(servers: str, topic: str, group: str, name: str = "") -> KafkaTickLog:
    log = KafkaTickLog(
        [servers], topic=topic, group=group, partitions=3, instance_id=name or None, security={}, stop=StopEvent()
    )
    log.connect()
    log.subscribe()
    return log


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is a member and has all partitions."""
    command = [sys.executable, "-c", MEMBER, *arguments]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "3\n"
            yield started
        finally:
            started.kill()


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files, also for the processes that the test starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / f"tickflow-{os.getuid()}"
    monkeypatch.setattr(membership, "shared_folder", lambda: folder)
    return folder


@pytest.fixture
def admin(kafka_servers: str) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    yield admin
    admin.close()


def ids_of(admin: KafkaAdminClient, group: str) -> set[str]:
    return {each["member_id"] for each in admin.describe_groups([group])[group]["members"]}


@pytest.mark.parametrize("name", ["", "one"])
def test_a_killed_member_is_removed_by_the_next_one(
    kafka_servers: str, topic: str, group: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker itself would remove it 10 s later; it answers that it knew the member."""
    with process(kafka_servers, topic, group, name) as killed:
        killed.kill()
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, group) as log:
        assert len(join(log)) == 3
        until(lambda: REMOVED in caplog.text)


def test_a_named_member_that_is_back_stays(
    kafka_servers: str, topic: str, group: str, folder: Path, admin: KafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It replaces the killed member without a rebalance."""
    with process(kafka_servers, topic, group, "one") as killed:
        killed.kill()
    before = ids_of(admin, group)
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, group, "one") as log:
        assert len(join(log)) == 3
        until(lambda: len(list(folder.glob("*.member"))) == 1, "the killed member's file is gone")
        after = ids_of(admin, group)
        assert len(after) == 1
        assert after != before
    assert REMOVED not in caplog.text


def test_the_broker_keeps_a_named_member_that_is_back(
    kafka_servers: str, topic: str, group: str, folder: Path, admin: KafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Another member may find the killed one's file only after the new one has joined."""
    with process(kafka_servers, topic, group, "one") as killed:
        (path,) = folder.glob("*.member")
        noted = path.read_text()
        killed.kill()
    path.unlink()
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, group, "one") as back:
        join(back)
        kept = ids_of(admin, group)
        path.write_text(noted)
        with member(kafka_servers, topic, group, "two"):
            until(lambda: not path.exists(), "the file is gone")
            assert kept <= ids_of(admin, group)
    assert REMOVED not in caplog.text


@pytest.mark.parametrize("name", ["", "one"])
def test_a_living_member_removes_a_killed_one(
    kafka_servers: str, topic: str, group: str, name: str, admin: KafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    """So its partitions have an owner again though nobody starts it again."""
    with (
        process(kafka_servers, topic, group, name) as killed,
        caplog.at_level(logging.INFO, membership.__name__),
        member(kafka_servers, topic, group) as log,
    ):
        epochs: dict[int, int] = {}

        def count() -> int:
            polled = log.poll(0.2)
            for number in polled.revoked:
                del epochs[number]
            epochs.update(polled.assigned)
            return len(epochs)

        until(lambda: count() in (1, 2), "both members have partitions")
        killed.kill()
        until(lambda: count() == 3, "the living member has all partitions")
        assert len(ids_of(admin, group)) == 1
    assert REMOVED in caplog.text


def test_a_member_whose_process_lives_stays(
    kafka_servers: str, topic: str, group: str, folder: Path, admin: KafkaAdminClient
) -> None:
    with member(kafka_servers, topic, group) as first:
        join(first)
        before = ids_of(admin, group)
        assert len(before) == 1
        with member(kafka_servers, topic, group) as second:

            def are_both_in() -> bool:
                first.poll(0.2)
                second.poll(0.2)
                return len(list(folder.glob("*.member"))) == 2

            until(are_both_in, "both members have a file")
            assert before < ids_of(admin, group)
            files = {path.read_text() for path in folder.glob("*.member")}
            assert files == ids_of(admin, group)
    assert not list(folder.glob("*.member")), "a member that leaves takes its file with it"


def test_a_member_of_another_group_is_not_touched(
    kafka_servers: str, topic: str, group: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = member(kafka_servers, topic, "other" + group)
    join(log)
    (path,) = folder.glob("*.member")
    log.close()
    path.write_text("left behind")
    with member(kafka_servers, topic, group) as other:
        join(other)
        assert path.exists()
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, "other" + group) as same:
        assert len(join(same)) == 3
        until(lambda: not path.exists(), "a member that the broker no longer knows is no trouble")
    assert REMOVED not in caplog.text


def test_a_folder_that_cannot_be_used_is_said_and_costs_only_the_time_out(
    kafka_servers: str, topic: str, group: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("taken")
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, group) as log:
        assert len(join(log)) == 3
    assert "after a kill -9 the group would wait 10 s for this worker" in caplog.text


def test_a_request_that_failed_is_repeated(
    kafka_servers: str,
    topic: str,
    group: str,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file stays until the broker has answered."""
    failures, remove = iter([KafkaConnectionError("away"), OSError("no descriptor")]), membership.Membership._remove

    def fail_first(self: membership.Membership, members: list[MemberToRemove]) -> int:
        for failure in failures:
            raise failure
        return remove(self, members)

    monkeypatch.setattr(membership.Membership, "_remove", fail_first)
    with process(kafka_servers, topic, group, "") as killed:
        killed.kill()
    with caplog.at_level(logging.INFO, membership.__name__), member(kafka_servers, topic, group) as log:
        assert len(join(log)) == 3
        until(lambda: REMOVED in caplog.text)
    assert "could not remove killed members" in caplog.text


def test_only_processes_of_one_kernel_look_at_each_others_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark() -> str:
        return membership.Membership(Cluster(["127.0.0.1:1"], {}, StopEvent()), "g", None)._mark

    here = mark()
    monkeypatch.setattr(membership, "BOOT", tmp_path / "boot_id")
    without = mark()
    membership.BOOT.write_text("another")
    assert len({here, without, mark()}) == 3
