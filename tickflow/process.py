"""How a script runs as a process: its signals, its log lines, its exit codes.

Exit codes: 0 finished or asked to stop; 1 work left undone; 2 a bad setting or flag, with one sentence on stderr.
"""

import argparse
import io
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn, TextIO

from tickflow.errors import SettingError, Stopped, TickflowError
from tickflow.log_lines import FORMAT, JsonFormatter, LineFormatter, Throttle, one_line
from tickflow.settings.secret_file import without_secrets
from tickflow.version import VERSION

DONE, UNDONE, BAD_SETTING = 0, 1, 2
HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
STOPPING = tuple(number for number in (signal.SIGTERM, signal.SIGINT, HANG_UP) if number is not None)
"""The signals that ask a script to stop."""


class StopEvent(threading.Event):
    """An event that SIGTERM, Ctrl+C and a closed terminal (SIGHUP) set.

    A thread sets the event, not the signal handler. The handler interrupts the main thread at any instruction; if the
    main thread holds the lock of this event at that moment (each `wait` takes it), calling `set` in the handler would
    wait for the lock for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._signals: SimpleQueue[int] = SimpleQueue()

    def listen(self) -> None:
        """Handle these signals from now on; a second Ctrl+C has no further effect."""
        threading.Thread(target=self._set_on_signal, name="signals", daemon=True).start()
        for number in STOPPING:
            if number == HANG_UP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup, SIGHUP stays ignored
            signal.signal(number, self._heard)

    @staticmethod
    def ignore_further() -> None:
        """Ignore these signals from now on: while Python shuts down, its handlers are gone, and a signal would kill the
        process.
        """
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        self._signals.put(number)  # a SimpleQueue is the only queue that a signal handler may use

    def _set_on_signal(self) -> None:
        self._signals.get()
        self.set()


def set_up_logging(level: str, name: str = "", form: str = "text", notices: Sequence[str] = ()) -> None:
    """Send log lines of this project to stderr at `level`, and those of its libraries only at WARNING and above.

    `name` appears in each line, to distinguish processes that log to the same file. `form` is `text` or `json`. The
    `notices` are logged as warnings.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[handler_of(sys.stderr, name, form)])
    logging.getLogger("tickflow").setLevel(level)
    for chatty in ("influxdb_client", "urllib3", "werkzeug", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # kafka-python reports every attempt to reach an absent broker as an error; the tick log reports the wait itself.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for notice in notices:
        logging.getLogger("tickflow").warning("%s", notice)


def show(text: str) -> None:
    """Print to standard output. If the reader has closed it (`| head`), drop the rest without an error.

    Raises `TickflowError` if the text cannot be written, as on a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        raise TickflowError(f"standard output cannot be written: {error.strerror or error}") from error


def _drop_output() -> None:
    """Point standard output at /dev/null: otherwise Python's own flush at exit fails again and prints a traceback."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def handler_of(stream: TextIO, name: str = "", form: str = "text") -> logging.Handler:
    """A handler that writes log lines to `stream`; see `tickflow.log_lines`."""
    who = f"{name.replace('%', '%%')}: " if name else ""
    handler = logging.StreamHandler(stream)
    as_text = LineFormatter(FORMAT.replace("%(message)s", f"{who}%(message)s"))
    handler.setFormatter(JsonFormatter(name) if form == "json" else as_text)
    handler.addFilter(Throttle())
    return handler


def run(main: Callable[[StopEvent], int]) -> int:
    """Run a script's `main` with signal handling; turn each expected failure into a message and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a character that the terminal's encoding lacks is shown as ?
    stop = StopEvent()
    stop.listen()
    try:
        return main(stop)
    except SettingError as error:
        print(one_line(str(error)), file=sys.stderr)
        return BAD_SETTING
    except Stopped:
        return DONE
    except TickflowError as error:
        print(one_line(str(error)), file=sys.stderr)
        return UNDONE
    finally:
        stop.ignore_further()


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake as one sentence on stderr with exit code 2, without the usage text.

    `--version` prints the version.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.add_argument("--version", action="version", version=f"tickflow {VERSION}", help="print the version")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse an unknown flag, showing only its name: its value may be a secret."""
        for each in sys.argv[1:] if args is None else args:
            flag = each.partition("=")[0]
            if re.match("--.*(token|password|api-key)", flag) and flag not in self._option_string_actions:
                key = flag.lstrip("-").replace("-", "_").upper()
                self.error(f"there is no flag {flag}: a command line is visible to every user; set {key} or {key}_FILE")
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            names = [each.partition("=")[0] for each in rest if each.startswith("-")]
            self.error(f"there is no flag {names[0]}" if names else "an unexpected argument")
        return found, rest

    def error(self, message: str) -> NoReturn:  # noqa: D102 - argparse's own
        message = re.sub("'([^']*)'", lambda found: f"'{without_secrets(found[1])}'", message)
        self.exit(BAD_SETTING, f"{self.prog}: {message}. See {self.prog} --help.\n")
