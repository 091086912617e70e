"""The bucket of the page: acknowledgements and mutes, kept apart from the metrics so that a page needs no permission to
write metrics.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import urllib3
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tickflow.errors import StoreError, StoreMisconfigured
from tickflow.settings.certificates import Certificates
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import CONNECT_SECONDS, READ_SECONDS, SYSTEMS_OWN, InfluxQL, context_of, unreachable

NO_BUCKET = 404
Row = TypeVar("Row")


class PageBucket:
    """Reads and writes `bucket`; the first write creates a missing bucket if the token may. Thread-safe.

    A missing bucket counts as empty. `what` names its content in messages.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        org: str,
        bucket: str,
        what: str,
        certificates: Certificates = SYSTEMS_OWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._org = org
        self._bucket = bucket
        self._what = what
        self._clock = clock
        self._where = f"InfluxDB at {url} (INFLUXDB_URL)"
        url = url.rstrip("/")
        self._certificates = certificates
        self._influxql = InfluxQL(
            url, token=token, org=org, bucket=bucket, where=self._where, certificates=certificates, clock=clock
        )
        timeout = (int(CONNECT_SECONDS * 1000), int(READ_SECONDS * 1000))
        self._client = InfluxDBClient(
            url, token=token, org=org, timeout=timeout, ssl_context=context_of(url, certificates)
        )
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: str) -> None:
        """Write lines of InfluxDB's line protocol. Raises `StoreError`."""
        error = self._try(lambda: self._writer.write(self._bucket, self._org, lines.encode(), WritePrecision.NS))
        if error is not None and error.status == NO_BUCKET:
            error = self._try(
                lambda: self._client.buckets_api().create_bucket(bucket_name=self._bucket, org=self._org)
            ) or self._try(lambda: self._writer.write(self._bucket, self._org, lines.encode(), WritePrecision.NS))
        if error is not None:
            raise self._failure(error) from error

    def rows(self, row: type[Row], query: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """The rows of a query in InfluxQL. Raises `StoreError`."""
        try:
            return self._influxql.rows(row, query, dict(params))
        except StoreMisconfigured:
            # InfluxDB answers "database not found" both for a missing bucket and for one that the token may not read.
            # An empty write distinguishes the two: 404 means missing. (After a 401, the reads of the metrics report
            # what is wrong.)
            error = self._try(lambda: self._writer.write(self._bucket, self._org, b"\n", WritePrecision.NS))
            if error is not None and error.status in (401, NO_BUCKET):
                return []
            raise StoreMisconfigured(
                f"INFLUXDB_TOKEN may not read the bucket {self._bucket!r}, where they are kept. Allow it to."
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._influxql.close()

    def _try(self, call: Callable[[], object]) -> ApiException | None:
        """Call the client; return InfluxDB's refusal, or `None` if there was none. Raises `StoreError` if nothing
        answers.
        """
        try:
            call()
        except ApiException as error:
            if not error.status:  # the client raises this when TLS fails
                tls = urllib3.exceptions.SSLError(error.reason)
                raise unreachable(self._where, tls, self._certificates) from error
            return error
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._where, error, self._certificates) from error
        return None

    def _failure(self, error: ApiException) -> StoreError:
        message = answers.message_of(error.body)
        if error.status in (401, 403, NO_BUCKET):
            return StoreMisconfigured(
                f"{self._what} cannot be kept: InfluxDB has no bucket {self._bucket!r} that INFLUXDB_TOKEN may "
                f"write to ({message}). Create it in the org {self._org!r} and allow the token to read and write it."
            )
        return answers.failure(
            error.status, message, error.headers, org=self._org, bucket=self._bucket, now=self._clock()
        )
