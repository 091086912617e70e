"""Unpacks the content of a record batch, up to a bound: 52 KB of zstd can hold a gigabyte.

Each codec is read in portions, so that nothing past the bound is unpacked. See kafka.apache.org, "Record Batch".
"""

import struct
import zlib
from collections.abc import Iterator

import lz4.frame
import snappy
import zstandard
from kafka.errors import CorruptRecordError

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4

_PORTION_BYTES = 2**20
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEAD_BYTES = 16


class TooLarge(Exception):
    """The unpacked contents exceed the bound."""


def unpack(codec: int, packed: memoryview, into: bytearray, bound: int) -> None:
    """Append the unpacked contents to `into`. Raises `TooLarge`, and `CorruptRecordError` if the bytes are not valid
    for that codec.

    >>> found = bytearray(b"head")
    >>> unpack(GZIP, memoryview(__import__("gzip").compress(b"x" * 9)), found, 9)
    >>> found
    bytearray(b'headxxxxxxxxx')
    """
    end = len(into) + bound
    try:
        for portion in _PORTIONS[codec](packed, bound):
            if len(into) + len(portion) > end:
                raise TooLarge
            into += portion
    except (
        zlib.error,
        RuntimeError,
        EOFError,
        ValueError,
        struct.error,
        zstandard.ZstdError,
        snappy.UncompressError,
    ) as e:
        raise CorruptRecordError(f"its contents cannot be unpacked: {e}") from e


def _gzip(packed: memoryview, _bound: int) -> Iterator[bytes]:
    data: bytes | memoryview = packed
    while data:  # a gzip stream may have several members
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            portion = member.decompress(data, _PORTION_BYTES)
            data = member.unconsumed_tail
            if not portion and not data and not member.eof:
                raise EOFError("it is cut off")
            yield portion
        data = member.unused_data


def _zstd(packed: memoryview, bound: int) -> Iterator[bytes]:
    if zstandard.get_frame_parameters(packed[: _XERIAL_HEAD_BYTES * 2]).window_size > max(bound, 2**23):
        raise TooLarge  # the window of such a frame would already exceed the bound
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
        while portion := reader.read(_PORTION_BYTES):
            yield portion


def _lz4(packed: memoryview, _bound: int) -> Iterator[bytes]:
    data: bytes | memoryview | None = packed
    while data:
        frame = lz4.frame.LZ4FrameDecompressor()
        yield frame.decompress(data, _PORTION_BYTES)
        while not frame.eof:
            if frame.needs_input:
                raise EOFError("it is cut off")
            yield frame.decompress(b"", _PORTION_BYTES)
        data = frame.unused_data


def _snappy(packed: memoryview, bound: int) -> Iterator[bytes]:
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        yield _snappy_block(packed, bound)
        return
    at = _XERIAL_HEAD_BYTES
    while at < len(packed):
        (size,) = struct.unpack_from(">i", packed, at)
        at += 4 + size
        if size < 0:
            raise ValueError("a block of negative size")
        yield _snappy_block(packed[at - size : at], bound)


def _snappy_block(block: memoryview, bound: int) -> bytes:
    """Unpack one block; it starts with its unpacked size as a varint."""
    size = shift = 0
    for byte in bytes(block[:5]):
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > bound:
        raise TooLarge
    unpacked: bytes = snappy.decompress(bytes(block))
    return unpacked


_PORTIONS = {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}
