"""The producing side of the Kafka adapter: follows every record until the broker has confirmed or refused it."""

import logging
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.serializer import Serializer

from tickflow.backoff import Saying, sleep
from tickflow.errors import LogUnavailable, NotAcknowledged
from tickflow.ticklog.base import Headers
from tickflow.ticklog.kafka.cluster import METADATA_MS, PATIENCE_SECONDS, Cluster
from tickflow.ticklog.kafka.internals import (
    end_sending,
    give_up_at_exit,
    is_without_number,
    send_again_without_rights,
    wait_for_number,
)
from tickflow.ticklog.kafka.partitioner import ByKey

MAX_IN_FLIGHT = 10_000
"""The largest number of unconfirmed records in flight; kafka-python itself sets no limit."""

BATCH_BYTES = 262_144
"""The largest size of a batch. Each batch costs as much as a hundred records, so small batches are expensive."""

RECORD_OVERHEAD_BYTES = 128
"""An upper bound on the bytes that Kafka needs for a record besides key, value and headers."""

NOT_FOUND = "no broker knows where to find the topic"

_SLICE_SECONDS = 0.2
_CLOSE_SECONDS = 1.0
_NUMBER_SECONDS = 10.0
_NO_TIME_LIMIT_MS = 2**31 - 1

_logger = logging.getLogger(__name__)


class Sent:
    """The receipt of a record: made from kafka-python's `future`, or from the error that prevented one."""

    __slots__ = ("_error", "_future")

    def __init__(self, future: Any, error: BaseException | None = None) -> None:
        self._future = future
        self._error = error

    @property
    def is_acknowledged(self) -> bool:
        """See `Receipt`."""
        return self._future is not None and bool(self._future.is_done) and self._future.exception is None

    @property
    def is_refused(self) -> bool:
        """See `Receipt`."""
        return self._cause is not None

    @property
    def is_too_large(self) -> bool:
        """See `Receipt`."""
        return isinstance(self._cause, MessageSizeTooLargeError)

    @property
    def _cause(self) -> BaseException | None:
        if self._future is None or not self._future.is_done:
            return self._error
        return self._future.exception  # type: ignore[no-any-return]


class Writer:
    """An idempotent producer that connects at the first record. `limits` has the largest record of each topic,
    in bytes.

    A `patient` writer waits while it lacks a permission, and then resends the records that were refused for lack of it.
    Without `patient` they count as refused, as do all other records that Kafka refuses.
    """

    def __init__(self, cluster: Cluster, limits: Mapping[str, int], *, patient: bool = False) -> None:
        self._cluster = cluster
        self._limits = limits
        self._patient = patient
        self._topics: set[str] = set()
        self._lacks: BaseException | None = None
        self._producer: Any = None
        self._pending: deque[Any] = deque()
        self._acknowledged = 0
        self._refused = 0
        self._cause = ""
        self._is_broken = False
        self._saying = Saying(_logger)

    @property
    def acknowledged(self) -> int:
        """How many records the broker has confirmed."""
        self._reap()
        return self._acknowledged

    def largest(self, topic: str) -> int | None:
        """How many bytes the key, value and headers of a record of the topic may have in all; `None` if unknown."""
        limit = self._limits.get(topic)
        return None if limit is None else limit - RECORD_OVERHEAD_BYTES

    def publish(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, wait: bool = True) -> Sent:
        """Publish one record; wait while too many are in flight or the topic cannot be found.

        Raises `NotAcknowledged` once if earlier records were refused: then this record was not sent. Raises `Stopped`
        if asked to stop while waiting; with `wait=False`, raises `LogUnavailable` instead of waiting.
        """
        pending = self._pending
        if pending and pending[0].is_done:
            self._reap()
        if self._is_broken:
            self._abandon()
        if self._refused:
            self._raise_refused()
        size = len(key or b"") + len(value or b"")
        for name, content in headers:
            size += len(name) + len(content)
        if size + RECORD_OVERHEAD_BYTES > self._limits.get(topic, size + RECORD_OVERHEAD_BYTES):
            return self._refuse(MessageSizeTooLargeError())
        self._topics.add(topic)
        if self._producer is None:
            self._producer = self._open()
        if len(pending) >= MAX_IN_FLIGHT:
            self._wait_for_room(wait)
        started = time.monotonic()
        while True:
            try:
                sent = self._producer.send(
                    topic, key=key, value=_NOTHING if value is None else value, headers=list(headers)
                )
            except KafkaTimeoutError:
                self._waited(
                    started, f"{NOT_FOUND} {topic}: create it, or start another worker, which creates it", wait
                )
            except KafkaError as error:
                return self._refuse(error)
            else:
                if not (self._patient and sent.is_done and isinstance(sent.exception, TopicAuthorizationFailedError)):
                    pending.append(sent)
                    return Sent(sent)
                # The topic is no longer in the metadata: the record was not accepted, and every later one waits.
                self._lacks = sent.exception
                self._waited(started, self._unconfirmed(), wait)
                sleep(self._cluster.stop, _SLICE_SECONDS)

    def _wait_for_room(self, wait: bool) -> None:
        started = time.monotonic()
        while len(self._pending) >= MAX_IN_FLIGHT:
            with suppress(KafkaError):
                self._pending[0].get(timeout=_SLICE_SECONDS)
            self._reap()
            self._waited(started, self._unconfirmed(), wait)

    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for all confirmations; raises `NotAcknowledged`.

        Records that were not confirmed in time stay in flight. Each refusal is reported once.
        """
        deadline = time.monotonic() + timeout
        started = time.monotonic()
        while self._pending and self._producer is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            # This also sends incomplete batches. The futures show whether a record failed, so errors of this call say
            # nothing more.
            with suppress(KafkaError):
                self._producer.flush(min(left, _SLICE_SECONDS))
            self._reap()
            self._say(started, self._unconfirmed())
        waiting = sum(not sent.is_done for sent in self._pending)
        late = f"no confirmation from {self._cluster.where} within {timeout:g} s"
        self._raise_refused(waiting, late if self._lacks is None else self._cluster.explain(self._lacks))

    def close(self) -> None:
        """Close the connection, within about 3 s; log how many records in flight were lost."""
        self._abandon()
        if self._refused or self._pending:
            _logger.error(
                "%s records were not acknowledged by %s and may be lost",
                *(f"{self._refused + len(self._pending):,}", self._cluster.where),
            )

    def _abandon(self) -> None:
        """Close the producer: after one refusal by the broker, an idempotent producer accepts no further records."""
        self._is_broken = False
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        try:
            producer.close(timeout=_CLOSE_SECONDS)
        except KafkaTimeoutError:
            # kafka-python raises before it has ended its thread, which would then keep running.
            end_sending(producer)
            with suppress(KafkaError):
                producer.close(timeout=_CLOSE_SECONDS)
        self._reap()
        self._is_broken = False

    def _open(self) -> Any:
        return self._cluster.patiently(self._connect)

    def _connect(self) -> Any:
        """A connected producer. A patient writer waits for its producer id from Kafka, without which it can send
        nothing.
        """
        producer = self._cluster.connect(
            KafkaProducer,
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            value_serializer=_Bytes(),
            partitioner=ByKey(),
            linger_ms=5,  # time to fill a batch; a single tick waits this long
            batch_size=min(BATCH_BYTES, *self._limits.values()),
            max_request_size=max(self._limits.values()),
            max_block_ms=500,
            request_timeout_ms=15_000,
            # While a broker is down, records wait as long as it takes: a record that expires here would be a lost tick.
            delivery_timeout_ms=_NO_TIME_LIMIT_MS,
            metadata_max_age_ms=METADATA_MS,
            metrics_enabled=False,
        )
        give_up_at_exit(producer)
        if self._patient:
            send_again_without_rights(producer, self._note_lack)
            try:
                wait_for_number(producer, _NUMBER_SECONDS)
            except KafkaError as error:
                with suppress(KafkaError):
                    producer.close(timeout=_CLOSE_SECONDS)
                raise self._meant(error) from error
        return producer

    def _note_lack(self, error: BaseException) -> None:
        self._lacks = error

    def _meant(self, error: BaseException) -> BaseException:
        """The error itself; if it is a general one that hides a missing permission, an error that names the topics."""
        return ClusterAuthorizationFailedError(sorted(self._topics)) if is_without_number(error) else error

    def _unconfirmed(self) -> str:
        """A sentence: how many records are not confirmed yet, and which permission is missing, if any."""
        count = f"{len(self._pending):,} records are not confirmed yet"
        return count if self._lacks is None else f"{count}: {self._cluster.explain(self._lacks)}"

    def _reap(self) -> None:
        pending = self._pending
        while pending and pending[0].is_done:
            sent = pending.popleft()
            if sent.exception is None:
                self._acknowledged += 1
                self._lacks = None
            else:
                self._note_refusal(sent.exception)
                self._is_broken = True

    def _refuse(self, error: BaseException) -> Sent:
        """Count as refused a record that the producer did not accept; return its receipt."""
        self._note_refusal(error)
        return Sent(None, error)

    def _note_refusal(self, error: BaseException) -> None:
        self._refused += 1
        self._cause = self._cause or self._cluster.explain(self._meant(error))

    def _raise_refused(self, waiting: int = 0, cause: str = "") -> None:
        refused, cause = self._refused, self._cause or cause
        if refused + waiting:
            self._refused, self._cause = 0, ""
            raise NotAcknowledged(refused + waiting, cause, refused)

    def _waited(self, started: float, what: str, wait: bool) -> None:
        if self._cluster.stop.is_set():
            raise self._cluster.stopped()
        if not wait:
            raise LogUnavailable(f"{self._cluster.where}: {what}")
        if time.monotonic() - started > PATIENCE_SECONDS:
            self._saying(f"waiting for {self._cluster.where}: {what}")

    def _say(self, started: float, what: str) -> None:
        if not self._pending:
            self._saying.over(f"{self._cluster.where} has confirmed all records")
        elif time.monotonic() - started > PATIENCE_SECONDS:
            self._saying(f"waiting for {self._cluster.where}: {what}")


_NOTHING = object()


class _Bytes(Serializer):  # type: ignore[misc]  # kafka-python has no types
    """Makes `send` accept a record with neither a key nor a value, which a dead letter may be."""

    def serialize(self, _topic: str, _headers: object, data: object) -> object:
        return None if data is _NOTHING else data
