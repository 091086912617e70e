"""The verb `dead-letters`: lists which records were refused, where they are in the log, and why.

It reads without joining the group. A record may have several letters (see `tickflow/worker/dead_letters.py`): the
partition and offset of the original identify it, and it counts once.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tickflow import process
from tickflow.ticklog.base import Record, TickLog
from tickflow.ticks.cures import CURES
from tickflow.worker.dead_letters import CUT_SIZE
from tickflow.worker.report import counted

_PREFIX = "__connect.errors."


class Letter(NamedTuple):
    """A dead letter: the original record's partition, offset, key and value, the stage that refused it, the reason, and
    the time.

    `size` is the true size of the value, even if the letter holds only its beginning.
    """

    partition: int
    offset: int
    stage: str
    reason: str
    key: bytes | None
    value: bytes | None
    refused_ms: int
    size: int | None = None


def parse(record: Record, topic: str) -> Letter | None:
    """The letter in a record of the dead-letter topic; `None` if it is not a letter about `topic`."""
    found = {name.removeprefix(_PREFIX): content for name, content in record.headers if name.startswith(_PREFIX)}
    try:
        texts = {name: (content or b"").decode() for name, content in found.items()}  # Kafka Connect writes null too
        if texts["topic"] != topic:
            return None
        place = int(texts["partition"]), int(texts["offset"])
        cut = dict(record.headers).get(CUT_SIZE)
        size = None if cut is None else int(cut)
        said = texts["stage"], texts["exception.message"]
        return Letter(*place, *said, record.key, record.value, record.timestamp, size)
    except (KeyError, ValueError):
        return None


def read(log: TickLog) -> Iterator[Letter | None]:
    """All letters, partition by partition of the dead-letter topic; `None` for a record that is not a letter."""
    topic = log.dead_letter_topic
    for partition in log.partitions(topic):
        for portion in log.read(partition, log.bounds(partition, topic), topic):
            for record in portion:
                yield parse(record, log.topic)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the dead-letter topic holds: the number of records per reason, and the newest letters, oldest first.

    `repeated` counts letters about a record that has an earlier letter; `strangers` counts records that are not letters
    of this topic.
    """

    by_reason: Counter[str]
    newest: list[Letter]
    repeated: int
    strangers: int

    @classmethod
    def of(cls, letters: Iterator[Letter | None], limit: int) -> "Listing":
        """Count all letters and keep the newest `limit`."""
        by_reason: Counter[str] = Counter()
        known: dict[int, set[int]] = defaultdict(set)
        newest: list[tuple[tuple[int, int, int], Letter]] = []
        repeated = strangers = 0
        for each in letters:
            if each is None:
                strangers += 1
            elif each.offset in known[each.partition]:
                repeated += 1
            else:
                known[each.partition].add(each.offset)
                by_reason[each.reason] += 1
                heapq.heappush(newest, ((each.refused_ms, each.partition, each.offset), each))
                if len(newest) > limit:
                    heapq.heappop(newest)
        return cls(by_reason, [each for _, each in sorted(newest)], repeated, strangers)


def lines(listing: Listing, explain: bool = False) -> list[str]:
    """The listing as human-readable lines; `explain` adds the most common cause and the cure of each reason."""
    total = listing.by_reason.total()
    if not total:
        return ["no record was refused"]
    found = [f"{counted(total, 'record')} refused", f"{'count':>10}  reason"]
    for reason, count in listing.by_reason.most_common():
        found.append(f"{count:>10,}  {printable(reason.encode(), 60)}")
        if explain and reason in CURES:
            found += [f"{'':>10}    {words}" for words in CURES[reason]]
    if listing.repeated:
        found.append(f"({listing.repeated:,} further letters are repeats, as a restart may cause)")
    if listing.strangers:
        found.append(f"({listing.strangers:,} further records are not dead letters of this topic)")
    if listing.newest:
        header = f"{'refused at':<20}  {'partition/offset':>16}  {'reason':<20}  {'key':<14}  {'bytes':>7}  value"
        found += ["", f"the newest {len(listing.newest):,}:", header]
        found += map(_line, listing.newest)
    return found


def printable(data: bytes | None, width: int) -> str:
    """Bytes as at most `width` printable characters; a dash for `None`.

    >>> printable(b"AAPL", 14), printable(None, 14), printable(b"\\xff\\x1b[2J", 14), printable(b"x" * 99, 9)
    ('AAPL', '–', '\\\\xff\\\\x1b[2J', 'xxxxxxxx…')
    """
    if data is None:
        return "–"
    text = repr(data[: width + 1])[2:-1]
    return text if len(text) <= width and len(data) <= width else text[: width - 1] + "…"


def show(log: TickLog, limit: int, explain: bool = False) -> None:
    """Print what the dead-letter topic holds, with the newest `limit` letters; `explain` adds causes and cures."""
    with log:
        log.connect(create=False)
        listing = Listing.of(read(log), limit)
        process.show("\n".join([f"{log.dead_letter_topic} of {log.where}:", *lines(listing, explain)]))


def _line(letter: Letter) -> str:
    try:
        moment = f"{datetime.fromtimestamp(letter.refused_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):  # other programs may write records with any time to such a topic
        moment = "–"
    size = "–" if letter.value is None else f"{letter.size or len(letter.value):,}"
    return (
        f"{moment:<20}  {f'{letter.partition}/{letter.offset}':>16}  {printable(letter.reason.encode(), 20):<20}  "
        f"{printable(letter.key, 14):<14}  {size:>7}  {printable(letter.value, 60)}"
    )
