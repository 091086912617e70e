"""The settings of all three scripts: frozen, typed, and built once by `load_settings`.

Precedence: flags over environment over `.env` over default. The `_FILE` variant of a secret's key names a file that
holds the secret. After a change run `make settings`: it writes `.env.example` and docs/settings.md from this file.
"""

import argparse
import difflib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from tickflow.alerts.budget import BUDGET_RULE
from tickflow.alerts.budget import parse as parse_budget
from tickflow.alerts.rules import parse as parse_rules
from tickflow.errors import SettingError
from tickflow.metrics.detectors.names import DETECTORS
from tickflow.metrics.detectors.zscore import MAX_Z_SCORE
from tickflow.settings.addresses import is_http_url, is_loopback, is_network, is_server, is_socket
from tickflow.settings.env_file import read_env_file
from tickflow.settings.secret_file import HIDDEN, read_secret, without_secrets
from tickflow.sources.files.names import ROLES, parse_columns
from tickflow.ticks.tick import SYMBOL_CHARACTERS, is_symbol

HERE = Path(__file__).absolute().parent
DEFAULT_SYMBOLS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META")
FOUND = ""
"""The value of `env_file` that stands for the file that `find_env_file` finds."""
OF_COMPOSE = ("INFLUXDB_USERNAME", "INFLUXDB_PASSWORD", "INFLUXDB_RETENTION", "GRAFANA_PASSWORD")
"""Keys that docker-compose.yml reads from the same `.env`."""
PUBLIC_TOKEN = "tickflow-local-token"  # noqa: S105 - public on purpose
"""The token that docker-compose.yml gives a new InfluxDB: anybody can read it there."""
OTHER_NAMES = {
    "BOOTSTRAP_SERVERS": "KAFKA_SERVERS",
    "KAFKA_BROKER": "KAFKA_SERVERS",
    "KAFKA_BROKERS": "KAFKA_SERVERS",
    "KAFKA_BROKER_LIST": "KAFKA_SERVERS",
    "KAFKA_BROKER_URL": "KAFKA_SERVERS",
    "KAFKA_HOST": "KAFKA_SERVERS",
    "KAFKA_URL": "KAFKA_SERVERS",
    "KAFKA_CONSUMER_GROUP": "KAFKA_GROUP",
    "KAFKA_GROUP_ID": "KAFKA_GROUP",
    "INFLUXDB_HOST": "INFLUXDB_URL",
    "INFLUXDB_ORGANIZATION": "INFLUXDB_ORG",
    "INFLUXDB_DATABASE": "INFLUXDB_BUCKET",
    "ALPHA_VANTAGE_KEY": "ALPHA_VANTAGE_API_KEY",
    "ALPHAVANTAGE_KEY": "ALPHA_VANTAGE_API_KEY",
    "TICKERS": "SYMBOLS",
    "STOCK_SYMBOLS": "SYMBOLS",
}
"""Names that other programs use for settings of this one. Such a key in `.env` is refused, and the error states the
right name.
"""


def _checked(expected: str, accept: Callable[[Any], bool]) -> AfterValidator:
    def check(value: object) -> object:
        if not accept(value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _are_symbols(symbols: tuple[str, ...]) -> bool:
    return bool(symbols) and all(map(is_symbol, symbols)) and len(set(symbols)) == len(symbols)


def _age(value: object) -> object:
    return None if _upper(value) == "OFF" else value


def _probe(value: object) -> object:
    return {"OFF": None, "ON": 10.0}.get(str(_upper(value)), value)


def _speed(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.upper() == "MAX":
        return math.inf
    number = float(value)
    if math.isinf(number):
        raise ValueError(value)
    return number


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("a path whose ~ is the home folder of a user of this machine") from None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


URL_RULE = "a URL such as http://localhost:8086, without user or password"
NAME_RULE = "up to 200 letters, digits, dots, hyphens and underscores, no dot first"
PROXIES_RULE = (
    "IP addresses or networks such as 10.0.0.0/24, with commas between, or unix:/PATH of one socket, on which the page "
    "then listens instead of its port"
)
HEADER_RULE = "the name of an HTTP header"
SERVERS_RULE = "host:port, or several with commas between"
THRESHOLD_RULE = (
    "a number above 0 and below 2.846: a price is part of its own window of ten, so that |z| can never exceed "
    "(n-1)/sqrt(n) = 2.846 and such a threshold would never raise an alert"
)
DETECTORS_RULE = f"some of {', '.join(DETECTORS)}, with commas between"
SYMBOL_RULE = "one symbol as a tick has it, such as AAPL, BRK.B or EURUSD"
SYMBOLS_RULE = (
    f"symbols with commas between, each once and of 1 to {SYMBOL_CHARACTERS} characters: "
    "the first one of A-Z a-z 0-9 ^ . $ # /, then these and = : _ & + @ ! - and blanks"
)


COLUMNS_RULE = f"ROLE=COLUMN with commas between, as in price=Close,time=Date+Time; roles: {', '.join(ROLES)}"
ZONE_RULE = "a time zone such as America/New_York, Europe/Berlin, UTC or UTC-05:00"
MARKET_RULE = "an exchange by its code, such as XNYS, XLON or XTKS, or 24/7"
LENGTH_RULE = "a number of seconds from 0 to 31536000, or month"


def _is_zone(text: str) -> bool:
    from tickflow.sources.files.zones import zone_of  # imported here, since few starts need it

    try:
        zone_of(text)
    except SettingError:
        return False
    return True


def _is_market(name: str) -> bool:
    from tickflow.sessions import is_market  # imported here, since few starts need it

    return is_market(name)


def _are_columns(text: str) -> bool:
    try:
        return bool(parse_columns(text))
    except ValueError:
        return False


def _length(value: object) -> object:
    return -1.0 if isinstance(value, str) and value.lower() == "month" else value


def _is_length(seconds: float | None) -> bool:
    return seconds is None or seconds == -1 or 0 <= seconds <= 31_536_000


def _is_kafka_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_\-][A-Za-z0-9._\-]{0,199}", text) is not None


def _are_networks(texts: tuple[str, ...]) -> bool:
    return all(is_network(each) or is_socket(each) for each in texts) and sum(map(is_socket, texts)) <= 1


def _are_servers(servers: tuple[str, ...]) -> bool:
    return bool(servers) and all(map(is_server, servers))


def _is_budget(text: str) -> bool:
    try:
        return bool(parse_budget(text))
    except ValueError:
        return False


def _are_detectors(names: tuple[str, ...]) -> bool:
    return set(names) <= set(DETECTORS)


def _rules(text: str | None) -> str | None:
    parse_rules(text or "")
    return text


def _whole(least: int, most: int) -> Any:
    return Field(ge=least, le=most, description=f"a whole number from {least} to {most}")


def _seconds(least: float, most: float) -> Any:
    return Field(ge=least, le=most, description=f"a number of seconds from {least:g} to {most:g}")


_Url = Annotated[str, _checked(URL_RULE, is_http_url), Field(description=URL_RULE)]
_KafkaName = Annotated[str, _checked(NAME_RULE, _is_kafka_name), Field(description=NAME_RULE)]
_Name = Annotated[str, _checked("1 to 200 characters", lambda text: 0 < len(text) <= 200)]
_Path = Annotated[Path, AfterValidator(_expanded)]
_List = Annotated[tuple[str, ...], BeforeValidator(_split)]
_HeaderName = Annotated[
    str,
    _checked(HEADER_RULE, lambda text: re.fullmatch(r"[A-Za-z0-9\-]{1,64}", text) is not None),
    Field(description=HEADER_RULE),
]
_Servers = Annotated[_List, _checked(SERVERS_RULE, _are_servers), Field(description=SERVERS_RULE)]
_Symbols = Annotated[_List, _checked(SYMBOLS_RULE, _are_symbols), Field(description=SYMBOLS_RULE)]
_Sources = Literal["simulated", "replay", "alpha_vantage", "topic"]
_Source = Annotated[_Sources, Field(description=" or ".join(", ".join(get_args(_Sources)).rsplit(", ", 1)))]
_Speed = Annotated[
    float,
    BeforeValidator(_speed),
    Field(ge=0.001, description="a number from 0.001 on (times the recorded speed), or max"),
]
_Age = Annotated[
    Annotated[float, Field(gt=0, le=1e10)] | None,
    BeforeValidator(_age),
    Field(description="a number of seconds above 0, up to 10000000000, or off"),
]
_Probe = Annotated[
    Annotated[float, Field(ge=0.1, le=3_600)] | None,
    BeforeValidator(_probe),
    Field(description="off, on (every 10 seconds) or a number of seconds from 0.1 to 3600"),
]
_LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(_upper),
    Field(description="DEBUG, INFO, WARNING or ERROR"),
]
_Protocol = Annotated[
    Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
    BeforeValidator(_upper),
    Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
]
_Compression = Annotated[
    Literal["zstd", "lz4", "snappy", "gzip", "uncompressed", "producer"] | None,
    BeforeValidator(_lower),
    Field(description="zstd, lz4, snappy, gzip, uncompressed or producer"),
]
_Mechanism = Annotated[
    Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
    BeforeValidator(_upper),
    Field(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
]


def _setting(default: Any, meaning: str, *, shown: str | None = None) -> Any:
    """A field with its default and its meaning, which is shown in --help, `.env.example` and docs/settings.md.

    `shown` is how people write the default, if that differs from its plain text.
    """
    return Field(default, title=meaning, json_schema_extra={"shown": shown} if shown else None)


class Settings(BaseModel):
    """All settings; one attribute per key, in lower case. Secrets are shown as `**********`.

    A field's `title` says what the setting is for, its `description` what values it takes; both become text for users.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Annotated[Literal["kafka", "embedded"], Field(description="kafka or embedded")] = _setting(
        "kafka", "what the scripts run on: Kafka and InfluxDB, or one SQLite file on this machine without any server"
    )
    embedded_file: _Path = _setting(Path("data/stocks.db"), "the file of the embedded stack; its folder is created")
    retention_days: Annotated[float, Field(gt=0, le=36_500, description="a number of days above 0, up to 36500")] = (
        _setting(7.0, "how long the embedded stack keeps a tick, counted from when it was appended")
    )

    influxdb_url: _Url = _setting("http://localhost:8086", "where InfluxDB 2.x listens")
    influxdb_token: SecretStr | None = _setting(
        None,
        "an InfluxDB token that may read and write the bucket; the producer needs one only for --steer, for the page's",
    )
    influxdb_org: _Name = _setting("myorg", "the InfluxDB organisation that owns the bucket")
    influxdb_bucket: _Name = _setting("stock_data", "the InfluxDB bucket of the metrics")
    influxdb_ssl_cafile: _Path | None = _setting(
        None, "with https: a PEM file of the certificate authorities to trust; without it, those of the system"
    )
    influxdb_ssl_certfile: _Path | None = _setting(
        None, "with https: a PEM file with the certificate of this client, if the server at INFLUXDB_URL asks for one"
    )
    influxdb_ssl_keyfile: _Path | None = _setting(None, "with https: a PEM file with the key of that certificate")
    influxdb_ssl_password: SecretStr | None = _setting(None, "with https: the password of that key")
    influxdb_batch_points: Annotated[int, _whole(1, 100_000)] = _setting(
        5_000, "the maximum number of points per write request"
    )
    influxdb_connections: Annotated[int, _whole(1, 16)] = _setting(
        4, "write requests at the same time; more than one is used only for a backlog"
    )
    influxdb_gzip: Annotated[bool, Field(description="true or false")] = _setting(
        False, "compress write requests; for a distant InfluxDB, since on one machine it costs more than it saves"
    )

    kafka_servers: _Servers = _setting(("localhost:9092",), "the brokers to connect to first")
    kafka_topic: _KafkaName = _setting(
        "stock-ticks", "the topic of the ticks; refused records go to the topic of this name with .dlq added"
    )
    kafka_group: _Name = _setting("stock-analytics", "the consumer group; its workers share the partitions")
    kafka_partitions: Annotated[int, _whole(1, 10_000)] = _setting(
        6,
        "partitions of a topic that a script creates, thus its maximum number of workers; existing topics keep theirs",
    )
    kafka_batch_records: Annotated[int, _whole(1, 100_000)] = _setting(
        20_000,
        "the maximum number of records that a worker reads at once; if there are fewer, it does not wait for more",
    )
    kafka_replicas: Annotated[int | None, _whole(1, 32_767)] = _setting(
        None, "copies of each record of a topic that a script creates; without it, the brokers' default"
    )
    kafka_min_insync_replicas: Annotated[int | None, _whole(1, 32_767)] = _setting(
        None, "how many of the copies must have a record before it counts as written, in a topic that a script creates"
    )
    kafka_compression: _Compression = _setting(
        None, "how the brokers compress a topic that a script creates; without it, as producers send them"
    )
    kafka_retention_days: Annotated[
        float | None, Field(gt=0, le=36_500, description="a number of days above 0, up to 36500")
    ] = _setting(
        None, "how long Kafka keeps the records of a topic that a script creates; without it, the brokers' default"
    )
    kafka_instance_id: Annotated[_KafkaName | None, Field(description=f"{NAME_RULE}; or auto")] = _setting(
        None,
        "a name for this worker alone (static membership): after a restart it has its partitions back at once; auto "
        "takes the first free name of this machine, so that workers started in the same way find theirs again",
    )
    kafka_security_protocol: _Protocol = _setting("PLAINTEXT", "how to talk to the brokers")
    kafka_sasl_mechanism: _Mechanism = _setting(None, "with SASL: how to authenticate")
    kafka_sasl_username: _Name | None = _setting(None, "with SASL: the user")
    kafka_sasl_password: SecretStr | None = _setting(None, "with SASL: the password of that user")
    kafka_ssl_cafile: _Path | None = _setting(
        None, "with SSL: a PEM file of the certificate authorities to trust; without it, those of the system"
    )
    kafka_ssl_certfile: _Path | None = _setting(None, "with SSL: a PEM file with the certificate of this client")
    kafka_ssl_keyfile: _Path | None = _setting(None, "with SSL: a PEM file with the key of that certificate")
    kafka_ssl_password: SecretStr | None = _setting(None, "with SSL: the password of that key")

    source: _Source = _setting("simulated", "where the producer takes its ticks from")
    symbols: _Symbols = _setting(DEFAULT_SYMBOLS, "the symbols to simulate, or to request quotes for")
    producer_interval: Annotated[float | None, _seconds(0, 86_400)] = _setting(
        None, "the time between two ticks of one symbol; without it, UPDATE_INTERVAL"
    )
    simulator_seed: Annotated[int | None, Field(ge=0, description="a whole number from 0 on")] = _setting(
        None, "runs with the same seed simulate the same prices; without one, each run differs"
    )
    replay_file: _Path | None = _setting(
        None, "the recorded file to replay, a folder, a pattern such as day*.csv, or - for the standard input"
    )
    replay_speed: _Speed = _setting(1.0, "how fast to replay; max does not wait at all")
    replay_timezone: Annotated[str, _checked(ZONE_RULE, _is_zone), Field(description=ZONE_RULE)] | None = _setting(
        None, "the time zone of a replayed file whose times do not state one"
    )
    replay_symbol: Annotated[str, _checked(SYMBOL_RULE, is_symbol), Field(description=SYMBOL_RULE)] | None = _setting(
        None, "the symbol of a replayed file whose rows do not name theirs"
    )
    replay_columns: Annotated[str, _checked(COLUMNS_RULE, _are_columns), Field(description=COLUMNS_RULE)] | None = (
        _setting(None, "the meaning of a replayed file's columns, given by name or number, if recognition fails")
    )
    replay_dates: Annotated[Literal["mdy", "dmy", "ymd"] | None, Field(description="mdy, dmy or ymd")] = _setting(
        None, "whether the month or the day comes first in 1/2/2024; ymd for two digits of the year, as 24/01/02"
    )
    replay_decimal: Annotated[Literal["point", "comma"] | None, Field(description="point or comma")] = _setting(
        None, "the decimal sign of a replayed file, if its cells do not show it"
    )
    replay_epoch: Annotated[Literal["s", "ms", "us", "ns"] | None, Field(description="s, ms, us or ns")] = _setting(
        None, "the unit of times that are numbers since 1970, if their size does not show it"
    )
    replay_bars: Annotated[Literal["close", "ohlc"], Field(description="close or ohlc")] = _setting(
        "close", "what a bar becomes: one tick, its close at its end, or four ticks: open, high, low, close"
    )
    replay_bar_length: Annotated[
        float | None, BeforeValidator(_length), _checked(LENGTH_RULE, _is_length), Field(description=LENGTH_RULE)
    ] = _setting(None, "the length of a bar, if the file does not show it; 0 if its times mark the end of bars")
    replay_quotes: Annotated[Literal["mid", "refuse"], Field(description="mid or refuse")] = _setting(
        "mid", "what a file of quotes becomes: midpoints of bid and ask (their source is replay_mid), or nothing"
    )
    replay_sort: Annotated[Literal["auto", "always", "never"], Field(description="auto, always or never")] = _setting(
        "auto", "which files are sorted by time, on disk: auto sorts those that have the newest row first"
    )
    from_topic: _KafkaName | None = _setting(
        None, "with SOURCE=topic: the topic whose records become ticks; not KAFKA_TOPIC itself"
    )
    from_topic_map: _Path | None = _setting(
        None, "with SOURCE=topic: the TOML file that maps its records to ticks, as docs/feeds.md shows"
    )
    alpha_vantage_api_key: SecretStr | None = _setting(
        None, "your key for Alpha Vantage; a free one allows 25 requests a day"
    )

    max_record_bytes: Annotated[int, _whole(256, 1_000_000)] = _setting(
        65_536, "the largest record that is read as a tick, in bytes; larger ones are refused"
    )
    max_batch_bytes: Annotated[int, _whole(1_048_576, 1_073_741_824)] = _setting(
        67_108_864,
        "the largest size in bytes to which a batch of Kafka's may unpack; a larger batch is refused as a whole",
    )
    max_symbols: Annotated[int, _whole(1, 1_000_000)] = _setting(
        10_000, "how many symbols a partition may have; ticks of further ones are refused"
    )
    max_sources: Annotated[int, _whole(1, 10_000)] = _setting(
        32, "how many sources a symbol may have in a partition; ticks of further ones are refused"
    )
    max_tick_age: _Age = _setting(
        None,
        "refuse a tick that was older than this when it reached the log; off accepts replays of old days",
        shown="off",
    )
    history_size: Annotated[int, _whole(1, 1_000_000)] = _setting(
        200, "prices kept per symbol for console and summary; the metrics do not depend on it"
    )
    anomaly_threshold: Annotated[float, Field(gt=0, lt=MAX_Z_SCORE, description=THRESHOLD_RULE)] = _setting(
        2.0, "a tick with a z-score above this is an anomaly", shown="2.0"
    )
    alerts: Annotated[bool, Field(description="true or false")] = _setting(
        True, "watch for moves, bursts, bad prints, silences and your own rules; what is found is stored and published"
    )
    alert_budget: Annotated[str, _checked(BUDGET_RULE, _is_budget), Field(description=BUDGET_RULE)] = _setting(
        "1", "how many alerts there may be; the thresholds follow it"
    )
    alert_follow: Annotated[bool, Field(description="on or off")] = _setting(
        True,
        "whether a threshold rises at each alert and falls with time; off keeps the calibrated threshold",
        shown="on",
    )
    alert_min_move: Annotated[float, Field(ge=0, le=100, description="a number from 0 to 100")] = _setting(
        0.1, "the smallest move that is worth an alert, in percent"
    )
    alert_detectors: Annotated[_List, _checked(DETECTORS_RULE, _are_detectors), Field(description=DETECTORS_RULE)] = (
        _setting(DETECTORS, "the detectors whose findings raise alerts")
    )
    alert_rules: Annotated[str | None, AfterValidator(_rules)] = _setting(
        None, "your own rules, such as AAPL price > 200; * change_5m < -3; SPY volume_1m > 4x; * silence > 60"
    )
    alert_thresholds: Path | None = _setting(
        None, "the file of thresholds that the verb calibrate writes; without it each symbol begins at 8 usual moves"
    )
    alert_urls: SecretStr | None = _setting(
        None, "where the verb notify sends alerts: addresses as apprise knows them, with blanks between"
    )
    alert_notify: Annotated[_List, _checked(DETECTORS_RULE, _are_detectors), Field(description=DETECTORS_RULE)] = (
        _setting(("move",), "the detectors whose alerts are sent as messages; alerts of your own rules always are")
    )
    alert_rate: Annotated[int, _whole(1, 3_600)] = _setting(
        20, "the maximum number of messages per hour and address; further ones are combined into one"
    )
    alert_give_up: Annotated[float, Field(gt=0, le=720, description="a number of hours above 0, up to 720")] = _setting(
        24.0, "how long to retry a message that an address does not accept"
    )
    alert_outbox: Path = _setting(
        Path("data/outbox.db"), "the file in which notify keeps the messages that it has to send"
    )
    update_interval: Annotated[float, _seconds(0.1, 3600)] = _setting(
        2.0, "the time between two refreshes of page and console"
    )
    summary_interval: Annotated[float, _seconds(1, 86_400)] = _setting(
        60.0, "the time between two summaries on the console of a worker"
    )

    market: Annotated[str, _checked(MARKET_RULE, _is_market), Field(description=MARKET_RULE)] = _setting(
        "XNYS", "the exchange whose hours, holidays and time zone count, by its code in exchange_calendars"
    )

    dashboard_host: _Name = _setting(
        "127.0.0.1", "the address on which the page listens; a loopback address, unless AUTH is proxy or users"
    )
    dashboard_port: Annotated[int, Field(ge=1, le=65_535, description="a port from 1 to 65535")] = _setting(
        8050, "the port of the page"
    )
    dashboard_names: Annotated[_List, Field(description="host names with commas between")] | None = _setting(
        None, "further host names of the page, such as the name of a proxy in front of it"
    )
    auth: Annotated[
        Literal["none", "proxy", "users"], BeforeValidator(_lower), Field(description="none, proxy or users")
    ] = _setting(
        "none",
        "who may see the page: with none, everybody on this machine; with proxy, whom a header names; "
        "with users, who signs in",
    )
    auth_users_file: Path = _setting(Path("data/users.json"), "with users: the file of the accounts; see --add-user")
    auth_proxies: Annotated[_List, _checked(PROXIES_RULE, _are_networks), Field(description=PROXIES_RULE)] | None = (
        _setting(
            None, "the addresses of the proxy in front of the page: only they may name a user or a client's address"
        )
    )
    auth_header: _HeaderName = _setting("Remote-User", "with proxy: the header that names the user")
    auth_roles_header: _HeaderName | None = _setting(
        None, "with proxy: the header that lists the roles of the user; only operator has a meaning"
    )
    auth_operators: Annotated[_List, Field(description="names with commas between")] | None = _setting(
        None, "with proxy: the users who are operators"
    )
    dashboard_debug: Annotated[bool, Field(description="true or false")] = _setting(
        False, "show errors of callbacks in the page; for developing, and on a loopback address only"
    )
    metrics_host: _Name = _setting(
        "127.0.0.1", "the address on which a script serves /metrics, /health/live and /health/ready"
    )
    metrics_port: Annotated[int | None, Field(ge=1, le=65_535, description="a port from 1 to 65535")] = _setting(
        None, "the port for metrics and health, one per script; without it they are not served"
    )
    probe: _Probe = _setting(
        None,
        "send a tick of the symbol .PROBE now and then, to measure how long ticks take to the store and to the page",
        shown="off",
    )
    log_level: _LogLevel = _setting(
        "INFO", "the least serious log lines to print; DEBUG adds each batch, commit, rebalance and retry"
    )

    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower), Field(description="text or json")] = (
        _setting("text", "the form of log lines; json has one object per line, with partition and offset as fields")
    )
    price_lines: Annotated[
        Literal["auto", "on", "off"], BeforeValidator(_lower), Field(description="auto, on or off")
    ] = _setting("auto", "print prices and anomalies on the console of a worker; auto: only on a terminal")

    _notices: tuple[str, ...] = PrivateAttr(())

    @property
    def notices(self) -> tuple[str, ...]:
        """Warnings about settings that work but are questionable."""
        return self._notices

    @property
    def tick_interval(self) -> float:
        """Seconds between two ticks of the same simulated symbol, or between two quotes."""
        return self.update_interval if self.producer_interval is None else self.producer_interval

    def secret(self, key: str, need: str) -> str:
        """The value of the secret setting `key`. Raises `SettingError` with the text `need` if it is missing."""
        value: SecretStr | None = getattr(self, key.lower())
        if value is None:
            raise SettingError(key, None, need)
        return value.get_secret_value()


_PARTS_OF_TLS = ("CAFILE", "CERTFILE", "KEYFILE", "PASSWORD")
KEYS = tuple(name.upper() for name in Settings.model_fields)
SECRETS = tuple(name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))


def explained(key: str) -> tuple[str, str, str]:
    """What a setting is for, what values it takes, and its default as people write it; each may be empty.

    >>> explained("KAFKA_PARTITIONS")[1:]
    ('a whole number from 1 to 10000', '6')
    """
    field = Settings.model_fields[key.lower()]
    default: Any = field.default
    shown = (field.json_schema_extra or {}).get("shown") if isinstance(field.json_schema_extra, dict) else None
    if isinstance(shown, str):
        text = shown
    elif isinstance(default, tuple):
        text = ",".join(default)
    elif isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, float):
        text = f"{default:g}"
    else:
        text = "" if default is None else str(default)
    return field.title or "", field.description or "", text


def find_env_file() -> Path | None:
    """The `.env` file to read: that of the current folder, or else that of the folder of this module; `None` if there
    is neither.
    """
    return next((path for path in (Path.cwd() / ".env", HERE / ".env") if path.is_file()), None)


def origin_of_settings() -> str:
    """Which `.env` file is read, as a sentence for the log."""
    path = find_env_file()
    if path is None:
        return f"settings: no .env in {Path.cwd()} or {HERE}; using environment, flags and defaults"
    return f"settings: {path}; environment and flags override it"


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    env_file: str | Path | None = FOUND,
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from `flags`, `environ` (by default the environment of the process) and `env_file`; an empty value
    counts as absent.

    `env_file` is by default the file that `find_env_file` finds; with `None`, no file is read.

    Raises `SettingError`, which names the key, the value and what was expected.

    >>> load_settings({"SYMBOLS": "IBM, SPY"}, env_file=None).symbols
    ('IBM', 'SPY')
    """
    path = find_env_file() if env_file == FOUND else env_file
    in_file = read_env_file(Path(path)) if path else {}
    _refuse_misspelt(in_file, path or "")
    found: dict[str, str] = {}
    notices: list[str] = []
    for origin in (in_file, os.environ if environ is None else environ, flags or {}):
        found |= {key: origin[key].strip() for key in KEYS if origin.get(key, "").strip()}
        found |= _secrets_in_files(origin, notices)
    try:
        settings = Settings.model_validate({key.lower(): value for key, value in found.items()})
    except ValidationError as error:
        raise _first(error, found) from None
    _check_together(settings)
    settings._notices = (*notices, *_without_effect(settings))
    return settings


def _refuse_misspelt(values: Mapping[str, str], env_file: str | Path) -> None:
    known = [*KEYS, *(f"{key}_FILE" for key in SECRETS)]
    groups = {key.partition("_")[0] for key in KEYS if "_" in key}
    for key in values:
        if key in known or key in OF_COMPOSE:
            continue
        # a key that begins like a setting of this program is probably meant for it
        name = key.upper()  # a key in lower case would be ignored silently
        cutoff = 0.7 if name.partition("_")[0] in groups else 0.85
        near = OTHER_NAMES.get(name) or next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)
        if near:
            raise SettingError(key, _shown(near, values[key]), f"a known key in {env_file}, perhaps {near}")


def _secrets_in_files(origin: Mapping[str, str], notices: list[str]) -> dict[str, str]:
    found = {}
    for key in SECRETS:
        path = origin.get(f"{key}_FILE")
        if not path:
            continue
        if origin.get(key, "").strip():
            raise SettingError(f"{key}_FILE", HIDDEN, f"no value where {key} has one too: set one of the two")
        found[key], notice = read_secret(f"{key}_FILE", path)
        notices += [notice] if notice else []
    return found


def _first(error: ValidationError, found: Mapping[str, str]) -> SettingError:
    problem = error.errors(include_url=False)[0]
    name = str(problem["loc"][0])
    field = Settings.model_fields[name]
    expected = field.description or problem["msg"].removeprefix("Value error, ")
    key = name.upper()
    return SettingError(key, _shown(key, found[key], [found[each] for each in SECRETS if each in found]), expected)


def _shown(key: str, value: str, secrets: Sequence[str] = ()) -> str:
    if key in SECRETS or key.removesuffix("_FILE") in SECRETS:
        return HIDDEN
    return without_secrets(value, secrets)


def _check_together(settings: Settings) -> None:
    protocol = settings.kafka_security_protocol
    if protocol.startswith("SASL"):
        for key in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if getattr(settings, key.lower()) is None:
                raise SettingError(key, None, f"a value, since KAFKA_SECURITY_PROTOCOL is {protocol}")
    _check_certificates(settings, "KAFKA_SSL", protocol.endswith("SSL"))
    _check_certificates(settings, "INFLUXDB_SSL", settings.influxdb_url.startswith("https:"))
    _check_token(settings)
    if not is_loopback(settings.dashboard_host):
        if settings.dashboard_debug:
            expected = "false on a host that is not loopback: the debugger runs code for anyone who reaches it"
            raise SettingError("DASHBOARD_DEBUG", "true", expected)
        if settings.auth == "none":
            expected = (
                "a loopback host such as 127.0.0.1, or AUTH=users or AUTH=proxy, since other machines reach this one"
            )
            raise SettingError("DASHBOARD_HOST", settings.dashboard_host, expected)
    if settings.auth == "proxy" and not settings.auth_proxies:
        raise SettingError("AUTH_PROXIES", None, f"{PROXIES_RULE}, since AUTH is proxy")


def _check_token(settings: Settings) -> None:
    """Raise `SettingError` if the public token is to be used for an InfluxDB that other machines may reach."""
    token, url = settings.influxdb_token, settings.influxdb_url
    is_public = settings.stack == "kafka" and token is not None and token.get_secret_value() == PUBLIC_TOKEN
    if is_public and not is_loopback(urlsplit(url).hostname or ""):
        expected = f"a token of your own: {PUBLIC_TOKEN} is public, and the InfluxDB at {url} is not on loopback"
        raise SettingError("INFLUXDB_TOKEN", HIDDEN, expected)


def _check_certificates(settings: Settings, group: str, is_tls: bool) -> None:
    """Raise `SettingError` if TLS files are missing or incomplete."""
    if not is_tls:
        return
    given = {key: getattr(settings, key.lower()) for key in (f"{group}_{part}" for part in _PARTS_OF_TLS)}
    for key, found in given.items():
        if isinstance(found, Path) and not found.is_file():
            raise SettingError(key, str(found), "a file that exists")
    certfile = f"{group}_CERTFILE"
    for key in (f"{group}_KEYFILE", f"{group}_PASSWORD"):
        if given[key] is not None and given[certfile] is None:
            raise SettingError(certfile, None, f"the certificate that goes with {key}")


def _without_effect(settings: Settings) -> list[str]:
    """Warnings about settings that should secure a connection but have no effect."""
    protocol, url = settings.kafka_security_protocol, settings.influxdb_url
    found = []
    for group, is_used, reason in (
        ("KAFKA_SSL", protocol.endswith("SSL"), f"KAFKA_SECURITY_PROTOCOL is {protocol}"),
        ("KAFKA_SASL", protocol.startswith("SASL"), f"KAFKA_SECURITY_PROTOCOL is {protocol}"),
        ("INFLUXDB_SSL", url.startswith("https:"), "INFLUXDB_URL does not begin with https"),
    ):
        keys = [key for key in KEYS if key.startswith(f"{group}_") and getattr(settings, key.lower()) is not None]
        if keys and not is_used and settings.stack == "kafka":
            found.append(f"without effect, since {reason}: {', '.join(keys)}")
    return found


def add_flags(parser: argparse.ArgumentParser, keys: Sequence[str], aliases: Mapping[str, str] | None = None) -> None:
    """Give `parser` a flag for each of `keys` (`KAFKA_TOPIC` becomes `--kafka-topic`), and `--embedded`.

    `aliases` names a second flag for a key. Secrets have no flag: a command line is visible to every user.
    """
    group = parser.add_argument_group("settings", "each overrides the environment and .env")
    group.add_argument(
        "--embedded",
        action="store_const",
        const="embedded",
        dest="STACK",
        help="one SQLite file in place of Kafka and InfluxDB; the same as --stack embedded",
    )
    for key in keys:
        names = [f"--{key.lower().replace('_', '-')}"]
        if aliases and key in aliases:
            names.insert(0, aliases[key])
        meaning, expected, default = explained(key)
        text = f"{meaning}. Expected: {expected}" if expected else meaning
        text += f" (default: {default or 'none'})"
        group.add_argument(*names, dest=key, metavar="VALUE", help=text.replace("%", "%%"))


def flags_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The settings that the parsed arguments give, by key."""
    return {key: value for key, value in vars(arguments).items() if key in KEYS and value is not None}
