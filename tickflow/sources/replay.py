"""Recorded ticks from a CSV file (plain or .gz), at the speed they were recorded, faster, or without waiting.

The columns `timestamp`, `symbol`, `price` and `volume` are needed, in any order; others are passed over. Every symbol
of the file is published, whatever `SYMBOLS` says, in the order of the file and with the times it gives. The file is
streamed: its size does not matter.
"""

import csv
import gzip
import io
import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from tickflow.errors import SettingError, SourceError
from tickflow.sources.base import Wait
from tickflow.ticks.tick import Reason, Tick, epoch_us, from_text

COLUMNS = ("timestamp", "symbol", "price", "volume")
BATCH = 1000
SHOWN_REFUSALS = 5

logger = logging.getLogger("tickflow.producer")


class Replay:
    """The ticks of `path`, at `speed` times the recorded speed (`math.inf`: as fast as they are taken).

    Opens the file and reads its header at once: raises `SettingError` naming `REPLAY_FILE` if either fails. `clock` is
    monotonic, in seconds.
    """

    def __init__(self, path: Path | None, *, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        if path is None:
            raise SettingError("REPLAY_FILE", None, "the CSV file to replay (SOURCE is replay)")
        self.symbols: Sequence[str] = ()
        self.read = self.refused = 0
        self._path = path
        self._speed = speed
        self._clock = clock
        self._first_refusal = ""
        try:
            self._raw: BinaryIO = path.open("rb")
            self._size = path.stat().st_size
        except OSError as error:
            raise SettingError("REPLAY_FILE", str(path), f"a readable CSV file ({error.strerror})") from None
        self._at = 0
        self._rows = csv.reader(_text_of(self._raw, path))
        try:
            self._columns = self._header()
        except SettingError:
            self._raw.close()
            raise
        self._started = clock()

    @property
    def what(self) -> str:
        """For the line at the start."""
        pace = "as fast as possible" if math.isinf(self._speed) else f"at {self._speed:g} times the recorded speed"
        return f"the recorded ticks of {self._path} {pace}"

    def batches(self, wait: Wait) -> Iterator[list[Tick]]:
        """The ticks that are due, at most `BATCH` together. Raises `SourceError` at the end if rows were refused."""
        self._started = self._clock()
        first_us: int | None = None
        batch: list[Tick] = []
        paced = not math.isinf(self._speed)
        try:
            for tick in self._ticks():
                if paced:
                    time_us = epoch_us(tick.timestamp)
                    first_us = time_us if first_us is None else first_us
                    due = self._started + (time_us - first_us) / 1e6 / self._speed
                    if due > self._clock():
                        yield batch
                        batch = []
                        if wait(due - self._clock()):
                            return
                batch.append(tick)
                if len(batch) >= BATCH:
                    yield batch
                    batch = []
            yield batch
        except (OSError, EOFError, zlib.error) as error:
            yield batch
            raise SourceError(
                f"{self._path} is damaged after line {self._rows.line_num:,} ({error}); "
                f"the {self.read - self.refused:,} ticks before it were published."
            ) from None
        finally:
            self._at = self._raw.tell()
            self._raw.close()
        if self.refused:
            raise SourceError(
                f"{self.refused:,} of {self.read:,} rows of {self._path} were refused and not published, all others "
                f"were; the first: {self._first_refusal}."
            )

    def progress(self) -> str:
        """The part of the file that was read, the rate, and the time left at this rate."""
        seconds = max(self._clock() - self._started, 1e-6)
        done = min(1.0, (self._at if self._raw.closed else self._raw.tell()) / max(self._size, 1))
        left = f", {_duration(seconds * (1 - done) / done)} left" if 0 < done < 1 else ""
        refused = f", {self.refused:,} refused" if self.refused else ""
        return f"{self.read:,} rows read{refused}, {done:.0%} of the file, {self.read / seconds:,.0f} rows/s{left}"

    def _header(self) -> tuple[int, ...]:
        try:
            names = [name.strip().lower() for name in next(self._rows, [])]
        except (OSError, EOFError, zlib.error, csv.Error) as error:
            raise SettingError("REPLAY_FILE", str(self._path), f"a readable CSV file ({error})") from None
        wrong = [name for name in COLUMNS if names.count(name) != 1]
        if wrong:
            found = "is missing" if wrong[0] not in names else "is there twice"
            expected = f"a CSV file whose first line names the columns {', '.join(COLUMNS)}; {wrong[0]} {found}"
            raise SettingError("REPLAY_FILE", str(self._path), expected)
        return tuple(names.index(name) for name in COLUMNS)

    def _ticks(self) -> Iterator[Tick]:
        timestamp, symbol, price, volume = self._columns
        needed = max(self._columns) + 1
        while True:
            try:
                for row in self._rows:
                    if not row:  # an empty line
                        continue
                    self.read += 1
                    if len(row) < needed:
                        self._refuse("columns_missing")
                        continue
                    tick = from_text(row[symbol], row[price], row[timestamp], row[volume], "replay")
                    if isinstance(tick, Reason):
                        self._refuse(tick)
                    else:
                        yield tick
                return
            except csv.Error as error:  # one unreadable line; the reader goes on after it
                self.read += 1
                self._refuse(str(error))

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        where = f"line {self._rows.line_num:,}: {reason}"
        self._first_refusal = self._first_refusal or where
        if self.refused <= SHOWN_REFUSALS:
            logger.warning("%s, %s; refused, the replay goes on", self._path, where)
        if self.refused == SHOWN_REFUSALS:
            logger.warning("further refused rows are only counted")


def _text_of(raw: BinaryIO, path: Path) -> TextIO:
    """The file's text; bytes that are not UTF-8 become U+FFFD, which no rule for a tick lets pass."""
    binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
