"""The pages that need no JavaScript: those to sign in and out, and the account page."""

import html

from flask import Response, redirect

FORM = "application/x-www-form-urlencoded"


def page(status: int, title: str, content: str) -> Response:
    """A page with this content, in HTML."""
    return Response(FRAME.replace("TITLE", title).replace("CONTENT", content), status, mimetype="text/html")


def plain(status: int, sentence: str) -> Response:
    """An answer that contains only a message."""
    return Response(f"{sentence}\n", status, mimetype="text/plain")


def found(address: str) -> Response:
    """An answer that leads the browser to another page of ours."""
    answer = redirect(address, 303)
    return Response(answer.get_data(), 303, headers={"Location": address}, mimetype="text/html")


def alert(sentence: str) -> str:
    """A sentence about a failure, as HTML that screen readers announce; empty if there is no sentence."""
    return f'<p role="alert">{html.escape(sentence)}</p>' if sentence else ""


def done(sentence: str) -> str:
    """A sentence about what was done, as HTML that screen readers announce; empty if there is no sentence."""
    return f'<p role="status">{html.escape(sentence)}</p>' if sentence else ""


def password(key: str, label: str, kind: str, name: str | None = None) -> str:
    """A field for a password; `kind` tells password managers whether it is the `current` or a `new` one. The form sends
    it as `name`, by default as `key`.
    """
    return (
        f'<label for="{key}">{label}</label>\n<input id="{key}" name="{name or key}" type="password" '
        f'autocomplete="{kind}-password" maxlength="256" required>'
    )


FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tickflow: TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>
:root { --ink: #1a1d21; --ground: #ffffff; --line: #868e96; --button: #0b5394; --on: #ffffff; --alert: #a61e1e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --ground: #16181b; --line: #868e96; --button: #8ec5f4; --on: #10151a; --alert: #ffa8a8; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0; }
main { max-width: 320px; margin: 12vh auto 0; padding: 0 16px; }
h1 { font-size: 20px; }
h2 { font-size: 16px; margin-top: 32px; }
label { display: block; margin-top: 12px; }
input, button { font: inherit; box-sizing: border-box; width: 100%; padding: 8px 12px; border-radius: 4px; }
input { color: inherit; background: transparent; border: 1px solid var(--line); }
[type=checkbox] { width: auto; }
button { margin-top: 20px; color: var(--on); background: var(--button); border: 0; cursor: pointer; }
:focus-visible { outline: 3px solid var(--button); outline-offset: 2px; }
fieldset { border: 0; margin: 0; padding: 0; }
[role=alert] { color: var(--alert); }
a { color: inherit; }
</style></head><body><main><h1>Tickflow</h1>CONTENT</main></body></html>"""
