"""The bucket of the page: acknowledgements and mutes, kept apart from the metrics so that a page needs no permission to
write metrics.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from influxdb_client.rest import ApiException

from tickflow.errors import StoreError, StoreMisconfigured
from tickflow.settings.certificates import Certificates
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import SYSTEMS_OWN, InfluxQL
from tickflow.store.influx.writer import Writer

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
        where = f"InfluxDB at {url} (INFLUXDB_URL)"
        url = url.rstrip("/")
        self._influxql = InfluxQL(
            url, token=token, org=org, bucket=bucket, where=where, certificates=certificates, clock=clock
        )
        self._writer = Writer(
            url, token=token, org=org, bucket=bucket, where=where, certificates=certificates, clock=clock
        )

    def write(self, lines: str) -> None:
        """Write lines of InfluxDB's line protocol. Raises `StoreError`."""
        error = self._writer.write(lines)
        if error is not None and error.status == NO_BUCKET:
            error = self._writer.create_bucket() or self._writer.write(lines)
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
            error = self._writer.write("\n")
            if error is not None and error.status in (401, NO_BUCKET):
                return []
            raise StoreMisconfigured(
                f"INFLUXDB_TOKEN may not read the bucket {self._bucket!r}, where they are kept. Allow it to."
            ) from None

    def check(self) -> None:
        """Raise `StoreError` if the bucket cannot be written to at present."""
        error = self._writer.write("\n")
        if error is not None:
            raise self._failure(error)

    def close(self) -> None:
        """Close all connections."""
        self._writer.close()
        self._influxql.close()

    def _failure(self, error: ApiException) -> StoreError:
        if error.status in (401, 403, NO_BUCKET):
            message = answers.message_of(error.body)
            return StoreMisconfigured(
                f"{self._what} cannot be kept: InfluxDB has no bucket {self._bucket!r} that INFLUXDB_TOKEN may "
                f"write to ({message}). Create it in the org {self._org!r} and allow the token to read and write it."
            )
        return self._writer.failure(error)


class InPageBucket:
    """A store that keeps everything in one `PageBucket`; `what` is passed on to the bucket."""

    what: ClassVar[str]

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
            url, token=token, org=org, bucket=bucket, what=self.what, certificates=certificates, clock=clock
        )

    def close(self) -> None:
        """Close all connections."""
        self._kept.close()
