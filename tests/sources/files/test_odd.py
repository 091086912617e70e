# ruff: noqa: E501 - a file and its meaning are easiest to read on one line
"""Odd and hostile files: each published tick is what a careful person would read; the rest is refused."""

import gc
import gzip
import io
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sources.files.test_corpus import failed
from tickflow.sources.files import packing

HEADER = "timestamp,symbol,price,volume\n"
NY = {"timezone": "America/New_York"}


class Odd(NamedTuple):
    """A file, the expected error message, and the expected ticks: second after 14:30 or time, symbol, price, volume."""

    body: str | bytes
    ticks: list[tuple[int | str, str, float, float | None]]
    complaint: str = ""
    flags: dict[str, Any] | None = None


def rows(*texts: str, header: str = HEADER) -> str:
    return header + "\n".join(texts) + "\n"


def at(second: int) -> str:
    return f"2024-01-05T14:30:{second:02}Z"


def zipped(members: dict[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return packed.getvalue()


def tarred(body: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


TWO = rows(f"{at(0)},A,1.5,1", f"{at(1)},A,2.5,2")
BOTH: list[tuple[int | str, str, float, float | None]] = [(0, "A", 1.5, 1), (1, "A", 2.5, 2)]
BARS = "Date,Open,High,Low,Close,Volume\n"
FOLD = ("00:59:59", "01:00:00", "01:59:59", "01:00:00", "01:30:00", "02:00:00")

ODD: dict[str, Odd] = {
    # cells, lines, quotation marks
    "surplus cell": Odd(rows(f"{at(0)},A,140,10,5", f"{at(1)},A,141,1"), [(1, "A", 141, 1)], "line 2: 5 cells .* is '5'"),
    "surplus behind an empty one": Odd(rows(f"{at(0)},A,140,10,,7", f"{at(1)},A,141,1"), [(1, "A", 141, 1)], "line 2: 6 cells .* is '7'"),
    "stray quote in the first row": Odd(rows(f'{at(0)},"A,1.5,1', f"{at(1)},A,2,1"), [(1, "A", 2, 1)], "1 of 2 rows .*line 2: a quotation mark"),
    "stray quote, no header": Odd(rows(f'{at(0)},"A,1.5,1', f"{at(1)},A,1,9", f"{at(2)},A,2,9", header=""), [(1, "A", 1, 9), (2, "A", 2, 9)], "1 of 3 rows .*line 1: a quotation mark"),
    "quote over two lines": Odd(rows(f'{at(0)},"A,1.5,1', f'{at(1)},A",2,1', f"{at(2)},A,3,1"), [(2, "A", 3, 1)], "2 of 3 rows .*line 2"),
    "thousand marks in quotes": Odd(rows(f'{at(0)},A,"1,234.5","1,000"'), [(0, "A", 1234.5, 1000)]),
    "thousand marks without quotes": Odd(rows(f"{at(0)},A,1,234.50,1", f"{at(1)},A,1,235.50,1"), [], "line 2: 5 cells where the header has 4"),
    "a comma that may be either": Odd(rows(f'{at(0)},A,"1,234",1'), [], "'1,234' may be 1234 or 1.234: say --decimal point"),
    "blank lines and rows of separators": Odd("\n \n" + rows("", "  ", f"{at(0)},A,1.5,1", ",,,", f"{at(1)},A,2.5,2", "\t"), BOTH),
    "a sentence at the end": Odd(TWO + '"Downloaded from Some.com as of 01-16-2024"\n', BOTH),
    "a total at the end": Odd(TWO + "Total,,,3\n", BOTH, "1 of 3 rows .*line 4: time 'Total' is not a time"),
    "sep= of Excel": Odd("sep=;\n" + TWO.replace(",", ";"), BOTH),
    "the header again, in other letters": Odd(rows(f"{at(0)},A,1.5,1", HEADER.strip(), HEADER.strip().title(), f"{at(1)},A,2.5,2"), BOTH),
    "another header within": Odd(rows(f"{at(0)},A,1.5,1", "timestamp,symbol,volume,price", f"{at(1)},A,2,2.5"), [], "line 3 has another one, 'timestamp,symbol,volume,price'"),
    "two columns of one name": Odd(rows(f"{at(0)},A,1,9,1", header="timestamp,symbol,price,price,volume\n"), [], "number 3 and number 4 have that name.*--columns price=3"),
    "two columns of one name, decided": Odd(rows(f"{at(0)},A,1,9,1", header="timestamp,symbol,price,price,volume\n"), [(0, "A", 9, 1)], "", {"columns": {"price": ("4",)}}),
    "single quotation marks": Odd("'timestamp','symbol','price'\n'" + at(0) + "','A','1.5'\n", [(0, "A", 1.5, None)]),
    # encodings and packings
    "UTF-16 with mark": Odd(("\ufeff" + TWO).encode("utf-16-le"), BOTH),
    "UTF-32": Odd(TWO.encode("utf-32"), BOTH),
    "CR only": Odd(TWO.replace("\n", "\r"), BOTH),
    "mixed line ends": Odd(HEADER.strip() + f"\r\n{at(0)},A,1.5,1\r{at(1)},A,2.5,2", BOTH),
    "a zero byte": Odd(TWO.replace("A,1.5", "A\0,1.5"), [], "neither text nor a known binary format"),
    "zip of macOS with a readme": Odd(zipped({"day/a.csv": TWO, "__MACOSX/day/._a.csv": b"\0\5junk", "readme.txt": "This is a readme.\n"}), BOTH),
    "zip of several days": Odd(zipped({"a.csv": rows(f"{at(5)},A,5,1"), "b.csv": rows(f"{at(1)},B,1,1", f"{at(9)},B,9,1")}), [(1, "B", 1, 1), (5, "A", 5, 1), (9, "B", 9, 1)]),
    "gzip, cut": Odd(gzip.compress(TWO.encode())[:-4], BOTH, "is damaged after line 3 .*the 2 ticks before it"),
    "gzip with a wrong checksum": Odd(gzip.compress(TWO.encode())[:-8] + b"\0" * 8, BOTH, "is damaged after line 3"),
    "gzip of two parts": Odd(gzip.compress(TWO.encode()) + gzip.compress(f"{at(2)},A,3,3\n".encode()), [*BOTH, (2, "A", 3, 3)]),
    "an Excel workbook": Odd(zipped({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}), [], "an Excel workbook: save it as CSV"),
    "a tar archive": Odd(tarred(TWO.encode()), [], "is a tar archive: unpack it into a folder, and replay that folder"),
    "a tar archive in gzip": Odd(gzip.compress(tarred(TWO.encode())), [], "is a tar archive: unpack it into a folder"),
    "a capture of packets": Odd(b"\xd4\xc3\xb2\xa1" + b"\2\0\4\0" + b"\0" * 40, [], "a capture of packets, as IEX HIST has them"),
    # numbers
    "zero and below": Odd(rows(f"{at(0)},A,0,1", f"{at(1)},A,-37.63,1", f"{at(2)},A,0.0001,1"), [(2, "A", 0.0001, 1)], "2 of 3 rows .*price '0' is not above zero"),
    "no number in many spellings": Odd(rows(*(f"{at(n)},A,{cell},1" for n, cell in enumerate(["NaN", "null", "N/A", "", "inf", "1e400", "0x1F", "1_000", "5%", "--5", *"6789" * 3]))), [(n, "A", float("6789"[(n - 10) % 4]), 1) for n in range(10, 22)], "10 of 22 rows"),
    "no volume in many spellings": Odd(rows(f"{at(0)},A,5,NaN", f"{at(1)},A,5,", f"{at(2)},A,5,N/A", f"{at(3)},A,5,7"), [(0, "A", 5, None), (1, "A", 5, None), (2, "A", 5, None), (3, "A", 5, 7)]),
    "a volume of -1 in each row": Odd(rows(f"{at(0)},A,5,-1", f"{at(1)},A,6,-1.0"), [(0, "A", 5, None), (1, "A", 6, None)]),
    "scientific numbers": Odd(rows(f"{at(0)},A,1e2,1E3", f"{at(1)},A,1.5E+02,2e0"), [(0, "A", 100, 1000), (1, "A", 150, 2)]),
    "huge volumes": Odd(rows(f"{at(0)},A,1,9007199254740991", f"{at(1)},A,1,9007199254740992", f"{at(2)},A,1,-5"), [(0, "A", 1, 2**53 - 1)], "2 of 3 rows .*line 3: volume '9007199254740992' is not from 0 to 2"),
    "Swiss and Indian marks": Odd(rows(f"{at(0)};A;1'234.5;10'000", f"{at(1)};A;1,23,456.50;1", header=HEADER.replace(",", ";")), [(0, "A", 1234.5, 10_000), (1, "A", 123456.5, 1)]),
    "narrow blanks as marks": Odd(rows(f"{at(0)};A;1 234,5;10\u202f000", header=HEADER.replace(",", ";")), [(0, "A", 1234.5, 10_000)]),
    "a few points among commas": Odd(rows(*(f"{at(n)};A;1,5;1" for n in range(30)), f"{at(31)};A;1.5;1", header=HEADER.replace(",", ";")), [(n, "A", 1.5, 1) for n in range(30)], "line 32: price '1.5' is not a number"),
    "K, M and B": Odd(rows(f"{at(0)},A,5,1.5K", f"{at(1)},A,5,2M", f"{at(2)},A,5,1.25B"), [(0, "A", 5, 1500), (1, "A", 5, 2_000_000), (2, "A", 5, 1_250_000_000)]),
    "prices of bonds": Odd(rows(f"{at(0)},ZN,110'16,1", f"{at(1)},ZN,110-16,1"), [], "a column with prices"),
    # symbols
    "blanks and cases in symbols": Odd(rows(f"{at(0)},BRK A,1,1", f"{at(1)}, brk a ,2,1", f"{at(2)},Brk A,3,1"), [(0, "BRK A", 1, 1), (1, "brk a", 2, 1), (2, "Brk A", 3, 1)]),
    "no symbols among symbols": Odd(rows(f"{at(0)},A,1,1", f"{at(1)},B,2,1", f"{at(2)},NAN,3,1", f"{at(3)},NaN,4,1", f"{at(4)},=x(),5,1"), [(0, "A", 1, 1), (1, "B", 2, 1), (2, "NAN", 3, 1)], "2 of 5 rows .*line 5: 'NaN' is not a symbol"),
    # times
    "units of epochs mixed": Odd(rows("1704465000,A,1,1", "1704465001000,A,2,1", "1704465002,A,3,1"), [(0, "A", 1, 1), (2, "A", 3, 1)], "line 3: time '1704465001000' is not a time in s since 1970"),
    "epochs with fractions": Odd(rows("1704465000.0,A,1,1", "1.704465001e9,A,2,1"), [(0, "A", 1, 1), (1, "A", 2, 1)]),
    "days of Excel": Odd(rows("45296.604166,A,1,1", "45296.604178,A,2,1"), [], "a number of days, as Excel keeps dates, format the column as a date"),
    "newest first, with equal times": Odd(rows(*(f"{at(n // 2)},A,{n + 1},1" for n in range(7, -1, -1))), [(n // 2, "A", n + 1, 1) for n in range(8)]),
    "both folds, and a row between them that nothing tells": Odd(rows(*(f"2024-11-03 {clock},A,{n + 1},1" for n, clock in enumerate(FOLD))), [("2024-11-03T04:59:59", "A", 1, 1), ("2024-11-03T05:00:00", "A", 2, 1), ("2024-11-03T06:00:00", "A", 4, 1), ("2024-11-03T06:30:00", "A", 5, 1), ("2024-11-03T07:00:00", "A", 6, 1)], "line 4: time '2024-11-03 01:59:59': that hour came twice", NY),
    "days that are none": Odd(rows(f"{at(1)},A,4,1", "2023-02-29T10:00:00Z,A,2,1", "2024-06-30T23:59:60Z,A,3,1", "2024-02-29T14:30:00Z,A,1,1"), [(1, "A", 4, 1), ("2024-02-29T14:30:00", "A", 1, 1)], "2 of 4 rows .*line 3: time '2023-02-29"),
    "a zone in some rows": Odd(rows(f"{at(0)},A,1,1", "2024-01-05T15:30:01+01:00,A,2,1", "2024-01-05 10:00:00,A,3,1"), [(0, "A", 1, 1), (1, "A", 2, 1)], "line 4: time '2024-01-05 10:00:00' has no zone"),
    "years that cannot be kept": Odd(rows("1969-12-31T23:59:59Z,A,1,1", f"{at(0)},A,2,1", "2262-01-01T00:00:00Z,A,3,1"), [(0, "A", 2, 1)], "2 of 3 rows .*is not in the years 1970 to 2261"),
    "noon and midnight": Odd(rows("1/5/2024 9:30:00 AM,A,1,1", "1/5/2024 12:00:00 PM,A,2,1", "1/5/2024 12:00:00 AM,A,3,1", "1/15/2024 13:30 PM,A,4,1"), [("2024-01-05T09:30:00", "A", 1, 1), ("2024-01-05T12:00:00", "A", 2, 1), ("2024-01-05T00:00:00", "A", 3, 1)], "line 5: time '1/15/2024 13:30 PM' is not a time", {"timezone": "UTC", "dates": "mdy"}),
    "days and months that may be either, among others": Odd(rows("2024-01-05 10:00,A,1,1", "01/05/2024 10:03,A,4,1"), [], "'01/05/2024 10:03' may have the month or the day first", NY),
    # bars and quotes
    "bars without a close": Odd(rows("2024-01-05T14:29:00Z,10,11,9,,1", "2024-01-05T14:30:00Z,10,11,9,10.5,2", "2024-01-05T14:31:00Z,,,,,", header=BARS), [("2024-01-05T14:31:00", "S", 10.5, 2)], "", {"symbol": "S"}),
    "quotes without a side": Odd(rows(f"{at(0)},A,10.5,10.7", f"{at(1)},A,10.3,0", f"{at(2)},A,,10.4", header="time,symbol,bid,ask\n"), [(0, "A", (10.5 + 10.7) / 2, None)], "1 of 3 rows .*ask '0' is not above zero"),
    # JSON
    "JSON lines with bad ones": Odd('{"t":1704465000,"s":"A","p":1.5}\n{"t":1704465001,"s":"A","p":\n{"t":1704465002,"s":"A","p":"x"}\n{"t":1704465003,"s":"A","p":2}\n{"t":17', [(0, "A", 1.5, None), (3, "A", 2, None)], "3 of 5 rows .*line 2: not JSON"),
    "JSON with commas in text": Odd(json.dumps([{"time": at(n), "symbol": "A", "price": f"{n},5"} for n in (1, 2)]), [(1, "A", 1.5, None), (2, "A", 2.5, None)]),
    "JSON with what is no price": Odd(json.dumps([{"time": at(n), "symbol": "A", "price": price} for n, price in enumerate([True, None, [1], "", 2.5, 3])]), [(4, "A", 2.5, None), (5, "A", 3, None)], "4 of 6 rows"),
    "JSON that is none": Odd('[{"t":1704465000,"s":"A","p":NaN}]', [], "JSON that is whole; line 1: .*near "),
    "a saved page": Odd("\n\n  <html><body>Error 500</body></html>", [], "this is a web page, perhaps an error that was saved: 'Error 500'"),
    "nothing": Odd("", [], "this one is empty"),
    "a header alone": Odd(HEADER, [], "this one has none"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_read_as_a_careful_person_reads_it(tmp_path: Path, name: str) -> None:
    odd = ODD[name]
    path = tmp_path / "some ticks"
    path.write_bytes(odd.body.encode() if isinstance(odd.body, str) else odd.body)
    ticks, complaint = failed(path, **(odd.flags or {}))
    found = [(f"{tick.timestamp:%Y-%m-%dT%H:%M:%S}", tick.symbol, tick.price, tick.volume) for tick in ticks]
    expected = [(at(when)[:-1] if isinstance(when, int) else when, *rest) for when, *rest in odd.ticks]
    assert found == expected
    assert bool(complaint) == bool(odd.complaint), complaint
    assert re.search(odd.complaint, complaint)


@pytest.mark.filterwarnings("error")
def test_a_zip_file_that_an_error_keeps_in_a_cycle_is_closed_without_a_warning(tmp_path: Path) -> None:
    """An exception keeps its frames alive, and with them the zip's members, until the next garbage collection."""
    path = tmp_path / "day.zip"
    path.write_bytes(zipped({"a.csv": TWO, "b.csv": TWO}))
    members = packing.members(path)
    stream = members[0].open()
    circle: list[Any] = [members, stream]
    circle.append(circle)
    del members, stream, circle
    gc.collect()
    assert str(path) not in [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.exists()]


@pytest.mark.parametrize(("at", "to"), [(8, 99), (6, 0x20)], ids=["an unknown packing", "patched data"])
def test_a_zip_file_that_the_library_cannot_unpack_is_refused(tmp_path: Path, at: int, to: int) -> None:
    body = bytearray(zipped({"a.csv": TWO}))
    directory = body.index(b"PK\x01\x02")
    body[at] = body[directory + at + 2] = to  # in the member's own header and in the directory
    (tmp_path / "day.zip").write_bytes(body)
    ticks, complaint = failed(tmp_path / "day.zip")
    assert (ticks, "day.zip" in complaint) == ([], True)
