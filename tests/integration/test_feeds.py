"""docs/feeds.md: each client's example publishes an accepted tick, and the table of refusals matches the code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from devtools.building import kafka_libs
from tests import markdown
from tests.conftest import unavailable
from tests.oracle.logs import read_kafka_records
from tickflow.ticklog.base import Entry
from tickflow.ticks.cures import CURES
from tickflow.ticks.tick import decode

DOCUMENT = "docs/feeds.md"
PARTITIONS = 6
UNREACHABLE = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "handshake",
    "Forbidden",
    "proxyconnect",
)
"""Parts of Go's error messages where the network has no module proxy."""


def test_the_table_of_refusals_is_that_of_the_code() -> None:
    expected = [[f"`{reason}`", *words] for reason, words in CURES.items()]
    assert markdown.table(DOCUMENT, "Why records are refused") == expected


@pytest.fixture
def feed_topic(kafka_servers: str, topic: str) -> str:
    """A new topic with several partitions."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers.split(","))
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
    admin.close()
    return topic


def block(heading: str, language: str) -> str:
    """The content of the section's first fenced block in that language."""
    _, _, rest = markdown.section(DOCUMENT, heading).partition(f"```{language}\n")
    return rest.partition("```")[0]


def go_program(folder: Path) -> list[str]:
    """Compile the document's Go program; return its command. Skips the test if its module cannot be downloaded."""
    (folder / "main.go").write_text(block("Go, franz-go", "go"), encoding="utf-8")
    for command in ("go mod init feed", "go mod edit -require=github.com/twmb/franz-go@v1.18.1", "go mod tidy"):
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode and any(word in done.stderr for word in UNREACHABLE):
            pytest.skip(f"the network does not give Go the module franz-go: {done.stderr[-200:]}")
        assert done.returncode == 0, done.stderr
    subprocess.run(["go", "build", "-o", "feed", "."], cwd=folder, check=True, capture_output=True, timeout=300)
    return [str(folder / "feed")]


def command_of(client: str, folder: Path) -> list[str]:
    """The command that runs the document's example for that client."""
    if client == "Go, franz-go":
        if not shutil.which("go"):
            unavailable("no go on this machine: apt-get install golang-go")
        return go_program(folder)
    if client.startswith("Python"):
        return [sys.executable, "-c", block(client, "python")]
    script = block(client, "console")
    if client == "kcat" and not shutil.which("kcat"):
        unavailable("no kcat on this machine: apt-get install kcat")
    java = f"java -cp '{kafka_libs()}/*' org.apache.kafka.tools.ConsoleProducer"
    return ["bash", "-euo", "pipefail", "-c", script.replace("kafka-console-producer.sh", java)]


@pytest.mark.kafka
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "client",
    ["Python, confluent-kafka", "Python, kafka-python", "Kafka's console producer (Java)", "kcat", "Go, franz-go"],
)
def test_the_example_publishes_an_accepted_tick_to_the_partition_of_its_symbol(
    kafka_servers: str, feed_topic: str, tmp_path: Path, client: str
) -> None:
    env = os.environ | {"KAFKA_SERVERS": kafka_servers, "KAFKA_TOPIC": feed_topic}
    for command in (command_of(client, tmp_path), command_of("Python, kafka-python", tmp_path)):
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    records = read_kafka_records(kafka_servers, feed_topic)
    found = [Entry(each.partition, each.offset, each.key, each.value, 0, 0) for each in records]
    ticks, refused = decode(found)
    assert not refused
    assert ticks.symbols == ["AAPL", "AAPL"]
    assert len({each.partition for each in found}) == 1, "one symbol is in one partition, whoever publishes it"
