"""A recording as a source: the unchanged ticks of a topic, each partition in the order of its log."""

import heapq
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from tickflow.errors import SettingError, SourceError
from tickflow.recording import STATE, completed, folder_of, schema
from tickflow.sources.base import Wait
from tickflow.sources.files.arrow import PARQUET
from tickflow.sources.files.sources import paths_of
from tickflow.sources.pace import Pace
from tickflow.sources.replay import Part
from tickflow.ticks.tick import Tick, epoch_us

BATCH = 1_000
ROWS = 20_000
"""The maximum number of rows of a partition that are in memory as Python objects."""

logger = logging.getLogger("tickflow.producer")


def recorded_files(path: Path) -> list[Path]:
    """The recorder's files in `path`, which is a recording, a part of a recording, a file, or a pattern. Empty if
    `path` also has other files.
    """
    if str(path) == "-" or path.is_fifo():
        return []
    if (path / STATE).is_file():
        found = completed(path)
        return found or [path / STATE]
    try:
        found = paths_of(path)
    except SettingError:
        return []
    named = [file for file in found if file.suffix == ".parquet" and _place(file) is not None]
    return found if named and len(named) == len(found) and _is_recorded(named[0]) else []


def _place(file: Path) -> tuple[int, int] | None:
    """The partition and the first offset that the name of a file states."""
    partition, _, start = file.stem.partition("-")
    return (int(partition), int(start)) if partition.isdecimal() and start.isdecimal() else None


def _is_recorded(file: Path) -> bool:
    with file.open("rb") as stream:
        if stream.read(4) != PARQUET:
            return False
    import pyarrow.parquet

    try:
        return bool(pyarrow.parquet.read_schema(file).names == schema().names)
    except (pyarrow.ArrowException, OSError):
        return False


class Recorded:
    """The ticks of a recording.

    `speed` is relative to the pace at which the log received them; `math.inf`: without waiting. `part`, `loop`, `shift`
    and `now` are as for `Replay`; shifted ticks have the source `replay`, regardless of their original source. With a
    `pace` that readers steer, ticks are due by their own times, which are the times that readers see.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        *,
        speed: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
        part: Part | None = None,
        loop: bool = False,
        shift: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace | None = None,
    ) -> None:
        self.symbols: Sequence[str] = ()
        self._path = path
        self._part = part or Part()
        self._pace = pace or Pace(speed, clock)
        self._speed = self._pace.speed
        self._loop, self._shift, self._now = loop, shift, now
        self._given = 0
        wanted = {folder_of(symbol) for symbol in self._part.symbols}
        self._files = [
            file for file in files if file.suffix == ".parquet" and (not wanted or file.parent.parent.name in wanted)
        ]

    @property
    def what(self) -> str:
        """The recording, for the first log line."""
        pace = "as fast as possible" if math.isinf(self._speed) else f"at {self._speed:g} times the recorded speed"
        return f"the recording {self._path} ({len(self._files):,} files) {pace}"

    def batches(self, wait: Wait) -> Iterator[Sequence[Tick]]:
        """The ticks that are due. Raises `SourceError` if a file is damaged."""
        while True:
            before = self._given
            stopped = yield from self._round(wait)
            if not stopped and self._pace.steered:
                self._pace.end(wait)
            if stopped or not self._loop or self._given == before:
                return
            logger.info("%s: reached the end, starting again (--loop)", self._path)

    def _round(self, wait: Wait) -> Generator[Sequence[Tick], None, bool]:
        """Replay the recording once; return whether the process was asked to stop."""
        by_partition: defaultdict[int, list[Path]] = defaultdict(list)
        for file in self._files:
            partition, _ = _place(file) or (0, 0)
            by_partition[partition].append(file)
        streams = [self._rows(files) for files in by_partition.values()]
        rows = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=itemgetter(0))
        paced, moved = not math.isinf(self._speed), timedelta(0)
        last_us: int | None = None
        batch: list[Tick] = []
        for appended, tick in rows:
            time_us = epoch_us(tick.timestamp) if self._pace.steered else appended * 1000
            if last_us is None:
                self._pace.begin(time_us)
                moved = self._now() - _utc(tick.timestamp) if self._shift else moved
            elif time_us < last_us:  # a tick out of order is published together with the ticks before it
                time_us = last_us
            if paced and not self._pace.is_due(time_us):
                yield batch
                batch = []
                if last_us is not None:
                    self._pace.given(last_us)
                if self._pace.hold(time_us, wait):
                    return True
            last_us = time_us
            if self._shift:
                tick = msgspec.structs.replace(tick, timestamp=tick.timestamp + moved, source="replay")
            batch.append(tick)
            self._given += 1
            if len(batch) >= BATCH:
                yield batch
                batch = []
                self._pace.given(last_us)
        yield batch
        if last_us is not None:
            self._pace.given(last_us)
        return False

    def progress(self) -> str:
        """How many ticks were read."""
        return f"{self._given:,} ticks of the recording"

    def explain(self) -> Iterator[str]:
        """What `--explain` prints."""
        yield f"{self._path}: a recording of a topic, {len(self._files):,} Parquet files by symbol and day"
        yield "  each tick unchanged: symbol, price, time, volume, change, source, producer and number"
        yield "  order: as in the log, partition by partition, merged by the time of appending"
        shown = 0
        for batch in Recorded(self._path, self._files, part=self._part).batches(lambda _: False):
            for tick in batch[: 5 - shown]:
                if not shown:
                    yield "First 5 ticks:"
                volume = "" if tick.volume is None else f", volume {tick.volume:,g}"
                yield f"  {_utc(tick.timestamp).isoformat()}  {tick.symbol}  {tick.price!r}{volume}, of {tick.source}"
                shown += 1
            if shown >= 5:
                break

    def _rows(self, files: list[Path]) -> Iterator[tuple[int, Tick]]:
        """The ticks of one partition in the order of its log, each with its append time in ms."""
        import pyarrow as pa
        import pyarrow.parquet

        files.sort(key=lambda file: file.stem)
        for _, portion in groupby(files, key=lambda file: file.stem):
            try:
                table = pa.concat_tables(pyarrow.parquet.ParquetFile(file).read() for file in portion)
            except (pa.ArrowException, OSError) as error:
                short = " ".join(str(error).split())[:200]
                raise SourceError(f"a file of the recording {self._path} is damaged ({short})") from None
            table = self._of_part(table.sort_by("offset"))
            for start in range(0, len(table), ROWS):
                yield from _ticks(table.slice(start, ROWS))

    def _of_part(self, table: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute

        for at, test in (
            (self._part.begin_us, pyarrow.compute.greater_equal),
            (self._part.end_us, pyarrow.compute.less),
        ):
            if at is not None:
                table = table.filter(test(table["timestamp"], pa.scalar(at, pa.timestamp("us", "UTC"))))
        return table


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _ticks(table: Any) -> Iterator[tuple[int, Tick]]:
    import pyarrow as pa

    appended = table["appended"].cast(pa.int64()).to_pylist()
    times = table["timestamp"].cast(pa.timestamp("us")).to_pylist()
    names = ("symbol", "price", "volume", "change_percent", "source", "producer", "seq", "naive")
    columns = (table[name].to_pylist() for name in names)
    for ms, moment, symbol, price, volume, change, source, producer, seq, naive in zip(
        appended, times, *columns, strict=True
    ):
        yield (
            ms,
            Tick(
                symbol,
                price,
                moment if naive else moment.replace(tzinfo=UTC),
                volume=volume,
                change_percent=change,
                source=source,
                producer=producer,
                seq=None if seq is None else int(seq),
            ),
        )
