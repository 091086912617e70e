"""Does the memory of a replay stay flat? Generates a large file as CSV and as Parquet, and reads each as ticks.

The environment variable `LARGE_GB` sets the size of the CSV; the default is 10.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from benchmarks.bench import Bench, table

ROWS = 100_000
SYMBOLS = 500
FIRST = datetime(2010, 1, 1, tzinfo=UTC)
GROWN_MB = 20
"""How much memory may grow from the end of the file's first tenth to its end."""


def run(bench: Bench) -> dict[str, Any]:
    size = float(os.environ.get("LARGE_GB", bench.of(10, 0))) or 0.05
    csv, parquet = bench.folder / "large.csv", bench.folder / "large.parquet"
    blocks = 0
    with csv.open("wb") as file:
        file.write(b"timestamp,symbol,price,volume\n")
        for block in _blocks():
            file.write(block)
            blocks += 1
            if file.tell() >= size * 1e9:
                break
    _write_parquet(parquet, blocks)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent)}
    figures: dict[str, Any] = {"gigabytes": round(csv.stat().st_size / 1e9, 2), "rows": blocks * ROWS}
    rows: list[tuple[str, ...]] = [("", "GB", "rows/s", "peak MB", "grown MB", "at most")]
    for path in (csv, parquet):
        program = ["-m", "benchmarks.programs.reading", str(path), str(blocks * ROWS)]
        found = bench.measure(program, environment, seconds=7_200)  # 10 GB take about 20 minutes
        if found["ticks"] != blocks * ROWS:
            raise RuntimeError(f"{found['ticks']:,} ticks of {blocks * ROWS:,} rows")
        resident = found["resident_mb"]
        found["grown_mb"] = round(resident[-1] - resident[0], 1)
        figures[path.suffix[1:]] = found
        sizes = (f"{path.stat().st_size / 1e9:.2f}", f"{found['ticks_per_s']:,.0f}", f"{found['peak_mb']:.0f}")
        rows.append((path.suffix[1:], *sizes, f"{found['grown_mb']:.1f}", f"{GROWN_MB}"))
        path.unlink()
    print(table(rows))
    return figures


def _rows() -> list[tuple[int, str, float, int]]:
    """The rows of one block, each with the second of the day, the symbol, the price and the volume."""
    rng = np.random.default_rng(5)
    seconds = np.sort(rng.integers(0, 86_400, ROWS)).tolist()
    prices = rng.integers(1_000, 90_000, ROWS).tolist()
    return [(at, f"S{n % SYMBOLS:03}", prices[n] / 100, n % 997) for n, at in enumerate(seconds)]


def _blocks() -> Iterator[bytes]:
    """The CSV rows of consecutive days, which differ only in the date."""
    lines = [
        f"YYYY-MM-DDT{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z,{symbol},{price},{volume}\n"
        for at, symbol, price, volume in _rows()
    ]
    block, day = "".join(lines).encode(), FIRST
    while True:
        yield block.replace(b"YYYY-MM-DD", f"{day:%Y-%m-%d}".encode())
        day += timedelta(days=1)


def _write_parquet(path: Path, blocks: int) -> None:
    seconds, symbols, prices, volumes = zip(*_rows(), strict=True)
    begin, within = int(FIRST.timestamp()), np.array(seconds)
    writer = None
    for block in range(blocks):
        times = (begin + block * 86_400 + within) * 1_000_000
        found = pa.table(
            {
                "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
                "symbol": pa.array(symbols),
                "price": pa.array(prices),
                "volume": pa.array(volumes),
            }
        )
        writer = writer or pyarrow.parquet.ParquetWriter(path, found.schema)
        writer.write_table(found)
    if writer is not None:
        writer.close()
