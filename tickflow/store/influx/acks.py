"""Acknowledgements in InfluxDB: in their own bucket beside the bucket of the metrics."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import msgspec
from influxdb_client import Point, WritePrecision

from tickflow.settings.certificates import Certificates
from tickflow.store.acks import Ack, AckStore, Layout
from tickflow.store.influx.influxql import SYSTEMS_OWN, Integer
from tickflow.store.influx.page_bucket import PageBucket

MEASUREMENT = "stock_acks"
LAYOUTS = "stock_layouts"

_Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}$")]


class InfluxAcks(AckStore):
    """Acknowledgements in `bucket`; see `PageBucket`. Thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        org: str,
        bucket: str,
        certificates: Certificates = SYSTEMS_OWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = PageBucket(
            url, token=token, org=org, bucket=bucket, what="Acknowledgements", certificates=certificates, clock=clock
        )

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

    def close(self) -> None:
        """Close all connections."""
        self._kept.close()


def _point(ack: Ack) -> Point:
    point = Point(MEASUREMENT).tag("symbol", ack.symbol).tag("partition", str(ack.partition))
    point.field("first_offset", ack.first_offset).field("acked_ns", ack.acked_ns)
    return point.time(ack.time_ns, WritePrecision.NS)
