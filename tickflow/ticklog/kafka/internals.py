"""Every undocumented name of kafka-python that the adapter needs, in one file.

All of it was read in kafka-python 3.0.12. Any release may change it without notice: after an upgrade compare each
function here with the library's source, then set `READ_FROM`. Until then `tests/ticklog/kafka/test_internals.py` fails
and names what has changed.
"""

import atexit
import copy
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint
from kafka.structs import TopicPartition

from tickflow.ticklog.kafka.unpacking import TooLarge, unpack

__all__ = [
    "HEAD_BYTES",
    "READ_FROM",
    "DefaultRecordBatch",
    "FetchedRecords",
    "KafkaConnectionManager",
    "KafkaNetClient",
    "KafkaNetSocket",
    "NetworkSelector",
    "ReadAhead",
    "close_with_sockets",
    "decode_varint",
    "drop_unreadable",
    "end_sending",
    "ends_of_all",
    "forget_bootstrap",
    "give_up_at_exit",
    "is_without_number",
    "keep_finished_joins",
    "leave_when_closed",
    "may_see",
    "position",
    "read_records_by",
    "remember_to_rejoin",
    "send_again_without_rights",
    "topic_id",
    "uncompressed",
    "wait_for_number",
]

READ_FROM = "3.0.12"
"""The release of kafka-python whose source this file was read from."""

RIGHTS_AGAIN_SECONDS = 1.0
"""How long a producer waits before it resends a batch that a topic refused for lack of a permission; brokers log each
refusal.
"""

HEAD_BYTES: int = DefaultRecordBatch.HEADER_STRUCT.size
"""The size of the header of a batch, in bytes."""

_close = NetworkSelector.close


class FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python has no types
    """The records of one fetched partition, in portions; `next_fetch_offset` follows the last record that was
    returned.
    """

    def __init__(self, fetch_offset: int, place: TopicPartition, batches: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(fetch_offset, place, batches, *arguments, **options)
        self.record_iterator: Iterator[Sequence[Any]] | None = self.portions(place, batches)

    def portions(self, place: TopicPartition, batches: Any) -> Iterator[Sequence[Any]]:
        """The records of all batches. The caller requests a portion only once it has returned all earlier ones."""
        raise NotImplementedError

    def by_kafka_python(self, place: TopicPartition, batches: Any) -> Iterator[Any]:
        """The records of the batches, decoded by kafka-python itself."""
        return self._unpack_records(place, batches, None, None)  # type: ignore[no-any-return]

    def is_left_out(self, batch: DefaultRecordBatch) -> bool:
        """Whether the batch has to be skipped: it is a transaction marker, or belongs to an aborted transaction.

        Batches must come in order: a marker ends the transaction of its producer.
        """
        if not (batch.is_transactional or batch.is_control_batch):
            return False  # nearly every batch; what follows took a twelfth of a worker's time where batches are small
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def read_records_by(consumer: Any, kind: Callable[..., FetchedRecords], is_over: Callable[[], bool]) -> None:
    """Make a consumer read records by `kind`; a poll takes no more records once `is_over` returns true."""
    fetcher = consumer._fetcher
    append = fetcher._append

    def append_unless_over(drained: Any, part: Any, most: int, update_offsets: bool) -> int:
        taken: int = append(drained, part, most, update_offsets)
        return most if is_over() else taken  # claiming that the poll has its maximum number of records ends it

    fetcher.PartitionRecords, fetcher._append = kind, append_unless_over


class ReadAhead:
    """Keeps a consumer from requesting the next records while it returns buffered ones, if `are_few` is true of those.

    kafka-python always requests them. At the end of the log the broker answers such a request with the first record
    that comes; a poll that begins later would return only that, and each tick would wait for one poll more.
    """

    def __init__(self, consumer: Any, are_few: Callable[[Mapping[TopicPartition, Sequence[Any]]], bool]) -> None:
        self.has_asked = False
        """Whether a request was sent since the caller last set this to false."""
        fetcher = consumer._fetcher
        drain, send = fetcher.fetched_records, fetcher.send_fetches

        def fetched_records(*arguments: Any, **options: Any) -> tuple[Any, bool]:
            records, partial = drain(*arguments, **options)
            return records, partial or are_few(records)  # as if more were buffered

        def send_fetches() -> Any:
            self.has_asked = True
            return send()

        fetcher.fetched_records, fetcher.send_fetches = fetched_records, send_fetches


def forget_bootstrap(consumer: Any) -> None:
    """Let a new consumer request the metadata of topics at once.

    As it connects, kafka-python requests the brokers without any topic, and then pauses for 100 ms before its next
    request. A worker opens two consumers before its first new point.
    """
    consumer._client.cluster._last_refresh_ms = 0


def remember_to_rejoin(consumer: Any) -> None:
    """Request a rejoin again if one has begun.

    If new metadata causes a rejoin that one poll does not complete, kafka-python forgets the rejoin: the member would
    then have no partitions for good, without a message.
    """
    if consumer._coordinator.rejoining:
        consumer._coordinator.request_rejoin()


def keep_finished_joins(consumer: Any) -> None:
    """Let a poll use the result of a join that finished after the previous poll had ended.

    kafka-python joins in its own thread and discards such a result: the next poll joins again, which makes every member
    of the group rebalance once more. If each join outlasts the poll that began it, no member ever gets partitions.
    """
    coordinator = consumer._coordinator
    join, complete = coordinator._do_join_and_sync_async, coordinator._on_join_complete_async
    session_seconds = coordinator.config["session_timeout_ms"] / 1000
    finished: list[tuple[Any, float, bytes]] = []

    async def join_unless_finished() -> bytes:
        for generation, at, earlier in finished:
            # A member that lost its place in the group has another generation. One that did not poll for a whole
            # session has lost its place too: no heartbeats are sent between a join and the poll that takes its result.
            if generation is coordinator._generation and time.monotonic() - at < session_seconds:
                return earlier
        assignment: bytes = await join()
        finished[:] = [(coordinator._generation, time.monotonic(), assignment)]
        return assignment

    async def complete_and_forget(*arguments: Any) -> None:
        finished.clear()
        await complete(*arguments)

    coordinator._do_join_and_sync_async = join_unless_finished
    coordinator._on_join_complete_async = complete_and_forget


def drop_unreadable(consumer: Any) -> tuple[TopicPartition, int] | None:
    """Drop the batch that a poll could not decode; return its partition and offset, or `None` if there is none.

    Otherwise it stays the consumer's next batch, and every later poll would fail on it for ever. Once dropped, it is
    fetched again.
    """
    batch = consumer._fetcher._next_partition_records
    if not batch:
        return None
    batch.drain()
    return batch.topic_partition, batch.next_fetch_offset


def topic_id(consumer: Any, topic: str) -> str:
    """The topic's id in the consumer's newest metadata; empty if it has none."""
    found = consumer._client.cluster.topic_id(topic)
    return str(found) if found else ""


def may_see(consumer: Any, topic: str) -> bool:
    """Whether the user may see the topic, according to the consumer's newest metadata; if not, newer metadata are
    requested.

    kafka-python raises the refusal where no caller can catch it, and then polls without the topic as if it were idle.
    """
    cluster = consumer._client.cluster
    if topic not in cluster.unauthorized_topics:
        return True
    cluster.request_update()
    return False


def ends_of_all(consumer: Any, places: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
    """The ends of the partitions, including records of open transactions.

    (For a consumer that reads only committed records, a partition ends at the first open transaction.)
    """
    everything = copy.copy(consumer._fetcher)
    everything._isolation_level = IsolationLevel.READ_UNCOMMITTED
    found: Mapping[TopicPartition, int] = everything.end_offsets(places, timeout_ms)
    return found


def position(consumer: Any, place: TopicPartition) -> int | None:
    """The consumer's read position, from memory; `None` if it has none, or does not own the partition."""
    state = consumer._subscription.assignment.get(place)
    return None if state is None or state.position is None else int(state.position.offset)


def close_with_sockets(net: Any) -> None:
    """Close the event loop of a client, and every socket that it still waits for.

    kafka-python cancels the tasks that send or connect and leaves their sockets, which may be connected, to the garbage
    collector.
    """
    net.stop()
    net.drain()
    watched = [key.fileobj for key in (net._selector.get_map() or {}).values()]  # None once it is closed
    _close(net)
    for each in watched:
        each.close()


def leave_when_closed(consumer: Any) -> None:
    """Have a static member leave its group when it is closed, as a dynamic one does.

    Otherwise nobody reads its partitions until it is back, or until its session times out.
    """
    consumer._coordinator.is_dynamic_member = lambda: True


def end_sending(producer: Any) -> None:
    """End a producer's thread, which would keep running after a `close` that timed out."""
    producer._sender.force_close()


def give_up_at_exit(producer: Any) -> None:
    """Let a producer that was not closed give up its records as the program ends.

    By itself it would wait for them once more, and print a traceback if the brokers are away.
    """
    producer._unregister_cleanup()
    reference = weakref.ref(producer)

    def give_up() -> None:
        left = reference()
        if left is not None:
            left._sender.force_close()
            left._closed = True

    producer._cleanup = give_up  # `close` takes it out of the exit handlers again
    atexit.register(give_up)


def send_again_without_rights(producer: Any, note: Callable[[BaseException], None]) -> None:
    """Have an idempotent producer retry a batch for as long as its topic refuses it for lack of a permission; `note` is
    called with each refusal, in the producer's own thread.

    kafka-python fails such a batch and all later ones, even those that another broker has just accepted. A batch that
    is sent again keeps its sequence number, and an idempotent producer has one batch per partition in flight: nothing
    is appended twice or out of order.
    """
    sender, accumulator = producer._sender, producer._accumulator
    dispatch = sender._dispatch_error

    def dispatch_or_send_again(batch: Any, exception: BaseException, partition_response: Any) -> None:
        if batch.final_state is not None or not isinstance(exception, TopicAuthorizationFailedError):
            dispatch(batch, exception, partition_response)
            return
        note(exception)
        accumulator.reenqueue(batch, time.monotonic() + RIGHTS_AGAIN_SECONDS)
        sender._maybe_remove_from_inflight_batches(batch)
        accumulator.muted.discard(batch.topic_partition)

    sender._dispatch_error = dispatch_or_send_again


def is_without_number(error: BaseException) -> bool:
    """Whether an error means that the brokers refused an idempotent producer its producer id (InitProducerId) for lack
    of a permission.

    kafka-python wraps that refusal in the text of a general error.
    """
    words = str(error)
    return "InitProducerIdResponse" in words and ClusterAuthorizationFailedError.__name__ in words


def wait_for_number(producer: Any, seconds: float) -> None:
    """Wait until the brokers have given a new idempotent producer its producer id. Raises kafka-python's error when
    they refuse, and `KafkaTimeoutError` after `seconds`.
    """
    manager = producer._transaction_manager
    until = time.monotonic() + seconds
    while not manager.has_producer_id():
        if manager.last_error is not None:
            raise manager.last_error
        if time.monotonic() > until:
            raise KafkaTimeoutError(f"no producer id within {seconds:g} s")
        time.sleep(0.01)


def uncompressed(batch: DefaultRecordBatch, bound: int) -> bytearray:
    """The batch with its header and uncompressed contents, which start at `HEAD_BYTES`.

    Raises `TooLarge` if they would be more than `bound` bytes, `CorruptRecordError`, and `UnsupportedCodecError`.
    """
    if batch.compression_type == DefaultRecordBatch.CODEC_NONE:
        if len(batch._buffer) - HEAD_BYTES > bound:
            raise TooLarge
        return batch._buffer  # type: ignore[no-any-return]
    batch._assert_has_codec(batch.compression_type)
    fields = list(batch._header_data)
    fields[5] &= ~DefaultRecordBatch.CODEC_MASK
    whole = bytearray(DefaultRecordBatch.HEADER_STRUCT.pack(*fields))
    unpack(batch.compression_type, memoryview(batch._buffer)[HEAD_BYTES:], whole, bound)
    return whole
