"""The table in the document is made of the suite's own figures, the newest of each fault."""

from pathlib import Path

import pytest

from tests.faults import table


def test_a_row_replaces_the_older_one_of_its_fault_and_stack_alone(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n\n{table.BEGIN}\n{table.END}\n\nafter\n")
    table.put(table.Row("kill", "Kafka", 5, 1000, 10, 0, 0, 0, 1.25), document)
    table.put(table.Row("kill", "embedded", 5, 1000, 10, 0, 0, 0, 1.0), document)
    table.put(table.Row("kill", "Kafka", 100, 20_000, 10, 1, 0, 0, 2.0), document)
    assert document.read_text() == (
        f"before\n\n{table.BEGIN}\n{table.HEADER}"
        "| kill | Kafka | 100 | 20,000 | 10 | 1 | 0 | 0 | 2.0 s |\n"
        "| kill | embedded | 5 | 1,000 | 10 | 0 | 0 | 0 | 1.0 s |\n"
        f"{table.END}\n\nafter\n"
    )


def test_a_document_without_a_place_for_it_is_an_error(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("nothing\n")
    with pytest.raises(AssertionError, match="lacks"):
        table.put(table.Row("kill", "Kafka", 5, 1000, 10, 0, 0, 0, 1.25), document)


def test_the_documents_table_shows_nothing_lost_doubled_or_differing() -> None:
    after = table.DOCUMENT.read_text(encoding="utf-8").partition(table.BEGIN)[2].partition(table.END)[0]
    rows = [line for line in after.splitlines() if line]
    figures = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]
    assert len(figures) > 20
    assert [row for row in figures if row[5:8] != ["0", "0", "0"] or int(row[3].replace(",", "")) == 0] == []
