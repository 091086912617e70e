"""A replay is steered from the page: the scripts run as processes, on each stack, and two readers watch."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import axe
from tests.browser.conftest import WAIT_MS, Running, Visit, kafka_in_full, until
from tests.browser.looks import LOOKS, PRICES, wait_for_rows
from tests.conftest import StartScript
from tests.contract.test_steering import STATE
from tests.integration.chain import wait_until
from tickflow.store.steering import PAUSE

expect.set_options(timeout=WAIT_MS)

BEGIN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
"""09:30 in New York."""
SECONDS = 3_600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An hour of AAPL: one tick every two seconds, its price 100 plus the second. MSFT joins in the second half."""
    rows = ["timestamp,symbol,price,volume"]
    for second in range(0, SECONDS, 2):
        moment = (BEGIN + timedelta(seconds=second)).isoformat()
        rows.append(f"{moment},AAPL,{100 + second},10")
        if second >= SECONDS // 2:
            rows.append(f"{moment},MSFT,{9_000 + second},10")
    path = tmp_path / "hour.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def pages(env: dict[str, str], script: StartScript, reader: BrowserContext, port: int, file: Path) -> tuple[Page, Page]:
    """The pages of two readers, while a steered producer replays the file."""
    own = {"UPDATE_INTERVAL": "0.5"}
    flags = ("--source", "replay", "--replay-file", str(file), "--replay-speed", "1", "--steer")
    script("stock_analytics.py", env=env | own)
    script("stock_producer.py", *flags, env=env | own)
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env | own).wait_for("The page is at")
    found = [reader.new_page() for _ in range(2)]
    for page in found:
        page.goto(f"http://127.0.0.1:{port}/?symbol=AAPL&range=1h")
    return found[0], found[1]


def jump(page: Page, time: str) -> None:
    page.locator("#replay-time").fill(f"2013-10-07T{time}")
    page.locator("#replay-go").click()


def shows(page: Page, second: int) -> None:
    """Wait until the page shows exactly the ticks before this second of the file."""
    until(page, f"{LOOKS}.picture?.x.length === {second // 2}")
    expect(page.locator("#headline-price")).to_have_text(f"{100 + second - 2:,}.00")
    listed = ["AAPL"] if second <= SECONDS // 2 else ["AAPL", "MSFT"]
    until(page, f"JSON.stringify([...window.tickflow.watch.rows.keys()].sort()) === '{_json(listed)}'")


def _json(names: list[str]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"


def test_two_readers_steer_one_replay_and_both_see_where_it_is(pages: tuple[Page, Page]) -> None:
    one, other = pages
    expect(one.locator("#replay")).to_be_visible()
    one.get_by_role("button", name="Pause the replay").click()
    for page in pages:
        expect(page.get_by_role("button", name="Play the replay")).to_be_visible()
        expect(page.locator("#fresh")).to_have_text(re.compile(r"^replay paused · 09:3\d:\d\d · Oct 7$"))
    expect(one.locator("#replay-said")).to_have_text("Done: pause.")

    jump(other, "10:10:00")  # forward: all ticks before it come at once
    for page in pages:
        expect(page.locator("#replay-at")).to_have_text("Replay paused at 10:10:00 ET · Oct 7, 2013")
        shows(page, 2_400)
    jump(one, "09:40:00")  # back: the page shows the state of that time, before MSFT began
    for page in pages:
        expect(page.locator("#replay-at")).to_have_text("Replay paused at 09:40:00 ET · Oct 7, 2013")
        shows(page, 600)

    one.get_by_label("Speed of the replay").select_option("2")
    one.get_by_role("button", name="Play the replay").click()
    for page in pages:
        expect(page.locator("#fresh")).to_have_text("replay at 2 ×")
        expect(page.get_by_label("Speed of the replay")).to_have_value("2")
        until(page, f"{LOOKS}.picture?.x.length > 300")
    jump(other, "11:00:00")  # beyond the end
    for page in pages:
        expect(page.locator("#replay-at")).to_have_text("Replay ended at 10:29:58 ET · Oct 7, 2013")
        expect(page.locator("#fresh")).to_have_text("replay ended · 10:29:58 · Oct 7")
        shows(page, SECONDS)


@kafka_in_full
def test_a_producer_that_has_gone_is_said(
    env: dict[str, str], script: StartScript, reader: BrowserContext, port: int, file: Path
) -> None:
    own = {"UPDATE_INTERVAL": "0.5"}
    script("stock_dashboard.py", "--dashboard-port", str(port), env=env | own).wait_for("The page is at")
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{port}/")
    expect(page.locator("#fresh")).not_to_have_text("connecting")
    expect(page.locator("#replay")).to_be_hidden()
    flags = ("--source", "replay", "--replay-file", str(file), "--steer")
    run = script("stock_producer.py", *flags, env=env | own)
    expect(page.locator("#replay")).to_be_visible()
    run.kill()
    expect(page.locator("#replay-said")).to_have_text(re.compile(r"^Its producer has not reported for \d+ s\."))
    expect(page.locator("#replay-play")).to_be_disabled()
    run = script("stock_producer.py", *flags, env=env | own)
    expect(page.locator("#replay-play")).to_be_enabled()
    run.terminate()
    expect(page.locator("#replay-said")).to_have_text(re.compile(r"^Its producer has stopped\."))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1440])
def test_the_controls_are_for_everybody(running: Running, visit: Visit, rules: str, width: int, scheme: str) -> None:
    running.market.history("AAPL", PRICES)
    running.reports(msgspec.structs.replace(STATE, rewound=False))
    page = visit("?symbol=AAPL", width=width, scheme=scheme)
    wait_for_rows(page, 0)
    expect(page.locator("#replay")).to_be_visible()
    assert axe.violations(page, rules) == []
    small = page.evaluate(
        """[...document.querySelectorAll('#replay :is(button, select, input)')].filter((each) => {
             const { width, height } = each.getBoundingClientRect();
             return width < 24 || height < 24;
           }).map((each) => each.id)"""
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#replay-play").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#replay-said")).to_have_text("Asked: pause …")
    wait_until(lambda: [kept.command.act for kept in running.steering.commands(STATE.run)] == [PAUSE], "command", 30)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "replay-speed"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "replay-time"
