"""Tests of who may see and change the page: routes and callbacks, sessions, roles, tokens, limits, proxies."""

import contextlib
import http.client
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from config import Settings
from stock_dashboard import StockDashboard
from tests.conftest import StartScript
from tests.dashboard.serving import free_port
from tests.dashboard.test_dashboard import UPDATE, asked
from tests.fakes import Feed, MemoryAcks, MemoryStore
from tests.integration.chain import wait_until
from tests.loaded_settings import load, refusal
from tests.scripts import PROJECT
from tickflow.dashboard import accounts as accounts_module
from tickflow.dashboard import sessions as sessions_module
from tickflow.dashboard.accounts import Accounts
from tickflow.dashboard.login import LOGIN, LOGOUT, ByPassword, Everybody
from tickflow.dashboard.passwords import LEAST, refusal_of
from tickflow.dashboard.server import bind_socket
from tickflow.dashboard.sessions import COOKIE, Sessions
from tickflow.dashboard.shapes import SHAPES
from tickflow.dashboard.tries import MAX_KEPT, Tries
from tickflow.errors import SettingError

HTTPS = "https://localhost"
VIEWER, OPERATOR = ("vera", "four old words here"), ("otto", "other words of otto")
ACKNOWLEDGE = {
    "output": "acked.data",
    "outputs": {"id": "acked", "property": "data"},
    "inputs": [{"id": "acknowledge", "property": "data", "value": [["NONE", 0, 5]]}],
    "changedPropIds": ["acknowledge.data"],
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "COST", 2**4)


@pytest.fixture
def users(tmp_path: Path) -> Accounts:
    accounts = Accounts(tmp_path / "users.json")
    accounts.add_user(VIEWER[0], "viewer", VIEWER[1])
    accounts.add_user(OPERATOR[0], "operator", OPERATOR[1])
    return accounts


def dashboard(path: Path, **settings: object) -> StockDashboard:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0, 101.0]))
    chosen = Settings.model_validate({"auth": "users", "auth_users_file": path / "users.json", **settings})
    found = StockDashboard(chosen, store=store, acks=MemoryAcks())
    found.gate.start().join()
    return found


@pytest.fixture
def page(users: Accounts, tmp_path: Path) -> StockDashboard:
    return dashboard(tmp_path)


@pytest.fixture
def client(page: StockDashboard) -> Iterator[FlaskClient]:
    with page.app.server.test_client() as client:
        yield client


def sign_in(client: FlaskClient, who: tuple[str, str], **named: object) -> TestResponse:
    form = {"name": who[0], "password": who[1]}
    return client.post(LOGIN, base_url=HTTPS, data=form, **named)


def sees(client: FlaskClient) -> bool:
    return client.get("/_dash-layout", base_url=HTTPS).status_code == 200


def test_every_callback_names_the_role_that_it_needs() -> None:
    """A callback that changes something for all readers requires an operator; a new one has to declare its role."""
    assert {output: shape.role for output, shape in SHAPES.items()} == {
        "acked.data": "operator",
        "withdrawn.data": "operator",
        "muted.data": "operator",
        "steered.data": "operator",
        "layout-kept.data": "operator",
        "layouts-listed.data": "viewer",
        "backtests-listed.data": "viewer",
        "backtest-removed.data": "operator",
        "rules-listed.data": "viewer",
        "rule-kept.data": "operator",
        "indicated.data": "viewer",
        "drawing.data": "viewer",
        "looked.data": "viewer",
        "delta.data": "viewer",
    }


def test_without_a_session_no_route_and_no_callback_answers(page: StockDashboard, client: FlaskClient) -> None:
    for rule in page.app.server.url_map.iter_rules():
        path = rule.rule.replace("<path:filename>", "page.css").replace("<path:path>", "x")
        path = path.replace("<string:package_name>/<path:fingerprinted_path>", "dash/deps/react@18.3.1.min.js")
        for method in (rule.methods or set()) | {"GET", "POST", "HEAD", "OPTIONS", "PUT"}:
            answer = client.open(path, method=method, base_url=HTTPS, json=ACKNOWLEDGE)
            if path == LOGIN:
                continue
            if path == "/" and method in ("GET", "HEAD"):
                assert (answer.status_code, answer.headers["Location"]) == (303, LOGIN)
            else:
                assert answer.status_code == 401, (method, path)
    for output in SHAPES:
        body = {**ACKNOWLEDGE, "output": output}
        assert client.post(UPDATE, base_url=HTTPS, json=body).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": f"{COOKIE}=x"},
        {"Cookie": f"{COOKIE}="},
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dmVyYTpmb3VyIG9sZCB3b3JkcyBoZXJl"},
        {"Remote-User": "otto"},
        {"X-Forwarded-User": "otto"},
        {"Tickflow.Own": "yes"},
        {"Tickflow-Own": "yes"},
    ],
)
def test_forged_headers_open_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/_dash-layout", base_url=HTTPS, headers=headers).status_code == 401


def test_signing_in_opens_the_page_and_signing_out_ends_the_session(client: FlaskClient) -> None:
    answer = sign_in(client, VIEWER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert sees(client)
    kept = cookie.partition("=")[2].partition(";")[0]
    assert client.post(LOGOUT, base_url=HTTPS).status_code == 303
    assert not sees(client)
    client.set_cookie(COOKIE, kept, domain="localhost", secure=True)
    assert not sees(client), "replayed after signing out"


def test_a_session_cannot_be_chosen_before_signing_in(client: FlaskClient) -> None:
    client.set_cookie(COOKIE, "chosen-by-another", domain="localhost", secure=True)
    assert "chosen-by-another" not in sign_in(client, VIEWER).headers["Set-Cookie"]
    client.set_cookie(COOKIE, "chosen-by-another", domain="localhost", secure=True)
    assert not sees(client)


def test_a_viewer_sees_and_an_operator_acknowledges_too(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    sign_in(client, VIEWER)
    assert client.post(UPDATE, base_url=HTTPS, json=asked("drawing", [None, None], [])).status_code == 200
    refused = client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE)
    assert (refused.status_code, "operator" in refused.text) == (403, True)
    sign_in(client, OPERATOR)
    assert client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE).status_code == 200
    assert caplog.messages == [
        "signed in: vera (viewer) from 127.0.0.1",
        "refused to the viewer vera from 127.0.0.1: acked.data",
        "signed in: otto (operator) from 127.0.0.1",
        "otto from 127.0.0.1: acked.data",
    ]


@pytest.mark.parametrize("output", SHAPES)
def test_a_viewer_is_refused_every_callback_of_operators_and_no_other(
    page: StockDashboard, client: FlaskClient, output: str
) -> None:
    sign_in(client, VIEWER)
    callback = page.app.callback_map[output]
    component, _, name = output.partition(".")
    inputs, states = ([{**each, "value": None} for each in callback[kind]] for kind in ("inputs", "state"))
    body = {"output": output, "outputs": {"id": component, "property": name}, "inputs": inputs, "state": states}
    body["changedPropIds"] = [f"{each['id']}.{each['property']}" for each in inputs]
    answer = client.post(UPDATE, base_url=HTTPS, json=body)
    if SHAPES[output].role == "operator":
        assert (answer.status_code, "operator" in answer.text) == (403, True)
        sign_in(client, OPERATOR)
        answer = client.post(UPDATE, base_url=HTTPS, json=body)
    assert answer.status_code in (200, 204)


def test_a_new_role_counts_at_once_and_a_new_password_or_removal_ends_the_session(
    client: FlaskClient, users: Accounts, tmp_path: Path
) -> None:
    sign_in(client, OPERATOR)
    users.add_user("otto", "viewer", OPERATOR[1])
    assert not sees(client), "the password was set again"
    sign_in(client, OPERATOR)
    assert client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE).status_code == 403
    path = tmp_path / "users.json"
    path.write_text(path.read_text().replace('"viewer"', '"operator"'))
    assert client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE).status_code == 200
    users.remove("otto")
    assert not sees(client)
    assert sign_in(client, OPERATOR).status_code == 401


def test_while_the_accounts_cannot_be_read_every_request_gets_a_sentence(
    client: FlaskClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, VIEWER)
    path = tmp_path / "users.json"
    before = path.read_text()
    path.write_text("{" + before)
    for answer in (client.get("/", base_url=HTTPS), sign_in(client, VIEWER)):
        assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert "AUTH_USERS_FILE" in caplog.text
    assert "Traceback" not in caplog.text
    path.write_text(before)
    assert sees(client)


def test_the_answers_of_callbacks_name_the_role(client: FlaskClient) -> None:
    """This tells an open page that the person's role has changed."""
    sign_in(client, OPERATOR)
    answer = client.post(UPDATE, base_url=HTTPS, json=asked("drawing", [None, None], []))
    assert answer.headers["Person-Role"] == "operator"


def test_a_browsers_form_names_its_origin(client: FlaskClient) -> None:
    """From a page with `no-referrer`, a browser posts a form with `Origin: null`, which is refused."""
    assert client.get(LOGIN, base_url=HTTPS).headers["Referrer-Policy"] == "same-origin"
    assert client.get("/", base_url=HTTPS).headers["Referrer-Policy"] == "no-referrer"
    assert sign_in(client, VIEWER, headers={"Origin": "null"}).status_code == 403
    assert sign_in(client, VIEWER, headers={"Origin": "https://localhost"}).status_code == 303


def test_sessions_end_after_8_idle_hours_and_after_24_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    sessions = Sessions(monotonic=lambda: now)
    key = sessions.begin("vera", "s", "10.0.0.1")
    for hours in (7.9, 15.7, 23.5):
        now = hours * 3600
        assert sessions.find(key)
    now = 24.1 * 3600
    assert sessions.find(key) is None
    other = sessions.begin("vera", "s", "10.0.0.1")
    now += 8.1 * 3600
    assert sessions.find(other) is None
    monkeypatch.setattr(sessions_module, "MAX_SESSIONS", 5)
    keys = [sessions.begin("vera", "s", "10.0.0.1") for _ in range(9)]
    assert sum(sessions.find(each) is not None for each in keys) <= 5
    assert len(set(keys)) == 9
    assert min(map(len, keys)) > 40


def test_after_signing_in_the_requested_page_is_shown(client: FlaskClient) -> None:
    led = client.get("/?symbol=AAPL&range=1h", base_url=HTTPS)
    assert led.headers["Location"] == "/login?symbol=AAPL&range=1h"
    answer = sign_in(client, VIEWER, query_string="symbol=AAPL&range=1h")
    assert answer.headers["Location"] == "/?symbol=AAPL&range=1h"
    hostile = sign_in(client, VIEWER, query_string='x="><script>//evil.example')
    assert hostile.headers["Location"] in ("/", "/?x=%22%3E%3Cscript%3E//evil.example")


def test_the_sign_in_page_has_no_script_and_posts_to_itself_alone(client: FlaskClient) -> None:
    answer = client.get("/login?x=%22%3E%3Cscript%3E", base_url=HTTPS)
    assert "<script" not in answer.text
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    for name in ("name", "password"):
        assert f'<label for="{name}">' in answer.text
    assert sign_in(client, VIEWER).status_code == 303
    assert "form-action 'none'" in client.get("/", base_url=HTTPS).headers["Content-Security-Policy"]


def test_another_sites_form_cannot_sign_anybody_in(client: FlaskClient) -> None:
    assert sign_in(client, VIEWER, headers={"Origin": "https://evil.example"}).status_code == 403
    answer = client.post(LOGIN, base_url=HTTPS, data="name=vera", content_type="text/plain")
    assert answer.status_code == 415


def test_wrong_passwords_are_slowed_before_they_are_hashed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hashed = []
    real = accounts_module._digest

    def counted(password: str, salt: bytes) -> str:
        hashed.append(password)
        return real(password, salt)

    monkeypatch.setattr(accounts_module, "_digest", counted)
    answers = [sign_in(client, (VIEWER[0], f"wrong password {at}")) for at in range(30)]
    assert {each.status_code for each in answers} == {401, 429}
    assert len(hashed) < 9
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert not any("wrong password" in line and "password 1" in line for line in caplog.messages)
    assert all("vera" in line and "127.0.0.1" in line for line in caplog.messages)


def test_tries_are_counted_per_name_over_many_addresses_and_lock_no_one_out() -> None:
    now = 0.0
    tries = Tries(monotonic=lambda: now)
    assert tries.wait("vera", "10.9.9.9") == 0
    tries.right("vera", "10.9.9.9")
    passed = sum(tries.wait("vera", f"10.0.{at // 250}.{at % 250}") == 0 for at in range(1_000))
    assert passed == 10
    assert tries.wait("vera", "10.9.9.9") == 0, "who signed in from there before"
    assert tries.wait("otto", "10.8.8.8") == 0, "another name"
    now = 61.0
    assert tries.wait("vera", "10.7.7.7") == 0


def test_tries_are_counted_per_address_over_many_names_and_of_ipv6_per_64() -> None:
    tries = Tries(monotonic=lambda: 0.0)
    assert sum(tries.wait(f"user{at}", "10.0.0.5") == 0 for at in range(1_000)) <= 6
    assert sum(tries.wait(f"some{at}", f"2001:db8::{at:x}") == 0 for at in range(1_000)) <= 6
    assert tries.wait("vera", "2001:db8:0:1::5") == 0


@pytest.mark.parametrize("spread", ["many addresses, one name", "many names, one address", "both"])
def test_a_flood_of_sign_ins_is_hardly_hashed(
    users: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread: str
) -> None:
    hashed: list[str] = []
    # The clock stands still: on a busy machine, the attempts would take longer than a name has to wait.
    defaults = Tries.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "monotonic", lambda: 1_000.0)

    def counted(password: str, _salt: bytes) -> str:
        hashed.append(password)
        return "no"

    monkeypatch.setattr(accounts_module, "_digest", counted)
    page = dashboard(tmp_path, auth_proxies=("127.0.0.1",))
    with page.app.server.test_client() as client:
        for at in range(600):
            address = "192.0.2.7" if "one address" in spread else f"10.{at // 200}.{at % 200}.9"
            name = VIEWER[0] if "one name" in spread else f"user{at % 30}"
            answer = sign_in(client, (name, f"wrong password {at}"), headers={"X-Forwarded-For": address})
            assert answer.status_code in (401, 429)
    assert len(hashed) <= 1 + (10 if "one" in spread else 10 * 30)  # 1 for the decoy, which is hashed for unknown names


def test_the_record_of_tries_is_bounded() -> None:
    tries = Tries()
    for at in range(MAX_KEPT + 500):
        tries.wait(f"n{at}", f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
    assert len(tries._names) == len(tries._addresses) == MAX_KEPT


def test_a_token_opens_the_page_to_a_script_until_it_expires_or_is_removed(tmp_path: Path, users: Accounts) -> None:
    now = 1_000.0
    users._clock = lambda: now
    token = users.add_token("report", "viewer", 2)
    assert token not in (tmp_path / "users.json").read_text()
    assert users.bearer(token) == ("token report", "viewer")
    assert users.bearer(token + "x") is None
    now += 2 * 86_400 + 1
    assert users.bearer(token) is None
    other = users.add_token("report", "operator", 2)
    assert users.bearer(other) == ("token report", "operator")
    assert users.remove("report")
    assert users.bearer(other) is None


def test_a_token_identifies_its_owner_in_each_request(client: FlaskClient, users: Accounts) -> None:
    headers = {"Authorization": f"Bearer {users.add_token('report', 'viewer', 1)}"}
    assert client.get("/_dash-layout", base_url=HTTPS, headers=headers).status_code == 200
    assert client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE, headers=headers).status_code == 403


def test_a_forged_name_and_an_unknown_token_are_logged_with_the_address(
    client: FlaskClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/session", base_url=HTTPS, headers={"Authorization": "Bearer secret-token-of-nobody"})
    with proxied(tmp_path).app.server.test_client() as behind:
        behind.environ_base["REMOTE_ADDR"] = "10.2.0.1"
        for name in ("otto", "otto\x1b[31m"):
            behind.get("/session", headers={"Remote-User": name})
        behind.get("/session")
    assert caplog.messages == [
        "refused an unknown or expired token from 127.0.0.1",
        "refused otto from 10.2.0.1: not from a proxy of AUTH_PROXIES",
        "refused a name that cannot be from 10.2.0.1: not from a proxy of AUTH_PROXIES",
    ]


def test_what_an_operator_changes_is_logged_with_the_address_that_the_proxy_saw(
    users: Accounts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    assert users
    with dashboard(tmp_path, auth_proxies=("127.0.0.1",)).app.server.test_client() as client:
        seen = {"X-Forwarded-For": "192.0.2.9"}
        sign_in(client, OPERATOR, headers=seen)
        assert client.post(UPDATE, base_url=HTTPS, json=ACKNOWLEDGE, headers=seen).status_code == 200
    assert caplog.messages == ["signed in: otto (operator) from 192.0.2.9", "otto from 192.0.2.9: acked.data"]


def proxied(tmp_path: Path, **settings: object) -> StockDashboard:
    chosen = {"auth": "proxy", "auth_proxies": ("10.1.0.0/16",), "auth_operators": ("otto",), **settings}
    return dashboard(tmp_path, **chosen)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("10.1.2.3", {"Remote-User": "otto"}, 200),
        ("10.1.2.3", {"Remote-User": "vera"}, 403),
        ("10.1.2.3", {"Remote-User": "vera", "Remote-Groups": "staff, operator"}, 200),
        ("10.2.0.1", {"Remote-User": "otto"}, 403),
        ("127.0.0.1", {"Remote-User": "otto"}, 403),
        ("10.2.0.1", {"Remote-User": "otto", "X-Forwarded-For": "10.1.2.3"}, 403),
        ("10.1.2.3", {}, 403),
        ("10.1.2.3", {"Remote-User": ""}, 403),
        ("10.1.2.3", {"Remote-User": "vera, otto"}, 403),
    ],
)
def test_the_proxys_headers_count_only_from_its_own_address(
    tmp_path: Path, address: str, headers: dict[str, str], status: int
) -> None:
    page = proxied(tmp_path, auth_roles_header="Remote-Groups")
    with page.app.server.test_client() as client:
        client.environ_base["REMOTE_ADDR"] = address
        assert client.post(UPDATE, json=ACKNOWLEDGE, headers=headers).status_code == status


class ByUnixSocket(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def test_a_proxys_word_counts_by_a_unix_socket(tmp_path: Path) -> None:
    """The page listens only on the socket; a file that a killed page left at its path does not prevent that."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # the path of a Unix socket has at most 107 bytes
    path = folder / "page.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    port = free_port()
    page = proxied(tmp_path, auth_proxies=(f"unix:{path}",), dashboard_port=port)
    assert page.url == f"unix:{path}"
    running = threading.Thread(target=page.run)
    running.start()
    try:

        def ask(**headers: str) -> tuple[int, str]:
            connection = ByUnixSocket(str(path))
            try:
                connection.request("GET", "/session", headers={"Host": "localhost", **headers})
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            finally:
                connection.close()

        def is_served() -> bool:
            with contextlib.suppress(OSError):
                return ask()[0] == 403
            return False

        wait_until(is_served, "answer")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        status, text = ask(**{"Remote-User": "otto"})
        assert (status, json.loads(text)["role"]) == (200, "operator")
        with pytest.raises(SettingError, match="another program listens there"):
            bind_socket(page.app.server, str(path))
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "it listens nowhere else"
    finally:
        page.stop.set()
        running.join(60)
    assert not path.exists()
    folder.rmdir()


def test_the_word_for_a_unix_socket_is_no_address_of_a_client(tmp_path: Path) -> None:
    page = proxied(tmp_path, auth_proxies=("10.1.0.0/16",))
    with page.app.server.test_client() as client:
        client.environ_base["REMOTE_ADDR"] = "unix:"
        assert client.get("/session", headers={"Remote-User": "otto"}).status_code == 403


def test_the_address_behind_a_proxy_is_the_one_that_the_proxy_saw(users: Accounts, tmp_path: Path) -> None:
    page = dashboard(tmp_path, auth_proxies=("10.1.0.0/16",))
    keeper = ByPassword(users, proxies=("10.1.0.0/16",))
    for source, expected in (("10.1.2.3", "192.0.2.9"), ("10.2.0.1", "10.2.0.1")):
        environ = {"REMOTE_ADDR": source, "HTTP_X_FORWARDED_FOR": "10.0.0.1, 192.0.2.9"}
        with page.app.server.test_request_context("/login", environ_base=environ):
            assert keeper.address == expected


def test_scripts_are_prepared_behind_a_login_too(page: StockDashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickflow.dashboard.packed.QUALITY", 1)
    page.packed._ask_for_all()
    assert len(page.packed._kept) > 5


def test_names_of_the_page_are_a_setting(tmp_path: Path) -> None:
    page = dashboard(tmp_path, auth="none", dashboard_names=("Stocks.example",))
    with page.app.server.test_client() as client:
        assert client.get("/", headers={"Host": "stocks.example"}).status_code == 200
        assert client.get("/", headers={"Host": "other.example"}).status_code == 403


def test_beyond_loopback_somebody_has_to_sign_in(tmp_path: Path) -> None:
    assert refusal({"DASHBOARD_HOST": "0.0.0.0"}).key == "DASHBOARD_HOST"
    assert refusal({"DASHBOARD_HOST": "0.0.0.0", "AUTH": "proxy"}).key == "AUTH_PROXIES"
    for proxies in ("everywhere", "unix:page.sock", "unix:/a.sock,unix:/b.sock"):
        assert refusal({"AUTH": "proxy", "AUTH_PROXIES": proxies}).key == "AUTH_PROXIES"
    assert load(DASHBOARD_HOST="0.0.0.0", AUTH="users").auth == "users"
    assert load().auth == "none"
    assert Everybody().person() == ("local", "operator")


@pytest.mark.parametrize(
    "password",
    [
        *("short", "x" * 257, "Password2026!", "qwertyuiop12", "111111111111", "SecretsSecrets", "1Q2w3e4r5t6y"),
        *("Tickflow2026", "trading12345!", "123456789012", "abcdefghijkl", "dashboarddashboard", "iloveyou####"),
    ],
)
def test_short_and_common_passwords_are_refused(password: str) -> None:
    assert refusal_of(password)


def test_long_passwords_are_accepted() -> None:
    assert refusal_of("a word or four of my own") is None
    assert refusal_of("xy z" * 16) is None
    assert refusal_of("x" * 64) is None
    assert refusal_of("password of my own") is None
    assert sum(len(each) >= LEAST and refusal_of(each) is not None for each in breached()) > 200


def breached() -> set[str]:
    """The published passwords, as they are and with an ending."""
    known = list(FREQUENCY_LISTS["passwords"])
    assert all(refusal_of(each.ljust(LEAST, "1")) for each in known if len(each) >= 4)
    return set(known)


def test_only_the_owner_can_read_the_file(tmp_path: Path, users: Accounts) -> None:
    path = tmp_path / "users.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert VIEWER[1] not in path.read_text()
    path.chmod(0o640)
    with pytest.raises(Exception, match="chmod 600"):
        users.check()
    path.chmod(0o600)
    path.write_text("{")
    with pytest.raises(Exception, match="AUTH_USERS_FILE"):
        users.check()


def test_two_processes_that_change_the_accounts_at_once_keep_both_changes(tmp_path: Path) -> None:
    def add(who: str) -> None:
        accounts = Accounts(tmp_path / "users.json")  # the page and the script's flags each have their own instance too
        for at in range(20):
            accounts.add_user(f"{who}{at}", "viewer", VIEWER[1])

    adding = [threading.Thread(target=add, args=(who,)) for who in ("a", "b")]
    for each in adding:
        each.start()
    for each in adding:
        each.join()
    assert len(Accounts(tmp_path / "users.json").users()) == 40


def test_the_terminal_is_asked_twice_and_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users.json"
    command = [sys.executable, "stock_dashboard.py", "--add-user", "vera", "--auth-users-file", str(path)]

    def answer(*typed: str) -> tuple[int, str]:
        ours, theirs = os.openpty()
        with subprocess.Popen(
            command, cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as asking:
            os.close(theirs)
            shown = ""
            with contextlib.suppress(OSError):  # how a terminal says that the program has ended
                while read := os.read(ours, 4_096):
                    shown += read.decode()
                    if typed and shown.endswith(": "):
                        os.write(ours, f"{typed[0]}\n".encode())
                        typed = typed[1:]
            os.close(ours)
        return asking.returncode, shown

    code, shown = answer("four old words here", "four old words her")
    assert (code, "The two passwords differ." in shown) == (1, True)
    code, shown = answer("four old words here", "four old words here")
    assert (code, "vera may sign in as viewer." in shown) == (0, True)
    assert "old words" not in shown
    monkeypatch.undo()  # the script has the real cost of a hash
    assert Accounts(path).is_right("vera", "four old words here")


def test_the_script_adds_lists_and_removes(script: StartScript, tmp_path: Path) -> None:
    file = ("--auth-users-file", str(tmp_path / "kept" / "users.json"))
    missing = script("stock_dashboard.py", "--embedded", "--auth", "users", *file)
    assert missing.wait() == 2
    assert "AUTH_USERS_FILE" in missing.stderr
    assert "--add-user" in missing.stderr
    refused = script("stock_dashboard.py", "--add-user", "vera", *file)
    assert refused.wait() == 1
    assert "A password has 12 to 256 characters." in refused.stderr
    token = script("stock_dashboard.py", "--add-token", "report", "--role", "operator", *file)
    assert token.wait() == 0
    assert len(token.stdout.splitlines()[0]) == 43
    assert json.loads((tmp_path / "kept" / "users.json").read_text())["tokens"]["report"]["role"] == "operator"
    Accounts(tmp_path / "kept" / "users.json").add_user(*("vera", "viewer", VIEWER[1]))
    listed = script("stock_dashboard.py", "--list-users", *file)
    assert listed.wait() == 0
    assert listed.stdout == "vera\tviewer\n"
    removed = script("stock_dashboard.py", "--remove-user", "vera", *file)
    assert removed.wait() == 0
    ended = script("stock_dashboard.py", "--sign-out", "vera", *file)
    assert (ended.wait(), "no user named vera" in ended.stderr) == (1, True)
    again = script("stock_dashboard.py", "--remove-user", "vera", *file)
    assert (again.wait(), "no user" in again.stderr) == (1, True)
    assert stat.S_IMODE(os.stat(tmp_path / "kept").st_mode) == 0o700
