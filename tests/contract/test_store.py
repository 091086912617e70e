"""Contract tests for every metrics store: the embedded file, a real InfluxDB, and the fake in memory."""

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryStore
from tests.point_examples import DAY, MORNING, OPTIONAL, SECOND, Row, a_row, bits, points_of, rows
from tickflow.dashboard.as_of import AsOf
from tickflow.metrics.points import Points, point_time
from tickflow.store import digest
from tickflow.store.base import MetricsStore, WorkerStatus, Written
from tickflow.store.influx import digest as influx_digest
from tickflow.store.influx import preceded as influx_preceded
from tickflow.store.influx.store import InfluxStore
from tickflow.store.sqlite import digest as embedded_digest
from tickflow.store.sqlite.store import EmbeddedStore

A_WEEK = (MORNING - 3 * DAY, MORNING + 4 * DAY)
_fresh = itertools.count()


@pytest.fixture(params=["memory", "embedded", pytest.param("influx", marks=pytest.mark.influx)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MetricsStore]:
    stop = threading.Event()
    found: MetricsStore
    if request.param == "memory":
        found = MemoryStore(time.time_ns)
    elif request.param == "embedded":
        found = EmbeddedStore(tmp_path / "stocks.db", retention_days=7, stop=stop)
    else:
        server, bucket = request.getfixturevalue("influx"), request.getfixturevalue("bucket")
        found = InfluxStore(server.url, token=server.token, org=server.org, bucket=bucket, stop=stop)
    with found:
        found.connect()
        yield found


def a_status(**values: object) -> WorkerStatus:
    plain: dict[str, object] = {
        "worker": "host-1",
        "written_at": time.time_ns(),
        "processed_at": MORNING + 1,
        "newest_event": MORNING,
        "lag_records": 5,
        "accepted": 2**53 + 1,
        "refused": 2,
        "expired": 1,
        "held_up_by": "",
    }
    return WorkerStatus(**plain | values)  # type: ignore[arg-type]  # each field by name


def test_an_empty_store_answers_with_nothing(store: MetricsStore) -> None:
    assert len(store.latest()) == 0
    assert len(store.latest(["AAPL"])) == 0
    assert len(store.latest([])) == 0
    assert store.first_prices(0) == {}
    assert len(store.points("AAPL", 0)) == 0
    assert len(store.newest("AAPL", 10)) == 0
    assert store.statuses() == []


def test_writing_no_points_does_nothing(store: MetricsStore) -> None:
    assert store.write(points_of()) == Written(0)
    assert len(store.latest()) == 0


def test_a_read_can_be_limited_to_the_first_points(store: MetricsStore) -> None:
    written = points_of(*(a_row(time_ns=MORNING + at, price=1.0 + at) for at in range(5)))
    store.write(written)
    assert store.points("AAPL", MORNING + 1, MORNING + 4, 2).price.tolist() == [2.0, 3.0]
    assert store.points("AAPL", MORNING, None, 9).price.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert len(store.points("AAPL", MORNING, None, 0)) == 0


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_points_are_read_back_bit_for_bit(store: MetricsStore, data: st.DataObject) -> None:
    symbol = f"S{next(_fresh)}"
    written = points_of(*data.draw(rows(symbol, min_size=1)))
    assert store.write(written) == Written(len(written))
    assert bits(store.points(symbol, *A_WEEK)) == bits(written)
    assert bits(store.newest(symbol, len(written))) == bits(written)
    assert bits(store.latest([symbol])) == bits(written)[-1:]


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        0.0,
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        167.0,
        -167.0,
        0.1,
        1e-7,
        1 / 3,
        1e20,
        1e21,
        2.0**53 + 2,
        2.0**63,
        2.0**64,
        12345678901234567000.0,
        123456789012345678.0,
    ],
)
def test_extreme_values_are_stored_bit_for_bit(store: MetricsStore, value: float) -> None:
    written = points_of(a_row(price=1e12, volume=2**53 - 1, offset=2**63 - 1, **dict.fromkeys(OPTIONAL, value)))
    store.write(written)
    assert bits(store.latest()) == bits(written)


def test_the_first_and_the_last_storable_moment(store: MetricsStore) -> None:
    end_of_2261 = 9_214_646_399_999_999_999
    written = points_of(a_row(time_ns=0, price=1.0), a_row(time_ns=end_of_2261, price=2.0))
    assert store.write(written) == Written(2)
    assert bits(store.points("AAPL", 0)) == bits(written)
    assert bits(store.latest()) == bits(written)[1:]


def test_rewriting_points_does_not_duplicate_them(store: MetricsStore) -> None:
    written = points_of(*(a_row(time_ns=MORNING + i, price=1.0 + i, ma_5=0.5) for i in range(50)))
    for _ in range(3):
        assert store.write(written) == Written(50)
    assert bits(store.points("AAPL", 0)) == bits(written)


def test_symbol_source_and_time_identify_a_point(store: MetricsStore) -> None:
    four = [
        a_row(symbol="AAPL", source="replay", price=1.0),
        a_row(symbol="AAPL", source="simulated", price=2.0),
        a_row(symbol="MSFT", source="replay", price=3.0),
    ]
    store.write(points_of(*four, a_row(symbol="MSFT", source="replay", price=4.0)))
    assert store.points("AAPL", 0).price.tolist() == [1.0, 2.0]
    assert store.points("MSFT", 0).price.tolist() == [4.0]


def test_ticks_of_one_instant_do_not_overwrite_each_other(store: MetricsStore) -> None:
    offsets = np.arange(7_300, 8_300)
    times = point_time(np.full(1000, MORNING // 1000 + 1), offsets)
    store.write(points_of(*(a_row(time_ns=t, offset=o) for t, o in zip(times.tolist(), offsets.tolist(), strict=True))))
    found = store.points("AAPL", MORNING)
    assert len(found) == 1000
    assert sorted(found.offset.tolist()) == offsets.tolist()


def test_a_read_covers_since_but_not_until_in_time_order(store: MetricsStore) -> None:
    order = [3, 1, 4, 0, 2]
    store.write(points_of(*(a_row(time_ns=MORNING + i, price=1.0 + i) for i in order), a_row(symbol="AAPLX")))
    assert store.points("AAPL", MORNING).price.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert store.points("AAPL", MORNING + 1, MORNING + 3).price.tolist() == [2.0, 3.0]
    assert store.points("AAPL", MORNING + 1, MORNING + 1).price.tolist() == []
    assert store.points("AAPL", MORNING + 5).price.tolist() == []
    assert store.points("AAP", 0).price.tolist() == []


def test_a_long_day_of_points_is_read_completely(store: MetricsStore) -> None:
    written = points_of(*(a_row(time_ns=MORNING + i * SECOND, price=1.0 + i, ma_5=i / 3) for i in range(25_000)))
    for start in range(0, 25_000, 5_000):
        store.write(written.take(range(start, start + 5_000)))
    assert bits(store.points("AAPL", MORNING)) == bits(written)


def test_points_of_two_sources_are_merged_in_time_order(store: MetricsStore) -> None:
    sources = ["simulated", "replay"]
    store.write(points_of(*(a_row(time_ns=MORNING + i, source=sources[i % 2], price=1.0 + i) for i in range(6))))
    assert store.points("AAPL", 0).price.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert store.newest("AAPL", 3).price.tolist() == [4.0, 5.0, 6.0]
    assert store.newest("AAPL", 3).source == ["replay", "simulated", "replay"]


def test_newest_gives_at_most_count_points(store: MetricsStore) -> None:
    store.write(points_of(*(a_row(time_ns=MORNING + i, price=1.0 + i) for i in range(5))))
    assert store.newest("AAPL", 2).price.tolist() == [4.0, 5.0]
    assert store.newest("AAPL", 100).price.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert len(store.newest("AAPL", 0)) == 0
    assert len(store.newest("MSFT", 2)) == 0


def test_the_count_agrees_with_the_points_that_are_read(store: MetricsStore) -> None:
    store.write(points_of(*(a_row(time_ns=MORNING + i, source=f"s{i % 2}") for i in range(5)), a_row(symbol="MSFT")))
    assert store.count("AAPL", 0, MORNING + DAY) == 5
    assert store.count("AAPL", MORNING + 1, MORNING + 3) == 2
    assert store.count("AAPL", MORNING + 5, MORNING + DAY) == 0
    assert store.count("NVDA", 0, MORNING + DAY) == 0


def test_the_retention_keeps_a_present_point(store: MetricsStore) -> None:
    now = time.time_ns()
    assert store.keeps(now, now // 1_000_000)


def test_latest_returns_each_symbols_newest_point_by_name(store: MetricsStore) -> None:
    store.write(
        points_of(
            a_row(symbol="MSFT", time_ns=MORNING, price=1.0),
            a_row(symbol="AAPL", time_ns=MORNING + SECOND, price=2.0, source="replay"),
            a_row(symbol="AAPL", time_ns=MORNING, price=3.0, ma_5=3.5, source="simulated"),
            a_row(symbol="BRK.B", time_ns=MORNING - DAY, price=4.0),
            a_row(symbol="BRK-B", time_ns=MORNING - DAY, price=5.0),
        )
    )
    expected = [
        a_row(symbol="AAPL", time_ns=MORNING + SECOND, price=2.0, source="replay"),
        a_row(symbol="BRK-B", time_ns=MORNING - DAY, price=5.0),
        a_row(symbol="BRK.B", time_ns=MORNING - DAY, price=4.0),
        a_row(symbol="MSFT", time_ns=MORNING, price=1.0),
    ]
    assert bits(store.latest()) == bits(points_of(*expected))
    assert bits(store.latest(["MSFT", "NVDA", "AAPL"])) == bits(points_of(expected[0], expected[3]))
    many = [f"X{i}" for i in range(500)]
    assert bits(store.latest(["MSFT", *many])) == bits(points_of(expected[3]))


def test_first_prices_are_those_at_or_after_since(store: MetricsStore) -> None:
    store.write(points_of(*(a_row(time_ns=MORNING + i, price=167.0 + i) for i in range(3)), a_row(symbol="MSFT")))
    assert store.first_prices(0) == {"AAPL": 167.0, "MSFT": 187.25}
    assert store.first_prices(MORNING + 1) == {"AAPL": 168.0}
    assert store.first_prices(MORNING + 3) == {}
    assert store.first_prices(0, ["MSFT", "NVDA"]) == {"MSFT": 187.25}
    assert store.first_prices(0, []) == {}
    assert isinstance(store.first_prices(0)["AAPL"], float)


@pytest.mark.parametrize(
    "symbol",
    [
        "' OR '1'='1",
        'AAPL" OR "1"="1',
        "AAPL'; DROP TABLE store_points; --",
        "%",
        "*",
        "$symbol",
        "\\",
        "A\nB",
        "",
        "é",
        ".*",
        "A.PL",
        "AAPL|",
        "a/b$)^(",
    ],
)
def test_a_symbol_never_becomes_part_of_a_query(store: MetricsStore, symbol: str) -> None:
    store.write(points_of(a_row()))
    assert len(store.points(symbol, 0)) == 0
    assert len(store.newest(symbol, 5)) == 0
    assert len(store.latest([symbol])) == 0
    assert store.first_prices(0, [symbol]) == {}
    assert len(store.latest()) == 1


def test_each_workers_newest_status_is_returned_most_recent_first(store: MetricsStore) -> None:
    now = time.time_ns()
    old, new = (
        a_status(written_at=now - 9 * SECOND),
        a_status(written_at=now - SECOND, accepted=7, held_up_by="InfluxDB"),
    )
    other = a_status(worker="host-2", written_at=now - 5 * SECOND)
    for status in (old, other, new):
        store.write_status(status)
    assert store.statuses() == [new, other]


def test_unknown_values_of_a_status_stay_unknown(store: MetricsStore) -> None:
    status = a_status(processed_at=None, newest_event=None)
    store.write_status(status)
    assert store.statuses() == [status]


@pytest.mark.parametrize("words", ['said "no", \\ twice=2', "two\nlines", "back\\", 'é "', ",=  "])
def test_the_sentences_of_a_status_are_stored(store: MetricsStore, words: str) -> None:
    status = a_status(held_up_by=words, notice=words[::-1])
    store.write_status(status)
    assert store.statuses() == [status]


@pytest.mark.parametrize("worker", ["a b", "a,b=c", "rack-1.example.com:4711", "é", 'quo"te', "back\\slash"])
def test_a_worker_may_have_any_name(store: MetricsStore, worker: str) -> None:
    status = a_status(worker=worker)
    store.write_status(status)
    assert store.statuses() == [status]


def test_statuses_older_than_a_day_are_left_out(store: MetricsStore) -> None:
    store.write_status(a_status(worker="gone", written_at=time.time_ns() - DAY - SECOND))
    store.write_status(a_status(worker="here", written_at=time.time_ns() - DAY + 3600 * SECOND))
    assert [status.worker for status in store.statuses()] == ["here"]


def test_many_threads_read_while_one_writes(store: MetricsStore) -> None:
    batches: list[list[Row]] = [
        [a_row(symbol=f"S{i}", time_ns=MORNING + n, price=1.0 + n) for i in range(20)] for n in range(10)
    ]
    store.write(points_of(*batches[0]))

    def read(i: int) -> bool:
        symbol = f"S{i % 20}"
        found = store.points(symbol, MORNING)
        times = found.time_ns.tolist()
        return times == list(range(MORNING, MORNING + len(times))) and store.latest([symbol]).symbol == [symbol]

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(read, range(200))
        for batch in batches:
            store.write(points_of(*batch))
        assert all(answers)
    assert len(store.latest()) == 20
    assert set(store.latest().price.tolist()) == {10.0}


def test_concurrent_readers_all_get_what_is_stored(store: MetricsStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 15):
            for _ in range(2):
                pool.submit(store.latest)  # in flight during the write
            store.write(points_of(a_row(time_ns=MORNING + number, price=float(number), offset=number)))
            asked = [pool.submit(store.latest) for _ in range(2)]
            assert [each.result().price.tolist() for each in asked] == [[number]] * 2


def test_an_empty_store_has_no_anomaly_no_trend_and_no_candle(store: MetricsStore) -> None:
    assert len(store.anomalies(0, 10)) == 0
    assert store.preceded([]) == []
    assert store.preceded([("AAPL", MORNING)]) == [False]
    assert store.anomaly_counts(0) == {}
    assert store.trends(0, MORNING, 5) == {}
    assert len(store.candles("AAPL", 0, MORNING, SECOND)) == 0


def flagged(symbol: str, *flags: bool, source: str = "simulated", begin: int = MORNING) -> list[Row]:
    return [
        a_row(symbol=symbol, time_ns=begin + i * SECOND, price=1.0 + i, offset=i, is_anomaly=flag, source=source)
        for i, flag in enumerate(flags)
    ]


def test_the_newest_anomalies_of_all_symbols_in_time_order(store: MetricsStore) -> None:
    aapl, msft = flagged("AAPL", True, False, True), flagged("MSFT", False, True, False, True)
    store.write(points_of(*aapl, *msft))
    assert bits(store.anomalies(0, 10)) == bits(points_of(aapl[0], msft[1], aapl[2], msft[3]))
    assert bits(store.anomalies(0, 2)) == bits(points_of(aapl[2], msft[3]))
    assert bits(store.anomalies(MORNING + 2 * SECOND, 10)) == bits(points_of(aapl[2], msft[3]))
    assert len(store.anomalies(0, 0)) == 0
    assert bits(store.anomalies(0, 2, ["AAPL", "NVDA", "AAP"])) == bits(points_of(aapl[0], aapl[2]))
    assert bits(store.anomalies(0, 1, ["AAPL", "MSFT"])) == bits(points_of(msft[3]))
    assert len(store.anomalies(0, 5, [])) == 0


def test_the_preceding_point_belongs_to_the_same_symbol(store: MetricsStore) -> None:
    store.write(points_of(*flagged("AAPL", True, True, False, True), *flagged("MSFT", False, False, False, False)))
    moments = [("AAPL", MORNING + i * SECOND) for i in range(5)] + [("MSFT", MORNING + SECOND), ("NVDA", MORNING)]
    assert store.preceded(moments) == [False, True, True, False, True, False, False]
    assert store.preceded(moments * 40) == [False, True, True, False, True, False, False] * 40


@pytest.mark.parametrize("many", [10, 100])
@pytest.mark.parametrize("rows_for_one", [1, 200])
def test_the_preceding_points_of_many_moments_are_the_written_ones(
    store: MetricsStore, rows_for_one: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds for any number of rows per request, with and without a read of all symbols' newest points, and for
    times without a point.
    """
    monkeypatch.setattr(influx_preceded, "MANY", many)
    monkeypatch.setattr(influx_preceded, "ROWS_FOR_ONE", rows_for_one)
    monkeypatch.setattr(influx_preceded, "STATEMENTS", 7)
    rng = np.random.default_rng(8)
    flags = {f"S{i}": [bool(flag) for flag in rng.random(60) < 0.3] for i in range(9)}
    store.write(points_of(*(row for symbol, of in flags.items() for row in flagged(symbol, *of))))
    moments = [
        (symbol, MORNING + int(tenth) * SECOND // 10)
        for symbol in (*flags, "NVDA")
        for tenth in rng.integers(-20, 700, 20)
    ]

    def before(symbol: str, time_ns: int) -> bool:
        number = -(-(time_ns - MORNING) // SECOND) - 1
        return number >= 0 and symbol in flags and flags[symbol][min(number, 59)]

    assert store.preceded(moments) == [before(*moment) for moment in moments]


def test_anomalies_are_counted_per_symbol(store: MetricsStore) -> None:
    replayed = flagged("MSFT", True, False, source="replay", begin=MORNING + 1)
    store.write(
        points_of(*flagged("AAPL", True, True, False), *flagged("MSFT", True), *flagged("NVDA", False), *replayed)
    )
    assert store.anomaly_counts(0) == {"AAPL": 2, "MSFT": 2}
    assert store.anomaly_counts(MORNING + SECOND) == {"AAPL": 1}
    assert store.anomaly_counts(0, ["MSFT", "NVDA", "AAPLE"]) == {"MSFT": 2}
    for names in (None, ["MSFT", "NVDA", "AAPLE"], []):
        expected = store.first_prices(0, names), store.anomaly_counts(0, names)
        assert store.first_prices_and_counts(0, names) == expected
    assert store.anomaly_counts(0, []) == {}


def test_a_trend_has_the_last_price_of_each_step(store: MetricsStore) -> None:
    store.write(
        points_of(*flagged("AAPL", *[False] * 10), a_row(symbol="MSFT", time_ns=MORNING + 9 * SECOND, price=7.5))
    )
    until = MORNING + 9 * SECOND + 1
    assert store.trends(MORNING, until, 5) == {"AAPL": [2.0, 4.0, 6.0, 8.0, 10.0], "MSFT": [7.5]}
    assert store.trends(MORNING, MORNING + SECOND, 4) == {"AAPL": [1.0]}
    assert store.trends(until, until + SECOND, 3) == {}


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ticks=st.lists(
        st.tuples(st.integers(0, 100 * SECOND), st.floats(0.01, 1e6), st.integers(0, 2**40)),
        min_size=1,
        max_size=30,
        unique_by=lambda tick: tick[0],
    ),
    width=st.sampled_from([SECOND, 5 * SECOND, 60 * SECOND]),
)
def test_candles_are_first_highest_lowest_and_last(
    store: MetricsStore, ticks: list[tuple[int, float, int]], width: int
) -> None:
    symbol = f"C{next(_fresh)}"
    store.write(points_of(*(a_row(symbol=symbol, time_ns=MORNING + t, price=p, volume=v) for t, p, v in ticks)))
    since, until = MORNING + 10 * SECOND, MORNING + 90 * SECOND
    steps: dict[int, list[tuple[int, float, int]]] = {}
    for t, price, volume in sorted(ticks):
        if since <= MORNING + t < until:
            steps.setdefault((MORNING + t) // width * width, []).append((t, price, volume))
    expected = [
        (step, [t[1] for t in inside], sum(t[2] for t in inside), len(inside)) for step, inside in sorted(steps.items())
    ]
    found = store.candles(symbol, since, until, width)
    assert found.time_ns.tolist() == [step for step, *_ in expected]
    assert found.open.tolist() == [prices[0] for _, prices, *_ in expected]
    assert found.high.tolist() == [max(prices) for _, prices, *_ in expected]
    assert found.low.tolist() == [min(prices) for _, prices, *_ in expected]
    assert found.close.tolist() == [prices[-1] for _, prices, *_ in expected]
    assert found.volume.tolist() == [volume for *_, volume, _ in expected]
    assert found.ticks.tolist() == [count for *_, count in expected]


def a_course(count: int, *, twice: bool = False) -> Points:
    """A random walk at uneven intervals, one tick in twenty flagged; with `twice`, two ticks have the same time."""
    rng = np.random.default_rng(3)
    gaps = rng.integers(1, 5 * SECOND, count)
    gaps[count // 2] *= not twice
    times = (MORNING + np.cumsum(gaps)).tolist()
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, count)))
    return points_of(
        *(
            a_row(
                time_ns=time_ns,
                price=price,
                offset=offset,
                volume=(1 + offset % 7) / 8,
                ma_10=100.0 if offset % 20 == 3 else None,
                is_anomaly=offset % 20 == 3,
                source="replay" if twice and offset == count // 2 else "simulated",
            )
            for offset, (time_ns, price) in enumerate(zip(times, prices.tolist(), strict=True))
        )
    )


def of_points(points: Points) -> list[tuple[int, float, bool]]:
    """The time, price and flag of each point."""
    return list(zip(points.time_ns.tolist(), points.price.tolist(), points.is_anomaly.tolist(), strict=True))


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_a_digest_keeps_extremes_anomalies_ends_and_volume(store: MetricsStore, steps: int) -> None:
    rows = a_course(3_000, twice=True)
    store.write(rows)
    store.write(points_of(a_row(symbol="MSFT", price=1e6, is_anomaly=True)))
    since, until = int(rows.time_ns[50]), int(rows.time_ns[2_900])
    inside = rows.take(slice(50, 2_900))
    found = store.digest("AAPL", since, until, steps)
    flagged = int(inside.is_anomaly.sum())
    assert 4 <= len(found.points) <= 2 * (steps + 1) + 2 + flagged
    assert set(bits(found.points)) <= set(bits(inside))
    assert (np.diff(found.points.time_ns) >= 0).all()
    assert found.points.price.max() == inside.price.max()
    assert found.points.price.min() == inside.price.min()
    assert set(found.points.offset[found.points.is_anomaly]) == set(inside.offset[inside.is_anomaly])
    assert (found.points.offset[0], found.points.offset[-1]) == (50, 2_899)
    assert found.volume.sum() == inside.volume.sum()
    assert (found.volume >= found.points.volume).all()
    assert (found.total, found.cut) == (len(inside), False)
    outline = store.outline("AAPL", since, until, steps)
    found_rows = zip(outline.time_ns.tolist(), outline.price.tolist(), outline.is_anomaly.tolist(), strict=True)
    assert list(found_rows) == of_points(found.points)
    assert list(outline.source) == list(found.points.source)


def test_a_digest_equals_one_computed_slowly(store: MetricsStore) -> None:
    rows = a_course(2_000)
    slow = MemoryStore()
    for each in (store, slow):
        each.write(rows)
    found, expected = (each.digest("AAPL", 0, MORNING + DAY, 40) for each in (store, slow))
    assert bits(found.points) == bits(expected.points)
    assert found.volume.tolist() == expected.volume.tolist()
    assert found.total == expected.total


def test_with_too_many_anomalies_a_digest_keeps_the_newest_and_is_marked_as_cut(
    store: MetricsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (digest, embedded_digest, influx_digest):
        monkeypatch.setattr(module, "MAX_ANOMALIES", 10)
    rows = a_course(600)
    store.write(rows)
    found = store.digest("AAPL", 0, MORNING + DAY, 1)
    newest = rows.offset[rows.is_anomaly][-10:]
    assert set(newest) <= set(found.points.offset)
    assert len(found.points) <= 10 + 6
    assert (found.cut, found.total) == (True, 600)


def test_a_digest_of_nothing_is_empty(store: MetricsStore) -> None:
    store.write(points_of(a_row()))
    for symbol, since in (("AAPL", MORNING + 1), ("MSFT", 0)):
        found = store.digest(symbol, since, MORNING + DAY, 10)
        assert (len(found.points), len(found.volume), found.total) == (0, 0, 0)
        assert len(store.outline(symbol, since, MORNING + DAY, 10)) == 0


_moments = st.integers(-2, 13).map(lambda second: MORNING + second * SECOND)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ticks=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["replay", "simulated"]), st.integers(0, 10), st.booleans()),
        max_size=15,
        unique_by=lambda tick: (tick[0], tick[2]),
    ),
    since=st.just(0) | _moments,
    until=_moments | _moments.map(lambda moment: moment + 1),
    steps=st.sampled_from([1, 3, 10]),
)
def test_any_range_equals_that_of_a_slow_store(
    store: MetricsStore, ticks: list[tuple[bool, str, int, bool]], since: int, until: int, steps: int
) -> None:
    """Ranges before, within and after the data, with no point, with one, or reversed; the points have two sources."""
    number = next(_fresh)
    names = (f"R.{number}", f"R-{number}")  # used as a regular expression, the first name would match the second
    rows_ = points_of(
        *(
            a_row(
                symbol=names[is_second],
                source=source,
                time_ns=MORNING + second * SECOND,
                price=100.0 + second * 7 % 5,
                volume=second,
                offset=offset,
                is_anomaly=is_anomaly,
            )
            for offset, (is_second, source, second, is_anomaly) in enumerate(ticks)
        )
    )
    slow = MemoryStore()
    for each in (store, slow):
        each.write(rows_)
    for symbol in names:
        assert bits(store.points(symbol, since, until)) == bits(slow.points(symbol, since, until))
        assert store.count(symbol, since, until) == slow.count(symbol, since, until)
        found, expected = (each.digest(symbol, since, until, steps) for each in (store, slow))
        assert (found.total, found.volume.sum()) == (expected.total, expected.volume.sum())
        assert {*map(str, found.points.price)} == {*map(str, expected.points.price)}
        assert len(store.outline(symbol, since, until, steps)) == len(found.points)
        for candles in zip(
            *(astuple(each.candles(symbol, since, until, 3 * SECOND)) for each in (store, slow)), strict=True
        ):
            assert candles[0].tolist() == candles[1].tolist()
    assert store.first_prices(since, names) == slow.first_prices(since, names)
    assert store.last_prices(since, until, names) == slow.last_prices(since, until, names)
    for symbol in names:
        assert store.totals(symbol, since, until) == slow.totals(symbol, since, until)
    assert store.anomaly_counts(since, names) == slow.anomaly_counts(since, names)
    assert store.first_prices_and_counts(since, names) == slow.first_prices_and_counts(since, names)
    assert bits(store.anomalies(since, 5, names[:1])) == bits(slow.anomalies(since, 5, names[:1]))
    if since and since < until and (until - since) % steps == 0:
        trends = store.trends(since, until, steps)
        assert {name: trends[name] for name in names if name in trends} == slow.trends(since, until, steps)


@pytest.mark.parametrize("symbol", ["A", "0", "-", ".", "...", "A.B-C", "123456789012", "NULL", "TIME"])
def test_every_valid_symbol_can_be_stored_and_found(store: MetricsStore, symbol: str) -> None:
    row = a_row(symbol=symbol, is_anomaly=True)
    store.write(points_of(row, a_row(symbol="AXBYC", time_ns=MORNING + 1, is_anomaly=True)))
    since, until = MORNING, MORNING + SECOND
    for found in (
        store.latest([symbol]),
        store.points(symbol, since, until),
        store.newest(symbol, 5),
        store.anomalies(since, 5, [symbol]),
        store.digest(symbol, since, until, 5).points,
    ):
        assert bits(found) == bits(points_of(row))
    assert set(store.latest().symbol) == {symbol, "AXBYC"}
    assert store.first_prices(since, [symbol]) == {symbol: 187.25}
    assert store.anomaly_counts(since, [symbol]) == {symbol: 1}
    assert store.preceded([(symbol, until), (symbol, since)]) == [True, False]
    assert store.trends(since, until, 2) == {symbol: [187.25], "AXBYC": [187.25]}
    assert store.candles(symbol, since, until, SECOND).ticks.tolist() == [1]


def test_the_store_returns_the_first_symbols_by_name_and_their_total(store: MetricsStore) -> None:
    names = [f"S{number:03}" for number in range(30)]
    store.write(points_of(*(a_row(symbol=name, offset=at) for at, name in enumerate(names))))
    assert store.symbol_count() == 30
    assert store.latest(most=10).symbol == names[:10]
    assert store.latest(most=100).symbol == names
    later = [a_row(symbol=name, time_ns=MORNING + SECOND, offset=50, price=5.0) for name in ("S003", "S020")]
    store.write(points_of(*later))
    store.write(points_of(a_row(symbol="A", offset=60), a_row(symbol="Z", offset=61)))
    assert store.symbol_count() == 32
    first = store.latest(most=10)
    assert first.symbol == ["A", *names[:9]]
    assert bits(first)[4] == bits(points_of(later[0]))[0]
    assert len(store.latest()) == 32


def test_a_query_for_very_many_symbols_returns_only_those(store: MetricsStore) -> None:
    names = [f"S{number:04}" for number in range(1_200)]
    rows = [a_row(symbol=name, offset=at, is_anomaly=at % 100 == 0, price=1.0 + at) for at, name in enumerate(names)]
    store.write(points_of(*rows))
    asked = [*names[:1_000:2], *(f"N{number}" for number in range(600))]
    assert store.latest(asked).symbol == names[:1_000:2]
    assert store.first_prices(0, asked) == {name: 1.0 + 2 * at for at, name in enumerate(names[:1_000:2])}
    assert store.anomaly_counts(0, asked) == dict.fromkeys(names[:1_000:100], 1)
    assert set(store.anomalies(0, 1_000, asked).symbol) == set(names[:1_000:100])


@pytest.mark.parametrize("at", [0, 1, 299, 300, 599, 600])
def test_a_store_as_of_a_moment_answers_like_one_that_has_no_later_points(store: MetricsStore, at: int) -> None:
    aapl = a_course(600)
    other = points_of(*(a_row(symbol="MSFT", time_ns=MORNING + n * 400 * SECOND, price=9.0 + n) for n in range(4)))
    store.write(Points.joined([aapl, other]))
    moment = int(aapl.time_ns[at]) if at < 600 else int(aapl.time_ns[-1]) + 1
    past = MemoryStore()
    for points in (aapl, other):
        past.write(points.take(np.flatnonzero(points.time_ns < moment)))
    as_of = AsOf(store, moment)
    begin, end, symbols = MORNING - DAY, MORNING + DAY, ["AAPL", "MSFT"]
    for symbol in symbols:
        assert bits(as_of.newest(symbol, 20)) == bits(past.newest(symbol, 20))
        assert bits(as_of.points(symbol, begin)) == bits(past.points(symbol, begin))
        assert as_of.count(symbol, begin, end) == past.count(symbol, begin, end)
        assert as_of.first_time(symbol) == past.first_time(symbol)
        totals = [each.totals(symbol, begin, end) for each in (as_of, past)]
        sums = [() if each is None else astuple(each) for each in totals]
        assert sums[0] == pytest.approx(sums[1])
        found, expected = (each.at_most(symbol, begin, end, 1_000) for each in (as_of, past))
        assert found is not None
        assert expected is not None
        assert bits(found) == bits(expected)
        for width in (SECOND, 3_600 * SECOND):
            for read in ("pixels", "candles"):
                these, those = (getattr(each, read)(symbol, begin, end, width) for each in (as_of, past))
                assert these.time_ns.tolist() == those.time_ns.tolist()
                assert these.close.tolist() == those.close.tolist()
                assert these.ticks.tolist() == those.ticks.tolist()
    assert bits(as_of.latest()) == bits(past.latest())
    assert bits(as_of.latest(["MSFT"])) == bits(past.latest(["MSFT"]))
    assert bits(as_of.latest(most=2)) == bits(past.latest(most=2))
    assert bits(as_of.anomalies(begin, 10)) == bits(past.anomalies(begin, 10))
    assert as_of.anomaly_counts(begin) == past.anomaly_counts(begin)
    since = MORNING + 700 * SECOND
    assert as_of.first_prices(since) == past.first_prices(since)
    assert as_of.last_prices(begin, end) == past.last_prices(begin, end)
    spans = [(MORNING + n * 300 * SECOND, MORNING + (n + 1) * 300 * SECOND) for n in range(6)]
    assert bits(as_of.strongest("AAPL", spans)) == bits(past.strongest("AAPL", spans))
