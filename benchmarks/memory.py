"""The worker's memory: how much each symbol takes with long and short histories, and whether the total stays flat.

Measured in one process without servers; the memory of Kafka's and InfluxDB's clients is not included.
"""

import statistics
from typing import Any

from benchmarks.bench import Bench, table

SYMBOLS = 5_000
HISTORIES = {200: 10.0, 20: 2.0}
"""For each value of HISTORY_SIZE, the kilobytes that a symbol may take."""
FULL_AFTER = 210
FEW = 10
"""The number of symbols in the baseline run, whose memory is subtracted. Both runs have equally many ticks."""


def run(bench: Bench) -> dict[str, Any]:
    symbols = bench.of(SYMBOLS, 1_000)
    ticks = symbols * FULL_AFTER
    figures: dict[str, Any] = {"symbols": symbols}
    rows: list[tuple[str, ...]] = [("", "KB per symbol", "at most")]
    few = {size: _settled(bench, ticks, FEW, size) for size in HISTORIES}
    for size, most in HISTORIES.items():
        kilobytes = round((_settled(bench, ticks, symbols, size) - few[size]) * 1024 / (symbols - FEW), 2)
        figures[f"kb_a_symbol_with_{size}"] = kilobytes
        rows.append((f"HISTORY_SIZE={size}", f"{kilobytes:.2f}", f"{most:g}"))
    print(table(rows))
    ticks = bench.of(10_000_000, 300_000)
    resident = _resident(bench, ticks, 500, 200)
    figures |= {"ticks": ticks, "resident_mb": resident, "grown_mb": round(resident[-1] - resident[2], 2)}
    print(f"{ticks:,} ticks of 500 symbols, resident MB: {', '.join(f'{each:.0f}' for each in resident)}")
    return figures


def _settled(bench: Bench, ticks: int, symbols: int, history: int) -> float:
    """The median of several runs' memory at their end: fragmentation differs by megabytes from run to run."""
    return statistics.median(_resident(bench, ticks, symbols, history)[-1] for _ in range(bench.of(5, 1)))


def _resident(bench: Bench, ticks: int, symbols: int, history: int) -> list[float]:
    program = ["-m", "benchmarks.programs.memory_worker", "--ticks", str(ticks), "--symbols", str(symbols)]
    environment = bench.environment("none", "none", HISTORY_SIZE=str(history))
    resident: list[float] = bench.measure(program, environment)["resident_mb"]
    return resident
