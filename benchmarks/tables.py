"""Writes the measured tables of the documents: `make tables`, after `make bench` and `profile`.

The figures go from benchmarks/results/ into docs/performance.json, which is under version control, and each table is
made from that file alone; a test checks that they match. A table stands between two comments, `<!-- measured: NAME -->`
and `<!-- end -->`; a figure that was not measured shows as a dash.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import contenders as the
from benchmarks import drill, page_table, restarts
from benchmarks.page_table import MISSING, Figures

PROJECT = Path(__file__).parent.parent
RESULTS = PROJECT / "benchmarks" / "results"
FIGURES = PROJECT / "docs" / "performance.json"
DOCUMENTS = tuple(PROJECT / "docs" / f"{name}.md" for name in ("performance", "scale", "operate"))
LEFT_OUT = {"runs", "machine"}
"""Keys of a result that are not copied; they stay in benchmarks/results/."""


def collect(results: Path, before: Figures) -> Figures:
    """The figures of all cases: new ones where a result exists, else those of `before`."""
    found = dict(before)
    for path in sorted(results.glob("*.json")):
        found[path.stem] = {name: value for name, value in json.loads(path.read_text()).items() if name not in LEFT_OUT}
    return found


def filled(text: str, figures: Figures) -> str:
    """The text of a document with its tables replaced."""

    def table(match: re.Match[str]) -> str:
        rows = TABLES[match[2]](figures)
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        trial = [name for name in USED[match[2]] if figures.get(name, {}).get("short")]
        if trial:
            lines += ["", f"From short trials on a busy machine, to be measured in full: {', '.join(trial)}."]
        return "\n".join([match[1], "", *lines, "", match[3]])

    return re.sub(r"(<!-- measured: (\w+) -->).*?(<!-- end -->)", table, text, flags=re.DOTALL)


def _contenders(figures: Figures) -> list[list[str]]:
    found = figures.get("contenders", {})
    rows = [["", "ticks/s", "our worker does", "its CPU a tick", "InfluxDB's", "peak memory"]]
    for name, middle in found.get("medians", {}).items():
        rows.append(
            [
                name,
                f"{middle['ticks_per_s']:,.0f}",
                f"{found['ours_times'][name]:.2f} times as much" if name != the.OURS else "",
                f"{middle['cpu_us_per_tick']:.1f} µs",
                f"{middle['influxd_us_per_tick']:.1f} µs" if name != the.POLL else "",
                f"{middle['peak_mb']:.0f} MB"
                if not name.startswith("limit")
                else "",  # the programs of limits.py hold all lines in memory, so their memory means nothing
            ]
        )
    return rows


def _profile(figures: Figures) -> list[list[str]]:
    cpu, wall = (
        figures.get("profile", {}).get(name, {}) for name in ("CPU of all threads", "main thread, with its waits")
    )
    rows = [["part", "of the CPU of all threads", "of the main thread's time, its waits included"]]
    return rows + [[name, _percent(cpu.get(name)), _percent(wall.get(name))] for name in {**cpu, **wall}]


def _knobs(figures: Figures) -> list[list[str]]:
    found = figures.get("knobs", {})
    rows = [["setting", "ticks/s against the default", "CPU a tick", "peak memory"]]
    for name, middle in found.get("medians", {}).items():
        cpu, peak = f"{middle['cpu_us_per_tick']:.1f} µs", f"{middle['peak_mb']:.0f} MB"
        rows.append([f"`{name}`" if "=" in name else name, f"{found['ratios'][name]:.2f}", cpu, peak])
    return rows


def _targets(figures: Figures) -> list[list[str]]:
    rows = [["what", "wanted", "measured", "reached"]]
    for what, path, wanted, unit in _wanted():
        value = _at(figures, path)
        at_least, bound = wanted
        sign = "at least" if at_least else "at most"
        shown, reached = MISSING, MISSING
        if value is not None:
            shown = f"{value:,.{0 if abs(value) >= 1000 else 2}f}{unit}"
            reached = "yes" if (value >= bound if at_least else value <= bound) else "no"
        rows.append([what, f"{sign} {bound:,g}{unit}", shown, reached])
    return rows


def _storage(figures: Figures) -> list[list[str]]:
    found = figures.get("storage", {})
    rows = [
        [
            "load",
            "points",
            "series",
            "Kafka, a record",
            "InfluxDB, a point",
            "InfluxDB's memory, peak",
            "worker's restart",
        ]
    ]
    for name, of_load in found.get("loads", {}).items():
        sizes = (f"{of_load['kafka_bytes_a_record']:.0f} B", f"{of_load['influxdb_bytes_a_point']:.0f} B")
        rest = (f"{of_load['influxd_peak_mb']:.0f} MB", f"{of_load['restart_s']:.1f} s")
        rows.append([name, f"{of_load['ticks']:,}", f"{of_load['series']:,}", *sizes, *rest])
    if "embedded_bytes_a_tick" in found:
        in_all = f"{found['embedded_bytes_a_tick']:.0f} B in all"
        rows.append(["a real day, embedded file", f"{found['loads']['a real day']['ticks']:,}", "", in_all, "", "", ""])
    return rows


def _restarts(figures: Figures) -> list[list[str]]:
    rows = [["4 workers, 12 partitions, 2,000 ticks/s", "before", "its own partitions", "the others", "audit"]]
    for case in figures.get("restarts", {}).get("cases", ()):
        wanted = restarts.WANTED[case["naming"], case["how"]]
        ages = [
            f"{age:.1f} s (at most {most:g} s{'' if age <= most else ': missed'})"
            for age, most in zip((case["own_s"], case["others_s"]), wanted, strict=True)
        ]
        rows.append([f"{case['naming']}, {case['how']}", f"{case['before_s']:.1f} s", *ages, case["audit"]])
    return rows


def _endurance(figures: Figures) -> list[list[str]]:
    rows = [["", "memory at first, in the middle, at the end", "open descriptors", "threads"]]
    for name, process in figures.get("endurance", {}).get("processes", {}).items():
        each = [
            [f"{process[what][at]:.0f}" for at in ("begin", "middle", "end")] for what in ("descriptors", "threads")
        ]
        memory = ", ".join(f"{process['memory_mb'][at]:.1f}" for at in ("begin", "middle", "end"))
        rows.append([name, f"{memory} MB{'' if process['flat'] else ': grows'}", *map(", ".join, each)])
    return rows


def _drill(figures: Figures) -> list[list[str]]:
    faults = figures.get("drill", {}).get("faults", {})
    rows = [["fault", *drill.WHERE]]
    return rows + [[name, *(drill.cell(found[where]) for where in drill.WHERE)] for name, found in faults.items()]


LEAST, MOST = True, False


def _wanted() -> Iterable[tuple[str, tuple[object, ...], tuple[bool, float], str]]:
    """For each target: its name, the path of its figure, the bound (at least or at most), and the unit."""
    names = {
        the.TUTORIAL: "the tutorial's script",
        the.PLAIN: "the limit program, plain",
        the.LOOP: "the limit program on our own client",
    }
    for name, least in the.WANTED.items():
        yield (
            f"ticks/s of one worker, 500 symbols, against {names.get(name, name)}",
            *(("contenders", "ours_times", name), (LEAST, least), " times"),
        )
    for name in (the.BYTEWAX, the.TUNED):
        yield f"its CPU per tick, of that of {name}", ("contenders", "our_cpu_share", name), (MOST, the.CPU_WANTED), ""
    yield "two workers against one, in all", ("sharing", "ratio"), (LEAST, 1.0), " times"
    yield "compute stage alone, against the tutorial's", ("stage", "ratio"), (LEAST, 10.0), " times"
    for pair in ("5,000 against 5", "50,000 against 500"):
        yield f"the worker's CPU per tick, {pair} symbols", ("symbols", "ratios", pair), (MOST, 1.5), " times"
    yield "memory a symbol, HISTORY_SIZE=200", ("memory", "kb_a_symbol_with_200"), (MOST, 10), " KB"
    yield "memory a symbol, HISTORY_SIZE=20", ("memory", "kb_a_symbol_with_20"), (MOST, 2), " KB"
    yield "memory of a worker, 500 symbols, 2,000 ticks/s", ("latency", "2000", "peak_mb"), (MOST, 95), " MB"
    yield "growth of memory over ten million ticks", ("memory", "grown_mb"), (MOST, 2), " MB"
    yield "tick to stored at 2,000 ticks/s, median", ("latency", "2000", "p50_ms"), (MOST, 15), " ms"
    yield "tick to stored at 2,000 ticks/s, 99th percentile", ("latency", "2000", "p99_ms"), (MOST, 60), " ms"
    yield "tick to stored at 20,000 ticks/s, 99th percentile", ("latency", "20000", "p99_ms"), (MOST, 250), " ms"
    yield "catching up a backlog, of the steady rate", ("recovery", "share"), (LEAST, 0.9), ""
    yield "its longest pause", ("recovery", "longest_pause_s"), (MOST, 1.0), " s"
    for kind, said in (
        ("simulated", "simulated"),
        ("replay", "replay"),
        ("replay gz", "replay of CSV in gzip"),
        ("replay Parquet", "replay of Parquet"),
    ):
        yield f"producer, {said}, share of a bare loop's rate", ("producing", "ratios", kind), (LEAST, 0.8), ""
    yield "the same for CSV, times `pandas.read_csv` and `send`", ("producing", "of_pandas"), (LEAST, 1.0), ""
    for kind, said in (("csv", "CSV"), ("parquet", "Parquet")):
        yield f"growth of memory over a large {said} file", ("large-file", kind, "grown_mb"), (MOST, 20), " MB"
    yield "embedded stack, whole chain, ticks/s", ("embedded", "median_per_s"), (LEAST, 30_000), ""
    yield "embedded stack, 7 symbols every 2 s, share of a core", ("embedded", "idle_percent_in_all"), (MOST, 2), " %"
    yield "start: CPU until the slowest script is ready", ("start", "slowest", "ready"), (MOST, 1.5), " s"
    yield "start: CPU for the slowest `--help` or refusal", ("start", "slowest", "answer"), (MOST, 0.5), " s"


def _at(figures: Figures, path: Iterable[object]) -> float | None:
    found: Any = figures
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, int | float) else None


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.1f} %"


TABLES: dict[str, Callable[[Figures], list[list[str]]]] = {
    "contenders": _contenders,
    "profile": _profile,
    "knobs": _knobs,
    "targets": _targets,
    "page": page_table.rows,
    "storage": _storage,
    "restarts": _restarts,
    "endurance": _endurance,
    "drill": _drill,
}
USED: dict[str, tuple[str, ...]] = {
    "contenders": ("contenders",),
    "profile": ("profile",),
    "knobs": ("knobs",),
    "page": page_table.CASES,
    "storage": ("storage",),
    "restarts": ("restarts",),
    "endurance": ("endurance",),
    "drill": ("drill",),
    "targets": tuple(sorted({str(path[0]) for _, path, _, _ in _wanted()})),
}


def main() -> int:
    before = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    figures = collect(RESULTS, before)
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(encoding="utf-8"), figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
