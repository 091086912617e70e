"""scripts/run.sh: three scripts in one terminal, which all end with run.sh, however it ends."""

import contextlib
import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.forms import in_full
from tests.scripts import PROJECT

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")

PAGE = "page: exec python -m http.server --bind 127.0.0.1 $DASHBOARD_PORT\n"
DEAF = (
    'deaf: exec python -c "import signal, time; '
    '[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; print(); time.sleep(99)"\n'
)


class Terminal:
    """A terminal that runs a command; its processes are recognised by a variable that they all inherit."""

    def __init__(
        self, command: list[str], cwd: Path, env: Mapping[str, str], ignored: Sequence[signal.Signals] = ()
    ) -> None:
        def prepare() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # its controlling terminal
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
                # The tests themselves may run under nohup or as a background job.
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        self.mark = f"TICKFLOW_TEST={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={"PATH": path, "HOME": str(cwd), name: value} | dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=prepare,
        )
        os.close(slave)
        self.output = ""
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the other side of the terminal is closed
            while not self._closing.is_set():
                if select.select([self.master], [], [], 0.1)[0]:
                    self.output += os.read(self.master, 65_536).decode(errors="replace").replace("\r\n", "\n")
        os.close(self.master)

    def press_ctrl_c(self) -> None:
        os.write(self.master, b"\x03")

    def close(self) -> None:
        """Close the terminal's window: the kernel sends SIGHUP, and writing to the terminal fails from then on."""
        self._closing.set()
        self._reader.join()

    def running(self) -> dict[int, str]:
        """The command lines of all processes that came from this terminal, by process id."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (place / "environ").read_bytes().split(b"\0"):
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def end_of_output(self) -> None:
        """Wait until all output has been read."""
        self._reader.join()

    def wait(self, timeout: float = 30.0) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s: {self.running()}\n{self.output}") from None

    def wait_until(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"not within {timeout:g} s:\n{self.output}"
            time.sleep(0.05)

    def end(self) -> None:
        while pids := self.running():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()
        self.close()


class Place:
    """A folder that looks like a checkout, with its own `.env` and `Procfile`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (".venv", "config.py", "tickflow", "assets", *(path.name for path in PROJECT.glob("stock_*.py"))):
            if (PROJECT / name).exists():
                (root / name).symlink_to(PROJECT / name)
        (root / ".env").touch()  # without it, the .env beside the scripts would be read
        (root / "scripts").mkdir()
        (root / "scripts" / "run.sh").write_bytes((PROJECT / "scripts" / "run.sh").read_bytes())
        (root / "scripts" / "run.sh").chmod(0o755)
        (root / "Procfile").write_bytes((PROJECT / "Procfile").read_bytes())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.env = {"DASHBOARD_PORT": str(self.port), "EMBEDDED_FILE": str(root / "stocks.db")}
        self._terminals: list[Terminal] = []

    def start(self, *, make: bool = False, ignored: Sequence[signal.Signals] = (), **env: str) -> Terminal:
        """Run run.sh in a terminal, through `make` if `make` is true, with those signals ignored."""
        command = [str(self.root / "scripts" / "run.sh")]
        if make:
            (self.root / "Makefile").write_text("run:\n\t@scripts/run.sh\n")
            command = ["make", "--no-print-directory", "run"]
        self._terminals.append(Terminal(command, self.root, self.env | env, ignored))
        return self._terminals[-1]

    def answers(self) -> bool:
        """Whether the page answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def assert_port_is_free(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))

    def clean_up(self) -> None:
        for terminal in self._terminals:
            terminal.end()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.clean_up()


def press(terminal: Terminal) -> None:
    terminal.press_ctrl_c()


def terminate(terminal: Terminal) -> None:
    terminal.process.terminate()


def close(terminal: Terminal) -> None:
    terminal.close()


ENDS = pytest.mark.parametrize("end", [press, terminate, close])


def test_alerts_are_sent_only_to_configured_addresses(place: Place) -> None:
    (place.root / "Procfile").write_text(PAGE + (PROJECT / "Procfile").read_text().splitlines()[-1] + "\n")
    terminal = place.start(ALERT_URLS="json://127.0.0.1:9/", ALERT_OUTBOX=str(place.root / "outbox.db"))
    terminal.wait_until(lambda: "notify.1" in terminal.output)
    terminal.wait_until(lambda: (place.root / "outbox.db").exists())
    terminal.press_ctrl_c()
    assert terminal.wait() == 0, terminal.output
    quiet = place.start()
    quiet.wait_until(place.answers)
    assert "notify.1" not in quiet.output


@ENDS
def test_the_real_scripts_end_with_their_terminal(place: Place, end: Callable[[Terminal], None]) -> None:
    terminal = place.start()
    terminal.wait_until(place.answers)
    terminal.wait_until(lambda: f"The page is at http://127.0.0.1:{place.port}" in terminal.output)
    for prefix in ("producer.1", "worker.1", "dashboard.1"):
        assert prefix in terminal.output
    end(terminal)
    assert terminal.wait() == 0, terminal.output
    assert terminal.running() == {}
    place.assert_port_is_free()
    assert "Traceback" not in terminal.output
    if end is not close:
        terminal.end_of_output()
        assert re.findall(r"stopped \(rc=(-?\d+)\)", terminal.output) == ["0"] * 3, terminal.output


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param([signal.SIGHUP, signal.SIGINT], marks=in_full, id="as nohup and background jobs do"),
        pytest.param([signal.SIGHUP, signal.SIGINT, signal.SIGTERM], id="and SIGTERM too"),
    ],
)
@pytest.mark.parametrize("make", [pytest.param(False, marks=in_full), True])
def test_started_with_signals_ignored_it_still_ends_at_sigterm(
    place: Place, ignored: list[signal.Signals], make: bool
) -> None:
    terminal = place.start(make=make, ignored=ignored)
    terminal.wait_until(place.answers)
    terminal.wait_until(lambda: "The page is at" in terminal.output)
    pid = min(pid for pid, line in terminal.running().items() if re.match(r"\S*sh \S*scripts/run\.sh", line))
    os.kill(pid, signal.SIGTERM)
    code = terminal.wait()
    assert make or code == 0, terminal.output
    assert terminal.running() == {}
    place.assert_port_is_free()
    terminal.end_of_output()
    assert re.findall(r"stopped \(rc=(-?\d+)\)", terminal.output) == ["0"] * 3, terminal.output


def test_the_environment_reaches_the_scripts_and_env_cannot_change_the_stack(place: Place) -> None:
    (place.root / ".env").write_text((PROJECT / ".env.example").read_text())  # its .env has STACK=kafka
    terminal = place.start(SYMBOLS="IBM,SPY", PRODUCER_INTERVAL="0.1")
    terminal.wait_until(lambda: b'"IBM"' in b"".join(path.read_bytes() for path in place.root.glob("stocks.db*")))
    press(terminal)
    assert terminal.wait() == 0
    stored = b"".join(path.read_bytes() for path in place.root.glob("stocks.db*"))
    assert b'"SPY"' in stored
    assert b'"AAPL"' not in stored


def test_the_page_stays_up_after_a_replay_ends(place: Place) -> None:
    (place.root / "day.csv").write_text("timestamp,symbol,price,volume\n2013-10-07T13:30:00.007Z,SPY,167.41,500\n")
    terminal = place.start(SOURCE="replay", REPLAY_FILE=str(place.root / "day.csv"), REPLAY_SPEED="max")
    terminal.wait_until(lambda: "The source has no more ticks" in terminal.output)
    terminal.wait_until(place.answers)
    terminate(terminal)
    assert terminal.wait() == 0
    assert terminal.running() == {}


@pytest.mark.parametrize("end", [pytest.param(press, marks=in_full), terminate, close])
def test_a_script_that_ignores_signals_is_ended_too(place: Place, end: Callable[[Terminal], None]) -> None:
    (place.root / "Procfile").write_text(PAGE + DEAF)
    terminal = place.start()
    terminal.wait_until(
        lambda: place.answers() and any("time.sleep(99)" in line for line in terminal.running().values())
    )
    end(terminal)
    assert terminal.wait() == 0
    assert terminal.running() == {}
    place.assert_port_is_free()


def test_make_reports_no_error(place: Place) -> None:
    (place.root / "Procfile").write_text(PAGE)
    terminal = place.start(make=True)
    terminal.wait_until(place.answers)
    press(terminal)
    terminal.wait()
    assert "Error" not in terminal.output
    assert terminal.running() == {}


@pytest.mark.parametrize("victim", ["honcho", "scripts/run.sh"])
def test_run_sh_leaves_nothing_behind_when_killed(place: Place, victim: str) -> None:
    (place.root / "Procfile").write_text(PAGE + DEAF)
    terminal = place.start()
    terminal.wait_until(
        lambda: place.answers() and any("time.sleep(99)" in line for line in terminal.running().values())
    )
    pid = min(pid for pid, line in terminal.running().items() if victim in line)
    os.kill(pid, signal.SIGKILL)
    assert terminal.wait() != 0
    deadline = time.monotonic() + 20
    while terminal.running():
        assert time.monotonic() < deadline, terminal.running()
        time.sleep(0.1)
    place.assert_port_is_free()


def test_a_script_that_fails_ends_the_others_and_its_code_is_passed_on(place: Place) -> None:
    (place.root / "Procfile").write_text(PAGE + "fails: sleep 1; exit 3\n")
    terminal = place.start()
    assert terminal.wait() == 3
    assert terminal.running() == {}


def test_a_taken_port_gives_one_sentence_and_nothing_starts(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", place.port))
        taken.listen()
        terminal = place.start()
        assert terminal.wait() == 2
    terminal.end_of_output()
    assert terminal.output.count("\n") == 1
    assert terminal.output.startswith(f"DASHBOARD_PORT is '{place.port}'; expected a port of 127.0.0.1 that is free")


def test_a_bad_setting_gives_one_sentence_and_nothing_starts(place: Place) -> None:
    terminal = place.start(SYMBOLS="=A")
    assert terminal.wait() == 2
    terminal.end_of_output()
    assert terminal.output.count("\n") == 1
    assert terminal.output.startswith("SYMBOLS is '=A'; expected ")
