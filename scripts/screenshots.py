"""Take the pictures of the page that the README shows, from a dashboard that runs.

    python scripts/screenshots.py http://127.0.0.1:8050/ docs

Writes page-light-1440.png, page-dark-1440.png, page-light-400.png and page-dark-400.png.
"""

import os
import sys
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
SIZES = ((1440, 900), (400, 860))
SETTLED_MS = 4_000
"""Long enough for the first refreshes, so that the picture shows the page as it stands open."""


def take(browser: Browser, url: str, scheme: str, width: int, height: int, path: Path) -> None:
    """One picture of the page at `url`."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    try:
        page = context.new_page()
        page.on("console", lambda message: print(f"{message.type}: {message.text}", file=sys.stderr))
        page.on("pageerror", lambda error: print(f"error: {error}", file=sys.stderr))
        page.goto(url)
        page.wait_for_selector("#chart .main-svg")
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=path)
        print(path)
    finally:
        context.close()


def main(url: str, folder: Path) -> None:
    """All pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for scheme in ("light", "dark"):
            for width, height in SIZES:
                take(browser, url, scheme, width, height, folder / f"page-{scheme}-{width}.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
