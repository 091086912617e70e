"""Two proxies between a worker and its servers: one cuts or freezes connections, one can answer instead of InfluxDB."""

import http.client
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.http_stub import Answer

HEADERS = ("Authorization", "Content-Type", "Content-Encoding", "Accept")


class TcpProxy:
    """Forwards every connection to `target`, a port of 127.0.0.1, until its behaviour is changed."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._flows = threading.Event()
        self._flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        self._is_cut = True
        self._drop()

    def hold(self) -> None:
        """Forward nothing, but keep all connections open, even new ones, like a network that drops packets."""
        self._flows.clear()

    def mend(self) -> None:
        """Forward everything again, including what was held back."""
        self._is_cut = False
        self._flows.set()

    def close(self) -> None:
        """End everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        self._drop()

    def _drop(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                assert not self._is_cut
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except (OSError, AssertionError):
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                self._flows.wait()
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


class Trick(Enum):
    """What the proxy can do with a request instead of answering or forwarding it."""

    HOLD = auto()
    """Neither forward the request nor answer it."""
    CUT = auto()
    """Forward the request, then cut the connection in the middle of the answer."""
    SWALLOW = auto()
    """Forward half of the request, then cut both connections."""


Meddle = Callable[[str, bytes], Answer | Trick | None]


class InfluxProxy:
    """Forwards requests to the InfluxDB at port `target`, unless `meddle(path, body)` returns something else to do."""

    def __init__(self, target: int) -> None:
        self.meddle: Meddle = lambda _path, _body: None
        self.meddled = 0
        self._released = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # otherwise the second packet of each answer waits 40 ms

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                wanted = proxy.meddle(self.path, body)
                proxy.meddled += wanted is not None
                if wanted is Trick.HOLD:
                    proxy._released.wait()
                    self.close_connection = True
                    return
                if isinstance(wanted, Answer):
                    self._send(wanted)
                    return
                if wanted is Trick.SWALLOW:
                    with suppress(OSError), socket.create_connection(("127.0.0.1", target), timeout=10) as half:
                        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                        head += f"Authorization: {self.headers['Authorization']}\r\n\r\n"
                        half.sendall(head.encode() + body[: len(body) // 2])
                    self.close_connection = True
                    return
                try:
                    given = self._forward(body)
                except OSError:
                    self.close_connection = True
                    return
                if wanted is Trick.CUT:
                    self.wfile.write(b"HTTP/1.1 20")
                    self.close_connection = True
                    return
                self._send(given)

            do_GET = do_POST  # noqa: N815

            def _forward(self, body: bytes) -> Answer:
                connection = http.client.HTTPConnection("127.0.0.1", target, timeout=30)
                try:
                    headers = {name: self.headers[name] for name in HEADERS if name in self.headers}
                    connection.request(self.command, self.path, body, headers)
                    got = connection.getresponse()
                    kept = {name: value for name, value in got.getheaders() if name in ("Content-Type", "Retry-After")}
                    return Answer(got.status, got.read(), kept)
                finally:
                    connection.close()

            def _send(self, given: Answer) -> None:
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                if given.status != 204:
                    self.send_header("Content-Length", str(len(given.body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(given.body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Ignore broken connections, which killed workers leave behind."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def mend(self) -> None:
        """Forward everything again; requests that were held are dropped."""
        self.meddle = lambda _path, _body: None
        self._released.set()
        self._released = threading.Event()

    def close(self) -> None:
        """End everything."""
        self.mend()
        self._server.shutdown()
        self._server.server_close()
