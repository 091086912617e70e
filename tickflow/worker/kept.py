"""The windows and arrivals of one partition as bytes, to be stored with the checkpoint of its alerts.

A restart continues from them and reads only the records after the checkpoint. Without them it reads from the oldest
tick in any window, which a symbol that trades rarely holds back by up to a million records. They are stored only where
that would take longer than reading `LEAST_RECORDS`.
"""

import msgspec
import numpy as np

from tickflow.metrics import fields
from tickflow.metrics.fields import DEPTH, DEPTHS
from tickflow.metrics.windows import Carried, Windows
from tickflow.worker.arrivals import Arrivals

LEAST_RECORDS = 2_000
"""A worker reads these in about 20 ms."""


class _Kept(msgspec.Struct):
    offset: int
    computed_by: str
    symbols: list[str]
    values: dict[str, bytes]
    offsets: bytes
    counts: bytes
    newest: dict[str, int]
    numbered: dict[str, tuple[str, int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


def to_bytes(offset: int, windows: Windows, arrivals: Arrivals) -> bytes:
    """The state after all records before `offset`; empty if reading them again is quick."""
    oldest = windows.oldest
    if oldest is None or offset - oldest < LEAST_RECORDS:
        return b""
    names, ticks = windows.everything()
    values = {name: each.tobytes() for name, each in ticks.values.items()}
    numbered = {symbol: last for symbol, last in arrivals.numbered.items() if last[1].bit_length() < 64}
    return _encode(
        _Kept(
            *(offset, fields.VERSION, names, values, ticks.offsets.tobytes(), ticks.counts.tobytes()),
            *(arrivals.newest, numbered),
        )
    )


def from_bytes(state: bytes, offset: int, span: int) -> tuple[Windows, Arrivals]:
    """The windows and arrivals after all records before `offset`.

    Raises `ValueError` if the state has a different offset or version of the computation, or was not written by a
    worker.
    """
    try:
        kept = _decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no state of windows: {error}") from error
    if kept.offset != offset:
        raise ValueError(f"its windows belong to offset {kept.offset}, not to {offset}")
    if kept.computed_by != fields.VERSION or set(kept.values) != set(DEPTHS):
        raise ValueError("its windows belong to another version of the computation")
    count = len(kept.symbols)
    ticks = Carried(
        {name: _rows(kept.values[name], np.float64, count, depth) for name, depth in DEPTHS.items()},
        _rows(kept.offsets, np.int64, count, DEPTH),
        _rows(kept.counts, np.int64, count, 1)[:, 0],
    )
    _check(kept.symbols, ticks, offset)
    windows = Windows(span)
    windows.carry(windows.slots_of(kept.symbols), ticks)
    return windows, Arrivals(kept.newest, dict(kept.numbered))


def _rows(state: bytes, kind: type, count: int, depth: int) -> np.ndarray:
    if len(state) != count * depth * 8:
        raise ValueError("no state of windows: an array has another length")
    return np.frombuffer(state, kind).reshape(count, depth)


def _check(symbols: list[str], ticks: Carried, offset: int) -> None:
    """Raise `ValueError` unless these can be the last ticks of different symbols before `offset`."""
    held = np.arange(DEPTH, 0, -1) <= ticks.counts[:, None]
    offsets = ticks.offsets
    rises = (offsets[:, 1:] > offsets[:, :-1]) | ~held[:, :-1]
    is_possible = (
        len(set(symbols)) == len(symbols)
        and bool(((ticks.counts >= 1) & (ticks.counts <= DEPTH)).all())
        and bool(((offsets >= 0) & (offsets < offset) | ~held).all())
        and bool(rises.all())
    )
    if not is_possible:
        raise ValueError("no state of windows: no worker wrote these offsets")
