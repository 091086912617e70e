"""A new field needs only three lines: one in the table, one in the oracle, one in the documentation.

The test adds them to a copy of the project. The copy's scripts continue on a file of an earlier version, and on a
bucket and a group that have points and commits already.
"""

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import BrowserContext, expect

from devtools.servers import InfluxServer
from tests.conftest import StartScript
from tests.edits import EditedCopy
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, working
from tests.markdown import text
from tests.old_files import FOR_EVER, OLD_FILES, old_file
from tests.oracle import stores
from tickflow.process import StopEvent
from tickflow.ticklog.base import TickLog
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticklog.sqlite.log import EmbeddedTickLog

WINDOW = 50
(FIELD,) = (f"    {line.strip()}" for line in text("CONTRIBUTING.md").splitlines() if line.strip().startswith("ma_50:"))
IN_THE_ORACLE = '    "ma_50": ("price", 50, average),'
IN_THE_TABLE = "| `ma_50` | float | mean of the last 50 prices | 50 |"

ITS_OWN_TESTS = (
    "--hypothesis-profile=mutants",  # few examples, since the suite itself runs the same tests with all examples
    "--ignore=tests/metrics/detectors",  # they read no field
    "tests/metrics",
    "tests/oracle",
    "tests/contract/test_store.py",
    "tests/store/influx/test_visibility.py",
    "tests/verbs/test_audit.py",
    "tests/worker/test_console.py",
    "tests/worker/test_restore.py",
    "tests/dashboard/drawing",
    "tests/test_sqlite.py",
    "tests/test_docs.py::test_the_table_of_a_point_has_its_tags_and_fields_with_their_kinds",
    "tests/test_docs.py::test_each_value_is_there_from_the_tick_that_the_table_says",
)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> EditedCopy:
    copy = EditedCopy(tmp_path_factory.mktemp("declared") / "project", whole=True)
    copy.add("tickflow/metrics/fields.py", FIELD, before="volatility: Floats")
    copy.add("tests/oracle/points.py", IN_THE_ORACLE, before='"volatility":')
    copy.add("docs/points.md", IN_THE_TABLE, before="| `volatility`")
    return copy


def ticks(count: int, first: int = 0) -> Iterator[bytes]:
    begin = datetime.fromisoformat("2026-01-05T15:00:00+00:00")
    for number in range(first, first + count):
        moment = (begin + timedelta(seconds=number)).isoformat()
        price = 100 + (number * 37 % 101) / 10
        yield json.dumps({"symbol": "AAPL", "price": price, "volume": number, "timestamp": moment}).encode()


def publish(log: TickLog, values: Iterator[bytes]) -> None:
    with log:
        log.connect()
        for value in values:
            log.publish(b"AAPL", value)
        log.flush(30)


def embedded_log(path: Path) -> TickLog:
    return EmbeddedTickLog(path, topic="stock-ticks", group="none", retention_days=FOR_EVER, stop=StopEvent())


def hold(chain: Chain, name: str, before: int) -> None:
    """Compare the new field with pandas in every point of AAPL at or after offset `before`."""
    points = stored(chain)
    points = points[points["symbol"] == "AAPL"].sort_values("offset")
    prices = pd.Series([json.loads(value)["price"] for _, _, value in chain.records() if b"AAPL" in value])
    expected = prices.rolling(WINDOW).mean().to_numpy()
    new = points["offset"].to_numpy() >= before
    assert new.sum() >= 60
    np.testing.assert_allclose(points[name].to_numpy(dtype=float)[new], expected[new], rtol=1e-12)
    assert np.isnan(points[name].to_numpy(dtype=float)[~new]).all(), "absent where an older version wrote"


def stored(chain: Chain) -> pd.DataFrame:
    """Every point with all its columns; the oracle of this tree would leave out the new one."""
    if isinstance(chain, EmbeddedChain):
        with closing(sqlite3.connect(chain.file)) as database:
            return pd.read_sql_query("SELECT * FROM store_points", database)
    assert isinstance(chain, KafkaChain)
    asked = stores._ask(chain.influx.url, chain.influx.token, chain.bucket, 'SELECT * FROM "stock_metrics"')
    return pd.DataFrame(asked)


def audited(script: StartScript, declared: EditedCopy, env: dict[str, str]) -> str:
    audit = script(declared.script("stock_analytics.py"), "audit", env=env)
    assert audit.wait(200) == 0, audit.output
    return audit.stdout


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_new_field_needs_only_three_lines_for_its_tests(declared: EditedCopy) -> None:
    done = declared.python(
        *("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not kafka and not influx and not browser"),
        *ITS_OWN_TESTS,
        timeout=1_100,  # takes a minute on a quiet machine, and more than 280 s at a load of 13
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_new_field_in_a_file_of_an_earlier_version(
    script: StartScript, declared: EditedCopy, tmp_path: Path, reader: BrowserContext, port: int
) -> None:
    chain = EmbeddedChain(old_file(OLD_FILES[0], tmp_path))
    env = chain.env | {"RETENTION_DAYS": str(FOR_EVER), "UPDATE_INTERVAL": "0.5"}
    before = 71  # the old version committed up to here
    publish(embedded_log(chain.file), ticks(120))
    worker = script(declared.script("stock_analytics.py"), env=env)
    chain.wait_for_points(70 + 120, 60)
    hold(chain, "ma_50", before)
    publish(embedded_log(chain.file), ticks(1, 120))  # makes the console print a line
    chain.wait_for_points(70 + 121, 60)
    newest = stored(chain).sort_values("offset")["ma_50"].iloc[-1]
    worker.wait_for(f"MA50 {newest:>9,.2f}", 20)
    said = audited(script, declared, env)
    assert "EQUAL: 0 lost, 0 foreign, 0 different" in said
    assert "11 different, and computed by another version of the program" in said

    page_env = env | {"DASHBOARD_PORT": str(port)}
    page_process = script(declared.script("stock_dashboard.py"), env=page_env)
    page_process.wait_for(str(port), 60)
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{port}/?symbol=AAPL&range=all")
    expect(page.locator("#reading-ma_50")).to_have_text(f"{newest:,.2f}", timeout=60_000)
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "shown.csv")
    rows = list(csv.DictReader((tmp_path / "shown.csv").read_text(encoding="utf-8").splitlines()))
    assert float(rows[-1]["ma_50"]) == pytest.approx(newest, rel=1e-5)
    for program in (worker, page_process):
        program.terminate()
        assert program.wait(20) == 0, program.output


@pytest.mark.kafka
@pytest.mark.influx
def test_a_new_field_in_a_bucket_with_points_and_a_group_with_commits(
    script: StartScript, declared: EditedCopy, kafka_servers: str, topic: str, influx: InfluxServer, bucket: str
) -> None:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)

    def log() -> TickLog:
        return KafkaTickLog(
            [kafka_servers], topic=topic, group="none", partitions=1, instance_id=None, security={}, stop=StopEvent()
        )

    publish(log(), ticks(70))
    with working(chain):
        chain.wait_for_points(70, 60)
    publish(log(), ticks(120, 70))
    worker = script(declared.script("stock_analytics.py"), env=chain.env)
    chain.wait_for_points(190, 60)
    worker.terminate()
    assert worker.wait(20) == 0, worker.output
    hold(chain, "ma_50", 70)
    said = audited(script, declared, chain.env)
    assert "EQUAL: 0 lost, 0 foreign, 0 different" in said
    assert "21 different, and computed by another version of the program" in said
    known = declared.python(
        "-c",
        "import sys; from tests import oracle; from tests.oracle.stores import read_influx\n"
        "url, token, bucket, servers, topic = sys.argv[1:]\n"
        "wanted = oracle.expected_points(oracle.read_kafka(servers, topic)).query('offset >= 70')\n"
        "print(oracle.compare(wanted, read_influx(url, token, bucket).query('offset >= 70')))",
        *(influx.url, influx.token, bucket, kafka_servers, topic),
    )
    assert known.stdout.startswith("120 expected: 0 lost, 0 doubled, 0 foreign, 0 differing"), (
        known.stdout + known.stderr
    )
