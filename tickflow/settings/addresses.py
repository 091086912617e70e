"""Checks addresses in settings: a URL, a server, a loopback host, a network. Pure; no name is looked up."""

import ipaddress
import re
from urllib.parse import urlsplit


def is_http_url(text: str) -> bool:
    """Whether `text` is an http or https URL of a server, without user, password, query or fragment.

    >>> is_http_url("http://localhost:8086"), is_http_url("https://[::1]/influx"), is_http_url("http://me:pw@host")
    (True, True, False)
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError for a port that is not a number
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or re.search(r"\s", text))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def is_server(text: str) -> bool:
    """Whether `text` is a host and a port, separated by a colon; an IPv6 address is in brackets.

    >>> is_server("localhost:9092"), is_server("[::1]:9092"), is_server("::1:9092"), is_server("kafka:99999")
    (True, True, False, False)
    """
    match = re.fullmatch(r"[\w.\-]+:([0-9]{1,5})|\[[0-9a-fA-F:]+\]:([0-9]{1,5})", text)
    return match is not None and 0 < int(match[1] or match[2]) < 65_536


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` can be reached from this machine only.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


SOCKET = "unix:"


def is_socket(text: str) -> bool:
    """Whether `text` names a unix socket.

    >>> is_socket("unix:/run/tickflow/page.sock"), is_socket("unix:page.sock"), is_socket("/run/page.sock")
    (True, False, False)
    """
    return text.startswith(f"{SOCKET}/") and not text.endswith("/")


def is_network(text: str) -> bool:
    """Whether `text` is an IP address or an IP network.

    >>> is_network("10.0.0.0/24"), is_network("::1"), is_network("proxy")
    (True, True, False)
    """
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
