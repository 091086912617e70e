"""Whatever answers at INFLUXDB_URL, the store returns rows or raises one of its own errors."""

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influxdb_client.rest import ApiException

from tests.point_examples import MORNING
from tests.store.influx.test_binding import QUERIES
from tickflow.errors import StoreError
from tickflow.store.influx import answers, parts
from tickflow.store.influx.store import InfluxStore

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([MORNING, MORNING + 1, 0, -1, 2**63 - 1, "AAPL", "IBM", "simulated", 1.5, -0.0, True])
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
GOOD_ROW = [MORNING, "AAPL", "simulated", *[1.5] * 10, 3, 4, True]
rows = st.lists(scalars, max_size=24) | st.integers(1, 24).map(lambda n: ([MORNING, *[5] * n])[:n]) | st.just(GOOD_ROW)
series = st.fixed_dictionaries(
    {},
    optional={
        "name": scalars,
        "columns": st.lists(scalars, max_size=3),
        "values": st.lists(rows, max_size=4) | scalars,
        "tags": st.dictionaries(st.sampled_from(["symbol", "worker", "x"]), st.text(max_size=8), max_size=2) | scalars,
    },
)
results = st.fixed_dictionaries(
    {}, optional={"series": st.lists(series, max_size=3), "error": scalars, "statement_id": scalars}
)
documents = st.builds(lambda found, more: {"results": found} | more, st.lists(results, max_size=3), st.just({})) | trees
bodies = (
    documents.map(lambda found: json.dumps(found).encode())
    | st.binary(max_size=60)
    | documents.flatmap(
        lambda found: st.integers(0, 200).map(lambda at: json.dumps(found).encode()[:at] + b"\xff" + b"[" * at)
    )
    | st.sampled_from(
        [b"", b"null", b"[" * 5_000, b'{"results":' * 3_000, b'{"results":[{"error":"x"}]}', b"-0", b"," * 90]
    )
)


class Foreign(NamedTuple):
    """An answer as urllib3 returns it."""

    status: int
    data: bytes
    headers: Mapping[str, str]


foreign = st.builds(
    Foreign,
    st.sampled_from([200, 200, 200, 200, 204, 302, 400, 401, 404, 413, 422, 429, 500, 503, 999]),
    bodies,
    st.dictionaries(st.just("Retry-After"), st.text(max_size=12) | st.integers(-5, 10**12).map(str)),
)


class Shaped(NamedTuple):
    """An answer of the requested shape: `counts` rows per statement, filled with `cells` in turn."""

    counts: list[int]
    cells: list[Any]
    tag: str

    def of(self, query: str) -> Foreign:
        """The answer to a query."""
        results = []
        for at, statement in enumerate(query.split("; ")):
            width = statement.partition(" FROM ")[0].count(",") + 2
            count = self.counts[at % len(self.counts)]
            values = [
                [MORNING, *(self.cells[(row + column) % len(self.cells)] for column in range(1, width))]
                for row in range(count)
            ]
            results.append({"series": [{"values": values, "tags": {"symbol": self.tag}}]} if count >= 0 else {})
        return Foreign(200, json.dumps({"results": results}).encode(), {})


shaped = st.builds(
    Shaped,
    st.lists(st.integers(-1, 3), min_size=1, max_size=3),
    st.lists(st.integers(-5, 2**63), min_size=1, max_size=2) | st.lists(scalars, min_size=1, max_size=3),
    st.sampled_from(["AAPL", "IBM", "", "S1"]),
)


class FakePool:
    """Answers each request with the next of these answers, and repeats the last one."""

    def __init__(self, given: list[Foreign | Shaped]) -> None:
        self._given = given
        self._at = -1

    def request(self, *_arguments: Any, fields: Mapping[str, str], **_options: Any) -> Foreign:
        self._at = min(self._at + 1, len(self._given) - 1)
        found = self._given[self._at]
        return found.of(fields.get("q", "")) if isinstance(found, Shaped) else found

    def clear(self) -> None:
        """Do nothing, since nothing is open."""


def a_store(given: list[Foreign | Shaped]) -> InfluxStore:
    store = InfluxStore("http://127.0.0.1:1", token="t", org="o", bucket="b", stop=threading.Event())
    store._influxql._pool = FakePool(given)  # type: ignore[assignment]
    return store


@pytest.mark.parametrize("query", sorted(QUERIES.keys() - {"acknowledged"}))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given_=st.lists(foreign | shaped | shaped, min_size=1, max_size=4))
def test_every_query_handles_any_answer(query: str, given_: list[Foreign | Shaped]) -> None:
    store = a_store(given_)
    with suppress(StoreError):
        QUERIES[query](store, "AAPL", MORNING, MORNING + 10**9)
    store.close()


@settings(max_examples=100, deadline=None)
@given(given_=st.lists(foreign | shaped | shaped, min_size=1, max_size=4))
def test_any_answer_about_the_bucket_is_handled(given_: list[Foreign | Shaped]) -> None:
    store = a_store(given_)
    for ask in (store._influxql.misled, store._influxql.kept_seconds, lambda: store.keeps(MORNING, 0)):
        with suppress(StoreError):
            ask()
    store.close()


words = st.text(max_size=80) | st.sampled_from([
    "unable to parse 'm a=x 1': invalid boolean", "partial write: outside retention policy dropped=5",
    f"outside retention policy dropped={'9' * 5_000}",
    'field type conflict: input field "a" on measurement "b" is type float, already exists as type string dropped=1',
    "unable to parse ''': x\nunable to parse 'm': y",
])  # fmt: skip


@settings(max_examples=300)
@given(
    status=st.integers(-1, 1_000),
    body=st.none() | words | st.binary(max_size=80) | trees.map(json.dumps)
    | words.map(lambda text: json.dumps({"message": text})),
    header=st.none() | st.text(max_size=20) | st.sampled_from([
        "Thu, 01 Jan 0001 00:00:00 -0000", "Thu, 31 Dec 9999 23:59:59 +2359", "Thu, 01 Jan 1970 00:00:00 +9999",
        "9" * 9, "Thu, 31 Dec 9999 23:59:59 -2359",
        "Mon, 99 Foo 2026 99:99:99 GMT", "Thu, 01 Jan 99999999999 00:00:00 GMT",
    ]),
)  # fmt: skip
def test_any_refusal_becomes_a_sentence_and_every_wait_ends(
    status: int, body: str | bytes | None, header: str | None
) -> None:
    message = answers.message_of(body)
    answers.bad_lines(message)
    answers.expired(message)
    headers = {} if header is None else {"Retry-After": header}
    error = answers.failure(status, message, headers, org="o", bucket="b", now=1.7e9)
    assert str(error)
    asked = getattr(error, "retry_after", None)
    assert asked is None or 0 <= asked <= answers.LONGEST_WAIT


def refusal(status: int, body: bytes | str | None) -> ApiException:
    """The error that the client raises for a refused write."""
    error = ApiException(status=status, reason="refused")
    error.body = body
    return error


@settings(max_examples=200)
@given(
    st.lists(
        st.none() | st.builds(refusal, st.sampled_from([400, 413, 422, 500]), words | st.binary(max_size=50)),
        max_size=12,
    )
)
def test_any_refusals_of_a_write_count_each_point_at_most_once(given_: list[ApiException | None]) -> None:
    lines = [f"m a={at} 1" for at in range(6)]
    answered = iter(given_)

    def post(requests: list[list[str]]) -> list[Any]:
        return [next(answered, None) for _ in requests]

    def failure(error: ApiException) -> StoreError:
        return answers.failure(error.status, answers.message_of(error.body), {}, org="o", bucket="b", now=0.0)

    with suppress(StoreError):
        written = parts.write(lines, range(6), 4, 1, post, failure)
        assert len(written.refused) <= 6


def test_the_fuzzing_reaches_good_answers() -> None:
    """An answer that the strategies make can be read if its types are right."""
    store = a_store([Shaped([2], [5], "AAPL")])
    assert store.count("AAPL", 0, MORNING) == 5
    assert store.anomaly_counts(0) == {"AAPL": 10}
    assert len(store.candles("AAPL", 0, MORNING, 10**9)) == 2
    store.close()
