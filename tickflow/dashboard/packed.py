"""The scripts of Dash, its components and Plotly, highly compressed: they make up most of what a first visit
downloads.

They are compressed once. Answers made per request are left to flask-compress, which compresses fast but not well.
"""

import re
import threading
from urllib.parse import urljoin

import brotli
from flask import Flask, Response, request

from tickflow.dashboard.login import OWN
from tickflow.dashboard.modules import PREFIX

SCRIPTS = ("/_dash-component-suites/", "/assets/vendor/", PREFIX)
LATER = ("/_dash-component-suites/dash_ag_grid/async-community.js",)
"""Paths of scripts that the page loads in addition to those that its HTML names."""
QUALITY = 9
"""The Brotli level. It compresses 1.3 MB of Plotly to 385 KB in 0.2 s; the best level, 11, takes ten times as long."""

MOST = 100
"""The maximum number of scripts that are kept. The page has about 20, but a client may put any version into a path."""


class Packed:
    """Compresses the scripts in an app's answers, for browsers that accept Brotli."""

    def __init__(self, server: Flask) -> None:
        self._server = server
        self._kept: dict[str, bytes] = {}
        server.after_request(self._pack)

    def prepare(self) -> None:
        """Compress what the page loads before a visitor asks for it, in a separate thread."""
        threading.Thread(target=self._ask_for_all, name="packing", daemon=True).start()

    def _ask_for_all(self) -> None:
        browser = self._server.test_client()
        browser.environ_base[OWN] = "yes"
        named = (urljoin("/", each) for each in re.findall(r'(?:src|href)="([^"]+\.js[^"]*)"', browser.get("/").text))
        for path in (*named, *LATER):
            browser.get(path, headers={"Accept-Encoding": "br"}).close()

    def _pack(self, response: Response) -> Response:
        path = request.path  # the path has the version, and the query string does not matter
        if response.status_code != 200 or not path.startswith(SCRIPTS) or not request.accept_encodings.quality("br"):
            return response
        whole(response)
        if path not in self._kept:
            if len(self._kept) >= MOST:
                return response
            self._kept[path] = brotli.compress(response.get_data(), quality=QUALITY)
        response.set_data(self._kept[path])
        response.headers["Content-Encoding"] = "br"
        return response


def whole(response: Response) -> Response:
    """The response with its content in memory: flask-compress would leave the file of a streamed response open."""
    if response.direct_passthrough:
        response.direct_passthrough = False
        response.make_sequence()
    return response
