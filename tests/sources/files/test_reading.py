"""Tests of order, zones, compression, pipes and parts of files: nothing is silently misread."""

import gzip
import io
import logging
import math
import os
import random
import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import databento_dbn
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scripts import PROJECT
from tests.sources.files.corpus import CASES, PACKINGS, SPELLINGS, Trade, _own, meant_of, trades
from tests.sources.files.test_corpus import as_meant, failed, replayed
from tickflow.errors import SettingError, SourceError
from tickflow.sources.files import opened, packing, recognise
from tickflow.sources.files.arrow import ArrowTable
from tickflow.sources.files.columns import Columns, symbols_of
from tickflow.sources.files.convert import Converter
from tickflow.sources.files.dbn import DbnFile
from tickflow.sources.files.jsonrows import JsonRows
from tickflow.sources.files.options import Options
from tickflow.sources.files.order import sorted_on_disk
from tickflow.sources.files.table import Rows
from tickflow.sources.files.times import read_time, read_times
from tickflow.sources.replay import Part, Replay

HEADER = "timestamp,symbol,price,volume\n"
SHARED = PROJECT.parent / "shared" / "data"
NEW_YORK = ZoneInfo("America/New_York")


def table(folder: Path, rows: list[str], name: str = "ticks.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def prices(path: Path, **flags: Any) -> list[float]:
    return [tick.price for tick in replayed(path, **flags)]


# --- order ---


def test_a_file_with_the_newest_row_first_is_reported_and_sorted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"2024-01-05T14:{59 - n // 2:02}:00Z,A,{100 + n},1" for n in range(40)]
    path = table(tmp_path, rows)
    replay = Replay(path, speed=math.inf)
    assert any("the newest row comes first: sorted on disk" in line for line in replay.understood())
    assert [tick.price for batch in replay.batches(lambda _: False) for tick in batch] == [139.0 - n for n in range(40)]
    with pytest.raises(SettingError, match="the newest row of this file comes first: --sort auto sorts it"):
        Replay(path, options=Options(sort="never"))


def test_rows_out_of_order_are_kept_and_reported_or_sorted_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path, [f"2024-01-05T14:30:{second:02}Z,A,{second},1" for second in (5, 3, 9, 1, 7)])
    assert prices(path) == [5, 3, 9, 1, 7]
    assert "line 3: times go back; the replay keeps the order of the file (--sort always sorts it)" in caplog.text
    assert prices(path, sort="always") == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("newest_first", [False, True])
def test_sorting_on_disk_equals_sorting_in_memory(newest_first: bool) -> None:
    rng = np.random.default_rng(7)
    count = 5_000
    times = rng.integers(0, 500, count)
    lines = np.arange(count)
    symbols = symbols_of([f"S{n % 7}" for n in range(count)])
    whole = Columns(times, lines.astype(float), np.full(count, math.nan), symbols, lines)
    parts = (whole.take(slice(start, start + 321)) for start in range(0, count, 321))
    found = list(sorted_on_disk(parts, newest_first=newest_first, rows=700))
    expected = sorted(range(count), key=lambda at: (times[at], -at if newest_first else at))
    assert np.concatenate([part.lines for part in found]).tolist() == expected
    assert [name for part in found for name in part.symbols] == [f"S{at % 7}" for at in expected]


def test_a_folder_is_merged_in_time_order_for_any_names_and_packings(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [(datetime(2024, 1, 5, 14, 30, tzinfo=UTC) + timedelta(seconds=n), n + 1.0) for n in range(3_000)]
    piles: list[list[str]] = [[] for _ in range(7)]
    for at, price in rows:
        piles[rng.randrange(5) if price < 2_000 else 5 + rng.randrange(2)].append(f"{at.isoformat()},A,{price},1")
    for number, pile in enumerate(piles):
        body = (HEADER + "\n".join(pile) + "\n").encode()
        name = f"part{9 - number}.csv"
        (tmp_path / name).write_bytes(gzip.compress(body) if number % 2 else body)
    assert prices(tmp_path) == [price for _, price in rows]
    assert prices(tmp_path / "part*.csv") == [price for _, price in rows]


def test_files_of_a_folder_may_differ_in_layout_and_a_bad_one_is_named(tmp_path: Path) -> None:
    for name in ("lean_minute", "binance_klines_us", "polygon_aggregates"):
        case = CASES[name]()
        (tmp_path / name).mkdir()
        (tmp_path / name / case.name).write_bytes(case.body)
    ticks = replayed(tmp_path)
    assert len(ticks) == 180
    assert [tick.timestamp for tick in ticks] == sorted(tick.timestamp for tick in ticks)
    (tmp_path / "bad.csv").write_text("nothing\n")
    with pytest.raises(SettingError, match=r"bad\.csv'; expected a table of ticks"):
        Replay(tmp_path)


# --- zones ---


def wall(folder: Path, times: list[str], header: str = "timestamp,symbol,price\n") -> Path:
    return table(folder, [f"{time},A,{n + 1}" for n, time in enumerate(times)], header=header)


def test_the_order_of_rows_distinguishes_both_passes_of_a_repeated_hour(tmp_path: Path) -> None:
    start = datetime(2024, 11, 3, 4, 30, tzinfo=UTC)  # half past midnight in New York; at 6:00 UTC an hour repeats
    times = [start + timedelta(minutes=10 * n) for n in range(18)]
    path = wall(tmp_path, [f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}" for at in times])
    assert [tick.timestamp for tick in replayed(path, timezone="America/New_York")] == times
    newest = wall(tmp_path, [f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}" for at in times[::-1]])
    assert [tick.timestamp for tick in replayed(newest, timezone="America/New_York")] == times


def test_hourly_bars_cover_both_passes_of_a_repeated_hour(tmp_path: Path) -> None:
    times = [datetime(2024, 11, 3, 3, tzinfo=UTC) + timedelta(hours=n) for n in range(8)]
    rows = [f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S},1,3,0.5,{n + 1}" for n, at in enumerate(times)]
    path = table(tmp_path, rows, "AAPL_1h.csv", "Date,Open,High,Low,Close\n")
    found = [tick.timestamp for tick in replayed(path, timezone="America/New_York")]
    assert found == [at + timedelta(hours=1) for at in times]


def test_an_ambiguous_row_of_a_repeated_hour_is_refused_with_line_and_cell(tmp_path: Path) -> None:
    path = wall(tmp_path, ["2024-11-02 12:00:00", "2024-11-03 01:30:00", "2024-11-03 12:00:00"])
    ticks, complaint = failed(path, timezone="America/New_York")
    assert len(ticks) == 2
    assert "line 3: time '2024-11-03 01:30:00': that hour came twice in America/New_York" in complaint


def test_the_hour_that_does_not_exist_is_refused_with_line_and_cell(tmp_path: Path) -> None:
    path = wall(tmp_path, ["2024-03-10 01:59:00", "2024-03-10 02:30:00", "2024-03-10 03:00:00"])
    ticks, complaint = failed(path, timezone="America/New_York")
    assert [tick.timestamp.hour for tick in ticks] == [6, 7]
    assert "line 3: time '2024-03-10 02:30:00': there was no such hour in America/New_York" in complaint


@pytest.mark.parametrize("header", ["Gmt time", "time (UTC)", "dateUTC", "Time (UTC+2)", "Date (ET)"])
def test_a_zone_in_the_header_holds_and_another_one_by_flag_is_refused(tmp_path: Path, header: str) -> None:
    path = wall(tmp_path, ["2024-07-01 10:00:00", "2024-07-01 10:00:01"], f"{header},symbol,price\n")
    hour = {"Gmt time": 10, "time (UTC)": 10, "dateUTC": 10, "Time (UTC+2)": 8, "Date (ET)": 14}[header]
    assert [tick.timestamp.astimezone(UTC).hour for tick in replayed(path)] == [hour, hour]
    other = "America/Chicago" if "ET" in header else "America/New_York"
    with pytest.raises(SettingError, match=rf"one zone; column '.*' states .*, and --timezone says {other}: leave"):
        replayed(path, timezone=other)
    ticks = replayed(path, timezone=other, columns={"time": (header,)})
    assert [tick.timestamp.astimezone(UTC).hour for tick in ticks] == [15 if "ET" in header else 14] * 2
    if "ET" in header:
        assert len(replayed(path, timezone="America/New_York")) == 2, "the same zone is no contradiction"


def test_winter_time_in_a_header_beside_times_in_summer_is_ambiguous(tmp_path: Path) -> None:
    path = wall(tmp_path, ["2024-07-01 10:00:00"], "Date (EST),symbol,price\n")
    with pytest.raises(SettingError, match="say --timezone America/New_York or --timezone UTC-05:00"):
        replayed(path)
    assert [tick.timestamp.hour for tick in replayed(path, timezone="America/New_York")] == [14]
    assert [tick.timestamp.hour for tick in replayed(path, timezone="UTC-05:00")] == [15]
    winter = wall(tmp_path, ["2024-01-03 10:00:00"], "Date (EST),symbol,price\n")
    assert [tick.timestamp.hour for tick in replayed(winter)] == [15]


@pytest.mark.parametrize("time", ["2024-01-05T10:00:00-05:00", "1704465000"])
def test_a_zone_flag_that_the_times_do_not_need_is_reported_as_unused(tmp_path: Path, time: str) -> None:
    replay = Replay(wall(tmp_path, [time, time]), options=Options(timezone="Asia/Tokyo"))
    assert any("--timezone Asia/Tokyo is not used: the times are " in line for line in replay.understood())


def test_a_place_beside_each_time_is_its_zone_and_its_double_hour_is_refused(tmp_path: Path) -> None:
    times = ["20240105 10:00:00 US/Eastern", "2024-07-05T10:00:00[Europe/Berlin]", "20241103 01:30:00 US/Eastern"]
    ticks, complaint = failed(wall(tmp_path, times))
    assert [tick.timestamp.hour for tick in ticks] == [15, 8]
    assert "line 4: time '20241103 01:30:00 US/Eastern' is not a time" in complaint


# --- kinds of rows ---


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("exchange,symbol,timestamp,is_snapshot,side,price,amount\n", "x,A,1704465000,true,bid,5,1", "an order book"),
        (
            "timestamp,symbol,type,price,size\n",
            "1704465000,A,BID,5,1",
            "column 'type' says 'BID'.*--columns price=NAME",
        ),
    ],
)
def test_rows_that_are_not_trades_are_refused_by_their_kind(
    tmp_path: Path, header: str, row: str, expected: str
) -> None:
    path = table(tmp_path, [row, row], header=header)
    with pytest.raises(SettingError, match=expected):
        replayed(path)
    assert len(replayed(path, columns={"price": ("price",)})) == 2


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        (["0", "5", "930", "1559", "1600"], [(0, 0), (0, 5), (9, 30), (15, 59), (16, 0)]),
        (["0", "5", "930", "93000", "160000"], [(0, 0), (0, 0), (0, 9), (9, 30), (16, 0)]),
        (["0000", "0930", "2359"], [(0, 0), (9, 30), (23, 59)]),
    ],
)
def test_times_of_day_as_numbers_have_the_digits_of_their_column(
    tmp_path: Path, clocks: list[str], expected: list[tuple[int, int]]
) -> None:
    path = table(tmp_path, [f"20240105,{each},A,5" for each in clocks], header="Date,Time,Symbol,Price\n")
    found = [(tick.timestamp.hour, tick.timestamp.minute) for tick in replayed(path, timezone="UTC")]
    assert found == expected


# --- ambiguous cells ---


@pytest.mark.parametrize(
    ("header", "rows", "flag", "value"),
    [
        (
            "date,symbol,price\n",
            ["01/02/2024 10:00,A,1", "03/04/2024 10:00,A,2"],
            "--dates mdy or --dates dmy",
            "dates",
        ),
        ("time;symbol;price\n", ["2024-01-05T10:00Z;A;1,234", "2024-01-05T10:01Z;A;1,235"], "--decimal", "decimal"),
        ("time,symbol,price\n", ["42,A,1", "43,A,2"], "--epoch s, ms, us or ns", "epoch"),
        ("Date,Open,High,Low,Close\n", ["2024-01-05T10:00Z,1,3,0.5,2"], "--bar-length", "bar_us"),
    ],
)
def test_ambiguous_cells_are_refused_and_the_deciding_flag_is_named(
    tmp_path: Path, header: str, rows: list[str], flag: str, value: str
) -> None:
    path = table(tmp_path, rows, "AAPL.csv", header)
    with pytest.raises(SettingError, match=flag):
        replayed(path, timezone="UTC")
    decided = {"dates": "dmy", "decimal": "comma", "epoch": "s", "bar_us": 60_000_000}[value]
    if value == "epoch":
        return  # 42 is not a market's time since 1970 in any unit
    assert len(replayed(path, timezone="UTC", **{value: decided})) == len(rows)


def test_any_unambiguous_row_decides_the_order_of_month_and_day(tmp_path: Path) -> None:
    path = wall(tmp_path, ["01/02/2024 10:00", "13/02/2024 10:00", "14/13/2024 10:00"])
    ticks, complaint = failed(path, timezone="UTC")
    assert [(tick.timestamp.month, tick.timestamp.day) for tick in ticks] == [(2, 1), (2, 13)]
    assert "line 4: time '14/13/2024 10:00' is not a time with the day first (--dates dmy)" in complaint


def test_columns_can_be_named_in_several_spellings(tmp_path: Path) -> None:
    path = table(tmp_path, ["5.1.2024,10:00,A,7,8"], header="Tag1,Uhr1,Wert1,Preis1,Preis2\n")
    columns = {"time": ("Tag1", "Uhr1"), "symbol": ("Wert1",), "price": ("Preis2",)}
    (tick,) = replayed(path, timezone="UTC", columns=columns)
    assert (tick.symbol, tick.price, tick.timestamp) == ("A", 8.0, datetime(2024, 1, 5, 10, tzinfo=UTC))
    with pytest.raises(SettingError, match="the column 'Preis3' that --columns names; there are 'Tag1', 'Uhr1'"):
        replayed(path, timezone="UTC", columns=columns | {"price": ("Preis3",)})


def test_a_bar_may_become_four_ticks_within_its_duration(tmp_path: Path) -> None:
    rows = [f"2024-01-05T10:0{n}:00Z,1,3,0.5,2,60" for n in range(3)]
    path = table(tmp_path, rows, "AAPL.csv", "Date,Open,High,Low,Close,Volume\n")
    ticks = replayed(path, bars="ohlc")[:4]
    assert [(tick.price, tick.timestamp.second, tick.timestamp.minute, tick.volume) for tick in ticks] == [
        (1.0, 0, 0, None), (3.0, 20, 0, None), (0.5, 40, 0, None), (2.0, 0, 1, 60)
    ]  # fmt: skip


# --- parts ---


def test_a_replay_can_be_limited_to_symbols_and_a_time_range(tmp_path: Path) -> None:
    rows = [f"2024-01-05T14:30:{n:02}Z,{'AB'[n % 2]},{n + 1},1" for n in range(40)]
    begin = read_time("2024-01-05T14:30:10Z")
    end = read_time("2024-01-05T14:30:20Z")
    assert begin is not None
    assert end is not None
    part = Part(frozenset({"B"}), begin.us, end.us)
    replay = Replay(table(tmp_path, rows), speed=math.inf, part=part)
    assert [tick.price for batch in replay.batches(lambda _: False) for tick in batch] == [12, 14, 16, 18, 20]


def test_a_shifted_replay_begins_now_and_keeps_its_intervals(tmp_path: Path) -> None:
    now = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    path = table(tmp_path, ["2024-01-05T14:30:00.123456Z,A,1,1", "2024-01-05T14:30:09Z,A,2,1"])
    replay = Replay(path, speed=math.inf, shift=True, now=lambda: now)
    one, two = [tick.timestamp for batch in replay.batches(lambda _: False) for tick in batch]
    assert one == now
    assert two - one == timedelta(seconds=8, microseconds=876_544)


def test_a_loop_begins_again_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    path = table(tmp_path, ["2024-01-05T14:30:00Z,A,1,1", "2024-01-05T14:30:01Z,A,2,1"])
    seen: list[float] = []
    for batch in Replay(path, speed=math.inf, loop=True).batches(lambda _: False):
        seen += [tick.price for tick in batch]
        if len(seen) >= 6:
            break
    assert seen == [1, 2, 1, 2, 1, 2]


def test_a_long_pause_is_logged_repeatedly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [100.0]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return False

    path = table(tmp_path, ["2024-01-02T00:00:00Z,A,1,1", "2024-01-02T01:00:00Z,A,2,1"])
    assert len([tick for batch in Replay(path, clock=lambda: now[0]).batches(wait) for tick in batch]) == 2
    said = [record.message for record in caplog.records if "the next tick is at 2024-01-02T01:00:00Z" in record.message]
    assert "in 1 h 00 min at this speed (--replay-speed max does not wait)" in said[0]
    assert len(said) == 60


# --- pipes and binary forms ---


def test_a_fifo_is_read_to_its_end(tmp_path: Path) -> None:
    rows, text = _own()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(gzip.compress(text.encode())))
    writer.start()
    replay = Replay(fifo, speed=math.inf)
    ticks = [tick for batch in replay.batches(lambda _: False) for tick in batch]
    writer.join()
    assert as_meant(ticks) == meant_of(rows, "AAPL")
    assert "80 rows read, " in replay.progress()
    assert "%" not in replay.progress()


def arrow_table(rows: list[Trade], unit: str = "ns", **more: Any) -> Any:
    times = pa.array([row.at for row in rows], pa.timestamp(unit, tz="UTC"))
    return pa.table({"timestamp": times, "symbol": ["AAPL"] * len(rows), "price": [row.price for row in rows],
                     "size": [row.volume for row in rows]} | more)  # fmt: skip


def first_feather(frame: Any) -> bytes:
    """The frame in version 1 of Feather, which pyarrow still writes, but with a warning."""
    old = io.BytesIO()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        pyarrow.feather.write_feather(frame, old, version=1)
    return old.getvalue()


@pytest.mark.parametrize("unit", ["us", "ns"])
@pytest.mark.parametrize("form", ["parquet", "feather", "feather 1", "arrow", "dictionary"])
def test_parquet_and_feather_are_read_by_their_types(tmp_path: Path, form: str, unit: str) -> None:
    rows = trades()
    frame = arrow_table(rows, unit)
    path = tmp_path / "any name"
    if form == "feather":
        pyarrow.feather.write_feather(frame, path)
    elif form == "feather 1":
        path.write_bytes(first_feather(frame))
    elif form == "arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, frame.schema) as writer:
            writer.write_table(frame)
    else:
        if form == "dictionary":
            frame = frame.set_column(1, "symbol", frame["symbol"].dictionary_encode())
        pyarrow.parquet.write_table(frame, path, row_group_size=17)
    assert as_meant(replayed(path)) == meant_of(rows, "AAPL")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SettingError, match="file that is whole"):
        Replay(path)


@pytest.mark.parametrize("decimal", [None, "point", "comma"])
def test_the_decimal_sign_of_texts_does_not_apply_to_typed_decimals(tmp_path: Path, decimal: str | None) -> None:
    rows = trades()
    frame = arrow_table(rows)
    at = frame.schema.get_field_index("price")
    prices = [Decimal(str(row.price)) for row in rows]
    frame = frame.set_column(at, "price", pa.array(prices, pa.decimal128(20, 6)))
    pyarrow.parquet.write_table(frame, tmp_path / "a.parquet")
    assert as_meant(replayed(tmp_path / "a.parquet", decimal=decimal)) == meant_of(rows, "AAPL")
    volume = frame.schema.get_field_index("size")
    texts = [str(float(row.volume or 0)).replace(".", ",") for row in rows]
    mixed = frame.set_column(volume, "size", pa.array(texts))
    pyarrow.parquet.write_table(mixed, tmp_path / "b.parquet")
    if decimal != "point":
        assert as_meant(replayed(tmp_path / "b.parquet", decimal=decimal)) == meant_of(rows, "AAPL")


def test_typed_times_without_a_zone_need_one(tmp_path: Path) -> None:
    rows = trades()
    frame = arrow_table(rows)
    naive = [row.at.astimezone(NEW_YORK).replace(tzinfo=None) for row in rows]
    frame = frame.set_column(0, "timestamp", pa.array(naive, pa.timestamp("us")))
    pyarrow.parquet.write_table(frame, tmp_path / "a.parquet")
    with pytest.raises(SettingError, match="times with a zone"):
        Replay(tmp_path / "a.parquet")
    assert as_meant(replayed(tmp_path / "a.parquet", timezone="America/New_York")) == meant_of(rows, "AAPL")


SAMPLES = {
    "files/AET-L-1d-100x-error.csv": 23, "files/BRK-A.csv": 127, "files/EA-15m-no-bad-divs.csv": 319,
    "files/EQUS.MINI.trades.dbn.zst": 4, "files/GLBX.MDP3.ohlcv-1m.dbn.zst": 4, "files/XNAS.ITCH.tbbo.dbn.zst": 4,
    "files/crypto_20161007_trade.zip": 4063, "files/minute_aapl_20140605_trade.zip": 686,
    "files/second_ibm_20131007_trade.zip": 5123, "files/v3_trades_AAPL_limit_2.json": 2, "files/vega__stocks.csv": 560,
    "reported/02-yfinance-multiindex.csv": 1, "reported/13-comment-first.csv": 1, "reported/20-semicolon.csv": 1,
    "reported/22-tab.csv": 1, "reported/25-comma-space.csv": 1, "reported/29-trailing-comma.csv": 1,
    "reported/40-utf16.csv": 1, "reported/47-repeated-header.csv": 2, "reported/50-gz-with-csv-name.csv": 1,
    "reported/51-upper.CSV.GZ": 1, "reported/55-zip.csv.zip": 1, "reported/60-daily-midnight.csv": 9,
    "reported/61-newest-first.csv": 30, "reported/64-naive-ny.csv": 30, "reported/65-volume-float.csv": 2,
    "reported/67-fx-no-volume.csv": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_need_at_most_a_symbol_and_a_zone(name: str) -> None:
    if not (SHARED / name).is_file():
        pytest.skip("needs ../shared/data")
    ticks = replayed(SHARED / name, symbol="XXX", timezone="America/New_York")
    assert len(ticks) == SAMPLES[name]
    assert [tick.timestamp for tick in ticks] == sorted(tick.timestamp for tick in ticks) or "vega" in name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("62-decimal-comma-all.csv", "line 2: 5 cells where the header has 4; the first too many is '100'"),
        ("56-html.csv", "this is a web page, perhaps an error that was saved: 'Exceeded the daily hits limit'"),
        ("57-jsonerror.csv", "this JSON has none: 'Information: Thank you for using the service! ...'"),
        ("69-stray-quote.csv", "1 of 3,000 rows of .* line 12: a quotation mark"),
    ],
)
def test_reported_files_are_refused_by_their_kind(name: str, expected: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data")
    with pytest.raises((SettingError, SourceError), match=expected):
        replayed(SHARED / "reported" / name)


# --- properties ---


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2**36), st.floats(0.01, 1e6).map(lambda price: round(price, 4)), st.integers(0, 10**9)
        ),
        min_size=2, max_size=60,
    ),
    spellings=st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=2, max_size=2, unique=True),
)  # fmt: skip
def test_the_same_ticks_in_any_two_spellings_are_the_same_to_the_bit(
    tmp_path: Path, rows: list[tuple[int, float, int]], spellings: list[str]
) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    rows = sorted(rows)
    text = HEADER + "".join(
        f"{(start + timedelta(microseconds=us)).isoformat(timespec='microseconds')},AAPL,{price:.4f},{volume}\n"
        for us, price, volume in rows
    )
    found = []
    for spelling in spellings:
        path = tmp_path / "file"
        path.write_bytes(SPELLINGS[spelling](text))
        found.append([(tick.timestamp, tick.price.hex(), tick.volume) for tick in replayed(path)])
    expected = [(start + timedelta(microseconds=us), price.hex(), volume) for us, price, volume in rows]
    assert found == [expected, expected]


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2261, 1, 1)), min_size=9, max_size=40),  # noqa: DTZ001
       st.sampled_from(["%Y-%m-%dT%H:%M:%S.%fZ", "%Y%m%d %H%M%S", "%d.%m.%Y %H:%M", "%m/%d/%Y",
                        "%Y-%m-%d %H:%M:%S+05:30"]))  # fmt: skip
def test_a_column_of_times_is_read_as_each_of_its_cells(times: list[datetime], form: str) -> None:
    cells = [time.strftime(form).zfill(0) for time in times] + ["2024-02-30", "x" * 10]
    column = read_times(cells, "mdy")
    for index, cell in enumerate(cells):
        one = read_time(cell, "mdy")
        assert bool(column.bad[index]) == (one is None)
        assert one is None or (int(column.us[index]), bool(column.zoned[index])) == (one.us, one.zoned)


def _arrow_bodies() -> list[bytes]:
    """Files in Feather, Arrow and Parquet, without Feather's version 1, which a separate process reads."""
    frame = arrow_table(trades())
    feather, stream, parquet = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pyarrow.feather.write_feather(frame, feather)
    with pa.ipc.new_file(stream, frame.schema) as writer:
        writer.write_table(frame)
    pyarrow.parquet.write_table(frame, parquet, row_group_size=17)
    return [each.getvalue() for each in (feather, stream, parquet)]


def dbn_body(rows: list[Trade], schema: str = "trades") -> bytes:
    """A DBN file of Databento with trades, or bars of one second, of an instrument without a symbol."""
    library: Any = databento_dbn  # its stubs declare the members of enums as strings
    kind = library.SType.INSTRUMENT_ID
    head = library.Metadata("XNAS.ITCH", 0, kind, kind, library.Schema.from_str(schema))
    action, side = library.Action.TRADE, library.Side.ASK
    records = []
    for row in rows:
        ns = (row.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
        price, size = round(row.price * 1e9), int(row.volume or 0)
        if schema == "trades":
            records.append(bytes(databento_dbn.TradeMsg(2, 32, ns, price, size, action, side, 0, ns + 1)))
        else:
            four = (price, price + 10**9, price - 10**9, price)
            records.append(bytes(databento_dbn.OHLCVMsg(32, 2, 32, ns, *four, size)))
    return bytes(head.encode()) + b"".join(records)


@pytest.mark.parametrize("schema", ["trades", "ohlcv-1s"])
def test_dbn_is_read_row_by_row(tmp_path: Path, schema: str) -> None:
    rows = trades()
    (tmp_path / "x.dbn").write_bytes(dbn_body(rows, schema))
    late = timedelta(seconds=schema != "trades")
    expected = [("AAPL", row.at + late, row.price, row.volume) for row in rows]
    assert as_meant(replayed(tmp_path / "x.dbn", symbol="AAPL")) == expected


KINDS = [
    [make().body for make in CASES.values()],
    _arrow_bodies(),
    [dbn_body(trades()), dbn_body(trades(), "ohlcv-1s")],
    [pack(_own()[1].encode()) for pack in PACKINGS.values()],
]
BODIES = [body for kind in KINDS for body in kind]


def no_traceback(path: Path) -> None:
    for flags in ({}, {"symbol": "A", "timezone": "America/New_York"}):
        failed(path, **flags)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_random_bytes_never_give_a_traceback(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    no_traceback(path)


def mutated(body: bytes, rng: random.Random, changes: int) -> bytes:
    found = bytearray(body)
    for _ in range(changes):
        at = rng.randrange(len(found) or 1)
        kind = rng.randrange(4)
        if kind == 0:
            found[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del found[at : at + rng.randrange(1, 200)]
        elif kind == 2:
            found[at:at] = rng.choice(
                [b",", b'"', b"\n", b"\0", b";", b"{", b"]", b"nan", b"-", b"1e999", "ü".encode()]
            )
        else:
            found[at:at] = found[max(0, at - rng.randrange(1, 300)) : at]
    return bytes(found)


REACHED = {
    "text": (Rows, "chunks"), "rows one by one": (Rows, "_one_by_one"), "JSON": (JsonRows, "chunks"),
    "Parquet and Feather": (ArrowTable, "chunks"), "DBN": (DbnFile, "_read"), "zip": (packing, "_of_zip"),
    "unpacking": (packing, "_opened"), "zstd": (packing._Zstd, "readinto"), "no header": (recognise, "headerless"),
    "a plan": (opened, "_finish"), "bars": (recognise._Recogniser, "_length"), "ticks": (Converter, "convert"),
}  # fmt: skip
"""The parts of the readers that mutated files must reach."""


def test_mutated_files_reach_all_parts_of_the_readers_and_never_give_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            reached[name] += 1
            return function(*arguments, **named)

        return call

    for name, (owner, attribute) in REACHED.items():
        monkeypatch.setattr(owner, attribute, counting(name, getattr(owner, attribute)))

    text, *others = KINDS
    for seed, kind in enumerate([text, text, text, *others] * 16):
        rng = random.Random(seed)
        path = tmp_path / "file"
        path.write_bytes(mutated(rng.choice(kind), rng, rng.randrange(1, 6)))
        no_traceback(path)
    assert {name for name in REACHED if reached[name] < 3} == set(), reached


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(BODIES), st.randoms(use_true_random=False), st.integers(1, 12))
def test_mutated_files_never_give_a_traceback(tmp_path: Path, body: bytes, rng: random.Random, changes: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(mutated(body, rng, changes))
    no_traceback(path)


PACKED = [SPELLINGS[name](HEADER + "2024-01-16T14:30:00Z,AAPL,1.5,100\n" * 30) for name in sorted(SPELLINGS)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PACKED), st.randoms(use_true_random=False), st.integers(1, 6))
def test_mutated_packings_never_give_a_traceback(tmp_path: Path, body: bytes, rng: random.Random, changes: int) -> None:
    found = bytearray(body)
    for _ in range(changes):
        at = rng.randrange(len(found) or 1)
        if rng.random() < 0.7:
            found[at : at + 1] = bytes([rng.randrange(256)])
        else:
            del found[at : at + rng.randrange(1, 30)]
    path = tmp_path / "file"
    path.write_bytes(bytes(found))
    no_traceback(path)


MEASURED = """
import random, sys
from pathlib import Path
import tickflow.sources.files.arrow, pyarrow.parquet, pyarrow.feather, databento_dbn, ijson
from tests.sources.files.corpus import CASES
from tests.sources.files.test_corpus import failed
from tests.sources.files.test_reading import BODIES, mutated
def most_mb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
path, rng = Path(sys.argv[1]), random.Random(5)
deep = b'[{"price":1,"time":"2026-01-05T14:30:00Z"},{"x":' + b"[" * 9_000_000
bodies = [deep, rng.randbytes(300_000), b"x" * 3_000_000, b"[" * 3_000_000, b"1,2\\n" * 900_000, *BODIES]
bodies += [mutated(body, rng, 1 + at % 12) for at, body in enumerate([case().body for case in CASES.values()] + BODIES)]
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
before = most_mb()
for body in bodies:
    path.write_bytes(body)
    failed(path, symbol="A", timezone="UTC")
print(most_mb() - before)
Path("/proc/self/clear_refs").write_text("5")
before = most_mb()
ticks, complaint = failed(Path(sys.argv[2], "wide"), symbol="A")
assert len(ticks) == 40 and not complaint, complaint
print(most_mb() - before)
"""


def wide_parquet(path: Path) -> None:
    """Write forty ticks, each with a different string of 20 MB, packed to a few kilobytes."""
    rows, text = 40, "x" * 20_000_000
    schema = pa.schema([("time", pa.string()), ("price", pa.float64()), ("note", pa.string())])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for at in range(rows):
            cells = [[f"2026-01-05T14:30:{at:02}Z"], [1.5], [f"{at}{text}"]]
            writer.write_table(pa.table(dict(zip(schema.names, cells, strict=True)), schema=schema))


def test_hostile_and_common_files_take_less_than_200_mb(tmp_path: Path) -> None:
    wide_parquet(tmp_path / "wide")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "file"), str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    took = [float(each) for each in done.stdout.split()]
    assert max(took) < 200, took


FLIPPED = """
import sys
from pathlib import Path
from tests.sources.files.test_corpus import failed
body, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
for at in range(0, len(body), 3):
    path.write_bytes(body[:at] + bytes([body[at] ^ 0x24]) + body[at + 1 :])
    failed(path, symbol="A", timezone="UTC")
print("done")
"""


def test_no_changed_byte_of_a_parquet_file_ends_the_process(tmp_path: Path) -> None:
    """Some changes of the footer make pyarrow abort when it is asked for the size of a column."""
    table = pa.table({"time": [f"2026-01-05T14:30:0{at}Z" for at in range(4)], "price": [1.5, 2.5, 3.5, 4.5]})
    pyarrow.parquet.write_table(table, tmp_path / "whole", store_schema=False)
    done = subprocess.run(
        [sys.executable, "-c", FLIPPED, str(tmp_path / "whole"), str(tmp_path / "changed")],
        cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([["2026-01-05T14:30:00Z"], [1.5], [2.5]], names=["time", "price", "price"])
    pyarrow.parquet.write_table(table, tmp_path / "file.parquet")
    assert "this one has 'price' twice" in failed(tmp_path / "file.parquet", symbol="A")[1]
