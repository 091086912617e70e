"""What must be in the store, worked out from the tick log alone, and the comparison with what is there.

Independent of `tickflow`: plain Python and pandas, no import from the project. It re-reads the topic from its start,
recomputes every point from whole windows, reads the store back whole, and reports what is lost, doubled or different.
"""

import hashlib
import json
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from kafka import KafkaConsumer, TopicPartition

SPAN = 1_000_000
METRICS = ("ma_5", "ma_10", "ma_20", "volatility", "vol_avg_5", "vol_avg_10", "z_score")
FLOATS = ("price", "change_percent", *METRICS)
INTEGERS = ("volume", "partition", "offset")
COLUMNS = ("symbol", "source", "time_ns", *FLOATS, *INTEGERS, "is_anomaly")


def read_kafka(servers: str, topic: str) -> list[tuple[int, int, bytes]]:
    """Every record of the topic: partition, offset, value."""
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, group_id=None)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[tuple[int, int, bytes]] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500, max_records=20_000).values():
                found += [(record.partition, record.offset, record.value) for record in records]
        return found
    finally:
        consumer.close()


def expected_points(records: Sequence[tuple[int, int, bytes]], threshold: float = 2.0) -> pd.DataFrame:
    """The points that valid ticks must become; a row a record, columns as stored, NaN where a field is absent."""
    rows = []
    for partition, offset, value in records:
        tick = json.loads(value)
        moment = datetime.fromisoformat(tick["timestamp"])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        micros = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
        slot = 1_000_000 if micros % 1000 == 0 else 1000
        rows.append(
            {
                "symbol": tick["symbol"],
                "source": tick.get("source") or "unknown",
                "time_ns": micros * 1000 + offset % slot,
                "price": float(tick["price"]),
                "change_percent": np.nan if tick.get("change_percent") is None else float(tick["change_percent"]),
                "volume": tick.get("volume") or 0,
                "partition": partition,
                "offset": offset,
            }
        )
    ticks = pd.DataFrame(rows).sort_values(["partition", "offset"], ignore_index=True)
    parts = [_with_metrics(group.copy()) for _, group in ticks.groupby(["partition", "symbol"])]
    points = pd.concat(parts, ignore_index=True)
    points["is_anomaly"] = points["z_score"] > threshold
    return points[list(COLUMNS)]


def _with_metrics(ticks: pd.DataFrame) -> pd.DataFrame:
    def over(column: str, n: int, formula: Callable[[Any], Any]) -> pd.Series:
        result = pd.Series(np.nan, index=ticks.index)
        if len(ticks) >= n:
            windows = np.lib.stride_tricks.sliding_window_view(ticks[column].to_numpy(dtype=float), n)
            result.iloc[n - 1 :] = formula(windows)
        behind = ticks["offset"] - ticks["offset"].shift(n - 1)
        return result.where(behind <= SPAN)

    def average(windows: Any) -> Any:
        return windows.mean(axis=1)

    def deviation(windows: Any) -> Any:
        equal = windows.max(axis=1) == windows.min(axis=1)
        return np.where(equal, 0.0, windows.std(axis=1, ddof=1))

    for n in (5, 10, 20):
        ticks[f"ma_{n}"] = over("price", n, average)
    ticks["volatility"] = over("price", 10, deviation)
    for n in (5, 10):
        ticks[f"vol_avg_{n}"] = over("volume", n, average)
    score = (ticks["price"] - ticks["ma_10"]).abs() / ticks["volatility"]
    ticks["z_score"] = score.where(ticks["volatility"] > 0)
    return ticks


def read_influx(url: str, token: str, bucket: str) -> pd.DataFrame:
    """Every point of the bucket's `stock_metrics`; while nobody writes, for a write becomes visible field by field."""
    rows = [row | {"time_ns": row.pop("time")} for row in _ask(url, token, bucket, 'SELECT * FROM "stock_metrics"')]
    return _as_stored(pd.DataFrame(rows))


def count_influx(url: str, token: str, bucket: str) -> int:
    """How many points have all the fields that every point has."""
    counts = 'SELECT count("price") AS a, count("volume") AS b, count("offset") AS c FROM "stock_metrics"'
    rows = list(_ask(url, token, bucket, counts))
    return min(int(rows[0][name]) for name in "abc") if rows else 0


def _ask(url: str, token: str, bucket: str, query: str) -> Iterator[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"db": bucket, "epoch": "ns", "q": query})
    request = urllib.request.Request(f"{url}/query?{parameters}", headers={"Authorization": f"Token {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120) as answer:
        body = json.load(answer)
    for result in body["results"]:
        assert "error" not in result, result
        for series in result.get("series", ()):
            for values in series["values"]:
                yield dict(zip(series["columns"], values, strict=True))


def read_embedded_log(path: str, topic: str) -> list[tuple[int, int, bytes]]:
    """Every record of the embedded log's topic: partition (there is one, 0), offset, value."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT offset, value FROM log_records JOIN log_topics ON topic = id WHERE name = ? ORDER BY offset",
            (topic,),
        )
        return [(0, offset, value) for offset, value in rows]


def read_embedded_store(path: str) -> pd.DataFrame:
    """Every point of the embedded store."""
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'store_points'").fetchone():
            return _as_stored(pd.DataFrame())  # no worker has begun yet
        cursor = database.execute("SELECT * FROM store_points")
        names = [column[0] for column in cursor.description]
        return _as_stored(pd.DataFrame(cursor.fetchall(), columns=names))


def _as_stored(points: pd.DataFrame) -> pd.DataFrame:
    if points.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    for column in FLOATS:
        points[column] = points[column].astype(float) if column in points else np.nan
    for column in (*INTEGERS, "time_ns"):
        points[column] = points[column].astype("int64")
    points["is_anomaly"] = points["is_anomaly"].astype(bool)
    return points[list(COLUMNS)]


@dataclass(frozen=True)
class Verdict:
    """How the stored points differ from the expected ones: counts, and the first few differences in words."""

    expected: int
    lost: int
    doubled: int
    foreign: int
    differing: int
    digest: str
    examples: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not (self.lost or self.doubled or self.foreign or self.differing)

    def __str__(self) -> str:
        return (
            f"{self.expected:,} expected: {self.lost:,} lost, {self.doubled:,} doubled, {self.foreign:,} foreign, "
            f"{self.differing:,} differing; sha256 {self.digest[:16]}"
            + "".join(f"\n  {each}" for each in self.examples)
        )


def compare(expected: pd.DataFrame, stored: pd.DataFrame, tolerance: float = 1e-9, threshold: float = 2.0) -> Verdict:
    """Hold every field of every stored point against the expected one: floats within `tolerance`, relative."""
    place = ["partition", "offset"]
    doubled = int(stored.duplicated(place).sum())
    both = expected.merge(stored, on=place, how="outer", suffixes=("", "_stored"), indicator=True)
    lost = int((both["_merge"] == "left_only").sum())
    foreign = int((both["_merge"] == "right_only").sum())
    matched = both[both["_merge"] == "both"]
    different = pd.Series(False, index=matched.index)
    examples = []
    for column in COLUMNS:
        if column in place:
            continue
        wanted, found = matched[column], matched[f"{column}_stored"]
        if column == "is_anomaly":
            # A score that equals the threshold but for its last bits may fall on either side of it: then the stored
            # flag must be what the stored score says.
            at_threshold = np.isclose(matched["z_score"].astype(float), threshold, rtol=tolerance, atol=0.0)
            by_its_score = found.astype(bool) == (matched["z_score_stored"].astype(float) > threshold)
            same = by_its_score.to_numpy() & ((wanted == found).to_numpy() | at_threshold)
        elif column in FLOATS:
            # |price - ma_10| cancels digits, so that a score near 0 keeps its absolute error, not its relative one.
            floor = tolerance if column == "z_score" else 0.0
            same = np.isclose(wanted.astype(float), found.astype(float), rtol=tolerance, atol=floor, equal_nan=True)
        else:
            same = (wanted == found).to_numpy()
        for index in matched.index[~same][:3]:
            row = matched.loc[index]
            examples.append(
                f"{row['symbol']} {row['partition']}/{row['offset']} {column}: {wanted[index]} {found[index]}"
            )
        different |= ~same
    return Verdict(
        expected=len(expected),
        lost=lost,
        doubled=doubled,
        foreign=foreign,
        differing=int(different.sum()),
        digest=digest(stored),
        examples=tuple(examples[:10]),
    )


def digest(points: pd.DataFrame) -> str:
    """A sha256 over every bit of every point, in the order of partition and offset."""
    ordered = points.sort_values(["partition", "offset", "time_ns"])
    lines = ordered.to_csv(index=False, float_format="%.17g", columns=list(COLUMNS))
    return hashlib.sha256(lines.encode()).hexdigest()


def metrics_by_symbol(points: pd.DataFrame) -> dict[str, list[tuple[float, ...]]]:
    """Each symbol's metrics, tick for tick in log order: what two stacks must have in common to the bit."""
    ordered = points.sort_values(["partition", "offset"])
    columns = ["price", "volume", *METRICS]
    return {
        str(symbol): [tuple(row) for row in group[columns].to_numpy(dtype=float)]
        for symbol, group in ordered.groupby("symbol")
    }
