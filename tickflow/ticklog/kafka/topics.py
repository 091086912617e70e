"""The tick topic and its dead-letter topic: created if missing, otherwise used as they are."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from tickflow.errors import LogUnavailable, SettingError
from tickflow.ticklog.kafka.cluster import Cluster, MayNotCreate

DEFAULT_LIMIT_BYTES = 1_048_588
"""The broker's default `max.message.bytes`, for clusters that do not report it."""

LEAST_LETTER_BYTES = 2**17
"""The smallest `max.message.bytes` of a dead-letter topic: enough for a cut letter with its headers."""

LARGEST_BYTES = 2**31 - 1
"""The largest `max.message.bytes` that Kafka accepts."""

HEADROOM_BYTES = 2**20
"""How much larger a dead letter may be than its record, in bytes: space for its headers."""

_DAY_MS = 86_400_000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewTopic:
    """The settings that a topic is created with; `None` leaves a setting to the brokers. See KAFKA_REPLICAS and the
    settings after it.
    """

    replicas: int | None = None
    min_insync: int | None = None
    compression: str | None = None
    retention_days: float | None = None

    def __post_init__(self) -> None:
        if self.replicas and self.min_insync and self.min_insync > self.replicas:
            expected = f"KAFKA_REPLICAS ({self.replicas}) or less: nothing could be written to the topic"
            raise SettingError("KAFKA_MIN_INSYNC_REPLICAS", str(self.min_insync), expected)

    def configs(self, own: Mapping[str, str]) -> dict[str, str]:
        """The topic settings to create a topic with: those of this instance, and `own`, which the purpose of the topic
        needs.
        """
        wanted = {"message.timestamp.type": "LogAppendTime"}
        if self.min_insync is not None:
            wanted["min.insync.replicas"] = str(self.min_insync)
        if self.compression is not None:
            wanted["compression.type"] = self.compression
        # A compacted topic is a table of the newest record of each key, and these records do not expire.
        if self.retention_days is not None and own.get("cleanup.policy", "delete") != "compact":
            wanted["retention.ms"] = str(round(self.retention_days * _DAY_MS))
        return {**wanted, **own}


AS_THE_BROKERS_DO = NewTopic()


def prepare(
    cluster: Cluster, topic: str, dead_letters: str | None, partitions: int, new: NewTopic = AS_THE_BROKERS_DO
) -> dict[str, int]:
    """Create either topic if it is missing; return the size limit of a record in each topic, in bytes.

    `dead_letters` is `None` for programs that write no dead letters.

    On a new topic, the broker sets the time of each record, since the rule against ticks from the future depends on it.
    Raises what kafka-python raises, and `SettingError` for settings of an existing topic with which the worker cannot
    work.
    """
    admin = cluster.connect(KafkaAdminClient)
    try:
        missing = missing_of(admin.describe_topics([topic] if dead_letters is None else [topic, dead_letters]))
        if topic in missing:
            _create(admin, topic, partitions, {}, new)
        settings = _settings(admin, topic)
        if settings.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime":
            _logger.warning(
                "the topic %s keeps its producers' times (message.timestamp.type=CreateTime): ticks from the future "
                "cannot be recognised and are not refused; set it to LogAppendTime to have them refused",
                topic,
            )
        if "compact" in settings.get("cleanup.policy", ""):
            _logger.warning(
                "the topic %s is compacted (cleanup.policy=%s): Kafka deletes all but the newest tick of each symbol, "
                "so that a restart or an audit cannot recompute the windows; set its cleanup.policy to delete",
                *(topic, settings["cleanup.policy"]),
            )
        limits = {topic: int(settings.get("max.message.bytes", DEFAULT_LIMIT_BYTES))}
        if dead_letters is None:
            _check_replicas(admin, {topic: settings})
            return limits
        needed = min(limits[topic] + HEADROOM_BYTES, LARGEST_BYTES)
        if dead_letters in missing:
            _create(admin, dead_letters, 1, {"max.message.bytes": str(needed)}, new)
        of_letters = _settings(admin, dead_letters)
        limits[dead_letters] = int(of_letters.get("max.message.bytes", needed))
        if limits[dead_letters] < LEAST_LETTER_BYTES:
            raise SettingError(
                f"max.message.bytes of the topic {dead_letters}",
                str(limits[dead_letters]),
                f"{LEAST_LETTER_BYTES} or more, so that a refused record fits at least cut (kafka-configs.sh --alter)",
            )
        _check_replicas(admin, {topic: settings, dead_letters: of_letters})
        if limits[dead_letters] < needed:
            _logger.warning(
                "the topic %s takes records of %s bytes at most: larger refused records are cut; to keep them "
                "whole, set its max.message.bytes to %s",
                *(dead_letters, limits[dead_letters], needed),
            )
        return limits
    finally:
        admin.close()


def make(
    cluster: Cluster, topic: str, partitions: int, configs: Mapping[str, str], new: NewTopic = AS_THE_BROKERS_DO
) -> None:
    """Create another topic if it is missing. Raises `LogUnavailable`."""
    try:
        admin = cluster.connect(KafkaAdminClient)
        try:
            if missing_of(admin.describe_topics([topic])):
                _create(admin, topic, partitions, configs, new)
        finally:
            admin.close()
    except TopicAuthorizationFailedError as error:
        raise cluster.failure(error) from error
    except KafkaError as error:
        raise LogUnavailable(
            f"{cluster.where}: the topic {topic} cannot be created: {cluster.explain(error)}"
        ) from error


def check_rights(cluster: Cluster, topic: str) -> None:
    """Raise kafka-python's `TopicAuthorizationFailedError` for a topic that this user may not see: a consumer's list of
    topics leaves it out, as if it did not exist.
    """
    admin = cluster.connect(KafkaAdminClient)
    try:
        missing_of(admin.describe_topics([topic]))
    finally:
        admin.close()


def missing_of(described: Iterable[Mapping[str, Any]]) -> set[str]:
    """Which of the topics that an admin client described do not exist. Raises kafka-python's error for one that could
    not be described.
    """
    missing = set()
    for found in described:
        error = for_code(found["error_code"])
        if error is UnknownTopicOrPartitionError:
            missing.add(found["name"])
        elif found["error_code"]:
            raise error(found["name"])
    return missing


def _check_replicas(admin: Any, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `SettingError` for a topic that requires more in-sync copies of a record than it has: nothing can be
    written to it.
    """
    for found in admin.describe_topics(list(settings)):
        wanted = int(settings[found["name"]].get("min.insync.replicas", 1))
        copies = min((len(each["replica_nodes"]) for each in found["partitions"]), default=wanted)
        if copies < wanted:
            raise SettingError(
                f"min.insync.replicas of the topic {found['name']}",
                str(wanted),
                f"{copies} or less, as the topic has no more replicas: nothing can be written to it",
            )


def _create(admin: Any, topic: str, partitions: int, configs: Mapping[str, str], new: NewTopic) -> None:
    wanted = {
        "num_partitions": partitions,
        "replication_factor": -1 if new.replicas is None else new.replicas,  # -1: the broker's default
        "configs": new.configs(configs),
    }
    try:
        admin.create_topics({topic: wanted})
    except TopicAlreadyExistsError:
        pass  # another process has created it in the meantime
    except InvalidReplicationFactorError as error:
        raise _too_many_replicas(admin, topic, new) from error
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        raise MayNotCreate(topic) from error
    else:
        _logger.info("created the topic %s with %d partition%s", topic, partitions, "s"[: partitions > 1])
    admin.wait_for_topics([topic])


def _too_many_replicas(admin: Any, topic: str, new: NewTopic) -> SettingError:
    brokers = len(admin.describe_cluster()["brokers"])
    expected = f"{brokers} or less, the number of brokers that can take a copy of the topic {topic} now"
    if new.replicas is None:
        return SettingError("default.replication.factor of the brokers", None, f"{expected}; or set KAFKA_REPLICAS")
    return SettingError("KAFKA_REPLICAS", str(new.replicas), expected)


def _settings(admin: Any, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = admin.describe_configs([resource], config_filter="all")["topic"].get(topic, {})
    return {name: entry["value"] for name, entry in found.items()}
