"""Tests of nginx and Caddy in front of the page, as in docs/expose.md: TLS, HSTS, sign-in, forged headers."""

import grp
import http.client
import json
import logging
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import Settings
from devtools.process import free_port
from stock_dashboard import StockDashboard
from tests.conftest import unavailable
from tests.dashboard.serving import Served, served
from tests.fakes import MemoryAcks, MemoryStore
from tests.integration.chain import wait_until
from tests.scripts import PROJECT
from tests.secured.certificates import Authority
from tickflow.dashboard import accounts as accounts_module
from tickflow.dashboard.accounts import Accounts
from tickflow.dashboard.sessions import COOKIE

NAME, USER, PASSWORD = "stocks.example.com", "vera", "four old words here"
FORGED = {"X-Forwarded-For": "192.0.2.1", "Remote-User": "otto"}


def shown(language: str) -> str:
    """The configuration that docs/expose.md shows in this language, named after the proxy."""
    found = re.search(rf"```{language}\n(.*?)```", (PROJECT / "docs" / "expose.md").read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


def nginx(folder: Path, page: int, port: int, authority: Authority) -> list[str]:
    issued = authority.issue("nginx", NAME)
    server = shown("nginx").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(":8050", f":{page}")
    server = server.replace("/etc/ssl/certs/stocks.pem", str(issued.cert))
    server = server.replace("/etc/ssl/private/stocks.key", str(issued.key))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name  # the user may open the socket
    (folder / "nginx.conf").write_text(
        f"user {user} {group};\n"
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off;\n{temporary}{server}}}\n"
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]


def caddy(folder: Path, page: int, port: int, authority: Authority) -> list[str]:
    issued = authority.issue("caddy", NAME)
    site = shown("caddy").replace(
        f"{NAME} {{", f"{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {issued.cert} {issued.key}"
    )
    (folder / "Caddyfile").write_text(
        "{\n    admin off\n    auto_https disable_redirects\n}\n" + site.replace(":8050", f":{page}")
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(accounts_module, "COST", 2**4)
    Accounts(tmp_path / "users.json").add_user(USER, "viewer", PASSWORD)
    settings = {"auth": "users", "auth_users_file": tmp_path / "users.json"}
    with served(**settings, dashboard_names=(NAME,), auth_proxies=("127.0.0.1",)) as one:
        yield one


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, page: Served, tmp_path: Path) -> Iterator[tuple[int, Authority]]:
    """The port of the proxy, and the authority that signed its certificate."""
    authority, port = Authority(tmp_path / "authority"), free_port()
    with proxying(request.param, PROXIES[request.param](tmp_path, page.port, port, authority), tmp_path, port):
        yield port, authority


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def proxying(name: str, command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a proxy that listens on `port` during the block."""
    if shutil.which(name) is None:
        unavailable(f"{name} is not installed: apt-get install {name}")
    env = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        running = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert running.poll() is None, (folder / "proxy.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, f"{name} on its port", 60)
        yield
    finally:
        running.terminate()
        running.wait(30)


def ask(
    proxy: tuple[int, Authority], method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Send a request to the page's name over TLS, verifying the certificate; return status, headers and text."""
    port, authority = proxy
    context = ssl.create_default_context(cafile=authority.ca)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        connection = http.client.HTTPConnection(NAME, timeout=60)
        connection.sock = context.wrap_socket(plain, server_hostname=NAME)
        connection.request(method, path, body, {**FORGED, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {name.title(): value for name, value in answer.getheaders()}, text


def test_people_sign_in_through_the_proxy_and_forged_headers_are_not_believed(
    proxy: tuple[int, Authority], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    status, headers, _ = ask(proxy, "GET", "/")
    assert (status, headers["Location"]) == (303, "/login")
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert ask(proxy, "GET", "/session")[0] == 401
    form = f"name={USER}&password={PASSWORD.replace(' ', '+')}"
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{NAME}"}
    status, headers, _ = ask(proxy, "POST", "/login", form, **kind)
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith(f"{COOKIE}=")
    status, headers, text = ask(proxy, "GET", "/session", Cookie=cookie)
    assert (status, '"name":"vera"' in text.replace(" ", "")) == (200, True)
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert ask(proxy, "POST", "/login", form, **{**kind, "Origin": "https://evil.example"})[0] == 403
    assert "signed in: vera (viewer) from 127.0.0.1" in caplog.messages


SOCKET = "/run/tickflow/page.sock"
BY_SOCKET = {
    "nginx": {"http://127.0.0.1:8050": f"http://unix:{SOCKET}:", 'Remote-User ""': "Remote-User anna"},
    "caddy": {"127.0.0.1:8050": f"unix/{SOCKET}", "-Remote-User": "Remote-User anna"},
}
"""For each proxy, the replacements in its configuration with which it signs people in and reaches the page by a socket.
"""


@pytest.mark.parametrize("name", BY_SOCKET)
def test_a_proxy_that_names_the_user_reaches_the_page_by_the_documented_unix_socket(name: str, tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # the path of a Unix socket has at most 107 bytes
    path, stop = folder / "page.sock", threading.Event()
    chosen = {"auth": "proxy", "auth_proxies": (f"unix:{path}",), "auth_operators": ("anna",)}
    settings = Settings.model_validate({**chosen, "dashboard_names": (NAME,)})
    page = StockDashboard(settings, stop=stop, store=MemoryStore(), acks=MemoryAcks())
    running = threading.Thread(target=page.run)
    running.start()
    try:
        wait_until(path.exists, "the socket", 60)
        authority, port = Authority(tmp_path / "authority"), free_port()
        command = PROXIES[name](tmp_path, 8050, port, authority)
        file = tmp_path / {"nginx": "nginx.conf", "caddy": "Caddyfile"}[name]
        configuration = file.read_text()
        for shown_above, instead in BY_SOCKET[name].items():
            assert shown_above in configuration
            configuration = configuration.replace(shown_above, instead)
        document = (PROJECT / "docs" / "expose.md").read_text(encoding="utf-8")
        assert next(iter(BY_SOCKET[name].values())) in document
        file.write_text(configuration.replace(SOCKET, str(path)))
        with proxying(name, command, tmp_path, port):
            status, _, session = ask((port, authority), "GET", "/session")  # the client calls itself otto
            assert (status, json.loads(session)["name"], json.loads(session)["role"]) == (200, "anna", "operator")
            assert ask((port, authority), "GET", "/")[0] == 200
    finally:
        stop.set()
        running.join(60)
    assert not path.exists()
    folder.rmdir()
