"""Authentication by the setting `AUTH`: without a login, on loopback only (`none`); by a proxy that names the person
(`proxy`); or by name and password (`users`).

Every request except those for the sign-in page must come from a known person; callbacks that change something need an
operator (see `shapes`).
"""

import html
import ipaddress
import logging
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Protocol

from flask import Flask, Response, redirect, request

from tickflow.dashboard.accounts import Accounts, Person
from tickflow.dashboard.sessions import COOKIE, LONGEST_SECONDS, Sessions
from tickflow.dashboard.tries import Tries
from tickflow.settings.addresses import SOCKET, is_socket

LOGIN, LOGOUT = "/login", "/logout"
OWN = "tickflow.own"
"""The key in the WSGI environ that marks a request which this process makes to itself. A client cannot set it: headers
arrive as `HTTP_...`.
"""
WRONG = "Name or password is wrong."
ENDED = "Nobody is signed in, or the session has ended. Sign in at /login."

_logger = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9._@+\-]{1,64}")
_QUERY = re.compile(r"[A-Za-z0-9=&%,.:_+\-]{0,2000}")


class Gatekeeper(ABC):
    """Identifies who makes the current request."""

    is_public: frozenset[str] = frozenset()
    """Paths that need no sign-in."""
    is_for_all = False
    """Whether the page has no login."""

    @abstractmethod
    def person(self) -> Person | None:
        """The person who makes the request; `None` if unknown."""

    def refuse(self) -> Response:
        """The answer to a request from an unknown person."""
        return _plain(403, "This page can be reached only through its proxy.")

    def serve(self, server: Flask) -> None:  # noqa: B027 - not abstract: most subclasses add no routes
        """Add the routes that this way of authentication needs."""


class Everybody(Gatekeeper):
    """No authentication, on loopback only: whoever uses this machine is an operator."""

    is_for_all = True

    def person(self) -> Person | None:
        """The local operator."""
        return Person("local", "operator")


class ByProxy(Gatekeeper):
    """Trusts the name in a header that a proxy sets after it has signed people in; from other addresses the header is
    ignored. A unix socket among `proxies` means that everyone who may open it is trusted.
    """

    def __init__(
        self, proxies: Sequence[str], header: str, *, roles_header: str | None = None, operators: Collection[str] = ()
    ) -> None:
        self._proxies = [ipaddress.ip_network(each, strict=False) for each in proxies if not is_socket(each)]
        self._by_socket = any(map(is_socket, proxies))
        self._header = header
        self._roles_header = roles_header
        self._operators = frozenset(operators)

    def person(self) -> Person | None:
        """The person named by the proxy."""
        if request.environ.get(OWN):
            return Person("the page itself", "viewer")
        name = request.headers.get(self._header, "")
        if not self.is_a_proxy(request.remote_addr or "") or not _NAME.fullmatch(name):
            return None
        roles = request.headers.get(self._roles_header, "") if self._roles_header else ""
        is_operator = name in self._operators or "operator" in re.split(r"[\s,;]+", roles)
        return Person(name, "operator" if is_operator else "viewer")

    def is_a_proxy(self, address: str) -> bool:
        """Whether the address is one of the trusted proxies."""
        if address == SOCKET:  # the server reports this address for connections to its unix socket only
            return self._by_socket
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in each for each in self._proxies if each.version == parsed.version)


class ByPassword(Gatekeeper):
    """Authentication by name and password, with sessions, and by bearer tokens for scripts."""

    is_public = frozenset({LOGIN})

    def __init__(self, accounts: Accounts, *, proxies: Sequence[str] = (), tries: Tries | None = None) -> None:
        self.sessions = Sessions()
        self._accounts = accounts
        self._tries = tries or Tries()
        self._proxies = ByProxy(proxies, "")

    def person(self) -> Person | None:
        """The owner of the session or token, with the role that the account has now."""
        if request.environ.get(OWN):
            return Person("the page itself", "viewer")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind:
            return self._accounts.bearer(token.strip()) if kind.lower() == "bearer" else None
        key = request.cookies.get(COOKIE)
        session = self.sessions.find(key)
        if session is None:
            return None
        account = self._accounts.find(session.name)
        if account is None or account.stamp != session.stamp:  # the account was removed, or has a new password
            self.sessions.end(key)
            return None
        return Person(session.name, account.role)

    def refuse(self) -> Response:
        """Redirect a browser to the sign-in page; answer everything else with a status and a message."""
        if request.method in ("GET", "HEAD") and request.path == "/":
            query = request.query_string.decode("ascii", "replace")
            return _found(f"{LOGIN}?{query}" if query and _QUERY.fullmatch(query) else LOGIN)
        response = _plain(401, ENDED)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def serve(self, server: Flask) -> None:
        """Add the pages to sign in and out."""
        server.add_url_rule(LOGIN, "login", self._login, methods=["GET", "POST"])
        server.add_url_rule(LOGOUT, "logout", self._logout, methods=["GET", "POST"])

    @property
    def address(self) -> str:
        """The client's address; for a request through a trusted proxy, the address that the proxy states."""
        address = request.remote_addr or ""
        if self._proxies.is_a_proxy(address):
            forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            try:
                return str(ipaddress.ip_address(forwarded))
            except ValueError:
                return address
        return address

    def _login(self) -> Response:
        query = request.query_string.decode("ascii", "replace")
        query = query if _QUERY.fullmatch(query) else ""
        if request.method == "GET":
            return _page(200, _form(query))
        if request.mimetype != "application/x-www-form-urlencoded":
            return _plain(415, "The sign-in page sends a form.")
        name, password = request.form.get("name", "")[:64], request.form.get("password", "")[:1_000]
        shown = name if _NAME.fullmatch(name) else "a name that cannot be"
        wait = self._tries.wait(name, self.address)
        if wait > 0:
            _logger.warning("sign-in refused: too many tries of %s from %s", shown, self.address)
            seconds = math.ceil(wait)
            response = _page(429, _form(query, f"Too many tries. Try again in {seconds} s."))
            response.headers["Retry-After"] = str(seconds)
            return response
        right = self._accounts.is_right(name, password)
        if right is None:
            return _page(503, _form(query, "Too many people are signing in at once. Try again in a few seconds."))
        account = self._accounts.find(name)
        if not right or account is None:
            _logger.warning("sign-in refused: wrong name or password of %s from %s", shown, self.address)
            return _page(401, _form(query, WRONG))
        self._tries.right(name, self.address)
        self.sessions.end(request.cookies.get(COOKIE))
        key = self.sessions.begin(name, account.stamp)
        _logger.info("signed in: %s (%s) from %s", name, account.role, self.address)
        response = _found(f"/?{query}" if query else "/")
        response.set_cookie(
            COOKIE, key, max_age=int(LONGEST_SECONDS), secure=True, httponly=True, samesite="Lax", path="/"
        )
        return response

    def _logout(self) -> Response:
        if request.method == "GET":
            return _page(
                200, '<form method="post"><button>Sign out</button></form><p><a href="/">Back to the page</a></p>'
            )
        person = self.person()
        self.sessions.end(request.cookies.get(COOKIE))
        _logger.info("signed out: %s from %s", person.name if person else "nobody", self.address)
        response = _found(LOGIN)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return response


class AuthSettings(Protocol):
    """The settings of authentication; `config.Settings` has them."""

    @property
    def auth(self) -> str: ...  # noqa: D102 - .env.example documents each of these settings
    @property
    def auth_proxies(self) -> tuple[str, ...] | None: ...  # noqa: D102
    @property
    def auth_header(self) -> str: ...  # noqa: D102
    @property
    def auth_roles_header(self) -> str | None: ...  # noqa: D102
    @property
    def auth_operators(self) -> tuple[str, ...] | None: ...  # noqa: D102


def gatekeeper(settings: AuthSettings, accounts: Accounts) -> Gatekeeper:
    """The gatekeeper that `AUTH` chooses. Raises `SettingError` for accounts that cannot be read."""
    if settings.auth == "proxy":
        return ByProxy(
            settings.auth_proxies or (),
            settings.auth_header,
            roles_header=settings.auth_roles_header,
            operators=settings.auth_operators or (),
        )
    if settings.auth == "users":
        accounts.check()
        return ByPassword(accounts, proxies=settings.auth_proxies or ())
    return Everybody()


def _plain(status: int, sentence: str) -> Response:
    return Response(f"{sentence}\n", status, mimetype="text/plain")


def _found(address: str) -> Response:
    answer = redirect(address, 303)
    return Response(answer.get_data(), 303, headers={"Location": address}, mimetype="text/html")


def _form(query: str, trouble: str = "") -> str:
    said = f'<p role="alert">{html.escape(trouble)}</p>' if trouble else ""
    action = html.escape(f"{LOGIN}?{query}" if query else LOGIN)
    return f"""<form method="post" action="{action}">{said}
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" maxlength="64" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required>
<button>Sign in</button></form>"""


def _page(status: int, content: str) -> Response:
    return Response(_FRAME.replace("CONTENT", content), status, mimetype="text/html")


_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tickflow: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>
:root { --ink: #1a1d21; --ground: #ffffff; --line: #868e96; --button: #0b5394; --on: #ffffff; --alert: #a61e1e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --ground: #16181b; --line: #868e96; --button: #8ec5f4; --on: #10151a; --alert: #ffa8a8; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0; }
main { max-width: 320px; margin: 12vh auto 0; padding: 0 16px; }
h1 { font-size: 20px; }
label { display: block; margin-top: 12px; }
input, button { font: inherit; box-sizing: border-box; width: 100%; padding: 8px 12px; border-radius: 4px; }
input { color: inherit; background: transparent; border: 1px solid var(--line); }
button { margin-top: 20px; color: var(--on); background: var(--button); border: 0; cursor: pointer; }
:focus-visible { outline: 3px solid var(--button); outline-offset: 2px; }
[role=alert] { color: var(--alert); }
a { color: inherit; }
</style></head><body><main><h1>Tickflow</h1>CONTENT</main></body></html>"""
