"""kafka-python's network layer, corrected in seven places (seen in 3.0.12)."""

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from tickflow.ticklog.kafka.internals import (
    KafkaConnectionManager,
    KafkaNetClient,
    KafkaNetSocket,
    NetworkSelector,
    close_with_sockets,
)

DIRECTLY = "tickflow-direct://"
"""The `proxy_url` that makes a client connect through `DirectSocket`, without any proxy."""


class WideSocket(socket.socket):
    """Receives more per call than the 4 KB that kafka-python requests: a fetched megabyte would otherwise take hundreds
    of calls.

    It also reports the end of a connection one call later than the bytes before it: kafka-python reads until nothing is
    left, and at the end of a connection discards what it has just read. A broker that refuses a login sends its reason
    just before it closes the connection.
    """

    _has_read = False

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """The next bytes, up to `size` or 64 KB."""
        data = super().recv(max(size, 65_536), flags)
        if not data and self._has_read:
            self._has_read = False
            raise BlockingIOError
        self._has_read = bool(data)
        return data


class WideTlsSocket(ssl.SSLSocket):
    """A `WideSocket` over TLS, created by an `SSLContext` whose `sslsocket_class` is this class.

    It closes itself if the handshake fails, which kafka-python leaves to the garbage collector.
    """

    _has_read = False

    def do_handshake(self, block: bool = False) -> None:
        """Continue the handshake."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except BaseException:
            self.close()
            raise

    def recv(self, buflen: int = 65_536, flags: int = 0) -> bytes:
        """The next bytes, up to `buflen` or 64 KB."""
        try:
            data = super().recv(max(buflen, 65_536), flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            raise
        except OSError:
            if not self._has_read:
                raise
            data = b""
        if not data and self._has_read:
            self._has_read = False
            raise BlockingIOError
        self._has_read = bool(data)
        return data


class DirectSocket(KafkaNetSocket):  # type: ignore[misc]  # kafka-python has no types
    """Closes the sockets of failed connection attempts, which kafka-python leaves to the garbage collector.

    It is registered under its own scheme, as kafka-python's proxies are.
    """

    SCHEMES = ("tickflow-direct",)

    def socket(self, *kind: int) -> WideSocket:
        """Return a socket that is not connected yet."""
        return WideSocket(*kind)

    async def sock_connect(self, net: Any, sock: WideSocket, *address: Any, timeout_at: float | None = None) -> Any:
        """The connected socket."""
        try:
            return await super().sock_connect(net, sock, *address, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class Selector(NetworkSelector):  # type: ignore[misc]  # kafka-python has no types
    """Closes the sockets of a client with the client."""

    def close(self) -> None:
        """End the loop; no connection is left open."""
        close_with_sockets(self)


class Connections(KafkaConnectionManager):  # type: ignore[misc]  # kafka-python has no types
    """Reports to `note` why a connection failed: kafka-python only logs a refused login and then raises a time-out.

    Each connection reads the certificates again (`trust`), so that renewed ones take effect without a restart.

    It also enforces `allow_auto_create_topics`, which kafka-python accepts and ignores: otherwise a worker that asks
    for a deleted topic would make the broker create it, with the broker's default number of partitions and the
    timestamps that producers set.
    """

    def __init__(
        self,
        net: NetworkSelector,
        note: Callable[[BaseException], None],
        trust: Callable[[], ssl.SSLContext | None],
        /,
        **configs: object,
    ) -> None:
        super().__init__(net, **configs)
        self._tell = note
        self._trust = trust
        self.cluster.config["allow_auto_create_topics"] = configs.get("allow_auto_create_topics", False)

    def get_connection(self, *place: Any, **options: Any) -> Any:
        """A connection, open or about to be opened."""
        self.config["ssl_context"] = self._trust()
        connection = super().get_connection(*place, **options)
        connection.init_future.add_errback(self._tell)
        connection.close_future.add_errback(self._tell)  # a broker may also close the connection at the first request
        return connection


def open_network(
    note: Callable[[BaseException], None], trust: Callable[[], ssl.SSLContext | None], configs: Mapping[str, Any]
) -> KafkaNetClient:
    """The network part of a kafka-python client, passed to it as `kafka_client`; `trust` returns the TLS context."""
    net = Selector(**configs)
    return KafkaNetClient(net, Connections(net, note, trust, **configs), **configs)
