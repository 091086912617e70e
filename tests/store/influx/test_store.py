"""Tests of the InfluxDB adapter alone: refusals, unreachable servers, and the documented queries."""

import json
import logging
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devtools.influxdb import Influxd, InfluxServer
from devtools.process import free_port
from tests.http_stub import Answer, HttpStub
from tests.influx_tokens import a_token
from tests.point_examples import DAY, MORNING, SECOND, a_row, bits, points_of
from tickflow.errors import SettingError, Stopped, StoreMisconfigured, StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.base import WorkerStatus, Written
from tickflow.store.influx import influxql as influxql_module
from tickflow.store.influx import store as influx_module
from tickflow.store.influx import visibility
from tickflow.store.influx import writer as writer_module
from tickflow.store.influx.acks import InfluxAcks
from tickflow.store.influx.lines import to_lines
from tickflow.store.influx.store import InfluxStore

influx_needed = pytest.mark.influx
NEVER = 2**63 - 1  # a time just beyond InfluxDB's range: InfluxDB refuses the point


def open_store(
    server: InfluxServer,
    bucket: str,
    *,
    token: str | None = None,
    org: str | None = None,
    now: float | None = None,
    batch_points: int = 5_000,
    connections: int = 1,
    gzip: bool = False,
) -> InfluxStore:
    return InfluxStore(
        server.url,
        token=token or server.token,
        org=org or server.org,
        bucket=bucket,
        stop=threading.Event(),
        batch_points=batch_points,
        connections=connections,
        gzip=gzip,
        clock=time.time if now is None else lambda: now,
    )


def at_stub(
    stub: HttpStub, now: float = 0.0, *, batch_points: int = 5_000, connections: int = 1, gzip: bool = False
) -> InfluxStore:
    server = InfluxServer(url=stub.url, org="myorg", token="secret-token")
    return open_store(server, "stock_data", now=now, batch_points=batch_points, connections=connections, gzip=gzip)


def some(count: int, first_ns: int = MORNING, **values: object) -> Points:
    return points_of(*(a_row(time_ns=first_ns + i, **values) for i in range(count)))


@pytest.fixture
def store(influx: InfluxServer, bucket: str) -> Iterator[InfluxStore]:
    with open_store(influx, bucket) as found:
        yield found


@pytest.fixture
def hour_bucket(influx: InfluxServer) -> Iterator[str]:
    """A bucket that keeps points for an hour."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    influx.create_bucket(name, retention=3600)
    yield name
    influx.delete_bucket(name)


@influx_needed
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            'SELECT last("price") FROM "stock_metrics" GROUP BY "symbol"',
            {"AAPL": [[3.5]], "MSFT": [[9.0]]},
        ),
        (
            """SELECT "price", "ma_10" FROM "stock_metrics" WHERE "symbol" = 'AAPL' AND time > now() - 1h""",
            {None: [[2.5, None], [3.5, 3.0]]},
        ),
    ],
)
def test_the_documented_queries_work_as_written(
    influx: InfluxServer, store: InfluxStore, bucket: str, query: str, expected: dict[str | None, list[object]]
) -> None:
    now = time.time_ns()
    store.write(
        points_of(
            a_row(time_ns=now - 7200 * SECOND, price=1.5, ma_10=1.0),
            a_row(time_ns=now - 60 * SECOND, price=2.5),
            a_row(time_ns=now - 30 * SECOND, price=3.5, ma_10=3.0),
            a_row(symbol="MSFT", time_ns=now - 10 * SECOND, price=9.0),
        )
    )
    answer = influx.call("GET", "/query?" + urllib.parse.urlencode({"db": bucket, "q": query}))
    found = {series.get("tags", {}).get("symbol"): series["values"] for series in answer["results"][0]["series"]}
    assert {symbol: [row[1:] for row in rows] for symbol, rows in found.items()} == expected


@influx_needed
def test_one_bad_line_is_refused_with_its_reason_and_the_rest_is_written(store: InfluxStore) -> None:
    good, bad = some(99), points_of(a_row(time_ns=NEVER))
    written = store.write(Points.joined([good.take(range(40)), bad, good.take(range(40, 99))]))
    assert written.stored == 99
    assert [index for index, _ in written.refused] == [40]
    assert written.refused[0][1].startswith("time outside range")
    assert bits(store.points("AAPL", 0)) == bits(good)


@influx_needed
def test_two_refusals_in_two_hundred_are_tolerated_but_three_are_an_error(store: InfluxStore) -> None:
    bad = [a_row(time_ns=NEVER), a_row(price=float("inf")), a_row(price=float("-inf"))]
    written = store.write(Points.joined([points_of(*bad[:2]), some(198)]))
    assert [(index, bool(words)) for index, words in written.refused] == [(0, True), (1, True)]
    assert written.stored == 198
    with pytest.raises(StoreMisconfigured, match=r"refuses 3 of 200 points.*time outside range"):
        store.write(Points.joined([points_of(*bad), some(197, MORNING + DAY)]))
    assert len(store.points("AAPL", MORNING + DAY)) == 0


@influx_needed
def test_a_single_refused_point_is_never_an_error_of_the_setup(store: InfluxStore) -> None:
    written = store.write(points_of(a_row(time_ns=NEVER)))
    assert (written.stored, len(written.refused), written.expired) == (0, 1, 0)


@influx_needed
def test_the_same_bad_line_twice_is_refused_twice(store: InfluxStore) -> None:
    bad = points_of(a_row(time_ns=NEVER))
    written = store.write(Points.joined([bad, some(298), bad]))
    assert [index for index, _ in written.refused] == [0, 299]
    assert written.stored == 298


@influx_needed
def test_points_outside_the_retention_are_counted_and_the_rest_is_written(
    influx: InfluxServer, hour_bucket: str
) -> None:
    new = some(5, time.time_ns())
    with open_store(influx, hour_bucket) as store:
        assert store.write(Points.joined([some(3), new])) == Written(5, (), 3)
        assert bits(store.points("AAPL", 0)) == bits(new)
        assert store.write(some(3)) == Written(0, (), 3)


@influx_needed
def test_bad_and_expired_points_in_one_batch_are_distinguished(influx: InfluxServer, hour_bucket: str) -> None:
    new = some(5, time.time_ns())
    with open_store(influx, hour_bucket) as store:
        written = store.write(Points.joined([some(3), points_of(a_row(time_ns=NEVER)), new]))
        assert (written.stored, [i for i, _ in written.refused], written.expired) == (5, [3], 3)
        assert bits(store.points("AAPL", 0)) == bits(new)


@influx_needed
def test_a_field_type_conflict_is_reported_with_field_and_types(
    influx: InfluxServer, hour_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    with open_store(influx, hour_bucket) as store:
        with monkeypatch.context() as patched:
            line = f"stock_metrics,symbol=AAPL,source=other price=5i {now}"
            patched.setattr(influx_module, "to_lines", lambda _: [line])
            store.write(some(1))
        # The second batch has expired points too.
        for points in (some(2, now + 1), Points.joined([some(3), some(2, now + 1)])):
            with pytest.raises(StoreMisconfigured, match="INFLUXDB_BUCKET") as caught:
                store.write(points)
            for word in ("'price'", "'stock_metrics'", "as integer", "given float"):
                assert word in str(caught.value)


@influx_needed
def test_points_that_another_program_wrote_without_our_fields_are_left_out(
    store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(influx_module, "to_lines", lambda _: [f"stock_metrics,symbol=AAPL price=5.0 {MORNING}"])
        store.write(some(1))
    store.write(some(3, MORNING + 1))
    assert len(store.points("AAPL", 0)) == 3
    assert len(store.latest()) == 1


@influx_needed
@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"token": "not-the-token"}, "INFLUXDB_TOKEN"),
        ({"bucket": "not-the-bucket"}, "INFLUXDB_BUCKET"),
        ({"org": "not-the-org"}, "INFLUXDB_ORG"),
    ],
)
def test_a_wrong_setting_is_named(
    influx: InfluxServer, bucket: str, caplog: pytest.LogCaptureFixture, wrong: dict[str, str], key: str
) -> None:
    arguments: dict[str, str] = {"bucket": bucket} | wrong
    status = WorkerStatus("host-1", time.time_ns(), None, None, 0, 0, 0, 0, "")
    with open_store(influx, **arguments) as store:  # type: ignore[arg-type]  # all arguments are strings
        with pytest.raises(StoreMisconfigured, match=key) as caught:
            store.write(some(2))
        with pytest.raises(StoreMisconfigured, match=key):
            store.write_status(status)
        if key != "INFLUXDB_ORG":  # /query finds the org from the token
            with pytest.raises(StoreMisconfigured, match=key):
                store.latest()
            store.connect()
            assert [key in record.getMessage() for record in caplog.records] == [True]
    assert influx.token not in str(caught.value) + caplog.text
    assert wrong.get("token", "-no-") not in str(caught.value) + caplog.text


@influx_needed
def test_a_token_that_may_only_read_cannot_write_and_one_that_may_only_write_cannot_read(
    influx: InfluxServer, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(influx, bucket, token=a_token(influx, bucket, "read")) as reader:
        reader.connect()
        assert len(reader.latest()) == 0
        with pytest.raises(StoreMisconfigured, match="INFLUXDB_TOKEN"):
            reader.write(some(1))
    with open_store(influx, bucket, token=a_token(influx, bucket, "write")) as writer:
        writer.connect()
        assert writer.write(some(1)) == Written(1)
        with pytest.raises(StoreMisconfigured, match="INFLUXDB_TOKEN"):
            writer.latest()
    assert caplog.records == []


def test_a_token_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingError, match="INFLUXDB_TOKEN") as caught:
        InfluxStore("http://127.0.0.1:1", token="tok\nen-x", org="o", bucket="b", stop=threading.Event())
    assert "en-x" not in str(caught.value)


@influx_needed
def test_a_stopped_server_is_unavailable_until_it_is_back(own_influx: Influxd) -> None:
    with open_store(own_influx.server, "stock_data") as store:
        store.connect()
        assert store.write(some(1)) == Written(1)
        own_influx.stop()
        for call in (lambda: store.write(some(3)), store.latest, store.statuses):
            with pytest.raises(StoreUnavailable, match="INFLUXDB_URL"):
                call()
        own_influx.start()
        assert store.write(some(3)) == Written(3)
        assert len(store.points("AAPL", 0)) == 3


@influx_needed
def test_a_server_that_hangs_is_unavailable_after_a_time_out(
    own_influx: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "READ_SECONDS", 0.3)
    monkeypatch.setattr(influxql_module, "READ_SECONDS", 0.3)
    with open_store(own_influx.server, "stock_data") as store:
        store.connect()
        own_influx.pause()
        for call in (lambda: store.write(some(1)), store.latest):
            with pytest.raises(StoreUnavailable, match="is too slow: it has the request"):
                call()
        own_influx.resume()
        for left in reversed(range(20)):  # on a busy machine, the first answers take longer than 0.3 s
            try:
                assert store.write(some(1)) == Written(1)
                break
            except StoreUnavailable:
                assert left


@influx_needed
def test_connect_waits_for_a_server_that_starts_later_and_logs_that(
    tmp_path: Path, own_influx: Influxd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    own_influx.stop()
    with open_store(own_influx.server, "stock_data") as store:
        connecting = threading.Thread(target=store.connect)
        connecting.start()
        time.sleep(1.0)
        assert connecting.is_alive()
        assert "INFLUXDB_URL" in caplog.messages[0]
        own_influx.start()
        connecting.join(60)
        assert not connecting.is_alive()
        assert caplog.messages[-1].endswith("answers")
        assert store.write(some(1)) == Written(1)


def test_connect_obeys_stop_within_a_second() -> None:
    server = InfluxServer(url=f"http://127.0.0.1:{free_port()}", org="myorg", token="secret-token")
    with open_store(server, "stock_data") as store:
        threading.Timer(0.5, store.stop.set).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            store.connect()
        assert time.monotonic() - began < 10


@influx_needed
def test_the_environments_proxy_does_not_divert_requests(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    store.connect()
    assert store.write(some(1)) == Written(1)
    assert len(store.latest()) == 1


def test_a_request_that_is_too_large_is_halved_until_it_fits() -> None:
    taken: list[bytes] = []

    def at_most_three_lines(_path: str, body: bytes) -> Answer:
        lines = body.splitlines()
        if len(lines) > 3:
            return Answer(413)
        taken.extend(lines)
        return Answer(204)

    points = some(10)
    with HttpStub(at_most_three_lines) as stub, at_stub(stub) as store:
        assert store.write(points) == Written(10)
    assert taken == [line.encode() for line in to_lines(points)]


def test_no_request_has_more_points_than_the_setting_allows() -> None:
    taken: list[list[bytes]] = []

    def take(_path: str, body: bytes) -> Answer:
        taken.append(body.splitlines())
        return Answer(204)

    points = some(10)
    with HttpStub(take) as stub, at_stub(stub, batch_points=4) as store:
        assert store.write(points) == Written(10)
    assert [len(lines) for lines in taken] == [4, 4, 2]
    assert [line for lines in taken for line in lines] == [line.encode() for line in to_lines(points)]


def test_two_connections_carry_two_requests_at_once_and_a_few_points_use_one() -> None:
    both = threading.Barrier(2)
    sizes: list[int] = []

    def meet(_path: str, body: bytes) -> Answer:
        sizes.append(len(body.splitlines()))
        if sizes[-1] > 10:
            both.wait(10)  # raises, which fails this request, if the other one does not arrive
        return Answer(204)

    with HttpStub(meet) as stub, at_stub(stub, connections=2) as store:
        assert store.write(some(2_500)) == Written(2_500)
        assert store.write(some(10)) == Written(10)
    assert sizes == [1_250, 1_250, 10]


def test_a_write_that_fails_on_one_of_two_connections_ends_when_both_are_over() -> None:
    over: list[int] = []

    def refuse_the_first(_path: str, _body: bytes) -> Answer:
        number = len(over)
        over.append(number)
        if number == 0:
            return Answer(503)
        time.sleep(0.2)
        over.append(-1)
        return Answer(204)

    with (
        HttpStub(refuse_the_first) as stub,
        at_stub(stub, connections=2) as store,
        pytest.raises(StoreUnavailable, match="503"),
    ):
        store.write(some(2_500))
    assert over == [0, 1, -1]


def test_after_a_failed_request_no_further_one_starts() -> None:
    # If the server does not answer, each further request would wait 10 s, but a stop has to end within 15 s.
    with HttpStub(lambda _path, _body: Answer(503)) as stub, at_stub(stub, batch_points=1_000, connections=2) as store:
        with pytest.raises(StoreUnavailable):
            store.write(some(10_000))
        assert len(stub.requests) == 2


def test_points_with_one_identity_are_sent_in_order() -> None:
    events: list[int] = []

    def take_a_while(_path: str, body: bytes) -> Answer:
        price = int(body.partition(b" price=")[2].partition(b".")[0])
        events.append(price)
        time.sleep(0.05)
        events.append(-price)
        return Answer(413 if len(body.splitlines()) > 1_000 else 204)

    twice = Points.joined([some(1_001, price=1.0), some(1_001, price=2.0)])
    with HttpStub(take_a_while) as stub, at_stub(stub, connections=2) as store:
        assert store.write(twice) == Written(2_002)
    assert events == [1, -1, 1, -1, 1, -1, 2, -2, 2, -2, 2, -2]


@influx_needed
def test_compressed_writes_over_several_connections_store_the_same_points(influx: InfluxServer, bucket: str) -> None:
    with open_store(influx, bucket, batch_points=700, connections=3, gzip=True) as store:
        assert store.write(some(2_500)) == Written(2_500)
        assert store.count("AAPL", 0, NEVER - 1) == 2_500


def test_compression_is_off_unless_requested() -> None:
    begun: list[bytes] = []

    def take(_path: str, body: bytes) -> Answer:
        begun.append(body[:2])
        return Answer(204)

    with HttpStub(take) as stub:
        for gzip in (False, True):
            with at_stub(stub, gzip=gzip) as store:
                store.write(some(1))
    assert begun == [b"st", b"\x1f\x8b"]


def test_a_single_point_that_is_too_large_is_reported() -> None:
    with (
        HttpStub(lambda _path, _body: Answer(413, b"entity too large")) as stub,
        at_stub(stub) as store,
        pytest.raises(StoreMisconfigured, match="single point"),
    ):
        store.write(some(4))


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:01:30 GMT"}, 30.0),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:00:30 GMT"}, 0.0),
        (503, {"Retry-After": "soon"}, None),
        (429, {}, None),
        (500, {}, None),
        (504, {}, None),
    ],
)
def test_an_overloaded_server_is_given_the_time_it_asks_for(
    status: int, headers: dict[str, str], expected: float | None
) -> None:
    with (
        HttpStub(lambda _path, _body: Answer(status, b'{"code":"x","message":"busy"}', headers)) as stub,
        at_stub(stub, now=60.0) as store,
    ):
        for call in (lambda: store.write(some(1)), store.latest):
            with pytest.raises(StoreUnavailable, match="busy") as caught:
                call()
            assert caught.value.retry_after == expected


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with (
        HttpStub(lambda _path, _body: Answer(204)) as elsewhere,
        HttpStub(lambda _path, _body: Answer(307, headers={"Location": elsewhere.url})) as stub,
        at_stub(stub) as store,
    ):
        for call in (lambda: store.write(some(1)), store.latest):
            with pytest.raises(StoreMisconfigured, match="INFLUXDB_URL"):
                call()
        assert elsewhere.requests == []


def test_an_answer_that_is_not_utf8_is_retried() -> None:
    body = "<h1>Passerelle incorrecte, réessayez</h1>".encode("latin-1")
    with (
        HttpStub(lambda _path, _body: Answer(502, body)) as stub,
        at_stub(stub) as store,
        pytest.raises(StoreUnavailable, match="INFLUXDB_URL"),
    ):
        store.write(some(1))


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b"[]", b'{"results":[]}', b""])
def test_an_address_that_is_not_influxdb_is_reported(body: bytes) -> None:
    with HttpStub(lambda _path, _body: Answer(200, body)) as stub, at_stub(stub) as store:
        with pytest.raises(StoreMisconfigured, match="INFLUXDB_URL"):
            store.latest()
        with pytest.raises(StoreMisconfigured, match="INFLUXDB_URL"):
            store.points("AAPL", 0)


@pytest.mark.parametrize("before", [b"", b'{"results":[{"statement_id":0,"partial":true}]}\n'])
def test_an_error_of_a_statement_with_status_200_is_detected(before: bytes) -> None:
    body = before + b'{"results":[{"statement_id":0,"error":"engine: closed"}]}\n'
    with (
        HttpStub(lambda _path, _body: Answer(200, body)) as stub,
        at_stub(stub) as store,
        pytest.raises(StoreUnavailable, match="engine: closed"),
    ):
        store.points("AAPL", 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
VALUES = st.lists(st.lists(JSON, max_size=18) | JSON, max_size=3)
SERIES = st.fixed_dictionaries({}, optional={"values": VALUES | JSON, "tags": JSON, "name": JSON, "columns": JSON})
RESULT = st.fixed_dictionaries({}, optional={"series": st.lists(SERIES | JSON, max_size=2) | JSON, "error": JSON})
ANSWERS = st.fixed_dictionaries({"results": st.lists(RESULT | JSON, max_size=2) | JSON}) | JSON


@pytest.fixture(scope="module")
def any_answer() -> Iterator[tuple[list[object], InfluxStore]]:
    """A list whose first item is the server's answer (status 200), and a store on that server."""
    given: list[object] = [None]
    with (
        pytest.MonkeyPatch.context() as patched,
        HttpStub(lambda _path, _body: Answer(200, json.dumps(given[0]).encode())) as stub,
        at_stub(stub) as store,
    ):
        patched.setattr(visibility, "PAUSE_SECONDS", 0.0)
        yield given, store


@settings(max_examples=100, deadline=None)
@given(answer=ANSWERS)
@example(answer=[])
@example(answer={"results": [1]})
@example(answer={"results": [{"series": [{}]}]})
@example(answer={"results": [{"series": [{"values": [[1, "AAPL"]]}]}]})
@example(answer={"results": [{"series": [{"values": [[2**63, 1, "AAPL"]]}]}]})
@example(answer={"results": [{"series": [{"tags": {"symbol": 1}, "values": [[1, 1]]}]}]})
@example(answer={"buckets": [{"retentionRules": [{"everySeconds": "1"}]}]})
def test_any_answer_to_a_query_is_understood_or_reported(
    any_answer: tuple[list[object], InfluxStore], answer: object
) -> None:
    given, store = any_answer
    given[0] = answer
    acks = InfluxAcks(store._writer.client.url, token="secret-token", org="myorg", bucket="stock_data_acks")
    store._kept_seconds = None
    for ask in (
        store.statuses,
        store.latest,
        lambda: store.first_prices(0),
        lambda: store.points("AAPL", 0),
        lambda: store.count("AAPL", 0, 1),
        lambda: store.keeps(0, 0),
        lambda: store.newest("AAPL", 5),
        lambda: store.anomalies(0, 5),
        lambda: store.preceded([("AAPL", 1), ("MSFT", 1)]),
        lambda: store.anomaly_counts(0),
        lambda: store.trends(0, 10, 2),
        lambda: store.candles("AAPL", 0, 10, 1),
        lambda: acks.acknowledged(0),
    ):
        with suppress(StoreMisconfigured, StoreUnavailable):
            ask()
    acks.close()
