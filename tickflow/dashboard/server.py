"""The web server: threads, quiet, and gone at once when asked to stop."""

import errno
import socket
import threading

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tickflow.errors import SettingError


class QuietHandler(WSGIRequestHandler):
    """Serves without a line per request, and without telling its version."""

    def version_string(self) -> str:
        """The one `Server` header."""
        return "tickflow"

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing: a page that refreshes every 2 s would fill the terminal."""


def bind(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """A server for `app` that has its port already. Raises `SettingError` when it cannot have it."""
    try:
        # Werkzeug itself prints and exits when a port is taken; with a socket of our own it has no reason to.
        with _listening(host, port) as listening:
            return make_server(host, port, app, threaded=True, request_handler=QuietHandler, fd=listening.fileno())
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            expected = "a free port: another program listens there; end it, or choose another with --dashboard-port"
            raise SettingError("DASHBOARD_PORT", str(port), expected) from None
        if error.errno == errno.EACCES:
            raise SettingError("DASHBOARD_PORT", str(port), "a port above 1023, which needs no rights") from None
        raise SettingError("DASHBOARD_HOST", host, f"a host name of this machine ({error})") from None


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def serve(server: BaseWSGIServer, stop: threading.Event) -> None:
    """Serve until `stop` is set; requests under way are not waited for."""
    server.daemon_threads = True  # type: ignore[attr-defined]  # the threaded server has it
    server.block_on_close = False  # type: ignore[attr-defined]  # so does this
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="server", daemon=True)
    thread.start()
    try:
        stop.wait()
    finally:
        server.shutdown()
        server.server_close()
