"""The scripts of Dash, its components and Plotly, compressed well: most of what a first visit carries.

They are compressed once. What is made for each request is left to flask-compress, which does it fast, not well.
"""

import re
import threading
from urllib.parse import urljoin

import brotli
from flask import Flask, Response, request

from tickflow.dashboard.modules import PREFIX

SCRIPTS = ("/_dash-component-suites/", "/assets/vendor/", PREFIX)
LATER = ("/_dash-component-suites/dash_ag_grid/async-community.js",)
"""What the page loads beside the scripts that it names itself."""
QUALITY = 9
"""Of 1.3 MB of Plotly it leaves 385 KB in 0.2 s; the best, 11, takes ten times as long."""

MOST = 100
"""Scripts that are kept. The page has some 20; but whoever asks may spell the version in a path as he likes."""


class Packed:
    """Packs the answers of an app's server that are such scripts, for browsers that take Brotli."""

    def __init__(self, server: Flask) -> None:
        self._server = server
        self._kept: dict[str, bytes] = {}
        server.after_request(self._pack)

    def prepare(self) -> None:
        """Pack what the page loads before a visitor asks for it, in a thread of its own."""
        threading.Thread(target=self._ask_for_all, name="packing", daemon=True).start()

    def _ask_for_all(self) -> None:
        browser = self._server.test_client()
        named = (urljoin("/", each) for each in re.findall(r'src="([^"]+)"', browser.get("/").text))
        for path in (*named, *LATER):
            browser.get(path, headers={"Accept-Encoding": "br"}).close()

    def _pack(self, response: Response) -> Response:
        path = request.path  # it has the version in it, and what follows a question mark counts for nothing
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
    """The response with its content in memory: flask-compress leaves the file of a streamed one open."""
    if response.direct_passthrough:
        response.direct_passthrough = False
        response.make_sequence()
    return response
