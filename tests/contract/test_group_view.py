"""Tests of what both logs report about a consumer group to a program outside the group."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.ticklogs import EmbeddedLogs, KafkaLogs, Logs, join, publish
from tests.waiting import until
from tickflow.errors import LogUnavailable
from tickflow.ticklog.base import Bounds, Commit, GroupView, Position, TickLog


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def logs(request: pytest.FixtureRequest, tmp_path: Path, topic: str) -> Iterator[Logs]:
    if request.param == "kafka":
        logs: Logs = KafkaLogs(request.getfixturevalue("kafka_servers"), topic)
    else:
        logs = EmbeddedLogs(tmp_path / "data" / "log.db", topic)
    yield logs
    logs.close()


def looked(log: TickLog) -> GroupView:
    """The log's view of the group; retries, since a broker creates its topic of groups at the first request."""
    found: list[GroupView] = []

    def answered() -> bool:
        with suppress(LogUnavailable):
            found.append(log.group_view())
        return bool(found)

    until(answered, "an answer about the group")
    return found[0]


def test_a_group_without_a_member_has_bounds_and_no_owner(logs: Logs) -> None:
    log = logs.open()
    publish(log, *[b"x"] * 5)
    view = looked(log)
    assert (view.members, view.owners) == ((), {})
    assert view.lag == {0: 5}


def test_a_member_owns_its_partition_and_its_commit_is_seen(logs: Logs) -> None:
    writer, reader = logs.open(), logs.open()
    publish(writer, *[b"x"] * 5)
    reader.subscribe()
    epochs = join(reader)
    reader.commit({0: Position(4, "mine", epochs[0])})
    view = writer.group_view()
    assert (view.state, set(view.owners), len(view.members)) == ("stable", {0}, 1)
    assert view.committed == {0: Commit(4, "mine")}
    assert (view.bounds, view.lag) == ({0: Bounds(0, 5)}, {0: 1})


def test_viewing_the_group_does_not_disturb_its_member(logs: Logs) -> None:
    writer, reader = logs.open(), logs.open()
    publish(writer, b"x")
    reader.subscribe()
    epochs = join(reader)
    for _ in range(3):
        writer.group_view()
        assert not reader.poll(0.3).revoked
    assert reader.commit({0: Position(1, "", epochs[0])}) == {0}
