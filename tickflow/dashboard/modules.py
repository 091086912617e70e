"""The page's ES modules, `assets/*.js`: served at an address that contains their version, so that browsers can cache
them.

The entry is `page.js`, which imports the others and requests the first drawing. It runs before the scripts of Dash,
which keep the browser busy while the server answers; `start.js` runs after them, and starts Dash's renderer. All
modules are listed for preloading, so that a first visit does not fetch them one import after another.
"""

import hashlib
from pathlib import Path

from flask import Flask, Response

ASSETS = Path(__file__).resolve().parents[2] / "assets"
ENTRY, START = "page", "start"
FIRST = "first"
"""The script that is not a module: it runs before anything is drawn, and the page waits for it."""
PREFIX = "/modules/"


class Modules:
    """The modules in a folder, as they were when this object was created."""

    def __init__(self, folder: Path = ASSETS) -> None:
        self._texts = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.js")) if path.stem != FIRST}
        digest = hashlib.sha256()
        for name, text in self._texts.items():
            digest.update(name.encode() + b"\0" + text + b"\0")
        self.version = digest.hexdigest()[:12]
        self._first = hashlib.sha256((folder / f"{FIRST}.js").read_bytes()).hexdigest()[:12]

    def serve(self, server: Flask) -> None:
        """Answer requests for the modules of this version; for any other version, 404."""

        def module(version: str, name: str) -> Response:
            if version != self.version or name not in self._texts:
                return Response(status=404)
            response = Response(self._texts[name], mimetype="text/javascript")
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            return response

        server.add_url_rule(f"{PREFIX}<version>/<name>.js", "modules", module)

    def tags(self) -> str:
        """The tags of the entry module, and preloads of what it imports."""
        imported = (name for name in self._texts if name not in (ENTRY, START))
        preloads = (f'<link rel="modulepreload" href="{self._address(name)}">' for name in imported)
        return "\n            ".join((*preloads, self.tag(ENTRY)))

    def first(self) -> str:
        """The tag of the first script. Its address has a version too: the page waits for that script, so a browser
        that knows it must not ask the server whether it has changed.
        """
        return f'<script src="assets/{FIRST}.js?m={self._first}"></script>'

    def tag(self, name: str) -> str:
        """The tag that runs a module, in the order of the deferred scripts."""
        return f'<script type="module" src="{self._address(name)}"></script>'

    def _address(self, name: str) -> str:
        return f"{PREFIX.lstrip('/')}{self.version}/{name}.js"
