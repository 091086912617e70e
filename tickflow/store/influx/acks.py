"""Acknowledgements, layouts and backtests in InfluxDB: in their own bucket beside the bucket of the metrics."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec
from influxdb_client import Point, WritePrecision

from tickflow.alerts.kept import Kept, decoded, encode
from tickflow.store.acks import MAX_BACKTESTS, Ack, AckStore, Layout
from tickflow.store.influx.influxql import Integer
from tickflow.store.influx.page_bucket import InPageBucket

MEASUREMENT = "stock_acks"
LAYOUTS = "stock_layouts"
BACKTESTS = "stock_backtests"

_MS_NS = 1_000_000
_Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}$")]


class InfluxAcks(InPageBucket, AckStore):
    """Acknowledgements in `bucket`; see `PageBucket`. Thread-safe."""

    what = "Acknowledgements"

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements; the time of each point is the start of its episode."""
        if acks:
            self._kept.write("\n".join(_point(ack).to_line_protocol() for ack in acks))

    def withdraw(self, acks: Sequence[Ack]) -> None:
        """Overwrite the acknowledgements with points whose `acked_ns` is 0, which means not seen."""
        self.acknowledge([replace(ack, acked_ns=0) for ack in acks])

    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""
        rows = self._kept.rows(
            tuple[Integer, str, _Digits, Integer, Integer],
            f'SELECT "symbol", "partition", "first_offset", "acked_ns" FROM "{MEASUREMENT}" WHERE time >= $since',  # noqa: S608
            {"since": since_ns},
        )
        found = [Ack(symbol, int(partition), first, at, acked) for at, symbol, partition, first, acked in rows if acked]
        return sorted(found, key=lambda ack: (ack.time_ns, ack.symbol))

    def keep_layout(self, layout: Layout, now_ns: int) -> None:
        """Store the layout in place of an earlier one with the same name; an empty query removes that one."""
        point = Point(LAYOUTS).tag("name", layout.name).field("query", layout.query)
        self._kept.write(point.time(now_ns, WritePrecision.NS).to_line_protocol())

    def layouts(self) -> list[Layout]:
        """All layouts, ordered by name: the last point of each name counts."""
        rows = self._kept.rows(tuple[Integer, str, str], f'SELECT "name", "query" FROM "{LAYOUTS}"', {})  # noqa: S608
        last = {name: query for _, name, query in sorted(rows)}
        return [Layout(name, query) for name, query in sorted(last.items()) if query]

    def keep_backtest(self, kept: Kept) -> None:
        """Store the backtest in a point at the time when it was made, and overwrite the oldest ones beyond
        `MAX_BACKTESTS` with an empty text.
        """
        before = [made_ms for made_ms, _ in self._bodies() if made_ms != kept.made_ms]
        lines = [_backtest(kept.made_ms, encode(kept).decode())]
        lines += [_backtest(made_ms, "") for made_ms in sorted([*before, kept.made_ms])[:-MAX_BACKTESTS]]
        self._kept.write("\n".join(lines))

    def remove_backtest(self, made_ms: int) -> None:
        """Overwrite the backtest that was made at `made_ms` with an empty text."""
        self._kept.write(_backtest(made_ms, ""))

    def backtests(self) -> list[Kept]:
        """The kept backtests, newest first."""
        return decoded(body for _, body in self._bodies())[:MAX_BACKTESTS]

    def _bodies(self) -> list[tuple[int, str]]:
        query = f"""SELECT "body" FROM "{BACKTESTS}" WHERE "body" != ''"""  # noqa: S608 - only our own name
        rows = self._kept.rows(tuple[Integer, str], query, {})
        return sorted(((at // _MS_NS, body) for at, body in rows), reverse=True)


def _point(ack: Ack) -> Point:
    point = Point(MEASUREMENT).tag("symbol", ack.symbol).tag("partition", str(ack.partition))
    point.field("first_offset", ack.first_offset).field("acked_ns", ack.acked_ns)
    return point.time(ack.time_ns, WritePrecision.NS)


def _backtest(made_ms: int, body: str) -> str:
    point = Point(BACKTESTS).field("body", body).time(made_ms * _MS_NS, WritePrecision.NS)
    line: str = point.to_line_protocol()
    return line
