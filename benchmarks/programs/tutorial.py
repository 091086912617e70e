"""A program to measure: the consumer that tutorials show, for comparison.

It uses a json deserializer, lists of the latest prices, numpy for each tick, one synchronous write of a `Point` per
tick, and the client's default commits. With `--batching` the points are written by the client's batching mode with its
defaults, which ignores write errors. Runs for a given time, or until the topic's end, and prints a JSON line with the
same figures as our worker's.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict, deque
from typing import Any

import numpy as np
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from kafka import KafkaConsumer

from benchmarks.figures import Figures


def point_of(tick: dict[str, Any], prices: deque[float]) -> Point:
    """The point of a tick, given the earlier prices of its symbol."""
    prices.append(tick["price"])
    recent = list(prices)
    point = Point("stock_metrics").tag("symbol", tick["symbol"]).field("price", float(tick["price"]))
    point = point.field("volume", int(tick["volume"]))
    for n in (5, 10, 20):
        if len(recent) >= n:
            point = point.field(f"ma_{n}", float(np.mean(recent[-n:])))
    if len(recent) >= 10:
        volatility = float(np.std(recent[-10:]))
        score = abs(recent[-1] - float(np.mean(recent[-10:]))) / volatility if volatility else 0.0
        point = point.field("volatility", volatility).field("is_anomaly", score > 2.0)
    return point.time(tick["timestamp"], WritePrecision.NS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--ticks", type=int, required=True, help="how many ticks the topic holds")
    parser.add_argument("--warm-up", type=int, default=0, help="ticks to process before the clock starts")
    parser.add_argument("--batching", action="store_true")
    arguments = parser.parse_args()
    bucket, org = os.environ["INFLUXDB_BUCKET"], os.environ["INFLUXDB_ORG"]
    client = InfluxDBClient(os.environ["INFLUXDB_URL"], os.environ["INFLUXDB_TOKEN"], org=org)
    writer = client.write_api(write_options=WriteOptions() if arguments.batching else SYNCHRONOUS)
    consumer = KafkaConsumer(
        os.environ["KAFKA_TOPIC"],
        bootstrap_servers=os.environ["KAFKA_SERVERS"],
        group_id=os.environ["KAFKA_GROUP"],
        auto_offset_reset="earliest",
        value_deserializer=lambda value: json.loads(value.decode("utf-8")),
    )
    history: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=200))
    figures = Figures()
    count = 0
    for message in consumer:
        tick = message.value
        point = point_of(tick, history[tick["symbol"]])
        writer.write(bucket=bucket, org=org, record=point)
        count += 1
        if count == arguments.warm_up + 1:
            figures.begin()
        is_over = count > arguments.warm_up and time.monotonic() - figures.begun_at >= arguments.seconds
        if is_over or count == arguments.ticks:
            break
    writer.close()  # only this call writes what is still buffered
    figures.end(count - arguments.warm_up)
    print(figures.to_json(stored=count), flush=True)
    consumer.close()
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
