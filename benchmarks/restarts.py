"""Restarts and crashes under load: how old the newest stored data get, in the restarted worker's partitions and in
others.

Four workers share twelve partitions at 2,000 ticks/s. One symbol of each partition is the probe of that partition: it
ticks every 0.2 s, and a reader notes how old each of the probe's ticks is when InfluxDB first shows it. The audit must
find the store EQUAL after each case.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError
from kafka.partitioner import murmur2

from benchmarks.bench import PROJECT, Bench, table
from devtools.servers import InfluxServer
from tickflow.ticklog.kafka.group import owners_of

WORKERS, PARTITIONS, RATE = 4, 12, 2_000
PROBE_SECONDS = 0.2
SYMBOLS = round(RATE * PROBE_SECONDS)
LOOK_SECONDS = 0.05
QUIET_SECONDS = 0.5
"""If the newest tick of a partition is younger than this, the restart no longer delays the partition."""
SETTLED_NS = 5 * 10**9
"""No restart counts as over before this time has passed: if a named worker comes back quickly, the broker shows no
change to wait for.
"""
LONGEST_SECONDS = 60.0

UNNAMED, NAMED = "unnamed", "`KAFKA_INSTANCE_ID=auto`"
STOP, KILL = "SIGTERM and start", "kill -9 and start"
WANTED = {
    (UNNAMED, STOP): (1.5, 1.5),
    (NAMED, STOP): (1.5, 1.5),
    (UNNAMED, KILL): (3.0, 1.0),
    (NAMED, KILL): (3.0, 1.0),
}
"""For each kind of worker and of restart, the greatest age in seconds that data should reach in the restarted worker's
own partitions, and in the others.
"""


def run(bench: Bench) -> dict[str, Any]:
    cases: list[dict[str, Any]] = []
    for naming in (UNNAMED, NAMED):
        cases += _cases(bench, naming)
    rows: list[tuple[str, ...]] = [("", "", "before", "its own", "at most", "others", "at most", "audit")]
    for found in cases:
        own, others = WANTED[found["naming"], found["how"]]
        ages = (f"{found['before_s']:.2f}", f"{found['own_s']:.2f}", f"{own:g}", f"{found['others_s']:.2f}")
        rows.append((found["naming"], found["how"], *ages, f"{others:g}", found["audit"]))
    print(table(rows))
    return {"workers": WORKERS, "partitions": PARTITIONS, "rate": RATE, "cases": cases}


def _cases(bench: Bench, naming: str) -> list[dict[str, Any]]:
    """The results of both kinds of restart, made one after the other under the same load."""
    topic, bucket = bench.new_topic(PARTITIONS), bench.new_bucket()
    environment = bench.environment(topic, bucket, LOG_LEVEL="INFO", PRICE_LINES="off")
    if naming == NAMED:
        environment["KAFKA_INSTANCE_ID"] = "auto"
    workers = [Worker(bench, environment) for _ in range(WORKERS)]
    _wait_for_a_share_each(bench, environment, workers)
    seconds = bench.of(90, 60)
    load = ["-m", "benchmarks.programs.steady", "--rate", str(RATE), "--seconds", str(seconds)]
    steady = bench.start([*load, "--symbols", str(SYMBOLS)], environment)
    reader = Reader(bench.influx, bucket)
    found = []
    for number, (how, sent) in enumerate({STOP: signal.SIGTERM, KILL: signal.SIGKILL}.items()):
        _wait(partial(reader.is_quiet, time.time_ns()), "quiet before the restart")
        time.sleep(bench.of(5, 2))
        mark = reader.mark()
        time.sleep(bench.of(5, 2))
        before, mark = reader.worst(mark, range(PARTITIONS)), reader.mark()
        own, begun = _owned(bench, environment, workers)[number], time.time_ns()
        workers[number].end(sent)
        workers[number] = Worker(bench, environment)
        _wait_for_a_share_each(bench, environment, workers)
        _wait(partial(reader.is_quiet, begun + SETTLED_NS), "quiet after the restart")
        others = [each for each in range(PARTITIONS) if each not in own]
        found.append(
            {
                "naming": naming,
                "how": how,
                "before_s": before,
                "own_s": reader.worst(mark, own),
                "others_s": reader.worst(mark, others),
                "by_partition": {str(each): reader.worst(mark, [each]) for each in range(PARTITIONS)},
            }
        )
    if steady.poll() is not None:
        raise RuntimeError("the load ended before the last restart was over")
    steady.send_signal(signal.SIGTERM)
    steady.communicate(timeout=60)
    reader.close()
    for each in workers:
        each.end(signal.SIGTERM)
    audit = bench.start([str(PROJECT / "stock_analytics.py"), "audit"], environment)
    output, _ = audit.communicate(timeout=300)
    verdict = "EQUAL" if audit.returncode == 0 and "NOT EQUAL" not in output else f"NOT EQUAL: {output}"
    return [{**each, "audit": verdict} for each in found]


class Worker:
    """A running worker; its name in the group is read from its log."""

    def __init__(self, bench: Bench, environment: dict[str, str]) -> None:
        handle, name = tempfile.mkstemp(".log", dir=bench.folder)
        self._log = Path(name)
        command, nowhere = [str(PROJECT / "stock_analytics.py")], subprocess.DEVNULL
        self.process = bench.start(command, environment, stdout=nowhere, stderr=handle)
        os.close(handle)

    @property
    def name(self) -> str:
        """The worker's name in the group, made of host name and number; empty until the worker has logged a line."""
        found = re.search(rf"{re.escape(socket.gethostname())}-\d+", self._log.read_text())
        return found[0] if found else ""

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(60)


def _owned(bench: Bench, environment: dict[str, str], workers: Sequence[Worker]) -> list[list[int]]:
    """The partitions of each worker, as the broker reports them."""
    admin = KafkaAdminClient(bootstrap_servers=bench.kafka)
    group = environment["KAFKA_GROUP"]
    try:
        members = admin.describe_groups([group])[group]["members"]
    except CoordinatorNotAvailableError:  # a new broker first creates the topic of its commits
        members = []
    owners = owners_of(members, environment["KAFKA_TOPIC"])
    admin.close()
    return [sorted(number for number, owner in owners.items() if owner == each.name) for each in workers]


@dataclass
class Reader:
    """Polls InfluxDB for each partition's probe, and notes how old each tick is when it first appears."""

    influx: InfluxServer
    bucket: str
    seen: list[tuple[float, int, float]] = field(default_factory=list)
    """For each tick of a probe: when it first appeared, its partition, and its age at that time, in seconds."""

    def __post_init__(self) -> None:
        self._symbols = probes()
        self._newest = dict.fromkeys(self._symbols, time.time_ns())
        self._stop = Event()
        self._thread = Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        names = "|".join(self._symbols)
        while not self._stop.wait(LOOK_SECONDS):
            query = (
                f'SELECT "price" FROM "stock_metrics" WHERE time > {min(self._newest.values())} '
                f'AND "symbol" =~ /^({names})$/ GROUP BY "symbol"'
            )
            parameters = urllib.parse.urlencode({"db": self.bucket, "q": query, "epoch": "ns"})
            (result,) = self.influx.call("GET", f"/query?{parameters}", timeout=60)["results"]
            now = time.time_ns()
            for series in result.get("series", ()):
                symbol = series["tags"]["symbol"]
                times = [row[0] for row in series["values"] if row[0] > self._newest[symbol]]
                self.seen += [(now / 1e9, self._symbols[symbol], (now - each) / 1e9) for each in times]
                self._newest[symbol] = max([self._newest[symbol], *times])

    def is_quiet(self, since_ns: int) -> bool:
        """Whether the newest tick of every partition is younger than `QUIET_SECONDS` and later than `since_ns`."""
        oldest = min(self._newest.values())
        return oldest > since_ns and time.time_ns() - oldest < QUIET_SECONDS * 1e9

    def mark(self) -> int:
        """The number of ticks seen so far, to pass to `worst`."""
        return len(self.seen)

    def worst(self, mark: int, partitions: Iterable[int]) -> float:
        """The greatest age, in seconds, of those partitions' ticks that were seen after `mark`."""
        chosen = set(partitions)
        return round(max((age for _, number, age in self.seen[mark:] if number in chosen), default=0.0), 2)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def _wait_for_a_share_each(bench: Bench, environment: dict[str, str], workers: Sequence[Worker]) -> None:
    def is_shared() -> bool:
        shares = _owned(bench, environment, workers)
        return all(shares) and sum(map(len, shares)) == PARTITIONS

    _wait(is_shared, "partition for each worker")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} within {LONGEST_SECONDS:g} s")
        time.sleep(0.2)


def probes() -> dict[str, int]:
    """One symbol of the load per partition, with the number of the partition to which its key leads."""
    found: dict[int, str] = {}
    for number in range(SYMBOLS):
        symbol = f"S{number:03}"
        found.setdefault((murmur2(symbol.encode()) & 0x7FFFFFFF) % PARTITIONS, symbol)
    return {symbol: number for number, symbol in found.items()}
