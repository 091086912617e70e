"""Any allowed symbol passes unchanged from its source through topic, point and page to a CSV, on both stacks."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from stock_analytics import StockAnalyticsEngine
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.symbols import ODD_SYMBOLS, any_symbol
from tickflow.dashboard.queries.refresh import draw
from tickflow.process import StopEvent
from tickflow.sources.replay import Replay
from tickflow.stack import open_log
from tickflow.ticks.tick import encode

MOMENT = "2026-01-05T14:30:00Z"


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def running(request: pytest.FixtureRequest, tmp_path: Path, topic: str) -> Iterator[tuple[Chain, StockAnalyticsEngine]]:
    if request.param == "kafka":
        given_ = request.getfixturevalue
        chain: Chain = KafkaChain(given_("kafka_servers"), topic, given_("influx"), given_("bucket"))
    else:
        chain = EmbeddedChain(tmp_path / "stocks.db")
    with working(chain) as one:
        yield chain, one


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # records stay in the log, so no example can be repeated
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(symbols=st.lists(any_symbol, min_size=1, max_size=20, unique=True))
@example(symbols=ODD_SYMBOLS)
def test_a_symbol_stays_unchanged_from_the_source_to_the_csv(
    running: tuple[Chain, StockAnalyticsEngine], tmp_path: Path, symbols: list[str]
) -> None:
    chain, worker = running
    file = tmp_path / "day.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(
            [("timestamp", "symbol", "price", "volume"), *((MOMENT, each, 5, 0.5) for each in symbols)]
        )
    assert '"' not in file.read_text(), "no symbol needs quotes"
    assert not any(each.startswith(("=", "+", "-", "@", "\t")) for each in symbols), "none begins a formula"
    before = worker.counters.total.accepted
    with open_log(load(chain.env), StopEvent()) as log:
        log.connect()
        for batch in Replay(file, speed=math.inf).batches(lambda _: False):
            for tick in batch:
                log.publish(tick.symbol.encode(), encode(tick))
        log.flush(30)
    wait_until(lambda: worker.counters.total.accepted == before + len(symbols), "commit of all")

    assert sorted(worker.store.latest(symbols).symbol) == sorted(symbols)
    assert set(worker.store.latest().symbol) >= set(symbols)
    for symbol in symbols:
        points = worker.store.points(symbol, 0)
        assert (set(points.symbol), points.volume[-1]) == ({symbol}, 0.5)
    answer = draw(worker.store, {"symbol": symbols[0]}, identity="x", threshold=2.0, now_ns=1_767_623_401 * 10**9)
    assert answer["drawn"]["symbol"] == symbols[0]
    assert set(symbols) <= {row["symbol"] for row in answer["watch"]["rows"]}
    written = io.StringIO()
    csv.writer(written).writerow(symbols)
    assert next(csv.reader(io.StringIO(",".join(symbols)))) == symbols
    assert written.getvalue() == ",".join(symbols) + "\r\n"
