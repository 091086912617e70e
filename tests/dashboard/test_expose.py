"""nginx and Caddy in front of the page, configured as in docs/expose.md: TLS, HSTS, sign-in, forged headers."""

import http.client
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.process import free_port
from tests.conftest import unavailable
from tests.dashboard.serving import Served, served
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
    (folder / "nginx.conf").write_text(
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
    if shutil.which(request.param) is None:
        unavailable(f"{request.param} is not installed: apt-get install {request.param}")
    authority, port = Authority(tmp_path / "authority"), free_port()
    command = {"nginx": nginx, "caddy": caddy}[request.param](tmp_path, page.port, port, authority)
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    with (tmp_path / "proxy.log").open("wb") as log:
        running = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert running.poll() is None, (tmp_path / "proxy.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, f"{request.param} on its port", 60)
        yield port, authority
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
