"""The fault drill: how soon metrics, `status`, log and page report each fault.

A producer, a worker and an open page run on servers of their own. During each fault, four observers are polled: the
metrics (with the health) and the worker's log several times a second, the command `status` repeatedly, and the page in
Chromium. A fault that an observer does not report within 75 s counts as not reported; some observers cannot report some
faults.
"""

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic

from benchmarks import load
from benchmarks.bench import LEASH, PROJECT, Bench, table
from benchmarks.site import Site
from benchmarks.start import free_port
from benchmarks.visitor import DRAWN, Visitor
from devtools.servers import Influxd, KafkaServer

PATIENCE_SECONDS, CALM_SECONDS = 75.0, 90.0
LOOK_SECONDS = 0.1
WHERE = ("metrics", "status", "log", "page")
POISON = 20_000
DISK_BYTES = 64 * 2**20
FINE = r"tickflow_ready(?:\{[^}]*\})? 1\.0"


@dataclass(frozen=True)
class Fault:
    """A fault: how it begins and ends, and how each observer reports it."""

    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    says: dict[str, str]
    """For each observer, the regular expression that matches its report of the fault. The observer `metrics` reads both
    the metrics and the health; its report is `SILENT` if there is no answer.
    """
    of: str = "worker"
    """The process whose metrics are read."""
    before: Callable[[], object] = lambda: None
    """Called before the fault begins, outside the measured time."""


SILENT = "no answer"
ONLY = re.compile(os.environ.get("TICKFLOW_DRILL", ""))
"""Matches the names of the faults to run."""
DISK = "the disk of the embedded file full"


class Scene:
    """A producer, a worker and a page with these settings, which run until `close`."""

    def __init__(self, settings: dict[str, str], folder: Path, visitor: Visitor) -> None:
        self._settings, self._folder, self.visitor = settings, folder, visitor
        self._stack = ExitStack()
        self.ports = {"worker": free_port(), "producer": free_port()}
        self.log = folder / "worker.log"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start_producer()
        self.start_worker()
        site = self._stack.enter_context(Site({**settings, "UPDATE_INTERVAL": "1"}, folder))
        self.visitor.open(site.url)
        self.visitor.until(DRAWN)

    def start_producer(self) -> None:
        """Start the producer; it makes 35 ticks a second."""
        self._start("producer", "stock_producer.py", PRODUCER_INTERVAL="0.2")

    def start_worker(self) -> None:
        """Start the worker."""
        self._start("worker", "stock_analytics.py")

    def _start(self, name: str, script: str, **more: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as file:
            self.processes[name] = subprocess.Popen(
                [*LEASH, sys.executable, str(PROJECT / script)],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], **self._settings, "METRICS_PORT": str(self.ports[name]), **more},
                stdout=subprocess.DEVNULL,
                stderr=file,
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process; if it ends the process, wait for the end."""
        self.processes[name].send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.processes[name].wait(60)

    def status(self) -> str:
        """The output and the exit code of the command `status`."""
        done = subprocess.run(
            [*LEASH, sys.executable, str(PROJECT / "stock_analytics.py"), "status"],
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], **self._settings},
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"

    def metrics(self, name: str) -> str:
        """The metrics and the readiness of a script; empty if it does not answer within a second."""
        try:
            return "\n".join(_get(self.ports[name], path) for path in ("/metrics", "/health/ready", "/health/live"))
        except OSError:
            return ""

    def page(self) -> str:
        """All text of the page."""
        text: str = self.visitor.page.evaluate("document.body.innerText")
        return text

    def is_calm(self) -> bool:
        """Whether the worker is ready and `status` reports no trouble."""
        return bool(re.search(FINE, self.metrics("worker"))) and "exit code 0" in self.status()

    def close(self) -> None:
        """End the page, the producer and the worker."""
        self._stack.close()
        for process in self.processes.values():
            process.kill()
            process.wait()


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return f"{path} {answer.status}\n{answer.read().decode()}"
    finally:
        connection.close()


def observe(scene: Scene, fault: Fault) -> dict[str, float | None]:
    """Begin the fault; return the seconds until each observer reported it, `None` for an observer that did not."""
    found: dict[str, float | None] = {}
    start_of_log = scene.log.stat().st_size
    looks: dict[str, Callable[[], str]] = {
        "metrics": lambda: scene.metrics(fault.of) or SILENT,
        "status": scene.status,
        "log": lambda: scene.log.read_bytes()[start_of_log:].decode(errors="replace"),
    }
    over = threading.Event()
    begun = time.monotonic()

    def look_on(name: str) -> None:
        while not over.is_set() and name not in found:
            if re.search(fault.says[name], looks[name]()):
                found[name] = round(time.monotonic() - begun, 1)
            over.wait(LOOK_SECONDS)

    threads = [threading.Thread(target=look_on, args=(name,)) for name in looks if name in fault.says]
    for each in threads:
        each.start()
    fault.begin()
    while time.monotonic() < begun + PATIENCE_SECONDS and len(found) < len(fault.says):
        if "page" in fault.says and "page" not in found and re.search(fault.says["page"], scene.page()):
            found["page"] = round(time.monotonic() - begun, 1)
        scene.visitor.page.wait_for_timeout(1_000 * LOOK_SECONDS)
    over.set()
    for each in threads:
        each.join()
    return {name: found.get(name) for name in WHERE}


def run(bench: Bench) -> dict[str, Any]:
    rows: dict[str, dict[str, float | None]] = {}
    with Visitor() as visitor:
        with _servers(bench) as (kafka, influxd):
            rows |= _drilled(bench, visitor, kafka, influxd)
        if ONLY.search(DISK):
            with _small_disk(bench) as folder:
                if folder:
                    rows |= _full_disk(visitor, folder)
    shown: list[tuple[str, ...]] = [("seconds until it is said", *WHERE)]
    shown += [(name, *(cell(found[where]) for where in WHERE)) for name, found in rows.items()]
    print(table(shown))
    return {"faults": rows}


def cell(seconds: float | None) -> str:
    """A time as a cell of the table: in seconds, or a dash for `None`."""
    return "–" if seconds is None else f"{seconds:.1f} s"


def _drilled(bench: Bench, visitor: Visitor, kafka: KafkaServer, influxd: Influxd) -> dict[str, Any]:
    topic, server = "drill", influxd.server
    token = _token(influxd)
    settings = {
        "STACK": "kafka",
        "KAFKA_SERVERS": kafka.address,
        "KAFKA_TOPIC": topic,
        "KAFKA_PARTITIONS": "2",
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": token["token"],
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_BUCKET": "stock_data",
    }
    folder = bench.folder / "drill"
    folder.mkdir()
    backlog = bench.of(1_000_000, 200_000)

    def become(status: str) -> None:
        server.call("PATCH", f"/api/v2/authorizations/{token['id']}", {"status": status})

    def poison() -> None:
        bench.preload(topic, ((None, b"poison") for _ in range(POISON)))

    def fall_behind() -> None:
        scene.signal("worker", signal.SIGTERM)
        bench.preload(topic, load.records(backlog, 500))

    def make_again() -> None:
        admin = KafkaAdminClient(bootstrap_servers=kafka.address)
        admin.delete_topics([topic])
        time.sleep(1)
        admin.create_topics([NewTopic(topic, 2, 1)])
        admin.close()

    scene = Scene(settings, folder, visitor)
    faults = [
        Fault(
            "InfluxDB stopped",
            influxd.stop,
            influxd.start,
            {
                "metrics": r"/health/ready 503",
                "status": r"held up|the store does not answer",
                "log": r"held up: ",
                "page": r"store down|does not answer|cannot be reached",
            },
        ),
        Fault(
            "the token revoked",
            lambda: become("inactive"),
            lambda: become("active"),
            {
                "metrics": r"/health/ready 503",
                "status": r"token",
                "log": r"held up: .*token",
                "page": r"(?i)token",
            },
        ),
        Fault(
            "the producer killed",
            lambda: scene.signal("producer", signal.SIGKILL),
            scene.start_producer,
            {"metrics": SILENT, "status": r"no record has arrived", "page": r"No new tick"},
            of="producer",
        ),
        Fault(
            f"{backlog:,} records behind",
            scene.start_worker,
            lambda: None,
            {
                "metrics": r"tickflow_lag_records\{[^}]*\} (?:[1-9]\d{4,}|[\d.]+e)",
                "status": r"wait to be stored|\d{2},\d{3} (?:records )?(?:behind|to read|waiting)",
                "page": r"[1-9][\d,]{4,} records",
            },
            before=fall_behind,
        ),
        Fault(
            "the worker hangs (SIGSTOP)",
            lambda: scene.signal("worker", signal.SIGSTOP),
            lambda: scene.signal("worker", signal.SIGCONT),
            {
                "metrics": SILENT,
                "status": r"without an owner|silent|no worker of the group",
                "page": r"No worker has reported|has not reported",
            },
        ),
        Fault(
            "the topic deleted and made again",
            make_again,
            lambda: None,
            {"log": r"created again"},
        ),
        Fault(  # the last fault, since `status` continues to report the refused share
            f"{POISON:,} records that are not ticks",
            poison,
            lambda: None,
            {
                "metrics": r"tickflow_records_refused_total\{[^}]*\} (?:[1-9]\d{2,}|[\d.]+e)",
                "status": r"refused \d+ %|refused \d+%",
                "log": r"WARNING.*refused",
                "page": r"[1-9][\d,]{2,} refused",
            },
        ),
    ]
    try:
        return {fault.name: _one(scene, fault) for fault in faults if ONLY.search(fault.name)}
    finally:
        scene.close()


def _one(scene: Scene, fault: Fault) -> dict[str, float | None]:
    """Wait until nothing reports trouble, then observe a fault, and end it."""
    deadline = time.monotonic() + CALM_SECONDS
    while not scene.is_calm() and time.monotonic() < deadline:
        scene.visitor.page.wait_for_timeout(500)
    fault.before()
    try:
        found = observe(scene, fault)
    finally:
        fault.end()
    print(f"{fault.name}: {', '.join(f'{where} {cell(found[where])}' for where in WHERE)}", flush=True)
    return found


def _full_disk(visitor: Visitor, folder: Path) -> dict[str, Any]:
    settings = {"STACK": "embedded", "EMBEDDED_FILE": str(folder / "stocks.db")}
    ballast = folder / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 65_536)
            except OSError:
                pass

    with tempfile.TemporaryDirectory(prefix="tickflow-drill-") as beside:
        scene = Scene(settings, Path(beside), visitor)
        says = {
            "metrics": r"/health/ready 503",
            "status": r"MB left",
            "log": r"disk is full",
            "page": r"full|No worker has reported|The worker waits",
        }
        # Whether producer or worker writes first is a matter of chance, and without new ticks the worker has nothing to
        # store: its readiness may stay.
        fault = Fault(DISK, fill, ballast.unlink, says, of="producer")
        try:
            return {fault.name: _one(scene, fault)}
        finally:
            scene.close()


def _token(influxd: Influxd) -> dict[str, Any]:
    server = influxd.server
    org = server.call("GET", f"/api/v2/orgs?org={server.org}")["orgs"][0]["id"]
    allowed = [{"action": action, "resource": {"type": "buckets", "orgID": org}} for action in ("read", "write")]
    made: dict[str, Any] = server.call("POST", "/api/v2/authorizations", {"orgID": org, "permissions": allowed})
    return made


@contextmanager
def _servers(bench: Bench) -> Iterator[tuple[KafkaServer, Influxd]]:
    """The drill's own servers, which it may break; the bench publishes to this Kafka."""
    kafka, influxd = KafkaServer(bench.folder / "drill-kafka"), Influxd(bench.folder / "drill-influxdb")
    with ExitStack() as stack:
        stack.callback(kafka.start().kill)
        stack.callback(influxd.start().kill)
        bench.kafka = kafka.address
        yield kafka, influxd


@contextmanager
def _small_disk(bench: Bench) -> Iterator[Path | None]:
    """A small file system; `None` where this user may not mount one."""
    place = bench.folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        print("this user may not mount a small disk: the full disk is left out")
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
