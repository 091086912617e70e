"""Awkward cases on both stacks: what markets, producers and operators do, but tutorials do not mention."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kafka.admin import KafkaAdminClient, NewPartitions

from devtools.servers import InfluxServer
from tests import oracle
from tests.forms import often
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.scripts import Script
from tickflow.process import StopEvent
from tickflow.stack import open_log, open_store
from tickflow.ticklog.base import Position
from tickflow.ticks.tick import Limits
from tickflow.verbs.audit import Audit

Tick = tuple[str, bytes]
MORNING = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
STACKS = ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.influx])]


def tick(symbol: str, price: float, at: datetime = MORNING, **more: object) -> Tick:
    return symbol, json.dumps({"symbol": symbol, "price": price, "timestamp": at.isoformat(), **more}).encode()


def at(second: float) -> datetime:
    return MORNING + timedelta(seconds=second)


def publish(chain: Chain, ticks: Iterable[Tick]) -> None:
    with open_log(load(chain.env), StopEvent()) as log:
        log.connect()
        for symbol, value in ticks:
            log.publish(symbol.encode(), value)
        log.flush(60)


@contextmanager
def a_chain(stack: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Chain]:
    if stack == "embedded":
        yield EmbeddedChain(folder / "stocks.db")
        return
    influx: InfluxServer = request.getfixturevalue("influx")
    name = f"test-{uuid.uuid4().hex[:12]}"
    influx.create_bucket(name)
    yield KafkaChain(request.getfixturevalue("kafka_servers"), name, influx, name)
    influx.delete_bucket(name)


@pytest.fixture(params=STACKS)
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chain]:
    with a_chain(request.param, request, tmp_path) as found:
        yield found


def assert_equal_by_audit(chain: Chain, expected: int, span: int = 1_000_000) -> None:
    settings, stop = load(chain.env), StopEvent()
    with open_log(settings, stop) as log, open_store(settings, stop) as store:
        store.connect()
        log.connect(create=False)
        found = Audit(log, store, Limits(), settings.anomaly_threshold, span=span).run()
    assert found.equal, found
    assert found.expected == expected


# --- one worker, one topic, many oddities side by side ---

INSTANT = at(0.000001)
MEASURED = '_measurement="stock_metrics"'
ABSURD_AT = 30
MANY = often(1_000, 5_000)
"""The number of symbols that have only two ticks."""


def oddities() -> list[Tick]:
    ticks = [tick("INSTANT", 100 + n / 1000, INSTANT) for n in range(1000)]
    ticks += [tick("LATE", 100 + n, at(100 - n)) for n in range(30)]
    once = [tick("TWICE", 100 + n, at(n), producer="p", seq=n + 1) for n in range(12)]
    ticks += once + once
    ticks += [tick("RANGE", 10.0 ** (-6 + 13 * n / 39), at(n)) for n in range(40)]
    ticks += [tick("SAME", 99.99, at(n)) for n in range(30)]
    ticks += [tick("ABSURD", 1e12 if n == ABSURD_AT else 100 + n % 3, at(n)) for n in range(70)]
    ticks += [tick(f"S{n % MANY:04}", 100 + n % 13, at(n // MANY)) for n in range(2 * MANY)]
    return ticks


class Oddities:
    """The chain after the oddities were processed: the worker's summary and the stored points."""

    def __init__(self, chain: Chain, summary: str) -> None:
        self.chain = chain
        self.summary = summary
        self.points = chain.stored().sort_values(["partition", "offset"])

    def of(self, symbol: str) -> pd.DataFrame:
        return self.points[self.points["symbol"] == symbol].reset_index(drop=True)


@pytest.fixture(scope="module", params=STACKS)
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oddities]:
    folder = tmp_path_factory.mktemp("oddities")
    with a_chain(request.param, request, folder) as chain:
        worker = Script("stock_analytics.py", [], cwd=folder, env=chain.env, files=folder / "worker.out")
        try:
            ticks = oddities()
            publish(chain, ticks)
            chain.wait_for_points(len(ticks))
            worker.terminate()
            assert worker.wait(15) == 0, worker.output
        finally:
            worker.kill()
        yield Oddities(chain, worker.stdout)


def test_the_store_equals_a_recomputation(odd: Oddities) -> None:
    # The independent recomputation takes long per symbol, so it checks a hundred of these; the audit checks all.
    is_sampled = re.compile(r"(?!S\d{4}$)|S00\d\d$").match
    records = [each for each in odd.chain.records() if is_sampled(json.loads(each[2])["symbol"])]
    sample = odd.points[[bool(is_sampled(symbol)) for symbol in odd.points["symbol"]]]
    verdict = oracle.compare(oracle.expected_points(records), sample)
    assert verdict.equal, verdict
    assert verdict.expected == len(oddities()) - 2 * MANY + 200
    assert_equal_by_audit(odd.chain, len(oddities()))
    assert "all accounted for" in odd.summary


def test_a_thousand_ticks_of_one_microsecond_are_a_thousand_points(odd: Oddities) -> None:
    points = odd.of("INSTANT")
    assert len(points) == 1000
    assert points["time_ns"].nunique() == 1000
    assert (points["time_ns"] // 1000 == 1_767_623_400_000_001).all(), "each at its own event time"
    assert points["price"].tolist() == [100 + n / 1000 for n in range(1000)]


def test_late_ticks_are_processed_in_log_order_and_counted(odd: Oddities) -> None:
    points = odd.of("LATE")
    assert points["price"].tolist() == [100.0 + n for n in range(30)]
    assert points["time_ns"].is_monotonic_decreasing
    assert points["ma_5"].iloc[4] == 102.0
    again = 11  # of TWICE's twelve ticks, all but the newest are late in their second copy
    assert f"{29 + again} late" in odd.summary


def test_ticks_published_twice_are_stored_twice_and_counted(odd: Oddities) -> None:
    points = odd.of("TWICE")
    assert len(points) == 24
    assert points["price"].iloc[:12].tolist() == points["price"].iloc[12:].tolist()
    assert "12 repeated (the same number twice)" in odd.summary


def test_each_of_very_many_symbols_has_its_points(odd: Oddities) -> None:
    many = odd.points[odd.points["symbol"].str.fullmatch(r"S\d{4}")]
    assert many["symbol"].nunique() == MANY
    assert (many.groupby("symbol").size() == 2).all()


def test_tiny_and_huge_prices_keep_their_digits(odd: Oddities) -> None:
    points = odd.of("RANGE")
    assert points["price"].tolist() == [10.0 ** (-6 + 13 * n / 39) for n in range(40)]
    assert points["price"].iloc[0] == 1e-6
    expected = points["price"].rolling(20).mean()
    assert np.allclose(points["ma_20"].iloc[19:], expected.iloc[19:], rtol=1e-12)


def test_constant_prices_have_no_deviation_no_score_and_no_anomaly(odd: Oddities) -> None:
    points = odd.of("SAME")
    assert (points["volatility"].iloc[9:] == 0.0).all()
    assert points["volatility"].iloc[:9].isna().all()
    assert (points["ma_20"].iloc[19:] == 99.99).all()
    assert points["z_score"].isna().all()
    assert not points["is_anomaly"].any()


def test_one_absurd_tick_is_an_anomaly_and_affects_only_its_windows(odd: Oddities) -> None:
    points = odd.of("ABSURD")
    assert points.index[points["is_anomaly"]].tolist() == [ABSURD_AT]
    for name, window in (("ma_5", 5), ("ma_10", 10), ("volatility", 10), ("ma_20", 20)):
        touched = points.index[points[name] > 1e6].tolist()
        assert touched == list(range(ABSURD_AT, ABSURD_AT + window)), name
        after = ABSURD_AT + window
        # Prices repeat every three ticks, so equal windows must produce equal bits, regardless of earlier prices.
        assert points[name].iloc[after : after + 3].tolist() == points[name].iloc[after + 3 : after + 6].tolist(), name


# --- each on its own topic ---


def test_a_symbol_quiet_for_more_than_the_span_warms_up_again_even_across_a_restart(chain: Chain) -> None:
    span = 50
    ticks = [tick("QUIET", 100 + n, at(n)) for n in range(10)]
    ticks += [tick("BUSY", 100 + n % 7, at(10 + n)) for n in range(span + 10)]
    first = len(ticks)
    ticks += [tick("QUIET", 200 + n, at(100 + n)) for n in range(12)]
    if isinstance(chain, KafkaChain):
        chain.env["KAFKA_PARTITIONS"] = "1"  # the span counts offsets of one partition
    publish(chain, ticks[: first + 6])
    with working(chain, span) as worker:
        wait_until(lambda: worker.counters.total.accepted == first + 6, "first part")
    publish(chain, ticks[first + 6 :])
    with working(chain, span) as worker:
        wait_until(lambda: worker.counters.total.accepted == 6, "second part")
    points = chain.stored().sort_values("offset")
    quiet = points[points["symbol"] == "QUIET"].reset_index(drop=True)
    assert quiet["ma_10"].notna().tolist() == [False] * 9 + [True] + [False] * 9 + [True] * 3
    assert quiet["ma_5"].iloc[10:14].isna().all()
    assert quiet["ma_5"].iloc[14] == 202.0
    assert_equal_by_audit(chain, len(ticks), span)


def test_times_without_a_zone_are_reported_once_per_source_in_the_log_and_in_the_status(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    local = at(0).replace(tzinfo=None)
    for _ in range(3):
        publish(chain, [tick("A", 100.0, local, source=source) for source in ("mine", "theirs")])
        publish(chain, [tick("A", 100.0, at(1), source="fine")])
    with working(chain) as worker:
        wait_until(lambda: worker.counters.total.accepted == 9, "ticks")
        assert "Times of mine, theirs come without a zone and are taken as UTC" in worker.status().notice
    said = [text for text in caplog.messages if "come without a zone" in text]
    assert [" of the source mine " in text for text in said] == [True, False]
    assert [" of the source theirs " in text for text in said] == [False, True]


def test_an_empty_topic_causes_no_warning(chain: Chain) -> None:
    with working(chain) as worker:
        wait_until(lambda: bool(worker.counters.accounts), "partition", 30)
        assert worker.log.lag().keys() <= worker.counters.accounts.keys()
    assert chain.count() == 0
    assert_equal_by_audit(chain, 0)


@pytest.mark.parametrize(
    "metadata", ["", "by hand", '{"v":99,"restore":0,"more":[1]}', '{"v":1,"restore":-7}', "x" * 4_000]
)
def test_a_worker_continues_from_commits_of_another_version(chain: Chain, metadata: str) -> None:
    if isinstance(chain, KafkaChain):
        if metadata not in ("by hand", '{"v":99,"restore":0,"more":[1]}'):
            pytest.skip("the two that differ are enough on real Kafka")
        chain.env["KAFKA_PARTITIONS"] = "1"
    publish(chain, [tick("AAPL", 100 + n % 7, at(n)) for n in range(40)])
    with working(chain) as worker:
        wait_until(lambda: worker.counters.total.accepted == 40, "ticks")
    with open_log(load(chain.env), StopEvent()) as log:
        log.connect()
        log.subscribe()
        epochs: dict[int, int] = {}
        wait_until(lambda: bool(epochs.update(log.poll(0.3).assigned) or epochs), "partition", 30)
        assert log.commit({0: Position(40, metadata, epochs[0])}) == frozenset({0})
    publish(chain, [tick("AAPL", 100 + n % 7, at(n)) for n in range(40, 45)])
    with working(chain) as worker:
        wait_until(lambda: worker.counters.total.accepted == 5, "ticks")
    assert_equal_by_audit(chain, 45)


@pytest.mark.kafka
@pytest.mark.influx
def test_partitions_added_to_a_live_topic_are_processed(
    request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str
) -> None:
    with a_chain("kafka", request, tmp_path) as chain:
        assert isinstance(chain, KafkaChain)
        chain.env["KAFKA_PARTITIONS"] = "1"
        publish(chain, [tick(f"S{n % 20}", 100 + n, at(n)) for n in range(100)])
        with working(chain) as worker:
            wait_until(lambda: worker.counters.total.accepted == 100, "first ticks")
            admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
            admin.create_partitions({chain.topic: NewPartitions(3)})
            admin.close()
            publish(chain, [tick(f"S{n % 20}", 100 + n, at(n)) for n in range(100, 300)])
            wait_until(lambda: worker.counters.total.accepted == 300, "ticks of the new partitions", 60)
            assert len(worker.counters.accounts) == 3
        assert_equal_by_audit(chain, 300)


@pytest.mark.kafka
@pytest.mark.influx
@pytest.mark.parametrize("is_live", [True, False], ids=["under a running worker", "while none ran"])
def test_a_recreated_topic_is_read_from_its_start_even_if_longer_than_the_old_commit(
    request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, is_live: bool
) -> None:
    with a_chain("kafka", request, tmp_path) as chain:
        assert isinstance(chain, KafkaChain)
        chain.env["KAFKA_PARTITIONS"] = "1"

        def make_anew() -> None:
            admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
            admin.delete_topics([chain.topic])
            wait_until(lambda: chain.topic not in admin.list_topics(), "end of the topic")
            admin.close()
            publish(chain, [tick("AAPL", 1000 + n, at(n)) for n in range(250)])

        def is_read() -> bool:
            return chain.count() == 250

        publish(chain, [tick("AAPL", 100 + n, at(n)) for n in range(100)])
        with working(chain) as worker:
            wait_until(lambda: worker.counters.total.accepted == 100, "first ticks")
            if is_live:
                make_anew()
                wait_until(is_read, "ticks of the new topic", 60)
        if not is_live:
            make_anew()
            with working(chain):
                wait_until(is_read, "ticks of the new topic", 60)
        assert (chain.stored()["price"] >= 1000).all()


@pytest.mark.kafka
@pytest.mark.influx
def test_points_dropped_by_a_finite_retention_are_all_accounted_for(
    request: pytest.FixtureRequest, tmp_path: Path, influx: InfluxServer, caplog: pytest.LogCaptureFixture
) -> None:
    with a_chain("kafka", request, tmp_path) as chain:
        assert isinstance(chain, KafkaChain)
        influx.delete_bucket(chain.bucket)
        influx.create_bucket(chain.bucket, retention=3600)
        now = datetime.now(UTC)
        publish(chain, [tick(f"S{n}", 100.0, at(n)) for n in range(40)])
        publish(chain, [tick(f"S{n}", 101.0, now) for n in range(20)])
        with working(chain) as worker:
            wait_until(lambda: worker.counters.total.accepted == 60, "ticks")
            done = worker.counters.total
            assert (done.stored, done.expired) == (20, 40)
            notice = worker.status().notice
            assert (
                f"the bucket {chain.bucket!r} keeps points for 1 hour. Use a bucket that keeps points longer" in notice
            )
            assert "dropped as too old, of a batch from 2026-01-05T14:30:" in notice
            warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            assert any("ticks dropped as too old" in text and chain.bucket in text for text in warnings), warnings
            assert worker.counters.discrepancies() == {}
            by_partition = [account.tally.expired for account in worker.counters.accounts.values()]
            assert sum(each > 0 for each in by_partition) > 1, "more than one partition had some of them"
        assert chain.count() == 20
        assert_equal_by_audit(chain, 60)


@pytest.mark.kafka
@pytest.mark.influx
def test_a_field_of_another_type_in_the_bucket_holds_the_worker_up_until_it_is_deleted(
    request: pytest.FixtureRequest, tmp_path: Path, influx: InfluxServer
) -> None:
    with a_chain("kafka", request, tmp_path) as chain:
        assert isinstance(chain, KafkaChain)
        settings = load(chain.env)
        with open_store(settings, StopEvent()) as store:
            store._writer.write(f"stock_metrics price=1i {1_767_623_400 * 10**9}")  # type: ignore[attr-defined]
        publish(chain, [tick("AAPL", 100.5 + n, at(n)) for n in range(20)])
        with working(chain) as worker:
            wait_until(lambda: bool(worker.status().held_up_by), "hold-up", 30)
            assert "holds the field 'price'" in worker.status().held_up_by
            assert worker.counters.total.accepted == 0
            influx.call(  # as the hold-up's sentence advises
                "POST",
                f"/api/v2/delete?org={influx.org}&bucket={chain.bucket}",
                {"start": "1970-01-01T00:00:00Z", "stop": "2262-01-01T00:00:00Z", "predicate": MEASURED},
            )
            wait_until(lambda: worker.counters.total.stored == 20, "ticks", 40)
            assert worker.status().held_up_by == ""
        assert_equal_by_audit(chain, 20)
