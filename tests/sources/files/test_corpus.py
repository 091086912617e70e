"""Every layout of the corpus is read correctly, row by row; the refusal of a corrupted copy names line and cell."""

import math
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config import flags_of, load_settings
from stock_producer import parser
from tests import records
from tests.sources.files.corpus import CASES, SPELLINGS, Case, _own, meant_of
from tickflow.errors import SettingError, SourceError
from tickflow.sources.files.options import Options
from tickflow.sources.replay import Replay
from tickflow.sources.replay_flags import options_of
from tickflow.ticks.tick import Tick, decode, encode


def replayed(path: Path, **flags: Any) -> list[Tick]:
    replay = Replay(path, speed=math.inf, options=Options(**flags))
    return [tick for batch in replay.batches(lambda _: False) for tick in batch]


def written(folder: Path, case: Case) -> Path:
    path = folder / case.name
    path.write_bytes(case.body)
    return path


def as_meant(ticks: list[Tick]) -> list[tuple[str, datetime, float, float | None]]:
    return [(tick.symbol, tick.timestamp.astimezone(UTC), tick.price, tick.volume) for tick in ticks]


@pytest.mark.parametrize("name", CASES)
def test_each_file_is_read_as_intended(tmp_path: Path, name: str) -> None:
    case = CASES[name]()
    assert as_meant(replayed(written(tmp_path, case), **case.flags)) == list(case.meant)


# --- broken siblings ---


def failed(path: Path, **flags: Any) -> tuple[list[Tick], str]:
    """Replay a file; return its ticks and its error message, which is empty without an error."""
    ticks: list[Tick] = []
    try:
        replay = Replay(path, speed=math.inf, options=Options(**flags))
        for batch in replay.batches(lambda _: False):
            ticks += batch
    except (SettingError, SourceError) as error:
        return ticks, str(error)
    return ticks, ""


MIXED = {"LOBSTER", "AlgoSeek", "Bloomberg ticks", "MetaTrader 5 ticks", "Refinitiv", "Databento, mbp-1"}
"""The layouts in which some rows are not trades, so the broken row may not be a trade."""
TABLES = [name for name, make in CASES.items() if make().is_text and make().layout != "NYSE TAQ messages"]


def separator_of(line: str) -> str:
    return max("\t;|,", key=line.count)


def broken(case: Case, change: Any) -> tuple[Case, int, str]:
    """A copy of the case whose middle row is changed, with that line's number and original text."""
    codec = "latin-1" if case.layout == "Excel, German" else case.codec
    lines = case.body.decode(codec).split("\n")
    at = len(lines) // 2
    whole = lines[at]
    lines[at] = change(whole, separator_of(whole))
    return replace(case, body="\n".join(lines).encode(codec)), at + 1, whole


@pytest.mark.parametrize("name", TABLES)
def test_a_truncated_row_is_refused_with_its_line_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    def cut(line: str, separator: str) -> str:
        return line.rstrip().rstrip(separator).rsplit(separator, 1)[0]

    case, line, _ = broken(CASES[name](), cut)
    ticks, complaint = failed(written(tmp_path, case), **case.flags)
    assert f"line {line}: " in complaint
    assert re.search("cells? where the .*; the last is '|a quotation mark .* without its partner", complaint)
    assert (case.layout not in MIXED) <= len(case.meant) - len(ticks) <= 2
    assert [tick for tick in as_meant(ticks) if tick not in case.meant] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_shifted_row_is_refused_with_its_line_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    case, line, _ = broken(CASES[name](), lambda text, separator: f"surplus{separator}{text.rstrip()}")
    ticks, complaint = failed(written(tmp_path, case), **case.flags)
    assert f"line {line}: " in complaint
    assert re.search("the first too many is '|is not a kind of event", complaint)
    assert (case.layout not in MIXED) <= len(case.meant) - len(ticks) <= 2
    assert [tick for tick in as_meant(ticks) if tick not in case.meant] == []


@pytest.mark.parametrize("name", [name for name, make in CASES.items() if not make().is_text])
def test_a_truncated_packed_file_is_refused_and_not_misread(tmp_path: Path, name: str) -> None:
    case = CASES[name]()
    path = written(tmp_path, replace(case, body=case.body[: len(case.body) * 2 // 3]))
    ticks, complaint = failed(path, **case.flags)
    assert complaint
    assert [tick for tick in as_meant(ticks) if tick not in case.meant] == []


NAIVE = [name for name, make in CASES.items() if "timezone" in make().flags and make().layout != "FIX times"]


@pytest.mark.parametrize("name", NAIVE)
def test_times_without_a_zone_are_refused_and_the_flag_is_named(tmp_path: Path, name: str) -> None:
    case = CASES[name]()
    flags = {key: value for key, value in case.flags.items() if key != "timezone"}
    with pytest.raises(SettingError, match=r"expected times with a zone; '.*' has none: .*--timezone America/New_York"):
        replayed(written(tmp_path, case), **flags)


@pytest.mark.parametrize("name", [name for name, make in CASES.items() if "symbol" in make().flags])
def test_a_file_without_a_symbol_is_refused_and_the_flag_is_named(tmp_path: Path, name: str) -> None:
    case = replace(CASES[name](), name=f"some rows{Path(CASES[name]().name).suffix}")
    flags = {key: value for key, value in case.flags.items() if key != "symbol"}
    with pytest.raises(SettingError, match=r"expected a symbol: .* give --symbol SYMBOL"):
        replayed(written(tmp_path, case), **flags)


# --- one meaning, many forms ---


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_equal_data_in_any_form_give_the_same_ticks(tmp_path: Path, spelling: str) -> None:
    rows, text = _own()
    path = tmp_path / "ticks.of.any.name"
    path.write_bytes(SPELLINGS[spelling](text))
    assert as_meant(replayed(path)) == meant_of(rows, "AAPL")


@pytest.mark.parametrize("name", CASES)
def test_the_command_that_spells_every_guess_out_reads_the_same(tmp_path: Path, name: str) -> None:
    case = CASES[name]()
    path = written(tmp_path, case)
    shown = list(Replay(path, options=Options(**case.flags)).explain())
    arguments = parser().parse_args(shlex.split(shown[-1].strip())[2:])
    options = options_of(load_settings({}, env_file=None, flags=flags_of(arguments)))
    replay = Replay(path, speed=math.inf, options=options)
    assert as_meant([tick for batch in replay.batches(lambda _: False) for tick in batch]) == list(case.meant)
    assert any("rows in all: 0 would be refused" in line for line in shown)


@pytest.mark.parametrize("name", CASES)
def test_the_analytics_accepts_each_tick(tmp_path: Path, name: str) -> None:
    case = CASES[name]()
    ticks = replayed(written(tmp_path, case), **case.flags)
    entries = [
        records.entry(encode(tick), key=tick.symbol.encode(), offset=number) for number, tick in enumerate(ticks)
    ]
    batch, refused = decode(entries)
    assert refused == []
    assert batch.prices.tolist() == [price for _, _, price, _ in case.meant]
