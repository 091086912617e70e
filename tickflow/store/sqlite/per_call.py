"""Access to rarely used tables of the embedded file. Each call opens its own connection, so any thread may call."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from tickflow.errors import SettingError, StoreMisconfigured, StoreUnavailable
from tickflow.sqlite import is_passing, open_database, unusable


class PerCall:
    """Opens the file of the embedded stack for one call, and turns SQLite's errors into store errors.

    `schema` is an SQL script that runs each time the file is opened.
    """

    def __init__(self, path: Path, stop: threading.Event, schema: str) -> None:
        self.where = f"the file {path} (EMBEDDED_FILE)"
        self._path = path
        self._stop = stop
        self._schema = schema

    def open(self) -> "closing[sqlite3.Connection]":
        """A connection that is closed at the end of its `with` block. Raises `StoreMisconfigured`."""
        try:
            return closing(open_database(self._path, self._stop, self._schema))
        except SettingError as error:
            raise StoreMisconfigured(str(error)) from error

    def failure(self, error: sqlite3.Error) -> StoreUnavailable | StoreMisconfigured:
        """The store error that corresponds to an error of SQLite."""
        if is_passing(error):
            return StoreUnavailable(f"{self.where} cannot be used at present: {error}")
        return StoreMisconfigured(str(unusable(self._path, error)))
