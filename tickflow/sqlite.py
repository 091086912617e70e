"""Opens the SQLite file of the embedded stack, and distinguishes temporary failures from failures that an operator must
fix.

The file states the version of its tables. A file of an older version is migrated when it is opened. A file of a newer
version is refused, since this version would lose the columns that it does not know.

Several processes share the file: write-ahead logging lets them read while one writes. With `synchronous=NORMAL` every
committed transaction survives a killed process; a power failure may lose the last transactions.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.errors import SettingError, Stopped

BUSY_SECONDS = 1.0
"""How long SQLite itself waits for another process's lock; short, so that the caller can check `stop` in between."""

WAL_BYTES = 64 * 2**20
"""The size to which the write-ahead file is truncated after a burst."""

CHECKPOINT_PAGES = 4_000
"""The write-ahead file is copied into the database once it has this many pages (16 MB).

A page that several batches changed is then written only once. The limit matters to readers too: they search the
write-ahead file first, which takes a single step for up to 4,096 pages. The store also forces a copy once a minute, for
days with few writes.
"""

APPLICATION_ID = 0x7469636B
"""The application id in the header of the file: "tick". A file from before version 1 has 0 there, and so has a file of
another program that does not set the id.
"""

MIGRATIONS: tuple[Callable[[sqlite3.Connection], object], ...] = (
    lambda _connection: None,  # files without a version had the same tables
)
"""Step n migrates the tables from version n to n + 1, within a transaction. A new column needs no step."""

_PASSING = frozenset({
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
})  # fmt: skip

_logger = logging.getLogger(__name__)


Declared = Mapping[str, Mapping[str, str]]
"""The columns of tables, by table and column; each value is the column's SQL declaration."""


def open_database(
    path: Path, stop: threading.Event, schema: str = "", columns: Declared | None = None
) -> sqlite3.Connection:
    """Open the file; create it and its folder if missing. The caller begins its own transactions.

    `schema` is a script that may run at every start (`CREATE TABLE IF NOT EXISTS`). `columns` names all columns of some
    of its tables; columns that an older file lacks are added. While the file is locked or the disk is full, this waits
    and logs the reason. Raises `SettingError` for a path that cannot be such a file and for a file of a newer version,
    and `Stopped`. Any thread may use the connection, but only one at a time.
    """
    _make_folder(path)
    saying = Saying(_logger)
    for delay in Backoff(longest=1.0):
        try:
            connection = _open(path, schema, columns or {})
        except ValueError as error:
            raise unusable(path, error) from error
        except sqlite3.Error as error:
            if not is_passing(error):
                raise unusable(path, error) from error
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
    """The error for a file that is unusable until an operator acts."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        expected = "a new file, or one that tickflow made: this one is not an SQLite database, and is left as it is"
    elif code == sqlite3.SQLITE_CORRUPT:
        expected = (
            "an intact SQLite database: this one is damaged; move it away, and a new one is made at the next start"
        )
    elif code == sqlite3.SQLITE_ERROR and isinstance(error, sqlite3.Error):
        expected = f"a file with the tables of this version ({error})"
    else:
        expected = f"a file that can be made and written there ({error})"
    return SettingError("EMBEDDED_FILE", str(path), expected)


def _make_folder(path: Path) -> None:
    """Create a missing folder and file for this user only; SQLite gives its companion files the same permissions."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never open an existing file here: closing any descriptor of it releases the locks of all connections that this
        # process has to the file (fcntl). The next process that closes its own connection would then delete the
        # write-ahead file in use.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except (OSError, ValueError) as error:
        raise unusable(path, error) from error


def _open(path: Path, schema: str, columns: Declared) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _refuse_newer(connection, path)
        # SQLite obeys this pragma only in an empty file; in any other file the call would only wait for a writer's lock
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        _missing(connection, path, columns)  # called first, so that nothing is written to a file of a newer version
        connection.executescript(schema or "SELECT count(*) FROM sqlite_master")
        if schema:
            _bring_up_to_date(connection, path, columns)
    except (sqlite3.Error, SettingError):
        connection.close()
        raise
    return connection


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `SettingError` for a file of another program, or a file that a newer version has created or changed."""
    if _number(connection, "application_id") not in (0, APPLICATION_ID):
        expected = "a new file, or one that tickflow made: this one belongs to another program, and is left as it is"
        raise SettingError("EMBEDDED_FILE", str(path), expected)
    version = _number(connection, "user_version")
    if version > len(MIGRATIONS):
        raise _newer(path, f"its tables have version {version}, and this program knows those up to {len(MIGRATIONS)}")


def _newer(path: Path, why: str) -> SettingError:
    expected = (
        f"a file of this version of tickflow or of an older one: a newer one has written to this file ({why}); "
        "run that version, or set EMBEDDED_FILE to another file"
    )
    return SettingError("EMBEDDED_FILE", str(path), expected)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, columns: Declared) -> None:
    """Apply the migration steps and add the columns that the file lacks."""
    if _number(connection, "user_version") == len(MIGRATIONS) and not _missing(connection, path, columns):
        return
    connection.execute(
        "BEGIN IMMEDIATE"
    )  # if two programs open the file at once, the second one has nothing left to do
    try:
        _refuse_newer(connection, path)
        for step in MIGRATIONS[_number(connection, "user_version") :]:
            step(connection)
        for table, name, declaration in _missing(connection, path, columns):
            connection.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {declaration}')
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _missing(connection: sqlite3.Connection, path: Path, columns: Declared) -> list[tuple[str, str, str]]:
    """The columns that the file's tables lack: table, name, declaration. Raises `SettingError` if the file has unknown
    columns.
    """
    missing = []
    for table, declared in columns.items():
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if unknown := sorted(there - declared.keys()):
            raise _newer(path, f"{table} has {', '.join(unknown)} too, which this program does not know")
        missing += [(table, name, declaration) for name, declaration in declared.items() if name not in there]
    return missing
