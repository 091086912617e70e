"""Text in any encoding as numbered UTF-8 lines, in blocks of bounded size."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tickflow.sources.files.options import Unreadable

BLOCK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 1 << 20


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Read at most `size` bytes; return an empty result at the end."""
        ...


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The name of a codec, and the byte order mark before the text."""

    codec: str
    mark: int = 0

    @property
    def said(self) -> str:
        """The display name of the encoding."""
        return f"{self.codec.upper()}{' with a byte order mark' if self.mark else ''}"


def encoding_of(head: bytes) -> Encoding:
    """The encoding of text that starts with these bytes: by its mark, by its zero bytes, else UTF-8 or Latin-1.

    Raises `Unreadable` if it is not text.

    >>> encoding_of("Größe".encode("latin-1")).codec
    'latin-1'
    """
    for mark, codec in _BOMS:
        if head.startswith(mark):
            return Encoding(codec, len(mark))
    if b"\0" in head[:4096]:
        even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
        half = len(head[:4096]) / 2
        if odd > 0.4 * half and even < 0.1 * half:
            return Encoding("utf-16-le")
        if even > 0.4 * half and odd < 0.1 * half:
            return Encoding("utf-16-be")
        raise Unreadable("a table of ticks; this is neither text nor a known binary format")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return Encoding(_legacy(head))
    return Encoding("utf-8")


_WORDS = {
    "gb18030": ("日期", "开盘", "收盘", "成交", "代码"),
    "cp932": ("日付", "終値", "始値", "出来高"),
    "cp949": ("일자", "날짜", "종가", "시가"),
    "big5": ("日期", "開盤", "收盤", "成交"),
    "cp1251": ("дата", "цена", "тикер", "время"),
}
"""For each encoding older than UTF-8, words that are common in the headers of such files. The other cells are digits,
which are the same in all encodings.
"""


def _legacy(head: bytes) -> str:
    start = head[:4096]
    for codec, words in _WORDS.items():
        text = start.decode(codec, "ignore").lower()
        if sum(word in text for word in words) >= 2:
            return codec
    return "latin-1"


def blocks(stream: Readable, encoding: Encoding, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The text in UTF-8 without its byte order mark, in blocks that end at line ends. All line ends become `\\\\n`.
    Invalid bytes become U+FFFD.

    Raises `Unreadable` for a line over `LONGEST_LINE_BYTES`.
    """
    stream.read(encoding.mark)
    decoder = None
    if encoding.codec != "utf-8":
        decoder = codecs.getincrementaldecoder(encoding.codec)("replace")
    rest, cr = b"", b""
    while True:
        piece = stream.read(size) or b""
        raw = piece if decoder is None else decoder.decode(piece, final=not piece).encode("utf-8", "replace")
        raw = cr + raw
        cr = b""
        if piece and raw.endswith(b"\r"):  # this may be the first half of a \r\n
            raw, cr = raw[:-1], b"\r"
        if b"\r" in raw:
            raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not piece:
            if rest or raw:
                yield _valid(rest + raw)
            return
        cut = raw.rfind(b"\n") + 1
        if not cut:
            rest += raw
            if len(rest) > LONGEST_LINE_BYTES:
                raise Unreadable(f"a table of text; this has a line of more than {LONGEST_LINE_BYTES:,} bytes")
            continue
        yield _valid(rest + raw[:cut])
        rest = raw[cut:]


def _valid(block: bytes) -> bytes:
    if block.isascii():
        return block
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode("utf-8", "replace").encode()
    return block


def first_lines(head: bytes, encoding: Encoding, is_whole: bool, most: int) -> list[str]:
    """The complete lines at the start of the text; the last line is left out if it may be cut off."""
    text = codecs.getincrementaldecoder(encoding.codec)("replace").decode(head[encoding.mark :], final=is_whole)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not is_whole and len(lines) > 1:
        lines.pop()
    return lines[:most]
