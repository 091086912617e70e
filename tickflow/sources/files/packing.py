"""Unpacks gzip, bz2, xz, zstd and zip, also nested, recognised by their first bytes and never by their names.

`members` opens each file in a path. Streams are only read forward and in pieces, so their size does not matter.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from tickflow.sources.files.options import Unreadable

HEAD_BYTES = 262_144
"""How many bytes from the start of an unpacked file are used to recognise it."""

DAMAGED = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, zstandard.ZstdError, ValueError),
    NotImplementedError,  # zipfile raises it for an unknown compression or feature
)
"""The errors of the unpacking libraries for a file that is truncated or damaged."""

_DEPTH = 3
_PIECE_BYTES = 262_144
_ZSTD_PIECE_BYTES = 1_024  # one kilobyte of run-length blocks unpacks to at most 32 MB
_ZSTD_WINDOW_BYTES = 1 << 27  # 128 MB, the window of `zstd --long`
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_PCAP = "a capture of packets, as IEX HIST has them: convert its trades to CSV first"
_PICKLE = "a pickle, which may run code when it is read: save the table as Parquet, as by pandas.DataFrame.to_parquet"
_TAR = "a tar archive: unpack it into a folder, and replay that folder"
_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save it as CSV"),
    (b"%PDF", "a PDF"),
    (b"\x89HDF", "an HDF5 file: convert it to Parquet, as with pandas.read_hdf(...).to_parquet(...)"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\xd4\xc3\xb2\xa1", _PCAP),
    (b"\x4d\x3c\xb2\xa1", _PCAP),
    (b"\n\r\r\n", _PCAP),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
    (b"\x93NUMPY", "an array of numpy: save it as CSV or Parquet"),
    (b"ORC", "an ORC file: convert it to Parquet, as with pyarrow.orc.read_table and pyarrow.parquet.write_table"),
    (b"Obj\x01", "an Avro file: convert it to Parquet or JSON lines"),
    (b"MATLAB", "a file of MATLAB: export the table as CSV"),
    (b"RDX", "a file of R: write the table as CSV, by write.csv"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: fetch it with git lfs pull"),
)


class Head(io.RawIOBase):
    """A stream whose first bytes were read in advance and are returned again.

    A read fills its buffer. Data before a damaged place is returned, and the next read raises.
    """

    def __init__(self, stream: IO[bytes], size: int = HEAD_BYTES, layers: Sequence[Any] = ()) -> None:
        self._stream = stream
        self._layers = layers  # the packed stream underneath: gzip and similar classes do not close it
        self._error: BaseException | None = None
        self._left = memoryview(b"")
        pieces, missing = [], size
        while missing and (piece := self._some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        self.head = b"".join(pieces)
        self._left = memoryview(self.head)
        if self._error is not None and not self.head:
            self.close()
            raise self._error

    def _some(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end, and also where the stream is damaged: then the error is kept to be
        raised later.
        """
        if self._error is not None:
            return b""
        try:
            read: Callable[[int], bytes] = getattr(self._stream, "read1", self._stream.read)
            return read(size)
        except DAMAGED as error:
            self._error = error
            return b""

    def readable(self) -> bool:  # noqa: D102 - io's own
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102 - io's own
        if self._left:
            count = min(len(buffer), len(self._left))
            buffer[:count] = self._left[:count]
            self._left = self._left[count:]
            return count
        filled = 0
        while filled < len(buffer) and (piece := self._some(len(buffer) - filled)):
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        if not filled and self._error is not None:
            raise self._error
        return filled

    def close(self) -> None:  # noqa: D102 - io's own
        if self.closed:
            return
        super().close()
        for layer in [self._stream, *reversed(self._layers)]:
            layer.close()


@dataclass
class Counted:
    """Counts how many bytes of a packed file were read; `size` is 0 if unknown (a pipe)."""

    size: int = 0
    done: int = 0


class _Counting(io.RawIOBase):
    def __init__(self, raw: IO[bytes], counted: Counted) -> None:
        self._raw, self._counted = raw, counted

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._raw.read(len(buffer))
        buffer[: len(found)] = found
        self._counted.done += len(found)
        return len(found)

    def close(self) -> None:
        self._raw.close()
        super().close()


@dataclass
class Member:
    """One unpacked file: its display name, the names on the path to it, and how to open it.

    `path` is the file itself if it is not packed, for readers that need random access.
    """

    name: str
    names: tuple[str, ...]
    open: Callable[[], Head]
    counted: Counted
    packing: tuple[str, ...] = ()
    path: Path | None = None
    head: bytes = field(default=b"", repr=False)
    digest: str = ""

    def forget_head(self) -> None:
        """Keep only the digest of the head: ten thousand heads would take gigabytes."""
        self.digest, self.head = hashlib.sha256(self.head).hexdigest(), b""


def members(path: Path) -> list[Member]:
    """The files in `path`: the unpacked file itself, or the members of a zip archive; "-" is standard input.

    Raises `Unreadable`, and `OSError` if it cannot be opened.
    """
    if str(path) == "-":
        return _of_pipe(sys.stdin.buffer, "the standard input")
    if path.is_fifo():
        return _of_pipe(path.open("rb"), str(path))
    with path.open("rb") as raw:
        start = raw.read(8)
    counted = Counted(path.stat().st_size)
    if start.startswith(_ZIP):
        return list(_of_zip(path, str(path), (*path.parts[-5:],), counted))
    return [_single(str(path), path.parts[-5:], lambda: _Counting(path.open("rb"), counted), counted, path)]


def _of_pipe(stream: IO[bytes], name: str) -> list[Member]:
    counted = Counted()
    first = Head(cast(IO[bytes], _Counting(stream, counted)), 8)
    if first.head.startswith(_ZIP):
        return list(_of_zip(_spooled(first), name, (name,), counted))
    opened: list[Head] = []

    def again() -> Head:  # a pipe can be opened only once, so recognition and reading share it
        if not opened:
            opened.append(Head(_unpacked(cast(IO[bytes], first), name)[0]))
        return opened[0]

    return [Member(name, (name,), again, counted, head=again().head)]


def _single(name: str, names: tuple[str, ...], raw: Callable[[], Any], counted: Counted, path: Path | None) -> Member:
    unpacked, packing = _unpacked(raw(), name)
    with Head(unpacked) as opened:
        head = opened.head
    counted.done = 0
    return Member(
        *(name, names, lambda: Head(_unpacked(raw(), name)[0]), counted, packing),
        path=None if packing else path,
        head=head,
    )


def _of_zip(file: Path | IO[bytes], name: str, names: tuple[str, ...], counted: Counted) -> Iterator[Member]:
    opened = file.open("rb") if isinstance(file, Path) else file
    try:
        archive = zipfile.ZipFile(opened)
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and _is_data(entry.filename)]
    except DAMAGED as error:
        opened.close()
        raise Unreadable(f"a zip file that is whole ({error})") from error
    # The members share the archive's file, so it stays open until the last of them is garbage-collected.
    weakref.finalize(archive, opened.close)
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        raise Unreadable("a table of text; this is an Excel workbook: save it as CSV")
    if not entries:
        raise Unreadable("a zip file with something in it; this one is empty")
    counted.size = sum(entry.file_size for entry in entries)
    for entry in entries:
        if entry.flag_bits & 1:
            raise Unreadable(f"a file without a password; {entry.filename} in it has one")
        inner = f"{name}!{entry.filename}"

        def raw(entry: zipfile.ZipInfo = entry) -> Any:
            return _Counting(archive.open(entry), counted)

        yield _single(inner, (*names, *entry.filename.split("/")), raw, counted, None)


def _is_data(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return not (base.startswith((".", "_")) or name.startswith("__MACOSX") or base.lower().endswith((".md", ".pdf")))


def _unpacked(raw: IO[bytes], name: str) -> tuple[IO[bytes], tuple[str, ...]]:
    """The completely unpacked stream, and the formats that were unpacked, outermost first."""
    packing: list[str] = []
    layers: list[Any] = []
    while True:
        layers.append(raw)
        head = Head(raw, 512, tuple(layers))
        kind = next((kind for magic, kind in _MAGIC if head.head.startswith(magic)), None)
        if kind is None:
            if head.head.startswith(_ZIP):
                if not packing:
                    return cast(IO[bytes], head), ()
                head.close()
                raise Unreadable("a file packed once; this is a zip within another packing: unpack it first")
            if is_tar(head.head):
                head.close()
                raise Unreadable(f"a table of ticks; {name} is {_TAR}")
            if head.head[8:12] == b"DUCK":
                head.close()
                raise Unreadable(f"a table of ticks; {name} is a database of DuckDB: export the table as Parquet")
            for magic, what in _OTHER:
                if head.head.startswith(magic):
                    head.close()
                    raise Unreadable(f"a table of ticks; {name} is {what}")
            return cast(IO[bytes], head), tuple(packing)
        if len(packing) == _DEPTH:
            raise Unreadable(f"a file packed at most {_DEPTH} times")
        packing.append(kind)
        raw = _opened(kind, io.BufferedReader(head, _PIECE_BYTES))


def is_tar(head: bytes) -> bool:
    """Whether a file that begins with `head` is a tar archive."""
    return head[257:262] == b"ustar"


def _opened(kind: str, raw: io.BufferedReader) -> IO[bytes]:
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if kind == "bz2":
        return cast(IO[bytes], bz2.BZ2File(raw))
    if kind == "xz":
        return cast(IO[bytes], lzma.LZMAFile(raw))
    return cast(IO[bytes], _Zstd(raw))


class _Zstd(io.RawIOBase):
    """zstd frames, unpacked piece by piece; raises `EOFError` if the file ends within a frame.

    The library's own stream treats a file that was cut off as complete.
    """

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._rest = b""
        self._ready = memoryview(b"")
        self._frame: Any = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._rest or self._raw.read(_ZSTD_PIECE_BYTES)
            self._rest = b""
            if not piece:
                if self._frame is not None:
                    raise EOFError("it ends in the middle of a zstd frame")
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
            self._ready = memoryview(self._frame.decompress(piece))
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _spooled(stream: Any) -> IO[bytes]:
    """A copy of the stream on disk, for formats that are read from their end."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the reader
    while piece := stream.read(_PIECE_BYTES):
        spool.write(piece)
    spool.seek(0)
    return cast(IO[bytes], spool)


def on_disk(member: Member) -> Any:
    """The member's path or, if the member is packed, an unpacked copy on disk: for formats that are read from their
    end.
    """
    if member.path is not None:
        return str(member.path)
    with member.open() as stream:
        return _spooled(stream)
