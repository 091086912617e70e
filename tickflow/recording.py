"""A topic as Parquet files by symbol and day: written by the recorder, read as tables.

The producer replays a recording through `sources.recorded`.

    FOLDER/recording.json                           the topic, and the offset up to which each partition is recorded
    FOLDER/AAPL/2026-01-05/00000-000…1200.parquet   one portion of partition 0, starting at offset 1200

A file appears either complete or not at all. The offset advances once all files of a portion are written. After a
crash, files beyond the offset are deleted, and their portion is read again.
"""

import json
import logging
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tickflow.backoff import Saying
from tickflow.errors import LogUnavailable, SettingError, Stopped
from tickflow.ticklog.base import Bounds, Record, TickLog
from tickflow.ticks.tick import Limits, TickBatch, decode, epoch_us, moment_of

STATE = "recording.json"
WRITING = ".writing"
PORTION_TICKS = 200_000
"""The maximum number of ticks that are kept in memory before they are written: about 200 MB, measured with 4 and with
2,000 symbols.
"""
PORTION_SECONDS = 300.0
"""For how many seconds ticks are collected before they are written, so that the day of a quiet symbol does not become
thousands of files.
"""
POLL_SECONDS = 1.0

logger = logging.getLogger("tickflow.producer")


def folder_of(symbol: str) -> str:
    """The name of a symbol's folder, encoded so that no symbol can point outside the recording.

    >>> folder_of("BRK.B"), folder_of(".."), folder_of("ES/H6")
    ('BRK%2EB', '%2E%2E', 'ES%2FH6')
    """
    return quote(symbol, safe="").replace(".", "%2E")


def schema() -> Any:
    """The columns of a recording: all fields of a tick, and its partition and offset."""
    import pyarrow as pa

    return pa.schema(
        [
            ("timestamp", pa.timestamp("us", "UTC")),
            ("symbol", pa.string()),
            ("price", pa.float64()),
            ("volume", pa.float64()),
            ("change_percent", pa.float64()),
            ("source", pa.string()),
            ("producer", pa.string()),
            ("seq", pa.string()),  # a counter may have any number of digits, so it is text
            ("naive", pa.bool_()),
            ("partition", pa.int32()),
            ("offset", pa.int64()),
            ("appended", pa.timestamp("ms", "UTC")),
        ]
    )


@dataclass
class _Portion:
    """The records of one partition that were read but not written yet: the offsets in [`start`, `end`)."""

    start: int
    end: int
    ticks: list[TickBatch] = field(default_factory=list)


class Recorder:
    """Records the log's topic into `folder`: from the topic's start or, with `from_now`, from its current end.

    It joins no group. The constructor raises `SettingError` for a folder that has a recording of a different topic.
    """

    def __init__(
        self,
        log: TickLog,
        folder: Path,
        *,
        limits: Limits | None = None,
        from_now: bool = False,
        portion_ticks: int = PORTION_TICKS,
        portion_seconds: float = PORTION_SECONDS,
    ) -> None:
        self.recorded = 0
        self._log = log
        self._folder = folder
        self._limits = limits or Limits()
        self._from_now = from_now
        self._portion_ticks = portion_ticks
        self._portion_seconds = portion_seconds
        self._portions: dict[int, _Portion] = {}
        self._waiting = 0
        self._trouble = Saying(logger)
        self._places = self._opened()

    def run(self) -> None:
        """Record until asked to stop."""
        due = time.monotonic() + self._portion_seconds
        is_behind = True
        try:
            while not self._log.stop.is_set():
                try:
                    for partition in self._log.partitions():
                        self._read(partition)
                    self._trouble.over(f"the topic {self._log.topic} is read again")
                    if is_behind:
                        is_behind = False
                        logger.info(
                            "%s ticks read up to the end of the topic; the rest is written every %g s and at a stop",
                            *(f"{self.recorded + self._waiting:,}", self._portion_seconds),
                        )
                except LogUnavailable as error:
                    self._trouble(f"the topic {self._log.topic} cannot be read: {error}")
                if time.monotonic() >= due:
                    self.write()
                    due = time.monotonic() + self._portion_seconds
                self._log.stop.wait(POLL_SECONDS)
        except Stopped:
            logger.info("asked to stop")
        finally:
            self.write()
            logger.info("%s ticks recorded in %s", f"{self.recorded:,}", self._folder)

    def write(self) -> None:
        """Write the ticks read so far, then advance the recorded offsets."""
        for partition, portion in self._portions.items():
            for (symbol, day), rows in _by_symbol_and_day(portion).items():
                name = f"{partition:05d}-{portion.start:020d}.parquet"
                self._put(self._folder / folder_of(symbol) / day / name, rows)
            self._places[partition] = portion.end
        if self._portions:
            self._save()
        self.recorded += self._waiting
        if self._waiting:
            logger.info("%s ticks recorded", f"{self.recorded:,}")
        self._portions.clear()
        self._waiting = 0

    def _read(self, partition: int) -> None:
        bounds = self._log.bounds(partition)
        if partition not in self._places:
            self._places[partition] = bounds.end if self._from_now else bounds.start
            self._save()
        portion = self._portions.get(partition)
        begin = portion.end if portion else self._places[partition]
        if begin > bounds.end:
            raise SettingError(
                "--record", str(self._folder), f"another folder: the topic {self._log.topic} was created again since"
            )
        if begin < bounds.start:
            lost = bounds.start - begin
            logger.warning("%s records of partition %d were gone before they were recorded", f"{lost:,}", partition)
            begin = bounds.start
        for records in self._log.read(partition, Bounds(begin, bounds.end)):
            if records:
                self._take(partition, begin, records)
                begin = records[-1].offset + 1
        if begin < bounds.end:
            self._take(partition, begin, ())
            self._portions[partition].end = bounds.end

    def _take(self, partition: int, begin: int, records: Sequence[Record]) -> None:
        portion = self._portions.setdefault(partition, _Portion(begin, begin))
        if records:
            ticks, _ = decode(records, self._limits)
            portion.end = records[-1].offset + 1
            portion.ticks.append(ticks)
            self._waiting += len(ticks)
            if self._waiting >= self._portion_ticks:
                self.write()

    def _opened(self) -> dict[int, int]:
        """The recorded offsets in the folder. Creates a missing folder; deletes files that a crash left unfinished."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._folder / WRITING, ignore_errors=True)
            (self._folder / WRITING).mkdir()
            state = _state(self._folder)
        except (OSError, ValueError, KeyError) as error:
            raise SettingError("--record", str(self._folder), f"a folder that can be written ({error})") from error
        if state is None:
            return {}
        topic, places = state
        if topic != self._log.topic:
            raise SettingError("--record", str(self._folder), f"another folder: this one holds the topic {topic}")
        for file in self._folder.glob("*/*/*.parquet"):
            if not _is_whole(file, places):
                file.unlink()
        return places

    def _save(self) -> None:
        content = {"topic": self._log.topic, "places": {str(number): at for number, at in self._places.items()}}
        file = self._folder / WRITING / STATE
        with file.open("w", encoding="utf-8") as out:
            json.dump(content, out)
            out.flush()
            os.fsync(out.fileno())
        file.replace(self._folder / STATE)

    def _put(self, place: Path, rows: dict[str, list[object]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        file = self._folder / WRITING / place.name
        pyarrow.parquet.write_table(pa.table(rows, schema=schema()), file, compression="zstd")
        with file.open("rb") as written:
            os.fsync(written.fileno())
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)


def is_recording(folder: Path) -> bool:
    """Whether `folder` was written by the recorder."""
    return (folder / STATE).is_file()


def completed(folder: Path, symbols: Sequence[str] | None = None) -> list[Path]:
    """The files of a recording, for these symbols or for all, in the order of their names.

    Files of a portion that the recorder did not complete are left out: it deletes them at its next start.
    """
    # The state is read before the files are listed: files that it counts as recorded are never deleted.
    _, places = _state(folder) or ("", {})
    found = chain.from_iterable(folder.glob(f"{one}/*/*.parquet") for one in _folders(symbols))
    return [file for file in sorted(found) if _is_whole(file, places)]


def _folders(symbols: Sequence[str] | None) -> Iterable[str]:
    return ("*",) if symbols is None else {folder_of(symbol) for symbol in symbols}


def read(
    where: object,
    symbols: Sequence[str] | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    *,
    form: str = "pandas",
) -> Any:
    """The ticks of a recording, or the points of a connected store, for these symbols (all by default), as one table.

    The table has event times from `begin` until just before `end`, both of which need a zone. `form`: `pandas` or
    `arrow`. Raises `ValueError`.
    """
    if form not in ("pandas", "arrow"):
        raise ValueError(f"form is pandas or arrow, not {form!r}")
    for moment in (begin, end):
        if moment is not None and moment.tzinfo is None:
            raise ValueError("begin and end need a time zone, such as datetime.UTC")
    found = _read_folder(Path(where), symbols, begin, end) if isinstance(where, str | Path) else None
    if found is None:
        found = _read_store(where, symbols, begin, end)
    return found if form == "arrow" else found.to_pandas()


def _read_folder(folder: Path, symbols: Sequence[str] | None, begin: datetime | None, end: datetime | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet

    if not is_recording(folder):
        raise ValueError(f"{folder} is not a recording: stock_producer.py --record makes one")
    first, last = (None if moment is None else moment.astimezone(UTC).date().isoformat() for moment in (begin, end))
    files = [
        file
        for file in completed(folder, symbols)
        if (first is None or file.parent.name >= first) and (last is None or file.parent.name <= last)
    ]
    table = pa.concat_tables([schema().empty_table(), *map(pyarrow.parquet.read_table, files)])
    if begin is not None:
        table = table.filter(pa.compute.greater_equal(table["timestamp"], pa.scalar(begin)))
    if end is not None:
        table = table.filter(pa.compute.less(table["timestamp"], pa.scalar(end)))
    return table.sort_by([("symbol", "ascending"), ("partition", "ascending"), ("offset", "ascending")])


def _read_store(where: Any, symbols: Sequence[str] | None, begin: datetime | None, end: datetime | None) -> Any:
    import pyarrow as pa

    from tickflow.metrics.fields import NAMES
    from tickflow.metrics.points import Points

    since, until = (None if moment is None else epoch_us(moment) * 1000 for moment in (begin, end))
    names = where.latest().symbol if symbols is None else symbols
    points = Points.joined([Points.from_rows([]), *(where.points(name, since or 0, until) for name in names)])
    table = pa.table({name: pa.array(getattr(points, name), from_pandas=True) for name in NAMES})
    times = table["time_ns"].cast(pa.timestamp("ns", "UTC"))
    return table.drop_columns(["time_ns"]).add_column(0, "time", times)


def _state(folder: Path) -> tuple[str, dict[int, int]] | None:
    if not is_recording(folder):
        return None
    found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return found["topic"], {int(number): at for number, at in found["places"].items()}


def _is_whole(file: Path, places: Mapping[int, int]) -> bool:
    """Whether the recorder has completed the portion that the file belongs to; after a crash it deletes the other files
    at its next start.
    """
    partition, start = map(int, file.stem.split("-"))
    return start < places.get(partition, 0)


def _by_symbol_and_day(portion: _Portion) -> dict[tuple[str, str], dict[str, list[object]]]:
    found: defaultdict[tuple[str, str], dict[str, list[object]]] = defaultdict(lambda: {n: [] for n in schema().names})
    for ticks in portion.ticks:
        columns = (
            *(ticks.records, ticks.time_us.tolist(), ticks.symbols, ticks.prices.tolist(), ticks.volumes.tolist()),
            *(ticks.change_percent.tolist(), ticks.sources, ticks.producers, ticks.seqs, ticks.naive),
        )
        for record, us, symbol, price, volume, change, source, producer, seq, naive in zip(*columns, strict=True):
            moment = moment_of(us)
            row = found[symbol, moment.date().isoformat()]
            values = (
                *(moment, symbol, price, volume, None if change != change else change, source, producer),
                *(None if seq is None else str(seq), naive, record.partition, record.offset, record.timestamp),
            )
            for name, value in zip(row, values, strict=True):
                row[name].append(value)
    return found
