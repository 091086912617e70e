"""Serves `/metrics`, `/health/live` and `/health/ready` of one script, from memory, in separate threads.

An answer waits neither for a server nor for a lock of the script's loop: it is sent even while Kafka or the store is
frozen.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from tickflow.errors import SettingError
from tickflow.telemetry.health import Health

REQUEST_SECONDS = 5.0
"""How many seconds a client may take to send its request; after that, a silent connection no longer holds a thread."""
MAX_CONNECTIONS = 32

_logger = logging.getLogger(__name__)


class TelemetryServer:
    """Listens on `host` and `port` from `start` to `close`. Raises `SettingError` if it cannot bind the port."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self._address = host, port
        self._registry = registry
        self._health = health
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port in use; for port 0, the one that the system chose."""
        return self._address[1] if self._server is None else self._server.server_address[1]

    def start(self) -> Self:
        """Listen, in a separate thread."""
        routes: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]] = {
            "/metrics": self._metrics,
            "/health/live": self._live,
            "/health/ready": self._ready,
        }
        handler = type("Handler", (_Handler,), {"routes": routes})
        try:
            self._server = _Server(self._address, handler)
        except OSError as error:
            expected = f"a free port of {self._address[0]} ({error.strerror or error})"
            raise SettingError("METRICS_PORT", str(self._address[1]), expected) from error
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="telemetry", daemon=True
        ).start()
        _logger.info("metrics and health are at http://%s:%d/metrics and /health/ready", self._address[0], self.port)
        return self

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _metrics(self) -> tuple[HTTPStatus, str, bytes]:
        return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)

    def _live(self) -> tuple[HTTPStatus, str, bytes]:
        return self._judged(self._health.is_live)

    def _ready(self) -> tuple[HTTPStatus, str, bytes]:
        return self._judged(self._health.is_ready)

    def _judged(self, good: bool) -> tuple[HTTPStatus, str, bytes]:
        report = self._health.report
        body: dict[str, object] = {"ok": good, "state": report.state.value, "sentence": report.sentence}
        if report.share is not None:
            body["share"] = round(report.share, 4)
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps(body).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]  # the socket that the base class accepted
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]  # the same socket

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]  # the same socket
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log at DEBUG: clients that disconnect are common and not worth a warning."""
        _logger.debug("a client disconnected during a request for metrics or health", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server_version, sys_version = "tickflow", ""
    routes: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        route = self.routes.get(self.path.partition("?")[0])
        status, kind, body = (
            route() if route else (HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /health/live, /health/ready\n")
        )
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a line per scrape would fill the log."""
