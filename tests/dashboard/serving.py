"""Serves a dashboard on a free port of loopback, for tests that send HTTP as bytes."""

import contextlib
import http.client
import re
import socket
import threading
from collections.abc import Iterator, Mapping

from config import Settings
from stock_dashboard import StockDashboard
from tests.fakes import MemoryAcks, MemoryStore
from tickflow.dashboard.server import Server, bind, serve
from tickflow.store.acks import AckStore
from tickflow.store.base import MetricsStore


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Served:
    """A dashboard that is served on `port` until `stop` is set."""

    def __init__(self, store: MetricsStore | None = None, acks: AckStore | None = None, **settings: object) -> None:
        self.stop = threading.Event()
        self.port = free_port()
        chosen = Settings.model_validate({"dashboard_port": self.port, **settings})
        self.dashboard = StockDashboard(chosen, stop=self.stop, store=store or MemoryStore(), acks=acks or MemoryAcks())
        self.dashboard.gate.start().join()
        self.server: Server = bind(self.dashboard.app.server, "127.0.0.1", self.port)
        self.thread = threading.Thread(target=serve, args=(self.server, self.stop))
        self.thread.start()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request over its own connection; return the answer's status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.title(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def raw(self, data: bytes, timeout: float = 15.0) -> bytes:
        """Send these bytes; return everything that the server sends before it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(data)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    """Everything that the other side sends before it closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    """The status of an answer given as bytes; 0 if there is none."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def served(**named: object) -> Iterator[Served]:
    """Serve a dashboard during the block."""
    one = Served(**named)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        one.stop.set()
        one.thread.join(10)
        assert not one.thread.is_alive()
