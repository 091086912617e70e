"""Publishes refused records to the dead-letter topic, with their original bytes and the reason.

The headers are those of Kafka Connect's error reporting (KIP-298), so that its tools can read them. Delivery is at
least once: a record may appear twice; topic, partition and offset identify it.

A record that is too large for the topic is cut: the letter has the first 64 KiB of the value and 1 KiB of the key, with
the true sizes and SHA-256 of both in headers. The original stays in the log.

A batch that unpacks to more than `MAX_BATCH_BYTES` has one letter, at its first offset, without a key or a value:
headers say how many records it holds, its size in the log, and the bound.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from tickflow.errors import NotAcknowledged
from tickflow.ticklog.base import Headers, Oversized, Receipt, TickLog
from tickflow.ticks.tick import Refused

DECODE = "VALUE_CONVERTER"
"""The stage that refuses a record which is not a tick."""
STORE = "TASK_PUT"
"""The stage at which the store refuses the point of a tick for good."""

CUT_VALUE_BYTES, CUT_KEY_BYTES = 65_536, 1_024
"""How much of the value and of the key a cut letter holds, in bytes."""
CUT_SIZE = "tickflow.value.bytes"
"""The header of a cut letter with the true size of the value."""

FLUSH_SECONDS = 5.0
_LONGEST_REASON_CHARACTERS = 2_000


class Letter(NamedTuple):
    """A record for the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """The total size of key, value and headers, in bytes."""
        held = len(self.key or b"") + len(self.value or b"")
        return held + sum(len(name.encode()) + len(content) for name, content in self.headers)

    def cut(self) -> "Letter":
        """The letter, cut to fit; a letter that was cut already is returned unchanged."""
        if any(name == CUT_SIZE for name, _ in self.headers):
            return self
        headers = list(self.headers)
        for what, content in (("value", self.value), ("key", self.key)):
            if content is not None:
                digest = hashlib.sha256(content).hexdigest()
                headers += [(f"tickflow.{what}.bytes", b"%d" % len(content))]
                headers += [(f"tickflow.{what}.sha256", digest.encode())]
        value, key = self.value, self.key
        return Letter(key and bytes(key[:CUT_KEY_BYTES]), value and bytes(value[:CUT_VALUE_BYTES]), headers)


def letter_of(topic: str, refused: Refused, stage: str, largest: int | None = None) -> Letter:
    """The letter about a refused record: the record's content, its place in the log, the stage that refused it, and the
    reason.

    A letter larger than `largest` is cut here, so that no large record stays in memory.
    """
    record = refused.record
    headers = [
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"%d" % record.partition),
        ("__connect.errors.offset", b"%d" % record.offset),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.exception.class.name", b"InvalidTick" if stage == DECODE else b"RefusedByStore"),
        ("__connect.errors.exception.message", str(refused.reason)[:_LONGEST_REASON_CHARACTERS].encode()),
    ]
    if isinstance(record, Oversized):
        headers += [
            ("tickflow.batch.records", b"%d" % record.records),
            ("tickflow.batch.bytes", b"%d" % record.packed),
            ("tickflow.batch.bound", b"%d" % record.bound),
        ]
    letter = Letter(record.key, record.value, headers)
    return letter if largest is None or letter.size <= largest else letter.cut()


class Delivery:
    """Letters on their way to the dead-letter topic: each is published again until it is acknowledged, and never after
    that.
    """

    def __init__(self, log: TickLog, letters: Sequence[Letter]) -> None:
        self._log = log
        self._letters = list(letters)
        self._receipts: list[Receipt | None] = [None] * len(letters)

    def attempt(self) -> None:
        """Publish the letters that are not in flight, and wait until the log has acknowledged all.

        Raises `NotAcknowledged` and `LogUnavailable`; the caller may then try again.
        """
        for at, (letter, receipt) in enumerate(zip(self._letters, self._receipts, strict=True)):
            if receipt is not None and not receipt.is_refused:
                continue
            if receipt is not None and receipt.is_too_large:
                letter = self._letters[at] = letter.cut()
            self._receipts[at] = self._log.post(letter.key, letter.value, letter.headers, self._log.dead_letter_topic)
        self._log.flush(FLUSH_SECONDS)
        missing = sum(receipt is None or not receipt.is_acknowledged for receipt in self._receipts)
        if missing:
            raise NotAcknowledged(missing, f"{self._log.where} did not confirm them")
