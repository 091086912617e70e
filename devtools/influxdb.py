"""InfluxDB 2.x as a local process, and the few API calls that its set-up needs."""

import json
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devtools.building import influxd
from devtools.process import ServerError, ServerProcess, free_port

USER, PASSWORD = "tickflow", "tickflow-local-password"


@dataclass(frozen=True)
class InfluxServer:
    """The address and credentials of an InfluxDB. The token may create buckets; https trusts the authorities in
    `cafile`.
    """

    url: str
    org: str
    token: str = field(repr=False)
    cafile: Path | None = None

    def create_bucket(self, name: str, retention: int = 0) -> None:
        """Create a bucket that keeps its points for `retention` seconds; 0 means for ever."""
        org = self.call("GET", f"/api/v2/orgs?org={self.org}")["orgs"][0]["id"]
        rules = [{"type": "expire", "everySeconds": retention}] if retention else []
        self.call("POST", "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": rules})

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and its points, if it exists."""
        for bucket in self.call("GET", f"/api/v2/buckets?org={self.org}&name={name}")["buckets"]:
            self.call("DELETE", f"/api/v2/buckets/{bucket['id']}", timeout=60.0)  # for 200,000 series it takes 10 s

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """The server's answer, decoded from JSON; None if empty. Raises `ServerError` with the server's error text."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Token {self.token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            trusted = None if self.cafile is None else ssl.create_default_context(cafile=self.cafile)
            with urllib.request.urlopen(request, data, timeout, context=trusted) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace").strip()
            raise ServerError(f"InfluxDB answers {method} {path} with {error.code}: {text}") from error
        except OSError as error:
            raise ServerError(f"InfluxDB at {self.url} cannot be reached: {error}") from error
        return json.loads(answer) if answer else None


class Influxd(ServerProcess):
    """A real InfluxDB with its data in `folder`, on `port` of 127.0.0.1, or on a free port.

    Its first start creates the organisation, the bucket (kept for ever) and the token. `flags` are added to its command
    line.
    """

    name = "InfluxDB"
    stop_signal = signal.SIGINT  # influxd 2.9.1 does not catch SIGTERM: it would end at once, without a shutdown

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        org: str = "myorg",
        bucket: str = "stock_data",
        token: str = "tickflow-test-token",
        host: str = "127.0.0.1",
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self.port = free_port() if port is None else port
        self.server = InfluxServer(url=f"http://{host}:{self.port}", org=org, token=token)
        self._bucket = bucket
        self._flags = flags

    @property
    def ports(self) -> tuple[int, ...]:
        """The port of its API."""
        return (self.port,)

    def _prepare(self) -> list[str]:
        data = self.folder / "data"
        return [
            str(influxd()),
            f"--bolt-path={data / 'influxd.bolt'}",
            f"--sqlite-path={data / 'influxd.sqlite'}",
            f"--engine-path={data / 'engine'}",
            f"--http-bind-address=127.0.0.1:{self.port}",
            "--reporting-disabled",
            *self._flags,
        ]

    def _is_ready(self) -> bool:
        try:
            if self.server.call("GET", "/health", timeout=2.0)["status"] != "pass":
                return False
            needs_setup = self.server.call("GET", "/api/v2/setup")["allowed"]
        except ServerError:
            return False
        if needs_setup:
            self._set_up()
        return True

    def _set_up(self) -> None:
        body = {
            "username": USER,
            "password": PASSWORD,
            "org": self.server.org,
            "bucket": self._bucket,
            "token": self.server.token,
            "retentionPeriodSeconds": 0,
        }
        self.server.call("POST", "/api/v2/setup", body)
