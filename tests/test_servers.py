"""The servers that other tests use can be started, stopped, killed and frozen."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from config import PUBLIC_TOKEN
from devtools import building
from devtools.influxdb import Influxd, InfluxServer
from devtools.kafka import KafkaServer
from devtools.process import ServerError, free_port, identity
from devtools.servers import PROJECT, setting
from tests.scripts import LEASH
from tests.waiting import until


def test_a_bare_machine_is_told_what_each_server_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert building.why_not("kafka") == "Kafka 4.3.1 needs Java 17 or newer and Maven, which this machine lacks"
    assert building.why_not("influxdb") == (
        "InfluxDB 2.9.1 needs Go 1.21 or newer, Rust (cargo), pkg-config and a C compiler, which this machine lacks"
    )
    with pytest.raises(ServerError, match="needs Java 17 or newer and Maven"):
        building.build("kafka")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("21", True), ("25-ea", True)],
)
def test_a_cached_kafka_needs_java_17_alone(
    version: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libs = tmp_path / "tickflow-servers" / "kafka" / "libs"
    libs.mkdir(parents=True)
    for jar in ("kafka_2.13", "kafka-tools"):
        (libs / f"{jar}-{building.KAFKA}.jar").touch()
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert building.is_built("kafka")
    assert (building.why_not("kafka") is None) is expected


def test_a_cached_influxd_of_another_version_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not building.is_built("influxdb")
    building.influxd().parent.mkdir(parents=True)
    for version, expected in (("2.9.0", False), ("2.9.10", False), ("2.9.1", True)):
        building.influxd().write_text(f"...\tgithub.com/influxdata/influxdb/v2\tv{version}\th1:...")
        assert building.is_built("influxdb") is expected


def test_the_shared_servers_answer(kafka_servers: str, influx: InfluxServer, topic: str, bucket: str) -> None:
    host, _, port = kafka_servers.rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    assert topic not in admin.list_topics()
    admin.close()
    found = influx.call("GET", f"/api/v2/buckets?name={bucket}&org={influx.org}")["buckets"]
    assert [one["name"] for one in found] == [bucket]
    assert influx.token not in repr(influx)


def test_kafka_keeps_topics_and_port_across_a_stop_and_a_kill(own_kafka: KafkaServer, topic: str) -> None:
    address = own_kafka.address
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
    admin.close()
    for end in (own_kafka.stop, own_kafka.kill):
        end()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own_kafka.port), timeout=1)
        own_kafka.restart()
        assert own_kafka.address == address
        producer = KafkaProducer(bootstrap_servers=address)
        assert producer.partitions_for(topic) == {0, 1, 2}
        producer.close()


def test_influxdb_keeps_points_and_port_across_a_stop_and_a_kill(own_influx: Influxd) -> None:
    server = own_influx.server
    server.create_bucket("kept")
    for end in (own_influx.stop, own_influx.kill):
        end()
        with pytest.raises(ServerError, match="cannot be reached"):
            server.call("GET", "/health")
        own_influx.restart()
        assert [one["name"] for one in server.call("GET", "/api/v2/buckets?name=kept")["buckets"]] == ["kept"]


def test_a_frozen_server_is_silent_and_then_continues(own_influx: Influxd) -> None:
    own_influx.pause()
    with pytest.raises(ServerError, match="timed out"):
        own_influx.server.call("GET", "/health", timeout=0.5)
    own_influx.resume()
    assert own_influx.server.call("GET", "/health")["status"] == "pass"
    own_influx.pause()
    own_influx.stop()  # works on a frozen server too
    with pytest.raises(ServerError, match="is not running"):
        own_influx.pause()


def test_a_server_does_not_mistake_another_for_itself(own_influx: Influxd, tmp_path: Path) -> None:
    second = Influxd(tmp_path / "second", own_influx.port)
    with pytest.raises(ServerError, match=f"cannot start: something else listens on port {own_influx.port}"):
        second.start()


def test_a_start_that_fails_quotes_the_servers_log(own_influx: Influxd) -> None:
    own_influx.stop()
    (own_influx.folder / "data" / "influxd.bolt").write_bytes(b"rubbish" * 10_000)
    with pytest.raises(ServerError, match=r"(?s)InfluxDB ended with exit code 1 .*The end of .*Failed opening bolt"):
        own_influx.start()


def test_a_leashed_process_ends_with_its_starter() -> None:
    command = [sys.executable, str(LEASH), "sleep", "60"]
    program = f"import os, subprocess; print(subprocess.Popen({command!r}).pid, flush=True); input(); os._exit(0)"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == b"sleep")
        starter.kill()
    until(lambda: identity(pid) is None)


def test_settings_for_influxdb_come_from_env_file_then_example_then_default(tmp_path: Path) -> None:
    assert setting("INFLUXDB_TOKEN", tmp_path) == PUBLIC_TOKEN
    assert (setting("INFLUXDB_ORG", tmp_path), setting("INFLUXDB_BUCKET", tmp_path)) == ("myorg", "stock_data")
    (tmp_path / ".env.example").write_text("# INFLUXDB_TOKEN=no\nINFLUXDB_TOKEN=example\nINFLUXDB_ORG='an org'\n")
    assert setting("INFLUXDB_TOKEN", tmp_path) == "example"
    (tmp_path / ".env").write_text("INFLUXDB_ORG=\nINFLUXDB_TOKEN=mine # and a comment\n")
    assert setting("INFLUXDB_TOKEN", tmp_path) == "mine"
    assert setting("INFLUXDB_ORG", tmp_path) == "an org"


JAVA = {"JDK_JAVA_OPTIONS": " ".join(KafkaServer.java_options)}
"""The options of the Java virtual machine in tests, for a broker that another process starts."""


def as_in_a_terminal() -> None:
    """Set SIGINT to its default: a background job starts with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def uses(pid: int, folder: Path) -> bool:
    """Whether the command line of a process names the folder."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.slow
class TestUpAndDown:
    """Tests of `make servers` and `make servers-down`, on free ports."""

    @pytest.fixture
    def ports(self) -> dict[str, str]:
        return {"kafka": str(free_port()), "influxdb": str(free_port())}

    def run(self, tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        cache = str(building.cache_folder().parent)
        environ = {"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": cache, **JAVA, **environ}
        command = [sys.executable, "-m", "devtools.servers", *arguments]
        return subprocess.run(
            command, cwd=PROJECT, env=os.environ | environ, capture_output=True, text=True, timeout=120
        )

    @pytest.mark.usefixtures("local_servers")
    def test_up_is_repeatable_and_down_ends_exactly_what_up_started(
        self, tmp_path: Path, ports: dict[str, str]
    ) -> None:
        flags = [f"--{name}-port={port}" for name, port in ports.items()]
        try:
            first = self.run(tmp_path, "up", *flags)
            assert (first.returncode, first.stderr) == (0, "")
            assert f"KAFKA_SERVERS=localhost:{ports['kafka']}" in first.stdout
            pids = self.pids(tmp_path)
            again = self.run(tmp_path, "up", *flags)
            assert (again.returncode, self.pids(tmp_path)) == (0, pids)
            assert again.stdout.count("is already running") == 2
            assert self.run(tmp_path, "status").returncode == 0
            other_token = self.run(tmp_path, "up", INFLUXDB_TOKEN="another")
            assert other_token.returncode == 1
            assert "set up with another INFLUXDB_TOKEN" in other_token.stderr
            admin = KafkaAdminClient(bootstrap_servers=f"localhost:{ports['kafka']}")
            admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
            admin.close()
        finally:
            assert self.run(tmp_path, "down").returncode == 0
        assert [identity(pid) for pid in pids] == [None, None]
        assert self.run(tmp_path, "status").returncode == 1
        try:
            assert self.run(tmp_path, "up", *flags).returncode == 0
            admin = KafkaAdminClient(bootstrap_servers=f"localhost:{ports['kafka']}")
            assert "kept" in admin.list_topics()
            admin.close()
        finally:
            assert self.run(tmp_path, "down", "--wipe").returncode == 0
        assert [path.name for path in (tmp_path / "tickflow-servers").iterdir()] == ["lock"]

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.usefixtures("local_servers")
    def test_up_that_is_interrupted_leaves_nothing_running(
        self, tmp_path: Path, ports: dict[str, str], how: signal.Signals
    ) -> None:
        flags = [f"--{name}-port={port}" for name, port in ports.items()]
        cache = str(building.cache_folder().parent)
        environ = os.environ | {"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": cache} | JAVA
        command = [sys.executable, "-m", "devtools.servers", "up", *flags]
        with subprocess.Popen(
            command, cwd=PROJECT, env=environ, stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal
        ) as starting:
            log = tmp_path / "tickflow-servers" / "kafka" / "log.txt"
            until(lambda: log.exists() and log.stat().st_size > 0, "Kafka is starting")
            starting.send_signal(how)
            assert starting.wait(60) == 1
            assert starting.stderr
            assert starting.stderr.read() == "Interrupted: `up` is not complete.\n"
        assert [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if uses(pid, tmp_path)] == []

    @pytest.mark.usefixtures("local_servers")
    def test_a_taken_port_is_reported(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = self.run(tmp_path, "up", f"--kafka-port={port}")
        assert done.returncode == 1
        assert f"Kafka 4.3.1 cannot start: port {port} is taken by something" in done.stderr

    def test_down_does_not_end_another_process_with_the_same_pid(self, tmp_path: Path) -> None:
        record = {"pid": os.getpid(), "identity": "an earlier process", "port": 1}
        (tmp_path / "tickflow-servers").mkdir()
        (tmp_path / "tickflow-servers" / "kafka.json").write_text(json.dumps(record))
        done = self.run(tmp_path, "down")
        assert done.returncode == 0
        assert "Kafka 4.3.1: is not running." in done.stdout

    def pids(self, tmp_path: Path) -> list[int]:
        return [json.loads(path.read_text())["pid"] for path in sorted((tmp_path / "tickflow-servers").glob("*.json"))]
