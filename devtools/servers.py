"""Real Kafka and InfluxDB without Docker, for the tests (`KafkaServer`, `Influxd`) and for developing:

python -m devtools.servers up       both, on localhost:9092 and localhost:8086, until `down`
python -m devtools.servers status
python -m devtools.servers down     ends exactly what `up` started; --wipe removes its data too
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from config import PUBLIC_TOKEN, Settings
from devtools.building import NAMES, SERVERS, Server, build, cache_folder, is_built, why_not
from devtools.influxdb import Influxd, InfluxServer
from devtools.kafka import KafkaServer
from devtools.process import ServerError, ServerProcess, identity, is_taken

__all__ = ["InfluxServer", "Influxd", "KafkaServer", "ServerError", "is_built", "why_not"]

PROJECT = Path(__file__).parent.parent
PORTS: dict[Server, int] = {"kafka": 9092, "influxdb": 8086}
ENDS_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Record:
    """The record of a server that `up` started, so that `down` ends only that process."""

    pid: int
    identity: str
    port: int


def state_folder() -> Path:
    """Where `up` keeps data, logs and records: `${XDG_STATE_HOME:-$HOME/.local/state}/tickflow-servers`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tickflow-servers"


def up(ports: Mapping[Server, int]) -> None:
    """Start the servers that are not running yet on these ports, detached from this process."""
    for server in SERVERS:
        if _running(server) is None:
            build(server)
    kafka, influxdb = (_start(server, ports[server]) for server in SERVERS)
    _check_token(influxdb.port)
    settings = {
        "KAFKA_SERVERS": (f"localhost:{kafka.port}", f"localhost:{PORTS['kafka']}"),
        "INFLUXDB_URL": (f"http://localhost:{influxdb.port}", f"http://localhost:{PORTS['influxdb']}"),
    }
    edits = [f"{key}={value}" for key, (value, default) in settings.items() if value != default]
    print(
        f"Both are running: Kafka on localhost:{kafka.port} and InfluxDB on http://localhost:{influxdb.port}; "
        f"data and logs lie in {state_folder()}.\n"
        f"Next: cp .env.example .env (once{', then set there ' + ' and '.join(edits) if edits else ''}), and "
        "in three terminals, with .venv active: python stock_producer.py, python stock_analytics.py, "
        "python stock_dashboard.py.\n"
        "`make servers-down` ends both and keeps their data."
    )


def down(wipe: bool) -> None:
    """End the servers that `up` started; with `wipe`, delete their data too."""
    for server in reversed(SERVERS):
        record = _running(server)
        print(f"{NAMES[server]}: {'is not running' if record is None else 'ending'}.", flush=True)
        if record is not None:
            _end(record, _process(server, record.port).stop_signal)
        _record_file(server).unlink(missing_ok=True)
        if wipe:
            shutil.rmtree(state_folder() / server, ignore_errors=True)
    if wipe:
        print(f"The data in {state_folder()} are removed.")


def status() -> bool:
    """Print which servers are running, and where; return whether both are."""
    all_run = True
    for server in SERVERS:
        record = _running(server)
        if record is not None:
            print(f"{NAMES[server]}: runs on localhost:{record.port}, pid {record.pid}.")
        elif is_taken(PORTS[server]):
            print(f"{NAMES[server]}: not started from here; something else listens on port {PORTS[server]}.")
        else:
            print(f"{NAMES[server]}: is not running{'' if is_built(server) else ' and is not built yet'}.")
        all_run = all_run and record is not None
    print(f"Built servers: {cache_folder()}. Data and logs: {state_folder()}.")
    return all_run


def _start(server: Server, port: int) -> Record:
    record = _running(server)
    if record is not None:
        print(f"{NAMES[server]}: is already running, pid {record.pid}.")
        return record
    if is_taken(port):
        raise ServerError(
            f"{NAMES[server]} cannot start: port {port} is taken by something that was not started from here "
            f"(docker-compose's perhaps). Stop that first, or use it as it is, or choose another port: --{server}-port."
        )
    print(f"{NAMES[server]}: starting ...", flush=True)
    pid = _process(server, port).start(detached=True).pid
    record = Record(pid, identity(pid) or "", port)
    _record_file(server).write_text(json.dumps(asdict(record)))
    return record


def _process(server: Server, port: int) -> ServerProcess:
    folder = state_folder() / server
    if server == "kafka":
        return KafkaServer(folder, port, host="localhost")
    org, bucket, token = (setting(key) for key in ("INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN"))
    return Influxd(folder, port, org=org, bucket=bucket, token=token, host="localhost")


def setting(key: str, folder: Path = PROJECT) -> str:
    """A setting for InfluxDB's first start: from the environment, `.env`, `.env.example`, or the default."""
    if os.environ.get(key):
        return os.environ[key]
    for file in (folder / ".env", folder / ".env.example"):
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            name, _, value = line.partition("=")
            value = value.partition(" #")[0].strip().strip("\"'")
            if name.strip() == key and value:
                return value
    return PUBLIC_TOKEN if key == "INFLUXDB_TOKEN" else str(Settings.model_fields[key.lower()].default)


def _check_token(port: int) -> None:
    process = _process("influxdb", port)
    assert isinstance(process, Influxd)
    try:
        process.server.call("GET", f"/api/v2/buckets?org={process.server.org}")
    except ServerError as error:
        raise ServerError(
            f"InfluxDB runs, but was set up with another INFLUXDB_TOKEN or INFLUXDB_ORG ({error}). Use those, or begin "
            "again without its data: python -m devtools.servers down --wipe, then up."
        ) from error


def _record_file(server: Server) -> Path:
    return state_folder() / f"{server}.json"


def _running(server: Server) -> Record | None:
    try:
        record = Record(**json.loads(_record_file(server).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return record if identity(record.pid) == record.identity else None


def _end(record: Record, stop_signal: signal.Signals) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    for number in (signal.SIGCONT, stop_signal):
        os.kill(record.pid, number)
    while identity(record.pid) == record.identity:
        if time.monotonic() > deadline:
            os.kill(record.pid, signal.SIGKILL)
        time.sleep(0.1)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    state_folder().mkdir(parents=True, exist_ok=True)
    with (state_folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 when done, 1 after an error message (`status`: unless both run)."""
    parser = argparse.ArgumentParser(prog="python -m devtools.servers", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("up", help="start both, detached")
    for server in SERVERS:
        starting.add_argument(f"--{server}-port", type=int, default=PORTS[server], help="default: %(default)s")
    verbs.add_parser("status", help="show which server runs where")
    ending = verbs.add_parser("down", help="end exactly what `up` started")
    ending.add_argument("--wipe", action="store_true", help="remove its data too")
    chosen = parser.parse_args(arguments)
    # Otherwise a SIGTERM while a server starts would leave it running, and `down` would not know it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.verb == "status":
            return 0 if status() else 1
        with _one_at_a_time():
            if chosen.verb == "up":
                up({server: getattr(chosen, f"{server}_port") for server in SERVERS})
            else:
                down(chosen.wipe)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted: `{chosen.verb}` is not complete.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
