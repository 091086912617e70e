"""The document's table holds figures from one complete run of the suite."""

from pathlib import Path

import pytest

from tests.faults import table

ROW = table.Row("kill", "Kafka", 5, 1, 1000, 10, 0, 0, 0, 1.25)


def test_the_rows_of_a_run_replace_all_earlier_rows(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n\n{table.BEGIN}\n| an older run |\n{table.END}\n\nafter\n")
    table.write([ROW, table.Row("kill", "embedded", 100, 2, 20_000, 10, 1, 0, 0, 2.0)], document)
    assert document.read_text() == (
        f"before\n\n{table.BEGIN}\n{table.HEADER}"
        "| kill | Kafka | 5 | 1 | 1,000 | 10 | 0 | 0 | 0 | 1.2 s |\n"
        "| kill | embedded | 100 | 2 | 20,000 | 10 | 1 | 0 | 0 | 2.0 s |\n"
        f"{table.END}\n\nafter\n"
    )


def test_a_document_without_a_place_for_the_table_is_an_error(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("nothing\n")
    with pytest.raises(AssertionError, match="lacks"):
        table.write([ROW], document)


def test_the_documents_table_shows_nothing_lost_doubled_or_differing() -> None:
    after = table.DOCUMENT.read_text(encoding="utf-8").partition(table.BEGIN)[2].partition(table.END)[0]
    rows = table.columns(after)
    assert len(rows) > 20
    for row in rows:
        assert (row["lost"], row["doubled"], row["differing"]) == ("0", "0", "0"), row
        assert row["ticks"] != "0", row


@pytest.mark.parametrize(
    ("arguments", "deselected", "outcomes", "reason"),
    [
        (["tests/faults"], 0, {"passed": 70}, ""),
        (["tests/faults"], 0, {}, "no case was run"),
        (["tests/faults/test_kill.py"], 0, {}, "only a part of the suite was run"),
        (["tests/faults"], 3, {}, "only a part of the suite was run"),
        (["tests/faults"], 0, {"skipped": 1}, "cases were skipped or failed"),
        (["tests/faults"], 0, {"failed": 1}, "cases were skipped or failed"),
        (["tests/faults"], 0, {"error": 1}, "cases were skipped or failed"),
    ],
)
def test_an_incomplete_run_writes_no_table(
    arguments: list[str], deselected: int, outcomes: dict[str, int], reason: str
) -> None:
    assert table.why_not_whole(arguments, deselected, outcomes) == reason
