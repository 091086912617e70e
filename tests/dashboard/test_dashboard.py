"""Tests of the app as a web server sees it, with its guards and headers, and of the script that serves it."""

import base64
import hashlib
import json
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import brotli
import pytest
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from benchmarks.viewers import Viewer
from config import Settings
from stock_dashboard import StockDashboard
from tests.conftest import StartScript
from tests.fakes import BusyStore, Feed, MemoryAcks, MemoryStore
from tickflow.dashboard.drawing.chart import READOUT
from tickflow.dashboard.modules import ASSETS
from tickflow.dashboard.packed import LATER
from tickflow.dashboard.security import MAX_BODY_BYTES
from tickflow.errors import StoreError, StoreMisconfigured, StoreSlow, StoreUnavailable

UPDATE = "/_dash-update-component"
PLOTLY_SHA256 = "096c11cab5e43022f15a05a3e3d6d60d3e8bb5b73bdc82c506fa81b3fb59a86b"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def dashboard(store: MemoryStore) -> StockDashboard:
    return StockDashboard(Settings(), store=store, acks=MemoryAcks())


@pytest.fixture
def client(dashboard: StockDashboard) -> Iterator[FlaskClient]:
    dashboard.gate.start().join()
    with dashboard.app.server.test_client() as client:
        yield client


def asked(output: str, inputs: list[object], states: list[object]) -> dict[str, Any]:
    """The body that a browser posts to a callback; `inputs` and `states` are values in the callback's order."""
    names = {
        "drawing": (["view", "rebuild"], []),
        "delta": (["refresh"], ["drawn", "watched", "alerted"]),
        "steered": (["steer"], []),
        "acked": (["acknowledge"], []),
    }[output]
    sides = []
    for ids, values in zip(names, (inputs, states), strict=True):
        sides.append(
            [{"id": name, "property": "data", "value": value} for name, value in zip(ids, values, strict=True)]
        )
    return {
        "output": f"{output}.data",
        "outputs": {"id": output, "property": "data"},
        "inputs": sides[0],
        "state": sides[1],
        "changedPropIds": [f"{sides[0][0]['id']}.{sides[0][0]['property']}"],
    }


def drawing(client: FlaskClient, symbol: object = "AAPL") -> dict[str, Any]:
    body = asked("drawing", [{"symbol": symbol, "range": "15m"}, None], [])
    response = client.post(UPDATE, json=body)
    assert response.status_code == 200, response.text
    return response.json["response"]["drawing"]["data"]  # type: ignore[index, no-any-return]  # the answer has Dash's form


def delta(client: FlaskClient, drawn: object, watched: object) -> dict[str, Any]:
    response = client.post(UPDATE, json=asked("delta", [1], [drawn, watched, None]))
    assert response.status_code == 200, response.text
    return response.json["response"]["delta"]["data"]  # type: ignore[index, no-any-return]  # the answer has Dash's form


def test_the_callbacks_draw_and_then_extend(client: FlaskClient, store: MemoryStore) -> None:
    feed = Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    first = drawing(client)
    assert first["picture"]["y"]["price"] == [100.0, 101.0]
    store.write(feed.points("AAPL", [102.0]))
    second = delta(client, first["drawn"], first["watch"]["cursors"])
    assert second["tail"]["y"]["price"] == [102.0]
    assert first["drawn"]["id"] == second["of"]


def test_two_first_readers_at_the_same_moment_both_get_the_style_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    find_assets = Dash._walk_assets_directory

    def find_slowly(app: Dash) -> None:
        time.sleep(0.5)
        find_assets(app)

    monkeypatch.setattr(Dash, "_walk_assets_directory", find_slowly)
    server = StockDashboard(Settings(), store=MemoryStore(), acks=MemoryAcks()).app.server
    with ThreadPoolExecutor(2) as readers:
        pages = list(readers.map(lambda _: server.test_client().get("/").text, range(2)))
    assert ["page.css" in each for each in pages] == [True, True]


def test_the_benchmarks_viewers_send_the_same_requests_as_the_page() -> None:
    store, feed = BusyStore(), Feed()
    store.write(feed.points("AAPL", [100.0, 101.0]))
    store.coming = [feed.points("AAPL", [102.0])]
    dashboard = StockDashboard(Settings(), store=store, acks=MemoryAcks())
    server = make_server("127.0.0.1", 0, dashboard.app.server, threaded=True)
    dashboard.gate.start().join()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        viewer = Viewer(f"http://127.0.0.1:{server.port}/", "AAPL", begins=0.0)
        assert len(viewer.watch(False, refreshes=1, interval=0.01)) == 1
        assert viewer.rows == 3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_drawing_has_an_id_of_its_own(client: FlaskClient) -> None:
    assert drawing(client)["drawn"]["id"] != drawing(client)["drawn"]["id"]


def test_a_refresh_is_small(client: FlaskClient, store: MemoryStore) -> None:
    feed = Feed()
    for symbol in ("AAPL", "MSFT", "TSLA"):
        store.write(feed.points(symbol, [100.0] * 200))
    first = drawing(client)
    idle = len(json.dumps(delta(client, first["drawn"], first["watch"]["cursors"])))
    for symbol in ("AAPL", "MSFT", "TSLA"):
        store.write(feed.points(symbol, [100.5]))
    busy = len(json.dumps(delta(client, first["drawn"], first["watch"]["cursors"])))
    assert idle < 400
    assert busy < 2_500


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (StoreUnavailable("It is away."), "down"),
        (StoreSlow("It took too long."), "slow"),
        (StoreMisconfigured("The token is refused."), "refuses"),
    ],
)
def test_a_failing_store_is_an_answer_not_an_error(
    client: FlaskClient, store: MemoryStore, failure: StoreError, word: str
) -> None:
    store.write(Feed().points("AAPL", [100.0]))
    shown = drawing(client)
    store.failure = failure
    state = {"down": str(failure), "store": word}
    assert {"of": shown["drawn"]["id"], "state": state} == delta(client, shown["drawn"], {})
    failed = drawing(client)
    assert (str(failure), True) == (failed["state"]["down"], failed["drawn"]["failed"])
    store.failure = None
    assert delta(client, failed["drawn"], {})["rebuild"] is True


def test_the_page_is_up_before_the_store(dashboard: StockDashboard) -> None:
    with dashboard.app.server.test_client() as client:
        assert client.get("/").status_code == 200
        assert client.get("/_dash-layout").status_code == 200
        assert "does not answer yet" in drawing(client)["state"]["down"]


@pytest.mark.parametrize("symbol", ["=AAPL", "A\n", "' OR 1=1 --", "A" * 33, 5, ["AAPL"], {"$gt": ""}, "AAPL "])
def test_an_invalid_symbol_is_refused(client: FlaskClient, symbol: object) -> None:
    body = asked("drawing", [{"symbol": symbol, "range": "15m"}, None], [])
    assert client.post(UPDATE, json=body).status_code == 400


def test_without_a_symbol_the_first_is_drawn(client: FlaskClient, store: MemoryStore) -> None:
    store.write(Feed().points("IBM", [100.0]))
    assert drawing(client, None)["drawn"]["symbol"] == "IBM"


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/_dash-dependencies", "/assets/page.css", "/nothing"])
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    scripts = re.search("script-src ([^;]*)", policy)
    assert scripts is not None
    assert "unsafe" not in scripts[1]


def test_every_inline_script_of_the_page_is_named_in_the_policy(client: FlaskClient) -> None:
    response = client.get("/")
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>(.*?)</script>", response.text, re.DOTALL)
    assert inline
    for script in inline:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in response.headers["Content-Security-Policy"]


def test_the_page_names_no_other_host(client: FlaskClient) -> None:
    page = client.get("/").text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(loaded) > 5
    assert [address for address in loaded if "//" in address] == []
    assert '<html lang="en">' in page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", "10.0.0.5"])
def test_another_hosts_name_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.get("/assets/page.css", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost", "localhost:9999", "[::1]:8050"])
def test_loopback_names_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("debug", [False, True])
def test_refusals_have_no_traceback_even_in_debug_mode(store: MemoryStore, debug: bool) -> None:
    app = StockDashboard(Settings(dashboard_debug=debug), store=store, acks=MemoryAcks()).app
    with app.server.test_client() as client:
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
        assert client.post(UPDATE, data="{}", content_type="text/plain").status_code == 415


def test_a_body_over_64_kb_is_refused(client: FlaskClient) -> None:
    def posted(size: int) -> TestResponse:
        body = json.dumps(asked("delta", [1], [None, None, None])).encode()
        return client.post(UPDATE, data=body + b" " * size, content_type="application/json")

    assert posted(MAX_BODY_BYTES - 1_000).status_code == 200
    assert posted(MAX_BODY_BYTES).status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_callback_that_is_not_json_is_refused(client: FlaskClient, kind: str) -> None:
    body = json.dumps(asked("delta", [1], [None, None, None]))
    assert client.post(UPDATE, data=body, content_type=kind).status_code == 415


@pytest.mark.parametrize("debug", [False, True])
def test_the_debuggers_console_is_never_served(store: MemoryStore, debug: bool) -> None:
    app = StockDashboard(Settings(dashboard_debug=debug), store=store, acks=MemoryAcks()).app
    with app.server.test_client() as client:
        assert client.get("/console").status_code == 404
        as_debugger = client.get("/?__debugger__=yes&cmd=resource&f=debugger.js")
        assert "text/html" in as_debugger.content_type, "the page itself, not a file of the debugger"
        assert "EVALEX" not in as_debugger.text
        assert client.get("/any/other/path").status_code == 404


def test_scripts_are_compressed_well_and_the_browser_keeps_them(client: FlaskClient) -> None:
    path = "/_dash-component-suites/dash_ag_grid/async-community.js"
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "br"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert brotli.decompress(packed.data) == plain.data
    asked_again = {"Accept-Encoding": "gzip, br", "If-None-Match": packed.headers["ETag"]}
    assert client.get(path, headers=asked_again).status_code == 304
    fast = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert fast.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(fast.data)


def test_prepared_scripts_are_not_packed_again_for_a_visitor(
    dashboard: StockDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every script that the page loads, immediately or later, is already compressed."""
    monkeypatch.setattr("tickflow.dashboard.packed.QUALITY", 1)  # fast compression
    dashboard.packed._ask_for_all()
    monkeypatch.setattr(brotli, "compress", None)
    client = dashboard.app.server.test_client()
    scripts = re.findall(r'src="(/_dash-component-suites/[^"]+|assets/vendor/[^"]+)"', client.get("/").text)
    for path in (*scripts, *LATER):
        with client.get(path, headers={"Accept-Encoding": "br"}) as answer:
            assert answer.status_code == 200
    assert len(scripts) > 5
    assert any("plotly" in path for path in scripts)


def test_a_browser_that_has_the_scripts_need_not_ask_for_them_again(client: FlaskClient) -> None:
    """The address of each script and of the style sheet contains a version."""
    page = client.get("/").text
    for path in re.findall(r'(?:src|href)="(/?(?:_dash-component|assets)[^"]+)"', page):
        with client.get(path) as answer:
            lasting = "max-age=31536000" in answer.headers.get("Cache-Control", "")
        assert lasting, path


def test_plotly_has_its_stated_release() -> None:
    """The file is that of npm's plotly.js; for a new release, `npm pack plotly.js@VERSION`, and change the hash."""
    (script,) = (ASSETS / "vendor").glob("plotly-*.js")
    assert script.name == "plotly-finance-4.1.1.min.js"
    assert hashlib.sha256(script.read_bytes()).hexdigest() == PLOTLY_SHA256
    assert (script.parent / "plotly-LICENSE.txt").read_text(encoding="utf-8").startswith("MIT License")


def test_answers_are_compressed(client: FlaskClient) -> None:
    response = client.get("/_dash-layout", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"


def test_the_readout_names_all_that_is_measured() -> None:
    assert {"ma_5", "ma_10", "ma_20", "volume", "volatility", "z_score", "anomaly"} <= {key for key, *_ in READOUT}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_the_script_serves_without_its_store_and_ends_at_sigterm(script: StartScript) -> None:
    """Without InfluxDB the page is still served, its Server header has no version, and SIGTERM ends the script."""
    port = free_port()
    running = script(
        "stock_dashboard.py",
        "--dashboard-port",
        str(port),
        "--influxdb-url",
        f"http://127.0.0.1:{free_port()}",
        env={"INFLUXDB_TOKEN": "secret-token"},
    )
    running.wait_for(f"The page is at http://127.0.0.1:{port}/")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
        assert response.headers.get_all("Server") == ["tickflow"]
        assert response.status == 200
    begun = time.monotonic()
    running.terminate()
    assert running.wait() == 0
    assert time.monotonic() - begun < 20
    assert "WARNING: This is a development server" not in running.output
    assert "Traceback" not in running.output
    assert "secret-token" not in running.output


def test_ctrl_c_ends_it_as_well(script: StartScript) -> None:
    running = script("stock_dashboard.py", "--embedded", "--dashboard-port", str(free_port()))
    running.wait_for("The page is at")
    running.process.send_signal(signal.SIGINT)
    assert running.wait(10) == 0


def test_a_taken_port_is_reported_in_one_sentence(script: StartScript) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = script("stock_dashboard.py", "--embedded", "--dashboard-port", str(port))
        assert running.wait() == 2
    said = [line for line in running.stderr.strip().splitlines() if " INFO " not in line]
    assert len(said) == 1
    assert f"DASHBOARD_PORT is '{port}'; expected a free port" in said[0]
    assert running.stdout == ""


def test_a_file_that_is_not_a_store_is_reported_in_one_sentence(script: StartScript, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes, not a database. " * 50)
    running = script(
        "stock_dashboard.py", "--embedded", "--embedded-file", "notes.txt", "--dashboard-port", str(free_port())
    )
    assert running.wait() == 2
    assert "EMBEDDED_FILE" in running.stderr
    assert "Traceback" not in running.stderr


def test_a_missing_token_is_reported_in_one_sentence(script: StartScript) -> None:
    running = script("stock_dashboard.py", "--dashboard-port", str(free_port()))
    assert running.wait() == 2
    assert running.stderr.startswith("INFLUXDB_TOKEN is not set; expected ")


def test_a_stop_ends_serving_while_the_store_is_still_awaited() -> None:
    class Away(MemoryStore):
        def connect(self) -> None:
            raise StoreUnavailable("It is away.")

    stop, store = threading.Event(), Away()
    store.stop = stop
    dashboard = StockDashboard(Settings(dashboard_port=free_port()), stop=stop, store=store, acks=MemoryAcks())
    serving = threading.Thread(target=dashboard.run)
    serving.start()
    time.sleep(0.3)
    stop.set()
    serving.join(5)
    assert not serving.is_alive()
