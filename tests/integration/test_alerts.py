"""Alerts of real workers that are killed, on both stacks: the stored alerts are those of the ticks, bit for bit."""

import random
import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devtools.process import ServerError
from devtools.servers import InfluxServer
from stock_analytics import StockAnalyticsEngine
from tests.alerts.batches import part_of
from tests.alerts.test_market import shock
from tests.conftest import StartScript
from tests.forms import often
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.metrics.detectors.oracle import Trade
from tests.metrics.detectors.test_detectors import trades
from tickflow.alerts.alert import Alert, decode
from tickflow.alerts.checkpoint import state_topic
from tickflow.alerts.desk import Begin, alerts_topic
from tickflow.alerts.opening import open_desk
from tickflow.alerts.replay import alerts_of_log
from tickflow.alerts.standing import Change, StandingRule, workers_of
from tickflow.alerts.terms import terms_of
from tickflow.process import StopEvent
from tickflow.stack import open_alerts, open_log, open_rules
from tickflow.store.influx.rules import InfluxRules
from tickflow.ticklog.base import TickLog
from tickflow.ticklog.kafka.log import KafkaTickLog
from tickflow.ticks.tick import Limits, Tick, encode
from tickflow.worker import kept

RULES = "JUMP price < 50.5; * change_1m < -0.5; * volume_10s > 2x; SLOW silence > 12"
ROUNDS = often(3, 6)
"""The number of workers that are ended before the last one starts: one by Ctrl+C, the others by `kill -9`."""
ALERTS = {"ALERT_RULES": RULES, "ALERT_MIN_MOVE": "0.04", "ALERT_BUDGET": "20", "MARKET": "24/7"}


@pytest.fixture(params=["kafka", "embedded"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Chain:
    made: Chain
    if request.param == "embedded":
        made = EmbeddedChain(tmp_path / "stocks.db")
    else:
        servers, influx, bucket, topic = map(request.getfixturevalue, ("kafka_servers", "influx", "bucket", "topic"))
        made = KafkaChain(servers, topic, influx, bucket)
    made.env |= ALERTS
    return made


def publish(log: TickLog, made: Sequence[Trade]) -> None:
    for each in made:
        moment = datetime.fromtimestamp(each.time_us // 1_000_000, UTC).replace(microsecond=each.time_us % 1_000_000)
        log.publish(each.symbol.encode(), encode(Tick(each.symbol, each.price, moment, volume=int(each.volume))))
    log.flush(30)


def stored(chain: Chain) -> list[Alert]:
    store = open_alerts(load(chain.env), threading.Event())
    try:
        return store.alerts(0)
    finally:
        store.close()


def expected(chain: Chain, log: TickLog, changes: Sequence[Change] = ()) -> list[Alert]:
    terms = terms_of(load(chain.env))
    found: list[Alert] = []
    for number in log.partitions():
        whole = log.bounds(number, log.topic)
        found += alerts_of_log(log, number, whole, terms, Limits(), changes).values()
    return sorted(found, key=lambda each: (each.time_ns, each.symbol, each.detector))


def plain(alerts: Sequence[Alert]) -> list[str]:
    """The stored fields of each alert, as text that shows all bits."""
    return [repr(Alert(**{name: getattr(each, name) for name in STORED})) for each in alerts]


STORED = (
    *("symbol", "detector", "time_ns", "score", "threshold", "price", "reference", "move_percent", "direction"),
    *("opened", "partition", "offset", "ticks", "budget", "volume_ratio", "closed", "lasted"),
)


def test_kills_and_restarts_neither_change_nor_lose_an_alert(chain: Chain, script: StartScript) -> None:
    made, rng = trades(3, 3_000), random.Random(7)
    log = open_log(load(chain.env), StopEvent())
    log.connect()
    at = 0
    for round_number in range(ROUNDS):
        worker = script("stock_analytics.py", env=chain.env)
        for _ in range(3):
            size = rng.randrange(40, 250)
            publish(log, made[at : at + size])
            at += size
            chain.wait_for_points(rng.randrange(max(1, at - size), at + 1), 90)
        if round_number == ROUNDS // 2:
            worker.interrupt()
            worker.wait()
        else:
            worker.kill()
    publish(log, made[at:])
    with working(chain):
        chain.wait_for_points(len(made))
        wanted = plain(expected(chain, log))
        assert len(wanted) > 60
        wait_until(lambda: plain(stored(chain)) == wanted, "equal alerts")
    published: dict[str, Alert] = {}
    topic = alerts_topic(log.topic)
    for number in log.partitions(topic):
        for records in log.read(number, log.bounds(number, topic), topic):
            for record in records:
                alert = decode(record.value or b"")
                published[alert.id] = alert
    assert plain(sorted(published.values(), key=lambda each: (each.time_ns, each.symbol, each.detector))) == wanted
    log.close()
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 0
    assert f"{len(wanted)} alerts compared" in audit.output


def test_rules_that_are_made_and_removed_between_kills_raise_the_same_alerts_everywhere(
    chain: Chain, script: StartScript
) -> None:
    """Live, after each restart, in the audit and in a backtest."""
    chain.env |= {"ALERT_RULES": "SLOW silence > 12"}
    made, rng = trades(3, 3_000), random.Random(11)
    settings = load(chain.env)
    log = open_log(settings, StopEvent())
    log.connect()
    texts = ["JUMP price < 50.5", "* change_1m < -0.5", "* volume_10s > 2x"]
    at = 0
    with closing(open_rules(settings, StopEvent())) as store:
        for text in texts:
            worker = script("stock_analytics.py", env=chain.env)
            size = rng.randrange(150, 300)
            publish(log, made[at : at + size])
            at += size
            if text != texts[0]:
                chain.wait_for_points(rng.randrange(max(1, at - size), at + 1), 90)
                (first, *_) = store.rules()
                store.keep(replace(first, removed=text == texts[2]))
            rule = StandingRule(f"{at:016x}", at, text)
            store.keep(rule)
            wait_until(lambda known=rule.id: known in store.begun(), "a worker applies the rule")  # type: ignore[misc]
            publish(log, made[at : at + size])
            at += size
            chain.wait_for_points(rng.randrange(at - size, at + 1), 90)
            worker.kill()
        publish(log, made[at:])
        with working(chain):
            chain.wait_for_points(len(made))
            log.partitions()
            changes = store.changes(workers_of(settings.kafka_group, log.topic, log.topic_id))
            wanted = plain(expected(chain, log, changes))
            wait_until(lambda: plain(stored(chain)) == wanted, "equal alerts")
        assert {each.begins for each in changes} == {True, False}
        assert any(each.offset > 0 for each in changes)
    assert {each.detector for each in stored(chain)} >= {text.split(" ", 1)[1] for text in texts}
    log.close()
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 0, audit.output
    assert f"{len(wanted)} alerts compared" in audit.output
    backtest = script("stock_analytics.py", "backtest", "--limit", "0", env=chain.env)
    assert backtest.wait() == 0
    assert sum(int(count) for count in re.findall(r": (\d+) in \d+ days?,", backtest.output)) == len(wanted)
    if isinstance(chain, KafkaChain):
        with suppress(ServerError):
            chain.influx.delete_bucket(f"{chain.bucket}_rules")


def test_the_audit_finds_what_was_changed_lost_or_added(tmp_path: Path, script: StartScript) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    chain.env |= ALERTS
    log = open_log(load(chain.env), StopEvent())
    log.connect()
    publish(log, trades(3, 1_500))
    with working(chain):
        chain.wait_for_points(1_500)
    log.close()
    with sqlite3.connect(chain.file) as file:
        first, second, third = file.execute("SELECT rowid FROM store_anomalies ORDER BY time_ns LIMIT 3").fetchall()
        file.execute("UPDATE store_anomalies SET score = score * 1.0000001 WHERE rowid = ?", first)
        file.execute("DELETE FROM store_anomalies WHERE rowid = ?", second)
        file.execute("UPDATE store_anomalies SET time_ns = time_ns + 1 WHERE rowid = ?", third)
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 1
    for words in ("different alert: ", "lost alert: ", "foreign alert: ", "4 alerts wrong"):
        assert words in audit.output


def test_the_audit_checks_market_moves(tmp_path: Path, script: StartScript) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    chain.env |= ALERTS
    log = open_log(load(chain.env), StopEvent())
    log.connect()
    made = shock([f"S{number:02}" for number in range(12)])
    publish(log, made)
    with working(chain):
        chain.wait_for_points(len(made))
    log.close()
    alerts = stored(chain)
    assert [each.ticks for each in alerts if each.symbol == "*"] == [12]
    with sqlite3.connect(chain.file) as file:
        file.execute("UPDATE log_records SET time_ms = time_ms - 60000")  # long ago, so moves are judged
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 0
    assert f"{len(alerts)} alerts compared" in audit.output
    with sqlite3.connect(chain.file) as file:
        file.execute("UPDATE store_anomalies SET members = 'S00,S01,OTHER' WHERE symbol = '*'")
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 1
    for words in ("a market move whose members did not move", "a market move, or members of it,", "2 alerts wrong"):
        assert words in audit.output


def test_a_restart_reads_from_the_checkpoint_and_not_from_the_start(chain: Chain) -> None:
    """The last record of each partition is refused: the last checkpoint covers it."""
    settings = load(chain.env)
    log = open_log(settings, StopEvent())
    log.connect()
    made = trades(5, 2_000)
    publish(log, made)
    for symbol in sorted({each.symbol for each in made}):
        log.publish(symbol.encode(), b"no tick")
    log.flush(30)
    with working(chain):
        chain.wait_for_points(2_000)
        ends = {number: log.bounds(number, log.topic).end for number in log.partitions()}

        def are_committed() -> bool:
            found = {number: log.committed(number) for number, end in ends.items() if end}
            return all(each is not None and each.offset == ends[number] for number, each in found.items())

        wait_until(are_committed, "commit of all records")
    stop = StopEvent()
    worker = StockAnalyticsEngine(settings, stop=stop)
    assert worker.desk is not None
    number, offset = max(ends.items(), key=lambda pair: pair[1])
    worker.log.connect()
    assert worker.desk.adopt({number: Begin(offset, offset, 0)}, worker.log.topic_id) == {number: offset}
    assert worker.desk.adopt({number: Begin(offset - 1, offset - 1, 0)}, worker.log.topic_id)[number] <= offset - 1
    worker.log.close()
    log.close()


def calls_of(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[tuple[object, ...]]:
    """The arguments of each call of a method from now on; the list grows."""
    method, found = getattr(owner, name), []

    def noted(self: object, *arguments: object) -> object:
        found.append(arguments)
        return method(self, *arguments)

    monkeypatch.setattr(owner, name, noted)
    return found


def test_an_assignment_reads_states_and_rules_once_for_all_partitions(
    kafka_servers: str, topic: str, influx: InfluxServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = KafkaChain(kafka_servers, topic, influx, bucket)
    monkeypatch.setattr(kept, "LEAST_RECORDS", 0)  # the windows too are stored, however few their records are
    log = open_log(load(chain.env), StopEvent())
    log.connect()
    publish(log, trades(12, 600))
    ends = {number: log.bounds(number, topic).end for number in log.partitions()}
    log.close()
    with working(chain) as worker:
        chain.wait_for_points(600)
        wait_until(lambda: worker.log.lag() == dict.fromkeys(ends, 0), "end of the topic")
    reads, changes = calls_of(monkeypatch, KafkaTickLog, "read"), calls_of(monkeypatch, InfluxRules, "changes")
    with working(chain) as worker:
        wait_until(lambda: len(worker.partitions) == len(ends) == 4, "the partitions")
        places = {number: (ours.restore_from, ours.emit_from) for number, ours in worker.partitions.items()}
    assert places == {number: (end, end) for number, end in ends.items()}, "each from its own newest state"
    assert [where for *_, where in reads] == [state_topic(topic)]
    assert len(changes) == 1


def test_a_quiet_symbol_does_not_hold_back_a_restart(chain: Chain, script: StartScript) -> None:
    """The windows come with the checkpoint: after a `kill -9` only the records after it are read, and every point still
    equals a recomputation from the whole log.
    """
    log = open_log(load(chain.env), StopEvent())
    log.connect()
    made = [*trades(1, 6), *(each._replace(symbol=f"BUSY{at % 12}") for at, each in enumerate(trades(1, 16_000)))]
    made = [each._replace(time_us=made[0].time_us + at * 1_000) for at, each in enumerate(made)]
    size = len(made) // 4
    for begin in range(0, len(made), size):
        publish(log, made[begin : begin + size])
        worker = script("stock_analytics.py", env=chain.env)
        chain.wait_for_points(min(begin + size, len(made)), 90)
        if begin + size < len(made):
            worker.kill()
    worker.interrupt()
    worker.wait()
    publish(log, [each._replace(symbol=made[0].symbol) for each in made[:30]])
    last = script("stock_analytics.py", env=chain.env)
    chain.wait_for_points(len(made) + 30, 90)
    last.interrupt()
    last.wait()
    to_fill = [int(each.replace(",", "")) for each in re.findall(r"after ([\d,]+) records before it", last.output)]
    assert max(to_fill, default=0) < 2_000, last.output
    log.close()
    audit = script("stock_analytics.py", "audit", env=chain.env)
    assert audit.wait() == 0, audit.output
    assert "EQUAL" in audit.output


def test_a_failure_in_the_watch_ends_the_alerts_but_not_the_loop(tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    settings = load(chain.env)
    log = open_log(settings, StopEvent())
    log.connect()
    publish(log, trades(3, 300))
    desk = open_desk(settings, log, StopEvent())
    assert desk is not None
    desk.adopt({0: Begin(0, 0, 0)}, "")
    (records,) = log.read(0, log.bounds(0, log.topic))
    from tickflow.ticks.tick import decode as decode_ticks

    ticks, _ = decode_ticks(records)
    broken = part_of(ticks, 0, len(ticks))
    broken.symbols.pop()
    desk.take(0, broken)
    desk.take(0, ticks)
    assert desk.waiting == 0
    log.close()
