"""Least privilege on Kafka: the permissions in docs/security.md suffice for each script, and it reports any that it
lacks.

The topic of each test has one partition. `make test` tries some of the missing permissions, `make secured` all of them.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet
import pytest

from config import Settings
from devtools import init
from devtools.influxdb import InfluxServer
from stock_dashboard import StockDashboard
from stock_producer import StockDataProducer, record
from tests.forms import FULL
from tests.http_stub import Answer, HttpStub
from tests.integration.chain import wait_until
from tests.loaded_settings import load
from tests.secured.kafka_rights import RIGHTS, foreign_topic, named, part_of, without
from tests.secured.servers import SecuredKafka
from tests.secured.stage import BAD, SYMBOLS, Stage, running, user_of, working
from tests.secured.test_modes import message_of_an_alert, perform
from tests.secured.test_refusals import shown
from tickflow.alerts.alert import Alert
from tickflow.alerts.alert import encode as encode_alert
from tickflow.errors import LogRefused, TickflowError
from tickflow.process import StopEvent
from tickflow.sources.replay_flags import ReplayFlags
from tickflow.ticklog.kafka import reader, writer

MAP = """\
symbol = "s"
price = "p"
timestamp = "t"
epoch = "s"
"""
SOON = 60.0
"""How many seconds a script may take to report the permission that it lacks."""
FOREIGN_RECORD = b'{"s": "AAPL", "p": 9.5, "t": 1767623400}'


@pytest.fixture
def stage(
    secured_kafka: SecuredKafka, influx: InfluxServer, topic: str, bucket: str, tmp_path: Path
) -> Iterator[Stage]:
    made = Stage(secured_kafka, influx, topic, bucket, tmp_path)
    yield made
    made.admin.close()
    for user in init.of_users(topic, made.group):
        secured_kafka.forbid(user)
    influx.delete_bucket(f"{bucket}_acks")


def test_the_service_init_grants_what_the_table_allows_the_scripts_of_each_user() -> None:
    scripts = {
        "producer": ["producer"],
        "worker": ["worker"],
        "notifier": ["notify"],
        "auditor": ["audit", "dead-letters", "status", "calibrate", "backtest"],
    }
    needed: dict[str, dict[tuple[str, str], set[str]]] = {user: {} for user in scripts}
    for user, each in scripts.items():
        assert {user_of(script) for script in each} == {user}
        for script in each:
            for on, may in RIGHTS[script].items():
                needed[user][on] = {*needed[user].get(on, ()), *may}
    granted = init.of_users("stock-ticks", "stock-analytics")
    assert {user: {on: set(may) for on, may in rights.items()} for user, rights in granted.items()} == needed


def test_the_users_that_init_makes_do_their_own_work_and_not_that_of_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    password = "the-password-that-init-sets"
    for user in init.of_users(stage.topic, stage.group):
        (stage.folder / f"kafka-{user}-password").write_text(f"{password}\n")
    monkeypatch.setattr(init, "load_settings", lambda: load(stage.chain.env))
    flags = ["--kafka", stage.kafka.address, "--secrets", str(stage.folder), "--tokens", str(stage.folder / "tokens")]
    (stage.folder / "tokens").mkdir()
    assert init.main(flags) == 0, capsys.readouterr().err

    def env(script: str, token: str) -> dict[str, str]:
        token = (stage.folder / "tokens" / token / "token").read_text()
        return stage.env(
            script, KAFKA_SASL_MECHANISM=init.MECHANISM, KAFKA_SASL_PASSWORD=password, INFLUXDB_TOKEN=token
        )

    worker, notifier = env("worker", "worker"), env("notify", "worker")
    auditor = load(env("audit", "auditor"))
    stage.publish(10)
    with working(stage, load(worker)):
        stage.check(refused=1)
        wait_until(lambda: bool(stage.values(".alerts")), "alerts", 30)
    assert message_of_an_alert(notifier)
    capsys.readouterr()
    assert perform(auditor, "audit") == 0
    assert perform(auditor, "dead-letters") == 0
    shown = capsys.readouterr().out
    assert "EQUAL: 0 lost" in shown
    assert "not_json" in shown
    others = {"dead-letters": load(worker), "audit": load(notifier), "rewind": auditor}
    for verb, settings in others.items():
        with pytest.raises(LogRefused, match="lacks permissions on"):
            perform(settings, verb, *(["--to", "2026-01-01"] if verb == "rewind" else []))


def test_each_script_does_its_whole_job_with_the_documented_rights(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    done = set()
    stage.admin.publish(b"AAPL", BAD)
    stage.admin.flush(30)
    stage.allow_only("producer")
    producer = StockDataProducer(stage.settings("producer"), ticks=60)  # so many that one refusal is under 1 %
    producer.start_streaming(interval=0)
    done.add("producer")

    stage.allow_only("worker")
    with working(stage):
        stage.check(refused=1)
        wait_until(lambda: bool(stage.values(".alerts")), "alerts", 30)
        stage.allow_only("status")
        wait_until(lambda: perform(stage.settings("status"), "status") == 0, "status without trouble", 30)
    assert stage.values(".state")
    done |= {"worker", "status"}

    verbs: dict[Sequence[str], str] = {
        ("audit",): "EQUAL: 0 lost",
        ("dead-letters",): "not_json",
        ("calibrate",): "",
        ("backtest",): "AAPL price > 1: 1 in",
        ("rewind", "--to", "2026-01-01"): "back to 0",
    }
    for verb, words in verbs.items():
        stage.allow_only(verb[0])
        capsys.readouterr()
        code = perform(stage.settings(verb[0]), *verb)
        assert words in capsys.readouterr().out, verb
        assert code == 0 or verb == ("calibrate",), verb  # too few ticks to calibrate
        done.add(verb[0])
    stage.allow_only("notify")
    assert message_of_an_alert(stage.env("notify"))
    done.add("notify")

    done |= {script for script in RIGHTS if script.startswith("producer ") and does_more(stage, script)}
    assert done == set(RIGHTS)
    assert page_shows(stage)


def does_more(stage: Stage, script: str) -> bool:
    """Whether a producer with the flag in `script` does its job with the permissions that the document gives it."""
    stage.allow_only(script)
    if script.endswith("--record"):
        return recorded(stage) == len(stage.values()) - stage.values().count(BAD)
    before = len(stage.values())
    if script.endswith("--resume"):
        file = stage.folder / "ticks.csv"
        rows = "".join(f"2026-02-02T15:00:{second:02}Z,AAPL,{100 + second},1\n" for second in range(8))
        file.write_text(f"timestamp,symbol,price,volume\n{rows}")
        settings = stage.settings("producer", SOURCE="replay", REPLAY_FILE=str(file), REPLAY_SPEED="max")
        StockDataProducer(settings, ticks=3).start_streaming()
        StockDataProducer(settings, flags=ReplayFlags(resume=True)).start_streaming()
        return len(stage.values()) == before + 8
    assert script.endswith("--source topic")
    stage.admin.publish(b"AAPL", FOREIGN_RECORD, topic=foreign_topic(stage.topic))
    stage.admin.flush(30)
    stop = StopEvent()
    with running(StockDataProducer(foreign_settings(stage), stop=stop).start_streaming, stop) as ended:
        wait_until(lambda: len(stage.values()) == before + 1, "the tick of the foreign record", 30)
    return not ended


def foreign_settings(stage: Stage) -> Settings:
    """The settings of a producer that takes its ticks from the foreign topic."""
    made = stage.folder / "map.toml"
    made.write_text(MAP)
    return stage.settings("producer", SOURCE="topic", FROM_TOPIC=foreign_topic(stage.topic), FROM_TOPIC_MAP=str(made))


def recorded(stage: Stage) -> int:
    """How many ticks the recorder writes until it is asked to stop."""
    stop, folder = StopEvent(), stage.folder / "recording"
    with running(partial(record, stage.settings("producer"), stop, folder, False), stop):
        wait_until(lambda: (folder / "recording.json").exists(), "a place in the recording", 30)
    return ticks_in(folder)


def ticks_in(recording: Path) -> int:
    return sum(pyarrow.parquet.read_metadata(file).num_rows for file in recording.glob("[!.]*/*/*.parquet"))


def page_shows(stage: Stage) -> bool:
    """Whether the page shows the symbols while its user has no permissions on Kafka."""
    dashboard = StockDashboard(stage.settings("page"))
    thread = dashboard.gate.start()
    try:
        with dashboard.app.server.test_client() as client:
            wait_until(lambda: "AAPL" in shown(client), "the symbols on the page", 30)
    finally:
        dashboard.stop.set()
        thread.join(30)
        dashboard.store.close()
        dashboard.acks.close()
    return True


class Lack(NamedTuple):
    """A permission that a script lacks, with the names in docs/security.md, and the words that its message must
    contain.
    """

    script: str
    kind: str
    name: str
    operations: Sequence[str]
    """If empty, all permissions on that topic or group."""
    said: Sequence[str]
    goes_on: bool = False
    """Whether a worker still stores and commits."""


OF_LETTERS = "the topic stock-ticks.dlq: a worker needs WRITE"
OF_ALERTS = "the topic stock-ticks.alerts: a worker needs WRITE"
OF_STATE = "the topic stock-ticks.state: a worker needs READ, WRITE"
OF_TICKS = "the topic stock-ticks (KAFKA_TOPIC): all need DESCRIBE on it, a producer WRITE, a worker READ"
OF_GROUP = "the group stock-analytics (KAFKA_GROUP): its members need READ"
TICKS, GROUP = ("TOPIC", "stock-ticks"), ("GROUP", "stock-analytics")
USER = "this user (KAFKA_SASL_USERNAME) lacks permissions on"

OF_WORKER = [
    Lack("worker", *TICKS, ["READ"], ["held up", USER, OF_TICKS]),
    Lack("worker", "TOPIC", "stock-ticks.dlq", ["WRITE"], ["held up", USER, OF_LETTERS]),
    Lack("worker", "TOPIC", "stock-ticks.state", [], [USER, OF_STATE]),
    Lack("worker", *GROUP, [], ["held up", USER, OF_GROUP]),
    Lack("worker", *TICKS, [], ["waiting for Kafka", USER, OF_TICKS]),
    Lack("worker", "TOPIC", "stock-ticks.dlq", [], ["waiting for Kafka", USER, OF_LETTERS]),
    Lack("worker", "TOPIC", "stock-ticks.alerts", ["WRITE"], ["alerts wait", USER, OF_ALERTS], goes_on=True),
    Lack("worker", "TOPIC", "stock-ticks.alerts", [], ["alerts wait", USER, OF_ALERTS], goes_on=True),
    Lack("worker", "TOPIC", "stock-ticks.state", ["READ"], ["held up", USER, OF_STATE]),
    Lack("worker", "TOPIC", "stock-ticks.state", ["WRITE"], ["alerts wait", USER, OF_STATE], goes_on=True),
]  # fmt: skip
SHORT = 4
"""How many cases of each list `make test` tries."""


def documented_names(stage: Stage, line: str) -> str:
    """The log line with the names of the test replaced by those that the document uses."""
    known = line.replace(foreign_topic(stage.topic), "raw")
    return known.replace(stage.group, "stock-analytics").replace(stage.topic, "stock-ticks")


def said(stage: Stage, caplog: pytest.LogCaptureFixture, words: Sequence[str], since: int = 0) -> bool:
    """Whether one log line has all of these words; they contain the names that the document uses."""
    lines = [documented_names(stage, line) for line in caplog.messages[since:]]
    return any(all(word in line for word in words) for line in lines)


def lacking(stage: Stage, lack: Lack) -> init.Rights:
    return named(part_of(RIGHTS[lack.script], lack.kind, lack.name, *lack.operations), stage.topic)


def identity(lack: Lack) -> str:
    return f"{lack.script}: {lack.name}, {' '.join(lack.operations) or 'all'}"


@pytest.mark.parametrize("lack", OF_WORKER if FULL else OF_WORKER[:SHORT], ids=identity)
def test_a_worker_without_a_right_says_which_and_loses_nothing(
    stage: Stage, lack: Lack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    stage.publish(10)
    stage.admin.publish(b"x", b"x", topic=f"{stage.topic}.state")  # an empty topic is not read
    stage.admin.flush(30)
    taken = lacking(stage, lack)
    stage.allow_only("worker", without(stage.rights("worker"), taken))

    def is_said() -> bool:
        stage.trickle()
        return said(stage, caplog, lack.said)

    with working(stage):
        wait_until(is_said, f"{lack.said} in {caplog.messages}", SOON)
        if lack.goes_on:
            stage.check(refused=1)
        else:
            assert stage.committed <= stage.values().index(BAD)
        stage.kafka.allow("worker", taken)
        stage.check(refused=1)
        wait_until(lambda: bool(stage.values(".alerts")), "alerts", 30)
    assert len(stage.values(".state")) > 1
    assert said(stage, caplog, ["resumed after"]) or said(stage, caplog, ["answers"])


def test_a_worker_that_may_write_to_no_topic_is_told_which_one(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.publish(10)
    rights = {on: tuple(each for each in may if each != "WRITE") for on, may in stage.rights("worker").items()}
    stage.allow_only("worker", rights)
    with working(stage):
        words = ["held up", "InitProducerId", "allow WRITE on the topic stock-ticks.dlq"]
        wait_until(lambda: said(stage, caplog, words), f"{words} in {caplog.messages}", SOON)
        assert stage.committed <= stage.values().index(BAD)
        stage.kafka.allow("worker", stage.rights("worker"))
        stage.check(refused=1)


OF_READER = "the topic stock-ticks.dlq: a worker needs WRITE and DESCRIBE on it, dead-letters and audit READ"
OF_NOTIFIER = "the topic stock-ticks.alerts: a worker needs WRITE and DESCRIBE on it, notify READ"
LETTERS = ("TOPIC", "stock-ticks.dlq")
OF_VERBS = [
    Lack("dead-letters", *LETTERS, [], [USER, OF_READER]),
    Lack("audit", *LETTERS, [], [USER, OF_READER]),
    Lack("audit", *TICKS, [], [USER, OF_TICKS]),
    Lack("status", *TICKS, [], [USER, OF_TICKS]),
    Lack("status", *TICKS, ["READ"], [USER, OF_TICKS]),
    Lack("backtest", *TICKS, [], [USER, OF_TICKS]),
    Lack("dead-letters", *LETTERS, ["READ"], [USER, OF_READER]),
    Lack("audit", *LETTERS, ["READ"], [USER, OF_READER]),
    Lack("audit", *TICKS, ["READ"], [USER, OF_TICKS]),
    Lack("audit", *GROUP, [], [USER, OF_GROUP]),
    Lack("status", *GROUP, [], [USER, OF_GROUP]),
    Lack("rewind", *TICKS, [], [USER, OF_TICKS]),
    Lack("rewind", *TICKS, ["READ"], [USER, OF_TICKS]),
    Lack("rewind", *GROUP, [], [USER, OF_GROUP]),
    Lack("calibrate", *TICKS, [], [USER, OF_TICKS]),
    Lack("calibrate", *TICKS, ["READ"], [USER, OF_TICKS]),
    Lack("backtest", *TICKS, ["READ"], [USER, OF_TICKS]),
]


def test_a_verb_without_a_right_says_which_and_ends_with_1(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.publish(10)
    stage.allow_only("worker")
    with working(stage):
        stage.check(refused=1)
    for lack in OF_VERBS:
        stage.allow_only(lack.script, without(stage.rights(lack.script), lacking(stage, lack)))
        capsys.readouterr()
        flags = ["--to", "2026-01-01"] if lack.script == "rewind" else []
        try:
            code = perform(stage.settings(lack.script), lack.script, *flags)
        except TickflowError as error:  # stock_analytics.py prints it and ends with 1
            words, code = str(error), 1
        else:
            words = capsys.readouterr().out
        assert code == 1, identity(lack)
        assert all(each in documented_names(stage, words) for each in lack.said), (identity(lack), words)
        assert stage.committed == stage.end


ALERTS, FOREIGN = ("TOPIC", "stock-ticks.alerts"), ("TOPIC", "raw")
RECORDER, READER = "producer with --record", "producer with --source topic"
OF_NUMBER = ["waiting for Kafka", "InitProducerId", "allow WRITE on the topic stock-ticks"]
OF_FOREIGN = "the topic raw (FROM_TOPIC): READ and DESCRIBE are needed"
OF_NOTIFIERS = "the group stock-analytics.notify (KAFKA_GROUP): its members need READ"
OF_FOREIGNERS = "the group raw-to-stock-ticks: its members need READ"
OF_WAITING = [
    Lack("producer", *TICKS, ["WRITE"], OF_NUMBER),
    Lack("notify", *ALERTS, [], ["alerts cannot be read", USER, OF_NOTIFIER]),
    Lack(RECORDER, *TICKS, [], ["the topic stock-ticks cannot be read", USER, OF_TICKS]),
    Lack(READER, *FOREIGN, ["READ"], ["the topic raw cannot be read", USER, OF_FOREIGN]),
    Lack("producer", *TICKS, [], ["waiting for Kafka", USER, OF_TICKS]),
    Lack("notify", *ALERTS, ["READ"], ["alerts cannot be read", USER, OF_NOTIFIER]),
    Lack("notify", "GROUP", "stock-analytics.notify", [], ["alerts cannot be read", USER, OF_NOTIFIERS]),
    Lack(RECORDER, *TICKS, ["READ"], ["the topic stock-ticks cannot be read", USER, OF_TICKS]),
    Lack(READER, *FOREIGN, [], [USER, OF_FOREIGN]),
    Lack(READER, "GROUP", "raw-to-stock-ticks", [], ["the topic raw cannot be read", USER, OF_FOREIGNERS]),
    Lack(READER, *TICKS, [], ["waiting for Kafka", USER, OF_TICKS]),
]  # fmt: skip


ALERT = Alert("AAPL", "move", 10**18, 9.0, 8.0, 101.0, 100.0, 1.0, 1, 10**18, 0, 7)


class Work(NamedTuple):
    """What a script does until it is asked to stop, and whether it has done it."""

    run: Callable[[StopEvent], object]
    is_done: Callable[[], bool]


def work_of(script: str, stage: Stage, caplog: pytest.LogCaptureFixture) -> Work:
    if script == "notify":
        got: list[bytes] = []

        def take(_path: str, body: bytes) -> Answer:
            got.append(body)
            return Answer(200, b"")

        def notify(stop: StopEvent) -> None:
            with HttpStub(take) as stub:
                settings = stage.settings("notify", ALERT_URLS=stub.url.replace("http:", "json:"))
                perform(settings, "notify", stop=stop)

        return Work(notify, lambda: bool(got))
    if script == RECORDER:
        folder = stage.folder / "recording"
        return Work(
            lambda stop: record(stage.settings("producer"), stop, folder, False),
            lambda: said(stage, caplog, ["20 ticks read up to the end"]),
        )
    before = len(stage.values())
    if script == READER:
        stage.admin.publish(b"AAPL", FOREIGN_RECORD, topic=foreign_topic(stage.topic))
        stage.admin.flush(30)
        settings, wanted = foreign_settings(stage), before + 1
    else:
        settings, wanted = stage.settings("producer"), before + 20
    return Work(
        lambda stop: StockDataProducer(settings, ticks=10, stop=stop).start_streaming(interval=0),
        lambda: len(stage.values()) == wanted,
    )


@pytest.mark.parametrize("lack", OF_WAITING if FULL else OF_WAITING[:SHORT], ids=identity)
def test_a_script_without_a_right_says_which_and_goes_on_when_it_has_it(
    stage: Stage, lack: Lack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tickflow")
    stage.publish(10)
    stage.admin.publish(b"1", encode_alert(ALERT), topic=f"{stage.topic}.alerts")
    stage.admin.flush(30)
    work, stop, since = work_of(lack.script, stage, caplog), StopEvent(), len(caplog.messages)
    taken = lacking(stage, lack)
    stage.allow_only(lack.script, without(stage.rights(lack.script), taken))
    with running(partial(work.run, stop), stop) as ended:
        wait_until(lambda: said(stage, caplog, lack.said, since), f"{lack.said} in {caplog.messages[since:]}", SOON)
        assert not work.is_done()
        stage.kafka.allow(user_of(lack.script), taken)
        wait_until(work.is_done, f"work of {lack.script}", 60)
    assert not ended, ended
    if lack.script == RECORDER:
        assert ticks_in(stage.folder / "recording") == 20


def test_a_resumed_replay_that_may_not_read_the_topic_says_so_and_publishes_nothing(stage: Stage) -> None:
    stage.publish(5)
    before = stage.values()
    file = stage.folder / "ticks.csv"
    file.write_text("timestamp,symbol,price,volume\n2026-02-02T15:00:00Z,AAPL,100,1\n")
    settings = stage.settings("producer", SOURCE="replay", REPLAY_FILE=str(file), REPLAY_SPEED="max")
    stage.allow_only("producer")
    with pytest.raises(LogRefused, match=r"lacks permissions on the topic .* \(KAFKA_TOPIC\)"):
        StockDataProducer(settings, flags=ReplayFlags(resume=True)).start_streaming()
    assert stage.values() == before


class Taken(NamedTuple):
    """Permissions that are revoked while a script is running, and the words that its message must contain."""

    script: str
    names: Mapping[tuple[str, str], Sequence[str]]
    said: Sequence[str]


UNCONFIRMED = ["not acknowledged", USER, OF_TICKS]
WHILE_RUNNING = [
    Taken("producer", {TICKS: []}, UNCONFIRMED),
    Taken("worker", {TICKS: ["READ"]}, ["held up", USER, OF_TICKS]),
    Taken("worker", {GROUP: []}, ["held up", USER, OF_GROUP]),
    Taken("worker", {LETTERS: ["WRITE"]}, ["held up", USER, OF_LETTERS]),
    Taken("worker", {TICKS: []}, ["held up", USER, OF_TICKS]),
    Taken("worker", {LETTERS: []}, ["held up", USER, OF_LETTERS]),
    Taken("worker", {("TOPIC", "stock-ticks.state"): ["WRITE"]}, ["alerts wait", USER, OF_STATE]),
    Taken("worker", dict.fromkeys(RIGHTS["worker"], ()), ["held up", USER]),
    Taken("producer", {TICKS: ["WRITE"]}, UNCONFIRMED),
]  # fmt: skip
HELD_SECONDS = 4.0
"""How long the permissions are withdrawn, in seconds: long enough for clients to forget topics that they may not see.
"""


def test_rights_taken_and_given_back_while_producer_and_worker_run_cost_no_tick(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reader, writer):
        monkeypatch.setattr(module, "METADATA_MS", 1_500)
    caplog.set_level(logging.INFO, "tickflow")
    stage.allow_only("producer")
    stage.allow_only("worker")
    stop, bad = StopEvent(), 0
    producer = StockDataProducer(stage.settings("producer"), stop=stop)
    with working(stage), running(partial(producer.start_streaming, interval=0.05), stop) as ended:
        stage.chain.wait_for_points(20)
        for each in WHILE_RUNNING if FULL else WHILE_RUNNING[:SHORT]:
            rights = {
                on: may
                for (kind, name), operations in each.names.items()
                for on, may in named(part_of(RIGHTS[each.script], kind, name, *operations), stage.topic).items()
            }
            since = len(caplog.messages)
            stage.kafka.forbid(user_of(each.script), rights)
            stage.admin.publish(b"AAPL", BAD)
            stage.admin.flush(30)
            bad += 1
            wait_until(lambda: said(stage, caplog, each.said, since), f"{each} in {caplog.messages[since:]}", SOON)  # noqa: B023
            stop.wait(HELD_SECONDS)
            assert not ended, ended
            stage.kafka.allow(user_of(each.script), rights)
            end = stage.end
            wait_until(lambda: stage.committed >= end, f"all is committed after {each}", 60)  # noqa: B023
            stage.chain.wait_for_points(end - bad + 20, 60)
    assert not ended, ended
    with working(stage):
        stage.check(refused=bad)
    ticks = [json.loads(value) for value in stage.values() if value and value != BAD]
    assert len(ticks) == producer.sent
    for symbol in SYMBOLS:  # each once, in the order in which they were made
        numbers = [tick["seq"] for tick in ticks if tick["symbol"] == symbol]
        assert numbers == list(range(1, len(numbers) + 1))
