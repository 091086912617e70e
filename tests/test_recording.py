"""A recording holds every tick once, even if the recorder is killed; its replay produces the same points;
`tickflow.read` reads it.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tickflow
from tests.conftest import StartScript
from tests.integration.chain import EmbeddedChain, wait_until, working
from tests.oracle import read_embedded_log
from tests.scripts import PROJECT
from tests.theatre import Theatre, standing
from tickflow.errors import SettingError, SourceError
from tickflow.process import StopEvent
from tickflow.recording import Recorder, folder_of, is_recording
from tickflow.sources.recorded import Recorded, recorded_files
from tickflow.sources.replay import Part
from tickflow.store.sqlite.store import EmbeddedStore
from tickflow.store.steering import JUMP, PAUSE, PLAY, Command
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
from tickflow.ticks.tick import Tick, encode, epoch_us

SYMBOLS = ("AAPL", "BRK.B", "ES/H6", "..X")
MORNING = datetime(2026, 1, 5, 23, 50, tzinfo=UTC)  # the ticks continue into the next day

PROGRAM = """
import sys
from pathlib import Path
from tickflow.process import StopEvent
from tickflow.recording import Recorder
from tickflow.ticklog.sqlite.log import EmbeddedTickLog
stop = StopEvent()
stop.listen()
with EmbeddedTickLog(Path(sys.argv[1]), topic="stock-ticks", group="none", retention_days=7, stop=stop) as log:
    log.connect(create=False)
    Recorder(log, Path(sys.argv[2]), portion_ticks=40, portion_seconds=0.05).run()
"""


def a_log(file: Path, stop: StopEvent, topic: str = "stock-ticks") -> EmbeddedTickLog:
    return EmbeddedTickLog(file, topic=topic, group="none", retention_days=7, stop=stop)


def a_tick(number: int) -> Tick:
    """A tick. Every fifth one is odd: it has a change, a huge `seq`, no volume, and a time without a zone."""
    moment = MORNING + timedelta(seconds=number)
    if number % 5:
        return Tick(SYMBOLS[number % 4], 100 + number / 8, moment, volume=number / 4, source="test")
    naive = moment.replace(tzinfo=None)
    return Tick(
        SYMBOLS[number % 4], 100.125, naive, change_percent=-1.5, source="odd", producer="p", seq=2**70 + number
    )


def publish(file: Path, numbers: range) -> None:
    with a_log(file, StopEvent()) as log:
        log.connect()
        for number in numbers:
            tick = a_tick(number)
            log.publish(tick.symbol.encode(), encode(tick))
            if number % 50 == 25:
                log.publish(b"AAPL", b"no tick")
        log.flush(30)


def record(file: Path, folder: Path, enough: int, *, from_now: bool = False, topic: str = "stock-ticks") -> int:
    """Record until `enough` ticks are waiting or written; return the number that this recorder wrote."""
    stop = StopEvent()
    with a_log(file, stop, topic) as log:
        log.connect(create=False)
        recorder = Recorder(log, folder, from_now=from_now, portion_ticks=70, portion_seconds=0.05)
        thread = threading.Thread(target=recorder.run)
        thread.start()
        try:
            wait_until(lambda: recorder.recorded >= enough, "recorded ticks", 30)
        finally:
            stop.set()
            thread.join(20)
    return recorder.recorded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    publish(tmp_path / "log.db", range(1_000))
    return tmp_path / "log.db"


def numbers_of(table: pd.DataFrame) -> list[int]:
    return sorted(round((moment - MORNING).total_seconds()) for moment in table["timestamp"])


def test_every_attribute_of_a_tick_is_recorded_by_symbol_and_day(file: Path, tmp_path: Path) -> None:
    assert record(file, tmp_path / "rec", 1_000) == 1_000
    table = tickflow.read(tmp_path / "rec", form="arrow").to_pylist()
    assert len(table) == 1_000
    for row in table:
        number = round((row["timestamp"] - MORNING).total_seconds())
        tick = a_tick(number)
        assert (row["symbol"], row["price"], row["source"]) == (tick.symbol, tick.price, tick.source)
        assert (row["volume"], row["change_percent"]) == (tick.volume or 0, tick.change_percent)
        assert (row["producer"], row["seq"]) == (tick.producer, None if tick.seq is None else str(tick.seq))
        assert (row["naive"], row["partition"]) == (tick.timestamp.tzinfo is None, 0)
        assert row["offset"] >= number
    days = {(each.parent.parent.name, each.parent.name) for each in (tmp_path / "rec").glob("[!.]*/*/*.parquet")}
    assert days == {(folder_of(symbol), day) for symbol in SYMBOLS for day in ("2026-01-05", "2026-01-06")}


def test_repeated_kills_leave_no_partial_file_and_no_doubled_or_missing_tick(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    places: set[str] = set()
    for round_number in range(5):
        command = [sys.executable, "-c", PROGRAM, str(file), str(folder)]
        process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL)
        before = len(list(folder.glob("[!.]*/*/*.parquet")))
        wait_until(lambda before=before: len(list(folder.glob("[!.]*/*/*.parquet"))) > before, "file", 120)  # type: ignore[misc]
        time.sleep(0.05 * round_number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        publish(file, range(1_000 + 300 * round_number, 1_300 + 300 * round_number))
        places.add((folder / "recording.json").read_text())
    record(file, folder, 1)
    assert numbers_of(tickflow.read(folder)) == list(range(1_000 + 300 * 5))
    assert len(places) > 1, "it was killed at different places"


def test_files_of_a_portion_that_a_crash_cut_short_are_read_again(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    record(file, folder, 1_000)
    place = json.loads((folder / "recording.json").read_text())["places"]["0"]
    written = next(folder.glob("AAPL/2026-01-05/*.parquet"))
    # a crash after the files were written
    shutil.copy(written, written.with_name(f"00000-{place:020d}.parquet"))
    publish(file, range(1_000, 1_100))
    record(file, folder, 100)
    assert numbers_of(tickflow.read(folder)) == list(range(1_100))


def test_a_replayed_recording_gives_the_same_points_bit_for_bit(
    file: Path, tmp_path: Path, script: StartScript
) -> None:
    good = tmp_path / "good.db"  # without refused records, so that offsets are the same
    with a_log(good, StopEvent()) as log:
        log.connect()
        for number in range(500):
            log.publish(a_tick(number).symbol.encode(), encode(a_tick(number)))
        log.flush(30)
    record(good, tmp_path / "rec", 500)
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "again.db")}
    run = script(
        *("stock_producer.py", "--source", "replay", "--replay-file", str(tmp_path / "rec"), "--replay-speed", "max"),
        env=env,
    )
    assert run.wait(60) == 0, run.output
    logs = [read_embedded_log(str(path), "stock-ticks") for path in (good, tmp_path / "again.db")]
    assert [{"volume": 0.0} | json.loads(value) for _, _, value in logs[1]] == [
        {"volume": 0.0} | json.loads(value) for _, _, value in logs[0]
    ]
    stored = []
    for path in (good, tmp_path / "again.db"):
        chain = EmbeddedChain(path)
        with working(chain):
            chain.wait_for_points(500, 60)
        stored.append(chain.stored())
    pd.testing.assert_frame_equal(stored[0], stored[1], check_exact=True)
    with EmbeddedStore(good, retention_days=7, stop=StopEvent()) as store:
        store.connect()
        table = tickflow.read(store, ["AAPL", "BRK.B"], MORNING, MORNING + timedelta(seconds=100))
    assert (len(table), set(table["symbol"])) == (50, {"AAPL", "BRK.B"})
    assert table["time"].min() >= MORNING


def test_some_symbols_and_a_span_are_read(file: Path, tmp_path: Path) -> None:
    record(file, tmp_path / "rec", 1_000)
    begin, end = MORNING + timedelta(seconds=500), MORNING + timedelta(seconds=700)
    found = tickflow.read(tmp_path / "rec", ["BRK.B", "..X", "NONE"], begin, end)
    assert numbers_of(found) == [n for n in range(500, 700) if n % 2]
    with pytest.raises(ValueError, match="need a time zone"):
        tickflow.read(tmp_path / "rec", begin=MORNING.replace(tzinfo=None))
    with pytest.raises(ValueError, match="is not a recording"):
        tickflow.read(tmp_path)


def test_from_now_leaves_out_earlier_ticks(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    record(file, folder, 0, from_now=True)
    wait_until(lambda: is_recording(folder), "place", 10)
    publish(file, range(1_000, 1_100))
    assert record(file, folder, 100, from_now=True) == 100
    assert numbers_of(tickflow.read(folder)) == list(range(1_000, 1_100))


def test_a_folder_of_another_topic_is_refused(file: Path, tmp_path: Path) -> None:
    record(file, tmp_path / "rec", 1_000)
    with pytest.raises(SettingError, match="this one holds the topic stock-ticks"):
        record(file, tmp_path / "rec", 1, topic="others")


def test_the_script_records_until_it_is_asked_to_stop(file: Path, tmp_path: Path, script: StartScript) -> None:
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(file)}
    run = script("stock_producer.py", "--record", str(tmp_path / "rec"), env=env)
    run.wait_for("recording the topic")
    wait_until(lambda: is_recording(tmp_path / "rec"), "place", 20)
    run.terminate()
    assert run.wait(15) == 0
    assert len(tickflow.read(tmp_path / "rec")) in (0, 1_000), "whole, if it came to read the log at all"


# --- replays of a recording ---


@pytest.fixture
def folder(file: Path, tmp_path: Path) -> Path:
    record(file, tmp_path / "rec", 1_000)
    return tmp_path / "rec"


def replayed(path: Path, **options: Any) -> list[Tick]:
    return [
        tick for batch in Recorded(path, recorded_files(path), **options).batches(lambda _: False) for tick in batch
    ]


def number_of(tick: Tick) -> int:
    moment = tick.timestamp if tick.timestamp.tzinfo else tick.timestamp.replace(tzinfo=UTC)
    return round((moment - MORNING).total_seconds())


def test_a_replay_of_it_can_be_limited_to_symbols_and_a_time_range(folder: Path) -> None:
    begin, end = (epoch_us(MORNING + timedelta(seconds=at)) for at in (100, 900))
    ticks = replayed(folder, part=Part(frozenset({"BRK.B", "..X"}), begin, end))
    assert [number_of(tick) for tick in ticks] == [n for n in range(100, 900) if n % 2]
    assert {tick.source for tick in ticks} == {"test", "odd"}


def test_a_shifted_recording_is_marked_as_a_replay_and_may_loop(folder: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    stream = Recorded(folder, recorded_files(folder), loop=True, shift=True, now=lambda: now).batches(lambda _: False)
    ticks: list[Tick] = []
    while len(ticks) < 2_000:
        ticks += next(stream)
    moments = [tick.timestamp.replace(tzinfo=UTC) for tick in ticks]
    assert moments[:1_000] == [now + timedelta(seconds=n) for n in range(1_000)] == moments[1_000:2_000]
    assert {tick.source for tick in ticks} == {"replay"}
    assert {tick.producer for tick in ticks} == {None, "p"}


def test_a_replayed_recording_follows_the_pace_of_the_log_or_a_multiple(folder: Path) -> None:
    waits: list[float] = []
    now = [0.0]

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        now[0] += seconds
        return False

    source = Recorded(folder, recorded_files(folder), speed=0.5, clock=lambda: now[0])
    assert len([tick for batch in source.batches(wait) for tick in batch]) == 1_000
    appended = tickflow.read(folder).sort_values("offset")["appended"]
    assert now[0] == pytest.approx(2 * (appended.iloc[-1] - appended.iloc[0]).total_seconds())


def test_a_steered_recording_runs_by_the_times_of_its_ticks_and_gives_each_out_once(folder: Path) -> None:
    def at(second: int) -> int:
        return epoch_us(MORNING + timedelta(seconds=second))

    commands = [
        (5.05, Command(PAUSE)),
        (6.0, Command(JUMP, at(700))),
        (8.0, Command(JUMP, at(100))),
        (9.0, Command(PLAY)),
    ]
    for until, count, moment in ((7.0, 700, at(700)), (8.5, 700, at(100)), (9.5 + 700, 801, None)):
        theatre = Theatre(commands, until)
        source = Recorded(folder, recorded_files(folder), pace=theatre.pace)
        ticks = [tick for batch in source.batches(theatre.wait) for tick in batch]
        assert [number_of(tick) for tick in ticks] == list(range(count))
        state = standing(theatre)
        assert state.position_us == moment or moment is None
        assert state.rewound == (moment == at(100))


@pytest.mark.parametrize("part", ["AAPL", "AAPL/2026-01-05", "AAPL/*/*.parquet", "moved"])
def test_a_partial_replay_keeps_every_attribute_of_its_ticks(folder: Path, tmp_path: Path, part: str) -> None:
    path = folder / part
    if part == "moved":
        path = tmp_path / part
        path.mkdir()
        for one in folder.glob("AAPL/2026-01-05/*.parquet"):
            shutil.copy(one, path)
    ticks = replayed(path)
    assert [number_of(tick) for tick in ticks] == list(
        range(0, 1_000 if part in ("AAPL", "AAPL/*/*.parquet") else 600, 4)
    )
    assert {(tick.source, tick.change_percent) for tick in ticks} == {("test", None), ("odd", -1.5)}


def test_a_recording_refuses_resume_and_reports_unused_flags(folder: Path, tmp_path: Path, script: StartScript) -> None:
    flags = ("--source", "replay", "--replay-file", str(folder), "--replay-speed", "max")
    env = {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "again.db")}
    run = script("stock_producer.py", *flags, "--resume", env=env)
    assert run.wait(60) == 2
    assert "use --from TIME instead" in run.stderr
    run = script("stock_producer.py", *flags, "--timezone", "UTC", "--symbols", "AAPL", "--ticks", "7", env=env)
    assert run.wait(60) == 0, run.output
    assert "--timezone is not used: a recording already has every field of its ticks" in run.stderr
    assert len(read_embedded_log(str(tmp_path / "again.db"), "stock-ticks")) == 7
    run = script("stock_producer.py", *flags, "--explain")
    assert run.wait(60) == 0, run.output
    assert "a recording of a topic" in run.stdout
    assert "2026-01-05T23:50:00+00:00  AAPL  100.125, of odd" in run.stdout.replace(", volume 0", "")


def test_a_damaged_file_of_a_recording_is_named(folder: Path) -> None:
    one = next(folder.glob("AAPL/*/*.parquet"))
    one.write_bytes(one.read_bytes()[:-20])
    with pytest.raises(SourceError, match="is damaged"):
        replayed(folder)


def test_a_portion_that_was_not_completed_is_neither_read_nor_replayed(file: Path, tmp_path: Path) -> None:
    """A killed recorder left the portion; the next recorder deletes it, perhaps while somebody reads."""
    folder = tmp_path / "rec"
    record(file, folder, 1_000)
    whole = sorted(folder.glob("[!.]*/*/*.parquet"))
    shutil.copy(whole[0], whole[0].with_name("00000-00000000000009999999.parquet"))
    assert len(tickflow.read(folder)) == 1_000
    assert recorded_files(folder) == whole
