"""A full day of real trades through the whole chain; the stored points must equal a recomputation from the log."""

import gzip
import time
from pathlib import Path
from typing import Any

from benchmarks.bench import PROJECT, Bench, figures_of
from tests import oracle, trades

DAY = PROJECT.parent / "shared" / "data" / "us_equity_trades_2013-10-07.csv.gz"


def run(bench: Bench) -> dict[str, Any]:
    file = DAY
    if not file.is_file():
        file = bench.folder / "trades.csv"
        trades.write_generated(file)
        print("no recorded day in ../shared/data: 6,000 generated trades instead")
    count = _rows(file)
    topic, bucket = bench.new_topic(4), bench.new_bucket()
    environment = bench.environment(topic, bucket, SOURCE="replay", REPLAY_FILE=str(file), REPLAY_SPEED="max")
    worker = bench.start(["-m", "benchmarks.worker", "--ticks", str(count)], environment)
    started = time.monotonic()
    producer = bench.start([str(PROJECT / "stock_producer.py")], environment)
    producer.communicate(timeout=900)
    produced = time.monotonic() - started
    figures = figures_of(worker)
    seconds = time.monotonic() - started
    print(
        f"{count:,} trades: produced in {produced:.1f} s, all stored after {seconds:.1f} s ({count / seconds:,.0f}/s)"
    )
    expected = oracle.expected_points(oracle.read_kafka(bench.kafka, topic))
    verdict = oracle.compare(expected, oracle.read_influx(bench.influx.url, bench.influx.token, bucket))
    print(verdict)
    if not (verdict.equal and verdict.expected == count):
        raise RuntimeError("the stored points differ from a recomputation")
    return {
        "trades": count,
        "produced_in_s": round(produced, 2),
        "stored_after_s": round(seconds, 2),
        "trades_per_s": round(count / seconds),
        "worker": figures,
        "verdict": str(verdict),
    }


def _rows(file: Path) -> int:
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        return sum(1 for _ in lines) - 1
