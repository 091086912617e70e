"""A verb ends without a traceback whatever standard output is: latin-1, a pipe into `head`, a full disk."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.scripts import PROJECT
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
from tickflow.ticks.tick import Refused
from tickflow.worker import dead_letters

VERBS = pytest.mark.parametrize("verb", ["dead-letters", "audit", "status"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an embedded file that holds 3,000 dead letters of records without a key or a value."""
    path = tmp_path / "stocks.db"
    with EmbeddedTickLog(path, topic="stock-ticks", group="g", retention_days=7, stop=threading.Event()) as log:
        log.connect()
        for _ in range(3_000):
            log.publish(None, None)
        log.flush(20)
        for portion in log.read(0, log.bounds(0)):
            for record in portion:
                letter = dead_letters.letter_of("stock-ticks", Refused(record, "no_value"), dead_letters.DECODE)
                log.publish(letter.key, letter.value, headers=letter.headers, topic=log.dead_letter_topic)
        log.flush(20)
    (tmp_path / ".env").touch()
    return tmp_path


def start(verb: str, folder: Path, stdout: int) -> "subprocess.Popen[bytes]":
    flags = ["--embedded", "--embedded-file", "stocks.db", *(["--limit", "3000"] if verb == "dead-letters" else [])]
    return subprocess.Popen(
        [sys.executable, str(PROJECT / "stock_analytics.py"), verb, *flags],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "latin-1"},
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


@VERBS
def test_a_terminal_in_latin_1_shows_what_it_can(verb: str, folder: Path) -> None:
    out, err = start(verb, folder, subprocess.PIPE).communicate(timeout=60)
    assert b"Traceback" not in err
    assert out
    if verb == "dead-letters":
        assert b"  ?  " in out, "the dash of a record without a key"


@VERBS
def test_a_closed_pipe_causes_no_traceback(verb: str, folder: Path) -> None:
    process = start(verb, folder, subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    assert process.wait(60) in (0, 1)
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@VERBS
def test_a_full_disk_gives_one_sentence(verb: str, folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        _, err = (process := start(verb, folder, full.fileno())).communicate(timeout=60)
    expected = (1, b"standard output cannot be written: No space left on device")
    assert expected == (process.returncode, err.strip().splitlines()[-1])
    assert b"Traceback" not in err
