"""Connects to a Kafka cluster: waits until it answers, and turns its failures into messages that name the setting."""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from kafka.errors import (
    ClusterAuthorizationFailedError,
    CorruptRecordError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    InconsistentGroupProtocolError,
    KafkaConnectionError,
    KafkaError,
    KafkaProtocolError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
)
from kafka.structs import TopicPartition

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import LogRefused, LogUnavailable, SettingError, Stopped
from tickflow.settings.certificates import Certificates
from tickflow.ticklog.kafka.network import DIRECTLY, WideTlsSocket, open_network

PATIENCE_SECONDS = 1.0
"""How many seconds a wait may last before it is logged."""

READING: Mapping[str, object] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",  # kafka-python's default returns records of aborted transactions
    "fetch_max_wait_ms": 50,  # with kafka-python's 500, reads stall near the end of a partition
    "max_poll_records": 5_000,
    "request_timeout_ms": 15_000,
    "metrics_enabled": False,
}
"""The options of every `KafkaConsumer`, with or without a group."""

METADATA_MS = 30_000
"""How long a client relies on what it knows about topics, in ms: new partitions are noticed after this time at most."""

UNREADABLE = (CorruptRecordError, UnsupportedCodecError)
"""The errors of kafka-python for records that it received but cannot decode."""

_ATTEMPT_MS = 10_000
_SLICE_SECONDS = 0.2
_LOGIN_REFUSED = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)

_RIGHTS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)

_LOGIN = "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"
_PROBE_SECONDS = 1.0
_NEEDED = {
    ".dlq": "a worker needs WRITE and DESCRIBE on it, dead-letters and audit READ and DESCRIBE",
    ".alerts": "a worker needs WRITE and DESCRIBE on it, notify READ and DESCRIBE",
    ".state": "a worker needs READ, WRITE and DESCRIBE on it",
}
"""The permissions needed on the topics besides KAFKA_TOPIC, by the suffix of their names."""

_logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class MayNotCreate(TopicAuthorizationFailedError):  # type: ignore[misc]  # kafka-python has no types
    """A topic is missing, and this user may not create it; the argument is its name."""


class Cluster:
    """The addresses of a cluster and how to log in; setting `stop` ends every wait. `topic_setting` is the key of the
    setting that names the topic.
    """

    def __init__(
        self,
        servers: Sequence[str],
        security: Mapping[str, object],
        stop: threading.Event,
        topic_setting: str = "KAFKA_TOPIC",
    ) -> None:
        self.stop = stop
        self._topic_setting = topic_setting
        self.where = f"Kafka at {','.join(servers)} (KAFKA_SERVERS)"
        self._servers = list(servers)
        self._security = dict(security)
        self._protocol = str(security.get("security_protocol", "PLAINTEXT"))
        self._problem: BaseException | None = None
        self._trusted: ssl.SSLContext | None = None
        self._stale = Saying(_logger)
        self._speaks_tls: bool | None = None
        cafile, certfile, keyfile = (security.get(f"ssl_{name}") for name in ("cafile", "certfile", "keyfile"))
        password = security.get("ssl_password")
        self._certificates = Certificates(
            "KAFKA_SSL",
            "KAFKA_SERVERS",
            f"set KAFKA_SECURITY_PROTOCOL to {'SASL_PLAINTEXT' if self._has_login else 'PLAINTEXT'}",
            Path(str(cafile)) if cafile else None,
            Path(str(certfile)) if certfile else None,
            Path(str(keyfile)) if keyfile else None,
            str(password) if password else None,
        )

    @property
    def _has_login(self) -> bool:
        return self._protocol.startswith("SASL")

    def check_security(self) -> None:
        """Raise `SettingError` for an unusable certificate or key: kafka-python would retry without a message."""
        self._trusted = self._new_context()

    def _new_context(self) -> ssl.SSLContext | None:
        if not self._protocol.endswith("SSL"):
            return None
        context = self._certificates.context()
        context.sslsocket_class = WideTlsSocket
        return context

    def _context(self) -> ssl.SSLContext | None:
        """The TLS context of the certificate files as they are now or, if they cannot be used, as they were before."""
        try:
            self._trusted = self._new_context()
        except SettingError as error:
            if self._trusted is None:
                raise KafkaConnectionError(str(error)) from error
            self._stale(f"the certificates were not read again: {error}")
        else:
            self._stale.over("the certificates can be read again")
        return self._trusted

    def open(self, factory: Callable[..., Any], **options: object) -> Any:
        """A client made by `factory` (a class of kafka-python), once the cluster answers. Raises `Stopped`."""
        return self.patiently(lambda: self.connect(factory, **options))

    def patiently(self, attempt: Callable[[], Result]) -> Result:
        """Repeat `attempt` while it fails with an error of Kafka, and return its result; every 10 s the reason is
        logged. Raises `Stopped`.

        Each attempt runs in its own thread: kafka-python's waits cannot be interrupted, but the wait for this thread
        can.
        """
        waiting, refused = Saying(_logger), Saying(_logger)
        started = time.monotonic()
        self._problem = None

        def say() -> None:
            cause = self.explain(self._problem) if self._problem else "no answer yet"
            # A refused login is logged at once, even if the wait was logged a moment ago.
            saying = refused if isinstance(self._problem, _LOGIN_REFUSED) else waiting
            saying(f"waiting for {self.where}: {cause}")

        for delay in Backoff(first=0.2):
            future: Future[Result] = Future()
            threading.Thread(target=_run, args=(attempt, future), name="kafka-attempt", daemon=True).start()
            while not wait([future], timeout=_SLICE_SECONDS).done:
                if self.stop.is_set():
                    future.add_done_callback(_discard)
                    raise self.stopped()
                if time.monotonic() - started > PATIENCE_SECONDS:
                    say()
            try:
                result = future.result()
            except KafkaError as error:
                if not (self._problem and isinstance(error, KafkaTimeoutError)):
                    self._problem = error
                say()
            else:
                (refused if isinstance(self._problem, _LOGIN_REFUSED) else waiting).over(f"{self.where} answers")
                return result
            if sleep(self.stop, delay):
                break
        raise self.stopped()

    def stopped(self) -> Stopped:
        """The error for a wait that a stop ended."""
        return Stopped(f"asked to stop while waiting for {self.where}")

    def failure(self, error: BaseException) -> LogUnavailable:
        """The project's error for a failure of kafka-python."""
        kind = LogRefused if isinstance(error, _RIGHTS) else LogUnavailable
        return kind(f"{self.where}: {self.explain(error)}")

    def explain(self, error: BaseException) -> str:
        """A sentence about the failure that names the settings to look at."""
        if isinstance(error, _LOGIN_REFUSED):
            return self._refused_login(error)
        if isinstance(error, MayNotCreate):
            topic = error.args[0]
            return f"there is no topic {topic}, and {self._who} may not create it: create it, or allow CREATE on it"
        if isinstance(error, TopicAuthorizationFailedError):
            topic = _named_in(error)
            what = f"the topic {topic}" if topic else "a topic"
            for ending, needed in _NEEDED.items():
                if topic.endswith(ending):
                    return f"{self._who} lacks permissions on {what}: {needed}"
            if self._topic_setting != "KAFKA_TOPIC":
                return f"{self._who} lacks permissions on {what} ({self._topic_setting}): READ and DESCRIBE are needed"
            return (
                f"{self._who} lacks permissions on {what} (KAFKA_TOPIC): all need DESCRIBE on it, a producer WRITE, a "
                "worker READ"
            )
        if isinstance(error, GroupAuthorizationFailedError):
            group = _named_in(error) or "that it reads in"
            where = "" if self._topic_setting != "KAFKA_TOPIC" else " (KAFKA_GROUP)"
            return (
                f"{self._who} lacks permissions on the group {group}{where}: its members need READ on it, "
                "status and audit DESCRIBE"
            )
        if isinstance(error, InconsistentGroupProtocolError):
            return (
                "the group (KAFKA_GROUP) has a member that is not a worker of this version: stop that program, or set "
                "another KAFKA_GROUP"
            )
        if isinstance(error, ClusterAuthorizationFailedError):
            topic = _named_in(error)
            return (
                f"{self._who} may write to no topic, and so Kafka gives it no producer id (InitProducerId): "
                f"allow WRITE on the topic {topic or '(KAFKA_TOPIC)'}"
            )
        if isinstance(error, MessageSizeTooLargeError):
            return "a record is larger than its topic accepts (max.message.bytes)"
        if isinstance(error, KafkaTimeoutError):
            return f"no answer (KAFKA_SECURITY_PROTOCOL is {self._protocol})"
        if isinstance(error, (KafkaConnectionError, KafkaProtocolError)):
            return self._lost_connection("; ".join(map(str, error.args)) or "no connection")
        return str(error)  # kafka-python puts the name of the error into its text

    @property
    def _who(self) -> str:
        if self._has_login:
            return "this user (KAFKA_SASL_USERNAME)"
        return "this client (KAFKA_SSL_CERTFILE)" if self._protocol == "SSL" else "this client, without a login,"

    def _refused_login(self, error: BaseException) -> str:
        words = str(error.args[0]) if error.args else ""
        if isinstance(error, IllegalSaslStateError):
            other = self._protocol.removeprefix("SASL_")
            return (
                f"it asks for no login there: set KAFKA_SERVERS to a listener with one, or KAFKA_SECURITY_PROTOCOL to "
                f"{other} (KAFKA_SECURITY_PROTOCOL is {self._protocol})"
            )
        if isinstance(error, UnsupportedSaslMechanismError):
            mechanism = self._security.get("sasl_mechanism")
            offered = words.partition("Enabled mechanisms: ")[2].translate(str.maketrans("", "", "[]'"))
            known = f" of {offered}" if offered else " of the broker's sasl.enabled.mechanisms"
            return f"it does not accept the mechanism {mechanism}: set KAFKA_SASL_MECHANISM to one{known}"
        reason = words.removeprefix("SaslAuthenticationFailedError: ") or type(error).__name__
        return f"it refuses the login ({reason}): see {_LOGIN}"

    def _lost_connection(self, reason: str) -> str:
        if "refused" in reason and "SSL" not in reason:
            return reason
        is_tls = self._protocol.endswith("SSL")
        if is_tls and (meaning := self._certificates.explain(reason)) is not None:
            return meaning
        if not is_tls and self._broker_speaks_tls():
            other = "SASL_SSL" if self._has_login else "SSL or SASL_SSL"
            return f"it speaks TLS there: set KAFKA_SECURITY_PROTOCOL to {other} (it is {self._protocol})"
        if "disconnected" in reason and not self._has_login:
            return (
                "it closes the connection at once, like a broker that requires a login: set KAFKA_SECURITY_PROTOCOL "
                f"to SASL_{self._protocol} (it is {self._protocol})"
            )
        # A broker refuses a login by closing the connection; kafka-python may notice that before it reads the reason.
        hint = f"; a refused login can look like this: see {_LOGIN}" if self._has_login else ""
        return f"{reason} (KAFKA_SECURITY_PROTOCOL is {self._protocol}{hint})"

    def _broker_speaks_tls(self) -> bool:
        """Whether one of the configured servers answers the first bytes of a TLS handshake; tried once, after a
        connection was lost.
        """
        if self._speaks_tls is None:
            self._speaks_tls = any(map(_speaks_tls, self._servers))
        return self._speaks_tls

    def unreadable(self, place: TopicPartition, offset: int, error: BaseException) -> str:
        """The message for records that cannot be decoded: where they are, and what to do."""
        return (
            f"{self.where}: partition {place.partition} of {place.topic} cannot be read from offset {offset:,} "
            f"({error}): install what this compression needs, or, where the batch is damaged, have Kafka delete the "
            "partition's records up to its end (kafka-delete-records.sh), which counts them as lost"
        )

    def connect(self, factory: Callable[..., Any], **options: object) -> Any:
        """A client made by `factory`, in one attempt of 10 s at most. Raises kafka-python's `KafkaError`."""
        self._reach()
        network: list[Any] = []

        def remember(**configs: object) -> Any:
            network.append(open_network(self._note, self._context, configs))
            return network[0]

        try:
            return factory(
                bootstrap_servers=self._servers,
                bootstrap_timeout_ms=_ATTEMPT_MS,
                # With kafka-python's default of 30 s the client would still wait long after the broker is back.
                reconnect_backoff_max_ms=1000,
                kafka_client=remember,
                proxy_url=DIRECTLY,
                **{name: value for name, value in self._security.items() if not name.startswith("ssl_")},
                **options,
            )
        except BaseException:
            # A client whose constructor fails leaves its network thread running, with nobody left to stop it.
            for each in network:
                each.close()
            raise

    def _note(self, error: BaseException) -> None:
        # A broker that refuses a login closes the connection, and sometimes this is the only sign of the refusal.
        if isinstance(error, _LOGIN_REFUSED) or not isinstance(self._problem, _LOGIN_REFUSED):
            self._problem = error

    def _reach(self) -> None:
        """Raise `KafkaConnectionError` with the reason if no server accepts a connection; kafka-python itself would
        report only a time-out.
        """
        reason = ""
        for server in self._servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=_ATTEMPT_MS / 1000).close()
            except OSError as error:
                reason = reason or f"{server}: {(error.strerror or str(error)).lower()}"
            else:
                return
        raise KafkaConnectionError(reason)


def _run(attempt: Callable[[], Result], future: "Future[Result]") -> None:
    try:
        future.set_result(attempt())
    except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
        future.set_exception(error)


def _discard(future: "Future[Any]") -> None:
    if future.exception() is None and hasattr(future.result(), "close"):
        future.result().close()


def _named_in(error: BaseException) -> str:
    """The topic that an error names, or an empty string."""
    names: Any = error.args[0] if error.args else ""
    if isinstance(names, (set, frozenset, list, tuple)):
        names = next(iter(names), "")
    return names if isinstance(names, str) and re.fullmatch(r"[A-Za-z0-9._\-]{1,249}", names) else ""


def _speaks_tls(server: str) -> bool:
    host, _, port = server.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: the question is only whether the server speaks TLS
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS) as probe,
            context.wrap_socket(probe),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
