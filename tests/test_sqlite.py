"""The embedded file has a version: older files are migrated, newer ones are refused."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.old_files import FOR_EVER, OLD_FILES, TICKS, old_file
from tests.point_examples import MORNING, a_row, bits, points_of
from tests.scripts import PROJECT
from tickflow.errors import SettingError, StoreMisconfigured
from tickflow.sqlite import APPLICATION_ID, MIGRATIONS, open_database
from tickflow.store.sqlite.store import EmbeddedStore


@contextmanager
def opened(path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(path, retention_days=FOR_EVER, stop=threading.Event())
    with store:
        store.connect()
        yield store


def pragma(path: Path, name: str, value: int | None = None) -> int:
    with closing(sqlite3.connect(path)) as connection:
        if value is not None:
            connection.execute(f"PRAGMA {name} = {value}")
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def run(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def test_a_new_file_has_the_application_id_and_version(tmp_path: Path) -> None:
    with opened(tmp_path / "new.db"):
        pass
    assert pragma(tmp_path / "new.db", "application_id") == APPLICATION_ID
    assert pragma(tmp_path / "new.db", "user_version") == len(MIGRATIONS)


@pytest.mark.parametrize("name", OLD_FILES)
def test_a_file_of_an_earlier_version_is_brought_up_to_date_and_keeps_its_points(name: str, tmp_path: Path) -> None:
    path = old_file(name, tmp_path)
    before = run(path, "SELECT * FROM store_points ORDER BY symbol, time_ns")
    with opened(path) as store:
        assert len(store.points("AAPL", 0)) + len(store.points("MSFT", 0)) == TICKS
        store.write(points_of(a_row(symbol="NVDA", time_ns=MORNING)))
        assert store.latest(["NVDA"]).time_ns.tolist() == [MORNING]
    assert pragma(path, "user_version") == len(MIGRATIONS)
    after = run(path, "SELECT * FROM store_points WHERE symbol <> 'NVDA' ORDER BY symbol, time_ns")
    assert [row[: len(before[0])] for row in after] == before, "columns that were added come last"


@pytest.mark.parametrize("name", OLD_FILES)
def test_a_file_whose_volumes_were_whole_takes_fractions(name: str, tmp_path: Path) -> None:
    volumes = [0.0, 0.0015, 100.0, 2.0**53 - 1, 1e-9]
    made = [a_row(symbol="NVDA", time_ns=MORNING + at, volume=volume) for at, volume in enumerate(volumes)]
    with opened(old_file(name, tmp_path)) as store:
        store.write(points_of(*made))
        assert bits(store.points("NVDA", 0)) == bits(points_of(*made))


def test_a_column_that_an_older_file_lacks_is_added_and_absent_in_its_points(tmp_path: Path) -> None:
    path = old_file(OLD_FILES[0], tmp_path)
    run(path, "ALTER TABLE store_points DROP COLUMN ma_20")
    with opened(path) as store:
        assert np.isnan(store.points("AAPL", 0).ma_20).all()
        store.write(points_of(a_row(time_ns=MORNING + 10**12, ma_20=5.0)))
        assert store.latest(["AAPL"]).ma_20.tolist() == [5.0]


def test_programs_that_open_an_older_file_at_once_all_find_it_up_to_date(tmp_path: Path) -> None:
    path = old_file(OLD_FILES[0], tmp_path)
    run(path, "ALTER TABLE store_points DROP COLUMN ma_20")

    def count(_: int) -> int:
        with opened(path) as store:
            return len(store.points("MSFT", 0))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(16))) == {10}


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM store_points")
        connection.execute("SELECT * FROM nowhere")

    path = old_file(OLD_FILES[0], tmp_path)
    monkeypatch.setattr("tickflow.sqlite.MIGRATIONS", (broken,))
    with pytest.raises(SettingError, match="nowhere"), opened(path):
        pass
    assert run(path, "SELECT count(*) FROM store_points") == [(TICKS,)]
    assert pragma(path, "user_version") == 0


def test_steps_are_taken_once_and_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, taken = old_file(OLD_FILES[0], tmp_path), []
    monkeypatch.setattr("tickflow.sqlite.MIGRATIONS", tuple(lambda _, n=n: taken.append(n) for n in range(3)))
    for _ in range(2):
        with opened(path):
            pass
    assert taken == [0, 1, 2]
    assert pragma(path, "user_version") == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (f"PRAGMA user_version = {len(MIGRATIONS) + 6}", f"its tables have version {len(MIGRATIONS) + 6}"),
        ("ALTER TABLE store_points ADD COLUMN ma_999", "store_points has ma_999 too"),
    ],
)
def test_a_file_of_a_newer_version_is_refused_with_what_to_do_and_left_alone(
    tmp_path: Path, change: str, why: str
) -> None:
    path = old_file(OLD_FILES[0], tmp_path)
    run(path, change)
    content = path.read_bytes()
    with pytest.raises(SettingError, match="newer one has written to this file") as raised, opened(path):
        pass
    assert why in str(raised.value)
    assert "set EMBEDDED_FILE to another file" in str(raised.value)
    assert run(path, "SELECT count(*) FROM store_points") == [(TICKS,)]
    assert content[:60] == path.read_bytes()[:60]  # the header contains the version


def test_a_file_that_a_newer_version_takes_over_meanwhile_is_refused_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    with opened(path) as store:
        pragma(path, "user_version", len(MIGRATIONS) + 1)
        store._idle.clear()  # the next call opens a connection
        with pytest.raises(StoreMisconfigured, match="newer one"):
            store.latest()


def test_the_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    run(path, "CREATE TABLE theirs (x)")
    pragma(path, "application_id", 0x47504B47)
    content = path.read_bytes()
    with pytest.raises(SettingError, match="belongs to another program"):
        open_database(path, threading.Event(), "CREATE TABLE ours (x)")
    assert path.read_bytes() == content


def test_a_table_of_another_form_is_not_reported_as_missing_rights(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    with opened(path) as store:
        run(path, "DROP TABLE store_points")
        with pytest.raises(StoreMisconfigured, match="the tables of this version \\(no such table"):
            store.points("AAPL", 0)


def test_another_process_that_opens_and_closes_the_file_leaves_the_write_ahead_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "stocks.db"
    stop = threading.Event()
    first = open_database(path, stop, "CREATE TABLE IF NOT EXISTS t (x)")
    first.execute("INSERT INTO t VALUES (1)")
    second = open_database(path, stop)  # opening the file must not drop the locks of the first connection
    program = (
        "import sys, threading; from pathlib import Path; from tickflow.sqlite import open_database; "
        "open_database(Path(sys.argv[1]), threading.Event()).close()"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=PROJECT)
    first.execute("INSERT INTO t VALUES (2)")
    assert path.with_name("stocks.db-wal").exists()
    third = open_database(path, stop)
    assert third.execute("SELECT count(*) FROM t").fetchone() == (2,)
    for connection in (first, second, third):
        connection.close()
