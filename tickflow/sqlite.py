"""Opening the one SQLite file of the embedded stack, and telling its passing troubles from those a person must end.

Several processes share the file: write-ahead logging lets them read while one writes. `synchronous=NORMAL` keeps
every committed transaction through a killed process; a power cut may take the last ones.
"""

import logging
import sqlite3
import threading
from pathlib import Path

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import SettingError, Stopped

BUSY_SECONDS = 1.0
"""How long SQLite itself waits for another process's lock; kept short, so that a caller can look at `stop` between."""

WAL_BYTES = 64 * 2**20
"""The size to which the write-ahead file is cut back after a burst."""

CHECKPOINT_PAGES = 4_000
"""So many pages (16 MB) in the write-ahead file before they go to the database: one that several batches changed goes
once. Readers look each page up there first, and up to 4,096 of them in a single step.

The store has them go once a minute as well, for days on which little is written.
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
    """A connection to the file, which is created with its folder where missing; transactions are the caller's to begin.

    `schema` is a script that may be run at every start (`CREATE TABLE IF NOT EXISTS`). Waits, and says so, while the
    file is locked or the disk is full. Raises `SettingError` for a path that cannot be such a file, and `Stopped`.
    Any thread may use the connection, but one at a time.
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
    """Whether trying again may help by itself: the file is locked, the disk full or failing."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _PASSING


def unusable(path: Path, error: Exception) -> SettingError:
    """The sentence for a file with which nothing can be done until a person acts."""
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
        # Takes effect in an empty file only; in any other it would just wait for whoever is writing.
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
