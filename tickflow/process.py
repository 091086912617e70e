"""How a script runs as a process: its signals, its log lines, its exit codes.

Exit codes: 0 finished or asked to stop; 1 work left undone; 2 a bad setting or flag, with one sentence on stderr.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from tickflow.errors import SettingError, Stopped, TickflowError

DONE, UNDONE, BAD_SETTING = 0, 1, 2


class StopEvent(threading.Event):
    """Set by SIGTERM and by Ctrl+C alike."""

    def listen(self) -> None:
        """Take over both signals; a second Ctrl+C has no further effect."""
        signal.signal(signal.SIGTERM, self._heard)
        signal.signal(signal.SIGINT, self._heard)

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        self.set()


def set_up_logging(level: str, name: str = "") -> None:
    """Log lines of this project go to stderr at `level`, those of its libraries only from WARNING on.

    `name` stands in each line, to tell the processes apart whose lines are collected in one place.
    """
    who = f"{name.replace('%', '%%')}: " if name else ""
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s %(levelname)s {who}%(message)s", stream=sys.stderr)
    logging.getLogger("tickflow").setLevel(level)
    for chatty in ("influxdb_client", "urllib3", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # kafka-python reports every attempt to reach an absent broker as an error; the tick log reports the wait itself.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def run(main: Callable[[StopEvent], int]) -> int:
    """Run a script's `main` under its signals, and turn each foreseen failure into a sentence and an exit code."""
    stop = StopEvent()
    stop.listen()
    try:
        return main(stop)
    except SettingError as error:
        print(error, file=sys.stderr)
        return BAD_SETTING
    except Stopped:
        return DONE
    except TickflowError as error:
        print(error, file=sys.stderr)
        return UNDONE


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence on stderr and exit code 2, without the usage text."""

    def error(self, message: str) -> NoReturn:  # noqa: D102 - argparse's own
        self.exit(BAD_SETTING, f"{self.prog}: {message}. See {self.prog} --help.\n")
