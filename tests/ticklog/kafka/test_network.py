"""No connection is left open when a client is closed, whatever it was doing."""

import socket
from collections.abc import Iterator

import pytest
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaTCPTransport

from tickflow.ticklog.kafka.network import Selector

MORE_THAN_A_BUFFER = bytes(64_000_000)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets; the second one reads nothing."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


@pytest.mark.parametrize("selector", [Selector, NetworkSelector])
@pytest.mark.parametrize("starts", [True, False])
def test_a_client_that_still_has_something_to_send_closes_its_socket(
    selector: type[NetworkSelector], starts: bool, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, _ = pair
    net = selector()
    transport = KafkaTCPTransport(net, near, host="broker")
    transport.write(MORE_THAN_A_BUFFER)
    if starts:
        net.poll(timeout_ms=10)
    transport.close()
    net.close()
    assert near.fileno() == -1


def test_a_closed_client_may_be_closed_again() -> None:
    net = Selector()
    net.close()
    net.close()
