"""Alerts on InfluxDB: the measurement `stock_anomalies` in the bucket of the metrics."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from tickflow.alerts.alert import BOOLEANS, FLOATS, INTEGERS, MEASUREMENT, Alert, to_line, to_notified_line
from tickflow.settings.certificates import Certificates
from tickflow.store.alerts import AlertStore
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import SYSTEMS_OWN, InfluxQL, Integer, named
from tickflow.store.influx.writer import Writer

_SELECTED = ", ".join(f'"{name}"' for name in ("symbol", "detector", *FLOATS, *INTEGERS, *BOOLEANS, "members"))
_NAMES = ("time_ns", "symbol", "detector", *FLOATS, *INTEGERS, *BOOLEANS, "members")
_ROW: Any = tuple[  # type: ignore[misc]
    (
        Integer,
        str,
        str,
        *[float | None] * len(FLOATS),
        *[Integer | None] * len(INTEGERS),
        *[bool | None] * len(BOOLEANS),
        str | None,
    )
]


class InfluxAlerts(AlertStore):
    """Alerts in `bucket`. Thread-safe."""

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
        self.where = f"InfluxDB at {url} (INFLUXDB_URL)"
        url = url.rstrip("/")
        self._influxql = InfluxQL(
            url, token=token, org=org, bucket=bucket, where=self.where, certificates=certificates, clock=clock
        )
        self._writer = Writer(
            url, token=token, org=org, bucket=bucket, where=self.where, certificates=certificates, clock=clock
        )

    def write(self, alerts: Sequence[Alert]) -> None:
        """Store the alerts in one request; those outside the bucket's retention are dropped."""
        self._write(list(map(to_line, alerts)))

    def mark_notified(self, alerts: Sequence[Alert], *, sent: bool = True) -> None:
        """Record that messages about these alerts were sent or abandoned. This writes only the field `notified`; the
        other fields keep their values.
        """
        self._write([to_notified_line(each, sent=sent) for each in alerts])

    def _write(self, lines_of_all: Sequence[str]) -> None:
        error = self._writer.write("\n".join(lines_of_all)) if lines_of_all else None
        if error is not None and not answers.is_expired(error):
            raise self._writer.failure(error) from error

    def alerts(  # noqa: D102 - documented in AlertStore
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        if symbols is not None and not symbols:
            return []
        condition, params = named(symbols)
        until = "" if until_ns is None else "AND time < $until"
        limit = "" if count is None else "LIMIT $count"
        params |= {"since": since_ns}
        params |= {} if until_ns is None else {"until": until_ns}
        params |= {} if count is None else {"count": count}
        rows = self._influxql.rows(
            _ROW,
            f'SELECT {_SELECTED} FROM "{MEASUREMENT}" '  # noqa: S608 - only our own names are inserted; values are bound
            f"WHERE {condition} AND time >= $since {until} ORDER BY time DESC {limit}",
            params,
        )
        found = [Alert(**dict(zip(_NAMES, row, strict=True))) for row in rows]
        return sorted(found, key=lambda each: (each.time_ns, each.symbol, each.detector))

    def close(self) -> None:
        """Close all connections."""
        self._writer.close()
        self._influxql.close()
