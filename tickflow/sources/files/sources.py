"""Opens the files of a replay (a file, a folder, a pattern such as `day*.csv`, or "-") and merges them by time."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain, islice
from pathlib import Path

from tickflow.errors import SettingError
from tickflow.sources.files.columns import Columns
from tickflow.sources.files.convert import Converted
from tickflow.sources.files.opened import File, open_file
from tickflow.sources.files.options import Options, Refusal, Unreadable
from tickflow.sources.files.order import merged, sorted_on_disk
from tickflow.sources.files.packing import DAMAGED, Counted, Member, members
from tickflow.sources.files.plan import QUOTES

KEY = "REPLAY_FILE"
MOST_FILES = 10_000
MOST_OPEN = 16
"""The maximum number of files that may overlap in time and still be merged in memory: each takes 10 MB. More files are
sorted together on disk.
"""


@dataclass
class Tally:
    """How many rows were read so far, by outcome."""

    read: int = 0
    refused: int = 0
    empty: int = 0
    passed: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass
class Opened:
    """All recognised files; `counted` says how many bytes of each were read."""

    files: list[File]
    counted: list[Counted]
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The size of all files in bytes, before unpacking; 0 if one of them is a pipe."""
        sizes = [each.size for each in self.counted]
        return sum(sizes) if all(sizes) else 0

    @property
    def done(self) -> int:
        """How many bytes were read."""
        return sum(each.done for each in self.counted)


def paths_of(path: Path) -> list[Path]:
    """The files that a folder or a pattern names, ordered by name. Raises `SettingError`."""
    text = str(path)
    if text == "-" or path.is_fifo() or path.is_char_device():
        return [path]
    if path.is_dir():
        found = sorted(islice((each for each in _within(path) if _is_data(each, path)), MOST_FILES + 1))
        if not found:
            raise SettingError(KEY, text, "a file, or a folder with files of ticks; this one has none")
    elif path.exists() or not glob.has_magic(text):
        return [path]
    else:
        found = sorted(Path(each) for each in glob.glob(text, recursive=True) if Path(each).is_file())
        if not found:
            raise SettingError(KEY, text, "a file; no name fits this pattern")
    if len(found) > MOST_FILES:
        raise SettingError(KEY, text, f"at most {MOST_FILES:,} files; there are more")
    return found


def _within(folder: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders; folders that may not be read are left out."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(place) / name for name in sorted(files))


def _is_data(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() not in (".md", ".py", ".ipynb", ".pdf", ".png", ".sha256", ".checksum")


def open_all(path: Path, options: Options) -> Opened:
    """Recognise all files in `path`. Raises `SettingError`, which names the problem and the file."""
    files: list[File] = []
    counted: dict[int, Counted] = {}
    notes: list[str] = []
    for each in paths_of(path):
        member: Member | None = None
        try:
            found = members(each)
            for member in found:
                try:
                    files.append(open_file(member, options))
                except Unreadable as error:
                    if not _is_aside(member, found):
                        raise
                    notes.append(f"{member.name} is skipped: expected {error}")
                    continue
                counted[id(member.counted)] = member.counted
                member.forget_head()
        except Unreadable as error:
            name = str(each) if member is None else member.name
            raise SettingError(KEY, name, str(error)) from error
        except OSError as error:
            what = error.strerror or " ".join(str(error).split())
            raise SettingError(KEY, str(each), f"a readable file ({what})") from error
        except DAMAGED as error:
            what = " ".join(str(error).split())[:200]
            raise SettingError(KEY, str(each), f"a file that is whole ({what})") from error
    for each_counted in counted.values():
        each_counted.done = 0
    if _overlap(files, options):
        notes.append(f"{len(files):,} files with ticks of the same time: sorted together on disk before the first tick")
    return Opened(files, list(counted.values()), notes)


def _is_aside(member: Member, found: Sequence[Member]) -> bool:
    """Whether a member of a zip archive is a note or a report about the data: it is the only .txt file, and there are
    other files.
    """
    return member.name.lower().endswith(".txt") and len(found) > 1 and all(
        not each.name.lower().endswith(".txt") for each in found if each is not member
    )  # fmt: skip


class Reading:
    """The ticks of all files in time order, and the tally of their rows.

    `refuse` is called with each refused row and its file. A damaged file ends at the damage, which the tally notes.
    """

    def __init__(self, opened: Opened, options: Options, refuse: Callable[[str, Refusal], None]) -> None:
        self.opened = opened
        self.tally = Tally()
        self._options = options
        self._refuse = refuse

    def columns(self) -> Iterator[Columns]:
        """All ticks."""
        files = self.opened.files
        if _overlap(files, self._options):
            yield from sorted_on_disk(chain.from_iterable(self._stream(file)() for file in files), newest_first=False)
            return
        begins = [file.span_us[0] if file.span_us is not None else 0 for file in files]
        yield from merged([self._stream(file) for file in files], begins if len(files) > 1 else None)

    def _stream(self, file: File) -> Callable[[], Iterator[Columns]]:
        def stream() -> Iterator[Columns]:
            rows = self._rows(file)
            if self.sorts(file):
                return sorted_on_disk(rows, newest_first=file.plan.direction < 0)
            return rows

        return stream

    def sorts(self, file: File) -> bool:
        """Whether the ticks of a file are sorted on disk: on request, or if the newest row comes first."""
        return self._options.sort == "always" or (self._options.sort == "auto" and file.plan.direction < 0)

    def _rows(self, file: File) -> Iterator[Columns]:
        last = 0
        try:
            for converted in file.converted():
                self._count(converted, file)
                if len(converted.ticks):
                    last = int(converted.ticks.lines[-1])
                    yield converted.ticks
        except (*DAMAGED, Unreadable) as error:
            what = " ".join(str(error).split())[:200]
            self.tally.damaged.append(f"{file.member.name} is damaged after line {last:,} ({what})")

    def _count(self, converted: Converted, file: File) -> None:
        tally = self.tally
        lines = (
            len(set(converted.ticks.lines.tolist()))
            if file.plan.bars == "ohlc" or len(file.plan.series) > 1
            else len(converted.ticks)
        )
        tally.read += lines + len(converted.refused) + converted.empty
        tally.refused += len(converted.refused)
        tally.empty += converted.empty
        tally.passed += converted.passed
        for refusal in converted.refused:
            self._refuse(file.member.name, refusal)


def _overlap(files: Sequence[File], options: Options) -> bool:
    """Whether more files overlap in time than may be open at once.

    Files that each have their own symbol usually overlap; for other files, the first rows show it.
    """
    if options.sort == "never" or len({file.plan.kind == QUOTES for file in files}) > 1:
        return False  # a sort on disk can keep only one source of ticks: trades or midpoints
    symbols = {file.plan.series[0].symbol for file in files if file.plan.symbol is None} - {None}
    spans = [file.span_us for file in files if file.span_us is not None]
    edges = sorted(
        [(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans], key=lambda edge: (edge[0], -edge[1])
    )
    deepest = max(accumulate(step for _, step in edges), default=0)
    return max(len(symbols), deepest) > MOST_OPEN


def with_flags(options: Options, **changes: object) -> Options:
    """A copy of the options with these changes."""
    return replace(options, **changes)  # type: ignore[arg-type]  # the caller gives valid names and types


def shared_notes(files: Sequence[File]) -> list[str]:
    """The notes that apply to all files."""
    common = set(files[0].plan.notes)
    for file in files[1:]:
        common &= set(file.plan.notes)
    return [note for note in files[0].plan.notes if note in common]
