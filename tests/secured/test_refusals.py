"""Log and page report each refusal by Kafka or InfluxDB in a sentence that names the setting to change.

The tables list the mistakes, and the words that the sentence must and must not contain.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from config import Settings
from devtools.influxdb import InfluxServer
from stock_dashboard import StockDashboard
from tests.dashboard.test_dashboard import UPDATE, asked
from tests.influx_tokens import a_token, an_authorization, revoke
from tests.integration.chain import wait_until
from tests.loaded_settings import load
from tests.point_examples import a_row, points_of
from tests.secured.certificates import KEY_PASSWORD, Authority
from tests.secured.servers import PASSWORD, Front, SecuredInfluxd, SecuredKafka
from tickflow.errors import SettingError, Stopped, StoreError, StoreMisconfigured
from tickflow.stack import open_acks, open_alerts, open_log, open_store

USED = "test-refusals"
"""An existing topic on which no user has permissions."""


class Case(NamedTuple):
    """Wrong settings, the words that the sentence must contain, and those that would mislead."""

    listener: str | None
    env: Mapping[str, str]
    said: Sequence[str]
    not_said: Sequence[str] = ()


@pytest.fixture(scope="session")
def files(authority: Authority, stranger: Authority) -> dict[str, str]:
    """The path of each file that the tables name."""
    own, other = authority.issue("own", common_name="admin"), authority.issue("other", common_name="admin")
    locked = authority.issue("locked", common_name="admin", password=KEY_PASSWORD)
    foreign = stranger.issue("foreign", common_name="admin")
    old = authority.issue("old", common_name="admin", expired=True)
    empty = authority.ca.with_name("empty.pem")
    empty.write_text("")
    return {
        "CA": str(authority.ca),
        "FOREIGN_CA": str(stranger.ca),
        "OWN": str(own.cert),
        "KEY": str(own.key),
        "OTHER_KEY": str(other.key),
        "LOCKED": str(locked.cert),
        "LOCKED_KEY": str(locked.key),
        "FOREIGN": str(foreign.cert),
        "FOREIGN_KEY": str(foreign.key),
        "OLD": str(old.cert),
        "OLD_KEY": str(old.key),
        "EMPTY": str(empty),
        "PASSWORD": PASSWORD,
        "KEY_PASSWORD": KEY_PASSWORD,
    }


def tls(ca: str = "CA", cert: str = "", key: str = "", password: str = "") -> dict[str, str]:
    env = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": ca, "KAFKA_SSL_CERTFILE": cert}
    return {**env, "KAFKA_SSL_KEYFILE": key, "KAFKA_SSL_PASSWORD": password}


def login(
    user: str = "admin", mechanism: str = "SCRAM-SHA-512", password: str = "PASSWORD", *, ca: str = "CA"
) -> dict[str, str]:
    env = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CAFILE": ca, "KAFKA_SASL_MECHANISM": mechanism}
    if not ca:
        env |= {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}
    return {**env, "KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": password}


LOGINS = ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
NO_LOGIN = ("KAFKA_SASL",)
ANY_CERT = ("KAFKA_SSL",)

KAFKA = {
    # the broker's certificate is wrong: the sentence must not blame the login
    "foreign CA": Case("ONEWAY", tls("FOREIGN_CA"), ["KAFKA_SSL_CAFILE", "authority"], NO_LOGIN),
    "no CA": Case("ONEWAY", tls(""), ["KAFKA_SSL_CAFILE (not set"], NO_LOGIN),
    "foreign CA, with a login": Case("SECURE", login(ca="FOREIGN_CA"), ["KAFKA_SSL_CAFILE", "authority"], NO_LOGIN),
    "expired": Case("EXPIRED", tls(), ["expired", "KAFKA_SSL_CAFILE"], NO_LOGIN),
    "another host": Case("OTHERHOST", tls(), ["another host", "KAFKA_SERVERS"], NO_LOGIN),
    # the client's certificate is wrong
    "no own certificate": Case("MUTUAL", tls(), ["KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE", "asks"], NO_LOGIN),
    "foreign own certificate": Case(
        "MUTUAL", tls(cert="FOREIGN", key="FOREIGN_KEY"), ["KAFKA_SSL_CERTFILE", "authority"], NO_LOGIN
    ),
    "expired own certificate": Case(
        "MUTUAL", tls(cert="OLD", key="OLD_KEY"), ["KAFKA_SSL_CERTFILE", "expired"], NO_LOGIN
    ),
    # wrong files, which are refused before connecting
    "wrong password of the key": Case(
        "MUTUAL", tls(cert="LOCKED", key="LOCKED_KEY", password="guess"), ["KAFKA_SSL_PASSWORD"], NO_LOGIN
    ),
    "no password of the key": Case(
        "MUTUAL", tls(cert="LOCKED", key="LOCKED_KEY"), ["KAFKA_SSL_PASSWORD is not set"], NO_LOGIN
    ),
    "key of another certificate": Case(
        "MUTUAL", tls(cert="OWN", key="OTHER_KEY"), ["KAFKA_SSL_KEYFILE", "another"], NO_LOGIN
    ),
    "key in place of the certificate": Case(
        "MUTUAL", tls(cert="KEY", key="KEY"), ["KAFKA_SSL_CERTFILE", "this is a key"], NO_LOGIN
    ),
    "certificate in place of the key": Case(
        "MUTUAL", tls(cert="OWN", key="OWN"), ["KAFKA_SSL_KEYFILE", "this is a certificate"], NO_LOGIN
    ),
    "no key": Case("MUTUAL", tls(cert="OWN"), ["KAFKA_SSL_CERTFILE", "the key"], NO_LOGIN),
    "empty CA": Case("ONEWAY", tls("EMPTY"), ["KAFKA_SSL_CAFILE", "PEM"], NO_LOGIN),
    "key in place of the CA": Case("ONEWAY", tls("KEY"), ["KAFKA_SSL_CAFILE", "this is a key"], NO_LOGIN),
    # TLS and plaintext confused
    "plaintext to TLS": Case("ONEWAY", {}, ["speaks TLS", "KAFKA_SECURITY_PROTOCOL to SSL"], NO_LOGIN),
    "plaintext to login": Case("LOGIN", {}, ["KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT"]),
    "plaintext to login over TLS": Case("SECURE", {}, ["speaks TLS", "SASL_SSL"]),
    "TLS to plaintext": Case(None, tls(), ["does not speak TLS", "KAFKA_SECURITY_PROTOCOL to PLAINTEXT"], NO_LOGIN),
    "TLS to login": Case("LOGIN", tls(), ["does not speak TLS", "KAFKA_SERVERS"], NO_LOGIN),
    "TLS to login over TLS": Case("SECURE", tls(), ["KAFKA_SECURITY_PROTOCOL to SASL_SSL"]),
    "login to plaintext": Case(None, login(ca=""), ["asks for no login", "KAFKA_SECURITY_PROTOCOL to PLAINTEXT"]),
    "login to TLS": Case("ONEWAY", login(ca=""), ["speaks TLS", "KAFKA_SECURITY_PROTOCOL to SASL_SSL"], LOGINS),
    "login to login over TLS": Case("SECURE", login(ca=""), ["speaks TLS", "to SASL_SSL"], LOGINS),
    "login over TLS to plaintext": Case(None, login(), ["does not speak TLS", "to SASL_PLAINTEXT"], LOGINS),
    "login over TLS to login": Case("LOGIN", login(), ["does not speak TLS", "to SASL_PLAINTEXT"], LOGINS),
    "login over TLS to TLS": Case("ONEWAY", login(), ["asks for no login", "KAFKA_SECURITY_PROTOCOL to SSL"]),
    # the login is wrong: the sentence must not blame certificates
    "wrong password, SCRAM-SHA-512": Case("SECURE", login(password="guess"), LOGINS, ANY_CERT),
    "wrong password, SCRAM-SHA-256": Case("SECURE", login("admin", "SCRAM-SHA-256", "guess"), LOGINS, ANY_CERT),
    "wrong password, PLAIN": Case("SECURE", login("admin", "PLAIN", "guess"), LOGINS, ANY_CERT),
    "wrong password without TLS": Case("LOGIN", login(password="guess", ca=""), LOGINS, ANY_CERT),
    "unknown user, SCRAM": Case("SECURE", login("eve"), LOGINS, ANY_CERT),
    "unknown user, PLAIN": Case("SECURE", login("eve", "PLAIN"), LOGINS, ANY_CERT),
    "mechanism that is not offered": Case("SCRAMONLY", login("admin", "PLAIN"), ["KAFKA_SASL_MECHANISM"], ANY_CERT),
    # a permission is missing
    "no right on the topic": Case("SECURE", login("nobody"), [f"the topic {USED} ", "DESCRIBE", "KAFKA_SASL_USERNAME"]),
    "no right on the topic, by certificate": Case(
        "MUTUAL", tls(cert="NOBODY", key="NOBODY_KEY"), [f"the topic {USED} ", "KAFKA_SSL_CERTFILE"], NO_LOGIN
    ),
}


@pytest.fixture(scope="session")
def broker(secured_kafka: SecuredKafka) -> SecuredKafka:
    with secured_kafka.admin() as admin:
        admin.create_topics({USED: {"num_partitions": 1, "replication_factor": 1}})
    return secured_kafka


@pytest.fixture(scope="session")
def known(files: dict[str, str], authority: Authority) -> dict[str, str]:
    nobody = authority.issue("nobody", common_name="nobody")
    return {**files, "NOBODY": str(nobody.cert), "NOBODY_KEY": str(nobody.key)}


def filled(env: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {key: known.get(value, value) for key, value in env.items() if value}


@pytest.mark.parametrize("name", KAFKA)
def test_a_refusal_of_kafka_names_the_setting(
    name: str, broker: SecuredKafka, known: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    case = KAFKA[name]
    server = broker.server_of(case.listener) if case.listener else broker.address
    said = what_is_said(lambda: load(filled(case.env, known), KAFKA_SERVERS=server, KAFKA_TOPIC=USED), caplog)
    assert all(word in said for word in case.said), said
    assert not [word for word in case.not_said if word in said.replace("(KAFKA_SERVERS)", "")], said
    assert not [secret for secret in (PASSWORD, KEY_PASSWORD, "guess") if secret in said]


def what_is_said(settings: Callable[[], Settings], caplog: pytest.LogCaptureFixture) -> str:
    """The error that the settings raise, or else the first message that the log reports while it connects."""
    stop = threading.Event()
    try:
        log = open_log(settings(), stop)
    except SettingError as error:
        return str(error)
    refused: list[str] = []

    def connect() -> None:
        try:
            log.connect()
        except SettingError as error:
            refused.append(str(error))
        except Stopped:
            pass
        else:
            refused.append("it connects")

    def said() -> list[str]:
        return refused + [each for each in caplog.messages if "waiting for Kafka" in each and "answer yet" not in each]

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        wait_until(lambda: bool(said()), "refusal")
    finally:
        stop.set()
        thread.join(30)
        log.close()
    return said()[0]


class Store(NamedTuple):
    """The InfluxDB, wrong settings, the words that the sentence must contain, and those that would mislead."""

    place: str
    env: Mapping[str, str]
    said: Sequence[str]
    not_said: Sequence[str] = ("KAFKA",)


def https(ca: str = "CA", cert: str = "", key: str = "", password: str = "") -> dict[str, str]:
    env = {"INFLUXDB_SSL_CAFILE": ca, "INFLUXDB_SSL_CERTFILE": cert}
    return {**env, "INFLUXDB_SSL_KEYFILE": key, "INFLUXDB_SSL_PASSWORD": password}


def token(which: str) -> dict[str, str]:
    return {**https(), "INFLUXDB_TOKEN": which}


TOKEN = ("INFLUXDB_TOKEN",)
INFLUX = {
    "foreign CA": Store("influx", https("FOREIGN_CA"), ["INFLUXDB_SSL_CAFILE", "authority"], TOKEN),
    "no CA": Store("influx", https(""), ["INFLUXDB_SSL_CAFILE (not set"], TOKEN),
    "expired": Store("expired", https(), ["expired", "INFLUXDB_SSL_CAFILE"], TOKEN),
    "another host": Store("elsewhere", https(), ["another host", "INFLUXDB_URL"], TOKEN),
    "no own certificate": Store("asking", https(), ["INFLUXDB_SSL_CERTFILE", "asks"], TOKEN),
    "foreign own certificate": Store(
        "asking", https(cert="FOREIGN", key="FOREIGN_KEY"), ["INFLUXDB_SSL_CERTFILE", "authority"], TOKEN
    ),
    "wrong password of the key": Store(
        "asking", https(cert="LOCKED", key="LOCKED_KEY", password="guess"), ["INFLUXDB_SSL_PASSWORD"], TOKEN
    ),
    "key of another certificate": Store(
        "asking", https(cert="OWN", key="OTHER_KEY"), ["INFLUXDB_SSL_KEYFILE", "another"], TOKEN
    ),
    "key in place of the CA": Store("influx", https("KEY"), ["INFLUXDB_SSL_CAFILE", "this is a key"], TOKEN),
    "plaintext to TLS": Store("http to https", {}, ["speaks TLS", "https://"], TOKEN),
    "TLS to plaintext": Store("https to http", https(), ["does not speak TLS", "INFLUXDB_URL"], TOKEN),
    "unknown token": Store("influx", token("no-such-token"), ["does not know the token", "INFLUXDB_TOKEN"]),
    "token of another bucket": Store("influx", token("FOREIGN_TOKEN"), ["INFLUXDB_TOKEN", "INFLUXDB_BUCKET"]),
    "token that may only write": Store("influx", token("WRITING_TOKEN"), ["INFLUXDB_TOKEN", "read"]),
    "revoked token": Store("influx", token("REVOKED_TOKEN"), ["does not know the token", "INFLUXDB_TOKEN"]),
    "bucket that does not exist": Store(
        "influx", {**https(), "INFLUXDB_BUCKET": "nowhere"}, ["'nowhere'", "INFLUXDB_BUCKET"]
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def places(secured_influx: SecuredInfluxd, authority: Authority, influx: InfluxServer) -> Iterator[dict[str, str]]:
    """The URL behind each server name in the table."""
    plain = urlsplit(influx.url)
    assert plain.port
    fronts = {
        "expired": Front(plain.port, authority, expired=True),
        "elsewhere": Front(plain.port, authority, "influxdb.elsewhere.example"),
        "asking": Front(plain.port, authority, asks=authority),
    }
    yield {
        "influx": secured_influx.server.url,
        "http to https": secured_influx.server.url.replace("https:", "http:"),
        "https to http": f"https://127.0.0.1:{plain.port}",
        **{name: front.url for name, front in fronts.items()},
    }
    for front in fronts.values():
        front.close()


@pytest.fixture(scope="session")
def tokens(secured_influx: SecuredInfluxd) -> dict[str, str]:
    """Tokens that lack the permission for which they are used."""
    server = secured_influx.server
    server.create_bucket("foreign")
    revoked, authorization = an_authorization(server, "stock_data", "read", "write")
    revoke(server, authorization)
    return {
        "FOREIGN_TOKEN": a_token(server, "foreign", "read", "write"),
        "WRITING_TOKEN": a_token(server, "stock_data", "write"),
        "READING_TOKEN": a_token(server, "stock_data", "read"),
        "REVOKED_TOKEN": revoked,
        "GOOD": server.token,
    }


def what_the_store_says(settings: Callable[[], Settings]) -> tuple[str, bool]:
    """The first error that the settings, `connect` or a query raises; and whether the settings raised it."""
    stop = threading.Event()
    try:
        store = open_store(settings(), stop)
    except SettingError as error:
        return str(error), True
    failed: list[str] = []

    def connect() -> None:
        try:
            store.connect()
            store.statuses()
        except (SettingError, StoreError) as error:
            failed.append(str(error))
        except Stopped:
            pass
        else:
            failed.append("it works")

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        wait_until(lambda: bool(failed or store.trouble), "refusal")
    finally:
        stop.set()
        thread.join(30)
        store.close()
    return failed[0] if failed else store.trouble, False


@pytest.mark.parametrize("name", INFLUX)
def test_a_refusal_of_influxdb_names_the_setting_on_the_page_too(
    name: str, places: dict[str, str], known: dict[str, str], tokens: dict[str, str]
) -> None:
    case = INFLUX[name]
    known = known | tokens
    env = {"INFLUXDB_TOKEN": "GOOD", "INFLUXDB_URL": places[case.place], **case.env}
    settings = partial(load, filled(env, known))
    said, refused = what_the_store_says(settings)
    for _ in range(10):
        if all(word in said for word in case.said):
            break
        # The proxy that requires a certificate closes at once, sometimes before the client has read the reason.
        said, refused = what_the_store_says(settings)
    assert all(word in said for word in case.said), said
    assert not [word for word in case.not_said if word in said], said
    assert not [secret for secret in (*tokens.values(), KEY_PASSWORD, "guess") if secret in said]
    if refused:
        with pytest.raises(SettingError, match=re.escape(said)):
            StockDashboard(settings())
        return
    dashboard = StockDashboard(settings())
    thread = dashboard.gate.start()
    try:
        with dashboard.app.server.test_client() as client:
            wait_until(lambda: all(word in shown(client) for word in case.said), f"{case.said} on the page")
    finally:
        dashboard.stop.set()
        thread.join(30)
        dashboard.store.close()
        dashboard.acks.close()


def shown(client: FlaskClient) -> str:
    """The page's answer, which contains the sentence about the store."""
    return str(client.post(UPDATE, json=asked("drawing", [None, None], [])).get_json())


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"INFLUXDB_TOKEN": "READING_TOKEN"}, r"INFLUXDB_TOKEN to a token that may write to .*'stock_data'"),
        ({"INFLUXDB_TOKEN": "REVOKED_TOKEN"}, "does not know the token .* INFLUXDB_TOKEN"),
        ({"INFLUXDB_TOKEN": "GOOD", "INFLUXDB_ORG": "nowhere"}, "no org 'nowhere' .* INFLUXDB_ORG"),
        ({"INFLUXDB_TOKEN": "GOOD", "INFLUXDB_BUCKET": "nowhere"}, "no bucket 'nowhere' .* INFLUXDB_BUCKET"),
    ],
)
def test_a_refused_write_names_the_setting(
    places: dict[str, str], known: dict[str, str], tokens: dict[str, str], env: dict[str, str], words: str
) -> None:
    env = {"INFLUXDB_URL": places["influx"], "INFLUXDB_SSL_CAFILE": "CA", **env}
    with (
        open_store(load(filled(env, known | tokens)), threading.Event()) as store,
        pytest.raises(StoreMisconfigured, match=words),
    ):
        store.write(points_of(a_row()))


def test_a_client_certificate_opens_an_influxdb_behind_a_front(
    places: dict[str, str], known: dict[str, str], influx: InfluxServer, bucket: str
) -> None:
    env = {"INFLUXDB_URL": places["asking"], "INFLUXDB_TOKEN": influx.token, "INFLUXDB_BUCKET": bucket}
    env |= {**https(cert="LOCKED", key="LOCKED_KEY", password="KEY_PASSWORD"), "INFLUXDB_ORG": influx.org}
    settings, stop = load(filled(env, known)), threading.Event()
    with (
        open_store(settings, stop) as store,
        closing(open_alerts(settings, stop)) as alerts,
        closing(open_acks(settings, stop)) as acks,
    ):
        store.connect()
        assert store.write(points_of(a_row())).stored == 1
        assert store.newest("AAPL", 5).price.tolist()
        assert alerts.alerts(0) == []
        assert acks.acknowledged(0) == []
