"""The effect of each setting for high rates: our worker on one topic, one setting changed at a time,
alternating rounds.
"""

from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, medians, table
from config import KEYS

SYMBOLS = 500
PARTITIONS = 6
DEFAULT = "as by default"
KNOBS: tuple[dict[str, str], ...] = (
    {"KAFKA_BATCH_RECORDS": "500"},
    {"KAFKA_BATCH_RECORDS": "5000"},
    {"KAFKA_BATCH_RECORDS": "50000"},
    {"INFLUXDB_BATCH_POINTS": "1000"},
    {"INFLUXDB_BATCH_POINTS": "20000"},
    {"INFLUXDB_CONNECTIONS": "1"},
    {"INFLUXDB_CONNECTIONS": "2"},
    {"INFLUXDB_GZIP": "true"},
)


def run(bench: Bench) -> dict[str, Any]:
    ticks, rounds = bench.of(600_000, 50_000), bench.of(3, 1)
    topics = {number: bench.new_topic(number) for number in (PARTITIONS, 1)}
    for topic in topics.values():
        bench.preload(topic, load.records(ticks, SYMBOLS))
    kinds: dict[str, tuple[str, dict[str, str]]] = {DEFAULT: (topics[PARTITIONS], {})}
    kinds |= {_name(knobs): (topics[PARTITIONS], knobs) for knobs in KNOBS if knobs.keys() <= set(KEYS)}
    kinds["KAFKA_PARTITIONS=1"] = topics[1], {}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (topic, settings) in kinds.items():
            bucket = bench.new_bucket()
            worker = ["-m", "benchmarks.worker", "--ticks", str(ticks)]
            runs[name].append(bench.measure(worker, bench.environment(topic, bucket, **settings)))
            bench.check_stored(bucket, ticks)
            bench.influx.delete_bucket(bucket)
    middle = {name: medians(found) for name, found in runs.items()}
    ratios = {name: round(found["ticks_per_s"] / middle[DEFAULT]["ticks_per_s"], 2) for name, found in middle.items()}
    rows: list[tuple[str, ...]] = [("", "ticks/s", "ratio", "CPU us/tick", "peak MB")]
    for name, found in middle.items():
        cpu, peak = f"{found['cpu_us_per_tick']:.1f}", f"{found['peak_mb']:.0f}"
        rows.append((name, f"{found['ticks_per_s']:,.0f}", f"{ratios[name]:.2f}", cpu, peak))
    print(table(rows))
    return {"ticks": ticks, "ratios": ratios, "medians": middle}


def _name(settings: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items())
