"""Builds Kafka and InfluxDB from the ordinary package registries, once per machine, into a cache outside the checkout.

python -m devtools.building    builds both; needs Python alone, since .ci/run calls it before `make install`

Layout of the cache: `kafka/libs/*.jar` and `influxdb/bin/influxd`.
"""

import fcntl
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from devtools.process import ServerError

Server = Literal["kafka", "influxdb"]
SERVERS: tuple[Server, ...] = ("kafka", "influxdb")

KAFKA = "4.3.1"
LOG4J = "2.25.4"  # the version that Kafka itself depends on
INFLUXDB = "2.9.1"
NAMES = {"kafka": f"Kafka {KAFKA}", "influxdb": f"InfluxDB {INFLUXDB}"}

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tickflow</groupId>
  <artifactId>servers</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA}</version>
    </dependency>
    <dependency> <!-- without it the broker logs nothing -->
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""

# The replacements are those of InfluxDB's own go.mod, which Go applies in the main module only.
GO_MOD = f"""\
module tickflow/servers

go 1.25.10

require github.com/influxdata/influxdb/v2 v{INFLUXDB}

replace github.com/nats-io/nats-streaming-server v0.11.2 => \
github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803

replace google.golang.org/protobuf v1.30.0 => google.golang.org/protobuf v1.33.0
"""

TOOLS_GO = """\
//go:build tools

package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
"""


def cache_folder() -> Path:
    """Where the built servers are: `${XDG_CACHE_HOME:-$HOME/.cache}/tickflow-servers`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tickflow-servers"


def kafka_libs() -> Path:
    """The folder of Kafka's jars."""
    return cache_folder() / "kafka" / "libs"


def influxd() -> Path:
    """The InfluxDB server."""
    return cache_folder() / "influxdb" / "bin" / "influxd"


def is_built(server: Server) -> bool:
    """Whether the cache holds this server in the required version."""
    if server == "kafka":
        return all((kafka_libs() / f"{jar}-{KAFKA}.jar").exists() for jar in ("kafka_2.13", "kafka-tools"))
    return influxd().exists() and _holds(influxd(), f"github.com/influxdata/influxdb/v2\tv{INFLUXDB}\t")


def _holds(path: Path, text: str) -> bool:
    # Go writes the versions of all modules into a program.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text.encode()) != -1


def why_not(server: Server) -> str | None:
    """Why this machine can neither run nor build this server, in one sentence; None if it can."""
    missing = []
    if server == "kafka":
        if not _has_java():
            missing.append("Java 17 or newer")
        if not is_built(server) and not shutil.which("mvn"):
            missing.append("Maven")
    elif not is_built(server):
        if not _has_go():
            missing.append("Go 1.21 or newer")
        if not shutil.which("cargo"):
            missing.append("Rust (cargo)")
        if not shutil.which("pkg-config"):
            missing.append("pkg-config")
        if not any(map(shutil.which, ("cc", "gcc", "clang"))):
            missing.append("a C compiler")
    return f"{NAMES[server]} needs {_listed(missing)}, which this machine lacks" if missing else None


def _listed(things: list[str]) -> str:
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _has_java() -> bool:
    match = re.search(r'version "(\d+)', _said("java", "-version"))
    return match is not None and int(match[1]) >= 17


def _has_go() -> bool:
    # From 1.21 on, Go downloads a newer toolchain if a module requires one.
    match = re.search(r"go1\.(\d+)", _said("go", "version"))
    return match is not None and int(match[1]) >= 21


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def build(server: Server) -> None:
    """Build this server into the cache, unless it is already there. Raises `ServerError` when this machine cannot."""
    if is_built(server):
        return
    reason = why_not(server)
    if reason:
        raise ServerError(f"{reason}.")
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with _only_one(cache / f"{server}.lock", f"Another process builds {NAMES[server]}; waiting for it."):
        if is_built(server):
            return
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{server}-", ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "made"
            if server == "kafka":
                print(f"Fetching {NAMES[server]} from Maven Central (54 MB, once) ...", flush=True)
                _build_kafka(Path(folder), made)
            else:
                print(f"Building {NAMES[server]} from its Go module (once, about 5 minutes) ...", flush=True)
                _build_influxdb(Path(folder), made)
            _put(made, cache / server)
    print(f"{NAMES[server]} is in {cache / server}.", flush=True)


def _build_kafka(work: Path, made: Path) -> None:
    (work / "pom.xml").write_text(POM)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={made / 'libs'}"]
    _run(["mvn", "-q", "-B", *goal], work)


def _build_influxdb(work: Path, made: Path) -> None:
    (work / "go.mod").write_text(GO_MOD)
    (work / "tools.go").write_text(TOOLS_GO)
    tools = work / "tools"
    # Flux, InfluxDB's query language, is written in Rust and pins an old compiler, which rustup would download.
    environ = {"GOBIN": str(tools), "PKG_CONFIG": str(tools / "pkg-config"), "RUSTUP_TOOLCHAIN": "stable"}
    _run(["go", "mod", "tidy"], work, environ)
    _run(["go", "install", "github.com/influxdata/pkg-config@v0.3.0"], work, environ)
    program = "github.com/influxdata/influxdb/v2/cmd/influxd"
    _run(["go", "build", "-ldflags", "-s -w", "-o", str(made / "bin" / "influxd"), program], work, environ)


def _run(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (environ or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        end = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-15:])
        raise ServerError(f"`{' '.join(command[:3])}` failed with exit code {done.returncode}:\n{end}")


def _put(made: Path, place: Path) -> None:
    # Renamed as a whole, so that other processes see either nothing or all of it.
    if place.exists():
        place.rename(made.with_name("old"))
    made.rename(place)


@contextmanager
def _only_one(lock: Path, waiting: str) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build both servers; return 1 after an error message where one of them cannot be built."""
    failed = False
    for server in SERVERS:
        try:
            build(server)
        except ServerError as error:
            print(error, file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
