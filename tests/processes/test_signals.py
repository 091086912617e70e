"""A signal ends a script, wherever it interrupts the script."""

import signal
import subprocess
import sys

import pytest

# Python runs a signal's handler between two instructions of the main thread. Here the main thread holds the event's
# lock when the signal arrives, as it does for an instant in each `wait`.
SIGNALLED_WHILE_LOCKED = """
import signal
from tickflow.process import StopEvent
stop = StopEvent()
stop.listen()
with stop._cond:
    signal.raise_signal(signal.SIGTERM)
print(stop.wait(60))
"""


def test_a_signal_that_comes_while_the_event_is_locked_is_heard() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_WHILE_LOCKED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


# Python takes down its signal handlers before it deletes the globals of the main module.
SIGNALLED_WHILE_SHUTTING_DOWN = """
import os, signal, sys
from tickflow.process import run
number = int(sys.argv[1])
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=number):
        kill(pid, number)
late = Late()
def main(stop):
    signal.raise_signal(number)
    return 0 if stop.wait(60) else 1
sys.exit(run(main))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_second_signal_while_python_shuts_down_does_not_kill_the_script(name: str) -> None:
    command = [sys.executable, "-c", SIGNALLED_WHILE_SHUTTING_DOWN, str(signal.Signals[name].value)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
    )
    assert (done.returncode, done.stderr) == (0, "")
