"""Programs to measure: upper bounds for any worker on this machine.

    poll     kafka-python's `poll()` alone: reads the records' bytes and does nothing with them
    plain    the same, while a second thread posts one ready-made line per record, at most two batches at a time
    loop     our own client's `poll()`, while other threads post one ready-made line per record, at most two batches at
             a time, over as many connections as our worker has
    influx   ready-made lines posted in batches of 5,000 by `--connections` threads, without Kafka

The ready-made lines are those that our worker would write for the same ticks; `--lines` names their file.
"""

import argparse
import mmap
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from kafka import KafkaConsumer

from benchmarks.figures import Figures
from benchmarks.programs.posting import Posting
from config import load_settings
from tickflow.process import StopEvent, set_up_logging
from tickflow.stack import open_log
from tickflow.ticklog.base import TickLog

BATCH = 5_000
UNDER_WAY = 2

Poll = Callable[[], int]
"""Polls once and returns the number of records."""


class Lines:
    """A file of lines, which `take` reads from its start in portions."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._ends = [0]
        while (end := self._body.find(b"\n", self._ends[-1])) >= 0:
            self._ends.append(end + 1)
        self._taken = 0

    def take(self, count: int) -> bytes:
        first, self._taken = self._taken, self._taken + count
        return self._body[self._ends[first] : self._ends[self._taken]]


def opened() -> KafkaConsumer:
    return KafkaConsumer(
        os.environ["KAFKA_TOPIC"],
        bootstrap_servers=os.environ["KAFKA_SERVERS"],
        group_id=os.environ["KAFKA_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=BATCH,
    )


def plainly(consumer: KafkaConsumer) -> Poll:
    return lambda: sum(map(len, consumer.poll(timeout_ms=500).values()))


def by_our_client(log: TickLog) -> Poll:
    def poll() -> int:
        found = log.poll(0.25)
        for partition in found.assigned:
            log.seek(partition, 0)
        return sum(map(len, found.records.values()))

    return poll


def polled(poll: Poll, ticks: int, figures: Figures) -> Iterator[int]:
    """Yield the number of records of each poll until their sum reaches `ticks`."""
    left = ticks
    while left > 0:
        if count := poll():
            if not figures.begun:
                figures.begin()
            left -= count
            yield count


def loop(poll: Poll, ticks: int, figures: Figures, lines: Lines, connections: int) -> None:
    posting = Posting()
    under_way: deque[list[Future[None]]] = deque()
    with ThreadPoolExecutor(connections) as pool:
        for count in polled(poll, ticks, figures):
            share = -(-count // connections)
            parts = [lines.take(min(share, count - first)) for first in range(0, count, share)]
            under_way.append([pool.submit(posting.post, part) for part in parts])
            if len(under_way) == UNDER_WAY:
                wait(under_way.popleft())
        for posted in under_way:
            wait(posted)
    figures.end(ticks)


def wait(posted: list[Future[None]]) -> None:
    for each in posted:
        each.result()


def influx(ticks: int, figures: Figures, lines: Lines, connections: int) -> None:
    posting = Posting()
    under_way: deque[Future[None]] = deque()
    figures.begin()
    with ThreadPoolExecutor(connections) as pool:
        for first in range(0, ticks, BATCH):
            under_way.append(pool.submit(posting.post, lines.take(min(BATCH, ticks - first))))
            if len(under_way) > connections:
                under_way.popleft().result()
        while under_way:
            under_way.popleft().result()
    figures.end(ticks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("poll", "plain", "loop", "influx"))
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    arguments = parser.parse_args()
    figures = Figures()
    if arguments.what == "poll":
        with closing(opened()) as consumer:
            for _ in polled(plainly(consumer), arguments.ticks, figures):
                pass
        figures.end(arguments.ticks)
    elif arguments.what == "plain":
        with closing(opened()) as consumer:
            loop(plainly(consumer), arguments.ticks, figures, Lines(arguments.lines), connections=1)
    elif arguments.what == "loop":
        set_up_logging("ERROR")
        settings = load_settings()
        with open_log(settings, StopEvent()) as log:
            log.connect()
            log.subscribe()
            loop(by_our_client(log), arguments.ticks, figures, Lines(arguments.lines), settings.influxdb_connections)
    else:
        influx(arguments.ticks, figures, Lines(arguments.lines), arguments.connections)
    print(figures.to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
