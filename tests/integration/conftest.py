"""The log of either stack, for tests of what must hold on both."""

from pathlib import Path

import pytest

from tests.integration.topics import EmbeddedTopics, KafkaTopics, Topics


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def topics(request: pytest.FixtureRequest, topic: str, tmp_path: Path) -> Topics:
    """The topics of each stack in turn; the tick topic does not exist yet."""
    if request.param == "embedded":
        return EmbeddedTopics(tmp_path / "log.db", topic)
    return KafkaTopics(request.getfixturevalue("kafka_servers"), topic)
