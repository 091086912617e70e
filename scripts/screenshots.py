"""Take the pictures of the page that the README shows.

    python scripts/screenshots.py docs                          starts the three scripts; takes pictures 3 minutes later
    python scripts/screenshots.py docs http://127.0.0.1:8050/   takes pictures of a running dashboard

Writes page-light-1440.png, page-dark-1440.png, page-light-400.png and page-dark-400.png, and compare-dark-1440.png
of several symbols.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROJECT = Path(__file__).resolve().parent.parent
TICKING_SECONDS = 180
SIZES = ((1440, 900), (400, 860))
COMPARED = "?symbol=AAPL&symbols=AAPL,AMZN,GOOGL,META,MSFT,NVDA&scale=percent"
SETTLED_MS = 4_000
"""Long enough for the first refreshes, so that the picture shows the page as readers usually see it."""


def take(browser: Browser, url: str, scheme: str, width: int, height: int, path: Path) -> None:
    """Take one picture of the page at `url`."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    try:
        page = context.new_page()
        page.on("console", lambda message: print(f"{message.type}: {message.text}", file=sys.stderr))
        page.on("pageerror", lambda error: print(f"error: {error}", file=sys.stderr))
        page.goto(url)
        page.wait_for_selector(f"#{'multiples' if 'symbols=' in url else 'chart'} .scatterlayer .trace")
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=path)
        print(path)
    finally:
        context.close()


def main(url: str, folder: Path) -> None:
    """Take all pictures of the page at `url` and write them into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for scheme in ("light", "dark"):
            for width, height in SIZES:
                take(browser, url, scheme, width, height, folder / f"page-{scheme}-{width}.png")
        take(browser, url + COMPARED, "dark", *SIZES[0], folder / "compare-dark-1440.png")
        browser.close()


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """Start the three scripts on an embedded file in `folder`; yield the page's address after `TICKING_SECONDS`."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    own = {"STACK": "embedded", "EMBEDDED_FILE": str(folder / "stocks.db"), "PRODUCER_INTERVAL": "0.5"}
    own |= {"SIMULATOR_SEED": "4", "DASHBOARD_PORT": str(port), "UPDATE_INTERVAL": "1"}
    scripts = [
        subprocess.Popen(  # noqa: S603 - our own scripts
            [sys.executable, str(PROJECT / name)], env={**os.environ, **own}, stdout=subprocess.DEVNULL
        )
        for name in ("stock_analytics.py", "stock_dashboard.py", "stock_producer.py")
    ]
    try:
        time.sleep(TICKING_SECONDS)
        yield f"http://127.0.0.1:{port}/"
    finally:
        for script in scripts:
            script.terminate()
        for script in scripts:
            script.wait(20)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(sys.argv[2], Path(sys.argv[1]))
    elif len(sys.argv) == 2:
        with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as url:
            main(url, Path(sys.argv[1]))
    else:
        sys.exit(__doc__)
