"""The chain and every verb work in each security mode of Kafka, with InfluxDB over HTTPS and secrets from files."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from config import Settings
from stock_producer import StockDataProducer
from tests import oracle
from tests.forms import FULL
from tests.http_stub import Answer, HttpStub
from tests.integration.chain import KafkaChain, wait_until, working
from tests.loaded_settings import load
from tests.secured.certificates import KEY_PASSWORD, Authority
from tests.secured.conftest import SecretFile
from tests.secured.servers import PASSWORD, SecuredInfluxd, SecuredKafka, trusting
from tickflow.process import Parser, StopEvent
from tickflow.stack import open_log
from tickflow.verbs import command_line

TICKS, SYMBOLS = 30, ("AAPL", "MSFT")
BAD = b"no tick"


class Mode(NamedTuple):
    """A security mode of Kafka: the broker's listener (`None` for the one without TLS or a login), and its settings."""

    listener: str | None
    protocol: str
    mechanism: str | None = None
    own: bool = False
    """Whether the client has its own certificate."""


ALL_VERBS = ("plaintext", "mutual TLS", "SASL_SSL, SCRAM-SHA-512")
"""The modes in which `make test` runs every verb. All verbs connect to Kafka through one function, so `audit` stands
for them in the other modes.
"""
VERBS: Mapping[Sequence[str], str] = {
    ("audit",): "0 lost",
    ("dead-letters", "--explain"): "not_json",
    ("calibrate",): "",
    ("backtest",): "AAPL price > 1: 1 in",
    ("rewind", "--to", "2026-01-01"): "back to 0",
}
MODES = {
    "plaintext": Mode(None, "PLAINTEXT"),
    "one-way TLS": Mode("ONEWAY", "SSL"),
    "mutual TLS": Mode("MUTUAL", "SSL", own=True),
    "SASL_PLAINTEXT, SCRAM-SHA-512": Mode("LOGIN", "SASL_PLAINTEXT", "SCRAM-SHA-512"),
    "SASL_SSL, PLAIN": Mode("SECURE", "SASL_SSL", "PLAIN"),
    "SASL_SSL, SCRAM-SHA-256": Mode("SECURE", "SASL_SSL", "SCRAM-SHA-256"),
    "SASL_SSL, SCRAM-SHA-512": Mode("SECURE", "SASL_SSL", "SCRAM-SHA-512"),
}


def environment(mode: Mode, broker: SecuredKafka, authority: Authority, secret: SecretFile) -> dict[str, str]:
    """The settings with which the super user `admin` connects in a mode."""
    env = {"KAFKA_SECURITY_PROTOCOL": mode.protocol}
    env["KAFKA_SERVERS"] = broker.server_of(mode.listener) if mode.listener else broker.address
    if mode.protocol.endswith("SSL"):
        env["KAFKA_SSL_CAFILE"] = str(authority.ca)
    if mode.own:
        issued = authority.issue("admin", common_name="admin", password=KEY_PASSWORD)
        env |= {"KAFKA_SSL_CERTFILE": str(issued.cert), "KAFKA_SSL_KEYFILE": str(issued.key)}
        env["KAFKA_SSL_PASSWORD_FILE"] = secret(KEY_PASSWORD)
    if mode.mechanism:
        env |= {"KAFKA_SASL_MECHANISM": mode.mechanism, "KAFKA_SASL_USERNAME": "admin"}
        env["KAFKA_SASL_PASSWORD_FILE"] = secret(PASSWORD)
    return env


@pytest.fixture(params=MODES)
def chain(
    request: pytest.FixtureRequest,
    secured_kafka: SecuredKafka,
    secured_influx: SecuredInfluxd,
    authority: Authority,
    secret: SecretFile,
    topic: str,
) -> Iterator[KafkaChain]:
    """A chain in one of the modes; the oracle reads its topic without TLS or a login."""
    influx = secured_influx.server
    influx.create_bucket(topic)
    found = KafkaChain(secured_kafka.address, topic, influx, topic)
    del found.env["INFLUXDB_TOKEN"]
    found.env |= environment(MODES[request.param], secured_kafka, authority, secret)
    found.env |= {"INFLUXDB_TOKEN_FILE": secret(influx.token), "INFLUXDB_SSL_CAFILE": str(authority.ca)}
    found.env |= {"KAFKA_PARTITIONS": "1", "SYMBOLS": ",".join(SYMBOLS)}
    with trusting(authority.ca):
        yield found
    influx.delete_bucket(topic)


def test_no_verb_is_left_out() -> None:
    assert {verb for verb, *_ in VERBS} | {"run", "status", "notify"} == set(command_line.VERBS)
    assert set(ALL_VERBS) <= set(MODES)


def perform(settings: Settings, *arguments: str, stop: StopEvent | None = None) -> int:
    """Run a verb in this process; return its exit code."""
    parser = Parser("stock_analytics.py")
    command_line.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    command_line.check(parser, parsed)
    return command_line.perform(parsed, settings, stop or StopEvent())


def publish(settings: Settings, *values: bytes) -> None:
    with open_log(settings, threading.Event()) as log:
        log.connect()
        for value in values:
            log.publish(b"AAPL", value)
        log.flush(30)


@pytest.fixture
def verbs(request: pytest.FixtureRequest) -> Mapping[Sequence[str], str]:
    """The verbs to run in this mode, besides `status` and `notify`, each with words from its output."""
    mode = request.node.callspec.params["chain"]
    return VERBS if FULL or mode in ALL_VERBS else {verb: VERBS[verb] for verb in (("audit",),)}


def test_the_chain_and_every_verb_work(
    chain: KafkaChain, verbs: Mapping[Sequence[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {**chain.env, "ALERT_RULES": "AAPL price > 1", "ALERT_OUTBOX": str(tmp_path / "outbox.db")}
    settings = load(env)
    StockDataProducer(settings, ticks=TICKS).start_streaming(interval=0)
    publish(settings, BAD)
    with working(chain, env=env):
        chain.wait_for_points(TICKS * len(SYMBOLS))
        wait_until(lambda: perform(settings, "status") == 0, "status without trouble")
    ticks = [record for record in chain.records() if record[2] != BAD]
    verdict = oracle.compare(oracle.expected_points(ticks), chain.stored())
    assert verdict.equal, verdict
    assert verdict.expected == TICKS * len(SYMBOLS)
    assert message_of_an_alert(env)

    for arguments, words in verbs.items():
        capsys.readouterr()
        code = perform(settings, *arguments)
        shown = capsys.readouterr().out
        assert words in shown, (arguments, shown)
        assert code == 0 or arguments == ("calibrate",), (arguments, shown)  # too few ticks to calibrate


def message_of_an_alert(env: Mapping[str, str]) -> bytes:
    """The first message that `notify` sends."""
    got: list[bytes] = []

    def take(_path: str, body: bytes) -> Answer:
        got.append(body)
        return Answer(200, b"")

    stop = StopEvent()
    with HttpStub(take) as stub:
        settings = load(env, ALERT_URLS=stub.url.replace("http:", "json:"))
        sending = threading.Thread(target=perform, args=(settings, "notify"), kwargs={"stop": stop})
        sending.start()
        try:
            wait_until(lambda: bool(got), "message of an alert")
        finally:
            stop.set()
            sending.join(30)
    return got[0]
