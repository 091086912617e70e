"""Attacks on the page as a process on either stack: no status 500, no bypass, no traceback, bounded time and memory.

`make attacks` sends 5,000 requests to each stack; CI sends a tenth of them, and with a login only to the embedded
stack.
"""

import contextlib
import http.client
import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.attacks.conftest import FULL, Guarded, Page
from tests.attacks.hostile import JSON, UPDATE, Request, hostile
from tests.dashboard.test_dashboard import asked

REQUESTS = 5_000 if FULL else 500
SEED = 2026
SENDERS = 4
# With few requests, one-time allocations of the page weigh more.
MEMORY_MB = 20 if FULL else 40
SLOWEST_SECONDS, BESIDE_SECONDS = (5.0, 1.0) if FULL else (20.0, 9.0)
"""The longest time, in seconds, that an answer may take, in general and while hundreds of connections are open; more in
CI, whose machines have other work. A request that waited for a silent connection to time out would take 10 s.
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) dashboard: [ -~]*")


def answered(page: Page, request: Request) -> tuple[int, bytes, float]:
    """Send a request; return the answer's status and body, and the seconds it took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    # http.client would refuse some of these requests itself, but the server has to.
    connection._validate_path = connection._validate_host = lambda *_: None  # type: ignore[attr-defined]
    try:
        connection.putrequest(
            request.method, request.path, skip_host="Host" in request.headers, skip_accept_encoding=True
        )
        for name, value in request.headers.items():
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - begun
    finally:
        connection.close()


def bodies_of(page: Page, headers: Mapping[str, str] = JSON) -> list[dict[str, Any]]:
    """Bodies as the page itself posts them: for a view, its refresh and an acknowledgement."""
    view = {"symbol": "AAPL", "range": "1h", "candles": "auto", "symbols": ["MSFT", "TSLA"], "overview": True}
    draw = asked("drawing", [view, None], [])
    for _ in range(20):  # on a busy machine the first queries take longer than the page lets them
        status, body, _ = answered(page, Request("", "POST", UPDATE, headers, json.dumps(draw).encode(), frozenset()))
        assert status == 200
        drawing = json.loads(body)["response"]["drawing"]["data"]
        if drawing["state"]["down"] is None:
            break
        time.sleep(1)
    assert drawing["state"]["down"] is None
    assert drawing["drawn"]["rows"] > 0
    delta = asked("delta", [1], [drawing["drawn"], drawing["watch"]["cursors"], drawing["alerts"]["stamp"]])
    acknowledge = {
        "output": "acked.data",
        "outputs": {"id": "acked", "property": "data"},
        "inputs": [{"id": "acknowledge", "property": "data", "value": [["NONE", 0, 5]]}],
        "changedPropIds": ["acknowledge.data"],
    }
    return [draw, delta, acknowledge]


def settled(page: Page) -> float:
    """The page's memory in MB once it has been stable for 2 s: at first, the dashboard compresses its scripts."""
    deadline = time.monotonic() + 30
    seen = [page.memory_mb]
    while time.monotonic() < deadline:
        time.sleep(0.5)
        seen.append(page.memory_mb)
        if len(seen) > 4 and max(seen[-5:]) - min(seen[-5:]) < 1:
            break
    return seen[-1]


def test_hostile_requests(page: Page) -> None:
    known = bodies_of(page)
    attacked(page, known, lambda each: each)
    assert bodies_of(page), "and it still draws"


@pytest.mark.parametrize("who", ["viewer's token", "operator's token", "operator's session"])
def test_hostile_requests_with_a_session(guarded: Guarded, who: str) -> None:
    """The answers are those of a page without a login, except that no request of a viewer changes anything."""
    page = guarded.page
    role, _, kind = who.partition("'s ")
    token = {"Authorization": f"Bearer {guarded.tokens[role]}"}
    session = token if kind == "token" else {"Cookie": guarded.cookie}
    known = bodies_of(page, {**JSON, **session})

    def changed(each: Request) -> Request:
        headers = {**each.headers, **session}
        if role == "operator":
            return each._replace(headers=headers)
        keeps = known[-1]["output"].encode() in (each.body or b"")
        may = each.right - {200} if keeps else each.right
        return each._replace(headers=headers, right=may | {403})

    attacked(page, known, changed)
    assert bodies_of(page, {**JSON, **session}), "and it still draws"


FORGED: tuple[dict[str, str], ...] = (
    {}, {"Cookie": "__Host-tickflow=x"}, {"Cookie": "__Host-tickflow=" + "A" * 43}, {"Authorization": "Bearer"},
    {"Authorization": "Bearer " + "x" * 60}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer \x00"},
    {"Cookie": "__Host-tickflow=\x1b[31m; __Host-tickflow="}, {"X-Forwarded-User": "root", "Remote-User": "root"},
    {"Authorization": "bearer null", "Cookie": "session=.eJw"},
)  # fmt: skip


def test_hostile_requests_without_a_session(guarded: Guarded) -> None:
    """Every answer is a refusal or a redirect to the sign-in, for any route and any forged session."""
    page, token = guarded.page, guarded.tokens["operator"]
    known = bodies_of(page, {**JSON, "Authorization": f"Bearer {token}"})
    choose = random.Random(SEED)

    def unknown(each: Request) -> Request:
        headers = {**each.headers, **choose.choice(FORGED)}
        refusals = frozenset({302, 303, 308, 400, 401, 403, 404, 405, 411, 413, 414, 415, 429, 431, 501, 503})
        return each._replace(headers=headers, right=refusals)

    told = attacked(page, known, unknown, reached=(400, 401, 403))
    assert told[200] == 0
    with_session = {**JSON, "Authorization": f"Bearer {token}"}
    assert bodies_of(page, with_session), "and those with a session still see it"


def attacked(
    page: Page,
    known: list[dict[str, Any]],
    changed: Callable[[Request], Request],
    reached: Sequence[int] = (200, 400, 403, 404, 413, 415),
) -> Counter[int]:
    """Send the requests after passing each through `changed`; check all answers, and return their count by status."""
    # a first set of requests, so that one-time allocations happen before the measurement
    for request in hostile(SEED + 1, REQUESTS // 5, known):
        answered(page, changed(request))
    before = settled(page)
    with ThreadPoolExecutor(SENDERS) as pool:
        requests = [changed(each) for each in hostile(SEED, REQUESTS, known)]
        answers = list(pool.map(lambda each: answered(page, each), requests))
    wrong = [
        (request.kind, request.method, request.path[:80], dict(request.headers), (request.body or b"")[:300], status)
        for request, (status, _, _) in zip(requests, answers, strict=True)
        if status not in request.right
    ]
    statuses = Counter(status for status, _, _ in answers)
    slowest = max(seconds for _, _, seconds in answers)
    grown = settled(page) - before
    print(f"\n{REQUESTS} requests: {dict(sorted(statuses.items()))}, slowest {slowest:.2f} s, memory {grown:+.1f} MB")
    assert statuses[500] == 0
    assert wrong == []
    assert not any(b"Traceback" in body for _, body, _ in answers)
    assert slowest < SLOWEST_SECONDS
    assert grown < MEMORY_MB
    assert min(statuses[each] for each in reached) > 0, "each kind was reached"
    lines = [line for line in page.script.stderr.splitlines() if line]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert "Traceback" not in page.script.output + page.script.stderr
    return statuses


def test_the_page_answers_others_beside_slow_idle_and_many_connections(embedded_page: Page) -> None:
    page = embedded_page
    begin = b"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n"
    over = threading.Event()

    def trickle(slow: list[socket.socket]) -> None:
        while not over.wait(0.5):
            for each in slow:
                with contextlib.suppress(OSError):
                    each.send(b" ")

    with contextlib.ExitStack() as held:

        def connected() -> socket.socket:
            return held.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=10))

        idle = [connected() for _ in range(50)]
        slow = [connected() for _ in range(50)]
        for each in slow:
            each.sendall(begin)
        trickling = threading.Thread(target=trickle, args=(slow,))
        trickling.start()
        try:
            further = [connected() for _ in range(200)]
            times = []
            draw = json.dumps(asked("drawing", [None, None], [])).encode()
            for _ in range(20):
                status, _, seconds = answered(page, Request("", "POST", UPDATE, JSON, draw, frozenset()))
                assert status == 200
                times.append(seconds)
                time.sleep(0.1)
        finally:
            over.set()
            trickling.join()
    print(f"\nslowest of 20 answers beside {len(idle) + len(slow) + len(further)} connections: {max(times):.2f} s")
    assert max(times) < BESIDE_SECONDS


@pytest.mark.parametrize("path", ["/", "/_dash-layout", UPDATE])
def test_half_a_request_does_not_delay_others(embedded_page: Page, path: str) -> None:
    with socket.create_connection(("127.0.0.1", embedded_page.port), timeout=10) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHo".encode())
        _, _, seconds = answered(embedded_page, Request("", "GET", "/", {}, None, frozenset()))
    assert seconds < BESIDE_SECONDS
