"""Whatever the state topic holds, a worker finds its own state or none, and logs a warning, never a traceback."""

import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loaded_settings import load
from tickflow.alerts import checkpoint
from tickflow.alerts.checkpoint import Checkpoint, EmbeddedCheckpoints, newest_in_log
from tickflow.alerts.terms import terms_of
from tickflow.alerts.watch import Watch
from tickflow.ticklog.base import Bounds, Entry, TickLog

GROUP = "stock-analytics"


class OneTopic:
    """A log whose state topic holds these records."""

    topic = "stock-ticks"

    def __init__(self, records: list[Entry]) -> None:
        self._records = records

    def partitions(self, _topic: str) -> list[int]:
        return [0]

    def bounds(self, _partition: int, _topic: str) -> Bounds:
        return Bounds(0, len(self._records))

    def read(self, _partition: int, bounds: Bounds, _topic: str) -> Iterator[list[Entry]]:
        yield self._records[bounds.start : bounds.end]


def found_in(records: list[Entry]) -> Checkpoint | None:
    return newest_in_log(cast("TickLog", OneTopic(records)), GROUP, {0: lambda _: True}).get(0)


def a_record(value: bytes | None, key: str = f"{GROUP}/0/0/0", at: int = 0, **headers: bytes) -> Entry:
    given_ = {"group": b"g", "offset": b"5", "topic_id": b"x", "chunks": b"1"} | headers
    return Entry(0, at, key.encode(), value, 0, 1, tuple(given_.items()))


GOOD = a_record(zlib.compress(b"state"), key=f"{GROUP}/0/1/0")
words = st.sampled_from(
    [b"", b"0", b"1", b"2", b"-1", b"9" * 30, b"5", b"x", b"\xff", "٣".encode(), b"1e3"]
) | st.binary(max_size=5)
names = st.sampled_from(["offset", "chunks", "topic_id", "group"])
keys = st.sampled_from(["0/0", "0/1", "0", "", "/", "0/0/0/0", "0/-1", "0/x", "0/99999999999999999999"])
records = st.builds(
    lambda key, value, headers, whole: Entry(
        *(0, 0, f"{GROUP}/0/{key}".encode(), value, 0, 1),
        tuple(({"offset": b"7", "chunks": b"1", "topic_id": b"t"} | headers if whole else headers).items()),
    ),
    keys,
    st.none() | st.binary(max_size=30) | st.binary(max_size=30).map(zlib.compress),
    st.dictionaries(names, words | st.none(), max_size=4),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(records, max_size=8))
def test_a_good_state_is_found_among_any_records(given_: list[Any]) -> None:
    found_in(given_)
    assert found_in([*given_, GOOD]) is not None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2), st.integers(1, 9)), max_size=40))
def test_one_read_finds_for_each_partition_what_a_read_of_its_own_finds(
    written: list[tuple[int, int, int, int]],
) -> None:
    """The records are chunks of states; a state has one chunk or two, may be incomplete, and may not fit."""
    made = []
    for partition, generation, chunk, offset in written:
        packed = zlib.compress(b"%d" % offset)
        chunks = [packed[:4], packed[4:]] if chunk < 2 else [packed]
        key = f"{GROUP}/{partition}/{generation}/{chunk % 2}"
        made.append(a_record(chunks[chunk % 2], key, offset=b"%d" % offset, chunks=b"%d" % len(chunks)))
    log = cast("TickLog", OneTopic(made))
    fits = {partition: lambda found, most=partition + 4: found.offset <= most for partition in range(4)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_TAIL", 4)
        together = newest_in_log(log, GROUP, fits)
        for partition, test in fits.items():
            assert together.get(partition) == newest_in_log(log, GROUP, {partition: test}).get(partition)


@pytest.mark.parametrize("value", [b"", b"no zlib", zlib.compress(b"x" * 100)[:-3]])
def test_an_older_state_replaces_a_damaged_one(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    found = found_in([GOOD, a_record(value, offset=b"9")])
    assert found is not None
    assert (found.offset, found.state) == (5, b"state")
    assert "is damaged or too large: an older one is used" in caplog.text


def test_a_state_may_be_followed_by_that_of_the_windows_and_by_nothing_else() -> None:
    both = Checkpoint(0, 9, "x", b"alerts", b"windows")
    assert found_in([a_record(both.packed(), offset=b"9")]) == both
    without = Checkpoint(0, 9, "x", b"alerts")
    assert found_in([a_record(without.packed(), offset=b"9")]) == without
    assert without.packed() == zlib.compress(b"alerts", 1)  # what workers of earlier versions wrote
    for tail in (b"x", both.packed()[:-3], both.packed() + both.packed()):
        found = found_in([GOOD, a_record(both.packed() + tail, offset=b"9")])
        assert found is not None
        assert found.offset == 5


def test_unpacking_stops_at_the_largest_possible_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MOST_BYTES", 1_000)
    bomb = zlib.compress(b" " * 10_000_000)
    assert found_in([a_record(bomb, offset=b"9")]) is None
    found = found_in([a_record(zlib.compress(b" " * 1_000))])
    assert found is not None
    assert len(found.state) == 1_000


def test_damaged_states_in_the_embedded_file_are_skipped(tmp_path: Path) -> None:
    states = EmbeddedCheckpoints(tmp_path / "stocks.db", "stock-ticks", GROUP, threading.Event())
    states.keep(Checkpoint(0, 5, "", b"state"))
    states.keep(Checkpoint(0, 9, "", b"newer"))
    with states_file(tmp_path) as database:
        database.execute("UPDATE alert_states SET state = x'00ff' WHERE \"offset\" = 9")
        database.commit()
    found = states.newest({0: lambda _: True}).get(0)
    assert found is not None
    assert (found.offset, found.state) == (5, b"state")


def states_file(folder: Path) -> Any:
    return closing(sqlite3.connect(folder / "stocks.db"))


TERMS = terms_of(load())
STATE = Watch(0, TERMS).state()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.tuples(st.integers(0, len(STATE) - 1), st.binary(min_size=1, max_size=6)))
def test_any_bytes_give_a_state_or_a_value_error(changed: bytes | tuple[int, bytes]) -> None:
    state = changed if isinstance(changed, bytes) else STATE[: changed[0]] + changed[1] + STATE[changed[0] + 1 :]
    with suppress(ValueError):
        Watch.resumed(0, TERMS, state)
