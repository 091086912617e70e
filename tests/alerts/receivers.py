"""Real receivers on loopback: an HTTP server and an SMTP server that record messages and can be made to refuse them."""

import email
import email.policy
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

_ID = re.compile(r"\bid ([0-9a-f]{16}(?:\.\d+)?)")
_MORE = re.compile(r"more: ids ([0-9a-f. ]+)")


def ids_of(text: str) -> list[str]:
    """The ids of the alerts in a message."""
    return [*_ID.findall(text), *(name for more in _MORE.findall(text) for name in more.split())]


class HttpReceiver:
    """Accepts apprise's json:// messages; while `is_away`, it answers 503."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.asked = 0
        self.is_away = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                self.send_response(503 if receiver.is_away else 200)
                self.end_headers()
                if not receiver.is_away:
                    receiver.messages.append(json.loads(body))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://127.0.0.1:{self._server.server_address[1]}/alerts"

    @property
    def ids(self) -> list[str]:
        return [name for message in self.messages for name in ids_of(message["message"])]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class SmtpReceiver:
    """Accepts mail; while `is_away`, it answers 451."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.is_away = False
        self.refused = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=port)
        self._controller.start()
        self.url = f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org&mode=insecure"

    @property
    def ids(self) -> list[str]:
        return [name for mail in self.mails for name in ids_of(mail)]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.is_away:
            self.refused += 1
            return "451 away"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = mail.get_body(("plain", "html"))
        assert body is not None
        self.mails.append(body.get_content())
        return "250 taken"

    @property
    def asked(self) -> int:
        """How often a mail was handed over, accepted or refused."""
        return self.refused + len(self.mails)

    def stay_away(self, seconds: float, longest: float = 600.0) -> None:
        """Refuse mail for `seconds`, and then until at least one mail was refused, but at most for `longest` s."""
        self.is_away = True
        begun = time.monotonic()
        while time.monotonic() - begun < seconds or (not self.refused and time.monotonic() - begun < longest):
            time.sleep(0.1)
        self.is_away = False

    def close(self) -> None:
        self._controller.stop()
