"""A broker with a listener for each kind of security, an InfluxDB over HTTPS, and a TLS proxy in front of a server."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from devtools.influxdb import Influxd, InfluxServer
from devtools.init import Rights, acls
from devtools.kafka import KafkaServer
from devtools.process import free_port
from tests.secured.certificates import Authority
from tests.waiting import until

PASSWORD = "a-password-of-the-tests"
USERS = ("admin", "producer", "worker", "notifier", "auditor", "nobody")
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
LISTENERS = {
    "ONEWAY": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "OTHERHOST": "SSL",
    "LOGIN": "SASL_PLAINTEXT",
    "SECURE": "SASL_SSL",
    "SCRAMONLY": "SASL_SSL",
}


class SecuredKafka(KafkaServer):
    """A broker with all of `LISTENERS`; on `port`, which has neither TLS nor login, everybody is a super user.

    `admin` is also a super user by login. The other users have the permissions that `allow` gives them: on `LOGIN` and
    `SECURE` by their login, on `MUTUAL` by the common name of their certificate.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder)
        self._authority = authority
        self.at = {name: free_port() for name in LISTENERS}

    @property
    def ports(self) -> tuple[int, ...]:
        return *super().ports, *self.at.values()

    def server_of(self, listener: str) -> str:
        """The address of a listener, as host:port."""
        return f"127.0.0.1:{self.at[listener]}"

    def _prepare(self) -> list[str]:
        command = super()._prepare()
        path = self.folder / "server.properties"
        given = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line[0] != "#")
        places = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.at.items())
        given["listeners"] += f",{places}"
        given["advertised.listeners"] += f",{places}"
        given["listener.security.protocol.map"] += "," + ",".join(f"{name}:{kind}" for name, kind in LISTENERS.items())
        given |= {
            "inter.broker.listener.name": "PLAINTEXT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
            "ssl.principal.mapping.rules": r"RULE:^.*CN=([^,]*).*$/$1/,DEFAULT",
            "connections.max.reauth.ms": "0",
        }
        here = self._authority.issue("broker")
        stores = {
            "EXPIRED": self._authority.issue("broker-expired", expired=True),
            "OTHERHOST": self._authority.issue("broker-elsewhere", "kafka.elsewhere.example"),
        }
        for name, kind in LISTENERS.items():
            prefix = f"listener.name.{name.lower()}"
            if kind.endswith("SSL"):
                given |= {
                    f"{prefix}.ssl.keystore.type": "PEM",
                    f"{prefix}.ssl.keystore.location": str(stores.get(name, here).both),
                    f"{prefix}.ssl.truststore.type": "PEM",
                    f"{prefix}.ssl.truststore.location": str(self._authority.ca),
                    f"{prefix}.ssl.client.auth": "required" if name == "MUTUAL" else "none",
                }
            if kind.startswith("SASL"):
                plain = [] if name == "SCRAMONLY" else ["PLAIN"]
                given[f"{prefix}.sasl.enabled.mechanisms"] = ",".join([*SCRAM, *plain])
                users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
                login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
                given |= {f"{prefix}.plain.sasl.jaas.config": login} if plain else {}
                login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                given |= {f"{prefix}.{mechanism.lower()}.sasl.jaas.config": login for mechanism in SCRAM}
        path.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        return command

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """kafka-python's admin client, connected as a super user during the block."""
        client = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            yield client
        finally:
            client.close()

    def make_users(self) -> None:
        """Set the SCRAM password of each of `USERS`."""
        with self.admin() as admin:
            for kind in SCRAM:
                wanted = [UserScramCredentialUpsertion(user, kind, PASSWORD) for user in USERS]
                answer = admin.alter_user_scram_credentials(wanted)
                assert not any(answer.values()), answer

    def allow(self, user: str, rights: Rights) -> None:
        """Give a user these permissions; return once the broker applies them."""
        with self.admin() as admin:
            wanted = acls(user, rights)
            made = admin.create_acls(wanted)
            assert not made["failed"], made
            until(lambda: set(wanted) <= set(_all_acls(admin, user)), f"the permissions of {user} are in force")

    def forbid(self, user: str, rights: Rights | None = None) -> None:
        """Revoke these permissions (all by default) of a user; return once the broker applies the change."""
        with self.admin() as admin:
            gone = _all_acls(admin, user) if rights is None else acls(user, rights)
            if gone:
                admin.delete_acls(gone)
            until(lambda: not set(gone) & set(_all_acls(admin, user)), f"the permissions of {user} are gone")


def _all_acls(admin: Any, user: str) -> Sequence[Any]:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    asked = ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
    found: Sequence[Any] = admin.describe_acls(asked)[0]
    return found


class SecuredInfluxd(Influxd):
    """An InfluxDB that serves only HTTPS, with a certificate of `authority` for these hosts."""

    def __init__(self, folder: Path, authority: Authority, *hosts: str, expired: bool = False) -> None:
        super().__init__(folder)
        self._issued = authority.issue(f"influxdb-{self.port}", *hosts, expired=expired)
        self.server = InfluxServer(f"https://127.0.0.1:{self.port}", "myorg", self.server.token, authority.ca)

    def _prepare(self) -> list[str]:
        return [*super()._prepare(), f"--tls-cert={self._issued.cert}", f"--tls-key={self._issued.key}"]


class Front:
    """Adds TLS to a plaintext server, as a proxy does; `asks` is the authority that must have signed a client's
    certificate.
    """

    def __init__(
        self, target: int, authority: Authority, *hosts: str, asks: Authority | None = None, expired: bool = False
    ) -> None:
        issued = authority.issue(f"front-{id(self)}", *hosts, expired=expired)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(issued.cert, issued.key)
        if asks is not None:
            self._context.load_verify_locations(asks.ca)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            try:
                secured = self._context.wrap_socket(client, server_side=True)
            except OSError:
                client.close()
                return
            with secured:
                there = threading.Thread(target=_pass_on, args=(secured, server), daemon=True)
                there.start()
                _pass_on(server, secured)
                there.join(10)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def trusting(ca: Path) -> Iterator[None]:
    """During the block, Python's HTTP client, which the oracle uses, trusts this authority."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(ca)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
