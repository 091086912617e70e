"""Acknowledgements in InfluxDB: in a bucket of their own, beside that of the metrics."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import urllib3
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tickflow.errors import StoreError, StoreMisconfigured
from tickflow.store.acks import Ack, AckStore
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import CONNECT_SECONDS, READ_SECONDS, InfluxQL, Integer, unreachable

MEASUREMENT = "stock_acks"
NO_BUCKET = 404

_Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}$")]


class InfluxAcks(AckStore):
    """Acknowledgements in `bucket`; the first acknowledgement creates a missing bucket if the token may.

    Without the bucket nothing is acknowledged yet; that is no error. Thread-safe.
    """

    def __init__(self, url: str, *, token: str, org: str, bucket: str, clock: Callable[[], float] = time.time) -> None:
        self._org = org
        self._bucket = bucket
        self._clock = clock
        self._where = f"InfluxDB at {url} (INFLUXDB_URL)"
        url = url.rstrip("/")
        self._influxql = InfluxQL(url, token=token, org=org, bucket=bucket, where=self._where, clock=clock)
        timeout = (int(CONNECT_SECONDS * 1000), int(READ_SECONDS * 1000))
        self._client = InfluxDBClient(url, token=token, org=org, timeout=timeout)
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Store the acknowledgements; the time of each point is the start of its episode."""
        if not acks:
            return
        lines = "\n".join(_point(ack).to_line_protocol() for ack in acks)
        error = self._try(lambda: self._writer.write(self._bucket, self._org, lines.encode(), WritePrecision.NS))
        if error is not None and error.status == NO_BUCKET:
            error = self._try(
                lambda: self._client.buckets_api().create_bucket(bucket_name=self._bucket, org=self._org)
            ) or self._try(lambda: self._writer.write(self._bucket, self._org, lines.encode(), WritePrecision.NS))
        if error is not None:
            raise self._failure(error) from error

    def acknowledged(self, since_ns: int) -> list[Ack]:
        """All acknowledgements of episodes that began at or after `since_ns`, ordered by their start."""
        try:
            rows = self._influxql.rows(
                tuple[Integer, str, _Digits, Integer, Integer],
                f'SELECT "symbol", "partition", "first_offset", "acked_ns" FROM "{MEASUREMENT}" WHERE time >= $since',  # noqa: S608
                {"since": since_ns},
            )
        except StoreMisconfigured:
            # InfluxDB answers "database not found" both for a missing bucket and for one that the token may not read. A
            # write of nothing tells them apart: 404 means missing. (401: the reads of the metrics report what is
            # wrong.)
            error = self._try(lambda: self._writer.write(self._bucket, self._org, b"\n", WritePrecision.NS))
            if error is not None and error.status in (401, NO_BUCKET):
                return []
            raise StoreMisconfigured(
                f"INFLUXDB_TOKEN may not read the bucket {self._bucket!r}, where they are kept. Allow it to."
            ) from None
        found = [Ack(symbol, int(partition), first, at, acked) for at, symbol, partition, first, acked in rows]
        return sorted(found, key=lambda ack: (ack.time_ns, ack.symbol))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._influxql.close()

    def _try(self, call: Callable[[], object]) -> ApiException | None:
        """Return InfluxDB's refusal to the caller."""
        try:
            call()
        except ApiException as error:
            return error
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._where, error) from error
        return None

    def _failure(self, error: ApiException) -> StoreError:
        message = answers.message_of(error.body)
        if error.status in (401, 403, NO_BUCKET):
            return StoreMisconfigured(
                f"Acknowledgements cannot be kept: InfluxDB has no bucket {self._bucket!r} that INFLUXDB_TOKEN may "
                f"write to ({message}). Create it in the org {self._org!r} and allow the token to read and write it."
            )
        return answers.failure(
            error.status, message, error.headers, org=self._org, bucket=self._bucket, now=self._clock()
        )


def _point(ack: Ack) -> Point:
    point = Point(MEASUREMENT).tag("symbol", ack.symbol).tag("partition", str(ack.partition))
    point.field("first_offset", ack.first_offset).field("acked_ns", ack.acked_ns)
    return point.time(ack.time_ns, WritePrecision.NS)
