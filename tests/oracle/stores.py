"""Reads the whole content of a store, without the project's own readers."""

import json
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle.points import COLUMNS, FLOATS, INTEGERS


def read_influx(url: str, token: str, bucket: str) -> pd.DataFrame:
    """Every point in `stock_metrics`. Call this only while nobody writes: a write becomes visible field by field."""
    rows = [row | {"time_ns": row.pop("time")} for row in _ask(url, token, bucket, 'SELECT * FROM "stock_metrics"')]
    return _as_stored(pd.DataFrame(rows))


def count_influx(url: str, token: str, bucket: str) -> int:
    """The number of points whose mandatory fields are all visible."""
    counts = 'SELECT count("price") AS a, count("volume") AS b, count("offset") AS c FROM "stock_metrics"'
    rows = list(_ask(url, token, bucket, counts))
    # InfluxDB returns null for a field that has no visible value yet.
    return min(int(rows[0][name] or 0) for name in "abc") if rows else 0


def status_times_influx(url: str, token: str, bucket: str) -> list[int]:
    """The times of the workers' statuses, in ns since 1970."""
    return [int(row["time"]) for row in _ask(url, token, bucket, 'SELECT "lag_records" FROM "stock_status"')]


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


def read_embedded_store(path: str) -> pd.DataFrame:
    """Every point of the embedded store."""
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'store_points'").fetchone():
            return _as_stored(pd.DataFrame())  # no worker has created the tables yet
        cursor = database.execute("SELECT * FROM store_points")
        names = [column[0] for column in cursor.description]
        return _as_stored(pd.DataFrame(cursor.fetchall(), columns=names))


def count_embedded(path: str) -> int:
    """How many points there are; faster than reading them."""
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'store_points'").fetchone():
            return 0
        return int(database.execute("SELECT count(*) FROM store_points").fetchone()[0])


def _as_stored(points: pd.DataFrame) -> pd.DataFrame:
    if points.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    for column in FLOATS:
        points[column] = points[column].astype(float) if column in points else np.nan
    for column in (*INTEGERS, "time_ns"):
        points[column] = points[column].astype("int64")
    points["is_anomaly"] = points["is_anomaly"].astype(bool)
    return points[list(COLUMNS)]
