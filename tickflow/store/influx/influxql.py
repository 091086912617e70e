"""InfluxQL over InfluxDB's `/query`: bound parameters go in, rows come out.

InfluxQL works on InfluxDB 2.x and on 3, which no longer has Flux. See docs.influxdata.com, "Query data with InfluxQL".

InfluxQL has databases and retention policies instead of buckets, and InfluxDB maps them to buckets (DBRP): the bucket
`a` is the database `a`, the bucket `a/b` is the policy `b` of the database `a`. A mapping that an operator or an
upgrade from InfluxDB 1.x has created takes precedence, and may lead to a different bucket than the one that is written
to.
"""

import itertools
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import orjson
import urllib3

from tickflow.errors import StoreMisconfigured, StoreSlow, StoreUnavailable
from tickflow.settings.certificates import Certificates
from tickflow.store.deadline import is_over, seconds_left, too_slow
from tickflow.store.influx import answers
from tickflow.store.influx.visibility import Excused

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""How long to wait for each byte. Together with the time to connect this stays below the 15 s that a stop may take."""

SYSTEMS_OWN = Certificates("INFLUXDB_SSL", "INFLUXDB_URL", "begin INFLUXDB_URL with http://")
"""Trusts the system's authorities, and presents no certificate."""

PING_SECONDS = 1.0
BATCH_ROWS = 10_000
AT_ONCE = 4
"""The maximum number of requests that `together` and `each` have in flight for all readers: more would only queue for
InfluxDB's cores.
"""
SHARED, FEWEST_STATEMENTS = 2, 8
"""The maximum number of requests among which `each` shares its statements, and the minimum number of statements in
each: InfluxDB uses one core per request.
"""
POOL = 32
"""The maximum number of connections that are kept open: enough for all pages that refresh at once."""

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer in a row; InfluxDB's integers have 64 bits."""

Row = TypeVar("Row")
Shape = TypeVar("Shape")

_NO_NAME = r"\z."
"""A regular expression that matches nothing. An empty one would match every point without a symbol."""


class Pattern:
    """A regular expression as a bound parameter; only `named` creates patterns, and it escapes the names."""

    __slots__ = ("_text",)

    def __init__(self, names: Sequence[str]) -> None:
        self._text = f"^(?:{'|'.join(map(re.escape, names)) or _NO_NAME})$"

    def __repr__(self) -> str:
        return f"Pattern({self._text!r})"

    @classmethod
    def up_to(cls, last: str) -> "Pattern":
        """Matches every text that sorts no later than `last`. For a large number of names, this is far quicker than
        listing them.

        >>> matches = re.compile(Pattern.up_to("AB")._text).match
        >>> [bool(matches(each)) for each in ("", "A", "A ", "AAZ", "AB", "AB ", "AC", "B")]
        [False, True, True, True, True, False, False, False]
        """
        pattern = cls(())
        lower = [f"{re.escape(last[:at])}[\\x00-{_before(each)}].*" for at, each in enumerate(last) if each > "\0"]
        pattern._text = f"^(?s:{'|'.join([*lower, *(re.escape(last[:at]) for at in range(1, len(last) + 1))])})$"
        return pattern

    @property
    def bound(self) -> dict[str, str]:
        """The expression in the form that InfluxDB's API takes."""
        return {"regex": self._text}


Value = str | int | Pattern
"""The types of parameters: text, an integer (also a time in ns), or a pattern that matches a list of names."""
Params = Mapping[str, Value] | None

MOST_CHARACTERS = 1_000
MOST_NAMED = 1_000
"""Above this many symbols the query does not list them: it is faster to read every symbol up to the last one and filter
here.
"""

_OF_ANOTHER_SHAPE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class InfluxQL:
    """Queries one bucket. Thread-safe: every query uses its own pooled connection.

    Follows neither `http_proxy` and similar variables nor redirects: the token goes to `url` only.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        org: str,
        bucket: str,
        where: str,
        certificates: Certificates = SYSTEMS_OWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._org = org
        self._bucket = bucket
        self._database = database_of(bucket)
        self._where = where
        self._clock = clock
        self._certificates = certificates
        self._pool = urllib3.PoolManager(maxsize=POOL, retries=False, ssl_context=context_of(url, certificates))
        self.excused = Excused()
        """What is known about incomplete points in the bucket; see `visibility`."""
        self._askers = ThreadPoolExecutor(AT_ONCE, "asker")

    def rows(self, row: type[Row], query: str, params: Params = None) -> list[Row]:
        """The rows of all series that a single-statement query returns, each a tuple of the type `row`.

        The time comes first, in ns since 1970; an absent field is `None`; without data there are no rows. Raises
        `StoreUnavailable`, and `StoreMisconfigured`, also if the answer has any other shape.
        """
        return self._decode(row, self._post(query, params))

    def batches(self, row: type[Row], query: str, params: Params = None) -> Iterator[list[Row]]:
        """Like `rows`, but in portions, for queries with many rows: the first byte arrives at once, and less memory is
        needed.
        """
        body = self._post(query, params, chunked="true", chunk_size=str(BATCH_ROWS))
        for document in body.splitlines() or [body]:
            yield self._decode(row, document)

    def each(self, row: type[Row], queries: Sequence[str], params: Params = None) -> list[list[Row]]:
        """The rows of each statement; the statements share their parameters.

        They are sent in one request or, if there are many, in `SHARED` at the same time.
        """
        size = max(FEWEST_STATEMENTS, -(-len(queries) // SHARED))
        parts = [queries[at : at + size] for at in range(0, len(queries), size)]
        answers = self._at_once([("; ".join(part), params) for part in parts])
        results = [self._results(row, each, len(part)) for part, each in zip(parts, answers, strict=True)]
        return [_rows_of(result) for result in itertools.chain(*results)]

    def together(self, queries: Sequence[tuple[type[Row], str]], params: Params = None) -> list[list[Row]]:
        """The rows of each query; the queries share their parameters and run at the same time."""
        answers = self._at_once([(query, params) for _, query in queries])
        return [self._decode(row, each) for (row, _), each in zip(queries, answers, strict=True)]

    def _at_once(self, queries: Sequence[tuple[str, Params]]) -> list[bytes]:
        asked = [self._askers.submit(copy_context().run, self._post, query, params) for query, params in queries]
        wait(asked)  # no request may be in flight when an error is raised
        return [each.result() for each in asked]

    def grouped(self, row: type[Row], query: str, params: Params = None) -> dict[str, list[Row]]:
        """For each value of the tag, its rows, from a query that groups by this tag."""
        return self._by_tag(row, self._post(query, params))

    def grouped_each(self, row: type[Row], queries: Sequence[str], params: Params = None) -> list[dict[str, list[Row]]]:
        """What `grouped` returns for each query; the queries share their parameters and run at the same time."""
        return [self._by_tag(row, answer) for answer in self._at_once([(query, params) for query in queries])]

    def _by_tag(self, row: type[Row], answer: bytes) -> dict[str, list[Row]]:
        (result,) = self._results(row, answer, 1)
        return {value: series.values for series in result.series for value in series.tags.values()}

    def ask(self, shape: type[Shape], path: str, fields: Mapping[str, str]) -> Shape:
        """The answer of InfluxDB's API to a GET of `path`, decoded as `shape`. Raises the errors that `rows` raises."""
        document = self._request("GET", path, fields)
        try:
            return msgspec.json.decode(document, type=shape)
        except _OF_ANOTHER_SHAPE as error:
            raise self._not_influxdb(error) from error

    def kept_seconds(self) -> int:
        """How many seconds the bucket keeps points; 0 means for ever. (InfluxQL itself returns 0 for every bucket.)"""
        found = self.ask(_Buckets, "/api/v2/buckets", {"name": self._bucket, "org": self._org})
        return max((rule.everySeconds for bucket in found.buckets for rule in bucket.retentionRules), default=0)

    def misled(self) -> str | None:
        """What INFLUXDB_BUCKET should be, as a sentence, if InfluxDB answers this bucket's queries from another bucket;
        `None` if it does not.

        This finds only mappings that the token may read. Raises the errors that `rows` raises.
        """
        mine = self.ask(_Buckets, "/api/v2/buckets", {"name": self._bucket, "org": self._org}).buckets
        database, policy = self._database["db"], self._database.get("rp")
        found = self.ask(_Mappings, "/api/v2/dbrps", {"db": database, "org": self._org}).content
        fitting = [each for each in found if (each.default if policy is None else each.retention_policy == policy)]
        first = min(fitting, key=lambda each: each.virtual, default=None)  # InfluxDB's own mappings come last
        if first is None or not mine or any(first.bucketID == bucket.id for bucket in mine):
            return None
        others = self.ask(_Buckets, "/api/v2/buckets", {"id": first.bucketID, "org": self._org}).buckets
        name = others[0].name if others else first.bucketID
        return (
            "a bucket that is read where it is written: a DBRP mapping, as upgrades from InfluxDB 1.x make them, leads "
            f"queries of it to the bucket {name!r}. Set INFLUXDB_BUCKET to {name!r}, or delete the mapping "
            f"(influx v1 dbrp delete --id {first.id})"
        )

    def ping(self) -> str | None:
        """Send one ping, for at most `PING_SECONDS`; return why InfluxDB does not answer, or `None` if it does."""
        try:
            answer = self._pool.request("GET", f"{self._url}/ping", timeout=PING_SECONDS, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return str(unreachable(self._where, error, self._certificates))
        if answer.status == 400 and b"HTTPS" in answer.data:
            return f"{self._where} speaks TLS there: begin INFLUXDB_URL with https://"
        return f"{self._where} answers {answer.status}" if answer.status >= 500 else None

    def close(self) -> None:
        """Close all connections."""
        self._askers.shutdown()
        self._pool.clear()

    def _decode(self, row: type[Row], document: bytes) -> list[Row]:
        (result,) = self._results(row, document, 1)
        return _rows_of(result)

    def _results(self, row: type[Row], document: bytes, count: int) -> list["_Result[Row]"]:
        # The decoder reads `-0` as the integer 0 and loses its sign. Replaced twice, since neighbouring values share a
        # comma.
        document = document.replace(b",-0,", b",-0.0,").replace(b",-0,", b",-0.0,")
        try:
            results: list[_Result[Row]] = _decoder(row).decode(document).results  # type: ignore[arg-type]  # a type is hashable
            for result in results:
                if result.error is not None:  # an error of the statement comes with HTTP status 200
                    raise self._statement_error(result.error)
            if len(results) != count:
                raise msgspec.ValidationError(f"{len(results)} results to {count} statements")
        except _OF_ANOTHER_SHAPE as error:
            raise self._not_influxdb(error) from error
        return results

    def _post(self, query: str, params: Params, **options: str) -> bytes:
        values = orjson.dumps(bound(params or {})).decode()
        fields = {**self._database, "epoch": "ns", "q": query, "params": values, **options}
        return self._request("POST", "/query", fields, encode_multipart=False)

    def _request(self, method: str, path: str, fields: Mapping[str, str], **options: Any) -> bytes:
        try:
            answer = self._pool.request(
                method,
                self._url + path,
                fields=fields,
                headers=self._headers,
                timeout=urllib3.Timeout(connect=seconds_left(CONNECT_SECONDS), read=seconds_left(READ_SECONDS)),
                redirect=False,
                **options,
            )
        except urllib3.exceptions.HTTPError as error:
            if isinstance(error, urllib3.exceptions.TimeoutError) and is_over():
                raise too_slow() from error
            raise unreachable(self._where, error, self._certificates) from error
        if answer.status == 200:
            return answer.data
        message = answers.message_of(answer.data)
        raise answers.failure(
            answer.status, message, answer.headers, org=self._org, bucket=self._bucket, now=self._clock()
        )

    def _not_influxdb(self, error: Exception) -> StoreMisconfigured:
        return StoreMisconfigured(
            f"{self._where} does not answer like InfluxDB ({error}): check the address in INFLUXDB_URL."
        )

    def _statement_error(self, words: str) -> StoreMisconfigured | StoreUnavailable:
        if words.startswith(("database not found", "default retention policy not set")):
            return StoreMisconfigured(
                f"InfluxDB finds no bucket {self._bucket!r} that INFLUXDB_TOKEN may read: create it, or set "
                "INFLUXDB_BUCKET and INFLUXDB_TOKEN to a bucket that exists and a token that may read it. If it "
                "exists, a DBRP mapping from InfluxDB 1.x points elsewhere (influx v1 dbrp list): delete the mapping."
            )
        return StoreUnavailable(f"{self._where} could not answer a query: {words}")


def database_of(bucket: str) -> dict[str, str]:
    """The parameters of `/query` that name a bucket, as InfluxDB itself maps them.

    >>> database_of("stock_data"), database_of("stocks/two_weeks")
    ({'db': 'stock_data'}, {'db': 'stocks', 'rp': 'two_weeks'})
    """
    database, slash, policy = bucket.partition("/")
    return {"db": database, "rp": policy} if slash else {"db": database}


class _Rule(msgspec.Struct):
    everySeconds: int = 0  # noqa: N815 - InfluxDB's name


class _Bucket(msgspec.Struct):
    id: str = ""
    name: str = ""
    retentionRules: list[_Rule] = []  # noqa: N815 - InfluxDB's name


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket]


class _Mapping(msgspec.Struct):
    id: str
    retention_policy: str
    bucketID: str  # noqa: N815 - InfluxDB's name
    default: bool = False
    virtual: bool = False


class _Mappings(msgspec.Struct):
    content: list[_Mapping] = []


class _Series(msgspec.Struct, Generic[Row]):
    values: list[Row] = []
    tags: dict[str, str] = {}


class _Result(msgspec.Struct, Generic[Row]):
    series: list[_Series[Row]] = []
    error: str | None = None


class _Answer(msgspec.Struct, Generic[Row]):
    results: list[_Result[Row]]


@cache
def _decoder(row: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_Answer[row])


def bound(params: Mapping[str, object]) -> dict[str, str | int | dict[str, str]]:
    """The parameters in the form that InfluxDB takes.

    Raises `TypeError` for a value whose type is not in `Value`, and `ValueError` for text that is too long or not valid
    Unicode, and for an integer of more than 64 bits.

    InfluxDB also takes JSON objects, which can change the query: `{"identifier": "symbol"}` in place of a symbol
    returns the rows of all symbols. Such objects are refused here.

    >>> bound({"symbol": "AAPL", "since": 5})
    {'symbol': 'AAPL', 'since': 5}
    """
    return {name: _bound(name, value) for name, value in params.items()}


def _bound(name: str, value: object) -> str | int | dict[str, str]:
    if isinstance(value, Pattern):
        return value.bound
    if type(value) is str:
        if len(value) > MOST_CHARACTERS:
            raise ValueError(f"${name} has {len(value):,} characters")
        value.encode()  # raises UnicodeEncodeError, a ValueError, for half a surrogate pair
        return value
    if type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"${name} has more than 64 bits")
        return value
    raise TypeError(f"${name} is a {type(value).__name__}; only a text, an integer or names can be bound")


def named(symbols: Sequence[str] | None) -> tuple[str, dict[str, Value]]:
    """The condition that a point belongs to one of these symbols, which are bound as parameters; `None` means all
    symbols.

    A regular expression takes InfluxDB half the time that one comparison per symbol takes. With more than `MOST_NAMED`
    symbols, points of other symbols that sort before the last one also meet the condition.
    """
    if symbols is None:
        return "time >= 0", {}
    if len(symbols) > MOST_NAMED:
        return '"symbol" =~ $symbols', {"symbols": Pattern.up_to(max(symbols))}
    return '"symbol" =~ $symbols', {"symbols": Pattern([symbol for symbol in symbols if symbol])}


def _before(letter: str) -> str:
    """The character before this one, as the end of a character class in a regular expression."""
    code = ord(letter) - 1
    if code > 0x7F:
        return "\ud7ff" if 0xD800 <= code < 0xE000 else chr(code)
    return f"\\x{code:02x}"


def _rows_of(result: _Result[Row]) -> list[Row]:
    return [row for series in result.series for row in series.values]


def context_of(url: str, certificates: Certificates) -> ssl.SSLContext | None:
    """The TLS context for a URL with https. Raises `SettingError`."""
    return certificates.context() if url.startswith("https:") else None


def unreachable(
    where: str, error: Exception, certificates: Certificates = SYSTEMS_OWN
) -> StoreUnavailable | StoreMisconfigured:
    """The error for a request that got no answer."""
    if isinstance(error, urllib3.exceptions.SSLError) or "SSL" in str(error):
        meaning = certificates.explain(str(error)) or f"{error}; check INFLUXDB_URL and its certificate"
        return StoreMisconfigured(f"{where} cannot be trusted: {meaning}.")
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        words = str(error).rpartition(": ")[2]
    elif isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return StoreSlow(f"{where} is too slow: it has the request, and gave no answer within {READ_SECONDS:g} s.")
    elif isinstance(error, urllib3.exceptions.TimeoutError):
        words = "no connection in time"
    else:
        words = str(error)
    return StoreUnavailable(f"{where} cannot be reached: {words}")
