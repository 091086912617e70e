"""A consumer group as the brokers see it: the owners of partitions, the commits, and the ends of the log."""

from collections.abc import Mapping
from typing import Any

from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import GroupAuthorizationFailedError, KafkaError
from kafka.structs import TopicPartition

from tickflow.ticklog.base import Bounds, Commit, GroupView
from tickflow.ticklog.kafka.cluster import Cluster
from tickflow.ticklog.kafka.topics import missing_of

REQUEST_MS = 2_000
READ_COMMITTED = 1
_STATES = {"Stable": "stable", "Empty": "empty", "Dead": "unknown"}


def view(cluster: Cluster, topic: str, group: str) -> GroupView:
    """The group as its coordinator sees it. Raises `LogUnavailable`."""
    try:
        admin = cluster.connect(KafkaAdminClient, request_timeout_ms=REQUEST_MS)
    except KafkaError as error:
        raise cluster.failure(error) from error
    try:
        return _view(admin, topic, group)
    except GroupAuthorizationFailedError as error:
        # kafka-python's error has the group's name only within a sentence; ours needs the bare name.
        raise cluster.failure(GroupAuthorizationFailedError(group)) from error
    except KafkaError as error:
        raise cluster.failure(error) from error
    finally:
        admin.close()


def _view(admin: Any, topic: str, group: str) -> GroupView:
    described = admin.describe_topics([topic])
    if missing_of(described):
        return GroupView("unknown")
    partitions = sorted(part["partition_index"] for found in described for part in found.get("partitions") or ())
    places = [TopicPartition(topic, number) for number in partitions]
    if not places:
        return GroupView("unknown")
    found = admin.describe_groups([group])[group]
    starts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST), timeout_ms=REQUEST_MS)
    ends = admin.list_partition_offsets(
        dict.fromkeys(places, OffsetSpec.LATEST), isolation_level=READ_COMMITTED, timeout_ms=REQUEST_MS
    )
    committed = admin.list_group_offsets({group: None}).get(group) or {}
    return GroupView(
        state=_STATES.get(found["group_state"], "rebalancing"),
        members=tuple(sorted(member["client_id"] for member in found["members"])),
        owners=owners_of(found["members"], topic),
        committed={
            place.partition: Commit(at.offset, at.metadata or "")
            for place, at in committed.items()
            if place.topic == topic and at.offset >= 0
        },
        bounds={place.partition: Bounds(starts[place].offset, ends[place].offset) for place in places},
    )


def owners_of(members: list[Mapping[str, Any]], topic: str) -> dict[int, str]:
    """For each partition of the topic, the client id of its owner; `members` are the members of the group."""
    owners: dict[int, str] = {}
    for member in members:
        assignment = member["member_assignment"]
        if not isinstance(assignment, Mapping):  # the group uses the protocol of another program
            continue
        for assigned in assignment.get("assigned_partitions", ()):
            if assigned["topic"] == topic:
                owners |= dict.fromkeys(assigned["partitions"], member["client_id"])
    return owners
