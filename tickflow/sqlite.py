"""Opens the SQLite file of the embedded stack, and tells temporary failures from those that a person must fix.

Several processes share the file: write-ahead logging lets them read while one writes. With `synchronous=NORMAL` every
committed transaction survives a killed process; a power cut may lose the last ones.
"""

import logging
import sqlite3
import threading
from pathlib import Path

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import SettingError, Stopped

BUSY_SECONDS = 1.0
"""How long SQLite itself waits for another process's lock; short, so that the caller can check `stop` in between."""

WAL_BYTES = 64 * 2**20
"""The size to which the write-ahead file is truncated after a burst."""

CHECKPOINT_PAGES = 4_000
"""The write-ahead file is copied into the database at this many pages (16 MB).

A page that several batches changed is then written once. The bound matters to readers too: they search the write-ahead
file first, up to 4,096 pages in a single step. The store also forces a copy once a minute, for days with few writes.
"""

_PASSING = frozenset({
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
})  # fmt: skip

_logger = logging.getLogger(__name__)


def open_database(path: Path, stop: threading.Event, schema: str = "") -> sqlite3.Connection:
    """Open the file; create it and its folder if missing. The caller begins its own transactions.

    `schema` is a script that may run at every start (`CREATE TABLE IF NOT EXISTS`). While the file is locked or the
    disk is full, this waits and logs the reason. Raises `SettingError` for a path that cannot be such a file, and
    `Stopped`. Any thread may use the connection, one at a time.
    """
    _make_folder(path)
    saying = Saying(_logger)
    for delay in Backoff(longest=1.0):
        try:
            connection = _open(path, schema)
        except ValueError as error:
            raise unusable(path, error) from None
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(path, error) from None
            saying(f"waiting for the file {path} (EMBEDDED_FILE): {error}")
        else:
            saying.over(f"the file {path} can be used")
            return connection
        if sleep(stop, delay):
            break
    raise Stopped(f"asked to stop while waiting for the file {path} (EMBEDDED_FILE)")


def is_passing(error: sqlite3.Error) -> bool:
    """Whether trying again may help: the file is locked, or the disk is full or failing."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _PASSING


def unusable(path: Path, error: Exception) -> SettingError:
    """The error for a file that is unusable until a person acts."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        expected = "a new file, or one that tickflow made: this one is not an SQLite database, and is left as it is"
    elif code == sqlite3.SQLITE_CORRUPT:
        expected = (
            "an intact SQLite database: this one is damaged; move it away, and a new one is made at the next start"
        )
    else:
        expected = f"a file that can be made and written there ({error})"
    return SettingError("EMBEDDED_FILE", str(path), expected)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(path, error) from None


def _open(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # only an empty file obeys this pragma; in any other it would just wait for the lock of a writer
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.executescript(schema or "SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
