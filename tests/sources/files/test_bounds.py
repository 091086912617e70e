"""Few files are open at once, even for a folder with many, and files with ticks of equal times keep their order."""

import io
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from tests.scripts import PROJECT
from tests.sources.files.test_corpus import replayed
from tickflow.sources.replay import Replay

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import math
from pathlib import Path
from tickflow.sources.replay import Replay
for name in sys.argv[1:]:
    ticks = [tick for batch in Replay(Path(name), speed=math.inf).batches(lambda _: False) for tick in batch]
    times = [tick.timestamp for tick in ticks]
    assert times == sorted(times), name
    print(len(ticks), len({tick.symbol for tick in ticks}))
"""


def test_more_files_than_a_process_may_open_are_read_in_order_of_time(tmp_path: Path) -> None:
    texts, columns, archive = tmp_path / "texts", tmp_path / "columns", tmp_path / "all.zip"
    texts.mkdir()
    columns.mkdir()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for number in range(100):
            times = [f"2024-01-05T14:{minute:02}:00Z" for minute in range(10, 30)]
            body = "timestamp,price\n" + "".join(f"{time},{number + 1}\n" for time in times)
            (texts / f"S{number}.csv").write_text(body)
            out.writestr(f"S{number}.csv", body)
            table = pa.table({"timestamp": times, "price": [number + 1.0] * len(times)})
            pyarrow.parquet.write_table(table, columns / f"S{number}.parquet")
    archive.write_bytes(packed.getvalue())
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(texts), str(columns), str(archive)],
        cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2000", "100"] * 3


def test_files_of_the_same_time_are_said_to_be_sorted_and_equal_times_keep_the_order_of_the_files(
    tmp_path: Path,
) -> None:
    for number in range(30):
        rows = [f"2024-01-05T14:30:{second:02}Z,A,{second * 100 + number + 1},1" for second in range(20)]
        (tmp_path / f"{number:02}.csv").write_text("timestamp,symbol,price,volume\n" + "\n".join(rows) + "\n")
    said = list(Replay(tmp_path, speed=math.inf).understood())
    assert "30 files with ticks of the same time: sorted together on disk before the first tick" in said
    expected = [second * 100 + number + 1 for second in range(20) for number in range(30)]
    assert [tick.price for tick in replayed(tmp_path)] == expected
    assert [tick.price for tick in replayed(tmp_path, sort="never")] == expected
