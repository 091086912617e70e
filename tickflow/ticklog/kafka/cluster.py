"""Connects to a Kafka cluster: waits until it answers, and turns its failures into messages that name the setting."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from kafka.errors import (
    ClusterAuthorizationFailedError,
    CorruptRecordError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    InconsistentGroupProtocolError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
)
from kafka.structs import TopicPartition

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import SettingError, Stopped
from tickflow.ticklog.kafka.network import DIRECTLY, open_network

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

UNREADABLE = (CorruptRecordError, UnsupportedCodecError)
"""The errors of kafka-python for records that it received but cannot decode."""

_ATTEMPT_MS = 10_000
_SLICE_SECONDS = 0.2
_LOGIN_REFUSED = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)

_LOGIN = "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"

_logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Cluster:
    """The addresses of a cluster and how to log in; setting `stop` ends every wait."""

    def __init__(self, servers: Sequence[str], security: Mapping[str, object], stop: threading.Event) -> None:
        self.stop = stop
        self.where = f"Kafka at {','.join(servers)} (KAFKA_SERVERS)"
        self._servers = list(servers)
        self._security = dict(security)
        self._protocol = str(security.get("security_protocol", "PLAINTEXT"))
        self._problem: BaseException | None = None

    def check_security(self) -> None:
        """Raise `SettingError` for an unusable certificate or key: kafka-python would retry without a message."""
        given = {name: str(value) for name, value in self._security.items() if name.startswith("ssl_")}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if "ssl_cafile" in given:
            try:
                context.load_verify_locations(given["ssl_cafile"])
            except OSError as error:  # ssl.SSLError is one too
                expected = f"a file with the certificates to trust, in PEM form ({error})"
                raise SettingError("KAFKA_SSL_CAFILE", given["ssl_cafile"], expected) from error
        if "ssl_certfile" in given:
            try:
                # Without a password OpenSSL would ask the terminal for one.
                password = given.get("ssl_password", "")
                context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"), password)
            except OSError as error:
                expected = f"a certificate in PEM form, with its key in it or in KAFKA_SSL_KEYFILE ({error})"
                raise SettingError("KAFKA_SSL_CERTFILE", given["ssl_certfile"], expected) from error

    def open(self, factory: Callable[..., Any], **options: object) -> Any:
        """A client made by `factory` (a class of kafka-python), once the cluster answers. Raises `Stopped`."""
        return self.patiently(lambda: self.connect(factory, **options))

    def patiently(self, attempt: Callable[[], Result]) -> Result:
        """The result of `attempt`, which is repeated while it fails with an error of Kafka; the reason is logged every
        10 s. Raises `Stopped`.

        Each attempt runs in a thread of its own: kafka-python's waits cannot be interrupted, this one can.
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

    def explain(self, error: BaseException) -> str:
        """The failure in words, with the settings that matter for it."""
        if isinstance(error, _LOGIN_REFUSED):
            reason = str(error.args[0]) if error.args else type(error).__name__
            return f"it refuses the login ({reason.removeprefix('SaslAuthenticationFailedError: ')}): see {_LOGIN}"
        if isinstance(error, TopicAuthorizationFailedError):
            return "this user (KAFKA_SASL_USERNAME) lacks the rights on the topic (KAFKA_TOPIC) or its .dlq"
        if isinstance(error, GroupAuthorizationFailedError):
            return "this user (KAFKA_SASL_USERNAME) lacks the rights on the group (KAFKA_GROUP)"
        if isinstance(error, InconsistentGroupProtocolError):
            return (
                "the group (KAFKA_GROUP) has a member that is no worker of this version: stop that program, or set "
                "another KAFKA_GROUP"
            )
        if isinstance(error, ClusterAuthorizationFailedError):
            return "this user (KAFKA_SASL_USERNAME) may not do this in the cluster: have the topics made for it"
        if isinstance(error, MessageSizeTooLargeError):
            return "a record is larger than its topic takes (max.message.bytes)"
        if isinstance(error, KafkaTimeoutError):
            return f"no answer (KAFKA_SECURITY_PROTOCOL is {self._protocol})"
        if isinstance(error, KafkaConnectionError):
            reason = "; ".join(map(str, error.args)) or "no connection"
            if "refused" in reason:
                return reason
            # A broker refuses a login by closing the connection; kafka-python may notice that before it reads the
            # reason.
            hint = f"; a refused login can look like this: see {_LOGIN}" if self._protocol.startswith("SASL") else ""
            return f"{reason} (KAFKA_SECURITY_PROTOCOL is {self._protocol}{hint})"
        return str(error)  # kafka-python puts the name of the error into its text

    def unreadable(self, place: TopicPartition, offset: int, error: BaseException) -> str:
        """The message for records that cannot be decoded: where they are, and what to do."""
        return (
            f"{self.where}: partition {place.partition} of {place.topic} cannot be read on from offset {offset:,} "
            f"({error}): install what this compression needs, or, where the batch is damaged, have Kafka delete the "
            "partition's records up to its end (kafka-delete-records.sh), which counts them as lost"
        )

    def connect(self, factory: Callable[..., Any], **options: object) -> Any:
        """A client made by `factory`, in one attempt of 10 s at most. Raises kafka-python's `KafkaError`."""
        self._reach()
        network: list[Any] = []

        def remember(**configs: object) -> Any:
            network.append(open_network(self._note, configs))
            return network[0]

        try:
            return factory(
                bootstrap_servers=self._servers,
                bootstrap_timeout_ms=_ATTEMPT_MS,
                # With kafka-python's 30 s we would still wait long after the broker is back.
                reconnect_backoff_max_ms=1000,
                kafka_client=remember,
                proxy_url=DIRECTLY,
                **self._security,
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
        """Raise kafka-python's error with the reason if no server accepts a connection; kafka-python itself reports a
        time-out.
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
