"""Bad settings: each is refused at the start, in one sentence with the key, the value and what was expected."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from config import PUBLIC_TOKEN
from tests.conftest import StartScript
from tests.loaded_settings import load, refusal
from tickflow.metrics.detectors.zscore import MAX_Z_SCORE

BAD = [
    ("STACK", "redis", "kafka or embedded"),
    ("SOURCE", "yahoo", "simulated, replay, alpha_vantage or topic"),
    ("SYMBOLS", "=AAPL", "each once and of 1 to 32 characters"),
    ("SYMBOLS", "AAPL,MSFT,AAPL", "each once"),
    ("SYMBOLS", "AAPL;MSFT", "commas between"),
    ("SYMBOLS", "A" * 33, "of 1 to 32 characters"),
    ("SYMBOLS", ",", "symbols with commas between"),
    ("KAFKA_SERVERS", "localhost", "host:port"),
    ("KAFKA_SERVERS", "localhost:0", "host:port"),
    ("KAFKA_SERVERS", "localhost:99999", "host:port"),
    ("KAFKA_SERVERS", "kafka://localhost:9092", "host:port"),
    ("KAFKA_SERVERS", "a:1 b:2", "several with commas between"),
    ("KAFKA_SERVERS", "::1:9092", "host:port"),
    ("KAFKA_TOPIC", "stock ticks", "letters, digits, dots"),
    ("KAFKA_TOPIC", ".", "no dot first"),
    ("KAFKA_TOPIC", "t" * 201, "up to 200"),
    ("KAFKA_GROUP", "g" * 201, "1 to 200 characters"),
    ("KAFKA_INSTANCE_ID", "worker 1", "letters, digits, dots"),
    ("KAFKA_PARTITIONS", "0", "a whole number from 1 to 10000"),
    ("KAFKA_PARTITIONS", "six", "a whole number from 1 to 10000"),
    ("KAFKA_PARTITIONS", "1.5", "a whole number from 1 to 10000"),
    ("KAFKA_BATCH_RECORDS", "0", "a whole number from 1 to 100000"),
    ("INFLUXDB_BATCH_POINTS", "0", "a whole number from 1 to 100000"),
    ("INFLUXDB_CONNECTIONS", "17", "a whole number from 1 to 16"),
    ("INFLUXDB_GZIP", "on please", "true or false"),
    ("KAFKA_SECURITY_PROTOCOL", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
    ("KAFKA_SASL_MECHANISM", "GSSAPI", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    ("INFLUXDB_URL", "localhost:8086", "a URL such as http://localhost:8086"),
    ("INFLUXDB_URL", "ftp://localhost", "a URL such as http://localhost:8086"),
    ("INFLUXDB_URL", "http://", "a URL such as http://localhost:8086"),
    ("INFLUXDB_URL", "http://[::1", "a URL such as http://localhost:8086"),
    ("INFLUXDB_URL", "http://local host", "a URL such as http://localhost:8086"),
    ("INFLUXDB_URL", "http://localhost:port", "a URL such as http://localhost:8086"),
    ("INFLUXDB_BUCKET", "b" * 201, "1 to 200 characters"),
    ("RETENTION_DAYS", "0", "a number of days above 0"),
    ("RETENTION_DAYS", "1e308", "a number of days above 0, up to 36500"),
    ("REPLAY_SPEED", "0", "a number from 0.001 on (times the recorded speed), or max"),
    ("REPLAY_SPEED", "-1", "or max"),
    ("REPLAY_SPEED", "inf", "or max"),
    ("REPLAY_SPEED", "nan", "or max"),
    ("REPLAY_SPEED", "1e999", "or max"),
    ("REPLAY_SPEED", "fast", "or max"),
    ("REPLAY_TIMEZONE", "New York", "a time zone such as America/New_York"),
    ("REPLAY_SYMBOL", "=A", "one symbol as a tick has it"),
    ("REPLAY_COLUMNS", "price", "ROLE=COLUMN with commas between"),
    ("REPLAY_COLUMNS", "prize=Close", "roles: time, symbol, price"),
    ("REPLAY_DATES", "ydm", "mdy, dmy or ymd"),
    ("REPLAY_DECIMAL", ",", "point or comma"),
    ("REPLAY_EPOCH", "minutes", "s, ms, us or ns"),
    ("REPLAY_BARS", "open", "close or ohlc"),
    ("REPLAY_BAR_LENGTH", "-60", "a number of seconds from 0 to 31536000, or month"),
    ("REPLAY_BAR_LENGTH", "1 min", "or month"),
    ("REPLAY_QUOTES", "bid", "mid or refuse"),
    ("REPLAY_SORT", "yes", "auto, always or never"),
    ("FROM_TOPIC", "raw records", "letters, digits, dots"),
    ("PRODUCER_INTERVAL", "-1", "a number of seconds from 0 to 86400"),
    ("PRODUCER_INTERVAL", "nan", "a number of seconds from 0 to 86400"),
    ("SIMULATOR_SEED", "-1", "a whole number from 0 on"),
    ("MARKET", "New York", "an exchange by its code, such as XNYS, XLON or XTKS, or 24/7"),
    ("HISTORY_SIZE", "0", "a whole number from 1 to 1000000"),
    ("ANOMALY_THRESHOLD", "0", "a number above 0 and below 2.846"),
    ("ANOMALY_THRESHOLD", "nan", "a number above 0 and below 2.846"),
    ("ANOMALY_THRESHOLD", "3", "|z| can never exceed (n-1)/sqrt(n) = 2.846"),
    ("ANOMALY_THRESHOLD", repr(MAX_Z_SCORE), "|z| can never exceed (n-1)/sqrt(n) = 2.846"),
    ("UPDATE_INTERVAL", "0", "a number of seconds from 0.1 to 3600"),
    ("UPDATE_INTERVAL", "inf", "a number of seconds from 0.1 to 3600"),
    ("UPDATE_INTERVAL", "2s", "a number of seconds from 0.1 to 3600"),
    ("SUMMARY_INTERVAL", "0", "a number of seconds from 1 to 86400"),
    ("PROBE", "0", "on (every 10 seconds)"),
    ("PROBE", "often", "on (every 10 seconds)"),
    ("MAX_TICK_AGE", "-5", "a number of seconds above 0"),
    ("MAX_TICK_AGE", "1e300", "or off"),
    ("MAX_TICK_AGE", "never", "or off"),
    ("MAX_RECORD_BYTES", "1", "a whole number from 256 to 1000000"),
    ("DASHBOARD_PORT", "0", "a port from 1 to 65535"),
    ("DASHBOARD_PORT", "65536", "a port from 1 to 65535"),
    ("DASHBOARD_PORT", "http", "a port from 1 to 65535"),
    ("DASHBOARD_HOST", "0.0.0.0", "a loopback host such as 127.0.0.1, or AUTH=users or AUTH=proxy"),
    ("DASHBOARD_HOST", "::", "a loopback host"),
    ("DASHBOARD_HOST", "192.168.1.10", "a loopback host"),
    ("DASHBOARD_HOST", "stocks.example", "a loopback host"),
    ("DASHBOARD_DEBUG", "maybe", "true or false"),
    ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
]


@pytest.mark.parametrize(("key", "value", "expected"), BAD, ids=[f"{key}={value:.30}" for key, value, _ in BAD])
def test_a_bad_value_names_the_key_the_value_and_what_was_expected(key: str, value: str, expected: str) -> None:
    error = refusal({key: value})
    assert (error.key, error.value) == (key, value)
    assert expected in error.expected
    assert str(error) == f"{key} is {value!r}; expected {error.expected}."
    assert "\n" not in str(error)


def test_debug_on_a_host_that_others_reach_is_refused() -> None:
    error = refusal({"DASHBOARD_HOST": "0.0.0.0", "DASHBOARD_DEBUG": "true"})
    assert error.key == "DASHBOARD_DEBUG"
    assert "the debugger runs code for anyone who reaches it" in str(error)


@pytest.mark.parametrize("missing", ["KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl_needs_all_its_settings(protocol: str, missing: str) -> None:
    values = {
        "KAFKA_SECURITY_PROTOCOL": protocol,
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "me",
        "KAFKA_SASL_PASSWORD": "hush-hush",
    }
    assert load(values).kafka_sasl_mechanism == "SCRAM-SHA-512"
    error = refusal({key: value for key, value in values.items() if key != missing})
    assert str(error) == f"{missing} is not set; expected a value, since KAFKA_SECURITY_PROTOCOL is {protocol}."


@pytest.mark.parametrize("key", ["KAFKA_SSL_CAFILE", "KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE"])
def test_the_files_for_ssl_must_exist(tmp_path: Path, key: str) -> None:
    values = {"KAFKA_SECURITY_PROTOCOL": "SSL", key: str(tmp_path / "none.pem")}
    assert refusal(values).key == key
    (tmp_path / "none.pem").write_text("")
    values |= {"KAFKA_SSL_CERTFILE": str(tmp_path / "none.pem")}
    assert getattr(load(values), key.lower()) == tmp_path / "none.pem"


@pytest.mark.parametrize("group", ["KAFKA_SSL", "INFLUXDB_SSL"])
@pytest.mark.parametrize("part", ["KEYFILE", "PASSWORD"])
def test_a_key_needs_the_certificate_that_it_belongs_to(tmp_path: Path, group: str, part: str) -> None:
    (tmp_path / "key.pem").write_text("")
    values = {f"{group}_{part}": str(tmp_path / "key.pem"), "KAFKA_SECURITY_PROTOCOL": "SSL"}
    error = refusal({**values, "INFLUXDB_URL": "https://localhost:8086"})
    assert error.key == f"{group}_CERTFILE"
    assert f"{group}_{part}" in str(error)


@pytest.mark.parametrize("url", ["http://192.168.1.10:8086", "https://influxdb.example:8086", "http://influxdb:8086"])
def test_the_public_token_is_refused_for_an_influxdb_that_is_not_on_loopback(url: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{PUBLIC_TOKEN}\n")
    file.chmod(0o600)
    for given in ({"INFLUXDB_TOKEN": PUBLIC_TOKEN}, {"INFLUXDB_TOKEN_FILE": str(file)}):
        error = refusal({"INFLUXDB_URL": url, **given})
        assert error.key == "INFLUXDB_TOKEN"
        assert f"expected a token of your own: {PUBLIC_TOKEN} is public, and the InfluxDB at {url}" in str(error)
    assert load(INFLUXDB_URL=url, INFLUXDB_TOKEN="a-token-of-my-own").influxdb_token
    assert load(INFLUXDB_URL=url, INFLUXDB_TOKEN=PUBLIC_TOKEN, STACK="embedded").influxdb_token
    for near in ("http://localhost:8086", "https://127.0.0.1", "http://[::1]:8086"):
        assert load(INFLUXDB_URL=near, INFLUXDB_TOKEN=PUBLIC_TOKEN).influxdb_token


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("KAFKA_SSL_CAFILE", "KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ("KAFKA_SASL_PASSWORD", "KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ("INFLUXDB_SSL_CAFILE", "INFLUXDB_URL does not begin with https"),
    ],
)
def test_a_security_setting_without_effect_causes_a_warning(key: str, reason: str) -> None:
    assert load({key: "x"}).notices == (f"without effect, since {reason}: {key}",)


# --- the real scripts ---

PRODUCER, ANALYTICS, DASHBOARD = "stock_producer.py", "stock_analytics.py", "stock_dashboard.py"
REFUSED_BY_SCRIPTS = [
    (PRODUCER, {"SYMBOLS": "=AAPL"}, "SYMBOLS is '=AAPL'; expected symbols"),
    (PRODUCER, {"KAFKA_PARTITIONS": "0"}, "KAFKA_PARTITIONS is '0'; expected a whole number from 1 to 10000"),
    (ANALYTICS, {"ANOMALY_THRESHOLD": "3"}, "ANOMALY_THRESHOLD is '3'; expected a number above 0 and below 2.846"),
    (ANALYTICS, {"KAFKA_SERVERS": "localhost"}, "KAFKA_SERVERS is 'localhost'; expected host:port"),
    (ANALYTICS, {}, "INFLUXDB_TOKEN is not set; expected the token"),
    (DASHBOARD, {}, "INFLUXDB_TOKEN is not set; expected the token"),
    *(
        (
            name,
            {"INFLUXDB_URL": "http://db:8086", "INFLUXDB_TOKEN": PUBLIC_TOKEN},
            "INFLUXDB_TOKEN is '**********'; expe",
        )
        for name in (PRODUCER, ANALYTICS, DASHBOARD)
    ),
    (DASHBOARD, {"DASHBOARD_HOST": "0.0.0.0"}, "DASHBOARD_HOST is '0.0.0.0'; expected a loopback host"),
    (
        DASHBOARD,
        {"DASHBOARD_HOST": "0.0.0.0", "DASHBOARD_DEBUG": "true"},
        "DASHBOARD_DEBUG is 'true'; expected false on a host that is not loopback",
    ),
]


def assert_one_sentence(stderr: str, start: str) -> None:
    assert stderr.startswith(start)
    assert stderr.count("\n") == 1
    assert stderr.endswith(".\n")


@pytest.mark.parametrize(("name", "env", "said"), REFUSED_BY_SCRIPTS)
def test_a_script_ends_with_2_and_one_sentence(
    script: StartScript, name: str, env: Mapping[str, str], said: str
) -> None:
    run = script(name, env=env)
    assert run.wait() == 2
    assert_one_sentence(run.stderr, said)


@pytest.mark.parametrize("name", [PRODUCER, ANALYTICS, DASHBOARD])
def test_a_script_refuses_a_broken_env_and_an_unknown_flag(script: StartScript, tmp_path: Path, name: str) -> None:
    run = script(name, "--no-such-flag")
    assert run.wait() == 2
    assert_one_sentence(run.stderr, name)
    (tmp_path / ".env").write_text("KAFKA_SERVER=hush\n")
    run = script(name, cwd=tmp_path)
    assert run.wait() == 2
    assert_one_sentence(
        run.stderr, f"KAFKA_SERVER is 'hush'; expected a known key in {tmp_path / '.env'}, perhaps KAFKA_SERVERS."
    )
