"""docs/notebook.ipynb runs from its first cell to its last, and contains no output of an earlier run."""

import json
import os
import subprocess
import sys

from tests.scripts import PROJECT

NOTEBOOK = PROJECT / "docs" / "notebook.ipynb"


def test_all_cells_run_in_order() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 4
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "INFLUXDB_"))}
    done = subprocess.run(
        [sys.executable, "-c", "\n\n".join(code)], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_cell_has_an_output() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
