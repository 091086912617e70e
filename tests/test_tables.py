"""The tables of measurements in the documents are generated from docs/performance.json."""

import json
import re
from pathlib import Path

from benchmarks.page_table import MISSING
from benchmarks.tables import DOCUMENTS, FIGURES, TABLES, USED, collect, filled


def test_each_table_is_made_from_the_figures_that_are_kept() -> None:
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    assert set(re.findall(r"<!-- measured: (\w+) -->", text)) == set(TABLES)
    assert filled(text, json.loads(FIGURES.read_text(encoding="utf-8"))) == text


def test_a_changed_figure_changes_the_table() -> None:
    figures = {"stage": {"ratio": 12.5}, "memory": {"kb_a_symbol_with_20": 3.0}}
    lines = filled("<!-- measured: targets -->\n\n<!-- end -->", figures).splitlines()
    assert "| compute stage alone, against the tutorial's | at least 10 times | 12.50 times | yes |" in lines
    assert "| memory a symbol, HISTORY_SIZE=20 | at most 2 KB | 3.00 KB | no |" in lines
    rows = [line for line in lines if " | at " in line]
    assert sum(f"| {MISSING} | {MISSING} |" in row for row in rows) == len(rows) - 2


def test_a_trial_is_marked_as_one() -> None:
    for table in TABLES:
        text = filled(f"<!-- measured: {table} -->\n\n<!-- end -->", {USED[table][0]: {"short": True}})
        assert f"to be measured in full: {USED[table][0]}." in text


def test_a_case_that_was_not_run_keeps_its_figures(tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_text('{"machine": {"cores": 2}, "runs": [1], "ratio": 9.0}')
    before = {"stage": {"ratio": 8.0}, "memory": {"grown_mb": 1.0}}
    assert collect(tmp_path, before) == {"stage": {"ratio": 9.0}, "memory": {"grown_mb": 1.0}}
