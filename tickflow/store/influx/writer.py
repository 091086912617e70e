"""Writes to one bucket over InfluxDB's client, for the metrics, the alerts and the page's own bucket."""

import time
from collections.abc import Callable

import urllib3
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tickflow.errors import StoreError, StoreUnavailable
from tickflow.settings.certificates import Certificates
from tickflow.store.influx import answers
from tickflow.store.influx.influxql import CONNECT_SECONDS, READ_SECONDS, context_of, unreachable


class Writer:
    """Writes lines of InfluxDB's line protocol to `bucket`, one request per call, never in the background. Thread-safe.

    `where` names the server in messages. Raises `SettingError` for certificates that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        org: str,
        bucket: str,
        where: str,
        certificates: Certificates,
        gzip: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._org = org
        self._bucket = bucket
        self._where = where
        self._certificates = certificates
        self._clock = clock
        self.client = InfluxDBClient(
            url,
            token=token,
            org=org,
            timeout=(int(CONNECT_SECONDS * 1000), int(READ_SECONDS * 1000)),
            enable_gzip=gzip,
            ssl_context=context_of(url, certificates),
        )
        self.api = self.client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: str) -> ApiException | None:
        """Send the lines; return InfluxDB's refusal, or `None` if it took them. Raises `StoreError` if there is no
        answer.
        """
        return self._try(lambda: self.api.write(self._bucket, self._org, lines.encode(), WritePrecision.NS))

    def create_bucket(self) -> ApiException | None:
        """Create the bucket; return InfluxDB's refusal, or `None` if it did. Raises `StoreError` as `write` does."""
        return self._try(lambda: self.client.buckets_api().create_bucket(bucket_name=self._bucket, org=self._org))

    def failure(self, error: ApiException) -> StoreError:
        """The error for a refusal; its sentence names the setting and what to do."""
        message = answers.message_of(error.body)
        return answers.failure(
            error.status, message, error.headers, org=self._org, bucket=self._bucket, now=self._clock()
        )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def _try(self, call: Callable[[], object]) -> ApiException | None:
        try:
            call()
        except ApiException as error:
            if not error.status:  # this is how the client reports a failure of TLS
                tls = urllib3.exceptions.SSLError(error.reason)
                raise unreachable(self._where, tls, self._certificates) from error
            return error
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._where, error, self._certificates) from error
        except UnicodeDecodeError as error:  # the client decodes every answer; a proxy's page may be in any encoding
            raise StoreUnavailable(
                f"{self._where} cannot be reached: something else answers at that address"
            ) from error
        return None
