"""A server as a child process: start, wait, stop, kill, freeze, restart."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

LEASH = Path(__file__).with_name("leash.py")
PORTS = range(10_000, 32_000)
TAIL = 15

READY_SECONDS = 180.0
"""How long a server may take to start: Kafka took 70 s on two cores at a load average of 15."""


class ServerError(Exception):
    """A server cannot be built, started or reached; the message says which one, why, and what to do."""


class ServerProcess(ABC):
    """A server whose data, settings and log are in `folder`; its ports stay the same across `restart()`.

    Unless started `detached`, the server is killed when the thread that started it ends (on Linux; see `leash.py`), so
    start it from a thread that lives long enough.
    """

    name: str
    stop_signal = signal.SIGTERM
    """The signal on which the server shuts down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """The ports of 127.0.0.1 on which the server listens."""

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Write the server's files into the folder; return the command that starts it."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether the server that was just started accepts requests."""

    def start(self, timeout: float = READY_SECONDS, *, detached: bool = False) -> Self:
        """Start the server and wait until it is ready.

        Raises `ServerError` when a port is taken, and, with the end of the server's log, when the server ends or is not
        ready within `timeout` seconds.
        """
        return self.launch(detached=detached).wait(timeout)

    def launch(self, *, detached: bool = False) -> Self:
        """Start the server without waiting for it; raises `ServerError` when a port is taken."""
        for port in filter(is_taken, self.ports):
            raise ServerError(f"{self.name} cannot start: something else listens on port {port}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._prepare()
        if not detached:
            command = [sys.executable, "-ISE", str(LEASH), *command]
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            # A separate session: Ctrl+C in the terminal reaches only the starter, which then shuts the server down.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        return self

    def wait(self, timeout: float = READY_SECONDS) -> Self:
        """Wait until the launched server is ready. Otherwise end it and raise `ServerError`."""
        deadline = time.monotonic() + timeout
        try:
            while not self._is_ready():
                code = None if self._process is None else self._process.poll()
                if code is not None:
                    raise ServerError(f"{self.name} ended with exit code {code} as it started.\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.name} was not ready after {timeout:g} s.\n{self.log_tail()}")
                time.sleep(0.1)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, timeout: float = 30.0) -> None:
        """Shut the server down; after `timeout` seconds kill it. Does nothing if it is already stopped."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server at once, as a power cut would. Does nothing if it is already stopped."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze the server, and wait until it has stopped: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)
        # kill() returns before all threads have stopped: on a busy machine, they acknowledged one more record.
        while os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is None:
            if self._process is not None and self._process.poll() is not None:
                raise ServerError(f"{self.name} has ended.\n{self.log_tail()}")
            time.sleep(0.002)

    def resume(self) -> None:
        """Resume a frozen server."""
        self._signal(signal.SIGCONT)

    def restart(self, timeout: float = READY_SECONDS) -> None:
        """Stop the server if it is running, and start it on the same ports with the same data."""
        self.stop()
        self.start(timeout)

    @property
    def pid(self) -> int:
        """The server's process id; raises `ServerError` if it is not running."""
        if self._process is None:
            raise ServerError(f"{self.name} is not running.")
        return self._process.pid

    def new_log(self) -> str:
        """What the server has logged since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """The last lines of the log, under a heading."""
        lines = self.new_log().splitlines()[-TAIL:]
        return f"The end of {self.log}:\n" + ("\n".join(f"    {line}" for line in lines) or "    (empty)")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise ServerError(f"{self.name} is not running.")
        self._process.send_signal(number)


# Hypothesis seeds the module's own generator: two processes would then draw the same ports at the same time.
_system_random = random.SystemRandom()
_given_ports: set[int] = set()


def free_port() -> int:
    """A port on which nothing listens, and which this process was not given before.

    It lies below the range of outgoing connections (from 32768 on): a client that keeps trying to reach a stopped
    server could otherwise be given that very port as its own, and connect to itself.
    """
    while True:
        port = _system_random.choice(PORTS)
        if port not in _given_ports and not is_taken(port):
            _given_ports.add(port)
            return port


def is_taken(port: int) -> bool:
    """Whether something listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def identity(pid: int) -> str | None:
    """The start time of a process, which distinguishes it from a later one with the same pid; None if it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _identity_by_ps(pid) if not Path("/proc/self").exists() else None
    fields = status.rpartition(")")[2].split()  # the process name in front may contain anything
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None
