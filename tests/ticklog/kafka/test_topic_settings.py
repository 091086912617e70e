"""Unusable settings of a topic end a script with an error message; all others are accepted."""

from collections.abc import Mapping

import pytest
from kafka.admin import KafkaAdminClient

from tests.contract.ticklogs import KafkaLogs, join, publish, read
from tickflow.errors import SettingError

pytestmark = pytest.mark.kafka


def create(servers: str, topic: str, configs: Mapping[str, str]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": dict(configs)}})
    admin.close()


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31 - 2**20])
def test_a_topic_without_a_size_limit_works(kafka_servers: str, topic: str, limit: int) -> None:
    create(kafka_servers, topic, {"max.message.bytes": str(limit)})
    logs = KafkaLogs(kafka_servers, topic)
    log = logs.reader()
    publish(log, b"1")
    log.post(b"AAPL", b"2", (), log.dead_letter_topic)
    log.flush(10)
    join(log)
    log.seek(0, 0)
    assert [record.value for record in read(log, 1)] == [b"1"]
    logs.close()


@pytest.mark.parametrize(
    ("suffix", "configs", "words"),
    [
        (
            ".dlq",
            {"max.message.bytes": "100000"},
            r"max.message.bytes of the topic .*\.dlq is '100000'; expected 131072",
        ),
        (".dlq", {"min.insync.replicas": "2"}, r"min.insync.replicas of the topic .*\.dlq is '2'; expected 1 or less"),
        ("", {"min.insync.replicas": "3"}, r"min.insync.replicas of the topic test-\w+ is '3'; expected 1 or less"),
    ],
)
def test_an_unusable_topic_ends_in_a_sentence_with_its_name_and_setting(
    kafka_servers: str, topic: str, suffix: str, configs: dict[str, str], words: str
) -> None:
    create(kafka_servers, f"{topic}{suffix}", configs)
    logs = KafkaLogs(kafka_servers, topic)
    with pytest.raises(SettingError, match=words):
        logs.open()
    logs.close()
