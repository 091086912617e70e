"""The table of docs/guarantees.md, one row per fault, written by one complete run of the suite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "guarantees.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
HEADER = (
    "| fault | stack | how often | SIGTERMs | ticks | refused | lost | doubled | differing | recovered after |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


@dataclass(frozen=True)
class Row:
    """One case's figures."""

    fault: str
    stack: str
    times: int
    stops: int
    ticks: int
    refused: int
    lost: int
    doubled: int
    differing: int
    seconds: float

    def __str__(self) -> str:
        cells = (
            *(self.fault, self.stack, f"{self.times:,}", f"{self.stops:,}"),
            *(f"{self.ticks:,}", f"{self.refused:,}"),
            *(f"{self.lost:,}", f"{self.doubled:,}", f"{self.differing:,}", f"{self.seconds:.1f} s"),
        )
        return f"| {' | '.join(cells)} |"


ROWS: list[Row] = []
"""The rows of this run so far."""


def write(rows: Sequence[Row], document: Path = DOCUMENT) -> None:
    """Replace all rows of the document's table by these."""
    text = document.read_text(encoding="utf-8")
    found = re.search(f"{BEGIN}\n(.*){END}", text, re.DOTALL)
    assert found is not None, f"{document} lacks {BEGIN} and {END}"
    table = f"{BEGIN}\n{HEADER}" + "".join(f"{row}\n" for row in rows) + END
    document.write_text(text[: found.start()] + table + text[found.end() :], encoding="utf-8")


def columns(text: str) -> list[dict[str, str]]:
    """The rows of the table in `text`, each as a dict by column name."""
    names, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [dict(zip(names, row, strict=True)) for row in rows]


def why_not_whole(arguments: Sequence[str], deselected: int, outcomes: Mapping[str, int]) -> str:
    """Why a run of pytest with these arguments writes no table; empty if it writes one."""
    if [Path(each).resolve() for each in arguments] != [Path(__file__).parent] or deselected:
        return "only a part of the suite was run"
    if any(outcomes.get(kind) for kind in ("skipped", "failed", "error")):
        return "cases were skipped or failed"
    if not outcomes.get("passed"):  # such as with --collect-only
        return "no case was run"
    return ""
