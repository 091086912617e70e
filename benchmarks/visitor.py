"""A visitor who opens the page in Debian's Chromium, and the browser's measurements of the page."""

import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Page, Playwright, ViewportSize, sync_playwright

from scripts.screenshots import CHROMIUM, FLAGS

WAIT_SECONDS = 60.0

COUNTING = """
    window.refreshes = { sent: 0, answered: 0, failed: 0, longest: 0 };
    const fetch_ = window.fetch;
    window.fetch = (where, how) => {
      if (!String(how?.body ?? "").includes('"delta.data"')) return fetch_(where, how);
      const counts = window.refreshes, begun = performance.now();
      counts.sent += 1;
      return fetch_(where, how).then(
        (answer) => {
          counts.answered += 1;
          counts.longest = Math.max(counts.longest, performance.now() - begun);
          return answer;
        },
        (error) => {
          counts.failed += 1;
          throw error;
        });
    };
"""
"""Runs in the page before its own scripts and counts the refreshes that the page requests."""

DRAWING = """
    window.drawnAt = null;
    const look = () => {
      const plot = document.querySelector("#chart .js-plotly-plot"),
        looks = window.tickflow?.chart?.looks?.(),
        rows = looks?.picture?.x ?? plot?.data?.[0]?.x;
      if ((looks?.axes || plot?.querySelector(".xtick")) && rows?.length) window.drawnAt = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""
"""Records the frame in which axes and data of the chart are drawn, in ms since the request for the page."""
DRAWN = "window.drawnAt !== null"


class Visitor:
    """One browser; `errors` collects its errors, `elsewhere` its requests to other hosts.

    It has a new profile, which keeps compiled scripts as a user's does. A private window keeps none: it compiles 5 MB
    of scripts at each opening, which took a third to a half of the time. Several visitors at a time need the same
    `playwright`, since a thread cannot start it twice.
    """

    def __init__(self, *, width: int = 1440, height: int = 900, playwright: Playwright | None = None) -> None:
        self._given = playwright
        self._size = ViewportSize(width=width, height=height)
        self.errors: list[str] = []
        self.elsewhere: list[str] = []

    def __enter__(self) -> Self:
        self._playwright = self._given or sync_playwright().start()
        self._profile = tempfile.TemporaryDirectory()
        self._context = self._playwright.chromium.launch_persistent_context(
            self._profile.name, executable_path=CHROMIUM, args=list(FLAGS), viewport=self._size
        )
        browser = self._context.browser
        assert browser is not None
        self._browser = browser
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.close()
        self._profile.cleanup()
        if self._given is None:
            self._playwright.stop()

    def open(self, url: str, before: Callable[[], None] = lambda: None) -> Page:
        """Open `url` and return the page while it still loads; `before` is called once `devtools` exists."""
        origin = url.partition("?")[0]
        self.page = self._context.new_page()
        self.page.add_init_script(COUNTING)
        self.page.add_init_script(DRAWING)
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((origin, "data:", "blob:")) else self.elsewhere.append(asked.url)
            ),
        )
        self.devtools = self._context.new_cdp_session(self.page)
        before()
        self.page.goto(url, wait_until="commit")
        return self.page

    def until(self, expression: str, *, seconds: float = WAIT_SECONDS, look_ms: float = 20) -> None:
        """Wait until `expression` is true in the page; it is evaluated every `look_ms`."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            if time.monotonic() > deadline:
                raise RuntimeError(f"never true in the page: {expression}; its errors: {self.errors}")
            self.page.wait_for_timeout(look_ms)

    def drawn(self) -> float:
        """Wait until the chart is drawn; return how long that took since the request for the page, in seconds."""
        self.until(DRAWN)
        return float(self.page.evaluate("window.drawnAt")) / 1000

    def renderers(self) -> dict[int, float]:
        """The CPU seconds that each process which draws pages has used so far, by process id."""
        session = self._browser.new_browser_cdp_session()
        found = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        return {each["id"]: each["cpuTime"] for each in found if each["type"] == "renderer"}

    def refreshes(self) -> dict[str, float]:
        """How many refreshes the page requested, and how each ended."""
        counts: dict[str, float] = self.page.evaluate("window.refreshes")
        return counts

    def memory(self) -> dict[str, float]:
        """Force a garbage collection; return the page's heap in MB, its DOM nodes and its event listeners."""
        for _ in range(2):  # the second collection frees what finalizers released
            self.devtools.send("HeapProfiler.collectGarbage")
        used = self.devtools.send("Runtime.getHeapUsage")["usedSize"]
        counters = self.devtools.send("Memory.getDOMCounters")
        return {"heap_mb": used / 2**20, "nodes": counters["nodes"], "listeners": counters["jsEventListeners"]}

    def work(self) -> dict[str, float]:
        """Seconds of work that the page has done so far, by kind; `TaskDuration` is the total."""
        metrics: list[dict[str, Any]] = self.devtools.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in metrics if each["name"].endswith("Duration")}
