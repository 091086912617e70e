"""Worker and notifier are killed repeatedly: a real HTTP receiver and a real SMTP receiver still get each alert."""

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.alerts.receivers import HttpReceiver, SmtpReceiver, ids_of
from tests.conftest import StartScript
from tests.integration.chain import Chain, EmbeddedChain, KafkaChain, wait_until
from tests.integration.test_alerts import expected, publish
from tests.loaded_settings import load
from tests.metrics.detectors.test_detectors import trades
from tests.scripts import Script
from tickflow.process import StopEvent
from tickflow.stack import open_log

FULL = os.environ.get("TICKFLOW_FAULTS") == "full"
KILLS = 50 if FULL else 4
AWAY_SECONDS = 60.0 if FULL else 2.0
TO_ASK_SECONDS = 30.0
"""How long a notifier may take to start and to send before it is killed."""
ALERTS = {
    "ALERT_MIN_MOVE": "0.04",
    "ALERT_BUDGET": "50",
    "ALERT_RULES": "JUMP price < 50.5; * change_1m < -0.5",
    "ALERT_RATE": "3600",
    "ALERT_NOTIFY": "move",
}


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    yield made
    made.close()


@pytest.fixture
def smtp() -> Iterator[SmtpReceiver]:
    made = SmtpReceiver()
    yield made
    made.close()


@pytest.fixture(params=["kafka", "embedded"])
def chain(request: pytest.FixtureRequest, tmp_path: Path, http: HttpReceiver, smtp: SmtpReceiver) -> Chain:
    made: Chain
    if request.param == "embedded":
        made = EmbeddedChain(tmp_path / "stocks.db")
    else:
        servers, influx, bucket, topic = map(request.getfixturevalue, ("kafka_servers", "influx", "bucket", "topic"))
        made = KafkaChain(servers, topic, influx, bucket)
    made.env |= {**ALERTS, "ALERT_URLS": f"{http.url} {smtp.url}", "ALERT_OUTBOX": str(tmp_path / "outbox.db")}
    return made


def asks(http: HttpReceiver, smtp: SmtpReceiver) -> bool:
    """Whether the notifier asks a receiver within `TO_ASK_SECONDS`; there may be no alert to send."""
    before, deadline = http.asked + smtp.asked, time.monotonic() + TO_ASK_SECONDS
    while http.asked + smtp.asked == before and time.monotonic() < deadline:
        time.sleep(0.02)
    return http.asked + smtp.asked > before


def repeated(texts: Sequence[str]) -> int:
    """How many messages have an alert that an earlier message had; one message may have several alerts."""
    found, known = 0, set[str]()
    for text in texts:
        ids = set(ids_of(text))
        found += bool(ids & known)
        known |= ids
    return found


@pytest.mark.slow
def test_each_alert_reaches_each_channel_through_kills(
    chain: Chain, http: HttpReceiver, smtp: SmtpReceiver, script: StartScript
) -> None:
    """On Kafka, two workers share the partitions; one sometimes leaves and comes back, which causes rebalances."""
    made, rng = trades(3, 3_000), random.Random(5)
    names = ("a", "b") if isinstance(chain, KafkaChain) else ("a",)

    def start(name: str) -> Script:
        return script("stock_analytics.py", env={**chain.env, "KAFKA_INSTANCE_ID": name})

    log = open_log(load(chain.env), StopEvent())
    log.connect()
    at, step = 0, len(made) // (KILLS // 2 + 1)
    workers = {name: start(name) for name in names}
    notifier = script("stock_analytics.py", "notify", env=chain.env)
    away = threading.Thread(target=smtp.stay_away, args=(AWAY_SECONDS,))
    away.start()
    at_work = 0
    for number in range(KILLS):
        if number % 2:
            turn = number // 2 % len(names)
            name, other = names[turn], names[turn - 1]
            workers[name].kill()
            if number % 8 == 3 and other != name:
                workers[other].interrupt()
                workers[other].wait()
                workers[other] = start(other)
            workers[name] = start(name)
        else:
            publish(log, made[at : at + step])
            at += step
            chain.wait_for_points(max(1, at - rng.randrange(step)), 120)
            http.is_away = number % 4 == 0
            at_work += asks(http, smtp)
            notifier.kill()
            notifier = script("stock_analytics.py", "notify", env=chain.env)
    http.is_away = False
    away.join()
    publish(log, made[at:])
    chain.wait_for_points(len(made), 120)
    messages = {each.id: each for each in expected(chain, log) if each.detector == "move" or " " in each.detector}
    log.close()
    assert len(messages) > 15

    def arrived(ids: list[str]) -> set[str]:
        return {name.partition(".")[0] for name in ids}

    wait_until(lambda: arrived(http.ids) >= messages.keys(), "each alert by HTTP", 120)
    wait_until(lambda: arrived(smtp.ids) >= messages.keys(), "mail", 120)
    # repeats have the same id, and come only from a notifier that was killed before it recorded its success
    for texts in ([message["message"] for message in http.messages], smtp.mails):
        assert repeated(texts) <= KILLS
    assert smtp.refused > 0, "the mail server is to be asked while it is away"
    assert at_work > KILLS // 10, "the kills are to hit notifiers that send"


def test_a_test_message_reaches_each_channel_and_says_what_came_back(
    http: HttpReceiver, smtp: SmtpReceiver, script: StartScript
) -> None:
    urls = {"ALERT_URLS": f"{http.url} {smtp.url}"}
    tried = script("stock_analytics.py", "notify", "--test", env=urls)
    assert tried.wait() == 0
    assert tried.output.count("the message was accepted") == 2
    assert len(http.messages) == len(smtp.mails) == 1
    http.is_away = True
    tried = script("stock_analytics.py", "notify", "--test", env=urls)
    assert tried.wait() == 1
    assert "the message was NOT accepted" in tried.output
    missing = script("stock_analytics.py", "notify")
    assert missing.wait() == 2
    assert "ALERT_URLS is not set" in missing.output


def test_alerts_alone_need_no_store(
    kafka_servers: str, topic: str, http: HttpReceiver, tmp_path: Path, script: StartScript
) -> None:
    env = {
        **ALERTS,
        "KAFKA_SERVERS": kafka_servers,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP": f"alerts-of-{topic}",
        "INFLUXDB_URL": "http://127.0.0.1:9",
        "ALERT_URLS": http.url,
        "ALERT_OUTBOX": str(tmp_path / "outbox.db"),
    }
    log = open_log(load(env), StopEvent())
    log.connect()
    publish(log, trades(3, 1_500))
    log.close()
    script("stock_analytics.py", "--alerts-only", env=env)
    script("stock_analytics.py", "notify", "--alerts-only", env=env)
    wait_until(lambda: len(http.messages) > 0, "alerts without a store", 90)
    assert http.ids
