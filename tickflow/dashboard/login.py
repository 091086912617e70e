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
from typing import NamedTuple, Protocol

from flask import Flask, Response, request

from tickflow.dashboard import forms
from tickflow.dashboard.accounts import Account, Accounts, Person
from tickflow.dashboard.own_account import OwnAccount
from tickflow.dashboard.sessions import COOKIE, LONGEST_SECONDS, Sessions
from tickflow.dashboard.tries import Tries
from tickflow.settings.addresses import SOCKET, is_socket

LOGIN, LOGOUT, ACCOUNT = "/login", "/logout", "/account"
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

    @property
    def address(self) -> str:
        """The client's address; for a request through a trusted proxy, the address that the proxy states."""
        return request.remote_addr or ""

    def refuse(self) -> Response:
        """The answer to a request from an unknown person."""
        return forms.plain(403, "This page can be reached only through its proxy.")

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

    def refuse(self) -> Response:
        """Log a name that no trusted proxy has sent; the answer says only how the page is reached."""
        name = request.headers.get(self._header, "")
        if name:
            shown = name if _NAME.fullmatch(name) else "a name that cannot be"
            _logger.warning("refused %s from %s: not from a proxy of AUTH_PROXIES", shown, self.address)
        return super().refuse()

    @property
    def address(self) -> str:
        """The client's address; for a request through a trusted proxy, the address that the proxy states."""
        address = super().address
        if self.is_a_proxy(address):
            forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            try:
                return str(ipaddress.ip_address(forwarded))
            except ValueError:
                return address
        return address

    def is_a_proxy(self, address: str) -> bool:
        """Whether the address is one of the trusted proxies."""
        if address == SOCKET:  # the server reports this address for connections to its unix socket only
            return self._by_socket
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in each for each in self._proxies if each.version == parsed.version)


class Refused(NamedTuple):
    """Why a password was not accepted, and for how many seconds no other will be."""

    status: int
    sentence: str
    wait: int = 0

    def answer(self, response: Response) -> Response:
        """The response, with the header that says when to try again."""
        if self.wait:
            response.headers["Retry-After"] = str(self.wait)
        return response


class ByPassword(Gatekeeper):
    """Authentication by name and password, with sessions, and by bearer tokens for scripts."""

    is_public = frozenset({LOGIN})

    def __init__(self, accounts: Accounts, *, proxies: Sequence[str] = (), tries: Tries | None = None) -> None:
        self.sessions = Sessions()
        self.accounts = accounts
        self._tries = tries or Tries()
        self._proxies = ByProxy(proxies, "")

    def person(self) -> Person | None:
        """The owner of the session or token, with the role that the account has now."""
        if request.environ.get(OWN):
            return Person("the page itself", "viewer")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind:
            return self.accounts.bearer(token.strip()) if kind.lower() == "bearer" else None
        key = request.cookies.get(COOKIE)
        session = self.sessions.find(key)
        if session is None:
            return None
        account = self.accounts.find(session.name)
        if account is None or account.stamp != session.stamp:  # the account was removed, or has a new password
            self.sessions.end(key)
            return None
        return Person(session.name, account.role)

    def refuse(self) -> Response:
        """Redirect a browser to the sign-in page; answer everything else with a status and a message."""
        if request.method in ("GET", "HEAD") and request.path == "/":
            query = request.query_string.decode("ascii", "replace")
            return forms.found(f"{LOGIN}?{query}" if query and _QUERY.fullmatch(query) else LOGIN)
        if "Authorization" in request.headers:  # a page of another site cannot send this header
            _logger.warning("refused an unknown or expired token from %s", self.address)
        response = forms.plain(401, ENDED)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def serve(self, server: Flask) -> None:
        """Add the pages to sign in and out, and the account page."""
        server.add_url_rule(LOGIN, "login", self._login, methods=["GET", "POST"])
        server.add_url_rule(LOGOUT, "logout", self._logout, methods=["GET", "POST"])
        server.add_url_rule(ACCOUNT, "account", OwnAccount(self).serve, methods=["GET", "POST"])

    @property
    def address(self) -> str:
        """The client's address; for a request through a trusted proxy, the address that the proxy states."""
        return self._proxies.address

    def checked(self, name: str, password: str, purpose: str) -> Account | Refused:
        """The account, if the password is right and this attempt may be made now; `purpose` names it in the log."""
        shown = name if _NAME.fullmatch(name) else "a name that cannot be"
        wait = math.ceil(self._tries.wait(name, self.address))
        if wait > 0:
            _logger.warning("%s refused: too many tries of %s from %s", purpose, shown, self.address)
            return Refused(429, f"Too many tries. Try again in {wait} s.", wait)
        right = self.accounts.is_right(name, password)
        if right is None:
            return Refused(503, "Too many people are signing in at once. Try again in a few seconds.", 5)
        account = self.accounts.find(name)
        if not right or account is None:
            _logger.warning("%s refused: wrong name or password of %s from %s", purpose, shown, self.address)
            return Refused(401, WRONG)
        self._tries.right(name, self.address)
        return account

    def begin(self, name: str, account: Account, response: Response) -> Response:
        """Begin a session in place of the browser's current one; the response gives the browser its key."""
        self.sessions.end(request.cookies.get(COOKIE))
        key = self.sessions.begin(name, account.stamp, self.address)
        response.set_cookie(
            COOKIE, key, max_age=int(LONGEST_SECONDS), secure=True, httponly=True, samesite="Lax", path="/"
        )
        return response

    def _login(self) -> Response:
        query = request.query_string.decode("ascii", "replace")
        query = query if _QUERY.fullmatch(query) else ""
        if request.method != "POST":  # HEAD too
            return _page(200, _form(query))
        if request.mimetype != forms.FORM:
            return forms.plain(415, "The sign-in page sends a form.")
        name, password = request.form.get("name", "")[:64], request.form.get("password", "")[:1_000]
        account = self.checked(name, password, "sign-in")
        if isinstance(account, Refused):
            return account.answer(_page(account.status, _form(query, account.sentence)))
        _logger.info("signed in: %s (%s) from %s", name, account.role, self.address)
        return self.begin(name, account, forms.found(f"/?{query}" if query else "/"))

    def _logout(self) -> Response:
        if request.method != "POST":  # HEAD too
            return _page(
                200, '<form method="post"><button>Sign out</button></form><p><a href="/">Back to the page</a></p>'
            )
        person = self.person()
        self.sessions.end(request.cookies.get(COOKIE))
        _logger.info("signed out: %s from %s", person.name if person else "nobody", self.address)
        response = forms.found(LOGIN)
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


def _form(query: str, trouble: str = "") -> str:
    action = html.escape(f"{LOGIN}?{query}" if query else LOGIN)
    return f"""<form method="post" action="{action}">{forms.alert(trouble)}
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" maxlength="64" required autofocus>
{forms.password("password", "Password", "current")}
<button>Sign in</button></form>"""


def _page(status: int, content: str) -> Response:
    return forms.page(status, "sign in", content)
