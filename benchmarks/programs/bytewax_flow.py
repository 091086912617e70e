"""A program to measure: bytewax, in two forms.

Plain: as bytewax's documentation builds such a flow, keyed and stateful, with a sink that writes one batch at a time,
and recovery with the default interval of ten seconds. `--tuned`: whole batches through our own decoder and formulas,
without recovery or commits; a crash would lose its windows. Both forms read 5,000 records at a time.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks import load
from benchmarks.figures import Figures
from benchmarks.programs import formulas
from benchmarks.programs.posting import Posting
from tickflow.metrics.windows import Windows
from tickflow.ticklog.base import Entry

BATCH = 5_000


class TickBody(msgspec.Struct):
    symbol: str
    price: float
    timestamp: datetime
    volume: int
    change_percent: float
    source: str


class InfluxPartition(StatelessSinkPartition[str]):  # type: ignore[misc]  # the library has no types here
    def __init__(self, figures: Figures, ticks: int) -> None:
        self._figures = figures
        self._ticks = ticks
        self._written = 0
        self._posting = Posting()

    def write_batch(self, items: list[str]) -> None:
        self._posting.post("\n".join(items).encode())
        self._written += len(items)
        if self._written >= self._ticks:
            self._figures.end(self._written)


class InfluxSink(DynamicSink[str]):  # type: ignore[misc]
    def __init__(self, figures: Figures, ticks: int) -> None:
        self._figures = figures
        self._ticks = ticks

    def build(self, step_id: str, worker_index: int, worker_count: int) -> InfluxPartition:
        return InfluxPartition(self._figures, self._ticks)


def flow_of(figures: Figures, ticks: int, tuned: bool) -> Dataflow:
    flow = Dataflow("ticks")
    # Without `tail` the flow ends at the end of the topic.
    source = KafkaSource([os.environ["KAFKA_SERVERS"]], [os.environ["KAFKA_TOPIC"]], tail=False, batch_size=BATCH)
    messages = op.input("kafka", flow, source)
    lines = _by_batch(messages, figures) if tuned else _by_key(messages, figures)
    op.output("influxdb", lines, InfluxSink(figures, ticks))
    return flow


def _by_key(messages: Any, figures: Figures) -> Any:
    read = msgspec.json.Decoder(TickBody).decode

    def decode(message: KafkaSourceMessage[bytes, bytes]) -> TickBody:
        if not figures.begun:
            figures.begin()
        return read(message.value)

    def measure(state: formulas.State | None, tick: TickBody) -> tuple[formulas.State, str]:
        state = formulas.advanced(state, tick.price, tick.volume)
        return state, formulas.line(tick.symbol, tick.source, tick.change_percent, tick.timestamp, state)

    keyed = op.key_on("by symbol", op.map("decode", messages, decode), lambda tick: tick.symbol)
    return op.key_rm("lines", op.stateful_map("measure", keyed, measure))


def _by_batch(messages: Any, figures: Figures) -> Any:
    windows = Windows()

    def measure(batch: list[KafkaSourceMessage[bytes, bytes]]) -> Iterable[str]:
        if not figures.begun:
            figures.begin()
        return load.lines(windows, [Entry(each.partition, each.offset, each.key, each.value, 0, 0) for each in batch])

    return op.flat_map_batch("measure", messages, measure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--tuned", action="store_true")
    arguments = parser.parse_args()
    figures = Figures()
    flow = flow_of(figures, arguments.ticks, arguments.tuned)
    if arguments.tuned:
        cli_main(flow)
    else:
        with tempfile.TemporaryDirectory() as folder:
            init_db_dir(Path(folder), 1)
            cli_main(flow, recovery_config=RecoveryConfig(Path(folder)))
    print(figures.to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
