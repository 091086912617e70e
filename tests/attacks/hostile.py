"""Generates hostile requests to all routes, callbacks and inputs of the page; the same seed gives the same requests.

Each request lists the statuses that are correct answers. Only a request that the page itself might make may be answered
with 200.
"""

import copy
import json
import random
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

UPDATE = "/_dash-update-component"
JSON = {"Content-Type": "application/json"}
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ROUTES = (
    "/", "/_dash-layout", "/_dash-dependencies", UPDATE, "/_reload-hash", "/_favicon.ico", "/assets/page.css",
    "/assets/vendor/plotly-LICENSE.txt", "/_dash-component-suites/dash/deps/react@18.3.1.min.js", "/static/x",
    "/console", "/session", "/login", "/account",
)  # fmt: skip
FORMS = ("/login", "/account")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, 2**63, 2**200, -(2**63), 1e308, "", "AAPL", "x" * 2_000, "\x00",
    "\x1b[31m\r\n", "' OR 1=1 --", {"identifier": "symbol"}, {"regex": ".*"}, {"$gt": ""}, [], {}, [[]],
    [None] * 300, "\ud800", "NaN",
    {"__proto__": {}}, ["AAPL"] * 500, "../../etc/passwd", "<script>alert(1)</script>", "${jndi:ldap://x}",
)  # fmt: skip
PATHS = (
    "/../config.py", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../config.py", "/assets/..%2f.env",
    "/assets/%2e%2e%2f%2e%2e%2f.env", "/assets//etc/passwd", "/assets/%00", "/assets/page.css%00.js", "/assets/vendor",
    "/_dash-component-suites/os/x.js", "/_dash-component-suites/dash/../../config.py", "/_dash-component-suites/sys/",
    "/_dash-component-suites/dash/%2e%2e/%2e%2e/config.py", "/_dash-component-suites/plotly/package_data/plotly.min.js",
    "/_dash-component-suites/dash_ag_grid/async-enterprise.js", "/_dash-component-suites/dash/deps/x.v1m1.js",
    "/_dash-component-suites/%0a/x", "/a%0a%1b[31mERROR forged", "/%ff%fe", "/%E2%80%AE", "/console", "/login/../x",
    "/?__debugger__=yes&cmd=resource&f=debugger.js&x=", "//evil.example/", "/\\evil.example", "/_alive_x",
    "/.git/config", "/.env", "/data/stocks.db", "/static/../x", "/" + "a" * 5_000, "/" + "%41" * 3_000, "/;/", "/*",
)  # fmt: skip


class Request(NamedTuple):
    """One request: its kind of attack, its content, and the statuses that are correct answers."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    right: frozenset[int]


def hostile(seed: int, count: int, known: list[dict[str, Any]]) -> Iterator[Request]:
    """Generate `count` hostile requests; `known` are bodies that the page itself might post."""
    choose = random.Random(seed)
    kinds = (
        _changed,
        _changed,
        _changed,
        _garbled,
        _foreign,
        _misnamed,
        _typed,
        _path,
        _routed,
        _long,
        _swapped,
        _form,
    )
    for _ in range(count):
        yield choose.choice(kinds)(choose, copy.deepcopy(known))


def _encoded(body: object) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


def _changed(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A request of the page whose body has one to three changes."""
    body = choose.choice(known)
    for _ in range(choose.randint(1, 3)):
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = choose.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and choose.random() < 0.8:
                place = place[key]
                continue
            how = choose.random()
            if how < 0.2:
                del place[key]
            elif how < 0.35 and isinstance(place, dict):
                place[f"{key}{choose.choice(['x', '__class__', chr(10)])}"] = copy.deepcopy(choose.choice(ODD))
            else:
                place[key] = copy.deepcopy(choose.choice(ODD))
            break
    return Request("changed body", "POST", UPDATE, JSON, _encoded(body), frozenset({200, 400}))


def _garbled(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A body that is damaged, is not JSON, or is not the JSON of any callback."""
    body = _encoded(choose.choice(known))
    at = choose.randrange(len(body))
    bad = choose.choice([
        body[:at], body[:at] + bytes([choose.randrange(256)]) * 3 + body[at:], b"", b"null", b"[]", b"{}", b"5", b'"x"',
        b"[" * 20_000, b'{"a":' * 9_000, b"\xff\xfe", body + body, b"NaN", b'{"output":5}', b"\x00" * 50,
        b'{"output":"drawing.data","output":"x"}', b" " * 60_000,
    ])  # fmt: skip
    return Request("no JSON", "POST", UPDATE, JSON, bad, frozenset({200, 400}) if bad[:1] == b"{" else frozenset({400}))


def _foreign(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A request as a page of a different site sends it."""
    headers = choose.choice([
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://"},
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site", **NAVIGATES, "Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1.evil.example"}, {"Sec-Fetch-Site": "nonsense"}, {"Origin": "http://127.0.0.1"},
    ])  # fmt: skip
    path = choose.choice(ROUTES)
    method = "POST" if path == UPDATE else choose.choice(["GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE"])
    body = _encoded(choose.choice(known)) if method == "POST" else None
    return Request("foreign page", method, path, {**JSON, **headers}, body, frozenset({403}))


def _misnamed(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A request whose Host header names a different host, as after DNS rebinding."""
    host = choose.choice([
        "evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", "[::2]", "[", "", "a b", "@",
        "%00",        "127.0.0.1@evil.example", "xn--", "0x7f.1", "2130706433", "evil.example:127.0.0.1",
    ])  # fmt: skip
    path = choose.choice(ROUTES)
    body = _encoded(choose.choice(known)) if path == UPDATE else None
    right = frozenset({403, 400})
    return Request("another host", "POST" if body else "GET", path, {**JSON, "Host": host}, body, right)


def _typed(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A callback whose content type is not JSON but one that an HTML form could send."""
    kind = choose.choice(
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "x"]
    )
    return Request(
        "not as JSON", "POST", UPDATE, {"Content-Type": kind}, _encoded(choose.choice(known)), frozenset({415})
    )


def _path(choose: random.Random, _known: list[dict[str, Any]]) -> Request:
    """A path that leads outside the served files, or that has no route."""
    path = choose.choice(PATHS).replace(" ", "%20")
    right = {200, 404} if path.startswith("/?") else {308, 400, 403, 404, 405, 414}
    return Request("a path", choose.choice(["GET", "GET", "HEAD"]), path, {}, None, frozenset(right))


def _routed(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A method that the route does not support."""
    method = choose.choice(["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "POST"])
    path = choose.choice([each for each in ROUTES if each != UPDATE])
    right = frozenset({400, 404, 405, 501} | ({403, 415} if path in FORMS else set()))
    return Request("another method", method, path, JSON, _encoded(choose.choice(known)), right)


def _long(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """A body or headers above the size limit."""
    if choose.random() < 0.5:
        return Request("long", "POST", UPDATE, JSON, b"x" * choose.randint(65_537, 300_000), frozenset({413}))
    headers = {f"X-{at}": "y" * 1_000 for at in range(20)}
    return Request("long", "GET", "/", headers, None, frozenset({431}))


def _form(choose: random.Random, _known: list[dict[str, Any]]) -> Request:
    """A form of the sign-in page or of the account page, damaged or with odd values."""
    names = ("name", "password", "new", "again", "session", "session", "x")
    fields = [(choose.choice(names), str(choose.choice(ODD))) for _ in range(choose.randint(0, 6))]
    text = urllib.parse.urlencode(fields, errors="surrogatepass").encode()
    body = choose.choice([text, text, text, b"name=%", b"password=%ff%00", b"&" * 500, b"session=1&" * 2_000, b"=" * 9])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    right = frozenset({400, 401, 403, 404, 405, 413, 429, 503})
    return Request("a form", "POST", choose.choice(FORMS), headers, body, right)


def _swapped(choose: random.Random, known: list[dict[str, Any]]) -> Request:
    """The values of one callback, posted to a different callback, to one that only the browser runs, or to none."""
    one, other = choose.choice(known), choose.choice(known)
    one["output"] = choose.choice([
        other["output"], "state.data", "view.data", "..drawn.data...watched.data..", "provider.forceColorScheme",
        "__class__",        "acked.data@x", "", "x" * 1_000,
    ])  # fmt: skip
    right = frozenset({400} if one["output"] != one["outputs"]["id"] + ".data" else {200})
    return Request("another callback", "POST", UPDATE, JSON, _encoded(one), right)


Sender = Callable[[Request], int]
