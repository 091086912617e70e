"""In every query, a bound value reaches InfluxDB as a value, and its text never becomes part of the query."""

import inspect
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devtools.influxdb import InfluxServer
from tests.point_examples import MORNING, a_row, points_of
from tickflow.store.base import PageQueries, StatusBoard
from tickflow.store.influx.acks import InfluxAcks
from tickflow.store.influx.influxql import InfluxQL, Pattern, bound
from tickflow.store.influx.store import InfluxStore

Asked = list[tuple[str, dict[str, Any]]]

QUERIES: dict[str, Callable[[InfluxStore, str, int, int], object]] = {
    "points": lambda store, symbol, since, until: (store.points(symbol, since, until), store.points(symbol, since)),
    "count": lambda store, symbol, since, until: store.count(symbol, since, until),
    "newest": lambda store, symbol, since, until: store.newest(symbol, 5),
    "latest": lambda store, symbol, since, until: (
        store.latest([symbol, "IBM"]),
        store.latest(),
        store.latest(most=5),
    ),
    "sources_left_out": lambda store, symbol, since, until: store.bounded().sources_left_out(symbol),
    "symbol_count": lambda store, symbol, since, until: store.symbol_count(),
    "first_prices": lambda store, symbol, since, until: store.first_prices(since, [symbol]),
    "first_prices_and_counts": lambda store, symbol, since, until: store.first_prices_and_counts(since, [symbol]),
    "last_prices": lambda store, symbol, since, until: store.last_prices(since, until, [symbol]),
    "totals": lambda store, symbol, since, until: store.totals(symbol, since, until),
    "anomalies": lambda store, symbol, since, until: store.anomalies(since, 5, [symbol]),
    "preceded": lambda store, symbol, since, until: store.preceded([(symbol, until), (symbol, since), ("IBM", since)]),
    "anomaly_counts": lambda store, symbol, since, until: store.anomaly_counts(since, [symbol]),
    "trends": lambda store, symbol, since, until: store.trends(since, since + 1000, 10),
    "digest": lambda store, symbol, since, until: store.digest(symbol, since, until, 10),
    "outline": lambda store, symbol, since, until: store.outline(symbol, since, until, 10),
    "candles": lambda store, symbol, since, until: store.candles(symbol, since, until, 10**9),
    "pixels": lambda store, symbol, since, until: store.pixels(symbol, since, until, 10**9),
    "at_most": lambda store, symbol, since, until: store.at_most(symbol, since, until, 10),
    "strongest": lambda store, symbol, since, until: store.strongest(symbol, [(since, until), (until, until + 5)]),
    "first_time": lambda store, symbol, since, until: store.first_time(symbol),
    "statuses": lambda store, symbol, since, until: store.statuses(),
    "acknowledged": lambda store, symbol, since, until: InfluxAcks(
        "http://127.0.0.1:1", token="t", org="o", bucket="b"
    ).acknowledged(since),
}
NOT_ASKED_BY_INFLUXQL = {
    "prepare",
    "keeps",
    "connect",
    "close",
    "write_status",
}  # the queries of `prepare` are tested through other methods


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Collects the queries and their parameters instead of sending them to InfluxDB."""
    found: Asked = []

    def request(_self: InfluxQL, _method: str, _path: str, fields: Mapping[str, str], **_options: object) -> bytes:
        found.append((fields["q"], json.loads(fields["params"])))
        series = {"values": [[MORNING, 5]], "tags": {"symbol": "IBM"}} if "last(" in fields["q"] else None
        result: dict[str, object] = {"series": [series]} if series and "time(" not in fields["q"] else {}
        return json.dumps({"results": [result] * (fields["q"].count(";") + 1)}).encode()

    monkeypatch.setattr(InfluxQL, "_request", request)
    return found


def a_store() -> InfluxStore:
    return InfluxStore("http://127.0.0.1:1", token="t", org="o", bucket="b", stop=threading.Event())


def test_the_list_has_every_query_of_the_store() -> None:
    theirs = {
        name
        for interface in (PageQueries, StatusBoard)
        for name, _ in inspect.getmembers(interface, inspect.isfunction)
        if not name.startswith("_")
    }
    assert theirs - NOT_ASKED_BY_INFLUXQL == set(QUERIES) - {"acknowledged"}


def statements(queries: list[str]) -> set[str]:
    """The queries' statements without the numbers that the adapter computes: step widths and parameter numbers."""
    return {re.sub(r"\d+", "0", each) for query in queries for each in query.split("; ")}


HOSTILE = [
    "' OR 1=1 --",
    '"; DROP MEASUREMENT stock_metrics',
    "$since",
    "\\",
    "(.*)",
    "|",
    "\n",
    "AAPL' OR symbol != '",
]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_the_text_of_a_query_never_depends_on_its_values(name: str, asked: Asked) -> None:

    def one(symbol: str, since: int, until: int) -> tuple[list[str], Asked]:
        asked.clear()
        with a_store() as store:
            QUERIES[name](store, symbol, since, until)
        return [query for query, _ in asked], list(asked)

    plain, _ = one("AAPL", MORNING, MORNING + 10**9)
    times = st.integers(0, 2**61)

    @given(symbol=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=40)), since=times, length=times)
    def check(symbol: str, since: int, length: int) -> None:
        try:
            symbol.encode()
        except UnicodeEncodeError:
            with pytest.raises(ValueError, match="surrogates"):
                bound({"symbol": symbol})
            return
        queries, asked = one(symbol, since, since + length)
        assert statements(queries) <= statements(plain)
        for _, params in asked:
            for value in params.values():
                assert type(value) in (str, int) or list(value) == ["regex"]
                if isinstance(value, dict) and symbol != "IBMx":
                    assert re.fullmatch(value["regex"], symbol)
                    assert not re.fullmatch(value["regex"], symbol + "x")

    check()


@pytest.mark.parametrize(
    "value", [{"identifier": "symbol"}, {"regex": ".*"}, {"duration": "5s"}, ["AAPL"], True, 1.5, None, b"AAPL", 2**63]
)
def test_only_texts_and_integers_can_be_bound(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        bound({"symbol": value})


def test_a_text_that_is_too_long_is_not_bound() -> None:
    with pytest.raises(ValueError, match="characters"):
        bound({"symbol": "A" * 1_001})


@pytest.mark.influx
def test_an_object_in_place_of_a_symbol_returns_no_other_symbols_rows(influx: InfluxServer, bucket: str) -> None:
    with InfluxStore(influx.url, token=influx.token, org=influx.org, bucket=bucket, stop=threading.Event()) as store:
        store.write(points_of(a_row(symbol="AAPL"), a_row(symbol="IBM")))
        for wrong in ({"identifier": "symbol"}, {"regex": ".*"}):
            with pytest.raises(TypeError):
                store.points(wrong, 0)  # type: ignore[arg-type]
        for name in HOSTILE:
            assert len(store.points(name, 0)) == 0
            assert store.first_prices(0, [name]) == {}
        assert list(store.first_prices(0, ["AAPL", *HOSTILE[:6]])) == ["AAPL"]


letters = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


@given(last=letters, others=st.lists(letters, max_size=20))
def test_names_up_to_the_last_one_are_those_that_sort_no_later(last: str, others: list[str]) -> None:
    pattern = Pattern.up_to(last).bound["regex"]
    for name in [*others, last, f"{last}x", last[:-1] or "x", f"{last}\n"]:
        assert bool(re.fullmatch(pattern, name)) == (name.encode() <= last.encode())
