"""The account page: users change their password there, and end their sessions. It works without JavaScript."""

import html
import logging
from typing import TYPE_CHECKING

from flask import Response, request

from tickflow.dashboard import forms
from tickflow.dashboard.passwords import LEAST
from tickflow.dashboard.sessions import COOKIE, Session

if TYPE_CHECKING:
    from tickflow.dashboard.login import ByPassword

_logger = logging.getLogger(__name__)


class OwnAccount:
    """Serves the page; whoever changes something must enter the current password, which is limited as a sign-in is."""

    def __init__(self, keeper: "ByPassword") -> None:
        self._keeper = keeper

    def serve(self) -> Response:
        """Answer a request of the person who is signed in."""
        key = request.cookies.get(COOKIE)
        session = self._keeper.sessions.find(key)
        if session is None or "Authorization" in request.headers:
            return forms.plain(403, "This page is for people who signed in with a name and a password.")
        if request.method != "POST":  # HEAD too
            return self._page(200, session)
        if request.mimetype != forms.FORM:
            return forms.plain(415, "The page of the account sends a form.")
        sets_password = "new" in request.form
        purpose = "a new password" if sets_password else "ending sessions"
        account = self._keeper.checked(session.name, request.form.get("password", "")[:1_000], purpose)
        if not isinstance(account, tuple):
            return self._set_password(session) if sets_password else self._end_sessions(session)
        sentence = "The current password is wrong." if account.status == 401 else account.sentence
        return account.answer(self._page(account.status, session, sentence))

    def _set_password(self, session: Session) -> Response:
        new = request.form["new"]
        if new != request.form.get("again"):
            return self._page(400, session, "The two new passwords differ.")
        try:
            account = self._keeper.accounts.change_password(session.name, new)
        except ValueError as error:
            return self._page(400, session, str(error))
        except OSError as error:
            _logger.error("AUTH_USERS_FILE cannot be changed: %s", error)
            return self._page(503, session, "The page cannot change its file of accounts. Ask whoever runs it.")
        _logger.info("new password: %s from %s", session.name, self._keeper.address)
        session.stamp = account.stamp  # the account's new stamp ends the other sessions
        done = self._page(200, session, "The new password is set; your other sessions have ended.")
        return self._keeper.begin(session.name, account, done)

    def _end_sessions(self, session: Session) -> Response:
        ended = self._keeper.sessions.end_of(session.name, request.form.getlist("session"))
        _logger.info("%d sessions ended: %s from %s", ended, session.name, self._keeper.address)
        return self._page(200, session, f"{ended} sessions have ended." if ended != 1 else "1 session has ended.")

    def _page(self, status: int, session: Session, said: str = "") -> Response:
        others = [each for each in self._keeper.sessions.of(session.name, session.stamp) if each.id != session.id]
        listed = "".join(
            f'<label><input type="checkbox" name="session" value="{each.id}"> {_words(each, self._now)}</label>'
            for each in others
        )
        ending = f"""<form method="post"><fieldset><legend>Sessions to end</legend>{listed}</fieldset>
{forms.password("password-ending", "Password", "current", "password")}
<button>End these sessions</button></form>"""
        outcome = forms.done(said) if status == 200 else forms.alert(said)
        return forms.page(
            status,
            "your account",
            f"""{outcome}<p>Signed in as {html.escape(session.name)}. <a href="/">Back to the page</a>
<a href="/logout">Sign out</a></p>
<h2>Password</h2>
<form method="post">{forms.password("password", "Current password", "current")}
{forms.password("new", f"New password, of {LEAST} characters or more", "new")}
{forms.password("again", "The new password again", "new")}
<button>Set the new password</button></form>
<h2>Sessions</h2>
<p>This one: {_words(session, self._now)}.</p>
{ending if others else "<p>There are no others.</p>"}""",
        )

    @property
    def _now(self) -> float:
        return self._keeper.sessions.now


def _words(session: Session, now: float) -> str:
    return (
        f"signed in {ago(now - session.begun)} from {html.escape(session.address)}, last used {ago(now - session.seen)}"
    )


def ago(seconds: float) -> str:
    """A span of time before now, in words.

    >>> ago(5), ago(90), ago(7200)
    ('just now', '2 min ago', '2 h ago')
    """
    if seconds < 60:
        return "just now"
    return f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"
