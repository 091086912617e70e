"""Ticks in time order: a sort on disk in bounded memory, and the merge of several files."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.sources.files.columns import Columns, joined

RUN_ROWS = 400_000
"""How many rows are sorted in memory at a time: about 20 MB."""
BLOCK_ROWS = 16_384


def sorted_on_disk(
    parts: Iterator[Columns], *, newest_first: bool, rows: int = RUN_ROWS, stop: Callable[[], bool] = lambda: False
) -> Iterator[Columns]:
    """All ticks by time; ticks with the same time keep the order of the file, or its reverse if the newest row comes
    first.

    Sorted runs of `rows` ticks are kept in a temporary folder, 36 bytes per tick, until they are merged.
    """
    with tempfile.TemporaryDirectory(prefix="tickflow-sort-") as folder:
        runs: list[Path] = []
        names: dict[str, int] = {}
        held: list[Columns] = []
        count = 0
        source = "replay"
        for part in parts:
            if stop():
                return
            source = part.source
            held.append(part)
            count += len(part)
            if count >= rows:
                runs.append(_write(_sorted(joined(held), newest_first), Path(folder) / f"{len(runs)}.npy", names))
                held, count = [], 0
        last = _sorted(joined(held), newest_first) if held else None
        if not runs:
            if last is not None:
                yield from _pieces(last)
            return
        if last is not None:
            runs.append(_write(last, Path(folder) / f"{len(runs)}.npy", names))
        known = np.array(list(names), dtype=object)
        streams = [_read(run, known, source) for run in runs]
        if newest_first:  # for a file with the newest row first: among equal times the later row comes first
            streams.reverse()
        yield from merged([partial(iter, stream) for stream in streams])


def _sorted(ticks: Columns, newest_first: bool) -> Columns:
    if newest_first:  # among equal times the later row comes first; several ticks of one row keep their order
        return ticks.take(np.lexsort((np.arange(len(ticks)), -ticks.lines, ticks.time_us)))
    return ticks.take(np.argsort(ticks.time_us, kind="stable"))


def _pieces(ticks: Columns) -> Iterator[Columns]:
    for start in range(0, len(ticks), BLOCK_ROWS):
        yield ticks.take(slice(start, start + BLOCK_ROWS))


_ROW = np.dtype([("time", "i8"), ("price", "f8"), ("volume", "f8"), ("symbol", "i4"), ("line", "i8")])


def _write(ticks: Columns, path: Path, names: dict[str, int]) -> Path:
    rows: npt.NDArray[Any] = np.empty(len(ticks), _ROW)
    rows["time"], rows["price"], rows["volume"], rows["line"] = ticks.time_us, ticks.prices, ticks.volumes, ticks.lines
    rows["symbol"] = [names.setdefault(symbol, len(names)) for symbol in ticks.symbols.tolist()]
    rows.tofile(path)
    return path


def _read(path: Path, names: npt.NDArray[Any], source: str) -> Iterator[Columns]:
    with path.open("rb") as file:
        while len(rows := np.fromfile(file, _ROW, BLOCK_ROWS)):
            yield Columns(
                *(rows["time"].copy(), rows["price"].copy(), rows["volume"].copy()),
                *(names[rows["symbol"]], rows["line"].copy(), source),
            )


class _Stream:
    """One of the merged streams: its pending ticks, and the earliest possible time of its next tick."""

    def __init__(self, opened: Callable[[], Iterator[Columns]]) -> None:
        self._open = opened
        self._parts: Iterator[Columns] | None = None
        self.held: Columns | None = None
        self.keys: npt.NDArray[np.int64] = np.array([], dtype=np.int64)
        self._latest = -(2**62)

    def fill(self) -> bool:
        """Read more ticks if none are pending; return whether any are pending."""
        if self._parts is None:
            self._parts = self._open()
        while self.held is None or not len(self.held):
            self.held = next(self._parts, None)
            if self.held is None:
                return False
            # A tick that is older than an earlier tick of its file keeps its place in the file: it is sorted by the
            # latest time before it.
            self.keys = np.maximum.accumulate(np.maximum(self.held.time_us, self._latest))
            if len(self.keys):
                self._latest = int(self.keys[-1])
        return True

    def cut(self, until: int) -> tuple[Columns, npt.NDArray[np.int64]] | None:
        """Remove and return the pending ticks up to the time `until`, and the times by which they are sorted."""
        assert self.held is not None  # noqa: S101 - `fill` has returned true
        count = int(np.searchsorted(self.keys, until, side="right"))
        if not count:
            return None
        taken = self.held.take(slice(0, count)), self.keys[:count]
        self.held, self.keys = self.held.take(slice(count, None)), self.keys[count:]
        return taken


def merged(
    streams: Sequence[Callable[[], Iterator[Columns]]], begins: Sequence[int] | None = None
) -> Iterator[Columns]:
    """The ticks of all streams by time; of ticks with the same time, those of earlier streams come first.

    `begins` are the first times of the streams: a stream is opened only when the merge reaches its first time, so that
    the files of a thousand days are not all open at once.
    """
    if len(streams) == 1:
        yield from streams[0]()
        return
    waiting = sorted(range(len(streams)), key=lambda at: (begins[at] if begins is not None else 0, at), reverse=True)
    active: dict[int, _Stream] = {}
    while active or waiting:
        if not active and waiting:
            at = waiting.pop()
            active[at] = _Stream(streams[at])
        for at in [at for at, stream in active.items() if not stream.fill()]:
            del active[at]
        if not active:
            continue
        until = min(int(stream.keys[-1]) for stream in active.values())
        if waiting and (begins is None or begins[waiting[-1]] <= until):
            at = waiting.pop()
            active[at] = _Stream(streams[at])
            continue
        taken = [(at, *cut) for at, stream in sorted(active.items()) if (cut := stream.cut(until)) is not None]
        yield from _interleaved(taken)


def _interleaved(taken: Sequence[tuple[int, Columns, npt.NDArray[np.int64]]]) -> Iterator[Columns]:
    if len(taken) == 1:
        yield taken[0][1]
        return
    by_source: dict[str, list[tuple[Columns, npt.NDArray[np.int64]]]] = {}
    for _, ticks, keys in taken:
        by_source.setdefault(ticks.source, []).append((ticks, keys))
    if len(by_source) == 1:
        ticks = joined([ticks for _, ticks, _ in taken])
        yield ticks.take(np.argsort(np.concatenate([keys for _, _, keys in taken]), kind="stable"))
        return
    # Midpoints and trades have different sources, and all rows of a block share a source: if both are merged, each
    # block is a single row.
    rows = [(int(key), number, at) for number, (_, _, keys) in enumerate(taken) for at, key in enumerate(keys)]
    for _, number, at in sorted(rows):
        yield taken[number][1].take(slice(at, at + 1))
