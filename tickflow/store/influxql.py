"""InfluxQL over InfluxDB's `/query`: bound parameters in, rows out.

InfluxQL works on InfluxDB 2.x and 3, where Flux is gone. See docs.influxdata.com, "Query data with InfluxQL".
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import urllib3

from tickflow.errors import StoreMisconfigured, StoreUnavailable
from tickflow.store import answers

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""How long to wait for each byte; with the time to connect it fits into the 15 s that a stop may take."""

PING_SECONDS = 1.0
BATCH_ROWS = 10_000
POOL = 32
"""Connections that are kept: as many as pages that refresh at once may need, and more."""

Rows = list[list[object]]


class InfluxQL:
    """Queries one bucket. Thread-safe: every query takes a connection of the pool for itself.

    Neither `http_proxy` and its like nor redirects are followed: the token goes to `url` alone.
    """

    def __init__(
        self, url: str, *, token: str, org: str, bucket: str, where: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._org = org
        self._bucket = bucket
        self._where = where
        self._clock = clock
        self._pool = urllib3.PoolManager(maxsize=POOL, retries=False)

    def rows(self, query: str, params: Mapping[str, object] | None = None) -> Rows:
        """The rows of all series of a query with one statement; the time comes first, in ns since 1970.

        A float that is whole comes as an int, an absent field as `None`. Without such data there are no rows.
        Raises `StoreUnavailable`, `StoreMisconfigured`.
        """
        return self._decode(self._post(query, params))

    def batches(self, query: str, params: Mapping[str, object] | None = None) -> Iterator[Rows]:
        """The same in portions, for many rows: the first byte comes at once, and they need less memory."""
        body = self._post(query, params, chunked="true", chunk_size=str(BATCH_ROWS))
        for document in body.splitlines() or [body]:
            yield self._decode(document)

    def each(self, queries: Sequence[str], params: Mapping[str, object] | None = None) -> list[Rows]:
        """The rows of each of some statements, asked in one request, which share their parameters."""
        return [self._rows_of(result) for result in self._results(self._post("; ".join(queries), params))]

    def grouped(self, query: str, params: Mapping[str, object] | None = None) -> dict[str, list[list[Any]]]:
        """The rows of a query that groups by one tag, by that tag's values."""
        (result,) = self._results(self._post(query, params))
        self._rows_of(result)  # raises for the error of a statement
        return {next(iter(series["tags"].values())): series["values"] for series in result.get("series", ())}

    def ping(self) -> str | None:
        """Ask once, for at most `PING_SECONDS`; why InfluxDB is not there yet, or `None` when it is."""
        try:
            answer = self._pool.request("GET", f"{self._url}/ping", timeout=PING_SECONDS, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return str(unreachable(self._where, error))
        return f"{self._where} answers {answer.status}" if answer.status >= 500 else None

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.clear()

    def _decode(self, document: bytes) -> Rows:
        return self._rows_of(self._results(document)[0])

    def _results(self, document: bytes) -> list[dict[str, Any]]:
        try:
            # The decoder takes `-0` for the integer 0, without its sign. Twice, since neighbours share a comma.
            results = orjson.loads(document.replace(b",-0,", b",-0.0,").replace(b",-0,", b",-0.0,"))["results"]
            return [dict(result) for result in results] or [results[0]]
        except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
            raise StoreMisconfigured(
                f"{self._where} does not answer like InfluxDB: check the address in INFLUXDB_URL."
            ) from None

    def _rows_of(self, result: dict[str, Any]) -> Rows:
        if "error" in result:  # of the statement; the HTTP status is 200 all the same
            raise self._statement_error(str(result["error"]))
        return [row for series in result.get("series", ()) for row in series["values"]]

    def _post(self, query: str, params: Mapping[str, object] | None, **options: str) -> bytes:
        bound = orjson.dumps(params or {}).decode()
        fields = {"db": self._bucket, "epoch": "ns", "q": query, "params": bound, **options}
        try:
            answer = self._pool.request(
                "POST",
                f"{self._url}/query",
                fields=fields,
                encode_multipart=False,
                headers=self._headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._where, error) from None
        if answer.status == 200:
            return answer.data
        message = answers.message_of(answer.data)
        raise answers.failure(
            answer.status, message, answer.headers, org=self._org, bucket=self._bucket, now=self._clock()
        )

    def _statement_error(self, words: str) -> StoreMisconfigured | StoreUnavailable:
        if words.startswith("database not found"):
            return StoreMisconfigured(
                f"InfluxDB finds no bucket {self._bucket!r} that INFLUXDB_TOKEN may read: create it, or set "
                "INFLUXDB_BUCKET and INFLUXDB_TOKEN to a bucket that exists and a token that may read it."
            )
        return StoreUnavailable(f"{self._where} could not answer a query: {words}")


def unreachable(where: str, error: Exception) -> StoreUnavailable | StoreMisconfigured:
    """The error for a request that never got an answer."""
    if isinstance(error, urllib3.exceptions.SSLError):
        return StoreMisconfigured(f"{where} cannot be trusted: {error}; check INFLUXDB_URL and its certificate.")
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        words = str(error).rpartition(": ")[2]
    elif isinstance(error, urllib3.exceptions.TimeoutError):
        words = "no answer in time"
    else:
        words = str(error)
    return StoreUnavailable(f"{where} cannot be reached: {words}")
