import http.client
import json
import socket
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from tickflow.errors import SettingError
from tickflow.telemetry.health import Health, Report, State
from tickflow.telemetry.server import MAX_CONNECTIONS, TelemetryServer


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[TelemetryServer]:
    with TelemetryServer("127.0.0.1", 0, CollectorRegistry(), health) as started:
        yield started


def get(server: TelemetryServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_script_that_starts_is_live_and_not_ready(server: TelemetryServer) -> None:
    assert get(server, "/health/live")[0] == 200
    status, body = get(server, "/health/ready")
    assert (status, json.loads(body)) == (503, {"ok": False, "state": "starting", "sentence": "starting"})


def test_a_restore_reports_its_progress(server: TelemetryServer, health: Health) -> None:
    health.note(Report(State.RESTORING, "restoring", 0.25))
    status, body = get(server, "/health/ready")
    assert (status, json.loads(body)["share"]) == (503, 0.25)


@pytest.mark.parametrize("state", [State.FINE, State.BEHIND])
def test_a_script_that_does_its_work_is_ready(server: TelemetryServer, health: Health, state: State) -> None:
    health.note(Report(state, "reads 6 partitions"))
    assert get(server, "/health/ready")[0] == 200


def test_a_loop_that_hangs_is_neither_live_nor_ready() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    health.note(Report(State.FINE, "reads 6 partitions"))
    now[0] = 16.0
    with TelemetryServer("127.0.0.1", 0, CollectorRegistry(), health) as server:
        assert [get(server, path)[0] for path in ("/health/live", "/health/ready")] == [503, 503]
        assert b"has been stuck for 16 s" in get(server, "/health/live")[1]


def test_an_answer_that_is_overdue_is_not_ready_but_live() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    health.note(Report(State.FINE, "the store answers"), patient=True, ready_seconds=8)
    now[0] = 60.0
    assert (health.is_live, health.is_ready, health.report.state) == (True, False, State.WAITING_FOR_STORE)


def test_an_unknown_path_lists_the_known_ones(server: TelemetryServer) -> None:
    assert get(server, "/etc/passwd") == (404, b"/metrics, /health/live, /health/ready\n")


def test_a_head_request_has_no_body(server: TelemetryServer) -> None:
    assert get(server, "/metrics", "HEAD") == (200, b"")


def test_silent_connections_do_not_keep_others_out(server: TelemetryServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MAX_CONNECTIONS + 8)]
    try:
        deadline = time.monotonic() + 60  # a silent connection is closed after REQUEST_SECONDS
        while True:
            try:
                assert get(server, "/health/live")[0] == 200
                break
            except (ConnectionError, http.client.HTTPException):
                assert time.monotonic() < deadline
                time.sleep(0.2)
    finally:
        for each in silent:
            each.close()


def test_a_taken_port_gives_a_sentence(server: TelemetryServer) -> None:
    with (
        pytest.raises(SettingError, match=r"METRICS_PORT is '\d+'; expected a free port"),
        TelemetryServer("127.0.0.1", server.port, CollectorRegistry(), Health()),
    ):
        pass
