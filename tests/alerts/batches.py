"""Turns trades into batches of ticks, for tests of the watch."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.metrics.detectors.oracle import Trade
from tickflow.alerts.alert import Alert
from tickflow.alerts.watch import Terms, Watch
from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import Tick, TickBatch, decode, encode


def batch(trades: Sequence[Trade], first_offset: int = 0) -> TickBatch:
    """A batch of the trades' ticks after encoding and decoding; volumes become whole numbers."""
    entries = []
    for offset, each in enumerate(trades, first_offset):
        moment = datetime.fromtimestamp(each.time_us // 1_000_000, UTC).replace(microsecond=each.time_us % 1_000_000)
        value = encode(Tick(each.symbol, each.price, moment, volume=int(each.volume)))
        entries.append(Entry(0, offset, each.symbol.encode(), value, each.time_us // 1000))
    ticks, refused = decode(entries)
    assert not refused
    return ticks


def slices(ticks: TickBatch, sizes: Sequence[int]) -> list[TickBatch]:
    """The ticks as consecutive batches of these sizes; the last size repeats until the end."""
    parts, at, left = [], 0, list(sizes)
    while at < len(ticks):
        size = left.pop(0) if len(left) > 1 else left[0]
        parts.append(part_of(ticks, at, at + size))
        at += size
    return parts


def part_of(ticks: TickBatch, begin: int, end: int) -> TickBatch:
    """The ticks from `begin` up to, but not including, `end`."""
    return TickBatch(**{name: getattr(ticks, name)[begin:end] for name in TickBatch.__dataclass_fields__})


def alerts_of(parts: Sequence[TickBatch], terms: Terms, *, restart: bool = False) -> dict[tuple[str, str, int], Alert]:
    """The final state of each alert that the parts raise; with `restart`, the watch is restarted before each part."""
    watch = Watch(0, terms)
    found: dict[tuple[str, str, int], Alert] = {}
    for part in parts:
        if restart:
            watch = Watch.resumed(0, terms, watch.state())
        found |= {each.key: each for each in watch.advance(part)}
    return found
