"""Runs scripts for a benchmark as separate processes, the dashboard on a free port."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.bench import LEASH, PROJECT

UP_SECONDS = 60.0


class Site:
    """`stock_dashboard.py` with these settings, for the duration of a `with` block; that of `project`, which may be a
    checkout of an earlier version.
    """

    def __init__(self, settings: dict[str, str], folder: Path, project: Path = PROJECT) -> None:
        self._settings = settings
        self._folder = folder
        self._project = project

    def __enter__(self) -> Self:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}/"
        settings = self._settings | {"DASHBOARD_PORT": str(port)}
        self._process = start("stock_dashboard.py", settings, self._folder, self._project)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if self.url not in said:
            raise RuntimeError(f"the dashboard did not start: {said!r}")
        urllib.request.urlopen(self.url, timeout=UP_SECONDS).close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    @property
    def pid(self) -> int:
        """The process id of the dashboard."""
        return self._process.pid

    def resident_mb(self) -> float:
        """The present resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def start(script: str, settings: dict[str, str], folder: Path, project: Path = PROJECT) -> subprocess.Popen[str]:
    """Start a script of `project` with only these settings; no `.env` is read."""
    return subprocess.Popen(
        [*LEASH, sys.executable, str(project / script)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **settings},
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a script with SIGTERM, or after 20 s with SIGKILL; its further output is ignored."""
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@contextmanager
def scripts(names: Sequence[str], settings: dict[str, str], folder: Path) -> Iterator[None]:
    """Run those scripts during the block; each one's output goes into its own file."""
    with ExitStack() as stack:
        for name in names:
            output = stack.enter_context((folder / f"{name}.txt").open("w"))
            process = subprocess.Popen(
                [*LEASH, sys.executable, str(PROJECT / name)],
                cwd=folder,
                env={"PATH": os.environ["PATH"], **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.communicate)
            stack.callback(process.terminate)
        yield
