"""Mutes in InfluxDB: the measurement `stock_mutes` in the page's bucket."""

from collections.abc import Sequence
from typing import Any

from influxdb_client import Point, WritePrecision

from tickflow.alerts.mutes import Mute
from tickflow.store.influx.influxql import Integer
from tickflow.store.influx.page_bucket import InPageBucket
from tickflow.store.mutes import MuteStore

MEASUREMENT = "stock_mutes"
_Row: Any = tuple[Integer, str, str, Integer, Integer, str, float, bool, str, bool]
_FIELDS = ("pattern", "until_ns", "begins_ns", "detector", "below", "closed", "made_by", "undone")
_SELECTED = ", ".join(f'"{name}"' for name in ("id", *_FIELDS))


class InfluxMutes(InPageBucket, MuteStore):
    """Mutes in `bucket`; see `PageBucket`. Thread-safe."""

    what = "Mutes"

    def keep(self, mute: Mute) -> None:
        """Store a mute; the time of its point is the time when the mute was made."""
        point = Point(MEASUREMENT).tag("id", mute.id)
        for name in _FIELDS:
            point.field(name, getattr(mute, name))
        self._kept.write(point.time(mute.made_ns, WritePrecision.NS).to_line_protocol())

    def mutes(self) -> Sequence[Mute]:  # noqa: D102 - documented in MuteStore
        rows = self._kept.rows(
            _Row,
            f'SELECT {_SELECTED} FROM "{MEASUREMENT}"',  # noqa: S608 - only our own names are inserted
            {},
        )
        found = [Mute(row[1], row[0], *row[2:]) for row in rows]
        return sorted(found, key=lambda each: (each.made_ns, each.id))
