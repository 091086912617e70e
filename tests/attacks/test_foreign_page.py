"""A page of a different site, opened in Chromium on the machine of our page, can cause no change and no log line."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.attacks.conftest import Page
from tests.attacks.hostile import JSON, UPDATE, Request
from tests.attacks.test_attacks import answered, bodies_of
from tests.dashboard.test_dashboard import asked
from tickflow.store.sqlite.acks import EmbeddedAcks


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A different site: its address, and a list to which the test adds the content of its page."""
    pages: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[0].encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://evil.localhost:{server.server_port}/", pages
    server.shutdown()
    thread.join()
    server.server_close()


def episode_of(page: Page) -> list[object]:
    draw = json.dumps(asked("drawing", [None, None], [])).encode()
    _, body, _ = answered(page, Request("", "POST", UPDATE, JSON, draw, frozenset()))
    key: list[object] = json.loads(body)["response"]["drawing"]["data"]["alerts"]["episodes"][0]["key"]
    return key


ATTACK = """<!doctype html><iframe name="f"></iframe>
<form id="form" target="f" method="post" enctype="text/plain" action="URL_dash-update-component">
<input name='BODY' value=''></form>
<img src="URL%0a%1b[31mERROR forged"><img src="URL"><img src="URL_dash-layout"><iframe src="URL"></iframe>
<script src="URL_dash-dependencies"></script><link rel="stylesheet" href="URLassets/page.css">
<script>
  const to = "URL_dash-update-component", body = JSON.stringify(BODY);
  const tries = [
    fetch(to, { method: "POST", mode: "no-cors", body }),
    fetch(to, { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body }),
    fetch(to, { method: "POST", headers: { "Content-Type": "application/json" }, body }),
    fetch("URL_dash-layout").then((answer) => answer.text()),
    fetch("URL", { mode: "no-cors", credentials: "include" }).then((answer) => answer.text()),
  ];
  navigator.sendBeacon(to, new Blob([body], { type: "text/plain" }));
  document.getElementById("form").submit();
  Promise.allSettled(tries).then(() => { document.title = "done"; });
</script>"""


def test_a_page_of_another_site_changes_nothing(
    chromium: Browser, embedded_page: Page, elsewhere: tuple[str, list[str]]
) -> None:
    page, (address, pages) = embedded_page, elsewhere
    bodies_of(page)
    body = {
        "output": "acked.data",
        "outputs": {"id": "acked", "property": "data"},
        "inputs": [{"id": "acknowledge", "property": "data", "value": [episode_of(page)]}],
        "changedPropIds": ["acknowledge.data"],
    }
    pages.append(ATTACK.replace("URL", page.url).replace("BODY", json.dumps(body)))
    log = page.script.stderr
    context = chromium.new_context()
    try:
        visit = context.new_page()
        statuses: dict[str, int] = {}
        visit.on("response", lambda each: statuses.update({f"{each.request.resource_type} {each.url}": each.status}))
        visit.goto(address)
        visit.wait_for_function("document.title.startsWith('done')")
        visit.wait_for_load_state("networkidle")
        ours = {name: status for name, status in statuses.items() if page.url in name}
        assert ours, "it was asked"
        assert set(ours.values()) == {403}
        visit.goto(page.url)  # a plain link to our page, however, may be followed
        assert visit.title() == "Tickflow"
    finally:
        context.close()
    acks = EmbeddedAcks(page.folder / "stocks.db", retention_days=7, stop=threading.Event())
    try:
        assert acks.acknowledged(0) == []
    finally:
        acks.close()
    assert page.script.stderr == log
    status, _, _ = answered(page, Request("", "POST", UPDATE, JSON, json.dumps(body).encode(), frozenset()))
    assert status == 200, "the page itself may"
