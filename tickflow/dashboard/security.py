"""The checks on every request and the headers of every answer.

Without a login (see `dashboard/login.py`) the page is served to this machine only: the settings refuse any other host.
A browser also opens other people's pages, and those must not reach this one. The Host header has to be one of our names
(against DNS rebinding), a request has to come from our own page (`Sec-Fetch-Site`, `Origin`), and a callback has to be
JSON of exactly the form that our page posts (see `asked.py`).
"""

import io
import logging
from collections.abc import Collection
from urllib.parse import urlsplit

from dash import Dash
from dash.fingerprint import check_fingerprint
from flask import Response, g, jsonify, request

from tickflow.dashboard.asked import Bodies, Refused
from tickflow.dashboard.login import ACCOUNT, LOGIN, LOGOUT, Gatekeeper
from tickflow.dashboard.rationed import Rationed
from tickflow.dashboard.viewers import VIEWERS, Viewers
from tickflow.errors import Overloaded, SettingError

MAX_BODY_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 2 * 2**20
"""The largest answer, in bytes, that is computed for a request; static files may be larger."""
MAX_TARGET_CHARACTERS = 8 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CATCH_ALL = "/<path:path>"
CALLBACKS = "/_dash-update-component"
SUITES = "/_dash-component-suites/"
FORMS = (LOGIN, LOGOUT, ACCOUNT)
SESSION = "/session"
FILES = ("/assets/", "/modules/", SUITES)

NEEDED = frozenset({
    ("dash", "dash-renderer/build/dash_renderer.min.js"),
    ("dash", "dcc/dash_core_components-shared.js"),
    ("dash", "dcc/dash_core_components.js"),
    ("dash", "deps/prop-types@15.8.1.min.js"),
    ("dash", "deps/react-dom@18.3.1.min.js"),
    ("dash", "deps/react@18.3.1.min.js"),
    ("dash", "html/dash_html_components.min.js"),
    ("dash_ag_grid", "async-community.js"),
    ("dash_ag_grid", "dash_ag_grid.min.js"),
    ("dash_mantine_components", "dash_mantine_components.js"),
})  # fmt: skip
"""The files of Dash and its components that the page loads, by package; no others are served."""

_DEBUG = frozenset({"/_reload-hash"})

_logger = logging.getLogger(__name__)


def secure(
    app: Dash, names: Collection[str], keeper: Gatekeeper, *, update_interval: float, debug: bool = False
) -> None:
    """Guard an app: it answers only under `names` and the loopback names, and, except for its public paths, only people
    whom `keeper` lets in.

    Call this after the last callback is registered: the policy holds the hashes of the callbacks' inline scripts.
    """
    app.server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    names = LOOPBACK | {each.lower() for each in names}
    headers = headers_of(app)
    app.server.config[HEADERS] = headers
    form_policy = headers["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
    bodies = Bodies(app.callback_map)
    viewers = Viewers(update_interval)

    def check() -> Response | None:
        Rationed.begin()
        # These are answers and not exceptions: in debug mode Dash would show exceptions as tracebacks.
        if _name_of(request.host) not in names:
            return refusal(403, "This page answers to its own name only.")
        if _is_foreign():  # not logged: the person who opened the other page does not know of the request
            return refusal(403, "This page answers to itself only, not to pages of other sites.")
        if len(request.full_path) > MAX_TARGET_CHARACTERS:
            return refusal(414, f"The address is too long: more than {MAX_TARGET_CHARACTERS:,} characters.")
        g.person = keeper.person()
        if g.person is None and request.path not in keeper.is_public:
            return keeper.refuse()
        rule = None if request.url_rule is None else request.url_rule.rule
        if rule is None:
            return None
        if rule == CATCH_ALL or "\0" in request.path or (rule in _DEBUG and not debug):
            return refusal(404, "There is nothing here.")  # Dash would serve the page under any path
        if rule.startswith(SUITES) and not debug and not _is_needed():
            return refusal(404, "There is nothing here.")
        if request.method == "POST":
            return _check_body()
        return None

    def _check_body() -> Response | None:
        if request.path != CALLBACKS:
            return None
        if request.mimetype != "application/json":
            return refusal(415, "The body of a callback must be JSON.")
        length = request.content_length
        if length is None:
            return refusal(411, "The request of a callback must state its length.")
        if length > MAX_BODY_BYTES:
            return refusal(413, f"The request is too long: more than {MAX_BODY_BYTES:,} bytes.")
        try:
            asked = bodies.checked(request.environ["wsgi.input"].read(length))
        except Refused as refused:
            by = g.person.name, keeper.address, refused.callback or "a callback"
            _logger.warning("refused a request of %s from %s to %s: %s", *by, refused.why)
            return refusal(400, "This is not a request of this page. Load the page again.")
        if asked.role == "operator":
            if g.person.role != "operator":
                _logger.warning("refused to the viewer %s from %s: %s", g.person.name, keeper.address, asked.callback)
                return refusal(403, "This needs the role operator; you are signed in as a viewer.")
            _logger.info("%s from %s: %s", g.person.name, keeper.address, asked.callback)
        drawn = asked.values.get("drawn.data")
        if drawn is not None and not viewers.admit(drawn.id):
            return refusal(503, f"{VIEWERS} pages are already open. Close one, or try again later.")
        request.environ["wsgi.input"] = io.BytesIO(asked.body)
        request.environ["CONTENT_LENGTH"] = str(len(asked.body))
        return None

    def dress(response: Response) -> Response:
        Rationed.end()
        if not request.path.startswith(FILES):
            length = None if response.is_streamed else len(response.get_data())
            if length is not None and length > MAX_ANSWER_BYTES:
                _logger.warning("an answer of %d bytes was not sent: more than %d", length, MAX_ANSWER_BYTES)
                response = refusal(503, "The answer would be too long. Ask for less: a shorter range, fewer symbols.")
        if not request.path.startswith(FILES) or response.status_code >= 400:
            response.headers["Cache-Control"] = "no-store"
        for name, value in headers.items():
            response.headers[name] = value
        person = g.get("person")
        if request.path == CALLBACKS and person is not None and not keeper.is_for_all:
            response.headers["Person-Role"] = person.role  # so that an open page notices a change of role
        if request.path in FORMS and keeper.is_public:
            response.headers["Content-Security-Policy"] = form_policy
            # Under "no-referrer" a browser sends a form with `Origin: null`, which `_is_foreign` refuses.
            response.headers["Referrer-Policy"] = "same-origin"
        return response

    def _overloaded(error: Overloaded) -> Response:
        _logger.warning("%s", error)
        response = refusal(503, str(error))
        response.headers["Retry-After"] = "5"
        return response

    def _misconfigured(error: SettingError) -> Response:
        _logger.error("%s", error)
        return refusal(503, "The page cannot answer until a setting is corrected. Its log names the setting.")

    def session() -> Response:
        """Tell the page who is signed in, and in which role."""
        shown = "" if keeper.is_for_all else g.person.name
        return jsonify(name=shown, role=g.person.role, signs_out=bool(keeper.is_public))

    app.server.add_url_rule(SESSION, "session", session, methods=["GET"])
    keeper.serve(app.server)
    app.server.before_request(check)
    app.server.after_request(dress)
    app.server.register_error_handler(Overloaded, _overloaded)
    app.server.register_error_handler(SettingError, _misconfigured)


HEADERS = "TICKFLOW_HEADERS"


def headers_of(app: Dash) -> dict[str, str]:
    """The headers of every answer."""
    return {
        "Content-Security-Policy": policy(app.csp_hashes()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def refusal(status: int, sentence: str) -> Response:
    """An answer that contains only a message: why the request is refused."""
    return Response(f"{sentence}\n", status, mimetype="text/plain")


def _is_foreign() -> bool:
    """Whether a page of another site makes this request; a visit to our page, to which any site may link, is
    allowed.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    own = origin is None or origin in (f"http://{request.host}", f"https://{request.host}")
    if own and site in ("same-origin", "none"):
        return False
    is_visit = (
        request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"
    )
    return not (origin is None and is_visit and request.method == "GET" and request.path == "/")


def _is_needed() -> bool:
    arguments = request.view_args or {}
    path, _ = check_fingerprint(arguments.get("fingerprinted_path", ""))
    return (arguments.get("package_name"), path) in NEEDED


def policy(script_hashes: list[str]) -> str:
    """The content security policy: everything from this server, nothing from elsewhere; inline scripts only by their
    hashes.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",  # the components have inline styles
            "img-src 'self' data: blob:",  # the chart's picture
            "font-src 'self' data:",  # the grid's icons
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _name_of(host: str) -> str | None:
    """The name in a Host header, without the port.

    >>> _name_of("127.0.0.1:8050"), _name_of("[::1]:8050"), _name_of("evil.example"), _name_of("[")
    ('127.0.0.1', '::1', 'evil.example', None)
    """
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
