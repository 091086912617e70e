"""Tests of the settings: keys, defaults, where a value comes from, and that secrets are not shown."""

import argparse
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import ValidationError

import config
from config import (
    KEYS,
    OF_COMPOSE,
    SECRETS,
    Settings,
    add_flags,
    explained,
    flags_of,
    load_settings,
    origin_of_settings,
)
from devtools import settings_text
from tests.loaded_settings import load, refusal
from tests.scripts import PROJECT
from tickflow.errors import SettingError
from tickflow.settings.secret_file import HIDDEN

# The defaults by design; a key that is not listed has none.
DEFAULTS = {
    "STACK": "kafka",
    "EMBEDDED_FILE": "data/stocks.db",
    "RETENTION_DAYS": "7",
    "INFLUXDB_URL": "http://localhost:8086",
    "INFLUXDB_ORG": "myorg",
    "INFLUXDB_BUCKET": "stock_data",
    "INFLUXDB_BATCH_POINTS": "5000",
    "INFLUXDB_CONNECTIONS": "4",
    "INFLUXDB_GZIP": "false",
    "KAFKA_SERVERS": "localhost:9092",
    "KAFKA_TOPIC": "stock-ticks",
    "KAFKA_GROUP": "stock-analytics",
    "KAFKA_PARTITIONS": "6",
    "KAFKA_BATCH_RECORDS": "20000",
    "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    "SOURCE": "simulated",
    "SYMBOLS": "AAPL,GOOGL,MSFT,AMZN,TSLA,NVDA,META",
    "REPLAY_SPEED": "1",
    "REPLAY_BARS": "close",
    "REPLAY_QUOTES": "mid",
    "REPLAY_SORT": "auto",
    "MAX_RECORD_BYTES": "65536",
    "MAX_BATCH_BYTES": "67108864",
    "MAX_SYMBOLS": "10000",
    "MAX_SOURCES": "32",
    "MAX_TICK_AGE": "off",
    "HISTORY_SIZE": "200",
    "ANOMALY_THRESHOLD": "2.0",
    "ALERTS": "true",
    "ALERT_BUDGET": "1",
    "ALERT_FOLLOW": "on",
    "ALERT_MIN_MOVE": "0.1",
    "ALERT_DETECTORS": "move,volume,volatility,bad_print,silence",
    "ALERT_NOTIFY": "move",
    "ALERT_RATE": "20",
    "ALERT_GIVE_UP": "24",
    "ALERT_OUTBOX": "data/outbox.db",
    "UPDATE_INTERVAL": "2",
    "SUMMARY_INTERVAL": "60",
    "MARKET": "XNYS",
    "DASHBOARD_HOST": "127.0.0.1",
    "DASHBOARD_PORT": "8050",
    "DASHBOARD_DEBUG": "false",
    "AUTH": "none",
    "AUTH_USERS_FILE": "data/users.json",
    "AUTH_HEADER": "Remote-User",
    "METRICS_HOST": "127.0.0.1",
    "PROBE": "off",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "PRICE_LINES": "auto",
}
NO_DEFAULT = {
    "KAFKA_REPLICAS", "KAFKA_MIN_INSYNC_REPLICAS", "KAFKA_COMPRESSION", "KAFKA_RETENTION_DAYS",
    "INFLUXDB_TOKEN", "INFLUXDB_SSL_CAFILE", "INFLUXDB_SSL_CERTFILE", "INFLUXDB_SSL_KEYFILE", "INFLUXDB_SSL_PASSWORD",
    "KAFKA_INSTANCE_ID", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_CAFILE", "KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE", "KAFKA_SSL_PASSWORD", "PRODUCER_INTERVAL",
    "SIMULATOR_SEED", "REPLAY_FILE", "REPLAY_TIMEZONE", "REPLAY_SYMBOL", "REPLAY_COLUMNS", "REPLAY_DATES",
    "REPLAY_DECIMAL", "REPLAY_EPOCH", "REPLAY_BAR_LENGTH", "FROM_TOPIC", "FROM_TOPIC_MAP",
    "ALPHA_VANTAGE_API_KEY", "METRICS_PORT",
    "ALERT_RULES", "ALERT_THRESHOLDS", "ALERT_URLS",
    "DASHBOARD_NAMES", "AUTH_PROXIES", "AUTH_ROLES_HEADER", "AUTH_OPERATORS",
}  # fmt: skip


def test_the_keys_are_those_of_the_design() -> None:
    assert set(KEYS) == set(DEFAULTS) | NO_DEFAULT


@pytest.mark.parametrize("key", sorted(DEFAULTS))
def test_each_default_is_that_of_the_design(key: str) -> None:
    assert getattr(load(), key.lower()) == getattr(load({key: DEFAULTS[key]}), key.lower())


@pytest.mark.parametrize("key", sorted(NO_DEFAULT))
def test_a_key_without_a_default_has_the_value_none(key: str) -> None:
    assert getattr(load(), key.lower()) is None


def test_env_example_has_exactly_the_keys_and_their_defaults() -> None:
    example = dotenv_values(PROJECT / ".env.example")
    assert sorted(example) == sorted(KEYS)
    assert {key: value for key, value in example.items() if value} == DEFAULTS | {
        "INFLUXDB_TOKEN": "tickflow-local-token"
    }
    settings = load_settings({}, env_file=PROJECT / ".env.example")
    assert settings == load(INFLUXDB_TOKEN="tickflow-local-token")


@pytest.mark.parametrize("key", KEYS)
def test_each_setting_says_what_it_is_for(key: str) -> None:
    meaning, expected, _ = explained(key)
    assert len(meaning.split()) > 2
    assert meaning != expected


def test_env_example_and_the_documented_table_are_written_from_the_settings() -> None:
    """If this fails, run `make settings`."""
    assert settings_text.env_example() == settings_text.ENV_EXAMPLE.read_text(encoding="utf-8")
    documented = settings_text.TABLE.read_text(encoding="utf-8")
    assert settings_text.with_table(documented) == documented


def test_a_changed_meaning_changes_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings_text.env_example(), settings_text.with_table("<!-- settings -->\n\n<!-- end -->")
    monkeypatch.setattr(settings_text, "explained", lambda _key: ("what it is for", "a value", "7"))
    after = settings_text.env_example(), settings_text.with_table("<!-- settings -->\n\n<!-- end -->")
    assert "# What it is for. Expected: a value.\nSTACK=7\n" in after[0]
    assert "| `STACK` | `7` | what it is for | a value |" in after[1]
    assert all(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("key", KEYS)
def test_the_help_of_a_flag_has_the_text_of_its_setting(key: str) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, [key])
    meaning, expected, default = explained(key)
    assert {meaning, expected, default} <= {"", *re.split(r"\. Expected: | \(default: |\)$", _help_of(parser, key))}


def _help_of(parser: argparse.ArgumentParser, key: str) -> str:
    (text,) = (
        action.help for action in parser._actions if f"--{key.lower().replace('_', '-')}" in action.option_strings
    )
    return (text or "").replace("%%", "%")


# --- where a value comes from ---


@pytest.mark.parametrize(
    ("flag", "environment", "in_file", "expected"),
    [
        ("F", "E", "D", "F"),
        (None, "E", "D", "E"),
        (None, None, "D", "D"),
        (None, None, None, "myorg"),
        ("", "", "D", "D"),
        (" ", "E", "D", "E"),
        ("", "", "", "myorg"),
    ],
)
def test_a_flag_beats_the_environment_beats_env_beats_the_default(
    tmp_path: Path, flag: str | None, environment: str | None, in_file: str | None, expected: str
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("" if in_file is None else f"INFLUXDB_ORG={in_file}\n")
    environ = {} if environment is None else {"INFLUXDB_ORG": environment}
    flags = {} if flag is None else {"INFLUXDB_ORG": flag}
    assert load_settings(environ, env_file=env_file, flags=flags).influxdb_org == expected


def test_the_processs_own_environment_is_the_default_and_env_is_looked_for_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "HERE", tmp_path)
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    assert load_settings().kafka_topic == "stock-ticks"
    (tmp_path / ".env").write_text("KAFKA_TOPIC=in-file\nKAFKA_GROUP=in-file\n")
    monkeypatch.setenv("KAFKA_GROUP", "in-environment")
    assert (load_settings().kafka_topic, load_settings().kafka_group) == ("in-file", "in-environment")


def test_env_beside_the_scripts_is_read_if_the_current_folder_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(config, "HERE", beside)
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    assert origin_of_settings() == f"settings: no .env in {here} or {beside}; using environment, flags and defaults"
    (beside / ".env").write_text("KAFKA_TOPIC=beside\n")
    assert load_settings().kafka_topic == "beside"
    assert origin_of_settings() == f"settings: {beside / '.env'}; environment and flags override it"
    (here / ".env").write_text("KAFKA_TOPIC=here\n")
    assert load_settings().kafka_topic == "here"
    assert str(here / ".env") in origin_of_settings()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("INFLUXDB_ORG=plain", "plain"),
        ("INFLUXDB_ORG = spaced ", "spaced"),
        ("export INFLUXDB_ORG=exported", "exported"),
        ('INFLUXDB_ORG="in quotes"', "in quotes"),
        ("INFLUXDB_ORG='in # quotes'", "in # quotes"),
        ("INFLUXDB_ORG=value # a comment", "value"),
        ("INFLUXDB_ORG=$HOME", "$HOME"),
        ("INFLUXDB_ORG=Zoë", "Zoë"),
        ("INFLUXDB_ORG=first\nINFLUXDB_ORG=last", "last"),
        ("\ufeffINFLUXDB_ORG=after a byte order mark", "after a byte order mark"),
        ("INFLUXDB_ORG=windows\r\nKAFKA_TOPIC=a\r", "windows"),
    ],
)
def test_the_forms_of_lines_in_env(tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / ".env").write_text(line + "\n", encoding="utf-8", newline="")
    assert load_settings({}, env_file=tmp_path / ".env").influxdb_org == expected


@pytest.mark.parametrize(
    "line",
    [
        "COMPOSE_PROJECT_NAME=x",
        "KAFKA_HEAP_OPTS=-Xmx1g",
        "INFLUXDB_USERNAME=me",
        "INFLUXDB_PASSWORD=secret",
        "INFLUXDB_RETENTION=7d",
    ],
)
def test_keys_of_other_tools_may_stand_in_env(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    assert load_settings({}, env_file=tmp_path / ".env") == load()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("KAFKA_SERVER", "KAFKA_SERVERS"),
        ("INFLUX_TOKEN", "INFLUXDB_TOKEN"),
        ("ANOMALY_TRESHOLD", "ANOMALY_THRESHOLD"),
        ("SYMBOL", "SYMBOLS"),
        ("INFLUXDB_TOKEN_FIEL", "INFLUXDB_TOKEN_FILE"),
        ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SERVERS"),
        ("BOOTSTRAP_SERVERS", "KAFKA_SERVERS"),
        ("KAFKA_GROUP_ID", "KAFKA_GROUP"),
        ("KAFKA_TOPIC_NAME", "KAFKA_TOPIC"),
        ("INFLUXDB_BUCKET_NAME", "INFLUXDB_BUCKET"),
        ("INFLUXDB_V2_TOKEN", "INFLUXDB_TOKEN"),
        ("DASHBOARD_PORTS", "DASHBOARD_PORT"),
        ("TICKERS", "SYMBOLS"),
    ],
)
def test_a_misspelt_key_in_env_is_refused_with_a_guess(tmp_path: Path, wrong: str, right: str) -> None:
    (tmp_path / ".env").write_text(f"{wrong}=hush-hush\n")
    error = refusal({}, tmp_path / ".env")
    assert error.key == wrong
    assert str(error).endswith(f", perhaps {right}.")
    assert ("hush-hush" in str(error)) == ("TOKEN" not in wrong)


def test_the_keys_that_compose_alone_reads_are_those_of_its_file() -> None:
    text = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) - set(KEYS) == set(OF_COMPOSE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"INFLUXDB_TOKEN='hush-hush\n", "Line 1 of "),
        (b'STACK=kafka\nthis: is not="a line\n', "Line 2 of "),
        (b"INFLUXDB_ORG=\xff\xfe\n", "UTF-8"),
    ],
)
def test_a_broken_env_is_refused_without_showing_the_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    error = refusal({}, tmp_path / ".env")
    assert said in str(error)
    assert str(tmp_path / ".env") in str(error)
    assert "hush" not in str(error)


# --- secrets ---


def test_the_secrets_are_the_tokens_passwords_and_keys() -> None:
    assert sorted(SECRETS) == [
        "ALERT_URLS",
        "ALPHA_VANTAGE_API_KEY",
        "INFLUXDB_SSL_PASSWORD",
        "INFLUXDB_TOKEN",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SSL_PASSWORD",
    ]


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_can_be_read_but_is_never_shown(key: str) -> None:
    settings = load({key: "hush-hush"})
    assert settings.secret(key, "it") == "hush-hush"
    for shown in (
        repr(settings),
        str(settings),
        f"{settings}",
        repr(settings.model_dump()),
        settings.model_dump_json(),
    ):
        assert "hush-hush" not in shown
    assert HIDDEN in repr(settings)


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_may_lie_in_a_file(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("hush-hush\n")
    assert load({f"{key}_FILE": str(tmp_path / "secret")}).secret(key, "it") == "hush-hush"
    assert load({f"{key}_FILE": ""}) == load()


def test_the_environments_secret_beats_the_file_that_env_names(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file")
    (tmp_path / ".env").write_text(f"INFLUXDB_TOKEN_FILE={tmp_path / 'secret'}\n")
    assert load_settings({}, env_file=tmp_path / ".env").secret("INFLUXDB_TOKEN", "it") == "from-file"
    environ = {"INFLUXDB_TOKEN": "from-environment"}
    assert load_settings(environ, env_file=tmp_path / ".env").secret("INFLUXDB_TOKEN", "it") == "from-environment"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secrets_file_without_a_secret_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    error = refusal({"INFLUXDB_TOKEN_FILE": str(path)})
    assert error.key == "INFLUXDB_TOKEN_FILE"
    assert (str(path) in str(error)) == (content is not None), "else it may be the secret itself"
    assert "that holds the secret" in str(error)


def test_a_missing_secret_says_what_is_needed() -> None:
    with pytest.raises(SettingError, match=r"INFLUXDB_TOKEN is not set; expected the token\."):
        load().secret("INFLUXDB_TOKEN", "the token")


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    error = refusal({"INFLUXDB_URL": "http://me:hush@hush@localhost:8086"})
    assert "hush" not in str(error)
    assert "without user or password" in str(error)


# --- values ---


def test_settings_cannot_be_changed_nor_given_unknown_keys() -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka_topic = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({"kafka_topics": "other"})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("SYMBOLS", " IBM ,SPY,, BRK.B ", ("IBM", "SPY", "BRK.B")),
        ("KAFKA_SERVERS", "a:1, b-c.d:65535 ,[::1]:9092", ("a:1", "b-c.d:65535", "[::1]:9092")),
        ("INFLUXDB_URL", "https://influx.example:8086/path", "https://influx.example:8086/path"),
        ("INFLUXDB_URL", "http://[::1]:8086", "http://[::1]:8086"),
        ("DASHBOARD_HOST", "::1", "::1"),
        ("DASHBOARD_HOST", "127.0.0.53", "127.0.0.53"),
        ("DASHBOARD_HOST", "LocalHost", "LocalHost"),
        ("DASHBOARD_DEBUG", "true", True),
        ("REPLAY_SPEED", "max", float("inf")),
        ("REPLAY_SPEED", "MAX", float("inf")),
        ("REPLAY_SPEED", "0.5", 0.5),
        ("MAX_TICK_AGE", "OFF", None),
        ("MAX_TICK_AGE", "86400", 86_400.0),
        ("PROBE", "Off", None),
        ("PROBE", "on", 10.0),
        ("PROBE", "0.2", 0.2),
        ("PRODUCER_INTERVAL", "0", 0.0),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("KAFKA_SECURITY_PROTOCOL", "ssl", "SSL"),
        ("ANOMALY_THRESHOLD", "2.84", 2.84),
        ("EMBEDDED_FILE", "/tmp/a b.db", Path("/tmp/a b.db")),
        ("EMBEDDED_FILE", "~/x.db", Path.home() / "x.db"),
        ("REPLAY_FILE", "~/x.csv", Path.home() / "x.csv"),
        ("KAFKA_SSL_CAFILE", "~/ca.pem", Path.home() / "ca.pem"),
    ],
)
def test_values_that_are_accepted(key: str, value: str, expected: object) -> None:
    assert getattr(load({key: value}), key.lower()) == expected


def test_the_tick_interval_follows_the_update_interval_unless_set() -> None:
    assert load(UPDATE_INTERVAL="5").tick_interval == 5
    assert load(UPDATE_INTERVAL="5", PRODUCER_INTERVAL="0.5").tick_interval == 0.5


# --- flags ---


def test_flags_carry_the_names_of_the_settings() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, ["SYMBOLS", "UPDATE_INTERVAL", "STACK"], aliases={"UPDATE_INTERVAL": "--interval"})
    arguments = parser.parse_args(["--symbols", "IBM", "--interval", "5", "--embedded"])
    assert flags_of(arguments) == {"SYMBOLS": "IBM", "UPDATE_INTERVAL": "5", "STACK": "embedded"}
    assert flags_of(parser.parse_args([])) == {}
    assert "symbols with commas between" in " ".join(parser.format_help().split())
