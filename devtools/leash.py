"""Runs a command that ends together with its starter: `python leash.py COMMAND ARGUMENT...`.

On Linux the kernel kills the command when the thread that started it ends, for whatever reason (a killed test run
cannot clean up). Elsewhere the command simply runs. The command replaces this program, so its pid is the same.

Its signals have their default handlers, even if its starter ignores some of them (nohup, a background job).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)

if __name__ == "__main__":
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the starter died before the kernel was asked to watch it
            sys.exit(1)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
