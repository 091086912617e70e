"""The web server: waitress with bounds on connections, sizes and times; it ends soon after it is asked to stop.

A connection takes a thread only once its whole request has arrived, so that many slow or silent connections delay
nobody.
"""

import errno
import os
import socket
import stat
import threading
import time
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, Task, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error

from tickflow.dashboard.security import HEADERS, MAX_BODY_BYTES
from tickflow.errors import SettingError
from tickflow.settings.addresses import SOCKET

THREADS = 10
CONNECTIONS = 200
MAX_HEADER_BYTES = 16 * 1024
REQUEST_SECONDS = 10.0
"""A request must arrive completely, header and body, within this many seconds from its first byte."""
IDLE_SECONDS = 10.0
"""A connection without a request is closed after this many seconds."""
LEAST_BYTES_PER_WAIT = 10_000
"""A client must receive at least this many bytes of a pending answer per `IDLE_SECONDS`."""
QUEUE_SECONDS = 5.0
"""The longest time, in seconds, that a request may wait for a thread."""
STOP_SECONDS = 2.0
"""The longest time, in seconds, that a stop waits for unfinished answers."""
_TURN_SECONDS = 1.0
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 2**20

FULL = "All 200 connections of this page are in use. Try again in a few seconds."


def _is_under_way(channel: "_Channel") -> bool:
    return not channel.is_waiting() and not channel.will_close


class _TooSlow(Error):  # type: ignore[misc]  # waitress ships no types
    code = 408
    reason = "Request Timeout"


class _Busy(Error):  # type: ignore[misc]
    code = 503
    reason = "Service Unavailable"


def _refuse(task: Task) -> None:
    task.channel.refused = True
    task.response_headers.extend(task.channel.server.headers.items())
    task.complete = True
    ErrorTask.execute(task)


class _Refusal(ErrorTask):  # type: ignore[misc]
    """The server's own answer to a request that never reached the app, with the same headers as the app's answers."""

    def execute(self) -> None:
        """Send the answer; the connection is closed once the client has had time to read it."""
        _refuse(self)


class _Request(WSGITask):  # type: ignore[misc]
    def execute(self) -> None:
        """Let the app answer, unless the request has waited for too long."""
        if time.monotonic() - self.channel.queued_at > QUEUE_SECONDS:
            self.request.error = _Busy(f"The page is too busy: no answer within {QUEUE_SECONDS:g} s. Try again later.")
            _refuse(self)
        else:
            super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. Its methods run in the server's loop, except those that tasks call."""

    task_class = _Request
    error_task_class = _Refusal
    refused = False
    queued_at = 0.0
    request: Any
    close_when_flushed: bool

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.served = 0
        self._begun = self._checked_at = time.monotonic()
        self._sent = self._checked_sent = 0
        self._lingers_since: float | None = None
        self._drained = 0
        super().__init__(*arguments, **named)

    def received(self, data: bytes) -> bool:
        """Process received bytes of a request."""
        if self.request is None:
            self._begun = time.monotonic()
        return bool(super().received(data))

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send a part of an answer; return how many bytes the client took."""
        sent = int(super().send(data, do_close=do_close))
        self._sent += sent
        return sent

    def is_waiting(self) -> bool:
        """Whether the connection is idle: no request is being answered."""
        return not (self.requests or self.total_outbufs_len or self.will_close)

    def readable(self) -> bool:
        """Whether to read from the connection."""
        if not self.connected or self.will_close:
            return False
        return self._lingers_since is not None or bool(super().readable())

    def handle_read(self) -> None:
        """Read; after a refusal, discard what arrives."""
        if self._lingers_since is None:
            super().handle_read()
            return
        try:
            data = self.recv(65_536)
        except OSError:
            data = b""
        self._drained += len(data)
        if not data or self._drained > _LINGER_BYTES:
            self.will_close = True

    def writable(self) -> bool:
        """Whether there is something to send, or the connection is to be closed."""
        return self.connected and bool(self.will_close or (self._lingers_since is None and super().writable()))

    def handle_write(self) -> None:
        """Send pending data. After a refusal, keep the connection for a moment so that the client can read the answer.

        Closing a connection that has unread bytes would reset it, and the answer would be lost.
        """
        if self.close_when_flushed and self.refused and not self.total_outbufs_len and self._lingers_since is None:
            self._lingers_since = time.monotonic()
            self.close_when_flushed = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.will_close = True
            return
        super().handle_write()

    def look(self, now: float) -> None:
        """Close a connection that takes too long, or refuse its request with a message."""
        if self._lingers_since is not None:
            self.will_close = self.will_close or now - self._lingers_since > _LINGER_SECONDS
        elif self.total_outbufs_len:
            if now - self._checked_at > IDLE_SECONDS:
                if self._sent - self._checked_sent < LEAST_BYTES_PER_WAIT:
                    self.handle_close()  # not `will_close`, which waits until more can be sent
                self._checked_at, self._checked_sent = now, self._sent
            return
        elif not self.requests and self.request is None:
            self.will_close = self.will_close or time.time() - self.last_activity > IDLE_SECONDS
        elif not self.requests and now - self._begun > REQUEST_SECONDS:
            self._refuse(_TooSlow(f"The request did not arrive completely within {REQUEST_SECONDS:g} s."))
        self._checked_at, self._checked_sent = now, self._sent

    def _refuse(self, error: Error) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            if request is not None:
                request.error = error
                request.completed = True
                self.requests.append(request)
                self.server.add_task(self)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Serves an app on a listening socket."""

    channel_class = _Channel

    def __init__(self, app: Flask, listening: socket.socket) -> None:
        self.headers = {"Cache-Control": "no-store", **app.config.get(HEADERS, {})}
        self._stops_at: float | None = None
        adjustments = Adjustments(
            sockets=[listening],
            threads=THREADS,
            ident="tickflow",
            connection_limit=2
            * CONNECTIONS,  # at its limit waitress would accept no connection; `handle_accept` replaces one before that
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_BODY_BYTES,
            clear_untrusted_proxy_headers=False,  # only the sign-in reads X-Forwarded-For, and only from AUTH_PROXIES
            asyncore_use_poll=True,
        )
        workers = ThreadedTaskDispatcher()
        workers.set_thread_count(THREADS)
        self._path = str(listening.getsockname()) if listening.family == socket.AF_UNIX else ""
        place = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(
            app, map={}, _sock=listening, dispatcher=workers, adj=adjustments, bind_socket=False, sockinfo=place
        )

    def getsockname(self) -> tuple[str, str]:
        """Host and port; for a unix socket, only the kind of socket."""
        return (SOCKET, "0") if self._path else super().getsockname()

    def set_socket_options(self, connection: socket.socket) -> None:
        """Set TCP options, unless the connection uses a unix socket."""
        if not self._path:
            super().set_socket_options(connection)

    def fix_addr(self, address: Any) -> Any:
        """The client's address; on a unix socket it is unknown."""
        return (SOCKET, 0) if self._path else address

    @property
    def port(self) -> int:
        """The port that the server listens on; 0 for a unix socket."""
        return int(self.effective_port)

    def add_task(self, task: _Channel) -> None:
        """Have a thread answer a request of the connection `task`."""
        task.queued_at = time.monotonic()
        task.served += 1
        super().add_task(task)

    def handle_accept(self) -> None:
        """Accept a connection; if there are too many, it replaces the connection that has been idle longest."""
        present = [each for each in self.active_channels.values() if not each.will_close]
        if len(present) >= CONNECTIONS:
            waiting = [each for each in present if each.is_waiting()]
            if not waiting:
                self._turn_away()
                return
            # Connections that have not made any request are replaced first.
            longest = min(
                waiting, key=lambda each: (each.served > 0, each.last_activity if each.served else each.creation_time)
            )
            if not longest.served:
                self._say_full(longest.socket)
            longest.will_close = True
        super().handle_accept()

    def maintenance(self, _now: float) -> None:
        """Once a second: close connections that take too long."""
        now = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.look(now)

    def readable(self) -> bool:
        """Whether to accept connections."""
        return bool(super().readable()) and self._stops_at is None

    def run(self) -> None:
        """Serve until `stop` is called."""
        while not self._is_over():
            wasyncore.loop(_TURN_SECONDS if self._stops_at is None else 0.02, True, self._map, count=1)

    def _is_over(self) -> bool:
        if self._stops_at is None:
            return False
        return time.monotonic() > self._stops_at or not any(map(_is_under_way, self.active_channels.values()))

    def stop(self) -> None:
        """Accept no further connection, and end the loop once unfinished answers are sent. May be called from
        any thread.
        """
        self._stops_at = time.monotonic() + STOP_SECONDS
        self.pull_trigger()

    def pull_trigger(self) -> None:
        """Wake the loop if it is still running."""
        with suppress(OSError):
            super().pull_trigger()

    def end(self) -> None:
        """Close all sockets, after the loop."""
        self.task_dispatcher.set_thread_count(0)
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        self.close()
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)

    def _turn_away(self) -> None:
        taken = self.accept()
        if taken is not None:
            self._say_full(taken[0])
            taken[0].close()

    def _say_full(self, connection: socket.socket) -> None:
        head = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(FULL)), "Retry-After": "10"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**self.headers, **head}.items())
        connection.setblocking(False)
        with suppress(OSError):  # the socket is closed in any case
            connection.send(f"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n{lines}\r\n{FULL}".encode())


def bind(app: Flask, host: str, port: int) -> Server:
    """A server for `app`, already bound to its port. Raises `SettingError` if the port cannot be bound."""
    try:
        return Server(app, _listening(host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            expected = "a free port: another program listens there; end it, or choose another with --dashboard-port"
            raise SettingError("DASHBOARD_PORT", str(port), expected) from None
        if error.errno == errno.EACCES:
            raise SettingError("DASHBOARD_PORT", str(port), "a port above 1023, which needs no rights") from None
        raise SettingError("DASHBOARD_HOST", host, f"a host name of this machine ({error})") from error


def bind_socket(app: Flask, path: str) -> Server:
    """A server for `app` on a unix socket that only its owner and group may use. Raises `SettingError` if the socket
    cannot be bound.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
            if listening.connect_ex(path) == 0:
                raise FileExistsError(errno.EADDRINUSE, "another program listens there")
            os.unlink(path)  # left behind by a server that was killed
        listening.bind(path)
        os.chmod(path, 0o660)  # set before it listens, since until then nobody can connect
        listening.listen(128)
    except OSError as error:
        listening.close()
        expected = f"a unix socket that can be made ({error.strerror or error})"
        raise SettingError("AUTH_PROXIES", f"{SOCKET}{path}", expected) from None
    return Server(app, listening)


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


def serve(server: Server, stop: threading.Event) -> None:
    """Serve until `stop` is set; unfinished answers are sent, for at most `STOP_SECONDS`."""
    thread = threading.Thread(target=server.run, name="server", daemon=True)
    thread.start()
    try:
        stop.wait()
    finally:
        server.stop()
        thread.join(STOP_SECONDS + 2)
        server.end()
