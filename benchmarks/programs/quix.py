"""A program to measure: Quix Streams 3 as its documentation builds such a consumer.

It has a StreamingDataFrame with state (by default in RocksDB, with a changelog topic), a sink derived from
BatchingSink, and at-least-once delivery. One default is changed: a checkpoint every second rather than every five, so
that the sink's batches stay small and the last batch does not wait.
"""

import argparse
import os
import sys
import tempfile
from datetime import datetime
from typing import Any

from quixstreams import Application, State
from quixstreams.sinks import BatchingSink, SinkBatch

from benchmarks.figures import Figures
from benchmarks.programs import formulas
from benchmarks.programs.posting import Posting

CHUNK = 5_000
CHECKPOINT_SECONDS = 1.0


class InfluxSink(BatchingSink):  # type: ignore[misc]  # the library has no types here
    """Writes the lines of each checkpoint, and ends the application after the last tick."""

    def __init__(self, figures: Figures, ticks: int) -> None:
        super().__init__()
        self.figures = figures
        self.ticks = ticks
        self.written = 0
        self.app: Application | None = None
        self._posting = Posting()

    def write(self, batch: SinkBatch) -> None:
        for chunk in batch.iter_chunks(CHUNK):
            lines = [item.value for item in chunk]
            self._posting.post("\n".join(lines).encode())
            self.written += len(lines)
        if self.written >= self.ticks:
            self.figures.end(self.written)
            if self.app is not None:
                self.app.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, required=True)
    arguments = parser.parse_args()
    figures = Figures()
    sink = InfluxSink(figures, arguments.ticks)

    def measure(tick: dict[str, Any], state: State) -> str:
        if not figures.begun:
            figures.begin()
        windows = formulas.advanced(state.get("windows"), tick["price"], tick["volume"])
        state.set("windows", windows)
        moment = datetime.fromisoformat(tick["timestamp"])
        return formulas.line(tick["symbol"], tick["source"], tick["change_percent"], moment, windows)

    with tempfile.TemporaryDirectory() as folder:
        sink.app = Application(
            broker_address=os.environ["KAFKA_SERVERS"],
            consumer_group=os.environ["KAFKA_GROUP"],
            auto_offset_reset="earliest",
            commit_interval=CHECKPOINT_SECONDS,
            state_dir=folder,
            loglevel="WARNING",
        )
        frame = sink.app.dataframe(sink.app.topic(os.environ["KAFKA_TOPIC"], value_deserializer="json"))
        frame.apply(measure, stateful=True).sink(sink)
        sink.app.run()
    print(figures.to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
