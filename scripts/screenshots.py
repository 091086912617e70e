"""Take the pictures of the page that README and docs show.

    python scripts/screenshots.py docs DAY.csv.gz   the page on a recorded day of AIG, BAC, IBM and SPY: day-*.png
    python scripts/screenshots.py FOLDER            the page after three minutes of simulated ticks: page-*.png

The docs show six of the pictures of the recorded day.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
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
READ_SECONDS = 300
"""How long, in seconds, the producer may take to publish a recorded day."""
WIDE, NARROW = (1440, 900), (400, 860)
COMPARED = "?symbol=AAPL&symbols=AAPL,AMZN,GOOGL,META,MSFT,NVDA&scale=percent"
SIMULATED = {"page": "", "compare": COMPARED}
DAY = {
    "day": "?symbol=SPY&range=all",
    "day-two-minutes": "?symbol=SPY&from=2013-10-07T10:00:00&to=2013-10-07T10:02:00",
    "day-candles": "?symbol=SPY&range=all&candles=1h",
    "day-compare": "?symbol=SPY&symbols=AIG,BAC,IBM,SPY&range=all&scale=percent",
    "day-overlay": "?symbol=SPY&symbols=AIG,BAC,IBM,SPY&range=all&overlay=1",
}
"""For each picture, by name, the query of the page's URL."""
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
        is_many = "symbols=" in url
        page.wait_for_selector(f"#{'multiples' if is_many else 'chart'} .main-svg", state="attached", timeout=120_000)
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=path)
        print(path)
    finally:
        context.close()


def take_all(url: str, folder: Path, shots: Mapping[str, str]) -> None:
    """Take pictures of the page at `url` in both schemes and on both screens, and write them into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, query in shots.items():
            for scheme in ("light", "dark"):
                for width, height in (WIDE, NARROW):
                    if name != "compare" or (scheme, width) == ("dark", WIDE[0]):
                        take(browser, url + query, scheme, width, height, folder / f"{name}-{scheme}-{width}.png")
        browser.close()


@contextmanager
def started(folder: Path, *producer: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the three scripts on an embedded file in `folder`; yield the page's address and the producer."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    own = {"STACK": "embedded", "EMBEDDED_FILE": str(folder / "stocks.db"), "PRODUCER_INTERVAL": "0.5"}
    own |= {"SIMULATOR_SEED": "4", "DASHBOARD_PORT": str(port), "UPDATE_INTERVAL": "1", "RETENTION_DAYS": "7"}
    commands = (["stock_analytics.py"], ["stock_dashboard.py"], ["stock_producer.py", *producer])
    scripts = [
        subprocess.Popen(  # noqa: S603 - our own scripts
            [sys.executable, str(PROJECT / name), *flags], env={**os.environ, **own}, stdout=subprocess.DEVNULL
        )
        for name, *flags in commands
    ]
    try:
        yield f"http://127.0.0.1:{port}/", scripts[-1]
    finally:
        for script in scripts:
            script.terminate()
        for script in scripts:
            script.wait(20)


def main(folder: Path, day: Path | None) -> None:
    """Take the pictures of simulated ticks, and with `day`, those of a recorded one instead."""
    with tempfile.TemporaryDirectory() as own:
        if day is None:
            with started(Path(own)) as (url, _):
                time.sleep(TICKING_SECONDS)
                take_all(url, folder, SIMULATED)
        else:
            with started(Path(own), "--source", "replay", "--replay-file", str(day), "--replay-speed", "max") as run:
                url, producer = run
                if producer.wait(READ_SECONDS):
                    sys.exit(f"{day} was not published")
                time.sleep(TICKING_SECONDS / 6)  # long enough for the worker to store the last tick
                take_all(url, folder, DAY)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
