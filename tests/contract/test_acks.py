"""Contract tests for every store of acknowledgements: the embedded file and a real InfluxDB."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from devtools.process import ServerError
from devtools.servers import InfluxServer
from tests.influx_tokens import a_token
from tests.point_examples import MORNING, SECOND
from tickflow.alerts.kept import MAX_BYTES, CurvePoint, Kept, Raised, Row, encode, fitted
from tickflow.errors import StoreMisconfigured, StoreUnavailable
from tickflow.store.acks import MAX_BACKTESTS, Ack, AckStore, Layout
from tickflow.store.influx.acks import InfluxAcks
from tickflow.store.sqlite.acks import EmbeddedAcks

FIRST = Ack("AAPL", 0, 12, MORNING + 12, MORNING + SECOND)
SECOND_ONE = Ack("BRK.B", 3, 2**40, MORNING + SECOND, MORNING + 2 * SECOND)


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def acks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AckStore]:
    found: AckStore
    if request.param == "embedded":
        found = EmbeddedAcks(tmp_path / "stocks.db", retention_days=7, stop=threading.Event())
    else:
        server, bucket = request.getfixturevalue("influx"), f"{request.getfixturevalue('bucket')}_acks"
        found = InfluxAcks(server.url, token=server.token, org=server.org, bucket=bucket)
    yield found
    found.close()
    if isinstance(found, InfluxAcks):
        with contextlib.suppress(ServerError):  # a test that acknowledges nothing does not create the bucket
            server.delete_bucket(bucket)


def test_nothing_is_acknowledged_at_first(acks: AckStore) -> None:
    assert acks.acknowledged(0) == []
    acks.acknowledge([])
    assert acks.acknowledged(0) == []


def test_an_acknowledgement_is_returned_from_then_on(acks: AckStore) -> None:
    acks.acknowledge([SECOND_ONE])
    acks.acknowledge([FIRST])
    assert acks.acknowledged(0) == [FIRST, SECOND_ONE]
    assert acks.acknowledged(MORNING + SECOND) == [SECOND_ONE]
    assert acks.acknowledged(MORNING + SECOND + 1) == []


def test_a_second_acknowledgement_replaces_the_first(acks: AckStore) -> None:
    later = Ack(FIRST.symbol, FIRST.partition, FIRST.first_offset, FIRST.time_ns, FIRST.acked_ns + 5)
    acks.acknowledge([FIRST, SECOND_ONE])
    acks.acknowledge([later])
    assert acks.acknowledged(0) == [later, SECOND_ONE]


def test_what_is_withdrawn_is_not_acknowledged_until_it_is_again(acks: AckStore) -> None:
    acks.acknowledge([FIRST, SECOND_ONE])
    acks.withdraw([FIRST])
    assert acks.acknowledged(0) == [SECOND_ONE]
    acks.withdraw([FIRST])
    acks.withdraw([])
    acks.acknowledge([FIRST])
    assert acks.acknowledged(0) == [FIRST, SECOND_ONE]


def test_a_layout_is_kept_under_its_name_until_it_is_removed(acks: AckStore) -> None:
    assert acks.layouts() == []
    acks.keep_layout(Layout("Opening, 1 m", "symbol=AAPL&range=1h&candles=1m"), MORNING)
    acks.keep_layout(Layout('Both "A"=B', "symbol=AAPL&symbols=AAPL%2CMSFT"), MORNING + 1)
    acks.keep_layout(Layout("Opening, 1 m", "symbol=MSFT"), MORNING + 2)
    assert acks.layouts() == [
        Layout('Both "A"=B', "symbol=AAPL&symbols=AAPL%2CMSFT"),
        Layout("Opening, 1 m", "symbol=MSFT"),
    ]
    acks.keep_layout(Layout("Opening, 1 m", ""), MORNING + 3)
    assert [each.name for each in acks.layouts()] == ['Both "A"=B']
    assert acks.acknowledged(0) == []


def a_backtest(made_ms: int, alerts: int = 2) -> Kept:
    row = Row("AAPL", 'price > "2"', alerts, 2, 0.5, 3.5, 1, 2)
    raised = [Raised("AAPL", MORNING // 10**6 + at, "AAPL −1.5 % \\ back", at % 2 == 0) for at in range(alerts)]
    curve = [CurvePoint(0.25, 1, 0.5), CurvePoint(1.0, alerts, alerts / 2)]
    whole = Kept(made_ms, MORNING // 10**6, made_ms, "topic stock-ticks", "move", alerts, 1, 3, [row], raised, curve)
    return fitted(whole)


def test_the_newest_backtests_are_kept_until_they_are_removed(acks: AckStore) -> None:
    assert acks.backtests() == []
    made = [a_backtest(MORNING // 10**6 + at) for at in range(MAX_BACKTESTS + 2)]
    for each in [*made[1:], made[0], made[-1]]:
        acks.keep_backtest(each)
    assert acks.backtests() == made[:1:-1]
    acks.remove_backtest(made[-1].made_ms)
    acks.remove_backtest(made[0].made_ms)
    assert acks.backtests() == made[-2:1:-1]
    assert acks.layouts() == []


def test_a_backtest_of_the_maximum_size_is_kept_whole(acks: AckStore) -> None:
    words = "−" * 1_000
    large = fitted(replace(a_backtest(MORNING // 10**6), alerts=[Raised("AAPL", at, words, None) for at in range(90)]))
    assert MAX_BYTES * 0.45 < len(encode(large)) <= MAX_BYTES
    acks.keep_backtest(large)
    assert acks.backtests() == [large]


def test_an_episode_of_a_recreated_log_is_a_new_one(acks: AckStore) -> None:
    again = Ack(FIRST.symbol, FIRST.partition, FIRST.first_offset, FIRST.time_ns + SECOND, FIRST.acked_ns)
    acks.acknowledge([FIRST, again])
    assert acks.acknowledged(0) == [FIRST, again]


def test_a_token_that_may_not_create_the_bucket_is_reported_in_a_sentence(influx: InfluxServer, bucket: str) -> None:
    refused = InfluxAcks(influx.url, token="wrong", org=influx.org, bucket=f"{bucket}_acks")
    with pytest.raises(StoreMisconfigured, match=f"no bucket '{bucket}_acks' that INFLUXDB_TOKEN may write to"):
        refused.acknowledge([FIRST])
    assert refused.acknowledged(0) == []
    refused.close()


@pytest.mark.parametrize("may", ["write", "neither"])
def test_a_bucket_that_may_not_be_read_is_reported_in_a_sentence(influx: InfluxServer, bucket: str, may: str) -> None:
    influx.create_bucket(f"{bucket}_acks")
    other = bucket if may == "neither" else f"{bucket}_acks"
    blind = InfluxAcks(influx.url, token=a_token(influx, other, "write"), org=influx.org, bucket=f"{bucket}_acks")
    with pytest.raises(StoreMisconfigured, match=f"may not read the bucket '{bucket}_acks'"):
        blind.acknowledged(0)
    blind.close()
    influx.delete_bucket(f"{bucket}_acks")


def test_an_absent_influxdb_is_reported() -> None:
    away = InfluxAcks("http://127.0.0.1:9", token="any", org="myorg", bucket="stock_data_acks")
    with pytest.raises(StoreUnavailable):
        away.acknowledge([FIRST])
    with pytest.raises(StoreUnavailable):
        away.acknowledged(0)
    away.close()


def test_a_path_that_cannot_be_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes, not a database. " * 50)
    wrong = EmbeddedAcks(tmp_path / "notes.txt", retention_days=7, stop=threading.Event())
    with pytest.raises(StoreMisconfigured, match="EMBEDDED_FILE"):
        wrong.acknowledge([FIRST])
