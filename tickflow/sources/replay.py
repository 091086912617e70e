"""Recorded ticks from files, at the recorded speed, faster, or without waiting.

`tickflow.sources.files` reads the files; this module decides when their ticks are due. Ticks keep their times from the
files; ticks of several files are merged in time order. The files are streamed, so their size does not matter.
"""

import hashlib
import logging
import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tickflow.errors import SettingError, SourceError
from tickflow.sources.base import Wait
from tickflow.sources.files.columns import Columns
from tickflow.sources.files.explain import explained, spelled
from tickflow.sources.files.options import Options, Refusal
from tickflow.sources.files.plan import BARS
from tickflow.sources.files.sources import Opened, Reading, open_all
from tickflow.sources.pace import Pace
from tickflow.ticks.tick import Tick, epoch_us

BATCH = 1000
SHOWN_REFUSALS = 5
LONG_GAP_SECONDS = 60.0
"""A wait of at least this many seconds is logged, and logged again after each further interval of this length."""
FAR_SECONDS = 10.0

logger = logging.getLogger("tickflow.producer")


@dataclass(frozen=True)
class Part:
    """Which ticks of the files are replayed: those of `symbols` (empty: all symbols), from `begin_us` up to, but not
    including, `end_us`.
    """

    symbols: frozenset[str] = frozenset()
    begin_us: int | None = None
    end_us: int | None = None

    def of(self, columns: Columns) -> Columns:
        """The ticks of the batch that belong to the part."""
        keep = np.ones(len(columns), bool)
        if self.symbols:
            keep &= np.fromiter((symbol in self.symbols for symbol in columns.symbols.tolist()), bool, len(columns))
        if self.begin_us is not None:
            keep &= columns.time_us >= self.begin_us
        if self.end_us is not None:
            keep &= columns.time_us < self.end_us
        return columns if keep.all() else columns.take(keep)


class Replay:
    """The ticks of the files that `path` names, at `speed` times the recorded speed (`math.inf`: without waiting).

    The constructor recognises the files, and raises `SettingError` if something is wrong with them. With `loop`, the
    replay starts again at its end, for ever; `shift` moves all times so that the first tick has the current time.
    `done` says how many ticks of each symbol an earlier run has published; these are skipped. `clock` is monotonic, in
    seconds; `now` gives the time of day. A `pace` that readers steer replaces `speed` and `clock`.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        options: Options | None = None,
        part: Part | None = None,
        loop: bool = False,
        shift: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace | None = None,
    ) -> None:
        if path is None:
            raise SettingError("REPLAY_FILE", None, "the file to replay (SOURCE is replay)")
        self.symbols: Sequence[str] = ()
        self.done: Mapping[str, int] = {}
        self.skipped = 0
        self._path = path
        self._pace = pace or Pace(speed, clock)
        self._speed = self._pace.speed
        self._clock = self._pace.monotonic
        self._now = now
        self._part = part or Part()
        self._loop, self._shift = loop, shift
        self._options = options or Options()
        self.opened: Opened = open_all(path, self._options)
        self._reading = self._new_reading()
        self._rounds = 0
        self._first_refusal = ""
        self._shown = 0
        self._next = ""
        self._went_back = False
        self._given = self._bytes = 0
        self._ahead = (0, 0, 0)
        self._started = self._clock()
        if loop and any(
            file.member.path is None and file.member.name.startswith("the standard") for file in self.opened.files
        ):
            raise SettingError("--loop", None, "a file, which can be read again; the standard input cannot")

    @property
    def read(self) -> int:
        """How many rows were read."""
        return self._reading.tally.read

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return self._reading.tally.refused

    @property
    def what(self) -> str:
        """The description of this source in the first log line."""
        pace = "as fast as possible" if math.isinf(self._speed) else f"at {self._speed:g} times the recorded speed"
        count = len(self.opened.files)
        files = f", {count:,} files," if count > 1 else ""
        return f"the recorded ticks of {self._path}{files} {pace}"

    def understood(self) -> Iterator[str]:
        """For each kind of file, one line per thing that was recognised or guessed."""
        said: set[str] = set()
        yield from self.opened.notes
        for file in self.opened.files:
            plain = ("price: column", "volume: column", "price: the close", "time:")
            # A unit in brackets, as in "price (cents)", is worth showing: only the user can judge it.
            notes = [note for note in file.plan.notes if not note.startswith(plain) or re.search(r"'.*[(\[].*'", note)]
            order = (
                ["the newest row comes first: sorted on disk"]
                if self._reading.sorts(file) and file.plan.direction < 0
                else []
            )
            line = "; ".join([file.form, *notes, *order])
            if line not in said and len(said) < SHOWN_REFUSALS:
                yield f"{file.member.name}: {line}"
            said.add(line)

    def explain(self) -> Iterator[str]:
        """What `--explain` prints."""
        return explained(self._path, self.opened, self._options)

    def identity(self) -> str:
        """A text that identifies this replay, made from the first bytes and sizes of the files and every setting that
        changes the ticks.
        """
        seen = hashlib.sha256()
        for file in self.opened.files:
            seen.update(bytes.fromhex(file.member.digest))
            size = 0 if file.member.path is None else file.member.path.stat().st_size
            seen.update(f"{file.names}{size}{file.plan}".encode())
        seen.update(repr((spelled(self.opened.files, self._options), self._part, self._options.quotes)).encode())
        return seen.hexdigest()[:16]

    def batches(self, wait: Wait) -> Iterator[list[Tick]]:
        """Yield the ticks that are due, at most `BATCH` at a time. Raises `SourceError` at the end if rows were
        refused.
        """
        self._started = self._clock()
        while True:
            stopped = yield from self._round(wait)
            self._rounds += 1
            if stopped or not self._loop:
                break
            if not self._reading.tally.read - self._reading.tally.refused:
                break
            logger.info("%s: reached the end, starting again (--loop)", self._path)
            self._reading = self._new_reading()
        if not stopped and self._pace.steered:
            self._pace.end(wait)
        if not stopped:
            self._complain()

    def _round(self, wait: Wait) -> Generator[list[Tick], None, bool]:
        """Yield the ticks of one pass over the files; return whether the process was asked to stop."""
        has_begun = False
        shift_us = last_us = 0
        paced = not math.isinf(self._speed)
        left = dict(self.done)
        self._bytes = 0
        for columns in self._reading.columns():
            part = self._part.of(columns)
            self._ahead = (self.opened.done - self._bytes, len(part), self._given)
            if left:
                part = self._without_done(part, left)
            if not len(part):
                self._bytes = self.opened.done
                continue
            if not has_begun:
                has_begun = True
                first_us = int(part.time_us[0])
                shift_us = epoch_us(self._now()) - first_us if self._shift else 0
                self._pace.begin(first_us + shift_us)
            self._look_back(part)
            if shift_us:
                part = replace(part, time_us=part.time_us + shift_us)
            if not paced:
                for start in range(0, len(part), BATCH):
                    batch = part.take(slice(start, start + BATCH)).ticks()
                    self._given += len(batch)
                    yield batch
                self._bytes = self.opened.done
                continue
            # A tick out of order is published together with the ticks before it.
            times_us = np.maximum.accumulate(np.maximum(part.time_us, last_us))
            last_us = int(times_us[-1])
            start = 0
            while start < len(part):
                if not self._pace.is_due(int(times_us[start])) and self._pause(int(times_us[start]), wait):
                    return True
                end = start + self._pace.count_due(times_us[start : start + BATCH])
                self._given += end - start
                yield part.take(slice(start, end)).ticks()
                self._pace.given(int(times_us[end - 1]))
                start = end
            self._bytes = self.opened.done
        return False

    def _pause(self, time_us: int, wait: Wait) -> bool:
        """Wait until the next tick is due; log a long wait at its start and every minute. Return whether the process
        was asked to stop.
        """
        if self._pace.steered:
            return self._pace.hold(time_us, wait)
        due = float(self._pace.due(time_us))
        moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")
        is_long = due - self._clock() >= FAR_SECONDS
        try:
            while (left := due - self._clock()) > 0:
                if is_long:
                    self._next = f"; the next tick is at {moment}, in {_duration(left)}"
                    logger.info(
                        "the next tick is at %s, in %s at this speed (--replay-speed max does not wait)",
                        moment,
                        _duration(left),
                    )
                if wait(min(left, LONG_GAP_SECONDS) if is_long else left):
                    return True
        finally:
            self._next = ""
        return False

    def _without_done(self, part: Columns, left: dict[str, int]) -> Columns:
        """The ticks that no earlier run has published: the first `done` ticks of each symbol are left out."""
        keep = np.ones(len(part), bool)
        for at, symbol in enumerate(part.symbols.tolist()):
            if left.get(symbol, 0) > 0:
                left[symbol] -= 1
                keep[at] = False
        self.skipped += int((~keep).sum())
        for symbol in [symbol for symbol, count in left.items() if not count]:
            del left[symbol]
        return part.take(keep)

    def _look_back(self, part: Columns) -> None:
        if self._went_back or len(part) < 2:
            return
        back = np.flatnonzero(np.diff(part.time_us) < 0)
        if len(back):
            self._went_back = True
            same = part.symbols[back[0]] == part.symbols[back[0] + 1]
            logger.warning(
                "%s, line %s: times go back%s; the replay keeps the order of the file (--sort always sorts it)",
                *(self._path, f"{int(part.lines[back[0] + 1]):,}"),
                "" if same else ", where another symbol starts",
            )

    def progress(self) -> str:
        """The rows read and refused so far, the finished share of the files if their size is known, the rate, and the
        time left.
        """
        seconds = max(self._clock() - self._started, 1e-6)
        tally = self._reading.tally
        rows = self._given + tally.refused
        size = self.opened.size
        done = min(1.0, self._bytes_given() / size) if size else 0.0
        part = f", {done:.0%} of {'the file' if len(self.opened.files) == 1 else 'the files'}" if size else ""
        left = f", {_duration(seconds * (1 - done) / done)} left" if 0 < done < 1 and math.isinf(self._speed) else ""
        refused = f", {tally.refused:,} refused" if tally.refused else ""
        skipped = f", {self.skipped:,} skipped that were published before" if self.skipped else ""
        return f"{rows:,} rows read{refused}{skipped}{part}, {rows / seconds:,.0f} rows/s{left}{self._next}"

    def _bytes_given(self) -> float:
        """How many bytes of the files the published ticks come from; the reader itself is one chunk ahead."""
        ahead, rows, before = self._ahead
        return self._bytes + (ahead * (self._given - before) / rows if rows and self._bytes < self.opened.done else 0)

    def _complain(self) -> None:
        tally = self._reading.tally
        if tally.empty:
            logger.info("%s rows of %s have no price and were skipped", f"{tally.empty:,}", self._path)
        if tally.passed:
            logger.info(
                "%s lines of %s are not ticks (comments, headers, other kinds) and were skipped",
                f"{tally.passed:,}",
                self._path,
            )
        refused = (
            f"{tally.refused:,} of {tally.read:,} rows of {self._path} were refused and not published, all others "
            f"were; the first: {self._first_refusal}."
            if tally.refused
            else ""
        )
        if tally.damaged:
            good = tally.read - tally.refused - tally.empty
            raise SourceError(
                f"{'; '.join(tally.damaged)}; the {good:,} ticks before it were published. {refused}".strip()
            )
        if refused:
            raise SourceError(refused)

    def _new_reading(self) -> Reading:
        for counted in self.opened.counted:
            counted.done = 0
        return Reading(self.opened, self._options, self._refuse)

    def _refuse(self, name: str, refusal: Refusal) -> None:
        where = f"line {refusal.line:,}: {refusal.why}"
        if len(self.opened.files) > 1:
            where = f"{name}, {where}"
        self._first_refusal = self._first_refusal or where
        self._shown += 1
        if self._shown <= SHOWN_REFUSALS:
            logger.warning("%s, line %s: %s; row refused, the replay continues", name, f"{refusal.line:,}", refusal.why)
        if self._shown == SHOWN_REFUSALS:
            logger.warning("further refused rows are counted, not logged")

    @property
    def has_bars(self) -> bool:
        """Whether any file has bars."""
        return any(file.plan.kind == BARS for file in self.opened.files)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
