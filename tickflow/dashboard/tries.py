"""Limits how often passwords may be tried; checked before a password is hashed."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FREE = 5
"""After this many failed attempts an address has to wait, and each further failed attempt doubles the wait."""
LONGEST_SECONDS = 300.0
NAME_TRIES, NAME_SECONDS = 10, 60.0
"""The maximum number of failed attempts for one name within `NAME_SECONDS`, counted over all addresses from which this
name has never signed in.
"""
MAX_KEPT = 10_000
FORGOTTEN_SECONDS = 3600.0


def network_of(address: str) -> str:
    """The network under which an address is counted: for IPv6 its /64, since one customer usually owns a whole /64.

    >>> network_of("10.0.0.5"), network_of("2001:db8::1:2"), network_of("::ffff:10.0.0.5"), network_of("unix")
    ('10.0.0.5', '2001:db8::/64', '10.0.0.5', 'unix')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class Tries:
    """Counts wrong passwords per address and per name, both bounded. Thread-safe.

    A person who has once signed in from an address is not locked out of it when other addresses try the same name.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, tuple[int, float]] = (
            OrderedDict()
        )  # number of failed attempts, and time of the last one
        self._names: OrderedDict[str, tuple[int, float]] = OrderedDict()  # failed attempts, and their start
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, name: str, address: str) -> float:
        """Seconds to wait before the next attempt; 0 if it may be made now. It then counts as failed until `right` is
        called.
        """
        now, network = self._monotonic(), network_of(address)
        with self._lock:
            wrong, last = self._addresses.get(network, (0, now))
            if now - last > FORGOTTEN_SECONDS:
                wrong = 0
            pause = 0.0 if wrong < FREE else min(LONGEST_SECONDS, 2.0 ** min(wrong - FREE, 20))
            left = last + pause - now
            if left > 0:
                return left
            tried, since = self._names.get(name, (0, now))
            if now - since > NAME_SECONDS:
                tried, since = 0, now
            if tried >= NAME_TRIES and (name, network) not in self._known:
                return max(1.0, since + NAME_SECONDS - now)
            _keep(self._addresses, network, (wrong + 1, now))
            _keep(self._names, name, (tried + 1, since))
        return 0.0

    def right(self, name: str, address: str) -> None:
        """Record that the last attempt succeeded."""
        network = network_of(address)
        with self._lock:
            self._addresses.pop(network, None)
            tried, since = self._names.get(name, (1, self._monotonic()))
            _keep(self._names, name, (max(0, tried - 1), since))
            _keep(self._known, (name, network), None)


def _keep(kept: "OrderedDict[Key, Value]", key: Key, value: Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
