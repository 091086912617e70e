"""Where a refused record goes: the dead-letter topic, with its original bytes and the reason.

The headers are those of Kafka Connect's error reporting (KIP-298), so that its tools read them. At least once: a
record may come twice, and is told apart by its topic, partition and offset.
"""

from collections import deque

from tickflow.ticklog.base import Headers, TickLog
from tickflow.ticks.tick import Refused

DECODE = "VALUE_CONVERTER"
"""The stage of a record that is not a tick."""
STORE = "TASK_PUT"
"""The stage of a tick whose point the store can never take."""

FLUSH_SECONDS = 5.0


def headers_of(topic: str, refused: Refused, stage: str) -> Headers:
    """Where the record stood, at which stage it failed, and why."""
    record = refused.record
    return [
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"%d" % record.partition),
        ("__connect.errors.offset", b"%d" % record.offset),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.exception.class.name", b"InvalidTick" if stage == DECODE else b"RefusedByStore"),
        ("__connect.errors.exception.message", str(refused.reason).encode()),
    ]


def publish(log: TickLog, unsent: deque[Refused], stage: str = DECODE) -> None:
    """Publish the records and wait until the log confirmed them; `unsent` keeps those it has not been handed yet.

    Raises `NotAcknowledged`: then publish all of them again if it says that any was refused; else go on with `unsent`,
    as after `LogUnavailable`.
    """
    while unsent:
        record = unsent[0].record
        headers = headers_of(log.topic, unsent[0], stage)
        log.publish(record.key, record.value, headers=headers, topic=log.dead_letter_topic, wait=False)
        unsent.popleft()
    log.flush(FLUSH_SECONDS)
