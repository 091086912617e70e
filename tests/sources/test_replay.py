import gzip
import logging
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import trades as trade_files
from tickflow.errors import SettingError, SourceError
from tickflow.sources.replay import BATCH, Replay
from tickflow.ticks.tick import Tick

HEADER = "timestamp,symbol,price,volume\n"
GOOD = "2013-10-07T13:30:00.007Z,SPY,167.41,500\n"


def never(_seconds: float) -> bool:
    raise AssertionError("a replay at full speed does not wait")


def written(tmp_path: Path, text: str | bytes, name: str = "ticks.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def replayed(path: Path) -> list[Tick]:
    return [tick for batch in Replay(path, speed=math.inf).batches(never) for tick in batch]


def failed(replay: Replay) -> tuple[list[Tick], str]:
    """Run a replay that must end with an error; return its ticks and the error."""
    ticks: list[Tick] = []
    try:
        for batch in replay.batches(never):
            ticks += batch
    except SourceError as error:
        return ticks, str(error)
    raise AssertionError("it had nothing to complain about")


def test_every_row_becomes_a_tick_with_its_own_time(trades: Path) -> None:
    ticks = replayed(trades)
    rows = [line.split(",") for line in trades.read_text().splitlines()[1:]]
    assert [
        (tick.timestamp.isoformat(timespec="milliseconds"), tick.symbol, tick.price, tick.volume) for tick in ticks
    ] == [(row[0].replace("Z", "+00:00"), row[1], float(row[2]), int(row[3])) for row in rows]
    assert {tick.source for tick in ticks} == {"replay"}
    assert {tick.change_percent for tick in ticks} == {None}


def test_a_compressed_file_gives_the_same_ticks(tmp_path: Path, trades: Path) -> None:
    packed = written(tmp_path, gzip.compress(trades.read_bytes()), "ticks.csv.gz")
    assert replayed(packed) == replayed(trades)


def test_columns_may_come_in_any_order_with_others_between_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffVolume, exchange ,price,symbol,timestamp\n500,P,167.41,SPY,2013-10-07T13:30:00.007Z\n\n"
    assert replayed(written(tmp_path, text)) == replayed(written(tmp_path, HEADER + GOOD, "plain.csv"))


def test_times_out_of_order_are_published_as_recorded(tmp_path: Path) -> None:
    seconds = (5, 3, 9, 1)
    rows = "".join(f"2013-10-07T13:30:0{second}Z,SPY,167.41,500\n" for second in seconds)
    assert [tick.timestamp.second for tick in replayed(written(tmp_path, HEADER + rows))] == [5, 3, 9, 1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2013-10-07T13:30:00Z,=SPY,167.41,500", "'=SPY' is not a symbol"),
        ("2013-10-07T13:30:00Z,,167.41,500", "'' is not a symbol"),
        ("2013-10-07T13:30:00Z,S€Y,167.41,500", "'S€Y' is not a symbol"),
        ('2013-10-07T13:30:00Z,"SPY,167.41,500', "a quotation mark (\") without its partner: '2013"),
        ("2013-10-07T13:30:00Z,SPY,,500", "price '' is empty"),
        ("2013-10-07T13:30:00Z,SPY,nan,500", "price 'nan' is empty"),
        ("2013-10-07T13:30:00Z,SPY,inf,500", "price 'inf' is not a number"),
        ("2013-10-07T13:30:00Z,SPY,1_0,500", "price '1_0' is not a number"),
        ('2013-10-07T13:30:00Z,SPY,"1,5",500', "price '1,5' is not a number"),
        ("2013-10-07T13:30:00Z,SPY,1e999,500", "price '1e999' is not from 1e-09 to 1e+12"),
        ("2013-10-07T13:30:00Z,SPY,0,500", "price '0' is not above zero"),
        ("2013-10-07T13:30:00Z,SPY,-37.63,500", "price '-37.63' is not above zero"),
        ("2013-10-07T13:30:00Z,SPY,167.41,x", "volume 'x' is not a number"),
        ("2013-10-07T13:30:00Z,SPY,167.41,-1", "volume '-1' is not from 0 to 2^53"),
        (f"2013-10-07T13:30:00Z,SPY,167.41,{2**53}", f"volume '{2**53}' is not from 0 to 2^53"),
        ("2013-10-07T13:30:00,SPY,167.41,500", "time '2013-10-07T13:30:00' has no zone, unlike other rows"),
        ("1381132800,SPY,167.41,500", "time '1381132800' is not a time"),
        ("2013-02-30T13:30:00Z,SPY,167.41,500", "time '2013-02-30T13:30:00Z' is not a time"),
        ("1969-12-31T23:59:59Z,SPY,167.41,500", "time '1969-12-31T23:59:59Z' is not in the years"),
        ("2013-10-07T13:30:00Z,SPY", "2 cells where the header has 4; the last is 'SPY'"),
        ("2013-10-07T13:30:00Z,SPY,140,10,100", "5 cells where the header has 4; the first too many is '100'"),
    ],
)
def test_a_bad_row_is_refused_with_line_and_reason_and_the_others_are_published(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, row: str, reason: str
) -> None:
    replay = Replay(written(tmp_path, f"{HEADER}{GOOD}{row}\n{GOOD}"), speed=math.inf)
    ticks, complaint = failed(replay)
    assert re.match(f"1 of 3 rows of .* were refused .* the first: line 3: {re.escape(reason)}", complaint)
    assert len(ticks) == 2
    assert reason in caplog.text


def test_bytes_that_are_not_utf8_lose_only_their_row(tmp_path: Path) -> None:
    replay = Replay(written(tmp_path, HEADER.encode() + b"2013-10-07T13:30:00Z,SP\xff,1,1\n" + GOOD.encode()))
    ticks, complaint = failed(replay)
    assert complaint.endswith("the first: line 2: 'SPÿ' is not a symbol.")
    assert [tick.symbol for tick in ticks] == ["SPY"]


def test_only_the_first_refusals_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SourceError, match=r"^1,000 of 2,001 rows"):
        replayed(written(tmp_path, HEADER + GOOD * 1001 + "x,SPY,1,1\n" * 1000))
    assert len(caplog.records) == 6


def test_a_truncated_gz_publishes_the_rows_before_the_damage_and_fails(tmp_path: Path, trades: Path) -> None:
    whole = gzip.compress(trades.read_bytes())
    replay = Replay(written(tmp_path, whole[: len(whole) // 2], "ticks.csv.gz"), speed=math.inf)
    ticks, complaint = failed(replay)
    assert "is damaged after line" in complaint
    assert f"{len(ticks):,} ticks before it were published" in complaint
    assert ticks == replayed(trades)[: len(ticks)]
    assert len(ticks) > BATCH


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("empty.csv", "", "this one is empty"),
        ("a.csv", "timestamp,symbol,volume\n2013-10-07T13:30:00Z,SPY,1\n", "expected a column with prices"),
        ("b.csv", HEADER, "a file with rows of data; this one has none"),
        ("c.csv", HEADER + "x,SPY,1,1\n", "'x' in column 'timestamp' is not one"),
        ("d.csv", HEADER.replace("timestamp", "moment") + GOOD, "a column with times; there are 'moment'"),
        ("e.csv", "no table\n", "this begins 'no table'"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_at_once(tmp_path: Path, name: str, text: str, expected: str) -> None:
    with pytest.raises(SettingError, match=f"^REPLAY_FILE is .*{expected}"):
        Replay(written(tmp_path, text, name))


@pytest.mark.parametrize("path", [None, Path("/nonexistent/ticks.csv"), Path("/")])
def test_a_missing_file_is_refused_at_once(path: Path | None) -> None:
    with pytest.raises(SettingError, match=r"^REPLAY_FILE is "):
        Replay(path)


class Time:
    """A clock that advances only when something waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def at(path: Path, speed: float, clock: Time) -> list[tuple[float, Sequence[Tick]]]:
    replay = Replay(path, speed=speed, clock=clock)
    return [(clock.now - 100.0, batch) for batch in replay.batches(clock.wait)]


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
def test_ticks_come_at_the_recorded_speed_or_a_multiple(tmp_path: Path, speed: float) -> None:
    start = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
    offsets = (0.0, 0.25, 0.25, 2.0, 1.0, 60.0)
    rows = "".join(f"{(start + timedelta(seconds=at)).isoformat()},SPY,{n + 1},1\n" for n, at in enumerate(offsets))
    seen = at(written(tmp_path, HEADER + rows), speed, Time())
    assert [[tick.price for tick in batch] for _, batch in seen] == [[1], [2, 3], [4, 5], [6]]
    assert [when for when, _ in seen] == pytest.approx([0, 0.25 / speed, 2 / speed, 60 / speed])


def test_a_stop_while_waiting_ends_the_replay(tmp_path: Path) -> None:
    rows = "2013-10-07T13:30:00Z,SPY,1,1\n2013-10-07T14:30:00Z,SPY,2,1\n"
    replay = Replay(written(tmp_path, HEADER + rows))
    assert [tick.price for batch in replay.batches(lambda _seconds: True) for tick in batch] == [1.0]


def test_progress_shows_rows_share_of_the_file_rate_and_time_left(tmp_path: Path) -> None:
    trade_files.write_generated(tmp_path / "ticks.csv")
    clock = Time()
    replay = Replay(tmp_path / "ticks.csv", speed=math.inf, clock=clock)
    batches = replay.batches(never)
    next(batches)
    next(batches)
    clock.now += 2
    said = replay.progress()
    assert said.startswith("2,000 rows read, 3")
    assert "% of the file, 1,000 rows/s, " in said
    assert said.endswith(" s left")
    list(batches)
    assert replay.progress() == "6,000 rows read, 100% of the file, 3,000 rows/s"


def test_every_symbol_of_the_file_is_replayed(trades: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert {tick.symbol for tick in replayed(trades)} == {"AIG", "BAC", "IBM", "SPY"}
