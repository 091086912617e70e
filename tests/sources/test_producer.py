"""Tests of the producer as a process on the embedded stack and on a real Kafka, and with the documented edits."""

import json
import math
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from config import DEFAULT_SYMBOLS, load_settings
from devtools.kafka import KafkaServer
from stock_producer import StockDataProducer
from tests.alpha_vantage_stub import Stub, answer, serving
from tests.conftest import StartScript
from tests.scripts import PROJECT, Script
from tickflow.errors import SettingError
from tickflow.sources.simulator import Injection
from tickflow.stack import open_log
from tickflow.ticklog.base import LOG_APPEND_TIME, Record
from tickflow.ticks.tick import decode

PRODUCER = "stock_producer.py"
SYMBOLS_LINE = "self.symbols = list(settings.symbols)"
STREAMING_LINE = (
    'producer.start_streaming(use_real_data=settings.source == "alpha_vantage", interval=settings.tick_interval)'
)


def read(env: dict[str, str]) -> Sequence[Record]:
    """Everything published with these settings, in order within each partition."""
    settings = load_settings(env, env_file=None)
    if settings.stack == "kafka":
        return read_topic(settings.kafka_servers, settings.kafka_topic)
    with open_log(settings, threading.Event()) as log:
        log.connect()
        log.subscribe()
        assert log.poll(5).assigned
        bounds = log.bounds(0)
        log.seek(0, bounds.start)
        found: list[Record] = []
        while len(found) < bounds.end - bounds.start:
            found += log.poll(0.3).records.get(0, ())
        return found


def read_topic(servers: Sequence[str], topic: str) -> Sequence[Record]:
    """All records of a Kafka topic; empty if it does not exist."""
    consumer = KafkaConsumer(bootstrap_servers=list(servers), enable_auto_commit=False, group_id=None)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(partitions) if partitions else {}
        consumer.assign(partitions)
        if partitions:
            consumer.seek_to_beginning(*partitions)
        found: list[Record] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
        return found
    finally:
        consumer.close()


def wait_for_ticks(run: Script, env: dict[str, str]) -> None:
    """Wait until the log holds a record that `run` published."""
    deadline = time.monotonic() + 60
    while not read(env):
        assert run.is_running, run.output
        assert time.monotonic() < deadline, run.output


def ticks_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in records]


def assert_well_published(records: Sequence[Record]) -> None:
    """Assert that all records are accepted ticks of one run, keyed by symbol and numbered from 1 without gaps."""
    by_partition: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        by_partition[record.partition].append(record)
    numbers: defaultdict[str, list[int | None]] = defaultdict(list)
    runs: set[str | None] = set()
    for part in by_partition.values():
        batch, refused = decode(part)
        assert refused == []
        runs |= set(batch.producers)
        for symbol, number in zip(batch.symbols, batch.seqs, strict=True):
            numbers[symbol].append(number)
    assert len(runs) == 1
    assert None not in runs
    for symbol, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), symbol


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    return {"STACK": "embedded", "EMBEDDED_FILE": str(tmp_path / "stocks.db")}


@pytest.fixture
def on_kafka(kafka_servers: str, topic: str) -> dict[str, str]:
    return {"KAFKA_SERVERS": kafka_servers, "KAFKA_TOPIC": topic, "KAFKA_PARTITIONS": "3"}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as state:
        yield state


def pasted(tmp_path: Path, ours: str, theirs: str) -> str:
    """Write a copy of the producer in which `theirs` replaces the line `ours`; return its path."""
    text = (PROJECT / PRODUCER).read_text()
    assert text.count(ours) == 1, f"the line that users replace is not there once: {ours}"
    copy = tmp_path / PRODUCER
    copy.write_text(text.replace(ours, theirs))
    return str(copy)


def test_the_documented_symbols_line_can_be_pasted(
    script: StartScript, tmp_path: Path, embedded: dict[str, str]
) -> None:
    line = "self.symbols = ['AAPL', 'GOOGL', 'MSFT', 'AMZN', 'TSLA', 'NVDA', 'META']"
    copy = pasted(tmp_path, SYMBOLS_LINE, line)
    run = script(copy, "--ticks", "2", "--interval", "0.1", "--symbols", "IBM", env=embedded | path_to_project())
    assert run.wait() == 0, run.output
    assert Counter(tick["symbol"] for tick in ticks_of(read(embedded))) == dict.fromkeys(DEFAULT_SYMBOLS, 2)


def test_the_documented_simulated_line_can_be_pasted(
    script: StartScript, tmp_path: Path, embedded: dict[str, str]
) -> None:
    copy = pasted(tmp_path, STREAMING_LINE, "producer.start_streaming(use_real_data=False, interval=2)")
    start = ("--start-time", "2026-01-05T14:30:00Z")
    run = script(copy, "--ticks", "2", "--interval", "0.1", *start, env=embedded | path_to_project())
    assert run.wait() == 0, run.output
    ticks = ticks_of(read(embedded))
    assert {tick["source"] for tick in ticks} == {"simulated"}
    assert {tick["timestamp"] for tick in ticks} == {"2026-01-05T14:30:00Z", "2026-01-05T14:30:02Z"}


def with_stub(tmp_path: Path, copy: str, stub: Stub) -> str:
    """Write a script that runs the copy with the stub instead of Alpha Vantage; return its path."""
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import runpy\n"
        "import tickflow.sources.alpha_vantage as source\n"
        f"source.BASE_URL = {stub.url!r}\n"
        f"runpy.run_path({copy!r}, run_name='__main__')\n"
    )
    return str(runner)


def path_to_project() -> dict[str, str]:
    return {"PYTHONPATH": str(PROJECT)}


REAL_LINE = 'producer.start_streaming(use_real_data=True, api_key="YOUR_API_KEY", interval=60)'


def test_the_documented_real_data_line_can_be_pasted(
    script: StartScript, tmp_path: Path, embedded: dict[str, str], stub: Stub
) -> None:
    """The script uses the pasted key, and publishes the quotes and nothing else."""
    stub.answers = {"IBM": [answer("IBM")], "SPY": [b"no JSON", answer("SPY", "640")]}
    copy = pasted(tmp_path, STREAMING_LINE, REAL_LINE)
    run = script(
        with_stub(tmp_path, copy, stub), "--ticks", "1", "--symbols", "IBM,SPY", env=embedded | path_to_project()
    )
    run.wait_for("nothing is published for SPY in this round")
    run.terminate()
    assert run.wait() == 0, run.output
    assert {query["apikey"] for query in stub.queries} == {"YOUR_API_KEY"}
    ticks = ticks_of(read(embedded))
    assert [(tick["symbol"], tick["price"], tick["source"]) for tick in ticks] == [("IBM", 301.5, "alpha_vantage")]
    assert "PRODUCER_INTERVAL=6912" in run.stderr, "the free key's budget is said"


def test_a_refused_key_of_the_pasted_line_ends_it_without_a_simulated_tick(
    script: StartScript, tmp_path: Path, embedded: dict[str, str], stub: Stub
) -> None:
    stub.answers = {"IBM": [{"Error Message": "the parameter apikey is invalid or missing: YOUR_API_KEY"}]}
    copy = pasted(tmp_path, STREAMING_LINE, REAL_LINE)
    run = script(with_stub(tmp_path, copy, stub), "--symbols", "IBM", env=embedded | path_to_project())
    assert run.wait() == 2, run.output
    assert "ALPHA_VANTAGE_API_KEY is '**********'" in run.stderr
    assert "YOUR_API_KEY" not in run.stderr
    assert "Traceback" not in run.stderr
    assert read(embedded) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--source", "replay"], "REPLAY_FILE is not set"),
        (["--source", "replay", "--replay-file", "none.csv"], "REPLAY_FILE is 'none.csv'; expected a readable file"),
        (["--source", "replay", "--replay-file", "."], "REPLAY_FILE is '.'; expected a file"),
        (["--source", "replay", "--replay-file", "no.csv", "--replay-speed", "0"], "REPLAY_SPEED is '0'"),
        (["--source", "alpha_vantage"], "ALPHA_VANTAGE_API_KEY is not set; expected your key"),
        (["--source", "yahoo"], "SOURCE is 'yahoo'; expected simulated, replay, alpha_vantage or topic"),
        (["--interval", "-1"], "PRODUCER_INTERVAL is '-1'"),
        (["--interval", "soon"], "PRODUCER_INTERVAL is 'soon'"),
        (["--symbols", "=A"], "SYMBOLS is '=A'"),
        (["--simulator-seed", "-1"], "SIMULATOR_SEED is '-1'"),
        (["--inject", "AAPL:8"], "--inject is 'AAPL:8'; expected SYMBOL:PERCENT:AT_TICK"),
        (["--inject", "IBM:8:3"], "--inject is 'IBM'; expected one of the streamed symbols AAPL,"),
        (["--source", "replay", "--inject", "AAPL:8:3"], "SOURCE is 'replay'; expected simulated, since --inject"),
        (["--ticks", "0"], "--ticks is '0'; expected a whole number from 1 on"),
        (["--ticks", "many"], "--ticks is 'many'; expected a whole number from 1 on"),
        (["--start-time", "now"], "--start-time is 'now'; expected a time such as 2026-01-05T14:30:00Z"),
        (["--steer"], "SOURCE is 'simulated'; expected replay: --from, --to, --loop, --shift-to, --resume and --steer"),
        (["--source", "replay", "--steer", "--loop"], "expected --steer without --loop and --shift-to, since a jump"),
        (
            ["--source", "replay", "--steer", "--replay-file", "no.csv", "--replay-speed", "max"],
            "REPLAY_SPEED is 'max'; expected a number up to 100,000, since readers watch the replay (--steer)",
        ),
        (
            ["--source", "replay", "--steer", "--replay-file", "no.csv", "--stack", "kafka"],
            "INFLUXDB_TOKEN is not set; expected a token for the page's bucket, from which --steer reads",
        ),
        (["--nonsense"], "there is no flag --nonsense"),
    ],
)
def test_a_bad_setting_or_flag_gives_one_sentence_and_exit_code_2_before_any_connection(
    script: StartScript, tmp_path: Path, embedded: dict[str, str], arguments: list[str], complaint: str
) -> None:
    run = script(PRODUCER, *arguments, env=embedded)
    assert run.wait() == 2, run.output
    assert complaint in run.stderr
    assert len([line for line in run.output.splitlines() if " INFO producer: settings: " not in line]) == 1
    assert not Path(embedded["EMBEDDED_FILE"]).exists()


def test_help_names_the_sources_the_examples_and_the_exit_codes(script: StartScript) -> None:
    run = script(PRODUCER, "--help")
    assert run.wait() == 0
    for text in ("--replay-speed", "--interval", "alpha_vantage", "examples:", "exit codes:", "--inject SYMBOL:"):
        assert text in run.stdout


def published(script: StartScript, env: dict[str, str], *arguments: str) -> tuple[Script, Sequence[Record]]:
    run = script(PRODUCER, *arguments, env=env)
    assert run.wait() == 0, run.output
    return run, read(env)


def test_the_producer_logs_what_it_streams_and_to_where_and_the_count(
    script: StartScript, embedded: dict[str, str]
) -> None:
    run, records = published(script, embedded, "--ticks", "3", "--interval", "0.05", "--simulator-seed", "5")
    assert "streaming simulated prices, not real ones, of AAPL, GOOGL" in run.stderr
    assert "every 0.05 s (SIMULATOR_SEED=5), to the topic stock-ticks of the file " in run.stderr
    assert "21 ticks sent, 21 acknowledged" in run.stderr
    assert len(records) == 21
    assert_well_published(records)


def test_two_runs_of_one_seed_and_start_time_publish_equal_ticks(
    script: StartScript, tmp_path: Path, embedded: dict[str, str]
) -> None:
    arguments = ("--ticks", "40", "--interval", "0", "--simulator-seed", "7", "--start-time", "2026-01-05T14:30:00Z")
    runs = []
    for name in ("one.db", "two.db"):
        _, records = published(script, embedded | {"EMBEDDED_FILE": str(tmp_path / name)}, *arguments)
        runs.append(ticks_of(records))
    producers = [{tick.pop("producer") for tick in run} for run in runs]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 280
    assert producers[0].isdisjoint(producers[1]), "the run is the only difference"


def test_an_injection_is_seen_in_the_log(script: StartScript, embedded: dict[str, str]) -> None:
    inject = ("--inject", "AAPL:8:20", "--inject", "MSFT:-5:10")
    _, records = published(script, embedded, "--ticks", "30", "--interval", "0", "--simulator-seed", "7", *inject)
    ticks = ticks_of(records)
    for symbol, at_tick, ratio in (("AAPL", 20, 1.08), ("MSFT", 10, 0.95)):
        prices = [tick["price"] for tick in ticks if tick["symbol"] == symbol]
        assert prices[at_tick - 1] / prices[at_tick - 2] == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("press", ["terminate", "interrupt"])
def test_asked_to_stop_everything_is_acknowledged_and_the_exit_code_is_0(
    script: StartScript, embedded: dict[str, str], press: str
) -> None:
    run = script(PRODUCER, "--interval", "0", env=embedded)
    wait_for_ticks(run, embedded)
    asked = time.monotonic()
    getattr(run, press)()
    assert run.wait() == 0, run.output
    assert time.monotonic() - asked < 20
    records = read(embedded)
    assert f"{len(records):,} ticks sent, {len(records):,} acknowledged" in run.stderr
    assert_well_published(records)
    assert "Traceback" not in run.stderr


def test_it_runs_without_standard_input(tmp_path: Path, embedded: dict[str, str]) -> None:
    command = 'exec "$0" "$1" --ticks 1 --interval 0 <&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(PROJECT / PRODUCER)],
        env=embedded,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(read(embedded)) == 7


def rows_of(trades: Path) -> list[tuple[str, str, float, int]]:
    rows = [line.split(",") for line in trades.read_text().splitlines()[1:]]
    return [(row[0].replace(".000Z", "Z"), row[1], float(row[2]), int(row[3])) for row in rows]


def key(tick: dict[str, Any]) -> tuple[str, str, float, int]:
    time = datetime.fromisoformat(tick["timestamp"]).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return time.replace(".000Z", "Z"), tick["symbol"], tick["price"], tick["volume"]


REPLAY = ("--source", "replay", "--replay-speed", "max", "--replay-file")


def test_a_replay_publishes_the_whole_file_in_order_and_ignores_symbols(
    script: StartScript, embedded: dict[str, str], trades: Path
) -> None:
    run, records = published(script, embedded, *REPLAY, str(trades))
    assert [key(tick) for tick in ticks_of(records)] == rows_of(trades)
    assert_well_published(records)
    assert "6,000 ticks sent, 6,000 acknowledged; 6,000 rows read, 100% of the file" in run.stderr


def test_a_replay_with_bad_rows_publishes_the_others_and_ends_with_1(
    script: StartScript, embedded: dict[str, str], tmp_path: Path, trades: Path
) -> None:
    lines = trades.read_text().splitlines(keepends=True)
    lines[3] = "never,SPY,1,1\n"
    bad = tmp_path / "bad.csv"
    bad.write_text("".join(lines))
    run = script(PRODUCER, *REPLAY, str(bad), env=embedded)
    assert run.wait() == 1, run.output
    assert "1 of 6,000 rows of" in run.stderr
    assert "line 4: time 'never' is not a time" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(read(embedded)) == 5_999


def test_a_replay_stopped_on_the_way_ends_with_0(script: StartScript, embedded: dict[str, str], trades: Path) -> None:
    run = script(PRODUCER, "--source", "replay", "--replay-file", str(trades), env=embedded)
    run.wait_for(" acknowledged; ")
    run.terminate()
    assert run.wait() == 0, run.output
    count = len(read(embedded))
    assert 0 < count < 6_000, "at the recorded speed"
    assert f"{count:,} ticks sent, {count:,} acknowledged" in run.stderr


def test_the_class_needs_no_argument(tmp_path: Path, embedded: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (embedded | {"SYMBOLS": "IBM,SPY"}).items():
        monkeypatch.setenv(name, value)
    producer = StockDataProducer()
    assert producer.symbols == ["IBM", "SPY"]
    timer = threading.Timer(0.3, producer.stop.set)
    timer.start()
    producer.start_streaming()
    timer.join()
    assert {tick["symbol"] for tick in ticks_of(read(embedded))} == {"IBM", "SPY"}


@pytest.mark.parametrize(
    ("symbols", "interval"), [([], 2.0), (["=A"], 2.0), (["A", "A"], 2.0), (["A"], -1.0), (["A"], math.nan)]
)
def test_the_class_refuses_what_was_set_by_hand(embedded: dict[str, str], symbols: list[str], interval: float) -> None:
    producer = StockDataProducer(load_settings(embedded, env_file=None))
    producer.symbols = symbols
    with pytest.raises(SettingError):
        producer.start_streaming(interval=interval)


def test_an_injection_for_a_symbol_that_is_not_streamed_is_refused(embedded: dict[str, str]) -> None:
    producer = StockDataProducer(load_settings(embedded, env_file=None), injections=[Injection("IBM", 5, 1)])
    with pytest.raises(SettingError, match="--inject is 'IBM'"):
        producer.start_streaming()


@pytest.mark.kafka
def test_on_kafka_a_replay_is_keyed_ordered_per_symbol_and_complete(
    script: StartScript, on_kafka: dict[str, str], trades: Path
) -> None:
    _, records = published(script, on_kafka, *REPLAY, str(trades))
    assert len(records) == 6_000
    assert_well_published(records)
    assert {record.timestamp_type for record in records} == {LOG_APPEND_TIME}
    assert len({record.partition for record in records}) > 1
    ticks, rows = ticks_of(records), rows_of(trades)
    for symbol in {row[1] for row in rows}:
        assert len({record.partition for record in records if record.key == symbol.encode()}) == 1
        assert [key(tick) for tick in ticks if tick["symbol"] == symbol] == [row for row in rows if row[1] == symbol]


@pytest.mark.kafka
def test_on_kafka_simulated_ticks_are_of_now_and_stop_with_everything_acknowledged(
    script: StartScript, on_kafka: dict[str, str]
) -> None:
    before = datetime.now(UTC)
    run = script(PRODUCER, "--interval", "0.05", env=on_kafka)
    wait_for_ticks(run, on_kafka)
    run.terminate()
    assert run.wait(15) == 0, run.output
    records = read(on_kafka)
    assert f"{len(records):,} ticks sent, {len(records):,} acknowledged" in run.stderr
    assert_well_published(records)
    for tick in ticks_of(records):
        assert before <= datetime.fromisoformat(tick["timestamp"]) <= before + timedelta(seconds=60)


@pytest.mark.kafka
def test_started_before_its_broker_the_producer_waits_and_then_continues(
    script: StartScript, own_kafka: KafkaServer, topic: str
) -> None:
    own_kafka.stop()
    env = {"KAFKA_SERVERS": own_kafka.address, "KAFKA_TOPIC": topic}
    run = script(PRODUCER, "--ticks", "3", "--interval", "0.1", env=env)
    run.wait_for(f"waiting for Kafka at {own_kafka.address} (KAFKA_SERVERS)")
    own_kafka.start()
    assert run.wait() == 0, run.output
    records = read(env)
    assert len(records) == 21
    assert_well_published(records)


@pytest.mark.kafka
def test_asked_to_stop_before_its_broker_comes_it_ends_with_0(script: StartScript) -> None:
    run = script(PRODUCER, env={"KAFKA_SERVERS": "127.0.0.1:1"})
    run.wait_for("waiting for Kafka at 127.0.0.1:1")
    run.terminate()
    assert run.wait(5) == 0, run.output


def described(kafka: KafkaServer, topic: str) -> str:
    """What a new client learns of the topic: its partitions and their leaders."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    try:
        return str(admin.describe_topics([topic]))
    finally:
        admin.close()


@pytest.mark.slow
@pytest.mark.kafka
def test_a_broker_that_is_away_for_a_while_loses_no_tick(
    script: StartScript, own_kafka: KafkaServer, topic: str
) -> None:
    env = {"KAFKA_SERVERS": own_kafka.address, "KAFKA_TOPIC": topic}
    run = script(PRODUCER, "--interval", "0.1", env=env)
    wait_for_ticks(run, env)
    own_kafka.kill()
    run.wait_for("ticks are not acknowledged: no confirmation from Kafka")
    own_kafka.start()
    try:
        run.wait_for("ticks are acknowledged again")
    except AssertionError as error:  # seen once, unexplained: does the topic have leaders?
        raise AssertionError(f"{error}\n{described(own_kafka, topic)}\n{own_kafka.log_tail()}") from error
    run.terminate()
    assert run.wait(15) == 0, run.output
    records = read(env)
    assert f"{len(records):,} ticks sent, {len(records):,} acknowledged" in run.stderr
    assert_well_published(records)


@pytest.mark.kafka
def test_ticks_that_are_never_acknowledged_are_counted_and_the_exit_code_is_1(
    script: StartScript, own_kafka: KafkaServer, topic: str
) -> None:
    env = {"KAFKA_SERVERS": own_kafka.address, "KAFKA_TOPIC": topic}
    run = script(PRODUCER, "--interval", "0.5", env=env)
    wait_for_ticks(run, env)
    own_kafka.pause()
    try:
        run.wait_for("ticks are not acknowledged: ")
        run.terminate()
        assert run.wait(20) == 1, run.output
    finally:
        own_kafka.resume()
    assert " records were not acknowledged: no confirmation from Kafka" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


ROWS = 10_000


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_an_interrupted_replay_resumes_without_publishing_a_tick_twice(
    script: StartScript, embedded: dict[str, str], tmp_path: Path, end: str
) -> None:
    # Their times span 100 ms, which at a speed of 0.005 take 20 s: long enough to be interrupted on a busy machine.
    rows = [f"2024-01-05T14:30:00.{n // 100:03}Z,{'ABC'[n % 3]},{n + 1},{n % 7}\n" for n in range(ROWS)]
    path = tmp_path / "ticks.csv"
    path.write_text("timestamp,symbol,price,volume\n" + "".join(rows))
    arguments = ("--source", "replay", "--replay-file", str(path))
    run = script(PRODUCER, *arguments, "--replay-speed", "0.005", env=embedded)
    wait_for_ticks(run, embedded)
    getattr(run, end)()
    run.wait()
    before = len(read(embedded))
    assert 0 < before < ROWS
    again = script(PRODUCER, *arguments, "--replay-speed", "max", "--resume", env=embedded)
    assert again.wait() == 0, again.output
    assert f"--resume: the log has {before:,} ticks of this replay" in again.stderr
    ticks = ticks_of(read(embedded))
    assert [tick["price"] for tick in ticks] == [n + 1 for n in range(ROWS)]
    assert len({tick["producer"] for tick in ticks}) == 1, "it is one run"
    for symbol in "ABC":
        numbers = [tick["seq"] for tick in ticks if tick["symbol"] == symbol]
        assert numbers == list(range(1, len(numbers) + 1))
    whole = script(PRODUCER, *arguments, "--replay-speed", "max", "--resume", env=embedded)
    assert whole.wait() == 0, whole.output
    assert "0 ticks sent" in whole.stderr
    assert len(read(embedded)) == ROWS


def test_explain_publishes_nothing_and_shows_what_was_understood(
    script: StartScript, embedded: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "AAPL_2024.csv"
    path.write_text("Date,Close,Volume\n2024-01-05,187.5,100\n2024-01-08,x,100\n2024-01-09,188.5,\n")
    arguments = ("--source", "replay", "--replay-file", str(path))
    refused = script(PRODUCER, *arguments, "--explain", env=embedded)
    assert refused.wait() == 2, refused.output
    assert "'2024-01-05' has none: say whose clock it is, as in --timezone America/New_York" in refused.stderr
    run = script(PRODUCER, *arguments, "--explain", "--timezone", "America/New_York", env=embedded)
    assert run.wait() == 0, run.output
    for text in (
        "text, separated by commas",
        "price: the close, column 'Close'",
        "zone: America/New_York (--timezone)",
        "symbol: AAPL (the file's name)",
        "2024-01-06T05:00:00Z  AAPL  187.5, volume 100",
        "3 rows in all: 1 would be refused",
        "line 3: close 'x' is not a number",
        "--symbol AAPL --columns time=Date,close=Close,volume=Volume --decimal point --bars close --bar-length 86400",
    ):
        assert text in run.stdout, run.stdout
    assert not Path(embedded["EMBEDDED_FILE"]).exists()


def test_symbols_on_the_command_line_select_from_a_file_but_those_of_the_settings_do_not(
    script: StartScript, embedded: dict[str, str], trades: Path
) -> None:
    _, records = published(script, embedded, *REPLAY, str(trades), "--symbols", "SPY,IBM")
    assert {tick["symbol"] for tick in ticks_of(records)} == {"SPY", "IBM"}
