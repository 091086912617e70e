"""The table of docs/guarantees.md, a row a fault: written by the suite, row by row."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "guarantees.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
HEADER = (
    "| fault | stack | how often | ticks | refused | lost | doubled | differing | recovered after |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


@dataclass(frozen=True)
class Row:
    """One case's figures."""

    fault: str
    stack: str
    times: int
    ticks: int
    refused: int
    lost: int
    doubled: int
    differing: int
    seconds: float

    def __str__(self) -> str:
        cells = (
            *(self.fault, self.stack, f"{self.times:,}", f"{self.ticks:,}", f"{self.refused:,}"),
            *(f"{self.lost:,}", f"{self.doubled:,}", f"{self.differing:,}", f"{self.seconds:.1f} s"),
        )
        return f"| {' | '.join(cells)} |"


def put(row: Row, document: Path = DOCUMENT) -> None:
    """Put the row in, in place of an older one of that fault and stack."""
    text = document.read_text(encoding="utf-8")
    found = re.search(f"{BEGIN}\n(.*){END}", text, re.DOTALL)
    assert found is not None, f"{document} lacks {BEGIN} and {END}"
    rows = [line for line in found[1].splitlines()[2:] if line.startswith("|")]
    keyed = {tuple(line.split(" | ")[:2]): line for line in rows}
    keyed[tuple(str(row).split(" | ")[:2])] = str(row)
    table = f"{BEGIN}\n{HEADER}" + "".join(f"{line}\n" for line in keyed.values()) + END
    document.write_text(text[: found.start()] + table + text[found.end() :], encoding="utf-8")
