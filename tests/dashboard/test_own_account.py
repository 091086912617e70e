"""On the account page, users change their password and end sessions, always with the current password."""

import logging
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from stock_dashboard import StockDashboard
from tests.dashboard.test_login import HTTPS, OPERATOR, VIEWER, dashboard, quick, sees, sign_in, users
from tickflow.dashboard.accounts import Accounts
from tickflow.dashboard.login import ACCOUNT, LOGIN, LOGOUT, ByPassword
from tickflow.dashboard.sessions import COOKIE, Session

__all__ = ["quick", "users"]
NEW = "entirely new words"


@pytest.fixture
def page(users: Accounts, tmp_path: Path) -> StockDashboard:
    assert users
    return dashboard(tmp_path)


@pytest.fixture
def client(page: StockDashboard) -> FlaskClient:
    found: FlaskClient = page.app.server.test_client()
    return found


@pytest.fixture
def other(page: StockDashboard) -> FlaskClient:
    """Another browser."""
    client: FlaskClient = page.app.server.test_client()
    client.environ_base["REMOTE_ADDR"] = "10.0.0.9"
    return client


def change(
    client: FlaskClient, current: str, new: str = NEW, again: str | None = None, **named: object
) -> TestResponse:
    form = {"password": current, "new": new, "again": new if again is None else again}
    return client.post(ACCOUNT, base_url=HTTPS, data=form, **named)


def ids_of_others(client: FlaskClient) -> list[str]:
    return re.findall(r'name="session" value="(\w+)"', client.get(ACCOUNT, base_url=HTTPS).text)


def test_a_user_sets_a_new_password_which_ends_the_other_sessions_alone(
    client: FlaskClient, other: FlaskClient, users: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    for each in (client, other):
        sign_in(each, OPERATOR)
    caplog.set_level(logging.INFO, "tickflow")
    before = client.get_cookie(COOKIE, domain="localhost")
    answer = change(client, OPERATOR[1])
    assert (answer.status_code, "The new password is set" in answer.text) == (200, True)
    assert caplog.messages == ["new password: otto from 127.0.0.1"]
    assert sees(client)
    assert not sees(other)
    after = client.get_cookie(COOKIE, domain="localhost")
    assert before
    assert after
    assert before.value != after.value, "the browser's session has a new key"
    assert users.users()["otto"].role == "operator"
    assert sign_in(other, OPERATOR).status_code == 401
    assert sign_in(other, (OPERATOR[0], NEW)).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "again", "status", "words"),
    [
        ("not her password", NEW, NEW, 401, "current password is wrong"),
        ("", NEW, NEW, 401, "current password is wrong"),
        (VIEWER[1], NEW, NEW + ".", 400, "differ"),
        (VIEWER[1], "short", "short", 400, "12 to 256"),
        (VIEWER[1], "Password2026!", "Password2026!", 400, "attackers try first"),
    ],
)
def test_a_password_is_changed_only_with_the_current_one_for_an_allowed_one(
    client: FlaskClient, users: Accounts, current: str, new: str, again: str, status: int, words: str
) -> None:
    sign_in(client, VIEWER)
    before = users.users()["vera"]
    answer = change(client, current, new, again)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert users.users()["vera"] == before
    assert sees(client)


def test_the_current_password_cannot_be_guessed_on_the_page_of_the_account(client: FlaskClient) -> None:
    """Attempts at the password in an unattended browser are limited as those of the sign-in page."""
    sign_in(client, VIEWER)
    answers = [change(client, f"a wrong password {at}") for at in range(12)]
    assert [each.status_code for each in answers].count(401) < 8
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert change(client, VIEWER[1]).status_code == 429


def test_a_user_sees_the_own_sessions_and_ends_others_with_the_password(
    client: FlaskClient, other: FlaskClient, page: StockDashboard
) -> None:
    sign_in(client, VIEWER)
    assert ids_of_others(client) == []
    sign_in(other, VIEWER)
    third = page.app.server.test_client()
    sign_in(third, OPERATOR)
    (operators,) = (each.id for each in _sessions(page) if each.name == "otto")
    shown = client.get(ACCOUNT, base_url=HTTPS).text
    assert "from 10.0.0.9" in shown
    assert operators not in shown
    (found,) = ids_of_others(client)
    form = {"session": [found, operators], "password": "wrong words of vera"}
    assert client.post(ACCOUNT, base_url=HTTPS, data=form).status_code == 401
    assert sees(other)
    answer = client.post(ACCOUNT, base_url=HTTPS, data={**form, "password": VIEWER[1]})
    assert (answer.status_code, "1 session has ended" in answer.text) == (200, True)
    assert not sees(other)
    assert sees(client)
    assert sees(third), "another user's session"


def test_a_request_for_headers_alone_answers_as_the_page_does_and_changes_nothing(client: FlaskClient) -> None:
    sign_in(client, VIEWER)
    for path in (ACCOUNT, LOGOUT, LOGIN):
        answer = client.head(path, base_url=HTTPS)
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert sees(client)


def test_a_session_is_shown_without_its_key(client: FlaskClient, other: FlaskClient) -> None:
    sign_in(client, VIEWER)
    sign_in(other, VIEWER)
    shown = client.get(ACCOUNT, base_url=HTTPS).text
    for each in (client, other):
        cookie = each.get_cookie(COOKIE, domain="localhost")
        assert cookie
        assert cookie.value not in shown


def test_the_page_of_the_account_leads_back_and_out(client: FlaskClient) -> None:
    sign_in(client, VIEWER)
    shown = client.get(ACCOUNT, base_url=HTTPS)
    assert {'href="/"', f'href="{LOGOUT}"'} <= set(re.findall(r'href="[^"]*"', shown.text))
    assert "<script" not in shown.text
    assert "form-action 'self'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Cache-Control"] == "no-store"


def test_only_people_with_a_session_have_the_page(client: FlaskClient, users: Accounts, tmp_path: Path) -> None:
    assert client.get(ACCOUNT, base_url=HTTPS).status_code == 401
    token = {"Authorization": f"Bearer {users.add_token('report', 'operator', 1)}"}
    assert client.get(ACCOUNT, base_url=HTTPS, headers=token).status_code == 403
    sign_in(client, VIEWER)
    assert change(client, VIEWER[1], headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post(ACCOUNT, base_url=HTTPS, data="new=x", content_type="text/plain").status_code == 415
    for auth in ({"auth": "none"}, {"auth": "proxy", "auth_proxies": ("127.0.0.1",)}):
        without = dashboard(tmp_path, **auth).app.server.test_client()
        assert without.get(ACCOUNT, headers={"Remote-User": "vera"}).status_code == 404


def test_a_file_of_accounts_that_cannot_be_written_changes_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Kubernetes, where the file comes from a Secret."""

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    sign_in(client, VIEWER)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        answer = change(client, VIEWER[1])
    assert (answer.status_code, "Ask whoever runs it" in answer.text) == (503, True)
    assert sees(client)
    assert sign_in(client, VIEWER).status_code == 303


def test_an_administrator_ends_the_sessions_of_a_user(client: FlaskClient, users: Accounts) -> None:
    sign_in(client, VIEWER)
    assert users.sign_out("vera")
    assert not sees(client)
    assert sign_in(client, VIEWER).status_code == 303
    assert not users.sign_out("nobody")


def _sessions(page: StockDashboard) -> list[Session]:
    keeper = page.app.server.view_functions["account"].__self__._keeper
    assert isinstance(keeper, ByPassword)
    return list(keeper.sessions._sessions.values())
