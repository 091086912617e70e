"""The browser profiles that tests share: scripts are compiled once, and data that a page stored is deleted."""

from tests.browser.conftest import Running, Visit
from tests.browser.looks import PRICES, wait_for_rows
from tests.browser.profiles import Profiles

KEEP = """async () => {
  localStorage.setItem("kept", "1");
  sessionStorage.setItem("kept", "1");
  document.cookie = "kept=1";
  await (await caches.open("kept")).put("/kept", new Response("1"));
  await new Promise((done) => { indexedDB.open("kept").onsuccess = done; });
}"""
KEPT = """async () => [
  ...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie, ...(await caches.keys()),
  ...(await indexedDB.databases()).map(({ name }) => name),
].filter((each) => each.includes("kept"))"""
SCRIPTS = """performance.getEntriesByType("resource").filter(({ name }) => name.includes("/assets/vendor/plotly"))
  .map(({ transferSize }) => transferSize)"""


def test_a_profile_keeps_scripts_for_the_next_test_but_nothing_that_a_page_stored(
    running: Running, visit: Visit, profiles: Profiles
) -> None:
    running.market.history("AAPL", PRICES)
    page = visit("?symbol=AAPL&range=1h", permissions=["notifications"])
    wait_for_rows(page, 0)
    page.evaluate(KEEP)
    assert len(page.evaluate(KEPT)) == 5
    assert page.evaluate("Notification.permission") == "granted"
    page.context.new_page()
    profiles.clear(running.url)
    next_test = Visit(profiles, running)
    page = next_test()
    assert page.evaluate(KEPT) == []
    assert page.evaluate("Notification.permission") == "default"
    assert "range=1h" not in page.url, "the last view is not known"
    assert len(page.context.pages) == 2, "this page, and the one that keeps the browser open"
    assert page.evaluate(SCRIPTS) == [0], "the scripts come from the profile"
    assert next_test.errors == []


def test_two_readers_of_a_test_share_nothing(running: Running, visit: Visit) -> None:
    running.market.history("AAPL", PRICES)
    page, other = visit(), visit()
    page.evaluate(KEEP)
    assert other.evaluate(KEPT) == []


def test_a_browser_that_ended_is_replaced(running: Running, visit: Visit, profiles: Profiles) -> None:
    running.market.history("AAPL", PRICES)
    visit().context.close()
    profiles.clear(running.url)
    wait_for_rows(Visit(profiles, running)(), 0)
