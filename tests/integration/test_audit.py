"""The audit next to a running worker, on both stacks: it finds no difference at first, and then every change."""

import re
import sqlite3
import threading
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from devtools.servers import InfluxServer
from tests.conftest import StartScript
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain
from tickflow.store.influx.store import InfluxStore

COUNT = 7 * 60
AT = "2026-01-05T14:30:00Z"


class Vandal:
    """Loses, changes or adds single points of AAPL directly in the stack's store."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def lose(self, time_ns: int) -> None:
        if isinstance(self.chain, EmbeddedChain):
            self._execute("DELETE FROM store_points WHERE symbol = 'AAPL' AND time_ns = ?", time_ns)
        else:
            at = f"{AT[:17]}{(time_ns // 10**9) % 60:02}.{time_ns % 10**9:09}Z"
            assert isinstance(self.chain, KafkaChain)
            self.chain.influx.call(
                "POST",
                f"/api/v2/delete?org={self.chain.influx.org}&bucket={self.chain.bucket}",
                {"start": at, "stop": at, "predicate": '_measurement="stock_metrics" AND symbol="AAPL"'},
            )

    def change(self, time_ns: int) -> None:
        if isinstance(self.chain, EmbeddedChain):
            self._execute("UPDATE store_points SET ma_5 = 1.5 WHERE symbol = 'AAPL' AND time_ns = ?", time_ns)
        else:
            self._write(f"stock_metrics,symbol=AAPL,source=simulated ma_5=1.5 {time_ns}")

    def add(self, time_ns: int) -> None:
        if isinstance(self.chain, EmbeddedChain):
            self._execute(
                "INSERT INTO store_points SELECT symbol, source, time_ns + 500, price, change_percent, ma_5, ma_10, "
                "ma_20, volatility, vol_avg_5, vol_avg_10, z_score, volume, partition, offset, is_anomaly, appended_ms "
                "FROM store_points WHERE symbol = 'AAPL' AND time_ns = ?",
                time_ns,
            )
        else:
            fields = "price=1.5,volume=1,partition=0i,offset=1i,is_anomaly=false"
            self._write(f"stock_metrics,symbol=AAPL,source=simulated {fields} {time_ns + 500}")

    def _execute(self, statement: str, time_ns: int) -> None:
        assert isinstance(self.chain, EmbeddedChain)
        with closing(sqlite3.connect(self.chain.file, isolation_level=None)) as database:
            assert database.execute(statement, (time_ns,)).rowcount == 1

    def _write(self, line: str) -> None:
        assert isinstance(self.chain, KafkaChain)
        server = self.chain.influx
        names = urllib.parse.urlencode({"org": server.org, "bucket": self.chain.bucket, "precision": "ns"})
        request = urllib.request.Request(
            f"{server.url}/api/v2/write?{names}", line.encode(), {"Authorization": f"Token {server.token}"}
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()


@pytest.fixture(params=["kafka", "embedded"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Chain:
    if request.param == "embedded":
        return EmbeddedChain(tmp_path / "stocks.db")
    servers, influx, bucket, topic = map(request.getfixturevalue, ("kafka_servers", "influx", "bucket", "topic"))
    return KafkaChain(servers, topic, influx, bucket)


def test_the_audit_runs_beside_a_worker_and_finds_lost_changed_and_added_points(
    script: StartScript, chain: Chain
) -> None:
    def audit(*flags: str) -> tuple[int, str]:
        run = script("stock_analytics.py", "audit", *flags, env=chain.env)
        code = run.wait(60)
        assert "Traceback" not in run.output
        return code, run.stdout

    worker = script("stock_analytics.py", env=chain.env)
    fixed = ("--simulator-seed", "1", "--start-time", AT)
    producer = script("stock_producer.py", "--ticks", "60", "--interval", "0.001", *fixed, env=chain.env)
    assert producer.wait(60) == 0, producer.output
    chain.wait_for_points(COUNT)
    more = script("stock_producer.py", "--interval", "0.02", env=chain.env)  # the log grows during the audits
    code, said = audit("--from", AT, "--to", "2026-01-05T14:31:00Z")
    assert code == 0, said
    assert f"{COUNT} points expected, {COUNT} found" in said
    code, said = audit()
    assert code == 0, said
    assert "EQUAL: 0 lost, 0 foreign, 0 different, 0 dead letters missing" in said
    more.terminate()
    assert more.wait(15) == 0

    points = chain.stored()
    times = points[(points["symbol"] == "AAPL") & (points["time_ns"] < 1_767_623_460 * 10**9)].sort_values("time_ns")
    vandal = Vandal(chain)
    for do, row in ((vandal.lose, 10), (vandal.change, 20), (vandal.add, 30)):
        do(int(times["time_ns"].iloc[row]))
    code, said = audit()
    assert code == 1
    lost, changed = (f"AAPL {int(times['partition'].iloc[at])}/{int(times['offset'].iloc[at])} at" for at in (10, 20))
    assert f"lost: {lost}" in said
    assert f"different: {changed}" in said
    assert "ma_5 is 1.5" in said
    assert "foreign: AAPL" in said
    assert "NOT EQUAL: 1 lost, 1 foreign, 1 different, 0 dead letters missing" in said

    code, said = audit("--last", "2h")  # the damaged points are older than 2 h, the points of `more` are not
    assert code == 0, said
    assert "EQUAL: 0 lost, 0 foreign, 0 different, 0 dead letters missing" in said
    judged = re.search(r"([\d,]+) points? expected", said)
    assert judged is not None, said
    assert int(judged[1].replace(",", "")) > 0, said
    recent = points[(points["symbol"] == "AAPL") & (points["time_ns"] > 1_767_623_460 * 10**9)]
    vandal.change(int(recent["time_ns"].min()))
    code, said = audit("--last", "2h")
    assert code == 1
    assert "NOT EQUAL: 0 lost, 0 foreign, 1 different, 0 dead letters missing" in said
    assert worker.is_running
    assert "rebalanc" not in worker.output
    worker.terminate()
    assert worker.wait(15) == 0
    assert worker.stderr.count("is ours") == (4 if isinstance(chain, KafkaChain) else 1), "its group took no notice"


def test_without_a_topic_nothing_differs_and_no_topic_is_created(script: StartScript, chain: Chain) -> None:
    run = script("stock_analytics.py", "audit", env=chain.env)
    assert run.wait(60) == 0, run.output
    assert "0 records recomputed" in run.stdout
    if isinstance(chain, KafkaChain):
        admin = KafkaAdminClient(bootstrap_servers=chain.servers)
        assert chain.topic not in admin.list_topics()
        admin.close()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("audit", "--from", "yesterday"), "'yesterday' is not a time such as 2026-01-05T14:30:00Z"),
        (("audit", "--from", "1969-01-01"), "is not a time"),
        (("audit", "--from", "2026-01-06", "--to", "2026-01-05"), "--from must lie before --to"),
        (("status", "--to", "2026-01-05"), "--to belongs to the verb audit"),
        (("dead-letters", "--limit", "-1"), "is not a whole number"),
        (("audit", "--limit", "1"), "--limit belongs to the verb dead-letters"),
    ],
)
def test_a_bad_flag_gives_one_sentence_and_exit_code_2(
    script: StartScript, flags: tuple[str, ...], sentence: str
) -> None:
    run = script("stock_analytics.py", *flags, "--embedded")
    assert run.wait(20) == 2
    assert sentence in run.stderr
    assert run.output.count("\n") == 1


@pytest.mark.influx
@pytest.mark.parametrize(("retention", "kept"), [(0, True), (3600, False)])
def test_the_buckets_retention_decides_which_points_may_be_missing(
    influx: InfluxServer, topic: str, retention: int, kept: bool
) -> None:
    influx.create_bucket(topic, retention=retention)
    old_ns = 1_767_623_400 * 10**9
    try:
        store = InfluxStore(influx.url, token=influx.token, org=influx.org, bucket=topic, stop=threading.Event())
        with store:
            assert store.keeps(old_ns, 0) is kept
    finally:
        influx.delete_bucket(topic)


def read_only(influx: InfluxServer, bucket: str) -> str:
    found = influx.call("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]
    resource = {"type": "buckets", "id": found["id"], "orgID": found["orgID"]}
    permissions = [{"action": "read", "resource": resource}]
    body = {"orgID": found["orgID"], "permissions": permissions}
    return str(influx.call("POST", "/api/v2/authorizations", body)["token"])


@pytest.mark.influx
def test_a_token_that_may_only_read_the_bucket_is_enough(influx: InfluxServer, bucket: str) -> None:
    store = InfluxStore(
        influx.url, token=read_only(influx, bucket), org=influx.org, bucket=bucket, stop=threading.Event()
    )
    with store:
        assert store.keeps(0, 0)
        assert store.count("AAPL", 0, 10**18) == 0
