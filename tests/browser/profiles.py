"""Browser profiles that tests reuse one after the other.

A profile keeps the compiled scripts of the page, but nothing that a page stored. A visit in a new profile fetches and
compiles 4 MB of scripts, which is more than half of its work.
"""

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Playwright, ViewportSize

from scripts.screenshots import CHROMIUM, FLAGS

KEPT_BY_PAGES = "local_storage,indexeddb,cache_storage,service_workers,file_systems"
"""The kinds of data that a page can store besides cookies, as the DevTools protocol names them. The HTTP cache, which
holds the scripts, is not one of them.
"""

SIZE: ViewportSize = {"width": 1440, "height": 900}
"""The size of a page's viewport in pixels, unless a test sets a different one."""


class Profiles:
    """Chromium profiles in `folder`, each started at its first use. Only a profile on disk keeps compiled scripts."""

    def __init__(self, playwright: Playwright, folder: Path, *, timeout_ms: float) -> None:
        self._playwright = playwright
        self._folder = folder
        self._timeout_ms = timeout_ms
        self._started: dict[int, BrowserContext] = {}
        self._count = 0

    def profile(self, number: int) -> BrowserContext:
        """Return the profile with that number: a test's first reader uses profile 0, its second reader profile 1."""
        if number not in self._started:
            self._count += 1
            context = self._playwright.chromium.launch_persistent_context(
                self._folder / str(self._count), executable_path=CHROMIUM, args=list(FLAGS), viewport=SIZE
            )
            context.set_default_timeout(self._timeout_ms)
            self._started[number] = context
        return self._started[number]

    def clear(self, url: str) -> None:
        """Close all pages, delete the data that the pages at `url` stored, and revoke all permissions."""
        for number, context in list(self._started.items()):
            try:
                self._clear(context, url)
            except Error:  # the page or browser has crashed, which the test reports; the next test starts a new one
                del self._started[number]
                with contextlib.suppress(Error):
                    context.close()

    def close(self) -> None:
        """Close all browsers."""
        for context in self._started.values():
            context.close()

    def _clear(self, context: BrowserContext, url: str) -> None:
        idle = next(
            iter(context.pages), None
        )  # the page that the browser opened when it started; without any page it would end
        if idle is None:
            raise Error("this browser has ended")
        for page in context.pages[1:]:
            page.close()
        place = urlsplit(url)
        session = context.new_cdp_session(idle)
        origin = {"origin": f"{place.scheme}://{place.netloc}", "storageTypes": KEPT_BY_PAGES}
        session.send("Storage.clearDataForOrigin", origin)
        session.detach()
        context.clear_cookies()
        context.clear_permissions()
