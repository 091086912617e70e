"""A signal ends a script, wherever it interrupts the script."""

import subprocess
import sys

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
