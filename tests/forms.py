"""Two forms of tests that repeat a step: `make test` runs the short form, `make full` the full one."""

import os

import pytest

FULL = os.environ.get("TICKFLOW_TESTS") == "full"


def often(short: int, full: int) -> int:
    """Return `full` under `make full`, otherwise `short`."""
    return full if FULL else short


in_full = pytest.mark.skipif(not FULL, reason="runs in make full")
"""Marks a case that only `make full` runs, since a case of `make test` takes the same path through the code."""
