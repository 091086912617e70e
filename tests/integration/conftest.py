"""The topics and the whole chain of each stack, for tests of what must hold on both."""

from pathlib import Path

import pytest

from devtools.servers import InfluxServer
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain
from tests.integration.topics import EmbeddedTopics, KafkaTopics, Topics


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def topics(request: pytest.FixtureRequest, topic: str, tmp_path: Path) -> Topics:
    """The topics of each stack in turn; the tick topic does not exist yet."""
    if request.param == "embedded":
        return EmbeddedTopics(tmp_path / "log.db", topic)
    return KafkaTopics(request.getfixturevalue("kafka_servers"), topic)


@pytest.fixture
def kafka_chain(kafka_servers: str, topic: str, influx: InfluxServer, bucket: str) -> KafkaChain:
    """A chain of its own on real Kafka and InfluxDB."""
    return KafkaChain(kafka_servers, topic, influx, bucket)


@pytest.fixture
def embedded_chain(tmp_path: Path) -> EmbeddedChain:
    """A chain of its own on an embedded file."""
    return EmbeddedChain(tmp_path / "stocks.db")


@pytest.fixture(params=["kafka", "embedded"])
def chain(request: pytest.FixtureRequest) -> Chain:
    """The chain of each stack in turn."""
    found: Chain = request.getfixturevalue(f"{request.param}_chain")
    return found
