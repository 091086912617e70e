"""Tests of the web server on a real socket: its limits, its own answers, and its shutdown."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.dashboard.serving import Served, received, served, status_of
from tests.dashboard.test_dashboard import asked
from tests.fakes import Feed, MemoryStore
from tests.waiting import until
from tickflow.dashboard import security as security_module
from tickflow.dashboard import server as server_module
from tickflow.dashboard.security import MAX_BODY_BYTES
from tickflow.dashboard.server import CONNECTIONS, MAX_HEADER_BYTES

ASK = b"GET /_dash-dependencies HTTP/1.1\r\nHost: 127.0.0.1\r\n"

POST = (
    b"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
DRAW = json.dumps(asked("drawing", [None, None], [])).encode()


@pytest.fixture(scope="module")
def page() -> Iterator[Served]:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 101.0]))
    with served(store=store) as one:
        yield one


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server whose timeouts are 1 s instead of 10 s."""
    for name in ("IDLE_SECONDS", "REQUEST_SECONDS"):
        monkeypatch.setattr(server_module, name, 1.0)
    with served() as one:
        yield one


def connected(page: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", page.port), timeout=15)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n", 431),
        (b"GET /?" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 414),
        (
            b"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 70000\r\n\r\n"
            + b"x" * 70_000,
            413,
        ),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 403),
        (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 405),
        (ASK + b"Connection: close\r\n\r\n", 200),
    ],
)
def test_every_answer_has_the_headers_including_the_servers_own(page: Served, request_: bytes, status: int) -> None:
    answer = page.raw(request_)
    assert status_of(answer) == status
    head = answer.partition(b"\r\n\r\n")[0].decode()
    for header in (
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Content-Security-Policy: default-src 'none'",
    ):
        assert header in head
    assert "Cache-Control: no-store" in head
    assert "Access-Control" not in head
    assert head.count("\r\nServer: tickflow") == 1
    assert "waitress" not in answer.decode()


def test_a_body_that_is_too_long_is_refused_and_the_client_reads_it(page: Served) -> None:
    """The client is still sending: closing at once would reset the connection and lose the answer."""
    for _ in range(20):
        body = b"x" * (4 * MAX_BODY_BYTES)
        status, _, text = page.ask("POST", "/_dash-update-component", body, {"Content-Type": "application/json"})
        assert (status, b"Too Large" in text) == (413, True)


def test_an_idle_connection_is_closed(hasty: Served) -> None:
    with connected(hasty) as silent, connected(hasty) as kept:
        kept.sendall(ASK + b"\r\n")
        assert status_of(kept.recv(65_536)) == 200
        begun = time.monotonic()
        assert received(silent) == b""
        received(kept)
        assert time.monotonic() - begun < 30


def test_a_request_that_trickles_in_is_refused(hasty: Served) -> None:
    with connected(hasty) as slow:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            slow.sendall(b"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
            slow.settimeout(0.1)
            answer = b""
            while not answer and time.monotonic() - begun < 30:
                slow.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    answer = slow.recv(65_536)
            slow.settimeout(5)
            answer += received(slow)
    assert status_of(answer) == 408
    assert b"within 1 s" in answer
    assert time.monotonic() - begun < 30


def test_a_client_that_does_not_read_is_disconnected(hasty: Served) -> None:
    with connected(hasty) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.sendall(b"GET /assets/vendor/plotly-finance-4.1.1.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20)
        until(lambda: any(each.total_outbufs_len for each in list(hasty.server.active_channels.values())))
        until(lambda: not hasty.server.active_channels, "the connection is closed")


def test_beyond_all_connections_others_are_served_within_a_second(page: Served) -> None:
    """Above 200 connections, the oldest silent one is answered with the reason and closed."""
    with contextlib.ExitStack() as held:
        silent = [held.enter_context(connected(page)) for _ in range(CONNECTIONS)]
        times = []
        for _ in range(20):
            begun = time.monotonic()
            status, _, _ = page.ask("GET", "/_dash-dependencies")
            assert status == 200
            times.append(time.monotonic() - begun)
        assert min(times) < 1
        assert max(times) < 9, "who waited for a silent connection would wait for 10 s"
        answer = received(silent[0])
    assert status_of(answer) == 503
    assert b"All 200 connections" in answer
    assert b"X-Frame-Options: DENY" in answer


def test_when_all_connections_are_busy_a_further_one_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()

    class Slow(MemoryStore):
        def latest(self, symbols: object = None, most: object = None, until_ns: object = None) -> object:  # type: ignore[override]
            going.wait(20)
            return super().latest()

    monkeypatch.setattr(server_module, "CONNECTIONS", 3)
    with served(store=Slow()) as page, contextlib.ExitStack() as held:
        busy = [held.enter_context(connected(page)) for _ in range(3)]
        for each in busy:
            each.sendall(POST % len(DRAW) + DRAW)
        until(lambda: sum(bool(each.requests) for each in list(page.server.active_channels.values())) == 3)
        with connected(page) as further:
            assert status_of(received(further)) == 503
        going.set()


def test_a_request_that_waited_for_too_long_is_refused(monkeypatch: pytest.MonkeyPatch, page: Served) -> None:
    monkeypatch.setattr(server_module, "QUEUE_SECONDS", -1.0)
    answer = page.raw(ASK + b"\r\n")
    assert status_of(answer) == 503
    assert b"too busy" in answer


def test_a_stop_waits_for_an_answer_that_is_being_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "STOP_SECONDS", 60.0)
    asked, going = threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def statuses(self) -> list[object]:  # type: ignore[override]
            asked.set()
            going.wait(60)
            return []

    with served(store=Slow()) as page:
        answer: list[int] = []
        asking = threading.Thread(
            target=lambda: answer.append(
                page.ask("POST", "/_dash-update-component", DRAW, {"Content-Type": "application/json"})[0]
            )
        )
        asking.start()
        assert asked.wait(60)
        page.stop.set()
        time.sleep(0.2)
        going.set()
        asking.join(60)
    assert answer == [200]


def test_a_stop_does_not_wait_for_silent_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 300.0)
    with served() as one, connected(one):
        one.stop.set()
        one.thread.join(60)
        assert not one.thread.is_alive()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/", "/_dash-layout", "/assets/page.css", "/%0a%1b[31mWARNING forged", "/_dash-update-component"]
)
def test_a_page_of_another_site_reaches_nothing(
    page: Served, headers: dict[str, str], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    method = "POST" if "update" in path else "GET"
    assert page.ask(method, path.replace(" ", "%20"), headers=headers)[0] == 403
    assert caplog.messages == []


def test_a_link_of_another_site_opens_the_page(page: Served) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("GET", "/?symbol=AAPL", headers=visit)[0] == 200
    assert page.ask("GET", "/_dash-layout", headers=visit)[0] == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{page.port}"}
    assert page.ask("GET", "/_dash-layout", headers=own)[0] == 200


def test_a_sentence_replaces_an_answer_above_two_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is tested with an answer of exactly the allowed size, and with one that is a byte longer."""
    assert security_module.MAX_ANSWER_BYTES == 2 * 2**20
    with served() as page:
        status, _, whole = page.ask("POST", "/_dash-update-component", DRAW, {"Content-Type": "application/json"})
        assert status == 200
        for most, expected in ((len(whole), 200), (len(whole) - 1, 503)):
            monkeypatch.setattr(security_module, "MAX_ANSWER_BYTES", most)
            status, headers, body = page.ask(
                "POST", "/_dash-update-component", DRAW, {"Content-Type": "application/json"}
            )
            assert status == expected
        assert b"Ask for less: a shorter range, fewer symbols." in body
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
