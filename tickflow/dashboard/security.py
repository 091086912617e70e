"""What every request is checked for and every answer carries.

The page has no login yet, so it is served to this machine only (the settings refuse any other host). A browser on
this machine also opens pages of others, and those must reach nothing here: the Host header has to be a loopback name
(against DNS rebinding), and a callback has to be JSON, which no foreign page may send without being asked.
"""

from urllib.parse import urlsplit

from dash import Dash
from flask import Response, request

MAX_BODY_BYTES = 64 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CATCH_ALL = "/<path:path>"


def secure(app: Dash, host: str) -> None:
    """Guard the app, served at `host`; to be called after its last callback, whose scripts the policy names."""
    app.server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    names = LOOPBACK | {host}
    headers = {
        "Content-Security-Policy": policy(app.csp_hashes()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }

    def check() -> Response | None:
        # Answers, not exceptions: those would be dressed up as tracebacks by Dash in debug.
        if _name_of(request.host) not in names:
            return Response("This page answers to its own name only.", 403, mimetype="text/plain")
        if request.url_rule is not None and request.url_rule.rule == CATCH_ALL:
            return Response(status=404)  # Dash would serve the page under any path, the debugger's included
        if request.method == "POST":
            if request.mimetype != "application/json":
                return Response(status=415)
            if request.content_length is None:
                return Response(status=411)
            if request.content_length > MAX_BODY_BYTES:
                return Response(status=413)
        return None

    def dress(response: Response) -> Response:
        for name, value in headers.items():
            response.headers[name] = value
        return response

    app.server.before_request(check)
    app.server.after_request(dress)


def policy(script_hashes: list[str]) -> str:
    """The content security policy: all from here and nothing from elsewhere; inline scripts by their hashes only."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",  # the components style themselves
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
