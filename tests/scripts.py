"""The scripts as subprocesses in a clean environment, as in a user's terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).parent.parent
LEASH = PROJECT / "devtools" / "leash.py"
KEPT = ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG")
"""The variables of the tests' own environment that are passed on to a script; `make coverage` sets the last one, since
it measures scripts too.
"""


class Script:
    """One run of a script in `cwd`; its whole environment is `KEPT` and `env`.

    The script reads a `.env` in `cwd`, or without one a `.env` beside the scripts. It ends with the test run at the
    latest.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], files: Path) -> None:
        self.name = name
        self._files = {stream: files.with_suffix(f".{stream}") for stream in ("stdout", "stderr")}
        with self._files["stdout"].open("wb") as stdout, self._files["stderr"].open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-ISE", str(LEASH), sys.executable, str(PROJECT / name), *arguments],
                cwd=cwd,
                env={key: os.environ[key] for key in KEPT if key in os.environ} | dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        """The script's output on stdout so far."""
        return self._read("stdout")

    @property
    def stderr(self) -> str:
        """The script's output on stderr so far."""
        return self._read("stderr")

    @property
    def output(self) -> str:
        """The output so far: stdout, then stderr."""
        return self.stdout + self.stderr

    @property
    def is_running(self) -> bool:
        """Whether the process is still running."""
        return self.process.poll() is None

    def wait(self, timeout: float = 60.0) -> int:
        """Wait until the script ends; return its exit code. On a timeout, raise AssertionError with the output."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still ran after {timeout:g} s.\n{self.output}") from None

    def wait_for(self, text: str, timeout: float = 60.0) -> None:
        """Wait until the output holds `text`; raise AssertionError if the script ends first or on a timeout."""
        deadline = time.monotonic() + timeout
        while text not in self.output:
            ended = not self.is_running
            if ended and text in self.output:
                return
            assert not ended, f"{self.name} ended without {text!r} in its output:\n{self.output}"
            assert time.monotonic() < deadline, f"No {text!r} from {self.name} in {timeout:g} s:\n{self.output}"
            time.sleep(0.05)

    def terminate(self) -> None:
        """Ask the script to stop, as an operator does (SIGTERM)."""
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Interrupt the script, as Ctrl+C does (SIGINT)."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End the script at once (SIGKILL), as a power cut would. Does nothing if it has ended."""
        self.process.kill()
        self.process.wait()

    def _read(self, stream: str) -> str:
        return self._files[stream].read_text(encoding="utf-8", errors="replace")
