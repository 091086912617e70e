"""A program to measure: our producer, from its first tick until its last is acknowledged; prints the usual JSON line.

`--bare` instead measures a loop over kafka-python's producer, with our options and with ready-made records of the same
size, which does not check acknowledgements.
"""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence

import msgspec
import pandas as pd
from kafka import KafkaProducer

from benchmarks import load
from benchmarks.figures import Figures
from config import Settings, load_settings
from stock_producer import StockDataProducer
from tickflow.process import StopEvent, set_up_logging
from tickflow.ticklog.kafka.writer import BATCH_BYTES
from tickflow.ticks.tick import Tick, encode


class MeasuredProducer(StockDataProducer):
    """The producer, measured from the moment it publishes its first ticks."""

    figures: Figures

    def _publish(self, batch: Sequence[Tick]) -> None:
        if not self.figures.begun:
            self.figures.begin()
        super()._publish(batch)


def ours(settings: Settings, ticks: int) -> Figures:
    stop = StopEvent()
    stop.listen()
    per_symbol = None if settings.source == "replay" else ticks // len(settings.symbols)
    producer = MeasuredProducer(settings, stop=stop, ticks=per_symbol)
    producer.figures = Figures()
    producer.start_streaming(interval=settings.tick_interval)
    producer.figures.end(producer.sent)
    return producer.figures


def bare(settings: Settings, ticks: int) -> Figures:
    symbols = len(settings.symbols)
    records = [
        (tick.symbol.encode(), encode(msgspec.structs.replace(tick, producer=uuid.uuid4().hex, seq=number // symbols)))
        for number, tick in enumerate(load.ticks(ticks, symbols), symbols)
    ]
    figures = Figures()
    producer = KafkaProducer(
        bootstrap_servers=list(settings.kafka_servers), acks="all", enable_idempotence=True, linger_ms=5,
        batch_size=BATCH_BYTES, metrics_enabled=False,
    )  # fmt: skip
    figures.begin()
    for key, value in records:
        producer.send(settings.kafka_topic, value, key=key)
    producer.flush()
    figures.end(ticks)
    producer.close()
    return figures


def with_pandas(settings: Settings, ticks: int) -> Figures:
    """Measure what most people write for this task: `pandas.read_csv`, then a loop of `json.dumps` and `send`."""
    producer = KafkaProducer(
        bootstrap_servers=list(settings.kafka_servers), acks="all", enable_idempotence=True, linger_ms=5,
        batch_size=BATCH_BYTES, metrics_enabled=False,
    )  # fmt: skip
    figures = Figures()
    figures.begin()
    frame = pd.read_csv(str(settings.replay_file))
    for row in frame.itertuples(index=False):
        record = {"symbol": row.symbol, "price": row.price, "timestamp": row.timestamp, "volume": row.volume}
        producer.send(settings.kafka_topic, json.dumps(record).encode(), key=str(row.symbol).encode())
    producer.flush()
    figures.end(ticks)
    producer.close()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--pandas", action="store_true")
    arguments = parser.parse_args()
    set_up_logging("ERROR")
    settings = load_settings()
    measure = bare if arguments.bare else with_pandas if arguments.pandas else ours
    figures = measure(settings, arguments.ticks)
    print(figures.to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
